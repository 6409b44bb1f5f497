"""Asking: what needs a person before it happens, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core.events.event import Event

Answer = Literal["once", "step", "plan", "project", "no"]


@dataclass(frozen=True, slots=True)
class ApprovalAsked(Event):
    """An irreversible effect needs a person.

    Attributes:
        action: What kind: `command`, `unsandboxed`, `network`, `hosts`, `path`, `ptrace`,
            `sockets`, `commit`, `send`.
        subject: The exact bytes asked about (argv joined as a shell would show it, a host, …).
        reason: Why the model or recipe wants it, or why policy asks.
        scopes: Answers that make sense here.
    """

    ask_id: str
    step_id: str
    action: str
    subject: str
    reason: str
    scopes: tuple[Answer, ...] = ("once", "no")


@dataclass(frozen=True, slots=True)
class ApprovalAnswered(Event):
    """A person, a rule or headless mode answered; `by_rule` names the rule, if one did."""

    ask_id: str
    answer: Answer
    feedback: str = ""
    by_rule: str = ""


@dataclass(frozen=True, slots=True)
class BudgetReached(Event):
    """A cap was reached: turns, tokens, money or time."""

    step_id: str
    cap: str
    limit: float
