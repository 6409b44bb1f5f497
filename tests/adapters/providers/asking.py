"""How the tests of the model adapters make a model and ask it: no waiting, all pauses noted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.model_server import ModelServer, Protocol
from turbo_tui.adapters.providers import ModelAddress, make_model
from turbo_tui.core.models import Message, Model, ModelRequest, ToolSpec

PROTOCOLS: tuple[Protocol, ...] = ("openai", "ollama", "anthropic")
READ = ToolSpec(
    "read", "Read a file.", {"type": "object", "properties": {"path": {"type": "string"}}}
)
LIST = ToolSpec("list", "List a folder.", {"type": "object", "properties": {}})
PLAN_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"steps": {"type": "array"}},
    "required": ["steps"],
}


class Pauses(list[float]):
    """Waits that took no time: the seconds that would have been waited."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def address_at(server: ModelServer, protocol: Protocol, **settings: Any) -> ModelAddress:
    model = settings.pop("model", "test-model")
    return ModelAddress(protocol, server.base_url(protocol), model, **settings)


@asynccontextmanager
async def model_at(
    server: ModelServer,
    protocol: Protocol,
    pause: Callable[[float], Any] | None = None,
    **settings: Any,
) -> AsyncGenerator[Model]:
    model = make_model(
        address_at(server, protocol, **settings), pause=Pauses() if pause is None else pause
    )
    try:
        yield model
    finally:
        await model.close()


def asking(text: str = "hello", **more: Any) -> ModelRequest:
    return ModelRequest((Message("system", "Be brief."), Message("user", text)), **more)
