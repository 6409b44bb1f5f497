"""What a model server reads and writes: three protocols, from one script of replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Protocol = Literal["openai", "ollama", "anthropic"]
Quirk = Literal[
    "no_usage",  # says nothing about tokens
    "usage_with_choice",  # OpenAI: usage beside the last choice, not in a chunk of its own
    "json_schema_500",  # a schema is answered by 500; any JSON object with a schema is taken
    "no_json_object",  # and that is answered by 400 too: words only
    "ignores_schema",  # takes a schema and answers in prose around the document
    "no_tools",  # 400: does not support tools
    "char_args",  # OpenAI: arguments character by character, parallel calls interleaved
    "function_call",  # OpenAI: the legacy field beside `tool_calls`
    "only_function_call",  # OpenAI: the legacy field alone
    "no_index",  # OpenAI: parts of calls are not numbered
    "index_zero",  # OpenAI: every parallel call is number 0
    "no_ids",  # OpenAI: calls have no ids
    "object_args",  # OpenAI: arguments as an object
    "not_streaming",  # answers with one JSON body although asked to stream
    "no_max_tokens",  # OpenAI: only `max_completion_tokens`
    "no_temperature",
    "no_stream_options",
    "comments",  # OpenAI: keep-alive comments between events
]
Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool call of the model; text as arguments is sent as it is, well formed or not."""

    name: str
    arguments: Json | str = field(default_factory=dict[str, Any])
    call_id: str = ""

    @property
    def text(self) -> str:
        """The arguments as JSON text."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Seen:
    """A turn as the server was sent it, whatever the protocol."""

    role: str
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str = ""


@dataclass(frozen=True)
class Request:
    """A request as it came in: `schema` is set however it was asked for in a field."""

    protocol: Protocol
    path: str
    headers: dict[str, str]
    body: Json
    messages: tuple[Seen, ...] = ()
    tools: tuple[str, ...] = ()
    schema: Json | None = None

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.body.get("model", ""))

    @property
    def text(self) -> str:
        """All that the model was told, turns and results, in one string."""
        return "\n".join(message.text for message in self.messages)

    @property
    def tool_results(self) -> dict[str, str]:
        """Call id -> what the tool said; `0`, `1`, … where the protocol has no ids."""
        results = [message for message in self.messages if message.role == "tool"]
        return {seen.call_id or str(at): seen.text for at, seen in enumerate(results)}


Check = Callable[[Request], object]
Expect = Sequence[str | Check]


@dataclass(frozen=True)
class Reply:
    """A reply of the model.

    Attributes:
        tokens: Sent and received, as the server counts them; None: it says nothing.
        finish: Its word for why it stopped; the protocol's own where empty.
        thinking: Reasoning in the field the protocol has for it.
        expect: Text that must stand in the request, or checks of it that raise or return False.
        model: Only requests for this model take the reply.
        piece: Characters in one piece of the stream.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    tokens: tuple[int, int] | None = (12, 5)
    finish: str = ""
    thinking: str = ""
    expect: Expect = ()
    model: str = ""
    piece: int = 8


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong; what streams before it does is `reply`.

    Attributes:
        status: Answer with this status and `message` (or `body`, verbatim, of `content_type`).
        disconnect_after: Break the connection after so many pieces; 0: before any answer.
        hang_after: Say nothing more after so many pieces; `hang`: not even a status.
        malformed: The second piece is garbled.
        cut: The stream ends in order, yet without its last pieces.
        error_in_stream: An error object with this message after the first piece.
        redirect: Answer 307 with this address.
    """

    status: int = 0
    message: str = "it went wrong"
    body: bytes = b""
    content_type: str = "application/json"
    retry_after: float | str | None = None
    disconnect_after: int | None = None
    hang: bool = False
    hang_after: int | None = None
    malformed: bool = False
    cut: bool = False
    error_in_stream: str = ""
    redirect: str = ""
    reply: Reply = field(default_factory=lambda: Reply("Hello from the model."))
    expect: Expect = ()
    model: str = ""


Item = Reply | Fault | Callable[[Request], Reply | Fault]
Script = Sequence[Item]


# --- what comes in ---------------------------------------------------------------


def read_request(protocol: Protocol, path: str, headers: dict[str, str], body: Json) -> Request:
    """Read a request in the protocol's own shape."""
    tools = [tool.get("function", tool)["name"] for tool in body.get("tools", [])]
    schema: Json | None = None
    seen: list[Seen] = []
    if protocol == "anthropic":
        if body.get("system"):
            seen.append(Seen("system", body["system"]))
        for message in body["messages"]:
            seen += _anthropic_turn(message)
        if body.get("tool_choice", {}).get("type") == "tool":
            schema = body["tools"][0]["input_schema"]
    else:
        seen = [_turn(message) for message in body["messages"]]
        wanted = body.get("response_format", {})
        schema = wanted.get("json_schema", wanted).get("schema")
        if isinstance(body.get("format"), dict):
            schema = body["format"]
    return Request(protocol, path, headers, body, tuple(seen), tuple(tools), schema)


