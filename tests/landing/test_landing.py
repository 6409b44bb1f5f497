"""What lands, what is refused, and what stands then: on real trees."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.landing.trees import (
    FOLDER,
    Leaf,
    between,
    file,
    link,
    node,
    read_times,
    read_tree,
    whole,
    write_tree,
)
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Landing
from turbo_tui.landing import JournalLander, open_lander

OLD = {
    "same.py": file(b"same\n"),
    "edit.py": file(b"one\ntwo\n", 0o755),
    "gone.py": file(b"gone\n"),
    "old/deep/gone.txt": file(b"x"),
    "old/keep.txt": file(b"keep"),
    "away/a": file(b"a"),
    "away/b/c": file(b"c"),
    "link": link("same.py"),
    "was-file": file(b"f"),
    "was-folder/x": file(b"x"),
    "was-link": link("nowhere"),
    "script": file(b"#!/bin/sh\n"),
}
NEW = {
    "same.py": file(b"same\n"),
    "edit.py": file(b"one\r\ntwo", 0o755),
    "old/keep.txt": file(b"keep"),
    "old/deep": FOLDER,
    "link": link("edit.py"),
    "was-file/now/below": file(b"below"),
    "was-folder": file(b"file now"),
    "was-link/x": file(b"in a folder now"),
    "script": file(b"#!/bin/sh\n", 0o755),
    "new/empty": FOLDER,
    "new/deep/er/file": file(b"\0binary\xff"),
}


class Bench:
    """A workspace with its lander."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "ws"
        self.root.mkdir()
        self.state = tmp_path / "state"
        self.blobs = FolderBlobs(self.state / "blobs")
        self.lander = open_lander(self.root, self.state, self.blobs)

    def step(self, old: dict[str, Leaf], new: dict[str, Leaf]) -> ChangeSet:
        """Write the old tree; return what leads to the new one."""
        write_tree(self.root, old)
        return between(old, new, self.blobs)

    async def land(self, changes: ChangeSet) -> Landing:
        return await self.lander.land(changes, session_id="s", step_id="1")

    def tree(self) -> dict[str, Leaf]:
        return read_tree(self.root)

    def node(self, leaf: Leaf) -> Node:
        return node(leaf, self.blobs)

    def with_checkpoint(self, act: Callable[[str], None]) -> None:
        """Call `act` with the name of every step that the lander is about to take."""
        self.lander = JournalLander(self.root, self.state, self.blobs, checkpoint=act)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- landing -----------------------------------------------------------------


async def test_every_kind_of_change_lands_and_nothing_else_is_touched(bench: Bench) -> None:
    changes = bench.step(OLD, NEW)
    times = read_times(bench.root)

    landing = await bench.land(changes)

    assert landing.conflicts == ()
    assert bench.tree() == whole(NEW)
    assert {name: times[name] for name in ("same.py", "old/keep.txt", "script")} == {
        name: read_times(bench.root)[name] for name in ("same.py", "old/keep.txt", "script")
    }
    assert landing.paths == tuple(sorted(change.path for change in changes.files))


async def test_undo_takes_it_back_and_undoing_that_lands_it_again(bench: Bench) -> None:
    landing = await bench.land(bench.step(OLD, NEW))

    undone = await bench.lander.undo(landing.landing_id)
    after_undo = bench.tree()
    redone = await bench.lander.undo(undone.landing_id)

    assert after_undo == whole(OLD)
    assert bench.tree() == whole(NEW)
    assert redone.landing_id > undone.landing_id > landing.landing_id


async def test_a_move_lands_at_its_new_place_and_back(bench: Bench) -> None:
    write_tree(bench.root, {"a/old.py": file(b"x", 0o755)})
    content = bench.node(file(b"x", 0o755))
    edited = bench.node(file(b"y", 0o755))

    landing = await bench.land(ChangeSet((FileChange("b/new.py", content, edited, "a/old.py"),)))

    assert bench.tree() == {"a": FOLDER, "b": FOLDER, "b/new.py": file(b"y", 0o755)}
    assert landing.paths == ("a/old.py", "b/new.py")
    await bench.lander.undo(landing.landing_id)
    assert bench.tree() == {"a": FOLDER, "a/old.py": file(b"x", 0o755)}


async def test_names_that_are_not_utf8_land_and_are_told(bench: Bench) -> None:
    name = os.fsdecode(b"caf\xe9/\xff")

    landing = await bench.land(bench.step({}, {name: file(b"x")}))

    assert [os.fsencode(path.name) for path in bench.root.iterdir()] == [b"caf\xe9"]
    assert landing.paths == (name,)
    assert bench.lander.landings()[0].paths == (name,)


