"""Anthropic's messages: POST /v1/messages, answered by server-sent events.

Source: the Anthropic API reference, "Messages" and "Streaming messages".
"""

from __future__ import annotations

import json
import re
from typing import ClassVar

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.document import asking_in_words
from turbo_tui.adapters.providers.draft import Draft, arguments_object
from turbo_tui.adapters.providers.shapes import as_dict, as_int, as_list, as_str
from turbo_tui.adapters.providers.text_tools import in_words
from turbo_tui.adapters.providers.ways import SchemaWay, Ways
from turbo_tui.core.models import Message, ModelRequest, Usage

VERSION = "2023-06-01"
REPLY_TOOL = "give_document"  # the tool whose input is the document that was asked for


class Anthropic:
    """POST /v1/messages; a document is had by making the model call a tool that takes it."""

    schema_ways: ClassVar[tuple[SchemaWay, ...]] = ("schema", "prompt")
    chat_path: ClassVar[str] = "/v1/messages"
    models_path: ClassVar[str] = "/v1/models"

    def headers(self, address: ModelAddress) -> dict[str, str]:
        """Name the version; send the key in Anthropic's own header."""
        key = {"x-api-key": address.header_key} if address.header_key else {}
        return {"anthropic-version": VERSION, **key}

    def body(self, address: ModelAddress, request: ModelRequest, ways: Ways) -> dict[str, object]:
        """Ask with the system prompt apart and turns that alternate."""
        forced = _is_forced(request, ways)
        if request.schema is not None and not forced:
            request = asking_in_words(request)
        if not request.tools and not forced and any(m.calls for m in request.messages):
            request = in_words(request)  # calls in a history are refused where no tool is defined
        body: dict[str, object] = {
            "model": address.model,
            "stream": True,
            "max_tokens": request.max_tokens,
            "messages": _turns(request.messages),
        }
        if ways.temperature:
            body["temperature"] = request.temperature
        if system := "\n\n".join(m.text for m in request.messages if m.role == "system"):
            body["system"] = system
        if request.tools:
            body["tools"] = [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": tool.parameters,
                }
                for tool in request.tools
            ]
        if forced:
            body["tools"] = [
                {
                    "name": REPLY_TOOL,
                    "description": "Give your whole answer as this tool's input.",
                    "input_schema": request.schema,
                }
            ]
            body["tool_choice"] = {"type": "tool", "name": REPLY_TOOL}
        return body

    def read(self, payload: dict[str, object], draft: Draft) -> None:
        """Read one event; the input of the reply tool is the text that was asked for."""
        match payload.get("type"):
            case "message_start":
                usage = as_dict(as_dict(payload.get("message")).get("usage"))
                draft.usage = _usage(usage, draft.usage)
            case "content_block_start":
                block = as_dict(payload.get("content_block"))
                if block.get("type") == "tool_use" and block.get("name") != REPLY_TOOL:
                    call = draft.add_call(as_str(block.get("id")), as_str(block.get("name")))
                    draft.slots[as_int(payload.get("index"))] = call
                else:
                    draft.add_text(as_str(block.get("text")))
            case "content_block_delta":
                delta = as_dict(payload.get("delta"))
                call = draft.slots.get(as_int(payload.get("index")))
                piece = as_str(delta.get("partial_json"))
                if call is not None:
                    call.pieces.append(piece)
                else:
                    draft.add_text(as_str(delta.get("text")) or piece)
            case "message_delta":
                draft.finish = as_str(as_dict(payload.get("delta")).get("stop_reason"))
                draft.usage = _usage(as_dict(payload.get("usage")), draft.usage)
            case "message_stop":
                draft.ended = True
            case "message":  # the whole message, from a server that does not stream
                for index, block in enumerate(as_list(payload.get("content"))):
                    start = {"type": "content_block_start", "index": index, "content_block": block}
                    self.read(start, draft)
                    self._whole_input(as_dict(block), draft)
                draft.finish, draft.ended = as_str(payload.get("stop_reason")), True
                draft.usage = _usage(as_dict(payload.get("usage")), draft.usage)
            case _:  # ping, content_block_stop, and kinds that do not exist yet
                pass

    def _whole_input(self, block: dict[str, object], draft: Draft) -> None:
        """Take the input that a block has from the start, where nothing streams."""
        if block.get("type") == "tool_use":
            text = json.dumps(as_dict(block.get("input")), ensure_ascii=False)
            if block.get("name") == REPLY_TOOL:
                draft.add_text(text)
            else:
                draft.calls[-1].pieces.append(text)

    def model_names(self, listing: dict[str, object]) -> tuple[str, ...] | None:
        """Read `{"data": [{"id": …}]}`."""
        if not isinstance(listing.get("data"), list):
            return None
        ids = (as_str(as_dict(entry).get("id")) for entry in as_list(listing["data"]))
        return tuple(name for name in ids if name)


def _is_forced(request: ModelRequest, ways: Ways) -> bool:
    """Say whether the document is to come as the input of the reply tool."""
    schema = request.schema
    return (
        schema is not None
        and ways.schema == "schema"
        and not request.tools
        and schema.get("type") == "object"
    )


def _usage(counts: dict[str, object], before: Usage) -> Usage:
    """Add what an event says about tokens; reading from the cache counts as sent."""
    sent = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    tokens_in = sum(as_int(counts.get(name)) for name in sent) or before.tokens_in
    tokens_out = as_int(counts.get("output_tokens")) or before.tokens_out
    return Usage(tokens_in, tokens_out, bool(tokens_in or tokens_out))


def _turns(messages: tuple[Message, ...]) -> list[dict[str, object]]:
    """Write the turns: results of one turn's calls stand together in the next user turn."""
    turns: list[tuple[str, list[dict[str, object]]]] = []
    for message in messages:
        blocks = _blocks(message)
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks or message.role == "system":
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return [{"role": role, "content": blocks} for role, blocks in turns]


def _blocks(message: Message) -> list[dict[str, object]]:
    """Write the parts of one turn; an empty text is refused, so it is left out."""
    if message.role == "tool":
        return [
            {
                "type": "tool_result",
                "tool_use_id": _id(message.call_id),
                "content": message.text or "(no output)",
            }
        ]
    blocks: list[dict[str, object]] = []
    if message.text.strip():
        blocks.append({"type": "text", "text": message.text})
    blocks.extend(
        {
            "type": "tool_use",
            "id": _id(call.call_id),
            "name": call.name,
            "input": arguments_object(call),
        }
        for call in message.calls
    )
    return blocks


def _id(call_id: str) -> str:
    """Write an id of another server's conversation with the characters allowed here."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)
