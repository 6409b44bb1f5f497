"""Finding out who is there: servers on this machine, and whether a model answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from turbo_tui.adapters.providers.address import Kind, ModelAddress
from turbo_tui.adapters.providers.http_model import EmptyReplyError, HttpModel
from turbo_tui.core.models import Message, ModelRequest


@dataclass(frozen=True, slots=True)
class Found:
    """A server that answered, and the models it lists; it is offered, never just used."""

    kind: Kind
    base_url: str
    models: tuple[str, ...]


async def found_at(models: Sequence[HttpModel], timeout_s: float) -> list[Found]:
    """Ask all servers at once which models they have; those that do not answer are left out."""
    answers = await asyncio.gather(*(_ask(model, timeout_s) for model in models))
    return [answer for answer in answers if answer is not None]


async def _ask(model: HttpModel, timeout_s: float) -> Found | None:
    """Ask one server; None for silence, a refusal, or a server of another trade."""
    try:
        async with asyncio.timeout(timeout_s):
            names = await model.model_names()
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
        return None
    finally:
        await model.close()
    if names is None:
        return None
    return Found(model.address.kind, model.address.base_url, names)


async def answer_time(model: HttpModel) -> str:
    """Ask for one word and say how long it took.

    Raises:
        ModelError: What is wrong, and what to do about it.
    """
    words = (Message("user", "Answer with the one word: ready"),)
    began = time.monotonic()
    try:
        await model.complete(ModelRequest(words, max_tokens=64))
    except EmptyReplyError:
        pass  # it thought for 64 tokens: it is there, and it works
    finally:
        await model.close()
    return f"connected: {model.name} answered in {time.monotonic() - began:.1f} s"


def address_of(kind: Kind, base_url: str) -> ModelAddress:
    """Make an address to list models at, before any is chosen."""
    return ModelAddress(kind, base_url, "any")
