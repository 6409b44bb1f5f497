"""Where a diff meets the user's own edit: how it looks, where the keys lead, what is asked for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.widgets.diff_kit import API, LOGO
from tests.widgets.pane_kit import lines_of, on_bench
from turbo_widgets.diff_pairs import pair_lines
from turbo_widgets.diff_pane import (
    DiffClash,
    DiffFile,
    DiffHunk,
    DiffLine,
    DiffPane,
    DiffValue,
    conflict_lines,
)

MEET = conflict_lines(("mine", "mine too"), ("was",), ("theirs",), start=3)
FIRST = DiffHunk("line 3", MEET, clash=DiffClash(0))
CLEAN = DiffHunk("line 8", (DiffLine("added", "merged", 0, 8),))
SECOND = DiffHunk("line 20", conflict_lines((), None, ("new",), start=20), clash=DiffClash(1))
TEXT = DiffFile(
    "src/a.py", "update", (FIRST, CLEAN, SECOND), ("conflict: both",), by_hunk=False, editable=True
)
WHOLE = DiffFile(
    "logo.png", "update", (), ("conflict: binary",), by_hunk=False, clash=DiffClash(-1)
)
VALUE = DiffValue("step s1", (API, TEXT, WHOLE, LOGO), subject="s1:abc")


def settled(file: DiffFile, place: int, words: str) -> DiffFile:
    """Return a file of which a clash is settled."""
    hunks = tuple(
        replace(hunk, clash=DiffClash(place, words))
        if hunk.clash is not None and hunk.clash.place == place
        else hunk
        for hunk in file.hunks
    )
    return replace(file, hunks=hunks)


async def test_the_first_conflict_is_gone_to_and_files_count_theirs() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press()
        shown = "\n".join(lines_of(pane))

        assert pane.current == ("src/a.py", 0)
        assert "[!] src/a.py  update  +0 -0  2 conflicts" in shown
        assert "[!] conflict 1/2  line 3  < yours" in shown
        assert "[!] logo.png  update  1 conflict" in shown
        assert "conflict 1/2" in str(pane.border_title)


async def test_a_narrow_pane_cuts_no_key_of_a_conflict_and_no_word_about_a_file() -> None:
    pane = DiffPane()
    hunks = (replace(API.hunks[0], accepted=False), *API.hunks[1:])
    long = replace(API, path="src/a_rather_long_name.py", hunks=hunks, edited=True)
    async with on_bench(pane, (44, 40)) as bench:
        pane.show(replace(VALUE, files=(long, TEXT)))
        await bench.press("end", "home")
        shown = "\n".join(lines_of(pane))

    assert re.search(r"\.py  update  partly  edited *$", shown, re.MULTILINE)
    assert "[!] conflict 1/2  line 3  < > + e" in shown


async def test_hunk_keys_go_from_conflict_to_conflict_while_one_is_open() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press("n")
        assert pane.current == ("src/a.py", 2)
        await bench.press("n")
        assert pane.current == ("logo.png", -1)
        await bench.press("p", "p")
        assert pane.current == ("src/a.py", 0)

        whole = replace(WHOLE, clash=DiffClash(-1, "yours is kept"))
        done = settled(settled(TEXT, 0, "yours is kept"), 1, "yours is kept")
        pane.show(replace(VALUE, files=(API, done, whole, LOGO)))
        await bench.press("n")
        assert pane.current == ("src/a.py", 1), "all hunks again, to look the outcome through"


async def test_settling_leads_to_what_is_open_next() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press()
        pane.show(replace(VALUE, files=(API, settled(TEXT, 0, "yours is kept"), WHOLE, LOGO)))
        await bench.press()

        assert pane.current == ("src/a.py", 2)
        assert "[x] conflict 1/2  line 3  yours is kept" in "\n".join(lines_of(pane))


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("less_than_sign",), ("src/a.py", 0, "mine")),
        (("greater_than_sign",), ("src/a.py", 0, "theirs")),
        (("n", "plus"), ("src/a.py", 1, "both")),
        (("up", "less_than_sign"), ("src/a.py", -1, "mine")),
        (("n", "n", "greater_than_sign"), ("logo.png", -1, "theirs")),
        (("n", "n", "x"), ("logo.png", -1, "mine")),
    ],
)
async def test_keys_ask_for_a_side(keys: tuple[str, ...], asked: tuple[str, int, str]) -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press(*keys)
        wanted = bench.sent(DiffPane.SettleWanted)[-1]

        assert (wanted.path, wanted.place, wanted.take) == asked
        assert wanted.subject == "s1:abc"


async def test_a_conflict_is_edited_by_its_number_and_a_merged_hunk_is_not() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press("n", "e")
        wanted = bench.sent(DiffPane.EditWanted)[-1]
        assert (wanted.path, wanted.hunk) == ("src/a.py", 1)

        pane.move_to(pane._layout.heads[1, 1])  # pyright: ignore[reportPrivateUsage]
        assert not pane.check_action("edit", (False,))
        assert not pane.check_action("settle", ("mine",))
        assert not pane.check_action("toggle_hunk", ())


async def test_one_or_the_other_cannot_be_both() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(VALUE)
        await bench.press("n", "n")

        assert not pane.check_action("settle", ("both",))
        assert pane.check_action("settle", ("mine",))


def test_both_versions_stand_next_to_each_other_under_their_names() -> None:
    _, rows = pair_lines(MEET)
    texts = [
        tuple(MEET[place].text if place >= 0 else "" for place in (left, right))
        for left, right in rows
    ]

    assert texts == [
        ("<<<<<<< yours", "======= the step's"),
        ("mine", "theirs"),
        ("mine too", ""),
        ("||||||| before both", "||||||| before both"),
        ("was", "was"),
        (">>>>>>>", ">>>>>>>"),
    ]


@pytest.mark.parametrize(("width", "beside"), [(120, True), (78, False)])
async def test_versions_are_side_by_side_where_they_fit_until_told_otherwise(
    width: int, *, beside: bool
) -> None:
    pane = DiffPane()
    async with on_bench(pane, (width, 40)) as bench:
        pane.show(VALUE)
        await bench.press()
        assert pane.side_by_side is beside
        await bench.press("l")
        assert not pane.side_by_side


async def test_what_is_only_looked_at_offers_no_key_of_a_conflict() -> None:
    pane = DiffPane()
    async with on_bench(pane, (120, 40)) as bench:
        pane.show(replace(VALUE, decidable=False))
        await bench.press()

        assert not pane.check_action("settle", ("mine",))
        assert "> the step's · +" not in "\n".join(lines_of(pane))
