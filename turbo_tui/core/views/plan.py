"""The plan, and where each of its steps stands."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import (
    Plan,
    Step,
    add_step,
    edit_step,
    move_step,
    remove_step,
    set_mode,
)
from turbo_tui.core.ports import Record

StepStatus = Literal[
    "proposed",
    "running",
    "staged",
    "approved",
    "conflict",
    "landed",
    "done",
    "failed",
    "interrupted",
    "rejected",
    "skipped",
]

SETTLED: frozenset[StepStatus] = frozenset({"landed", "done", "skipped"})
UNDONE = "undone"
REVIEWABLE: frozenset[StepStatus] = frozenset({"staged", "conflict", "failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a step that another was made on; fields as in `events.StepGroundMoved`."""

    below: str
    paths: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class StepState:
    """Where one step stands.

    Attributes:
        on: Ids of the stages that its stage lies on, oldest first.
        moved: Steps below it that did not land as they were when it was made.
        changes: Blob of the change set it produced, empty when there is none to review.
        reason: Why it failed or was interrupted, or what it says it did.
        conflicts: Path -> why, after a refused landing.
        merged: Blob of the merged change set that may be approved instead.
        landing: The journal's id once landed.
        last_end: How the attempt ended that this one goes on from; empty for a fresh one.
    """

    step: Step
    status: StepStatus = "proposed"
    attempt: int = 0
    stage_id: str = ""
    on: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    rung: str = ""
    changes: str = ""
    paths: tuple[str, ...] = ()
    checks_passed: bool = True
    reason: str = ""
    feedback: str = ""
    selected: str = ""
    conflicts: dict[str, str] = field(default_factory=dict[str, str])
    merged: str = ""
    landing: str = ""
    last_end: str = ""

    @property
    def settled(self) -> bool:
        """Nothing more happens to it unless the user asks."""
        return self.status in SETTLED

    @property
    def shown(self) -> str:
        """Blob of the change set under review: the merged one where a merge is offered."""
        return self.merged if self.status == "conflict" and self.merged else self.changes

    @property
    def reviewable(self) -> bool:
        """It has a change set that can be approved or rejected."""
        return bool(self.changes) and self.status in REVIEWABLE

    @property
    def undone(self) -> bool:
        """It had landed and was taken back."""
        return self.status == "rejected" and self.reason == UNDONE