async def test_a_workspace_reached_through_a_symlink_is_the_same_workspace(
    bench: Bench, tmp_path: Path
) -> None:
    changes = bench.step({}, {"a": file(b"a")})
    (tmp_path / "link").symlink_to(bench.root)
    through_link = open_lander(tmp_path / "link", bench.state, bench.blobs)

    landing = await through_link.land(changes, session_id="s", step_id="1")

    assert bench.lander.landings()[0].landing_id == landing.landing_id


async def test_ignored_files_never_land_by_themselves(bench: Bench) -> None:
    ignored = FileChange("out/x", None, bench.node(file(b"x")))

    landing = await bench.land(ChangeSet(ignored=(IgnoredFolder("out", (ignored,)),)))

    assert landing == Landing()
    assert bench.tree() == {}


async def test_setuid_setgid_and_sticky_never_land(bench: Bench) -> None:
    changes = ChangeSet((FileChange("su", None, bench.node(file(b"x", 0o6755))),))

    landing = await bench.land(changes)

    assert bench.tree() == {"su": file(b"x", 0o755)}
    assert landing.notes == ("su: setuid, setgid and sticky bits never land",)
    only_bits = ChangeSet(
        (FileChange("su", bench.node(file(b"x", 0o755)), bench.node(file(b"x", 0o4755))),)
    )
    assert (await bench.land(only_bits)).paths == ()


async def test_a_hard_link_is_broken_and_said_so_for_content_and_for_mode(bench: Bench) -> None:
    old = {"a": file(b"a"), "b": file(b"b")}
    changes = bench.step(old, {"a": file(b"A"), "b": file(b"b", 0o755)})
    outside = bench.root.parent / "outside"
    outside.mkdir()
    for name in ("a", "b"):
        (outside / name).hardlink_to(bench.root / name)

    landing = await bench.land(changes)

    assert read_tree(outside) == old
    assert bench.tree() == {"a": file(b"A"), "b": file(b"b", 0o755)}
    assert landing.notes == (
        "a: was one of 2 hard links; the others stay as they were",
        "b: was one of 2 hard links; the others stay as they were",
    )


async def test_extended_attributes_are_kept(bench: Bench) -> None:
    changes = bench.step({"a": file(b"a")}, {"a": file(b"A")})
    try:
        os.setxattr(bench.root / "a", "user.mark", b"1")
    except OSError:
        pytest.skip("this file system has no user attributes")

    await bench.land(changes)

    assert os.getxattr(bench.root / "a", "user.mark") == b"1"


async def test_as_root_files_belong_to_whom_the_tree_belongs(bench: Bench) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    changes = bench.step({"a": file(b"a")}, {"a": file(b"A"), "d/new": file(b"n"), "l": link("a")})
    os.chown(bench.root, 1234, 1235)
    os.chown(bench.root / "a", 2234, 2235)

    await bench.land(changes)

    owners = {name: (bench.root / name).lstat() for name in ("a", "d", "d/new", "l")}
    assert {name: (found.st_uid, found.st_gid) for name, found in owners.items()} == {
        "a": (2234, 2235),
        "d": (1234, 1235),
        "d/new": (1234, 1235),
        "l": (1234, 1235),
    }


async def test_a_large_file_and_many_files_land(bench: Bench) -> None:
    new = {f"many/{number}": file(b"%d" % number) for number in range(70)}
    new["large"] = file(os.urandom(1 << 20) * 17)

    landing = await bench.land(bench.step({"large": file(b"x" * 17_000_000)}, new))

    assert bench.tree() == whole(new)
    await bench.lander.undo(landing.landing_id)
    assert bench.tree()["large"].content == b"x" * 17_000_000


async def test_the_journal_is_private(bench: Bench) -> None:
    await bench.land(bench.step({}, {"a": file(b"a")}))

    for path in (bench.state / "landings").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    "path", ["../up", "/etc/x", "a/../b", "", ".git/hooks/x", "sub/.GIT/config", ".turbo/c", "a\0"]
)
async def test_what_must_never_be_written_is_refused(bench: Bench, path: str) -> None:
    changes = ChangeSet((FileChange(path, None, bench.node(file(b"x"))),))

    with pytest.raises(LandingError, match=r"Nothing was landed"):
        await bench.land(changes)

    assert bench.tree() == {}


