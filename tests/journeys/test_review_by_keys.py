"""A change set of twelve files reviewed by keys only: exactly what was accepted lands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.plans import plan_file, python_of, tool
from tests.journeys.screen import Screen
from tests.journeys.turbo import Turbo, differences, whole_tree

SIZES = [(120, 40), (80, 24)]
CARD = "Step s1 (step 1) wants to land 12 files"

MANY = [f"line {n}\n" for n in range(1, 61)]
ROWS = b"".join(b"row %d\r\n" % n for n in range(1, 31))
APP = "import os\n\n\ndef greet():\n    print('hello')\n\n\ndef main():\n    greet()\n"
BEFORE: dict[str, bytes] = {
    "gone.txt": b"a\nb\nc\n",
    "logo.bin": bytes(range(256)),
    "many.txt": "".join(MANY).encode(),
    "old name.txt": b"".join(b"kept %d\n" % n for n in range(12)),
    "range.py": b"def f():\n    return 1\n",
    "run.sh": b"#!/bin/sh\necho hi\n",
    "src/app.py": APP.encode(),
    "tabs.mk": b"all:\n\tcc -c a.c\n\tcc -c b.c\n",
    "tail.txt": b"first\nsecond\nlast without end",
    "whole.txt": b"keep me\n",
    "win.txt": ROWS,
}
PROGRAM = r"""
import os
from pathlib import Path

def swap(name, *pairs):
    content = Path(name).read_bytes()
    for old, new in pairs:
        assert content.count(old) == 1
        content = content.replace(old, new)
    Path(name).write_bytes(content)

