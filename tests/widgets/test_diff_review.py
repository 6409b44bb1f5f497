"""Reviewing by keys: ranges of lines, comments, editing, searching, ways to look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from tests.widgets.diff_kit import API, CALL, LAST, LOGO, SAID, VALUE
from tests.widgets.pane_kit import Bench, lines_of, on_bench, shown
from turbo_widgets.diff_pane import (
    WHOLE_FILE,
    DiffFile,
    DiffHunk,
    DiffIgnored,
    DiffLine,
    DiffPane,
    DiffValue,
)
from turbo_widgets.hunk_editor import HunkEditor


def line_with(pane: DiffPane, text: str) -> str:
    return next(line for line in lines_of(pane) if text in line)


def decided(bench: Bench) -> list[tuple[str, int, bool]]:
    wanted = bench.sent(DiffPane.HunkWanted)
    return [(each.path, each.hunk, each.accepted) for each in wanted]


# --- ranges ----------------------------------------------------------------------


async def test_a_range_leaves_just_its_changed_lines_out() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("down", "V", "down", "down", "space")

        wanted = bench.sent(DiffPane.LinesWanted)
        assert not bench.sent(DiffPane.HunkWanted)

    assert [(each.path, each.hunk, each.lines, each.accepted) for each in wanted] == [
        ("src/api.py", 0, (1, 2), False)
    ]


async def test_a_range_is_seen_in_the_gutter_and_counted_in_the_title() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("down", "shift+down", "shift+down")

        assert line_with(pane, "import os").startswith("┃")
        assert line_with(pane, "timeout_s").startswith("┃")
        assert line_with(pane, "return None").startswith(" ")
        assert "2 changed lines chosen" in str(pane.border_title)

        await bench.press("escape")
        assert "┃" not in shown(pane)
        assert "chosen" not in str(pane.border_title)


async def test_a_range_over_two_hunks_asks_for_each() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("V", "n", "down", "down", "space")

        wanted = bench.sent(DiffPane.LinesWanted)

    assert [(each.hunk, each.lines) for each in wanted] == [(0, (1, 2, 3)), (1, (1,))]


async def test_lines_that_are_out_are_taken_in_again() -> None:
    lines = (*CALL.lines[:3], replace(CALL.lines[3], accepted=False), CALL.lines[4])
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(replace(VALUE, files=(replace(API, hunks=(replace(CALL, lines=lines), LAST)),)))
        assert "[~] partly  hunk 1/2" in shown(pane)
        assert line_with(pane, "return None").startswith("○")

        await bench.press("n", "p", *["down"] * 4, "V", "space")
        wanted = bench.sent(DiffPane.LinesWanted)

    assert [(each.lines, each.accepted) for each in wanted] == [((3,), True)]


async def test_space_takes_all_of_a_partly_chosen_hunk_in() -> None:
    lines = (*CALL.lines[:3], replace(CALL.lines[3], accepted=False), CALL.lines[4])
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(replace(VALUE, files=(replace(API, hunks=(replace(CALL, lines=lines), LAST)),)))
        await bench.press("space")

        assert [each.accepted for each in bench.sent(DiffPane.HunkWanted)] == [True]


async def test_keys_that_the_file_cannot_take_are_not_offered() -> None:
    pane = DiffPane()
    plain = replace(API, by_line=False, editable=False)
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(replace(VALUE, files=(plain,), commentable=False))
        await bench.press("down", "V", "e", "E", "c", "C")

        assert not bench.sent(DiffPane.EditWanted)
        assert "┃" not in shown(pane)
        assert not bench.pilot.app.query(Input)


# --- comments ----------------------------------------------------------------------


async def test_a_comment_is_about_the_line_under_the_cursor() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("down", "down", "c", *"why?", "enter")

        (said,) = bench.sent(DiffPane.CommentWanted)
        assert pane.has_focus

    assert (said.path, said.hunk, said.line, said.text) == ("src/api.py", 0, 1, "why?")
    assert (said.side, said.number) == ("old", 2)


async def test_comments_stand_under_their_line_and_can_be_changed_and_removed() -> None:
    pane = DiffPane()
    value = replace(
        VALUE, files=(replace(API, hunks=(replace(CALL, comments=(SAID,)), LAST)), LOGO)
    )
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(value)
        lines = lines_of(pane)
        at = next(at for at, line in enumerate(lines) if "return None" in line)
        assert lines[at + 1] == "  » you: why None?"
        assert "1 comment" in lines[0]

        await bench.press(*["down"] * 5, "c", "!", "enter", "C")
        said = bench.sent(DiffPane.CommentWanted)

    assert [(each.line, each.text) for each in said] == [(3, "why None?!"), (3, "")]


async def test_a_comment_left_half_written_is_still_there() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("down", "c", *"half")
        pane.focus()
        await bench.pilot.pause()
        assert not bench.pilot.app.query(Input)
        await bench.press("c", "!", "enter")

        assert [each.text for each in bench.sent(DiffPane.CommentWanted)] == ["half!"]


async def test_escape_says_nothing() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("down", "c", *"no", "escape")

        assert not bench.sent(DiffPane.CommentWanted)
        assert pane.has_focus


async def test_the_cursor_stays_on_its_line_when_a_comment_comes_above_it() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("n")
        commented = replace(CALL, comments=(SAID,))
        pane.show(replace(VALUE, files=(replace(API, hunks=(commented, LAST)), LOGO)))

        assert pane.current == ("src/api.py", 1)


# --- editing ------------------------------------------------------------------------


async def test_e_asks_for_the_hunk_and_shift_e_for_the_file() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("n", "e", "E")

        wanted = bench.sent(DiffPane.EditWanted)

    assert [(each.path, each.hunk) for each in wanted] == [
        ("src/api.py", 1),
        ("src/api.py", WHOLE_FILE),
    ]


async def test_an_editor_left_open_is_gone_on_with() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await pane.edit_in_place("src/api.py", 1, "x\n")
        await bench.press("z")
        pane.focus()
        await bench.pilot.pause()
        assert pane.has_focus
        await pane.edit_in_place("src/api.py", 0, "other\n")
        await bench.press("ctrl+s")

        assert [each.text for each in bench.sent(HunkEditor.Edited)] == ["zx\n"]


async def test_what_is_written_in_place_comes_back_as_it_is() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await pane.edit_in_place("src/api.py", 1, "x\r\n\ty = 1\r\n")
        await bench.press("z", "ctrl+s")

        (edited,) = bench.sent(HunkEditor.Edited)
        assert not bench.pilot.app.query(HunkEditor)
        assert pane.has_focus

    assert (edited.path, edited.hunk, edited.text) == ("src/api.py", 1, "zx\r\n\ty = 1\r\n")


async def test_the_line_under_the_cursor_stays_in_view_beside_the_editor() -> None:
    pane = DiffPane()
    lines = tuple(DiffLine("added", f"line {number}", 0, number) for number in range(1, 40))
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(DiffValue("s", (DiffFile("a.txt", "add", (DiffHunk("line 1", lines),)),)))
        await bench.press(*["down"] * 22)
        await pane.edit_in_place("a.txt", 0, "x\n")
        for _ in range(100):
            if pane.size.height < 20 and "line 22" in shown(pane):
                break
            await bench.pilot.pause(0.05)

        assert "line 22" in shown(pane)
        assert pane.size.height < 20
        title = bench.pilot.app.query_one(HunkEditor).border_title
        assert title == "Edit hunk 1 of a.txt · ^s keeps it · esc leaves it"


async def test_escape_leaves_the_hunk_as_it_was() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await pane.edit_in_place("src/api.py", 1, "x\n")
        await bench.press("z", "escape")
        title = str(bench.pilot.app.query_one(HunkEditor).border_title)
        assert title.endswith("esc again drops what you wrote · ^s keeps it")
        await bench.press("escape")

        assert not bench.sent(HunkEditor.Edited)
        assert len(bench.sent(HunkEditor.Cancelled)) == 1
        assert pane.has_focus


@pytest.mark.parametrize(
    "text", ["a\r\nb\n", "a\x1b[31m", "a\x0cb", "a\rb", "\u202eevil", "a\u2028b"]
)
def test_what_would_not_come_back_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="EDITOR"):
        HunkEditor("a.py", 0, text)


# --- searching ----------------------------------------------------------------------


async def test_a_search_goes_from_match_to_match_and_counts() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("slash", *"answer")
        assert "1 of 2" in str(pane.border_title)
        await bench.press("enter", "enter")
        assert "2 of 2" in str(pane.border_title)
        assert pane.has_focus
        await bench.press("enter")
        assert "1 of 2" in str(pane.border_title)
        await bench.press("N")
        assert "2 of 2" in str(pane.border_title)
        await bench.press("escape")
        assert "of 2" not in str(pane.border_title)


async def test_capitals_count_only_where_typed_and_patterns_are_text() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("slash", *"NONE")
        assert "not found" in str(pane.border_title)
        await bench.press("escape", "slash", *"none")
        assert "1 of 1" in str(pane.border_title)
        await bench.press("escape", "slash", *"get(", "enter")
        assert "1 of 2" in str(pane.border_title)


async def test_a_match_far_away_comes_into_view() -> None:
    pane = DiffPane()
    lines = tuple(DiffLine("added", f"line {number}", 0, number) for number in range(1, 5_000))
    async with on_bench(pane, (70, 20)) as bench:
        pane.show(DiffValue("s", (DiffFile("a.txt", "add", (DiffHunk("line 1", lines),)),)))
        await bench.press("slash", *"line 4321", "enter")

        assert "line 4321" in shown(pane)


# --- ways to look --------------------------------------------------------------------


async def test_both_versions_stand_side_by_side_where_there_is_room() -> None:
    pane = DiffPane()
    async with on_bench(pane, (110, 30)) as bench:
        pane.show(VALUE)
        await bench.press("l")
        line = line_with(pane, "timeout=3")

        assert line.index("timeout=3") < line.index("│") < line.index("timeout_s=3")
        left, right = line_with(pane, "return None").split("│")
        assert not left.strip()
        assert right.strip() == "3 +     return None"


async def test_without_room_it_stays_unified_and_says_so() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("l")

        assert "│" not in shown(pane)
        assert "unified: under 80 columns" in str(pane.border_title)


async def test_side_by_side_a_row_is_both_its_lines() -> None:
    pane = DiffPane()
    async with on_bench(pane, (110, 30)) as bench:
        pane.show(VALUE)
        await bench.press("l", "down", "down", "V", "space")

        assert [each.lines for each in bench.sent(DiffPane.LinesWanted)] == [(1, 2)]


async def test_files_stand_beside_the_diff_with_marks_and_counts() -> None:
    pane = DiffPane()
    value = replace(
        VALUE, files=(replace(API, hunks=(replace(CALL, comments=(SAID,)), LAST)), LOGO)
    )
    async with on_bench(pane, (110, 30)) as bench:
        pane.show(value)
        await bench.press("o")
        lines = lines_of(pane)

        assert lines[0].startswith("src/")
        assert lines[1].startswith("[x] api.py")
        assert "+3 -1 »1" in lines[1]
        assert lines[3].startswith("[x] logo.png")

        await bench.pilot.click(pane, offset=(5, 4))
        assert pane.current == ("docs/logo.png", WHOLE_FILE)
        assert not bench.sent(DiffPane.HunkWanted)

        await bench.pilot.click(pane, offset=(3, 4))
        assert decided(bench) == [("docs/logo.png", WHOLE_FILE, False)]


async def test_a_click_on_a_mark_is_space_there_and_beside_it_none() -> None:
    pane = DiffPane()
    value = replace(VALUE, ignored=(DiffIgnored("build/", 3),))
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(value)
        lines = lines_of(pane)

        async def click(words: str, column: int, nth: int = 0) -> None:
            rows = [at for at, line in enumerate(lines) if words in line]
            await bench.pilot.click(pane, offset=(column, rows[nth] + 1))

        await click("src/api.py", 5)  # on its name, in the list
        await click("hunk 2/2", 4)
        assert pane.current == ("src/api.py", 1)
        assert not bench.sent(DiffPane.HunkWanted)

        await click("hunk 2/2", 1)
        await click("src/api.py", 3)
        await click("src/api.py", 2, 1)
        await click("build/", 2)
        await bench.pilot.pause()

        assert decided(bench) == [
            ("src/api.py", 1, False),
            ("src/api.py", WHOLE_FILE, False),
            ("src/api.py", WHOLE_FILE, False),
        ]
        assert [wish.folder for wish in bench.sent(DiffPane.IgnoredWanted)] == ["build/"]


async def test_a_click_on_a_mark_means_it_and_not_the_lines_that_were_chosen() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        await bench.press("n", "down", "down", "V")
        row = next(at for at, line in enumerate(lines_of(pane)) if "hunk 2/2" in line)
        await bench.pilot.click(pane, offset=(2, row + 1))
        await bench.pilot.pause()

        assert decided(bench) == [("src/api.py", 1, False)]
        assert not bench.sent(DiffPane.LinesWanted)


async def test_a_click_decides_nothing_where_nothing_is_to_be_decided() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(replace(VALUE, decidable=False))
        row = next(at for at, line in enumerate(lines_of(pane)) if "hunk 2/2" in line)
        await bench.pilot.click(pane, offset=(2, row + 1))
        await bench.pilot.pause()

        assert pane.current == ("src/api.py", 1)
        assert not bench.sent(DiffPane.HunkWanted)


async def test_without_room_the_key_goes_to_the_list_and_back() -> None:
    pane = DiffPane()
    async with on_bench(pane, (60, 20)) as bench:
        pane.show(VALUE)
        await bench.press("n", "o")
        assert pane.scroll_offset.y == 0
        assert pane.current == ("src/api.py", WHOLE_FILE)
        await bench.press("o")
        assert pane.current == ("src/api.py", 1)


async def test_long_lines_can_be_scrolled_instead_of_wrapped() -> None:
    pane = DiffPane()
    long = DiffHunk("line 1", (DiffLine("added", "start" + "漢" * 60 + "END", 0, 1),))
    async with on_bench(pane, (40, 12)) as bench:
        pane.show(DiffValue("s", (DiffFile("a.txt", "update", (long,), added=1),)))
        rows = len(pane.rows)
        await bench.press("w")
        assert len(pane.rows) < rows
        assert "END" not in shown(pane)
        await bench.press(*["right"] * 20)

        assert line_with(pane, "END").startswith("   1 + ")


async def test_blanks_are_shown_and_lines_that_differ_in_them_alone_are_dim() -> None:
    pane = DiffPane()
    lines = (
        DiffLine("removed", "\tx = 1  ", 1),
        DiffLine("added", "    x = 1", 0, 1),
    )
    async with on_bench(pane, (60, 12)) as bench:
        pane.show(DiffValue("s", (DiffFile("a.txt", "update", (DiffHunk("line 1", lines),)),)))
        coloured = pane.render_line(3)
        await bench.press("W")

        assert line_with(pane, "- ").endswith("→   x = 1··")
        dim = pane.render_line(3)
        assert {each.style for each in coloured} != {each.style for each in dim}


async def test_colours_come_after_the_text_and_change_none_of_it() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        before = lines_of(pane)
        place = next(at for at, line in enumerate(before) if "return None" in line)
        plain = len({segment.style for segment in pane.render_line(place)})
        for _ in range(200):
            if len({segment.style for segment in pane.render_line(place)}) > plain:
                break
            await bench.pilot.pause(0.05)

        assert len({segment.style for segment in pane.render_line(place)}) > plain
        assert lines_of(pane) == before
