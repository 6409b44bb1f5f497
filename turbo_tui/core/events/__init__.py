"""Everything that can happen in a session: past-tense facts, frozen, primitives only.

An event never changes its meaning. A new field has a default; a change of meaning raises
`v` and adds an upcast in `core.codec`. Requests and outcomes are two events, so that a
replay never runs anything again. Large content is a blob hash (sha256, hex), never inline.
"""

from __future__ import annotations

from turbo_tui.core.events.asking import (
    Answer,
    ApprovalAnswered,
    ApprovalAsked,
    BudgetReached,
)
from turbo_tui.core.events.effects import (
    CheckFinished,
    CommandFinished,
    CommandRequested,
    Ended,
    ModelFailed,
    ModelReplied,
    ModelRequested,
    Role,
    ToolCalled,
    ToolFinished,
)
from turbo_tui.core.events.event import Event
from turbo_tui.core.events.landing import (
    LandingRecovered,
    LandingRedone,
    LandingRefused,
    LandingUndone,
    StepLanded,
    TurnBegan,
)
from turbo_tui.core.events.plan import (
    PlanFailed,
    PlanProposed,
    StepAdded,
    StepEdited,
    StepModeSet,
    StepMoved,
    StepRemoved,
    TaskGiven,
)
from turbo_tui.core.events.review import (
    ClashSettled,
    ContentEdited,
    HunkDecided,
    HunkEdited,
    IgnoredDecided,
    LineCommented,
    LinesDecided,
    Side,
    StepApproved,
    Take,
    VerifyFinished,
    VerifyStarted,
)
from turbo_tui.core.events.session import (
    Noted,
    RunFinished,
    SessionResumed,
    SessionStarted,
    Status,
)
from turbo_tui.core.events.step import (
    StepFailed,
    StepFinished,
    StepGroundMoved,
    StepInterrupted,
    StepRejected,
    StepSetBack,
    StepSkipped,
    StepStaged,
    StepStarted,
)

__all__ = [
    "Answer",
    "ApprovalAnswered",
    "ApprovalAsked",
    "BudgetReached",
    "CheckFinished",
    "ClashSettled",
    "CommandFinished",
    "CommandRequested",
    "ContentEdited",
    "Ended",
    "Event",
    "HunkDecided",
    "HunkEdited",
    "IgnoredDecided",
    "LandingRecovered",
    "LandingRedone",
    "LandingRefused",
    "LandingUndone",
    "LineCommented",
    "LinesDecided",
    "ModelFailed",
    "ModelReplied",
    "ModelRequested",
    "Noted",
    "PlanFailed",
    "PlanProposed",
    "Role",
    "RunFinished",
    "SessionResumed",
    "SessionStarted",
    "Side",
    "Status",
    "StepAdded",
    "StepApproved",
    "StepEdited",
    "StepFailed",
    "StepFinished",
    "StepGroundMoved",
    "StepInterrupted",
    "StepLanded",
    "StepModeSet",
    "StepMoved",
    "StepRejected",
    "StepRemoved",
    "StepSetBack",
    "StepSkipped",
    "StepStaged",
    "StepStarted",
    "Take",
    "TaskGiven",
    "ToolCalled",
    "ToolFinished",
    "TurnBegan",
    "VerifyFinished",
    "VerifyStarted",
]
