"""Models behind HTTP: three wire protocols, one way to make a model of an address.

Importing this costs nothing: httpx2 is imported when the first model is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from turbo_tui.adapters.providers.address import Kind, ModelAddress
from turbo_tui.core.models import Model

if TYPE_CHECKING:
    from turbo_tui.adapters.providers.http_model import HttpModel
    from turbo_tui.adapters.providers.probe import Found

__all__ = ["LOCAL_SERVERS", "Kind", "ModelAddress", "check", "make_model", "probe_local"]

# Where Ollama, llama.cpp and LM Studio listen unless told otherwise.
LOCAL_SERVERS: tuple[tuple[Kind, str], ...] = (
    ("ollama", "http://127.0.0.1:11434"),
    ("openai", "http://127.0.0.1:8080/v1"),
    ("openai", "http://127.0.0.1:1234/v1"),
)

Pause = Callable[[float], Awaitable[None]]


def make_model(address: ModelAddress, *, pause: Pause = asyncio.sleep) -> Model:
    """Make the model behind an address; nothing is sent until it is asked.

    Args:
        address: Where and how.
        pause: Waits between repeats, in seconds; tests give one that does not wait.
    """
    return _http_model(address, pause)


async def probe_local(
    servers: Sequence[tuple[Kind, str]] = LOCAL_SERVERS, *, timeout_s: float = 0.5
) -> list[Found]:
    """Find model servers on this machine, all asked at once; never raises, never waits longer."""
    from turbo_tui.adapters.providers.probe import address_of, found_at  # noqa: PLC0415

    models = [_http_model(address_of(kind, url), asyncio.sleep) for kind, url in servers]
    return await found_at(models, timeout_s)


async def check(address: ModelAddress, *, pause: Pause = asyncio.sleep) -> str:
    """Ask the model for one word; return `connected: NAME answered in 0.4 s`.

    Raises:
        ModelError: What is wrong, and what to do about it.
    """
    from turbo_tui.adapters.providers.probe import answer_time  # noqa: PLC0415

    return await answer_time(_http_model(address, pause))


def _http_model(address: ModelAddress, pause: Pause) -> HttpModel:
    """Pick the dialect and build the model."""
    from turbo_tui.adapters.providers.http_model import HttpModel  # noqa: PLC0415

    match address.kind:
        case "openai":
            from turbo_tui.adapters.providers.openai import OpenAI  # noqa: PLC0415

            return HttpModel(address, OpenAI(), pause)
        case "ollama":
            from turbo_tui.adapters.providers.ollama import Ollama  # noqa: PLC0415

            return HttpModel(address, Ollama(), pause)
        case "anthropic":
            from turbo_tui.adapters.providers.anthropic import Anthropic  # noqa: PLC0415

            return HttpModel(address, Anthropic(), pause)
