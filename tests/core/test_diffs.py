"""Hunks: what they hold, what a subset of them makes, what is shown and what is chosen."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.core import diffs
from turbo_tui.core.diffs import Hunk, Line
from turbo_tui.core.matching import Region, changed_regions

texts = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"\xff\x0c\r\n", b"d\n", b"e\n"]), max_size=40
).flatmap(lambda lines: st.sampled_from([b"", b"end"]).map(lambda end: b"".join(lines) + end))


def numbered(count: int) -> list[bytes]:
    return [b"line %d\n" % number for number in range(count)]


def unified(hunk: Hunk) -> str:
    return b"".join(kind.encode() + content for kind, content in hunk.lines).decode()


# --- diff and apply ----------------------------------------------------------


def test_equal_contents_have_no_hunks() -> None:
    assert diffs.diff(b"a\nb", b"a\nb").hunks == ()
    assert diffs.diff(b"", b"").hunks == ()


def test_a_hunk_has_three_lines_of_context_and_counts_from_zero() -> None:
    old = numbered(20)
    new = [*old[:10], b"changed\n", *old[11:]]

    (hunk,) = diffs.diff(b"".join(old), b"".join(new)).hunks

    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (7, 7, 7, 7)
    assert unified(hunk) == (
        " line 7\n line 8\n line 9\n-line 10\n+changed\n line 11\n line 12\n line 13\n"
    )


@pytest.mark.parametrize(("gap", "hunks"), [(5, 1), (6, 2)])
def test_changes_closer_than_six_lines_share_a_hunk(gap: int, hunks: int) -> None:
    old = numbered(30)
    new = list(old)
    new[10] = b"x\n"
    new[10 + gap + 1] = b"y\n"

    assert len(diffs.diff(b"".join(old), b"".join(new)).hunks) == hunks


def test_an_added_file_is_one_hunk_of_added_lines() -> None:
    (hunk,) = diffs.diff(b"", b"a\nb\n").hunks

    assert hunk == Hunk(0, 0, 0, 2, (Line("+", b"a\n"), Line("+", b"b\n")))


def test_a_missing_newline_at_the_end_is_a_change_of_that_line() -> None:
    (hunk,) = diffs.diff(b"a\nb", b"a\nb\n").hunks

    assert hunk.lines == (Line(" ", b"a\n"), Line("-", b"b"), Line("+", b"b\n"))


def test_a_carriage_return_alone_does_not_end_a_line() -> None:
    (hunk,) = diffs.diff(b"a\rb\r\nc\r\n", b"a\rb\r\nC\r\n").hunks

    assert hunk.lines == (Line(" ", b"a\rb\r\n"), Line("-", b"c\r\n"), Line("+", b"C\r\n"))


def test_a_new_function_is_added_whole_beside_an_equal_looking_one() -> None:
    one = b"def one():\n    return 1\n\n\n"
    two = b"def two():\n    return 1\n\n\n"
    three = b"def three():\n    return 1\n"

    (hunk,) = diffs.diff(one + three, one + two + three).hunks

    assert [line.content for line in hunk.lines if line.kind == "+"] == two.splitlines(True)
    assert diffs.counts(diffs.diff(one + three, one + two + three)) == (4, 0)


def test_a_repetitive_text_without_unique_lines_is_still_matched() -> None:
    old = [b"{\n", b"}\n", b"\n"] * 50
    new = [*old[:70], b"{\n", b"{\n", *old[70:100], *old[104:]]

    added, removed = diffs.counts(diffs.diff(b"".join(old), b"".join(new)))

    assert (added, removed) == (1, 3)  # two of the lines cut off are found again as added


@given(texts, texts, st.sets(st.integers(0, 12)))
def test_exactly_the_accepted_hunks_are_applied(old: bytes, new: bytes, chosen: set[int]) -> None:
    hunks = diffs.diff(old, new).hunks
    accepted = {index for index in chosen if index < len(hunks)}

    assert diffs.apply(old, hunks, range(len(hunks))) == new
    assert diffs.apply(old, hunks, ()) == old
    part = diffs.apply(old, hunks, accepted)
    assert part == by_hand(old, hunks, accepted)
    left = diffs.diff(part, new).hunks
    assert diffs.apply(part, left, range(len(left))) == new


def by_hand(old: bytes, hunks: Sequence[Hunk], accepted: set[int]) -> bytes:
    lines = old.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    for index in sorted(accepted, reverse=True):
        hunk = hunks[index]
        lines[hunk.old_start : hunk.old_start + hunk.old_count] = [
            line.content for line in hunk.lines if line.kind != "-"
        ]
    return b"".join(lines)


@given(texts, texts)
def test_hunks_are_in_order_apart_and_true_to_both_sides(old: bytes, new: bytes) -> None:
    old_end = new_end = 0
    for hunk in diffs.diff(old, new).hunks:
        assert hunk.old_start >= old_end
        assert hunk.old_start - old_end == hunk.new_start - new_end
        kinds = [line.kind for line in hunk.lines]
        assert hunk.old_count == kinds.count(" ") + kinds.count("-")
        assert hunk.new_count == kinds.count(" ") + kinds.count("+")
        assert {"-", "+"} & set(kinds)
        old_end, new_end = hunk.old_start + hunk.old_count, hunk.new_start + hunk.new_count


def test_hunks_of_another_text_are_refused() -> None:
    hunks = diffs.diff(b"a\nb\n", b"a\nc\n").hunks

    with pytest.raises(ValueError, match="hunk 0 does not fit: line 1"):
        diffs.apply(b"a\nx\n", hunks, [0])


def test_binary_is_decided_as_git_does() -> None:
    assert diffs.is_binary(b"PK\0")
    assert not diffs.is_binary(b"x" * 8000 + b"\0")
    assert not diffs.is_binary("grüße\r\n".encode("latin-1"))


# --- large texts (how long they take is measured by bench/core.py) -------------


def test_scattered_edits_in_ten_thousand_lines_are_found_one_by_one() -> None:
    chance = random.Random(1)  # noqa: S311  # a seed, not a secret
    old = [b"    return value_%d\n" % chance.randrange(4000) for _ in range(10_000)]
    new = list(old)
    for at in range(15, 10_000, 33):
        new[at] = b"new %d\n" % chance.randrange(50)
    before, after = b"".join(old), b"".join(new)

    hunks = diffs.diff(before, after).hunks

    assert [hunk.old_start + 3 for hunk in hunks] == list(range(15, 10_000, 33))
    assert diffs.apply(before, hunks, range(len(hunks))) == after


@pytest.mark.parametrize(
    ("alphabet_old", "alphabet_new"),
    [(range(20_000), range(20_000, 40_000)), (range(3), range(3)), (range(40), range(20, 60))],
    ids=["nothing shared", "three different lines", "half shared, none unique"],
)
def test_two_different_texts_of_twenty_thousand_lines_make_each_other(
    alphabet_old: range, alphabet_new: range
) -> None:
    chance = random.Random(2)  # noqa: S311
    old = b"".join(b"%d\n" % chance.choice(alphabet_old) for _ in range(20_000))
    new = b"".join(b"%d\n" % chance.choice(alphabet_new) for _ in range(20_000))

    hunks = diffs.diff(old, new).hunks

    assert diffs.apply(old, hunks, range(len(hunks))) == new
    assert diffs.apply(old, hunks, []) == old


def test_a_search_past_its_bound_goes_on_from_the_furthest_point() -> None:
    # 300 edits among lines of which none is unique: more than one greedy run may make.
    old = [b"%d\n" % (number % 50) for number in range(3000)]
    new = [line for number, line in enumerate(old) if number % 10]

    regions = changed_regions(old, new)

    assert sum(region.old_end - region.old_start for region in regions) < 400
    assert regions == changed_regions(old, new)


def test_regions_are_never_adjacent() -> None:
    assert changed_regions([b"a", b"b", b"c"], [b"x", b"b", b"y"]) == [
        Region(0, 1, 0, 1),
        Region(2, 3, 2, 3),
    ]


# --- for the eye -------------------------------------------------------------


def test_display_lines_are_numbered_from_one_and_blank_where_they_are_not() -> None:
    (hunk,) = diffs.diff(b"a\nb\nc\n", b"a\nB\nc").hunks

    shown = diffs.display_lines(hunk)

    assert [(line.kind, line.old_number, line.new_number, line.text) for line in shown] == [
        (" ", 1, 1, "a"),
        ("-", 2, None, "b"),
        ("-", 3, None, "c"),
        ("+", None, 2, "B"),
        ("+", None, 3, "c"),
    ]
    assert [line.unterminated for line in shown] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain [/red]", "plain [/red]"),
        (b"\ttab", "    tab"),
        (b"crlf\r", "crlf\u240d"),
        (b"\x1b]52;c;x\x07", "\u241b]52;c;x\u2407"),
        (b"\x7f", "\u2421"),
        ("\u202eevil\u2066".encode(), "<U+202E>evil<U+2066>"),
        ("\x9b31m".encode(), "<U+009B>31m"),
        ("a\u00a0b".encode(), "a b"),
        ("zero\u200bwidth\u2028".encode(), "zero<U+200B>width<U+2028>"),
        ("caf\u00e9".encode(), "caf\u00e9"),
        ("caf\u00e9".encode("latin-1"), "caf\u00e9"),
    ],
)
def test_nothing_shown_can_control_a_terminal(raw: bytes, text: str) -> None:
    assert diffs.visible(raw) == text


@given(st.binary(max_size=40))
def test_whatever_the_bytes_what_is_shown_is_printable(raw: bytes) -> None:
    assert diffs.visible(raw).isprintable()
