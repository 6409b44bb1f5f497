"""OpenAI-compatible chat completions: OpenAI, Ollama's /v1, llama.cpp, vLLM, OpenRouter, ….

Source: the OpenAI API reference, "Chat Completions", and what servers send instead.
"""

from __future__ import annotations

import json
from typing import ClassVar

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.document import asking_in_words
from turbo_tui.adapters.providers.draft import CallDraft, Draft, arguments_text
from turbo_tui.adapters.providers.functions import as_functions
from turbo_tui.adapters.providers.shapes import as_dict, as_int, as_list, as_str
from turbo_tui.adapters.providers.ways import SchemaWay, Ways
from turbo_tui.core.models import Message, ModelRequest, Usage


class OpenAI:
    """POST /chat/completions, answered by server-sent events."""

    schema_ways: ClassVar[tuple[SchemaWay, ...]] = ("schema", "object", "prompt")
    chat_path: ClassVar[str] = "/chat/completions"
    models_path: ClassVar[str] = "/models"

    def headers(self, address: ModelAddress) -> dict[str, str]:
        """Send the key as a bearer token."""
        key = address.header_key
        return {"authorization": f"Bearer {key}"} if key else {}

    def body(self, address: ModelAddress, request: ModelRequest, ways: Ways) -> dict[str, object]:
        """Ask for a stream, with usage in its last chunk."""
        body: dict[str, object] = {
            "model": address.model,
            "stream": True,
            ways.tokens_field: request.max_tokens,
        }
        if ways.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if ways.temperature:
            body["temperature"] = request.temperature
        if request.schema is not None:
            if response_format := _response_format(request.schema, ways.schema):
                body["response_format"] = response_format
            if ways.schema != "schema":
                request = asking_in_words(request)
        body["messages"] = [_message(message) for message in request.messages]
        if request.tools:
            body["tools"] = as_functions(request.tools)
        return body

    def read(self, payload: dict[str, object], draft: Draft) -> None:
        """Read a chunk: `choices` may be empty in the one that carries the usage."""
        usage = as_dict(payload.get("usage"))
        if as_int(usage.get("prompt_tokens")) or as_int(usage.get("completion_tokens")):
            draft.usage = Usage(
                as_int(usage.get("prompt_tokens")), as_int(usage.get("completion_tokens")), True
            )
        for choice in as_list(payload.get("choices"))[:1]:
            fields = as_dict(choice)
            # `message` stands where a server does not stream although it was asked to.
            delta = as_dict(fields.get("delta")) or as_dict(fields.get("message"))
            draft.add_text(_content(delta.get("content")) or as_str(delta.get("refusal")))
            for part in as_list(delta.get("tool_calls")):
                _add_call_part(as_dict(part), draft)
            legacy = as_dict(delta.get("function_call"))
            draft.legacy.name = draft.legacy.name or as_str(legacy.get("name"))
            draft.legacy.pieces.append(_arguments(legacy.get("arguments")))
            if finish := as_str(fields.get("finish_reason")):
                draft.finish, draft.ended = finish, True

    def model_names(self, listing: dict[str, object]) -> tuple[str, ...] | None:
        """Read `{"data": [{"id": …}]}`."""
        if not isinstance(listing.get("data"), list):
            return None
        ids = (as_str(as_dict(entry).get("id")) for entry in as_list(listing["data"]))
        return tuple(name for name in ids if name)


def _response_format(schema: dict[str, object], way: SchemaWay) -> dict[str, object] | None:
    """Say the wish for a document in the words this server knows."""
    match way:
        case "schema":
            return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
        case "object":
            return {"type": "json_object", "schema": schema}
        case "prompt":
            return None


def _message(message: Message) -> dict[str, object]:
    """Write one turn."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": call.call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": arguments_text(call)},
        }
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def _content(value: object) -> str:
    """Read text, or the text among typed parts (Mistral sends its thinking as such)."""
    if isinstance(value, str):
        return value
    parts = (as_dict(part) for part in as_list(value))
    return "".join(as_str(part.get("text")) for part in parts if part.get("type") == "text")


def _arguments(value: object) -> str:
    """Read a piece of arguments; a whole object from servers that send one."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else as_str(value)


def _add_call_part(part: dict[str, object], draft: Draft) -> None:
    """Add a piece to the call it belongs to, by index, or by what tells calls apart."""
    function = as_dict(part.get("function"))
    call_id, name = as_str(part.get("id")), as_str(function.get("name"))
    index = part.get("index")
    call: CallDraft | None
    if isinstance(index, int):
        call = draft.slots.get(index)
        # Some servers number every parallel call 0.
        if call is not None and call_id and call.call_id and call_id != call.call_id and name:
            call = None
    else:
        call = draft.calls[-1] if draft.calls else None
        if call is not None and (
            (call_id and call_id != call.call_id)
            or (not call_id and name and (name != call.name or call.is_complete))
        ):
            call = None
    if call is None:
        call = draft.add_call(call_id, name)
        if isinstance(index, int):
            draft.slots[index] = call
    call.call_id = call.call_id or call_id
    call.name = call.name or name
    if piece := _arguments(function.get("arguments")):
        call.pieces.append(piece)
