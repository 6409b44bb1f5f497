"""A step's life, from its stage to its end."""

from __future__ import annotations

from dataclasses import dataclass

from turbo_tui.core.events.event import Event


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step began in a stage; `rung` names what confines it.

    Attributes:
        on: Ids of the stages that it lies on, oldest first: what earlier steps left that git
            ignores, then steps that wait for their review. Empty: the workspace alone.
    """

    step_id: str
    attempt: int
    stage_id: str
    rung: str
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStaged(Event):
    """A step ended with changes that wait for review.

    Attributes:
        changes: Blob of the change set (canonical JSON); its sha256 is what approval binds to.
        paths: The paths in it, for display.
        checks_passed: All checks of the step exited 0 in the stage.
    """

    step_id: str
    changes: str
    paths: tuple[str, ...]
    checks_passed: bool
    summary: str = ""


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step ended well and left nothing to land; `layer` is as in StepLanded."""

    step_id: str
    summary: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step ended badly; its stage is kept. `changes` is as in StepStaged, or empty."""

    step_id: str
    reason: str
    changes: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepInterrupted(Event):
    """A step was cut off (crash, cancel); its work is kept. `changes` as in StepStaged."""

    step_id: str
    reason: str
    changes: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepSkipped(Event):
    """The user passed over a step."""

    step_id: str


@dataclass(frozen=True, slots=True)
class StepRejected(Event):
    """The user rejected all a step did; `feedback` goes to its next attempt."""

    step_id: str
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class StepSetBack(Event):
    """A step lost what it was made on: its work was dropped, and it is to run again."""

    step_id: str
    why: str


@dataclass(frozen=True, slots=True)
class StepGroundMoved(Event):
    """What a step was made on is not what came of it; the step's work is kept.

    From now on it never lands by itself, and what it changed is merged where that differs.

    Attributes:
        below: The step that it was made on.
        paths: Where the workspace is not what that step had made of it.
        why: What was done to that step, in words.
    """

    step_id: str
    below: str
    paths: tuple[str, ...] = ()
    why: str = ""
