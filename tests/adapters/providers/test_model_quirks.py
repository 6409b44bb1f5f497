"""What single servers do in their own way, and what of it the adapters bear."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.adapters.providers.asking import (
    LIST,
    PLAN_SCHEMA,
    READ,
    Pauses,
    address_at,
    asking,
    model_at,
)
from tests.model_server import Call, Fault, ModelServer, Protocol, Quirk, Reply
from turbo_tui.adapters.providers import ModelAddress, http_model, make_model
from turbo_tui.core.errors import (
    ContextTooLongError,
    ModelBusyError,
    ModelRefusedError,
    ModelReplyError,
    ModelUnreachableError,
)
from turbo_tui.core.models import Message, ModelRequest, ToolCall, Usage

TWO_CALLS = [Call("read", {"path": "a b.py"}), Call("read", {"path": "c.py"})]


@pytest.mark.parametrize(
    "quirks",
    [
        ["char_args"],
        ["char_args", "function_call"],
        ["char_args", "no_index"],
        ["char_args", "index_zero"],
        ["no_index"],
        ["no_index", "no_ids"],
        ["object_args"],
        ["object_args", "no_index", "no_ids"],
        ["comments"],
    ],
)
async def test_parallel_calls_come_whole_however_they_are_sent(quirks: list[Quirk]) -> None:
    with ModelServer([Reply(calls=TWO_CALLS)], quirks=quirks) as server:
        async with model_at(server, "openai") as model:
            reply = await model.complete(asking(tools=(READ,)))

    assert [call.name for call in reply.calls] == ["read", "read"]
    assert [json.loads(call.arguments) for call in reply.calls] == [
        {"path": "a b.py"},
        {"path": "c.py"},
    ]
    assert len({call.call_id for call in reply.calls}) == 2
    assert reply.finish == "tool_calls"


async def test_a_call_only_in_the_legacy_field_is_a_call() -> None:
    with ModelServer([Reply(calls=TWO_CALLS[:1])], quirks=["only_function_call"]) as server:
        async with model_at(server, "openai") as model:
            (call,) = (await model.complete(asking(tools=(READ,)))).calls

    assert (call.name, json.loads(call.arguments)) == ("read", {"path": "a b.py"})
    assert call.call_id


async def test_usage_beside_the_last_choice_counts() -> None:
    with ModelServer([Reply("hi")], quirks=["usage_with_choice"]) as server:
        async with model_at(server, "openai") as model:
            assert (await model.complete(asking())).usage == Usage(12, 5, counted=True)


async def test_llama_cpp_takes_the_schema_beside_json_object() -> None:
    """500 to `json_schema`, yet `{"type": "json_object", "schema": …}` is understood."""
    script = [Reply('{"steps": []}'), Reply('{"steps": [2]}')]
    with ModelServer(script, quirks=["json_schema_500", "no_usage"]) as server:
        async with model_at(server, "openai") as model:
            await model.complete(asking(schema=PLAN_SCHEMA))
            reply = await model.complete(asking(schema=PLAN_SCHEMA))

        formats = [request.body["response_format"] for request in server.requests]
        assert [wanted["type"] for wanted in formats] == ["json_schema"] + ["json_object"] * 2
        assert formats[1]["schema"] == PLAN_SCHEMA
        assert reply.text == '{"steps": [2]}'
        server.verify()


@pytest.mark.parametrize("quirk", ["no_max_tokens", "no_temperature", "no_stream_options"])
async def test_a_field_that_is_refused_is_left_out_from_then_on(quirk: Quirk) -> None:
    with ModelServer([Reply("one"), Reply("two")], quirks=[quirk]) as server:
        async with model_at(server, "openai") as model:
            assert (await model.complete(asking(max_tokens=77))).text == "one"
            assert (await model.complete(asking(max_tokens=77))).text == "two"

        assert len(server.requests) == 3
        limit = server.requests[-1].body.get("max_completion_tokens") or 77
        assert limit == 77
        server.verify()


@pytest.mark.parametrize("protocol", ["ollama", "anthropic"])
async def test_a_model_with_its_own_temperature_is_left_alone(protocol: Protocol) -> None:
    with ModelServer([Reply("one")], quirks=["no_temperature"]) as server:
        async with model_at(server, protocol) as model:
            assert (await model.complete(asking())).text == "one"


async def test_ollama_gets_the_window_and_must_not_cut_silently() -> None:
    with ModelServer([Reply("hi")]) as server:
        async with model_at(server, "ollama", context_tokens=16_384, key="k") as model:
            await model.complete(asking(max_tokens=9))

        body = server.requests[0].body
        assert body["options"] == {"num_ctx": 16_384, "num_predict": 9, "temperature": 0.0}
        assert (body["truncate"], body["shift"]) == (False, False)
        assert server.requests[0].headers["authorization"] == "Bearer k"


async def test_anthropic_gets_results_together_and_the_system_prompt_apart() -> None:
    calls = (ToolCall("a:1", "list", "{}"), ToolCall("a:2", "list", "{}"))
    history = (
        *asking().messages,
        Message("assistant", " ", calls),
        Message("tool", "", call_id="a:1", tool="list"),
        Message("tool", "b", call_id="a:2", tool="list"),
        Message("user", "go on"),
    )
    with ModelServer([Reply("ok")]) as server:
        async with model_at(server, "anthropic", key="k") as model:
            await model.complete(ModelRequest(history, tools=(LIST,)))

        body = server.requests[0].body
        assert body["system"] == "Be brief."
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
        assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"] * 2
        results = [block.get("tool_use_id") for block in body["messages"][2]["content"]]
        assert results == ["a_1", "a_2", None]
        headers = server.requests[0].headers
        assert (headers["x-api-key"], headers["anthropic-version"]) == ("k", "2023-06-01")
        server.verify()


async def test_anthropic_reads_a_history_of_calls_as_text_where_no_tool_is_offered() -> None:
    history = (
        *asking().messages,
        Message("assistant", "", (ToolCall("c1", "list", "{}"),)),
        Message("tool", "a.py", call_id="c1", tool="list"),
    )
    script = [Reply("a summary", expect=["Result of list:\na.py", '{"name": "list"'])]
    with ModelServer(script) as server:
        async with model_at(server, "anthropic") as model:
            assert (await model.complete(ModelRequest(history))).text == "a summary"
        server.verify()


async def test_anthropic_gives_a_document_in_one_body_too() -> None:
    body = json.dumps(
        {
            "type": "message",
            "content": [{"type": "tool_use", "name": "give_document", "input": {"steps": []}}],
            "stop_reason": "tool_use",
        }
    )
    with ModelServer([Fault(status=200, body=body.encode())]) as server:
        async with model_at(server, "anthropic") as model:
            reply = await model.complete(asking(schema=PLAN_SCHEMA))
    assert json.loads(reply.text) == {"steps": []}


@pytest.mark.parametrize(
    ("status", "wording"),
    [
        (400, "This model's maximum context length is 8192 tokens. However, your messages"),
        (400, "Your input exceeds the context window of this model. Please adjust your input"),
        (500, "the request exceeds the available context size. try increasing the context size"),
        (400, "request (4390 tokens) exceeds the available context size (4096 tokens)"),
        (500, "Context size has been exceeded."),
        (400, "The decoder prompt (length 8357) is longer than the maximum model length of 8192."),
        (400, "prompt is too long: 215000 tokens > 200000 maximum"),
        (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        (400, "the input length exceeds the context length"),
        (400, "Trying to keep the first 5000 tokens when context the overflows."),
        (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum"),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed"),
        (400, "Please reduce the length of the messages or completion."),
        (413, "Payload too large"),
    ],
)
async def test_real_wordings_of_a_full_window_are_understood(status: int, wording: str) -> None:
    with ModelServer([Fault(status=status, message=wording)]) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ContextTooLongError, match="give it less context"):
                await model.complete(asking(schema=PLAN_SCHEMA, tools=(READ,)))
        server.verify()


@pytest.mark.parametrize(
    ("status", "wording"),
    [
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (500, "tools param requires --jinja flag"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'),
        (404, "No endpoints found that support tool use."),
    ],
)
async def test_real_wordings_of_no_tools_lead_to_tools_in_text(status: int, wording: str) -> None:
    script = [Fault(status=status, message=wording), Reply("ok", expect=["- read: Read a file."])]
    with ModelServer(script) as server:
        async with model_at(server, "openai") as model:
            assert (await model.complete(asking(tools=(READ,)))).text == "ok"
        server.verify()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=429, message="insufficient_quota: check billing"), "no credit left"),
        (Fault(status=402, message="Payment Required"), "no credit left"),
        (Fault(status=400, message="gpt-9 is not a valid model ID"), "It has: test-model"),
    ],
)
async def test_what_waiting_does_not_mend_is_not_repeated(fault: Fault, words: str) -> None:
    with ModelServer([fault]) as server:
        async with model_at(server, "openai", model="gpt-9") as model:
            with pytest.raises(ModelRefusedError, match=words):
                await model.complete(asking())
        server.verify()


async def test_a_server_without_any_model_says_how_to_get_one() -> None:
    with ModelServer([Fault(status=404, message="model not found")], models=()) as server:
        async with model_at(server, "ollama", model="qwen") as model:
            with pytest.raises(ModelRefusedError, match=r"no model at all\. Get it with `ollama"):
                await model.complete(asking())


async def test_a_page_of_a_proxy_is_told_in_one_line() -> None:
    page = b"<html>\n<h1>502 Bad\x1b[2J Gateway</h1></html>"
    with ModelServer([Fault(status=502, body=page)] * 4) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ModelBusyError, match=r"answered 502: 502 Bad \[2J Gateway\. Try"):
                await model.complete(asking())


LOGIN = b"""<!DOCTYPE html>
<html><head><title>Sign in &amp; go\x1b[2J on</title><style>b {color: red}</style></head></html>
"""


@pytest.mark.parametrize("said_to_be", ["text/html; charset=utf-8", "text/plain", ""])
async def test_a_web_page_in_place_of_a_reply_leads_to_the_address(said_to_be: str) -> None:
    pauses = Pauses()
    with ModelServer([Fault(status=200, body=LOGIN, content_type=said_to_be)]) as server:
        async with model_at(server, "openai", pauses) as model:
            with pytest.raises(ModelRefusedError, match="answered with a web page") as caught:
                await model.complete(asking())
        server.verify()

    said = str(caught.value)
    assert f"Is base_url ({server.base_url('openai')}) right? Most" in said
    assert "end in /v1" in said
    assert "in a browser" in said
    assert pauses == [], "a page stays one"
    if "html" in said_to_be:
        assert "(“Sign in & go [2J on”)" in said


async def test_an_odd_request_is_refused_with_the_servers_words() -> None:
    with ModelServer([Fault(status=422, message="messages.0: no such role")]) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ModelReplyError, match=r"422: messages\.0: no such role"):
                await model.complete(asking())


async def test_an_error_object_in_a_body_of_status_200_is_an_error() -> None:
    body = b'{"error": {"code": 400, "message": "bad", "type": "exceed_context_size_error"}}'
    with ModelServer([Fault(status=200, body=body)]) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ContextTooLongError):
                await model.complete(asking())


async def test_characters_that_python_splits_lines_at_stay_in_the_text() -> None:
    body = json.dumps(
        {"message": {"content": "a\u2028b\u0085c"}, "done": True}, ensure_ascii=False
    ).encode()
    with ModelServer([Fault(status=200, body=body + b"\n" + b'{"done": true}')]) as server:
        async with model_at(server, "ollama") as model:
            assert (await model.complete(asking())).text == "a\u2028b\u0085c"


async def test_an_emoji_split_over_two_pieces_comes_together() -> None:
    lines = [
        b'{"message": {"content": "\\ud83c"}, "done": false}',
        b'{"message": {"content": "\\udf89 and \\ud83c"}, "done": true}',
    ]
    with ModelServer([Fault(status=200, body=b"\n".join(lines))]) as server:
        async with model_at(server, "ollama") as model:
            assert (await model.complete(asking())).text == "🎉 and \ufffd"


async def test_typed_parts_of_a_content_give_their_text() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    with ModelServer([Fault(status=200, body=json.dumps(body).encode())]) as server:
        async with model_at(server, "openai") as model:
            assert (await model.complete(asking())).text == "hi"


async def test_all_tokens_spent_on_thinking_is_said_and_not_repeated() -> None:
    with ModelServer([Reply("", thinking="hm", finish="length")]) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ModelReplyError, match="went into thinking; raise max_tokens"):
                await model.complete(asking())
        server.verify()


async def test_a_reply_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_model, "MOST_REPLY_BYTES", 2000)
    with ModelServer([Reply("la " * 1000)]) as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(ModelReplyError, match="was cut off"):
                await model.complete(asking())
        server.verify()


async def test_a_nameserver_that_knows_no_such_host_is_said() -> None:
    model = make_model(ModelAddress("openai", "https://nowhere.invalid", "m", retries=0))
    with pytest.raises(ModelUnreachableError, match=r"nowhere\.invalid cannot be reached.*network"):
        await model.complete(asking())
    await model.close()


async def test_an_address_no_request_can_go_to_is_said() -> None:
    model = make_model(ModelAddress("openai", "http://ä..b", "m"))
    with pytest.raises(ModelUnreachableError, match="is no address"):
        await model.complete(asking())
    await model.close()


async def test_a_date_to_come_back_at_is_understood() -> None:
    pauses = Pauses()
    past, future = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2099 07:28:00 GMT"
    faults = [Fault(status=503, retry_after=when) for when in (past, "soon", future)]
    with ModelServer(faults) as server:
        async with model_at(server, "openai", pauses) as model:
            with pytest.raises(ModelBusyError, match=r"still be loading.*asks to wait"):
                await model.complete(asking())
        assert pauses == [0.5, 1.0]
        server.verify()


async def test_a_reply_whose_compression_is_broken_is_said() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n"
        writer.write(head + b"abc")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    model = make_model(ModelAddress("openai", f"127.0.0.1:{port}", "m", retries=0))
    with pytest.raises(ModelReplyError, match="compression is broken"):
        await model.complete(asking())
    await model.close()
    server.close()


async def test_two_requests_at_once_do_not_mix() -> None:
    with ModelServer([Reply("one " * 50), Reply("one " * 50)]) as server:
        model = make_model(address_at(server, "openai"))
        replies = await asyncio.gather(*(model.complete(asking()) for _ in range(2)))
        await model.close()
    assert [reply.text for reply in replies] == ["one " * 50] * 2
