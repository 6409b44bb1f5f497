"""What steps were made on: which may run next, on what, and what hangs on what.

A step that waits for its review lies below those that ran ahead on top of it. Each question
is answered from the plan's view alone, so it has the same answer after a resume.
"""

from __future__ import annotations

from collections.abc import Iterable

from turbo_tui.core.plan import Step
from turbo_tui.core.views.plan import PlanView, StepState

_HOLDS = frozenset({"staged", "approved", "conflict", "landed", "done"})
_CAN_FALL = frozenset({"running", "staged", "conflict", "failed", "interrupted", "done"})


def bears(state: StepState) -> bool:
    """Tell whether a step that waits for its review may have others run on top of it."""
    return state.status in {"staged", "approved"} and state.checks_passed and bool(state.changes)


def waiting_steps(plan: PlanView) -> list[StepState]:
    """Return the steps that wait for a decision or for their landing, in plan order."""
    return [state for state in plan.steps if state.reviewable or state.status == "approved"]


def next_to_run(plan: PlanView, *, ahead: int) -> StepState | None:
    """Return the step that runs next, on top of at most `ahead` that wait; None: a person is next.

    While steps wait, it runs only if each one before it has landed, is done or can bear it.
    """
    waiting = waiting_steps(plan)
    if len(waiting) > ahead or not all(bears(state) for state in waiting):
        return None
    below: set[str] = set()
    for state in plan.steps:
        needs = [plan.state(need) for need in state.step.depends_on]
        if state.status == "proposed" and all(
            need is not None and (need.settled or need.step.id in below) for need in needs
        ):
            return state
        if bears(state):
            below.add(state.step.id)
        elif waiting and not state.settled:
            return None
    return None


def ground_for(plan: PlanView, step: Step) -> tuple[str, ...]:
    """Return the stages that a fresh stage for a step lies on, oldest first."""
    ground = plan.layers
    for state in plan.steps:
        if state.step.id == step.id:
            break
        if bears(state):
            # A step that ran ahead on it may be done and have left a layer: that one stays on top.
            ground = plan.stacked(ground, state.stage_id)
    return ground


def unlanded_below(plan: PlanView, state: StepState) -> list[StepState]:
    """Return the steps that must be decided before this one can land, oldest first."""
    return [
        below
        for below in _owners(plan, state.on)
        if below.step.id != state.step.id
        # Of one that was skipped nothing lands: what was made on it is about to be set back.
        and below.status not in {"landed", "done"}
        and not below.undone
    ]


def lying_on(plan: PlanView, stage_id: str) -> list[StepState]:
    """Return the steps that lose their ground when a stage goes, those on top first."""
    gone = {stage_id} if stage_id else set[str]()
    falling = _falling(plan, gone)
    return falling[::-1]


def without_ground(plan: PlanView) -> list[StepState]:
    """Return the steps whose ground is gone already, as after a crash; those on top first."""
    gone = {stage_id for state in plan.steps for stage_id in _gone_below(plan, state)}
    return _falling(plan, gone)[::-1]


def has_ground(plan: PlanView, state: StepState) -> bool:
    """Tell whether all that a step was made on is still there, so that it may go on."""
    return not _gone_below(plan, state)


def _gone_below(plan: PlanView, state: StepState) -> set[str]:
    owned = {each.stage_id: each for each in plan.states if each.stage_id}
    gone: set[str] = set()
    for stage_id in state.on:
        owner = owned.get(stage_id)
        holds = owner is not None and (owner.status in _HOLDS or owner.undone)
        if not holds and stage_id not in plan.layers:
            gone.add(stage_id)
    return gone


def _falling(plan: PlanView, gone: set[str]) -> list[StepState]:
    falling: list[StepState] = []
    candidates = [state for state in plan.steps if state.status in _CAN_FALL]
    while True:
        more = [s for s in candidates if s not in falling and not gone.isdisjoint(s.on)]
        if not more:
            return falling
        falling.extend(more)
        gone |= {state.stage_id for state in more}


def _owners(plan: PlanView, stages: Iterable[str]) -> list[StepState]:
    owned = {state.stage_id: state for state in plan.states if state.stage_id}
    return [owned[stage_id] for stage_id in stages if stage_id in owned]
