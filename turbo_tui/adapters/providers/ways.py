"""How a server wants to be asked: found out by its refusals, then remembered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from turbo_tui.adapters.providers.faults import Refusal
from turbo_tui.core.models import ModelRequest

SchemaWay = Literal["schema", "object", "prompt"]

# llama.cpp answers 500 to a response_format it does not know; others 400, 422 or 501.
_CANNOT = frozenset({400, 404, 422, 500, 501})


@dataclass(frozen=True, slots=True)
class Ways:
    """What a server is believed to understand; one step down for each refusal.

    Attributes:
        schema: The document is asked for by its schema, as any JSON object, or in words only.
        native_tools: Tools go into the request's own field, else into the system prompt.
        tokens_field: OpenAI's reasoning models refuse the older `max_tokens`.
        temperature: False where a model takes only its own.
        stream_usage: False where `stream_options` is refused.
    """

    schema: SchemaWay = "schema"
    native_tools: bool = True
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    stream_usage: bool = True


def step_down(  # noqa: PLR0911 - a table of cases reads best
    ways: Ways, refusal: Refusal, request: ModelRequest, ladder: tuple[SchemaWay, ...]
) -> Ways | None:
    """Choose another way to ask after a refusal.

    Args:
        ways: The way that was refused.
        refusal: What the server answered.
        request: What was asked.
        ladder: The ways this protocol has to ask for a document, best first.

    Returns:
        None when another way of asking would not help.
    """
    if refusal.is_too_long or refusal.is_out_of_credit:
        return None
    if request.tools and ways.native_tools and refusal.is_about_tools:
        return replace(ways, native_tools=False)
    if refusal.status not in _CANNOT:
        return None
    if refusal.status in {400, 422}:
        words = refusal.words
        if "max_completion_tokens" in words and ways.tokens_field == "max_tokens":
            return replace(ways, tokens_field="max_completion_tokens")
        if "stream_options" in words and ways.stream_usage:
            return replace(ways, stream_usage=False)
        if "temperature" in words and ways.temperature:
            return replace(ways, temperature=False)
    if request.schema is None or refusal.is_about_model:
        return None
    return next_schema_way(ways, ladder)


def next_schema_way(ways: Ways, ladder: tuple[SchemaWay, ...]) -> Ways | None:
    """Ask for a document in the next simpler way; None when there is none."""
    rung = ladder.index(ways.schema) + 1
    return replace(ways, schema=ladder[rung]) if rung < len(ladder) else None
