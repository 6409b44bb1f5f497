"""Folds over the log: what plan, review, log, cost and timeline show.

Each view is fed records one by one by `apply` and holds nothing that the records do not say,
so a resumed session shows what the live one showed. `revision` grows with every change, so a
pane redraws only when something it shows has changed. Views never run anything.
"""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.ports import Record
from turbo_tui.core.views.ground import (
    bears,
    ground_for,
    has_ground,
    lying_on,
    next_to_run,
    unlanded_below,
    waiting_steps,
    without_ground,
)
from turbo_tui.core.views.log import LogEntry, LogKind, LogState, LogView
from turbo_tui.core.views.outside import OutsideEffect, OutsideView
from turbo_tui.core.views.plan import REVIEWABLE, SETTLED, Moved, PlanView, StepState, StepStatus
from turbo_tui.core.views.review import (
    Comment,
    Decisions,
    ReviewView,
    Verification,
    VerifyStatus,
)
from turbo_tui.core.views.totals import (
    AsksView,
    CostView,
    HalfTurned,
    LandingEntry,
    TimelineView,
    named_steps,
)
from turbo_tui.core.views.turns import Turn, TurnsView, Way, turn_key

__all__ = [
    "REVIEWABLE",
    "SETTLED",
    "AsksView",
    "Comment",
    "CostView",
    "Decisions",
    "HalfTurned",
    "LandingEntry",
    "LogEntry",
    "LogKind",
    "LogState",
    "LogView",
    "Moved",
    "OutsideEffect",
    "OutsideView",
    "PlanView",
    "ReviewView",
    "StepState",
    "StepStatus",
    "TimelineView",
    "Turn",
    "TurnsView",
    "Verification",
    "VerifyStatus",
    "Views",
    "Way",
    "bears",
    "ground_for",
    "has_ground",
    "lying_on",
    "named_steps",
    "next_to_run",
    "turn_key",
    "unlanded_below",
    "waiting_steps",
    "without_ground",
]


class Views:
    """All views of one session, fed together."""

    def __init__(self) -> None:
        self.session_id = ""
        self.workspace = ""
        self.last_seq = 0
        self.plan = PlanView()
        self.review = ReviewView()
        self.log = LogView()
        self.cost = CostView()
        self.timeline = TimelineView()
        self.turns = TurnsView()
        self.asks = AsksView()
        self.outside = OutsideView()

    def apply(self, record: Record) -> None:
        """Feed one record to every view."""
        if isinstance(record.event, ev.SessionStarted):
            self.session_id = record.event.session_id
            self.workspace = record.event.workspace
        folds = (self.plan, self.review, self.log, self.cost, self.timeline, self.asks)
        for view in (*folds, self.turns, self.outside):
            view.apply(record)
        self.last_seq = record.seq
