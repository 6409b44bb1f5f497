"""What a model is asked and answers: values, and the port behind which it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool offered to a model; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, object]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool; `arguments` is JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `call_id` is set on role `tool`, `calls` on `assistant`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is asked of a model.

    Attributes:
        schema: JSON schema the reply's text must fit; None for free text.
        max_tokens: Most tokens to reply with.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    schema: dict[str, object] | None = None
    max_tokens: int = 4096
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; `counted` is False where it said nothing."""

    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = False


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A finished message; `finish` is the server's word for why it stopped."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish: str = "stop"
    cost_usd: float | None = None


OnDelta = Callable[[str], None]


class Model(Protocol):
    """A model behind some server."""

    @property
    def name(self) -> str:
        """The model's name as its server knows it."""
        ...

    @property
    def host(self) -> str:
        """Where requests go: `host:port`, `built-in` or `recorded`."""
        ...

    @property
    def context_tokens(self) -> int:
        """The window's size in tokens, as configured or assumed."""
        ...

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Ask once; retries within are bounded. `on_delta` gets text as it streams.

        Raises:
            ModelError: One of its kinds; the message names host, what happened, what to do.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