swap("many.txt", *((b"line %d\n" % n, b"LINE %d changed\n" % n) for n in (15, 35, 55)))
swap("win.txt", (b"row 3\r", b"ROW 3\r"), (b"row 25\r", b"ROW 25\r"))
swap("tail.txt", (b"second", b"second, changed"), (b"without end", b"without end either"))
swap("tabs.mk", (b"\tcc -c a.c", b"\tcc -O2 -c a.c"))
Path("logo.bin").write_bytes(bytes(reversed(range(256))))
Path("range.py").write_text("def f():\n    a = 1\n    b = 2\n    c = 3\n    return a\n")
Path("whole.txt").write_text("lost\n")
os.chmod("run.sh", 0o755)
"""
ACTIONS = [
    python_of(PROGRAM),
    tool("delete_file", path="gone.txt"),
    tool("move_file", path="old name.txt", target="new name.txt"),
    tool("write_file", path="fresh/new.md", content="# New\n\nwords\n"),
    tool("edit_file", path="src/app.py", old="print('hello')", new="print('hello, world')"),
]


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    """A session whose one step has changed twelve files and waits for its review."""
    turbo = Turbo(tmp_path / "home", tmp_path / "work")
    turbo.home.mkdir()
    write(turbo.workspace, BEFORE)
    done = turbo("run", "--plan", str(plan_file(turbo, ACTIONS)), "--json")
    assert done.code == 3, done.out + done.err
    return turbo


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files, readable for all, none of them executable."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    return folder


def as_changed(place: Path, **other: bytes | None) -> Path:
    """Write the tree that all the step did leaves, but for some files, by their stems."""
    swapped = BEFORE["many.txt"]
    for n in (15, 35, 55):
        swapped = swapped.replace(b"line %d\n" % n, b"LINE %d changed\n" % n)
    files = {
        **BEFORE,
        "fresh/new.md": b"# New\n\nwords\n",
        "logo.bin": bytes(reversed(range(256))),
        "many.txt": swapped,
        "new name.txt": BEFORE["old name.txt"],
        "range.py": b"def f():\n    a = 1\n    b = 2\n    c = 3\n    return a\n",
        "src/app.py": APP.replace("'hello'", "'hello, world'").encode(),
        "tabs.mk": b"all:\n\tcc -O2 -c a.c\n\tcc -c b.c\n",
        "tail.txt": b"first\nsecond, changed\nlast without end either",
        "whole.txt": b"lost\n",
        "win.txt": ROWS.replace(b"row 3\r", b"ROW 3\r").replace(b"row 25\r", b"ROW 25\r"),
    }
    for gone in ("gone.txt", "old name.txt"):
        del files[gone]
    for name in files:
        content = other.get(Path(name).stem)
        if content is not None:
            files[name] = content
    write(place, files)
    (place / "run.sh").chmod(0o755)
    return place


def same(one: Path, two: Path) -> None:
    """Hold that two trees have the same files, modes and bytes."""
    assert not differences(whole_tree(one), whole_tree(two))


def to_file(screen: Screen, number: int, *, since: int) -> None:
    """Go from file to file; each key is pressed once."""
    for each in range(since + 1, number + 1):
        screen.press("f")
        screen.wait_for(f"file {each}/12")


def to_hunk(screen: Screen, where: str) -> None:
    screen.press("n")
    screen.wait_for(f"· hunk {where}")


def reviewing(screen: Screen) -> None:
    """Wait until the pane with the changes has the keys."""
    screen.wait_for(CARD, "space In/out", "file 1/12")


def quit_with(screen: Screen) -> None:
    screen.press("ctrl+q")
    assert screen.wait_until_ended() == 0


@pytest.mark.parametrize("size", SIZES)
def test_twelve_files_are_reviewed_by_keys_and_exactly_what_is_in_lands(
    turbo: Turbo, tmp_path: Path, size: tuple[int, int]
) -> None:
    original = write(tmp_path / "original", BEFORE)
    with Screen(turbo, "session", "resume", size=size) as screen:
        reviewing(screen)

        to_file(screen, 4, since=1)  # many.txt: a word on a line, the third hunk out
        to_hunk(screen, "1/3")
        screen.press(*["down"] * 5, "c")
        screen.wait_for("comment on", "LINE 15 changed")
        screen.type("why in capitals?")
        screen.press("enter")
        screen.wait_for("» you: why in capitals?", "1 comment")
        to_hunk(screen, "2/3")
        to_hunk(screen, "3/3")
        screen.press("space")
        screen.wait_for("[ ] left out  hunk 3/3")

        to_file(screen, 6, since=4)  # range.py: two lines out, by a range
        to_hunk(screen, "1/1")
        screen.press(*["down"] * 4, "V", "down")
        screen.wait_for("2 changed lines chosen")
        screen.press("space")
        screen.wait_for("[~] partly  hunk 1/1")

        to_file(screen, 8, since=6)  # src/app.py: edited in place
        to_hunk(screen, "1/1")
        screen.press("e")
        screen.wait_for("Edit hunk 1 of src/app.py", "^s Keep it")
        screen.press(*["down"] * 3, "end")
        screen.type("  # reviewed")
        screen.wait_for("print('hello, world')  # reviewed")
        screen.press("ctrl+s")
        screen.wait_for("hunk 1/1  line 2  edited", "space In/out")

        to_file(screen, 11, since=8)  # whole.txt: out
        screen.press("x")
        screen.wait_for("[ ] whole.txt  update  +1 -1  left out")

        to_file(screen, 12, since=11)  # win.txt: its second hunk out
        to_hunk(screen, "1/2")
        to_hunk(screen, "2/2")
        screen.press("space")
        screen.wait_for("[ ] left out  hunk 2/2")

        screen.answer("a", CARD)
        screen.wait_for("Done: 1 of 1 step landed")
        accepted = as_changed(
            tmp_path / "accepted",
            many="".join(MANY)
            .replace("line 15\n", "LINE 15 changed\n")
            .replace("line 35\n", "LINE 35 changed\n")
            .encode(),
            range=b"def f():\n    a = 1\n    return a\n",
            app=APP.replace("'hello')", "'hello, world')  # reviewed").encode(),
            whole=BEFORE["whole.txt"],
            win=ROWS.replace(b"row 3\r", b"ROW 3\r"),
        )
        same(turbo.workspace, accepted)

        screen.press("T")
        screen.wait_for("Timeline", "step s1 brought", "landed · 11 files")
        screen.press("u")
        screen.answer("y", "Take back step s1?")
        screen.wait_for("taken back · 11")
        same(turbo.workspace, original)
        screen.press("r")
        screen.answer("y", "Land step s1 again?")
        screen.wait_for("landed again")
        same(turbo.workspace, accepted)
        screen.press("escape")
        screen.wait_while("Timeline")
        quit_with(screen)


@pytest.mark.parametrize("size", SIZES)
def test_what_the_users_editor_wrote_lands_instead(
    turbo: Turbo, tmp_path: Path, size: tuple[int, int]
) -> None:
    editor = turbo.home / "my editor"
    editor.write_text('#!/bin/sh\nsed -i "s/world/moon/; s/import os/import sys/" "$2"\n')
    editor.chmod(0o755)
    turbo.more_env["EDITOR"] = f"'{editor}' --wait"
    with Screen(turbo, "session", "resume", size=size) as screen:
        reviewing(screen)
        to_file(screen, 8, since=1)
        screen.press("E")
        screen.wait_for("src/app.py  update  +2 -2  edited", "space File in/out", "file 8/12")
        screen.answer("a", CARD)
        screen.wait_for("Done: 1 of 1 step landed")
        quit_with(screen)

    written = APP.replace("'hello'", "'hello, moon'").replace("import os", "import sys")
    same(turbo.workspace, as_changed(tmp_path / "accepted", app=written.encode()))


@pytest.mark.parametrize("size", SIZES)
def test_an_undo_that_clashes_with_the_users_own_edit_is_settled_by_keys(
    turbo: Turbo, tmp_path: Path, size: tuple[int, int]
) -> None:
    with Screen(turbo, "session", "resume", size=size) as screen:
        reviewing(screen)
        screen.answer("a", CARD)
        screen.wait_for("Done: 1 of 1 step landed")
        app = turbo.workspace / "src/app.py"
        app.write_text(app.read_text().replace("hello, world", "hello, mine"))
        screen.press("T")
        screen.wait_for("step s1 brought")
        screen.press("u")
        screen.wait_for("Step s1 cannot be taken back yet: 1 conflict", "<<<<<<< yours now")
        mine = APP.replace("'hello'", "'hello, mine'").encode()
        same(turbo.workspace, as_changed(tmp_path / "accepted", app=mine))
        screen.press(">")
        screen.answer("a", "Step s1 can be taken back now", opens="was taken back.")
        quit_with(screen)

    same(turbo.workspace, write(tmp_path / "before", BEFORE))
