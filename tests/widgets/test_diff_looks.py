"""How a diff looks: hostile text, wide characters, conflicts, selection, every size."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from textual.geometry import Offset
from textual.selection import Selection

from tests.widgets.diff_kit import API, CALL, LAST, LOGO, SAID, VALUE
from tests.widgets.pane_kit import lines_of, on_bench, shown
from turbo_widgets.diff_column import column_rows
from turbo_widgets.diff_pane import (
    DiffFile,
    DiffHunk,
    DiffIgnored,
    DiffLine,
    DiffPane,
    DiffValue,
    conflict_lines,
)

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "[bold]not bold[/bold] [@click=app.quit]no[/]",
    "\u202egnp.exe \u200bzero",
    "wide 漢字漢字 and 👩\u200d👩\u200d👧 e\u0301 🇨🇭",
    "\ttab\tand\x00nul\udcff",
    "x" * 700,
)
BAD = DiffFile(
    "src/[red]evil\x1b.py",
    "update",
    (
        DiffHunk(
            "line \x1b[0m1",
            tuple(
                line
                for number, text in enumerate(HOSTILE, 1)
                for line in (
                    DiffLine("removed", text, number),
                    DiffLine("added", text + "!", 0, number),
                )
            ),
            comments=(replace(SAID, line=1, text="\x1b[2J漢字 " * 20, author="\x07me"),),
        ),
    ),
    notes=("conflict: \x1b[31m",),
    by_line=True,
)
CONFLICT = DiffFile(
    "a.txt", "update", (DiffHunk("line 3", conflict_lines(("a = 1",), ("a = 0",), ("a = 2",))),)
)
ALL = replace(VALUE, files=(BAD, API, LOGO, CONFLICT), ignored=(DiffIgnored("dist/", 3),))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("keys", [(), ("l",), ("o", "l"), ("w",), ("l", "w", "right"), ("W", "o")])
async def test_every_line_fits_and_nothing_controls_the_terminal(
    size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    pane = DiffPane()
    async with on_bench(pane, size) as bench:
        pane.show(ALL)
        await bench.press(*keys)
        height = pane.scrollable_content_region.height
        width = pane.scrollable_content_region.width
        seen: list[str] = []
        for top in range(0, len(pane.rows), height):
            pane.scroll_to(y=top, animate=False, force=True)
            for y in range(height):
                strip = pane.render_line(y)
                assert sum(cell_len(segment.text) for segment in strip) == width
                seen.append(strip.text)

    text = "".join(seen)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\u200b\udcff]", text)


async def test_signs_and_marks_say_all_without_colour() -> None:
    pane = DiffPane()
    out = replace(API, hunks=(replace(CALL, accepted=False), replace(LAST, edited=True)))
    async with on_bench(pane, (70, 40)):
        pane.show(replace(VALUE, files=(out, CONFLICT)))
        text = shown(pane)

    assert "[ ] left out  hunk 1/2" in text
    assert "○ 2    - answer = get(path, timeout=3)" in text
    assert "○    3 +     return None" in text
    assert "[x] hunk 2/2  line 40  edited" in text
    assert "! <<<<<<< yours" in text
    assert "< a = 1" in text
    assert "| a = 0" in text
    assert "> a = 2" in text


async def test_a_selection_copies_code_without_numbers_and_signs() -> None:
    pane = DiffPane()
    lines = (DiffLine("same", "one two", 1, 1), DiffLine("added", "x" * 100 + "  ", 0, 2))
    async with on_bench(pane, (60, 20)):
        pane.show(DiffValue("s", (DiffFile("a.txt", "update", (DiffHunk("line 1", lines),)),)))
        last = len(pane.rows) - 2

        copied = pane.get_selection(Selection(Offset(0, 2), Offset(59, last)))
        part = pane.get_selection(Selection(Offset(11, 2), Offset(14, 2)))

    assert copied == ("one two\n" + "x" * 100 + "  ", "\n")
    assert part is not None
    assert part[0] == "two"


async def test_side_by_side_a_selection_keeps_to_the_side_it_began_on() -> None:
    pane = DiffPane()
    async with on_bench(pane, (110, 30)) as bench:
        pane.show(VALUE)
        await bench.press("l")
        rows = [line.partition("│") for line in lines_of(pane)]
        top = next(at for at, row in enumerate(rows) if "import os" in row[0])
        right = len(rows[top][0]) + 6

        new = pane.get_selection(Selection(Offset(right, top), Offset(200, top + 2)))
        old = pane.get_selection(Selection(Offset(0, top), Offset(200, top + 1)))

    assert new is not None
    assert old is not None
    assert new[0] == "import os\nanswer = get(path, timeout_s=3)\n    return None"
    assert old[0] == "import os\nanswer = get(path, timeout=3)"


async def test_changed_words_stand_out_and_unlike_lines_do_not() -> None:
    pane = DiffPane()
    lines = (
        DiffLine("removed", "total = price * count", 1),
        DiffLine("added", "total = price * amount", 0, 1),
        DiffLine("same", "", 2, 2),
        DiffLine("removed", "zzz", 3),
        DiffLine("added", "for each in nothing", 0, 3),
    )
    async with on_bench(pane, (60, 20)):
        pane.show(DiffValue("s", (DiffFile("a.txt", "update", (DiffHunk("line 1", lines),)),)))
        marked = pane.get_component_rich_style("rows--added-word", partial=True).bgcolor
        found = [
            segment.text
            for y in range(8)
            for segment in pane.render_line(y)
            if segment.style is not None and segment.style.bgcolor == marked
        ]

    assert found == ["amount"]


async def test_a_mouse_click_puts_the_cursor_on_a_line() -> None:
    pane = DiffPane()
    async with on_bench(pane, (70, 30)) as bench:
        pane.show(VALUE)
        at = next(at for at, line in enumerate(lines_of(pane)) if "y = 1" in line)
        await bench.pilot.click(pane, offset=(20, at + 1))
        await bench.press("c", "!", "enter")

        assert [(each.hunk, each.line) for each in bench.sent(DiffPane.CommentWanted)] == [(1, 1)]


@pytest.mark.parametrize(
    ("name", "tail"), [("mod02.py", "+2 -1 edited"), ("a_module_of_some_length.py", " edited")]
)
def test_the_column_of_files_says_edited_in_full(name: str, tail: str) -> None:
    file = replace(API, path=name, edited=True, added=2, removed=1)

    row = column_rows(DiffValue("s1", (file,)), 30)[-1]

    assert "".join(text for text, _ in row.end) == tail
    assert sum(len(text) for text, _ in (*row.spans, *row.end)) <= 30
