"""Landings: what came to stand in the workspace, and what was taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from turbo_tui.core.events.event import Event


@dataclass(frozen=True, slots=True)
class StepLanded(Event):
    """What was approved stands in the workspace; `landing` can be undone.

    Attributes:
        layer: Id of the stage, where what git ignores in it was kept for later steps.
        moved: Of those paths where a file went: where it came from. Both are among the paths.
    """

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()
    layer: str = ""
    moved: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LandingRefused(Event):
    """Nothing was written: the workspace changed under the review, or a path is in the way.

    Attributes:
        conflicts: Path -> what happened there, in words.
        merged: Blob of the change set on the workspace as it is now, three-way merges done. Where
            both sides clash it holds the step's version over the user's; empty where a path
            cannot be written at all.
        clashes: Path -> how many places of it clash; 0 where it is one side or the other.
        bases: Path of a clash -> blob of what both sides began with; without one it is unknown.
        blocked: Those of `clashes` where something else is in the way: there is nothing to settle.
        reviewed: Blob of the change set that was decided on.
        kept: Paths whose change is the same in `merged`: what was decided on them holds.
    """

    step_id: str
    conflicts: dict[str, str]
    merged: str = ""
    clashes: dict[str, int] = field(default_factory=dict[str, int])
    bases: dict[str, str] = field(default_factory=dict[str, str])
    blocked: tuple[str, ...] = ()
    reviewed: str = ""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnRefused(Event):
    """An undo or redo meets what changed since: nothing was written, it waits to be settled.

    Attributes:
        review: What decisions on it name as their step.
        landing: What is to be taken back, or landed again.
        conflicts, merged, clashes, bases, blocked, reviewed, kept: As in LandingRefused, for what
            was to be written.
    """

    review: str
    way: Literal["undo", "redo"]
    step_id: str
    landing: str
    conflicts: dict[str, str]
    merged: str = ""
    clashes: dict[str, int] = field(default_factory=dict[str, int])
    bases: dict[str, str] = field(default_factory=dict[str, str])
    blocked: tuple[str, ...] = ()
    reviewed: str = ""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnDropped(Event):
    """The user gave up an undo or redo that was refused; nothing of it is in the workspace."""

    review: str


@dataclass(frozen=True, slots=True)
class LandingUndone(Event):
    """A landing was taken back; `notes` names what cannot be, `moved` is as in StepLanded."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()
    moved: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LandingRedone(Event):
    """A landing that was taken back was landed again; `moved` is as in StepLanded."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()
    moved: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class TurnBegan(Event):
    """Several landings were begun to be undone, or redone, one after the other: all or none.

    `LandingUndone` or `LandingRedone` follows for each. Where only some do, it was cut off.

    Attributes:
        landings: In the order in which it is done; the first ones may have been before.
    """

    way: Literal["undo", "redo"]
    landings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LandingRecovered(Event):
    """A landing cut off by a crash was completed or rolled back; `left_alone` was not ours.

    Attributes:
        layer: As in StepLanded, of one that was completed.
        moved: As in StepLanded.
    """

    landing: str
    outcome: Literal["completed", "rolled_back"]
    paths: tuple[str, ...]
    left_alone: tuple[str, ...] = ()
    step_id: str = ""
    layer: str = ""
    moved: dict[str, str] = field(default_factory=dict[str, str])
