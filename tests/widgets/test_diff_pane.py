"""The diff pane: what a step did, hunk by hunk, and the marks a person sets."""

from __future__ import annotations

from dataclasses import replace

from tests.widgets.pane_kit import lines_of, on_bench, shown
from turbo_widgets.diff_pane import (
    WHOLE_FILE,
    DiffFile,
    DiffHunk,
    DiffIgnored,
    DiffLine,
    DiffPane,
    DiffValue,
)
from turbo_widgets.key_bar import live_keys

FIRST = DiffHunk(
    "line 1",
    (
        DiffLine("same", "import os", 1, 1),
        DiffLine("removed", "x = [1]", 2),
        DiffLine("added", "x = \x1b[31m2", 0, 2),
    ),
)
SECOND = DiffHunk("line 40", (DiffLine("added", "end", 0, 41), DiffLine("note", "no newline")))
FILES = (
    DiffFile("src/api.py", "update", (FIRST, SECOND), added=2, removed=1),
    DiffFile("logo.png", "add", notes=("not shown as text: 3.1 kB",)),
    DiffFile("run.sh", "mode", notes=("mode 644 becomes 755",)),
    DiffFile("old.py", "delete", (replace(FIRST),), removed=2, by_hunk=False),
)
VALUE = DiffValue(
    "step s1",
    FILES,
    ignored=(DiffIgnored("node_modules/", 1204),),
    warnings=("Makefile: run by make",),
    notes=(".git: 3 internal files",),
)


async def test_files_counts_hunks_and_special_changes_are_all_said() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)):
        pane.show(VALUE)

        text = shown(pane)

    assert "⚠ Makefile: run by make" in text
    assert "[x] src/api.py  update  +2 -1" in text
    assert "[x] hunk 1/2  line 1" in text
    assert "2 - x = [1]" in text.replace("   ", " ")
    assert "x = ^[[31m2" in text
    assert "[ ] node_modules/  1,204 files · ignored by git, stays out" in text
    assert "not shown as text: 3.1 kB" in text
    assert "mode 644 becomes 755" in text
    assert ".git: 3 internal files" in text


async def test_space_asks_to_leave_the_hunk_under_the_cursor_out() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)) as bench:
        pane.show(VALUE)
        await bench.press("space", "n", "space")

        wanted = bench.sent(DiffPane.HunkWanted)

    assert [(each.path, each.hunk, each.accepted) for each in wanted] == [
        ("src/api.py", 0, False),
        ("src/api.py", 1, False),
    ]


async def test_a_file_without_choice_of_hunks_is_decided_whole() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)) as bench:
        pane.show(VALUE)
        await bench.press("n", "n", "space", "b", "x")

        wanted = bench.sent(DiffPane.HunkWanted)

    assert wanted[0].path == "old.py"
    assert wanted[0].hunk == WHOLE_FILE
    assert wanted[1].hunk == WHOLE_FILE


async def test_the_key_says_where_it_leaves_out_the_whole_file() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)) as bench:
        pane.show(VALUE)
        pane.focus()
        words: list[str] = []
        for keys in (("home",), ("n",), ("f",), ("p",)):
            await bench.press(*keys)
            words += [word for key, word in live_keys(pane.screen) if key == "space"]

        pane.show(replace(VALUE, files=(replace(FILES[0], by_hunk=False, edited=True),)))
        await bench.press("n")
        words += [word for key, word in live_keys(pane.screen) if key == "space"]
        pane.show(VALUE)
        await bench.press("home", *["down"] * len(FILES))
        words += [word for key, word in live_keys(pane.screen) if key == "space"]

    assert words == ["File in/out", "In/out", "File in/out", "In/out", "File in/out", "In/out"]


async def test_the_folded_folder_asks_to_be_switched_on() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)) as bench:
        pane.show(VALUE)
        await bench.press("home", *["down"] * len(FILES), "space")

        wanted = bench.sent(DiffPane.IgnoredWanted)

    assert [(each.folder, each.accepted) for each in wanted] == [("node_modules/", True)]


async def test_what_is_left_out_says_so_in_words() -> None:
    pane = DiffPane()
    out = replace(FILES[0], hunks=(FIRST, replace(SECOND, accepted=False)))
    async with on_bench(pane, (70, 40)):
        pane.show(replace(VALUE, files=(out, replace(FILES[1], accepted=False))))

        text = shown(pane)

    assert "[~] src/api.py  update  +2 -1  partly" in text
    assert "[ ] left out  hunk 2/2" in text
    assert "[ ] logo.png  add  left out" in text


async def test_marks_change_without_moving_the_cursor() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 40)) as bench:
        pane.show(VALUE)
        await bench.press("n")
        out = replace(FILES[0], hunks=(FIRST, replace(SECOND, accepted=False)))
        pane.show(replace(VALUE, files=(out, *FILES[1:])))

        assert pane.current == ("src/api.py", 1)


async def test_keys_go_from_hunk_to_hunk_and_file_to_file() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 12)) as bench:
        pane.show(VALUE)
        await bench.press("n", "n")
        assert pane.current == ("old.py", 0)
        await bench.press("p")
        assert pane.current == ("src/api.py", 1)
        await bench.press("f", "f")
        assert pane.current == ("run.sh", WHOLE_FILE)
        await bench.press("home", "down", "enter")
        assert pane.current == ("logo.png", WHOLE_FILE)
        assert "logo.png" in shown(pane)


async def test_the_title_says_where_the_cursor_is() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("n")

        assert pane.border_title == "Changes · step s1 · file 1/4 · hunk 2/2"


async def test_nothing_can_be_chosen_any_more_after_landing() -> None:
    pane = DiffPane()
    async with on_bench(pane) as bench:
        pane.show(replace(VALUE, decidable=False))
        await bench.press("space", "x")

        assert not bench.sent(DiffPane.HunkWanted)
        assert "[x]" not in shown(pane).replace("[ ] node", "")


async def test_long_lines_wrap_and_keep_every_character() -> None:
    pane = DiffPane()
    long = DiffHunk("line 1", (DiffLine("added", "a" * 60 + " 漢字 " + "b" * 30 + "END", 0, 1),))
    async with on_bench(pane, (40, 12)) as bench:
        pane.show(DiffValue("s", (DiffFile("a", "update", (long,), added=1),)))
        rows = [line.strip().removeprefix("1 + ") for line in lines_of(pane)[2:6]]
        assert "".join(rows).replace(" ", "") == "a" * 60 + "漢字" + "b" * 30 + "END"
        await bench.press("down")

        assert pane.current == ("a", 0)


async def test_ten_thousand_lines_are_shown_by_one_widget() -> None:
    pane = DiffPane()
    lines = tuple(DiffLine("added", f"line {number}", 0, number) for number in range(10_000))
    value = DiffValue("s", (DiffFile("a", "update", (DiffHunk("line 1", lines),), added=10_000),))
    async with on_bench(pane) as bench:
        pane.show(value)
        await bench.pilot.pause()
        await bench.press("end")

        assert "line 9999" in shown(pane)
        assert len(list(pane.walk_children())) == 0


async def test_an_empty_change_set_says_why() -> None:
    pane = DiffPane()
    async with on_bench(pane):
        pane.show(DiffValue("step s1", message="Step s1 has not run yet."))

        assert lines_of(pane)[0] == "Step s1 has not run yet."