async def test_a_path_that_is_changed_twice_is_refused(bench: Bench) -> None:
    one = FileChange("a", None, bench.node(file(b"x")))

    with pytest.raises(LandingError, match=r"'a' is changed twice"):
        await bench.land(ChangeSet((one, one)))


# --- conflicts ---------------------------------------------------------------

TEXT = b"".join(b"line %d\n" % number for number in range(9))
STEP_TEXT = TEXT.replace(b"line 1\n", b"step\n")


async def refused(bench: Bench, changes: ChangeSet, **users: Leaf | None) -> Landing:
    """Land after the user did something; nothing may be written."""
    for name, leaf in users.items():
        path = bench.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if leaf is not None and leaf.kind == "folder":
            path.mkdir()
        elif leaf is not None and leaf.kind == "symlink":
            path.symlink_to(os.fsdecode(leaf.content))
        elif leaf is not None:
            path.write_bytes(leaf.content)
            path.chmod(leaf.mode)
    stands = bench.tree()

    landing = await bench.land(changes)

    assert bench.tree() == stands
    assert landing.landing_id == ""
    assert landing.paths == ()
    assert bench.lander.landings() == ()
    return landing


async def test_two_changes_that_go_together_are_offered_merged(bench: Bench) -> None:
    changes = bench.step(
        {"f": file(TEXT), "g": file(b"g")}, {"f": file(STEP_TEXT), "g": file(b"G")}
    )

    landing = await refused(bench, changes, f=file(TEXT.replace(b"line 7\n", b"user\n"), 0o600))

    both = file(STEP_TEXT.replace(b"line 7\n", b"user\n"), 0o600)
    assert [conflict.path for conflict in landing.conflicts] == ["f"]
    assert landing.conflicts[0].merged == bench.node(both).blob
    assert landing.merged is not None
    landed = await bench.land(landing.merged)
    assert landed.paths == ("f", "g")
    assert bench.tree() == {"f": both, "g": file(b"G")}


@pytest.mark.parametrize(
    ("users", "why"),
    [
        (file(TEXT.replace(b"line 1\n", b"user\n")), "where the step changed it too (line 2"),
        (file(b"\0"), "it is binary"),
        (None, "it was deleted since the step began"),
        (link("x"), "is a symlink now"),
        (FOLDER, "is a folder now"),
    ],
)
async def test_a_change_that_cannot_be_merged_says_why(
    bench: Bench, users: Leaf | None, why: str
) -> None:
    changes = bench.step({"f": file(TEXT)}, {"f": file(STEP_TEXT)})

    landing = await refused(bench, changes, f=users)

    assert landing.merged is None
    assert [conflict.merged for conflict in landing.conflicts] == [""]
    assert why in landing.conflicts[0].why


async def test_without_a_known_base_nothing_is_guessed(bench: Bench) -> None:
    (change,) = bench.step({"f": file(TEXT)}, {"f": file(STEP_TEXT)}).files

    landing = await refused(
        bench,
        ChangeSet((replace(change, base_known=False),)),
        f=file(TEXT.replace(b"line 7\n", b"user\n")),
    )

    assert "nothing is guessed" in landing.conflicts[0].why
    assert landing.merged is None


async def test_a_pipe_in_the_place_of_a_file_is_a_conflict(bench: Bench) -> None:
    changes = bench.step({"f": file(TEXT)}, {"f": file(STEP_TEXT)})
    (bench.root / "f").unlink()
    os.mkfifo(bench.root / "f")

    landing = await bench.land(changes)

    assert "something else now" in landing.conflicts[0].why


async def test_a_deletion_of_what_the_user_edited_is_a_conflict(bench: Bench) -> None:
    landing = await refused(bench, bench.step({"f": file(b"x")}, {}), f=file(b"mine"))

    assert (
        landing.conflicts[0].why == "it was changed since the step began, and the step deletes it"
    )


async def test_new_files_do_not_overwrite_what_came_meanwhile(bench: Bench) -> None:
    changes = bench.step({"m": file(b"m")}, {"f": file(b"step's")})
    moved = ChangeSet((FileChange("f", bench.node(file(b"m")), bench.node(file(b"m")), "m"),))

    added = await refused(bench, changes, f=file(b"mine"))
    taken = await refused(bench, moved, f=FOLDER)

    assert "a file stands there that was not there" in added.conflicts[0].why
    assert "f is taken by a folder" in taken.conflicts[0].why