class PlanView:
    """The plan and where each of its steps stands.

    Attributes:
        layers: Stages that keep what git ignores for later steps, in the order of landing.
        branch: The one that the workspace was on as the plan was made; empty where none is known.
        left: Stages that steps once had and have no more: of no use to anyone.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.task = ""
        self.pinned: tuple[str, ...] = ()
        self.planner = ""
        self.branch = ""
        self.failure = ""
        self.nearest: tuple[str, ...] = ()
        self.layers: tuple[str, ...] = ()
        self.left: set[str] = set()
        self._plan = Plan(task="", planner="")
        self._past: list[Plan] = []  # before each edit that is not taken back
        self._verified: dict[str, str] = {}  # step -> what of it passed its checks, as a blob
        self._states: dict[str, StepState] = {}

    @property
    def plan(self) -> Plan:
        """The plan as edited so far."""
        return self._plan

    @property
    def before_edit(self) -> Plan | None:
        """The plan before its last edit that is not taken back; None where nobody edited it."""
        return self._past[-1] if self._past else None

    @property
    def steps(self) -> tuple[StepState, ...]:
        """Steps in plan order."""
        return tuple(self._states[step.id] for step in self._plan.steps)

    @property
    def states(self) -> tuple[StepState, ...]:
        """All steps ever proposed, also those no longer in the plan."""
        return tuple(self._states.values())

    @property
    def planning(self) -> bool:
        """A task was given and no plan or refusal has come yet."""
        return bool(self.task) and not self._plan.steps and not self.failure

    def state(self, step_id: str) -> StepState | None:
        """Return one step's state, also of a step no longer in the plan."""
        return self._states.get(step_id)

    @property
    def known_ids(self) -> frozenset[str]:
        """All step ids ever used in this session."""
        return frozenset(self._states)

    @property
    def running(self) -> StepState | None:
        """The step that runs now, or ran when the log ends."""
        return next((s for s in self._states.values() if s.status == "running"), None)

    def next_step(self) -> StepState | None:
        """Return the first step that is proposed and whose dependencies are settled."""
        for state in self.steps:
            if state.status == "proposed" and all(
                self._states[need].settled for need in state.step.depends_on
            ):
                return state
        return None

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912, PLR0915  one arm per event
        """Take one record into account."""
        before = self._plan, dict(self._states), self.task, self.failure
        self._keep_stages(record.event)
        match record.event:
            case ev.TaskGiven(text, pinned):
                self.task, self.pinned, self.failure, self.nearest = text, pinned, "", ()
                self._plan = Plan(task=text, planner="")
                self._past.clear()
            case ev.PlanProposed(task, planner, steps, branch):
                self.task, self.planner, self.failure = task, planner, ""
                self.branch = branch
                self._plan = Plan(task, planner, steps)
                self._past.clear()
                for step in steps:
                    known = self._states.get(step.id)
                    self._states[step.id] = replace(known, step=step) if known else StepState(step)
            case ev.PlanFailed(reason=reason, nearest=nearest):
                self.failure, self.nearest = reason, nearest
            case (
                ev.StepEdited()
                | ev.StepModeSet()
                | ev.StepAdded()
                | ev.StepRemoved()
                | ev.StepMoved()
            ):
                # A log that holds an edit of a step that is gone must still open.
                with suppress(PlanError):
                    plan = self._plan
                    self._edit(record.event)
                    self._past.append(plan)
            case ev.PlanEditTakenBack(steps):
                del self._past[-1:]
                self._edited(replace(self._plan, steps=steps))
            case ev.StepStarted(step_id, attempt, stage_id, rung, on):
                known = self._states.get(step_id)
                goes_on = known is not None and known.stage_id == stage_id
                self._set(
                    step_id,
                    status="running",
                    attempt=attempt,
                    stage_id=stage_id,
                    on=on,
                    moved=known.moved if known is not None and goes_on else (),
                    last_end=_end_of(known) if known is not None and goes_on else "",
                    rung=rung,
                    changes="",
                    paths=(),
                    reason="",
                    selected="",
                    conflicts={},
                    merged="",
                )
            case ev.StepStaged(step_id, changes, paths, checks_passed, summary):
                self._set(
                    step_id,
                    status="staged",
                    changes=changes,
                    paths=paths,
                    checks_passed=checks_passed,
                    reason=summary,
                    conflicts={},
                    merged="",
                )
            case ev.StepFinished(step_id, summary):
                self._set(step_id, status="done", reason=summary, changes="", paths=())
            case ev.StepFailed(step_id, reason, changes, paths):
                self._set(
                    step_id,
                    status="failed",
                    reason=reason,
                    changes=changes,
                    paths=paths,
                    checks_passed=False,
                )
            case ev.StepInterrupted(step_id, reason, changes, paths):
                self._set(
                    step_id,
                    status="interrupted",
                    reason=reason,
                    changes=changes,
                    paths=paths,
                    checks_passed=False,
                )
            case ev.StepSetBack(step_id, why):
                self._set(
                    step_id,
                    status="proposed",
                    stage_id="",
                    on=(),
                    moved=(),
                    changes="",
                    paths=(),
                    checks_passed=True,
                    reason=why,
                    selected="",
                    conflicts={},
                    merged="",
                    last_end="",
                )
            case ev.StepGroundMoved(step_id, below, paths, why):
                known = self._states.get(step_id)
                if known is not None:
                    self._set(step_id, moved=(*known.moved, Moved(below, paths, why)))
            case ev.StepSkipped(step_id):
                self._set(step_id, status="skipped")
            case ev.StepRejected(step_id, feedback):
                self._set(step_id, status="rejected", feedback=feedback, changes="", paths=())
            case ev.VerifyFinished(step_id, selected, passed):
                self._verified[step_id] = selected if passed else ""
            case ev.StepApproved(step_id, _, selected):
                known = self._states.get(step_id)
                passed = known is not None and known.checks_passed
                passed = passed or (bool(selected) and self._verified.get(step_id) == selected)
                self._set(step_id, status="approved", selected=selected, checks_passed=passed)
            case ev.StepLanded(step_id, landing, paths):
                self._set(step_id, status="landed", landing=landing, paths=paths, changes="")
            case ev.LandingRefused(step_id, conflicts, merged):
                self._set(step_id, status="conflict", conflicts=conflicts, merged=merged)
            case ev.LandingUndone(step_id=step_id, landing=landing):
                state = self._states.get(step_id)
                if state is not None and state.landing == landing:
                    self._set(step_id, status="rejected", reason=UNDONE, landing="")
            case ev.LandingRedone(step_id, landing, paths):
                state = self._states.get(step_id)
                if state is not None and state.undone:  # else it ran again since
                    self._set(step_id, status="landed", reason="", landing=landing, paths=paths)
            case ev.LandingRecovered(landing, outcome, paths, step_id=step_id) if step_id:
                if outcome == "completed":
                    self._set(step_id, status="landed", landing=landing, paths=paths, changes="")
            case _:
                return
        if before != (self._plan, self._states, self.task, self.failure):
            self.revision += 1

    def stacked(self, stack: tuple[str, ...], stage_id: str) -> tuple[str, ...]:
        """Return stages, oldest first, with one more: on top, but below all that lie on it."""
        on = {state.stage_id: state.on for state in self._states.values() if state.stage_id}
        above = (n for n, each in enumerate(stack) if stage_id in on.get(each, ()))
        at = next(above, len(stack))
        return (*stack[:at], stage_id, *stack[at:])

    def _keep_stages(self, event: ev.Event) -> None:
        """Know which stages later steps lie on, and which nobody needs any more."""
        match event:
            case (
                ev.StepStarted(step_id=step_id)
                | ev.StepSetBack(step_id=step_id)
                | ev.StepRemoved(step_id)
            ):
                state = self._states.get(step_id)
                if state is not None and state.stage_id:
                    self.left.add(state.stage_id)
            case ev.PlanEditTakenBack(steps):
                kept = {step.id for step in steps}
                gone = (state.stage_id for state in self.steps if state.step.id not in kept)
                self.left.update(filter(None, gone))
            case _:
                pass
        if isinstance(event, ev.StepStarted):
            self.left.discard(event.stage_id)
        match event:
            case (
                ev.StepLanded(layer=layer)
                | ev.StepFinished(layer=layer)
                | ev.LandingRecovered(layer=layer)
            ) if layer:
                rest = tuple(each for each in self.layers if each != layer)
                self.layers = self.stacked(rest, layer)
            case (
                ev.StepSetBack(step_id=step_id)
                | ev.StepSkipped(step_id=step_id)
                | ev.LandingUndone(step_id=step_id)
            ):
                state = self._states.get(step_id)
                if state is not None:
                    self.layers = tuple(each for each in self.layers if each != state.stage_id)
            case _:
                pass

    def _edit(self, event: ev.Event) -> None:
        match event:
            case ev.StepEdited(step_id, title, intent, checks, actions):
                words = {"title": title, "intent": intent}
                plan = edit_step(self._plan, step_id, **words, checks=checks, actions=actions)
                self._edited(plan)
            case ev.StepModeSet(step_id, mode):
                self._edited(set_mode(self._plan, step_id, mode))
            case ev.StepAdded(step, position):
                plan = add_step(self._plan, step, position)
                self._states[step.id] = StepState(step)
                self._edited(plan)
            case ev.StepRemoved(step_id):
                self._edited(remove_step(self._plan, step_id))
            case ev.StepMoved(step_id, position):
                self._edited(move_step(self._plan, step_id, position))
            case _:
                pass

    def _edited(self, plan: Plan) -> None:
        had = {step.id for step in self._plan.steps}
        self._plan = plan
        for step in plan.steps:
            state = self._states.setdefault(step.id, StepState(step))
            is_back = step.id not in had and state.stage_id in self.left
            self._states[step.id] = StepState(step) if is_back else replace(state, step=step)

    def _set(self, step_id: str, **values: object) -> None:
        state = self._states.get(step_id)
        if state is not None:
            self._states[step_id] = replace(state, **values)  # pyright: ignore[reportArgumentType]


def _end_of(state: StepState) -> str:
    """Say how an attempt ended that is gone on from; what the user said of it is told apart."""
    return state.reason if state.status in {"failed", "interrupted"} else ""
