"""Effects on the world: models, tools, commands, checks; a request and an outcome each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core.command import CommandUsage
from turbo_tui.core.events.event import Event

Ended = Literal["exited", "timeout", "cancelled", "limit", "refused"]
Role = Literal["planner", "executor"]


@dataclass(frozen=True, slots=True)
class ModelRequested(Event):
    """A request is about to go to a model; `context` is path -> bytes of what it was given."""

    request_id: str
    role: Role
    model: str
    host: str
    size_bytes: int
    step_id: str = ""
    context: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ModelReplied(Event):
    """A model's finished message. Tokens are 0 and `counted` False where the server gave none.

    Attributes:
        reply: Blob of the whole reply (text and tool calls, canonical JSON).
        text: Its text, cut to 4,000 characters for display.
        cost_usd: None when the price is unknown.
    """

    request_id: str
    reply: str
    text: str
    tool_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = False
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ModelFailed(Event):
    """A model request ended without a reply."""

    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCalled(Event):
    """An executor called a tool; `arguments` is JSON text, cut to 8,000 characters."""

    call_id: str
    step_id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolFinished(Event):
    """A tool answered; `output` is what the model was told, cut; `full` a blob of all of it."""

    call_id: str
    ok: bool
    output: str
    full: str = ""


@dataclass(frozen=True, slots=True)
class CommandRequested(Event):
    """A command is about to run in a stage.

    Attributes:
        network: What it can reach: `off`, `hosts` or `all`.
        grants: What it may do beyond its stage, in words: the user was asked.
        before: It runs on what the step was made on, without the step's changes.
    """

    command_id: str
    step_id: str
    argv: tuple[str, ...]
    network: str = "off"
    grants: tuple[str, ...] = ()
    before: bool = False


@dataclass(frozen=True, slots=True)
class CommandFinished(Event):
    """A command ended.

    Attributes:
        exit_code: As a shell shows it: 128 + N when signal N ended it.
        output: Sanitised stdout and stderr as they came, cut to 16,000 characters.
        full: Blob of all the output that was kept; empty when `output` is all.
        network: What it could reach: `off`, `hosts` or `all`.
        held: Name -> True when the sandbox held that (writes, reads, network, limits, tree).
        rung: What confined it; empty in logs of before that was written.
        usage: What it used of the machine; None in logs of before that was written.
    """

    command_id: str
    exit_code: int
    ended: Ended
    output: str
    duration_s: float
    full: str = ""
    network: str = "off"
    held: dict[str, bool] | None = None
    rung: str = ""
    usage: CommandUsage | None = None


@dataclass(frozen=True, slots=True)
class CheckFinished(Event):
    """A check of a step ended.

    Attributes:
        failures: `file:line` places where they could be read.
        failed_before: It fails without the step's changes as well.
        selected: Blob of the accepted change set it ran on; empty: on all that the step did.
    """

    step_id: str
    argv: tuple[str, ...]
    passed: bool
    failures: tuple[str, ...] = ()
    failed_before: bool = False
    selected: str = ""