async def test_what_the_user_did_too_is_no_conflict(bench: Bench) -> None:
    changes = bench.step(
        {"a": file(b"a"), "b": file(b"b"), "c": file(b"c")}, {"a": file(b"A"), "n": file(b"n")}
    )
    (bench.root / "a").write_bytes(b"A")
    (bench.root / "b").unlink()
    (bench.root / "n").write_bytes(b"n")

    landing = await bench.land(changes)

    assert landing.paths == ("c",)
    assert landing.notes == ("a: was so already", "b: was so already", "n: was so already")
    await bench.lander.undo(landing.landing_id)
    assert bench.tree() == {"a": file(b"A"), "c": file(b"c"), "n": file(b"n")}


async def test_permissions_are_merged_too(bench: Bench) -> None:
    old = {"f": file(b"x"), "g": file(b"g")}
    changes = bench.step(old, {"f": file(b"y"), "g": file(b"g", 0o755)})

    landing = await refused(bench, changes, f=file(b"x", 0o600), g=file(b"g", 0o700))

    whys = [conflict.why for conflict in landing.conflicts]
    assert whys[0] == "it was changed since the step began; the two changes go together"
    assert whys[1] == (
        "its permissions changed to 700 since the step began, and the step changed it too"
    )
    assert landing.merged is None


async def test_a_file_moved_by_the_step_and_edited_by_the_user_is_offered_merged(
    bench: Bench,
) -> None:
    write_tree(bench.root, {"a": file(TEXT)})
    was = bench.node(file(TEXT))
    changes = ChangeSet((FileChange("b", was, was, "a"),))

    landing = await refused(bench, changes, a=file(STEP_TEXT))

    assert landing.merged is not None
    await bench.land(landing.merged)
    assert bench.tree() == {"b": file(STEP_TEXT)}


async def test_a_symlink_planted_above_a_path_is_never_followed(bench: Bench) -> None:
    changes = bench.step(
        {"d/f": file(b"x"), "e": file(b"e")}, {"d/f": file(b"y"), "d/n/m": file(b"z")}
    )
    outside = bench.root.parent / "outside"
    (bench.root / "d").rename(outside)
    (bench.root / "d").symlink_to(outside)

    landing = await bench.land(changes)

    assert {conflict.path: "symlink" in conflict.why for conflict in landing.conflicts} == {
        "d/f": True,
        "d/n/m": True,
    }
    assert read_tree(outside) == {"f": file(b"x")}
    assert (bench.root / "e").exists()


async def test_a_symlink_planted_while_landing_is_never_followed(bench: Bench) -> None:
    changes = bench.step({"d/f": file(b"x")}, {"d/f": file(b"y"), "a": file(b"a")})
    outside = bench.root.parent / "outside"

    def plant(step: str) -> None:
        if step == "operation 1":
            (bench.root / "d").rename(outside)
            (bench.root / "d").symlink_to(outside)

    bench.with_checkpoint(plant)

    landing = await bench.land(changes)

    (conflict,) = landing.conflicts
    assert conflict.path == "d/f"
    assert conflict.why == "a folder above it became a symlink meanwhile, which is never followed"
    assert (outside / "f").read_bytes() == b"x"
    assert not (bench.root / "a").exists()


async def test_a_file_above_a_new_file_is_a_conflict(bench: Bench) -> None:
    landing = await refused(bench, bench.step({}, {"d/f": file(b"x")}), d=file(b"mine"))

    assert landing.conflicts[0].why == "d is a file now, not a folder"


async def test_a_removed_folder_stays_when_something_else_is_in_it(bench: Bench) -> None:
    changes = bench.step({"d/e/f": file(b"x")}, {})
    (bench.root / "d/e/mine").write_bytes(b"mine")

    landing = await bench.land(changes)

    assert bench.tree() == whole({"d/e/mine": file(b"mine")})
    assert landing.notes == (
        "d/e: the folder stays, it also holds mine",
        "d: the folder stays, it also holds e",
    )


async def test_a_folder_with_more_in_it_does_not_become_a_file(bench: Bench) -> None:
    changes = bench.step({"d/f": file(b"x")}, {"d": file(b"file")})
    (bench.root / "d/mine").write_bytes(b"mine")

    landing = await bench.land(changes)

    assert [conflict.why for conflict in landing.conflicts] == ["the folder also holds mine"]
    assert bench.tree() == whole({"d/f": file(b"x"), "d/mine": file(b"mine")})


