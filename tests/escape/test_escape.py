"""No attempt to break out succeeds, but for the gaps that a rung's own report names."""

from __future__ import annotations

from functools import lru_cache

import pytest

from tests.escape.attempts import Attempt, Gap
from tests.escape.configurations import COPIES, RUN_S, USUAL, Configuration, Outcome, run
from tests.escape.run import ATTEMPTS
from tests.escape.staged import HOST, HostAttempt
from tests.sandbox.confining import EXPECTED

ALL: tuple[Attempt | HostAttempt, ...] = (*ATTEMPTS, *HOST)
GAPS: dict[str, Gap] = {each.name: each.landlock for each in ALL if each.landlock is not None}
LEAST_SHOWN = 80

# The first test of a group makes all its attempts; tests/conftest.py keeps groups together.
pytestmark = pytest.mark.timeout(RUN_S + 100)

run_once = lru_cache(run)


def outcome_of(configuration: Configuration) -> Outcome:
    """Return what came of a configuration; skip, or fail where it is expected, without it."""
    outcome = run_once(configuration.group)[configuration]
    if outcome.crashed:
        pytest.fail(f"the attempts could not be made: {outcome.crashed}")
    if outcome.refused:
        if (
            EXPECTED == "bwrap"
            and configuration.rung == "bubblewrap"
            and "root" not in outcome.refused
        ):
            pytest.fail(f"bubblewrap was expected to work here: {outcome.refused}")
        pytest.skip(outcome.refused)
    return outcome


def _on(configuration: Configuration, *values: str) -> object:
    marks = [pytest.mark.prove] if configuration in COPIES else []
    return pytest.param(
        configuration, *values, marks=marks, id="-".join((configuration.name, *values))
    )


@pytest.mark.parametrize(
    ("configuration", "name"),
    [_on(configuration, each.name) for configuration in (*USUAL, *COPIES) for each in ALL],
)
def test_the_attempt_is_held(configuration: Configuration, name: str) -> None:
    result = outcome_of(configuration).results[name]

    title = next(each.title for each in ALL if each.name == name)
    if result.status == "not shown":
        pytest.skip(f"not shown: {result.why}")
    assert result.status in {"held", "gap"}, f"{title}. {result.why}"
    assert configuration.rung == "landlock" or result.status == "held"


@pytest.mark.parametrize(
    "configuration", [_on(each) for each in (*USUAL, *COPIES) if each.rung == "bubblewrap"]
)
def test_bubblewrap_promises_everything_and_enough_was_tried(configuration: Configuration) -> None:
    outcome = outcome_of(configuration)

    held = [each for each in outcome.results.values() if each.status == "held"]
    assert len(held) >= LEAST_SHOWN
    assert all(guarantee.held for guarantee in outcome.guarantees)


@pytest.mark.parametrize(
    "configuration", [_on(each) for each in (*USUAL, *COPIES) if each.rung == "landlock"]
)
def test_every_gap_of_landlock_stands_in_its_report(configuration: Configuration) -> None:
    outcome = outcome_of(configuration)

    promised = {guarantee.name: guarantee for guarantee in outcome.guarantees}
    for each in outcome.results.values():
        if each.status == "gap":
            gap = GAPS[each.name]
            assert not promised[gap.guarantee].held
            assert gap.words in promised[gap.guarantee].detail


def test_the_report_of_landlock_names_no_gap_that_is_none() -> None:
    configuration = next(each for each in USUAL if each.name == "landlock-user")
    outcome = outcome_of(configuration)

    found = {GAPS[each.name] for each in outcome.results.values() if each.status == "gap"}
    known = set(GAPS.values())
    if not outcome.rung.startswith("overlay"):
        known = {gap for gap in known if "in an overlay" not in gap.words}
    assert found == known
    not_held = {guarantee.name for guarantee in outcome.guarantees if not guarantee.held}
    assert {gap.guarantee for gap in found} == not_held


def test_no_attempt_is_made_twice() -> None:
    names = [each.name for each in ALL]
    programs = [(each.program, each.grants) for each in ATTEMPTS]

    assert len(set(names)) == len(names)
    assert len(set(programs)) == len(programs)