def _turn(message: Json) -> Seen:
    calls = tuple(
        Call(call["function"]["name"], call["function"]["arguments"], call.get("id", ""))
        for call in message.get("tool_calls") or ()
    )
    call_id = message.get("tool_call_id", "")
    return Seen(message["role"], message["content"] or "", calls, call_id)


def _anthropic_turn(message: Json) -> Iterator[Seen]:
    blocks = message["content"]
    if isinstance(blocks, str):
        blocks = [{"type": "text", "text": blocks}]
    for block in blocks:
        if block["type"] == "tool_result":
            yield Seen("tool", block["content"], (), block["tool_use_id"])
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = tuple(
        Call(block["name"], block["input"], block["id"])
        for block in blocks
        if block["type"] == "tool_use"
    )
    if text or calls:
        yield Seen(message["role"], text, calls)


def misfits(request: Request) -> Iterator[str]:
    """Name what real servers refuse: results without their call, calls without a result."""
    if not request.messages:
        yield "no messages"
    open_ids: list[str] = []
    open_calls = 0
    for seen in request.messages:
        if seen.role == "tool":
            open_calls -= 1
            if request.protocol != "ollama":
                if seen.call_id not in open_ids:
                    yield f"a result for {seen.call_id!r}, but open are {open_ids}"
                else:
                    open_ids.remove(seen.call_id)
        else:
            if open_calls > 0:
                yield f"{open_calls} calls were not answered before {seen.role}: {open_ids}"
            open_ids = [call.call_id for call in seen.calls]
            open_calls = len(open_ids)
            if len(set(open_ids)) != len(open_ids) and request.protocol != "ollama":
                yield f"ids of calls are not unique: {open_ids}"
    if open_calls > 0:
        yield f"{open_calls} calls were not answered: {open_ids}"


def unmet(expect: Expect, request: Request) -> Iterator[str]:
    """Name what of an item's expectations the request does not meet."""
    for expected in [expect] if isinstance(expect, str) else expect:
        if isinstance(expected, str):
            if expected not in request.text:
                yield f"{expected!r} is not in what was sent:\n{request.text}"
            continue
        try:
            if expected(request) is False:
                yield f"the check {expected!r} is False for:\n{request.text}"
        except (AssertionError, LookupError, TypeError, ValueError, AttributeError) as error:
            yield f"a check failed: {error!r} for:\n{request.text}"


def refusal_of(request: Request, quirks: frozenset[Quirk]) -> Fault | None:
    """Refuse as a server does that does not know a field; takes nothing from the script."""
    body = request.body
    wanted = body.get("response_format", {}).get("type") or body.get("format")
    is_schema = wanted == "json_schema" or isinstance(wanted, dict) or "tool_choice" in body
    refused: list[tuple[bool, Quirk, int, str]] = [
        (is_schema, "json_schema_500", 500, "grammar: cannot parse the response_format"),
        (wanted in ("json_object", "json"), "no_json_object", 400, "'json_object' is not known"),
        (bool(request.tools), "no_tools", 400, f"{request.model} does not support tools"),
        (
            "max_tokens" in body,
            "no_max_tokens",
            400,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        ),
        (
            "temperature" in body or "temperature" in body.get("options", {}),
            "no_temperature",
            400,
            "Unsupported value: 'temperature' does not support 0.0 with this model.",
        ),
        ("stream_options" in body, "no_stream_options", 422, "extra field: stream_options"),
    ]
    for present, quirk, status, message in refused:
        if present and quirk in quirks:
            return Fault(status=status, message=message)
    return None


