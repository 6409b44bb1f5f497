"""Edits of real files, damaged as models damage them: never in a wrong place."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.edits.corpus import (
    FORMS,
    SMALL,
    cases,
    damaged_cases,
    gone_cases,
    nasty_cases,
    npm_files,
    outcome,
    python_files,
)
from tests.edits.damage import DAMAGES

# The least share that is applied, in percent: alone, and with a near copy elsewhere in the file.
# Where the copy differs in just the rows that are damaged, nothing tells the two apart, and where
# code is left out less is there to tell by: refusing is right.
SEEN_THROUGH = (90, 85)
# Loose: a dozen edits of each kind, made from whatever versions are installed. bench/edits.py says
# how many are seen through; what must never be is a wrong place.
FLOORS = {
    "first row bare": (50, 45),
    "one row's indentation": (45, 45),
    "escaped quotes": (45, 45),
    # A block may not lack or add what begins another one: `if`, `else`, `def`.
    "missing row": (35, 20),
    "missing row beside the change": (35, 15),
    "extra row": (45, 40),
    # A slip is one word spelled nearly right; a key, a value or a word the file has is another row.
    "misquoted row": (40, 10),
    "shallower, misquoted row": (35, 10),
    # Only what is there is taken out.
    "misquoted row that changes": (15, 5),
    "paraphrased comment": (45, 20),
    "paraphrased first row": (45, 20),
    "paraphrased last row": (45, 15),
    "trailing spaces, missing row": (35, 30),
    # What is left out stays in the block that is told.
    "left out: ...": (25, 10),
    "left out: words": (25, 10),
}


def test_a_corpus_is_the_same_each_time_and_covers_all() -> None:
    made = list(cases(360))

    assert made == list(cases(360))
    assert {case.form for case in made} == {*FORMS, "whole"}
    assert {case.name for case in made} == {"exact", "crlf", *DAMAGES}
    assert sum(case.decoy for case in made) >= 100
    assert sum(case.name in DAMAGES for case in made) >= 120


def test_files_of_npm_are_among_them() -> None:
    if not npm_files():
        pytest.skip("no npm is installed beside node")

    assert len(npm_files()) > 20
    assert len(python_files()) > 100


def test_no_edit_lands_in_a_wrong_place() -> None:
    results = [(case, outcome(case)) for case in cases(360)]

    assert [case for case, (result, _) in results if result == "wrong"] == []
    plain = Counter(result for case, (result, _) in results if case.name not in DAMAGES)
    assert plain["refused"] == 0
    assert Counter(result for _, (result, _) in results)["applied"] >= 330


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_seen_through(kind: str) -> None:
    made = list(damaged_cases(24, kinds=[kind]))
    results = [(case, outcome(case)) for case in made]

    assert [case for case, (result, _) in results if result == "wrong"] == []
    for decoy, floor in zip((False, True), FLOORS.get(kind, SEEN_THROUGH), strict=True):
        counted = Counter(result for case, (result, _) in results if case.decoy is decoy)
        assert counted["applied"] * 100 >= floor * counted.total()


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if "left out" not in kind])
def test_damaged_edits_of_two_or_three_lines_are_never_misplaced(kind: str) -> None:
    made = list(damaged_cases(16, kinds=[kind], sizes=SMALL))

    assert [case for case in made if outcome(case)[0] == "wrong"] == []


@pytest.mark.parametrize("kind", ["trailing spaces", "misquoted row", "left out: ..."])
def test_twins_of_every_kind_are_told_from_the_place_that_is_meant(kind: str) -> None:
    made = list(nasty_cases(4, kinds=[kind]))

    assert len(made) > 30
    assert [case for case in made if outcome(case)[0] == "wrong"] == []


@pytest.mark.parametrize("kind", ["exact", "shallower", "smart quotes", "misquoted row"])
def test_a_twin_that_is_left_alone_is_never_edited(kind: str) -> None:
    made = list(gone_cases(6, kinds=[kind]))

    assert len(made) > 20
    assert [case for case in made if outcome(case)[0] == "wrong"] == []
