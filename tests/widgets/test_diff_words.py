"""The parts of a diff that are pure: pairs, words, cuts, layout, search, colours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.widgets.diff_kit import API, CALL, VALUE
from turbo_widgets.diff_build import lay_out
from turbo_widgets.diff_layout import CodeRow
from turbo_widgets.diff_pairs import changed_words, only_blanks_differ, pair_lines
from turbo_widgets.diff_rows import Columns, View
from turbo_widgets.diff_search import Search
from turbo_widgets.diff_syntax import Syntax
from turbo_widgets.diff_text import pieces, shown_line, window
from turbo_widgets.diff_values import (
    DiffComment,
    DiffFile,
    DiffHunk,
    DiffLine,
    DiffValue,
    LineKind,
    conflict_lines,
)
from turbo_widgets.lexing import lexer_for
from turbo_widgets.row_items import NO_ITEM
from turbo_widgets.text import clean_line

KINDS: list[LineKind] = ["same", "added", "removed", "note", "marker", "ours", "theirs"]
LINES = st.lists(
    st.builds(DiffLine, st.sampled_from(KINDS), st.text(max_size=60)), min_size=1, max_size=20
)


def marked(text: str, ranges: list[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in ranges]


def test_only_the_words_that_differ_are_marked() -> None:
    old, new = "total = price * count", "total = price(x) * amount"
    olds, news = changed_words(old, new)

    assert marked(old, olds) == ["count"]
    assert marked(new, news) == ["(x)", "amount"]


def test_lines_with_little_in_common_are_not_painted() -> None:
    assert changed_words("zzz", "for each in nothing") == ([], [])
    assert changed_words("same", "same") == ([], [])
    assert changed_words("", "x") == ([], [])


def test_a_very_long_change_is_marked_as_one() -> None:
    old = "start " + "a b " * 300 + "x" * 2_000
    new = "start " + "c d " * 300 + "x" * 2_000
    olds, _ = changed_words(old, new)

    assert len(olds) == 1


@given(st.text(max_size=50), st.text(max_size=50))
def test_unmarked_words_are_the_same_on_both_sides(old: str, new: str) -> None:
    olds, news = changed_words(old, new)

    def rest(text: str, ranges: list[tuple[int, int]]) -> str:
        kept = list(text)
        for start, end in ranges:
            kept[start:end] = [""] * (end - start)
        return "".join("".join(kept).split())

    if olds or news:
        assert rest(old, olds) == rest(new, news)


def test_a_line_finds_its_like_in_a_block_of_another_size() -> None:
    lines = (
        DiffLine("removed", "alpha = compute(one)"),
        DiffLine("added", "import something"),
        DiffLine("added", "alpha = compute(two)"),
    )
    partners, rows = pair_lines(lines)

    assert partners == {0: 2, 2: 0}
    assert rows == [(-1, 1), (0, 2)]


@given(LINES)
def test_side_by_side_shows_every_line_once(lines: list[DiffLine]) -> None:
    _, rows = pair_lines(lines)
    once = [line for pair in rows for line in set(pair) if line >= 0]

    assert sorted(once) == list(range(len(lines)))


def test_lines_that_differ_in_blanks_alone_are_known() -> None:
    assert only_blanks_differ("a  =\t1", " a = 1 ")
    assert not only_blanks_differ("a = 1", "a = 2")


@given(st.text(max_size=80), st.integers(2, 20))
def test_a_cut_line_keeps_every_character_and_fits(text: str, width: int) -> None:
    shown = clean_line(text)
    cuts = pieces(shown, width)

    assert "".join(shown[start:end] for start, end in cuts) == shown
    assert all(cell_len(shown[start:end]) <= width for start, end in cuts)


@given(st.text(max_size=40), st.integers(0, 30), st.integers(2, 20))
def test_a_scrolled_line_fits(text: str, left: int, width: int) -> None:
    shown = clean_line(text)
    start, end, pad = window(shown, left, width)

    assert pad + cell_len(shown[start:end]) <= width


@given(st.text("ab \t漢", max_size=20))
def test_shown_blanks_are_as_wide_as_hidden_ones(text: str) -> None:
    assert cell_len(shown_line(text, blanks=True)) == cell_len(shown_line(text))


@given(
    parts=st.lists(LINES, min_size=1, max_size=3),
    side=st.booleans(),
    wrap=st.booleans(),
    commented=st.lists(st.integers(0, 20), max_size=3),
)
def test_rows_and_items_of_a_layout_agree(
    parts: list[list[DiffLine]], *, side: bool, wrap: bool, commented: list[int]
) -> None:
    comments = tuple(DiffComment(line, "word " * 30) for line in commented)
    hunks = tuple(DiffHunk("line 1", tuple(lines), comments=comments) for lines in parts)
    value = DiffValue("s", (DiffFile("a", "update", hunks), DiffFile("b", "mode", notes=("x",))))
    layout = lay_out(Columns(value, View(80, side, wrap)))

    seen: list[int] = []
    for row in range(layout.row_count):
        item = layout.item_at(row)
        if item != NO_ITEM:
            first, last = layout.rows_of(item)
            assert first <= row <= last
            assert layout.place(item) is not None
            seen.append(item)
    assert sorted(set(seen)) == list(range(layout.item_count))
    assert seen == sorted(seen)
    for number, hunk in enumerate(hunks):
        for line in range(len(hunk.lines)):
            place = layout.place(layout.item_of_line(0, number, line))
            assert place is not None
            assert line in {place.line, place.right}


def test_a_large_diff_is_laid_out_without_its_lines() -> None:
    lines = tuple(DiffLine("added", "x", 0, number) for number in range(100_000))
    value = DiffValue("s", (DiffFile("a", "add", (DiffHunk("line 1", lines),)),))
    layout = lay_out(Columns(value, View(80, wrap=False)))

    assert len(layout.blocks) == 4
    row = layout.row(99_000)
    assert isinstance(row, CodeRow)
    assert row.block.pairs[row.at] == (98_998, 98_998)


def test_a_search_goes_round() -> None:
    search = Search(VALUE, "answer")

    assert search.begin(0, 0, 2) == (0, 0, 2, 0)
    assert search.words == "2 of 2"
    assert search.step(1) == (0, 0, 1, 0)
    assert search.step(-1) == (0, 0, 2, 0)
    assert Search(VALUE, "nowhere").step(1) is None


def test_marks_of_a_file_follow_its_lines() -> None:
    out = tuple(DiffLine(each.kind, each.text, accepted=False) for each in CALL.lines)
    none = DiffHunk("line 1", out)

    assert none.mark == "none"
    assert DiffFile("a", "update", (none, CALL)).mark == "some"
    assert DiffFile("a", "update", (CALL,), accepted=False, by_hunk=False, by_line=True).mark == (
        "none"
    )
    assert API.mark == "all"


def test_versions_of_a_conflict_stand_under_their_names() -> None:
    lines = conflict_lines(("a",), None, ("b",), start=7)

    assert [(each.kind, each.old, each.new) for each in lines] == [
        ("marker", 0, 0),
        ("ours", 7, 0),
        ("marker", 0, 0),
        ("theirs", 0, 7),
        ("marker", 0, 0),
    ]


async def test_each_side_is_coloured_as_its_own_text() -> None:
    changes: list[None] = []
    syntax = Syntax(lambda: changes.append(None))
    hunk = DiffHunk(
        "line 1",
        (
            DiffLine("removed", 'x = """open', 1),
            DiffLine("added", "def f():", 0, 1),
            DiffLine("same", "    return 1", 2, 2),
        ),
    )

    assert syntax.marks("a.py", 0, hunk, 1) == []
    assert syntax.marks("a.py", 0, hunk, 0) == []
    assert syntax.marks("a.bin", 0, hunk, 0) == []
    await syntax.work()

    assert (0, 3, "code-keyword") in syntax.marks("a.py", 0, hunk, 1)
    assert (4, 5, "code-name") in syntax.marks("a.py", 0, hunk, 1)
    assert (4, 10, "code-keyword") in syntax.marks("a.py", 0, hunk, 2)
    assert any(tone == "code-string" for _, _, tone in syntax.marks("a.py", 0, hunk, 0))
    assert syntax.marks("a.bin", 0, hunk, 0) == []
    assert changes
    syntax.forget("a.py", 0)
    assert syntax.marks("a.py", 0, hunk, 1) == []


def test_a_file_is_known_by_its_name_alone() -> None:
    assert lexer_for("a/notes.txt") is None
    assert lexer_for("a/unknown.zzz") is None
    assert lexer_for("a/b.rs") is not None
