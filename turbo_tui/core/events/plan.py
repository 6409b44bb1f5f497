"""The plan: a task, what a planner made of it, and the user's edits of it."""

from __future__ import annotations

from dataclasses import dataclass

from turbo_tui.core.events.event import Event
from turbo_tui.core.plan import Action, Mode, Step


@dataclass(frozen=True, slots=True)
class TaskGiven(Event):
    """The user typed a task; `pinned` are paths to give as context."""

    text: str
    pinned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanProposed(Event):
    """A planner answered; replaces whatever plan of unsettled steps stood before.

    `branch` is the one the workspace was on; empty where there is no git.
    """

    task: str
    planner: str
    steps: tuple[Step, ...]
    branch: str = ""


@dataclass(frozen=True, slots=True)
class PlanFailed(Event):
    """No plan came of the task; `nearest` are recipes that come close."""

    task: str
    reason: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepEdited(Event):
    """The user changed a step: its words, and its checks and fixed actions where they are given."""

    step_id: str
    title: str
    intent: str
    checks: tuple[tuple[str, ...], ...] | None = None
    actions: tuple[Action, ...] | None = None


@dataclass(frozen=True, slots=True)
class StepAdded(Event):
    """The user added a step at a position."""

    step: Step
    position: int


@dataclass(frozen=True, slots=True)
class StepRemoved(Event):
    """The user deleted a step."""

    step_id: str


@dataclass(frozen=True, slots=True)
class StepMoved(Event):
    """The user moved a step to another position."""

    step_id: str
    position: int


@dataclass(frozen=True, slots=True)
class StepModeSet(Event):
    """The user set a step to land by itself (`auto`) or to ask."""

    step_id: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class PlanEditTakenBack(Event):
    """The user took their last edit of the plan back; `steps` are those of it before."""

    steps: tuple[Step, ...]