# --- what goes out ---------------------------------------------------------------


def pieces_of(reply: Reply, request: Request, quirks: frozenset[Quirk], number: int) -> list[bytes]:
    """Write a reply as the pieces of its stream."""
    text = reply.text
    if "ignores_schema" in quirks and request.schema is not None and reply.text.startswith("{"):
        text = "Certainly, here you are."
    reply = Reply(
        text,
        reply.calls,
        None if "no_usage" in quirks else reply.tokens,
        reply.finish,
        reply.thinking,
        piece=reply.piece,
    )
    if request.protocol == "ollama":
        return [json.dumps(value).encode() + b"\n" for value in _ollama(reply, request.model)]
    if request.protocol == "anthropic":
        forced = request.body.get("tool_choice", {}).get("name", "")
        values = _anthropic(reply, forced, number)
        return [
            f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values
        ]
    pieces = [f"data: {json.dumps(value)}\n\n".encode() for value in _openai(reply, quirks, number)]
    if "comments" in quirks:
        pieces = [part for piece in pieces for part in (b": PROCESSING\n\n", piece)]
    return [*pieces, b"data: [DONE]\n\n"]


def _split(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _ids(reply: Reply, number: int, prefix: str) -> list[str]:
    return [call.call_id or f"{prefix}_{number}_{at}" for at, call in enumerate(reply.calls, 1)]


def _openai(reply: Reply, quirks: frozenset[Quirk], number: int) -> Iterator[Json]:
    def chunk(delta: Json, finish: str | None = None, **more: object) -> Json:
        return {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            **more,
        }

    yield chunk({"role": "assistant", "content": None})
    for piece in _split(reply.thinking, reply.piece):
        yield chunk({"reasoning_content": piece})
    for piece in _split(reply.text, reply.piece):
        yield chunk({"content": piece})
    if reply.calls and {"function_call", "only_function_call"} & quirks:
        first = reply.calls[0]
        yield chunk({"function_call": {"name": first.name, "arguments": ""}})
        for piece in _split(first.text, 3):
            yield chunk({"function_call": {"arguments": piece}})
    if "only_function_call" not in quirks:
        for part in _openai_calls(reply, quirks, number):
            yield chunk({"tool_calls": [part]})
    finish = reply.finish or ("tool_calls" if reply.calls else "stop")
    if reply.tokens is None:
        yield chunk({}, finish)
        return
    sent, received = reply.tokens
    usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
    if "usage_with_choice" in quirks:
        yield chunk({}, finish, usage=usage)
    else:
        yield chunk({}, finish, usage=None)
        yield {"object": "chat.completion.chunk", "choices": [], "usage": usage}


def _openai_calls(reply: Reply, quirks: frozenset[Quirk], number: int) -> Iterator[Json]:
    """Write calls in parts: the name first, then arguments, as the quirks want them."""
    ids = _ids(reply, number, "call")
    tails: list[list[Json]] = []
    for at, call in enumerate(reply.calls):
        index: Json = {} if "no_index" in quirks else {"index": 0 if "index_zero" in quirks else at}
        head = {**index, "type": "function"} | ({} if "no_ids" in quirks else {"id": ids[at]})
        if "object_args" in quirks:
            yield {**head, "function": {"name": call.name, "arguments": call.arguments}}
            continue
        size = 1 if "char_args" in quirks else 7
        tail = [{**index, "function": {"arguments": part}} for part in _split(call.text, size)]
        yield {**head, "function": {"name": call.name, "arguments": ""}}
        if "char_args" in quirks and index and "index_zero" not in quirks:
            tails.append(tail)
        else:
            yield from tail
    while any(tails):  # parallel calls arrive interleaved
        for tail in tails:
            if tail:
                yield tail.pop(0)


def _ollama(reply: Reply, model: str) -> Iterator[Json]:
    def line(message: Json) -> Json:
        return {"model": model, "message": {"role": "assistant", **message}, "done": False}

    for piece in _split(reply.thinking, reply.piece):
        yield line({"content": "", "thinking": piece})
    for piece in _split(reply.text, reply.piece):
        yield line({"content": piece})
    for call in reply.calls:
        function = {"name": call.name, "arguments": call.arguments}
        yield line({"content": "", "tool_calls": [{"function": function}]})
    last = {**line({"content": ""}), "done": True, "done_reason": reply.finish or "stop"}
    if reply.tokens is not None:
        last |= {"prompt_eval_count": reply.tokens[0], "eval_count": reply.tokens[1]}
    yield last


def _anthropic(reply: Reply, forced: str, number: int) -> Iterator[Json]:
    """Write events; where a tool is forced, the text becomes its input."""
    sent, received = reply.tokens or (0, 0)
    usage = {"input_tokens": sent, "output_tokens": 1} if reply.tokens else {}
    yield {"type": "message_start", "message": {"role": "assistant", "usage": usage}}
    yield {"type": "ping"}
    index = -1
    if reply.thinking:
        index += 1
        block = {"type": "thinking", "thinking": ""}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        delta = {"type": "thinking_delta", "thinking": reply.thinking}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    calls = list(zip(_ids(reply, number, "toolu"), reply.calls, strict=True))
    text = reply.text
    if forced and text and not calls:
        calls, text = [("toolu_forced", Call(forced, text))], ""
    if text:
        index += 1
        block = {"type": "text", "text": ""}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in _split(text, reply.piece):
            delta = {"type": "text_delta", "text": piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    for call_id, call in calls:
        index += 1
        block: Json = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in _split(call.text, 5):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    finish = reply.finish or ("tool_use" if calls else "end_turn")
    last: Json = {"type": "message_delta", "delta": {"stop_reason": finish}}
    yield last | ({"usage": {"output_tokens": received}} if reply.tokens else {})
    yield {"type": "message_stop"}


def stream_error(message: str, protocol: Protocol) -> bytes:
    """Write an error as it comes inside a stream that began well."""
    if protocol == "ollama":
        return json.dumps({"error": message}).encode() + b"\n"
    if protocol == "anthropic":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": message}}
        return f"event: error\ndata: {json.dumps(error)}\n\n".encode()
    return f"error: {json.dumps({'code': 500, 'message': message})}\n\n".encode()


def whole_body(reply: Reply, protocol: Protocol, number: int) -> Json:
    """Write a reply as one body, as servers do that do not stream."""
    if protocol == "ollama":
        *_, last = _ollama(Reply(tokens=reply.tokens), "")
        calls = [{"function": {"name": c.name, "arguments": c.arguments}} for c in reply.calls]
        return {**last, "message": {"content": reply.text, "tool_calls": calls}}
    sent, received = reply.tokens or (0, 0)
    if protocol == "anthropic":
        blocks: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
        for call_id, call in zip(_ids(reply, number, "toolu"), reply.calls, strict=True):
            tool_use = {"type": "tool_use", "id": call_id, "name": call.name}
            blocks.append({**tool_use, "input": call.arguments})
        return {
            "type": "message",
            "content": blocks,
            "stop_reason": "end_turn",
            "usage": {"input_tokens": sent, "output_tokens": received},
        }
    ids = _ids(reply, number, "call")
    calls = [
        {"id": call_id, "type": "function", "function": {"name": c.name, "arguments": c.text}}
        for call_id, c in zip(ids, reply.calls, strict=True)
    ]
    message = {"role": "assistant", "content": reply.text, "tool_calls": calls}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": sent, "completion_tokens": received},
    }
