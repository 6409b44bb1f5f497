"""Changes of real files, replayed: on what they were made of, and on what they led to."""

from __future__ import annotations

import random

import pytest

from tests.edits.corpus import damaged_cases, plain_cases
from tests.edits.replays import Replay, replays_of
from turbo_tui.edits.outcome import RefusedError
from turbo_tui.edits.rewriting import replaced
from turbo_tui.edits.text_file import decode


def every(seed: int) -> list[Replay]:
    chance = random.Random(seed)  # noqa: S311
    cases = [*plain_cases(40, seed), *damaged_cases(3, seed)]
    changes = [(case.before.decode(), case.after.decode()) for case in cases if not case.decoy]
    return [
        one
        for before, after in changes
        if "\r" not in before and before.endswith("\n") and after.endswith("\n")
        for one in replays_of(before, after, chance)
    ]


def outcome(one: Replay) -> str:
    try:
        text = replaced(decode(one.before.encode()), [one.chunk]).file.text
    except RefusedError:
        return "refused"
    return "as meant" if text == (one.before if one.after is None else one.after) else "wrong"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_change_is_made_once_and_never_in_a_wrong_place(seed: int) -> None:
    found = [(one, outcome(one)) for one in every(seed)]

    assert [one for one, result in found if result == "wrong"] == []
    again = [one.kind for one, _ in found if one.kind.endswith("again")]
    assert len(again) > 20
    assert sum(result == "as meant" for _, result in found) * 2 > len(found) - len(again)