@pytest.mark.parametrize("kind", ["edit", "delete", "replace", "add", "into folder"])
async def test_what_the_user_saves_while_landing_is_kept(bench: Bench, kind: str) -> None:
    old = {"a": file(b"a"), "f": file(b"x"), "g": file(b"g"), "d/e": file(b"e")}
    new = {"a": file(b"A"), "f": file(b"y"), "n": file(b"n"), "d": file(b"d")}
    changes = bench.step(old, new)
    mine: dict[str, Leaf] = {}

    def save(step: str) -> None:
        if step != "operation 0" or mine:
            return
        match kind:
            case "edit":
                (bench.root / "f").write_bytes(b"mine")
                mine["f"] = file(b"mine")
            case "delete":
                (bench.root / "f").unlink()
            case "replace":
                (bench.root / "new").write_bytes(b"mine")
                (bench.root / "new").replace(bench.root / "g")
                mine["g"] = file(b"mine")
            case "add":
                (bench.root / "n").write_bytes(b"mine")
                mine["n"] = file(b"mine")
            case _:
                (bench.root / "d/mine").write_bytes(b"mine")
                mine["d/mine"] = file(b"mine")
        mine["done"] = FOLDER

    bench.with_checkpoint(save)
    landing = await bench.land(changes)

    expected = {**old, **{name: leaf for name, leaf in mine.items() if name != "done"}}
    if kind == "delete":
        del expected["f"]
    assert len(landing.conflicts) == 1
    assert "while the landing was under way" in landing.conflicts[0].why
    assert bench.tree() == whole(expected)


async def test_a_symlink_that_the_user_turned_elsewhere_is_a_conflict(bench: Bench) -> None:
    landing = await refused(bench, bench.step({"l": link("a")}, {"l": link("b")}), l=link("c"))

    assert landing.conflicts[0].why == "it was changed since the step began"


async def test_a_folder_that_gets_a_file_while_it_is_removed_stays(bench: Bench) -> None:
    changes = bench.step({"d/f": file(b"x"), "g": file(b"g")}, {})

    def save(step: str) -> None:
        if step == "operation 1":
            (bench.root / "d/mine").write_bytes(b"mine")

    bench.with_checkpoint(save)
    landing = await bench.land(changes)

    assert landing.notes == ("d: the folder stays, something new is in it",)
    assert bench.tree() == whole({"d/mine": file(b"mine")})
    await bench.lander.undo(landing.landing_id)
    assert bench.tree() == whole({"d/mine": file(b"mine"), "d/f": file(b"x"), "g": file(b"g")})


async def test_a_mode_is_not_set_on_a_file_that_was_replaced_meanwhile(bench: Bench) -> None:
    changes = bench.step({"f": file(b"x"), "g": file(b"g")}, {"f": file(b"x", 0o755)})

    def save(step: str) -> None:
        if step == "operation 0":
            (bench.root / "new").write_bytes(b"mine")
            (bench.root / "new").replace(bench.root / "f")

    bench.with_checkpoint(save)
    landing = await bench.land(changes)

    assert [conflict.path for conflict in landing.conflicts] == ["f"]
    assert bench.tree() == {"f": file(b"mine"), "g": file(b"g")}


async def test_a_file_too_large_to_merge_is_a_conflict(bench: Bench) -> None:
    large = b"line\n" * 2_000_000
    changes = bench.step({"f": file(large)}, {"f": file(large + b"step\n")})

    landing = await refused(bench, changes, f=file(b"mine\n" + large))

    assert landing.conflicts[0].why.endswith("it is too large to merge")


async def test_user_and_group_permissions_of_an_existing_folder_stay(bench: Bench) -> None:
    changes = bench.step({"d/f": file(b"x")}, {"d/f": file(b"y"), "d/g": file(b"g")})
    (bench.root / "d").chmod(0o2770)

    await bench.land(changes)

    assert stat.S_IMODE((bench.root / "d").stat().st_mode) == 0o2770


async def test_a_folders_new_mode_keeps_only_the_special_bits_it_had(bench: Bench) -> None:
    write_tree(bench.root, {"d/f": file(b"x")})
    (bench.root / "d").chmod(0o2750)
    change = FileChange("d", Node("folder", 0o2750), Node("folder", 0o7755))

    landing = await bench.land(ChangeSet((change,)))

    assert bench.tree()["d"].mode == 0o2755
    await bench.lander.undo(landing.landing_id)
    assert bench.tree()["d"].mode == 0o2750
