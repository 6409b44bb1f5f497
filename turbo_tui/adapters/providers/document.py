"""A JSON document in a model's reply: asking for it in words, and finding it among words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from turbo_tui.core.models import Message, ModelRequest

# An unfinished document is parsed again from each of its braces: this bounds the work.
_MOST_STARTS = 64
_THOUGHTS = re.compile(r"\A\s*<think(ing)?>.*?</think(ing)?>\s*", re.DOTALL)


def without_thoughts(text: str) -> str:
    """Drop the thinking that some servers leave at the head of a reply's text."""
    return _THOUGHTS.sub("", text, count=1)


def asking_in_words(request: ModelRequest) -> ModelRequest:
    """Put the wish for a document, and its schema, into the system prompt."""
    if request.schema is None:
        return request
    wish = (
        "Answer with one JSON document and nothing else: no explanation, no code fence."
        " It must fit this JSON schema:\n" + json.dumps(request.schema, ensure_ascii=False)
    )
    return with_system(request, wish)


def with_system(request: ModelRequest, words: str) -> ModelRequest:
    """Add words to the end of the system prompt; make one where there is none."""
    first, *rest = request.messages or (Message("system", ""),)
    if first.role != "system":
        return replace(request, messages=(Message("system", words), *request.messages))
    text = f"{first.text}\n\n{words}" if first.text else words
    return replace(request, messages=(replace(first, text=text), *rest))


def find_document(text: str, schema: Mapping[str, object]) -> str | None:
    """Find the JSON document in a reply, among prose and fences.

    Args:
        text: What the model wrote.
        schema: Its `type` says what to look for: an object unless it is an array or a scalar.

    Returns:
        The document's own text, the longest where there are several; None where there is none.
    """
    wanted = schema.get("type", "object")
    if wanted not in {"object", "array"}:
        return text.strip() if _parses(text) else None
    kind: type = list if wanted == "array" else dict
    opening = "[" if wanted == "array" else "{"
    decoder = json.JSONDecoder()
    best, at, starts = "", text.find(opening), 0
    while at >= 0 and starts < _MOST_STARTS:
        starts += 1
        end = at + 1
        try:
            value: object
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, kind) and end - at > len(best):
            best = text[at:end]
        at = text.find(opening, end)
    return best or None


def _parses(text: str) -> bool:
    """Say whether the whole text is one JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
