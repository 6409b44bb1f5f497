"""The session itself: opened, taken up again, come to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core.events.event import Event

Status = Literal["done", "failed", "needs_approval", "unreachable", "error", "interrupted"]


@dataclass(frozen=True, slots=True)
class SessionStarted(Event):
    """A session was opened on a workspace (absolute path)."""

    session_id: str
    workspace: str
    program: str


@dataclass(frozen=True, slots=True)
class SessionResumed(Event):
    """A later process took the session up again."""

    program: str


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something worth telling that changes no state; `level` is info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A headless run, or a run in the app, came to rest."""

    status: Status
    session: str
    landed: tuple[str, ...] = ()
    steps: tuple[dict[str, str], ...] = ()
    tokens: dict[str, int] | None = None
    reason: str = ""
