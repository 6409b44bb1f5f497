"""The review: what the user decided, rewrote and said of a staged change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core.events.event import Event

Side = Literal["old", "new"]
Take = Literal["mine", "theirs", "both", "written"]


@dataclass(frozen=True, slots=True)
class HunkDecided(Event):
    """The user accepted or rejected a part of a staged change.

    Attributes:
        changes: Change set blob the decision was made on; void on any other.
        hunk: Index of the hunk in the file's diff, or -1 for the whole file. In a file that
            clashes: of the changes that go together with the user's (`merge.Taken`).
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class LinesDecided(Event):
    """The user accepted or rejected single lines of a hunk; `changes` as in HunkDecided.

    Attributes:
        lines: Indices into the hunk's lines, of added and removed ones. A rejected added line
            is not written, a rejected removed line stays. Rejecting some takes the hunk
            itself as accepted: it lands without them.
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    lines: tuple[int, ...]
    accepted: bool


@dataclass(frozen=True, slots=True)
class HunkEdited(Event):
    """The user rewrote a hunk; `changes` as in HunkDecided.

    Attributes:
        blob: The bytes that take the place of the hunk's new side, its context included;
            empty takes the edit back.
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    blob: str


@dataclass(frozen=True, slots=True)
class ContentEdited(Event):
    """The user rewrote a file under review; `changes` as in HunkDecided.

    Attributes:
        blob: The file's bytes as they shall land, whatever was decided on its hunks; empty
            takes the edit back.
    """

    step_id: str
    changes: str
    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class ClashSettled(Event):
    """The user said what stands where a step's change meets their own; `changes` as in HunkDecided.

    Attributes:
        place: Which clash of the file, from 0; -1 for a file that is one side or the other.
        take: Whose lines stand there; `both`: mine, then the step's.
        blob: The bytes in its place, where they were `written` by hand; else empty.
    """

    step_id: str
    changes: str
    path: str
    place: int
    take: Take
    blob: str = ""


@dataclass(frozen=True, slots=True)
class LineCommented(Event):
    """The user wrote a word on a line, for the step's next attempt; it changes nothing that lands.

    Attributes:
        changes: Change set blob that was commented on.
        line: 1-based, counted in the file as it is on that side.
        text: What stands there from now on; empty removes it.
    """

    step_id: str
    changes: str
    path: str
    line: int
    side: Side
    text: str


@dataclass(frozen=True, slots=True)
class IgnoredDecided(Event):
    """The user switched landing of an ignored folder's files on or off."""

    step_id: str
    changes: str
    folder: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class VerifyStarted(Event):
    """The step's checks begin on exactly what was accepted, in a stage of their own.

    Attributes:
        changes: Change set blob under review.
        selected: Blob of the change set that would land now.
    """

    step_id: str
    changes: str
    selected: str
    stage_id: str


@dataclass(frozen=True, slots=True)
class VerifyFinished(Event):
    """What the checks said of what was accepted; nothing depends on it but what is shown.

    Attributes:
        failures: One line for each check that failed.
        reason: Why there is no result: interrupted, no sandbox; empty when there is one.
    """

    step_id: str
    selected: str
    passed: bool
    failures: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepApproved(Event):
    """The user approved exact bytes: `selected` is the blob of the change set that may land."""

    step_id: str
    changes: str
    selected: str
