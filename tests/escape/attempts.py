"""What an attempt to break out is, as a value, and what counts as its success.

A program is Python. It runs in a folder of its own inside the workspace, with what `inside.py`
defines (`call`, `won`, …) and the world's facts (`WS`, `VICTIM`, `PORT4`, …) as its globals. The
same text runs twice: without a sandbox, where it must succeed, and in a stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from turbo_tui.core.command import NOTHING, Grants, Limits
from turbo_tui.core.ports import ChangeSet

WON = "WON"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed of one run of an attempt, on the host wherever the host can see it.

    Attributes:
        output: stdout and stderr; in a stage, as the stage gives it back.
        exit_code: As a shell shows it.
        ended: How it ended: `exited`, `timeout`, …
        duration_s: Of the whole run.
        secret: The word that no sandboxed program may ever show.
        mark: The word that this attempt alone writes.
        before: The state of what the attempt is aimed at, then
        after: the same afterwards.
        heard: Whether a listener of the host got this attempt's word.
        kept: What a later command finds at the attempt's `peek`.
        left: Processes of this attempt that still live, zombies included.
        changes: What the review would show, in a stage.
    """

    output: str = ""
    exit_code: int = 0
    ended: str = "exited"
    duration_s: float = 0.0
    secret: str = ""
    mark: str = ""
    before: object = None
    after: object = None
    heard: bool = False
    kept: str = ""
    left: tuple[int, ...] = ()
    changes: ChangeSet | None = None


Sign = Callable[[Seen], bool]


def changed(seen: Seen) -> bool:
    """Something that belongs to the host is not as it was."""
    return seen.before != seen.after


def told(seen: Seen) -> bool:
    """A secret of the host was read."""
    return seen.secret in seen.output


def said(seen: Seen) -> bool:
    """The program got what it wanted from the kernel, and said so."""
    return WON in seen.output.split()


def heard(seen: Seen) -> bool:
    """The host's listener got a packet."""
    return seen.heard


def kept(seen: Seen) -> bool:
    """What was planted is there for what runs later."""
    return seen.mark in seen.kept


def lives(seen: Seen) -> bool:
    """A process outlived its command."""
    return bool(seen.left)


@dataclass(frozen=True, slots=True)
class Gap:
    """What a rung is known not to hold: the guarantee that says so, and its words there."""

    guarantee: Literal["writes", "reads", "network", "limits", "tree"]
    words: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out.

    Attributes:
        name: Short, unique.
        title: What would be won.
        program: Python.
        sign: What its success looks like.
        alone: In a command of its own; else many share one.
        peek: A path of the workspace whose content is read later, as `Seen.kept`.
        timeout_s: Wall time of a command of its own.
        landlock: The gap of that rung which lets it through; None where it holds.
    """

    name: str
    title: str
    program: str
    sign: Sign
    alone: bool = False
    peek: str = ""
    timeout_s: float = 15.0
    limits: Limits = field(default_factory=Limits)
    grants: Grants = NOTHING
    landlock: Gap | None = None


Status = Literal["held", "gap", "BROKE", "not shown"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt in one configuration.

    Attributes:
        status: `gap` is a success that the rung's report names; `BROKE` is any other.
        why: Why it was not shown, or what was seen.
    """

    name: str
    status: Status
    why: str = ""
