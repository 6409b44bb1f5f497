"""Ollama's own protocol: POST /api/chat, answered by one JSON object a line.

Source: Ollama's docs/api.md, "Generate a chat completion", and its ChatRequest type.
"""

from __future__ import annotations

import json
from typing import ClassVar

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.document import asking_in_words
from turbo_tui.adapters.providers.draft import Draft, arguments_object
from turbo_tui.adapters.providers.functions import as_functions
from turbo_tui.adapters.providers.shapes import as_dict, as_int, as_list, as_str
from turbo_tui.adapters.providers.ways import SchemaWay, Ways
from turbo_tui.core.models import Message, ModelRequest, Usage


class Ollama:
    """POST /api/chat; calls have no ids here, results go back in their order, by name."""

    schema_ways: ClassVar[tuple[SchemaWay, ...]] = ("schema", "object", "prompt")
    chat_path: ClassVar[str] = "/api/chat"
    models_path: ClassVar[str] = "/api/tags"

    def headers(self, address: ModelAddress) -> dict[str, str]:
        """Send the key as ollama.com wants it; a local server ignores it."""
        key = address.header_key
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(self, address: ModelAddress, request: ModelRequest, ways: Ways) -> dict[str, object]:
        """Ask with the window as configured, and for an error instead of a silent cut."""
        options: dict[str, object] = {
            "num_ctx": address.context_tokens,
            "num_predict": request.max_tokens,
        }
        if ways.temperature:
            options["temperature"] = request.temperature
        body: dict[str, object] = {
            "model": address.model,
            "stream": True,
            "options": options,
            "truncate": False,
            "shift": False,
        }
        if request.schema is not None:
            if ways.schema != "schema":
                request = asking_in_words(request)
            if ways.schema != "prompt":
                body["format"] = request.schema if ways.schema == "schema" else "json"
        body["messages"] = [_message(message) for message in request.messages]
        if request.tools:
            body["tools"] = as_functions(request.tools)
        return body

    def read(self, payload: dict[str, object], draft: Draft) -> None:
        """Read a line; the last one is `done` and carries the counts."""
        message = as_dict(payload.get("message"))
        draft.add_text(as_str(message.get("content")))
        for entry in as_list(message.get("tool_calls")):
            function = as_dict(as_dict(entry).get("function"))
            arguments = function.get("arguments")
            text = (
                arguments
                if isinstance(arguments, str)
                else json.dumps(as_dict(arguments), ensure_ascii=False)
            )
            draft.add_call(as_str(as_dict(entry).get("id")), as_str(function.get("name")), text)
        if payload.get("done") is True:
            draft.ended = True
            draft.finish = as_str(payload.get("done_reason")) or "stop"
            counted = "eval_count" in payload
            draft.usage = Usage(
                as_int(payload.get("prompt_eval_count")), as_int(payload.get("eval_count")), counted
            )

    def model_names(self, listing: dict[str, object]) -> tuple[str, ...] | None:
        """Read `{"models": [{"name": …}]}`."""
        if not isinstance(listing.get("models"), list):
            return None
        entries = (as_dict(entry) for entry in as_list(listing["models"]))
        names = (as_str(entry.get("name")) or as_str(entry.get("model")) for entry in entries)
        return tuple(name for name in names if name)


def _message(message: Message) -> dict[str, object]:
    """Write one turn."""
    written: dict[str, object] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        written["tool_name"] = message.tool
    if message.calls:
        written["tool_calls"] = [
            {"function": {"name": call.name, "arguments": arguments_object(call)}}
            for call in message.calls
        ]
    return written
