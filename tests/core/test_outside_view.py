"""What no undo takes back is named, and only that."""

from __future__ import annotations

import pytest

from turbo_tui.core import events as ev
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Record
from turbo_tui.core.views import OutsideEffect, Views


def told(*events: ev.Event) -> Views:
    views = Views()
    for seq, event in enumerate(events):
        views.apply(Record(seq, 0.0, "engine", event, "", ""))
    return views


def ran(
    *argv: str,
    network: str = "off",
    grants: tuple[str, ...] = (),
    held: dict[str, bool] | None = None,
    rung: str = "overlay+bubblewrap",
    ended: ev.Ended = "exited",
) -> tuple[ev.Event, ev.Event]:
    return (
        ev.CommandRequested("c", "s1", argv, network, grants),
        ev.CommandFinished("c", 0, ended, "", 0.1, network=network, held=held, rung=rung),
    )


def test_a_step_that_stayed_in_its_stage_has_nothing_outside() -> None:
    views = told(*ran("make", held={"writes": True}, grants=("reads /data", "ptrace")))

    assert views.outside.of("s1") == ()


@pytest.mark.parametrize(
    ("events", "effect", "words"),
    [
        (
            ran("pip", "install", "x", network="hosts", grants=("network: pypi.org",)),
            OutsideEffect("network", "`pip install x`", "pypi.org"),
            "`pip install x` could reach pypi.org; what it sent or changed there stays",
        ),
        (
            ran("curl", "x", network="all", grants=("network: all",)),
            OutsideEffect("network", "`curl x`", "the network"),
            "`curl x` could reach the network; what it sent or changed there stays",
        ),
        (
            ran("sh", "-c", "cd x && git -C y push --tags", network="all"),
            OutsideEffect("push", "`sh -c cd x && git -C y push --tags`", "the network"),
            "may have sent commits or requests to a forge; they stay there",
        ),
        (
            ran("/usr/bin/gh", "pr", "create", network="all"),
            OutsideEffect("push", "`/usr/bin/gh pr create`", "the network"),
            "they stay there",
        ),
        (
            ran("git", "pull", network="all"),
            OutsideEffect("network", "`git pull`", "the network"),
            "could reach the network",
        ),
        (
            ran("cp", "a", "/srv/a", grants=("writes /srv",)),
            OutsideEffect("path", "`cp a /srv/a`", "/srv"),
            "could write /srv; what it wrote there stays",
        ),
        (
            ran("make", rung="copy+unsandboxed"),
            OutsideEffect("unsandboxed", "`make`"),
            "`make` ran without a sandbox",
        ),
        (
            ran("make", held={"writes": False}),
            OutsideEffect("unsandboxed", "`make`"),
            "what it did outside the workspace stays",
        ),
        (
            (
                ev.ApprovalAsked("a", "s1", "commit", "git commit -m 'x\ny'", "why"),
                ev.ApprovalAnswered("a", "once"),
            ),
            OutsideEffect("commit", "`git commit -m 'x y'`"),
            "only git takes a commit back",
        ),
    ],
)
def test_what_no_undo_takes_back_is_named(
    events: tuple[ev.Event, ...], effect: OutsideEffect, words: str
) -> None:
    views = told(*events)

    assert views.outside.of("s1") == (effect,)
    assert words in str(effect)
    assert views.outside.of("s2") == ()


def test_what_was_refused_or_denied_did_not_happen() -> None:
    views = told(
        *ran("curl", "x", network="all", ended="refused"),
        ev.ApprovalAsked("a", "s1", "commit", "git commit", "why"),
        ev.ApprovalAnswered("a", "no"),
    )

    assert views.outside.of("s1") == ()


def test_a_command_that_a_crash_cut_off_is_named_and_each_only_once() -> None:
    curl = ran("curl", "x", network="all")

    views = told(*curl, *curl, curl[0])

    assert [effect.what for effect in views.outside.of("s1")] == ["`curl x`"]


def test_a_long_command_is_cut() -> None:
    views = told(*ran("echo", "x" * 200, network="all"))

    assert len(views.outside.of("s1")[0].what) == 82


def test_a_redone_landing_stands_again_in_plan_and_timeline() -> None:
    landed = [
        ev.PlanProposed("t", "p", (Step("s1", "a"), Step("s2", "b"))),
        ev.StepLanded("s1", "L1", ("a",)),
        ev.StepLanded("s2", "L2", ("b",)),
        ev.LandingUndone("s1", "L1", ("a",)),
        ev.LandingUndone("s2", "L2", ("b",)),
    ]

    undone = told(*landed)
    one = told(*landed, ev.LandingRedone("s2", "L2", ("b",)))
    both = told(*landed, *(ev.LandingRedone(f"s{n}", f"L{n}", ("a",)) for n in (2, 1)))

    assert undone.timeline.redoable is not None
    assert undone.timeline.redoable.landing == "L2"  # undone last
    assert one.timeline.redoable is not None
    assert one.timeline.redoable.landing == "L1"
    assert [state.status for state in one.plan.steps] == ["rejected", "landed"]
    assert [state.landing for state in both.plan.steps] == ["L1", "L2"]
    assert [(entry.undone, entry.redone) for entry in both.timeline.landings] == [(False, True)] * 2
    assert both.timeline.redoable is None
    assert both.log.entries[-1].title == "step s1 redone"


def test_a_redo_of_a_step_that_ran_again_since_leaves_the_plan_alone() -> None:
    views = told(
        ev.PlanProposed("t", "p", (Step("s1", "a"),)),
        ev.StepLanded("s1", "L1", ("a",)),
        ev.LandingUndone("s1", "L1", ("a",)),
        ev.StepStarted("s1", 2, "stage", "overlay+bubblewrap"),
        ev.LandingRedone("s1", "L1", ("a",)),
    )

    assert [state.status for state in views.plan.steps] == ["running"]
