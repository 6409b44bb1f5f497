"""An undo or a redo that met what changed since, and waits to be settled like a step's landing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.clashes import REDO, UNDO, Sides
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Record
from turbo_tui.core.views.plan import StepState

Way = Literal["undo", "redo"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A landing that is to be taken back or landed again, once its conflicts are settled.

    Attributes:
        state: What is under review, in the shape of a step that conflicts; its step's id is what
            decisions name, and is no step of the plan.
    """

    way: Way
    step_id: str
    landing: str
    state: StepState

    @property
    def key(self) -> str:
        """What decisions on it name as their step."""
        return self.state.step.id

    def is_about(self, name: str) -> bool:
        """Tell whether it is shown under a name: its own, or its step's."""
        return name in {self.key, self.step_id}

    @property
    def sides(self) -> Sides:
        """What its versions are called."""
        return UNDO if self.way == "undo" else REDO

    @property
    def name(self) -> str:
        """What it is called in the middle of a sentence."""
        return f"{self.way} of step {self.step_id}"


def turn_key(way: Way, landing: str) -> str:
    """Return what decisions on an undo or a redo of a landing name as their step."""
    return f"{way} {landing}"


class TurnsView:
    """The undo or redo that waits to be settled: the last that was refused, if any.

    Whatever changes the workspace, or begins something else, ends it; what was settled comes back
    if the same conflicts do.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.waiting: Turn | None = None

    def state(self, key: str) -> StepState | None:
        """Return what is under review by that name."""
        waiting = self.waiting
        return waiting.state if waiting is not None and waiting.key == key else None

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        before = self.waiting
        match record.event:
            case ev.TurnRefused() as refused:
                self.waiting = _refused(refused)
            case ev.TurnDropped(review):
                if before is not None and before.key == review:
                    self.waiting = None
            case (
                ev.TaskGiven()
                | ev.StepStarted()
                | ev.StepLanded()
                | ev.LandingUndone()
                | ev.LandingRedone()
                | ev.LandingRecovered()
            ):
                self.waiting = None
            case _:
                return
        if before != self.waiting:
            self.revision += 1


def _refused(event: ev.TurnRefused) -> Turn:
    way = "taking back" if event.way == "undo" else "landing again"
    state = StepState(
        Step(event.review, f"{way} step {event.step_id}"),
        "conflict",
        changes=event.merged,
        merged=event.merged,
        paths=tuple(event.conflicts),
        conflicts=event.conflicts,
    )
    return Turn(event.way, event.step_id, event.landing, state)
