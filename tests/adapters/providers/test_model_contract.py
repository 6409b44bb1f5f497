"""What every model adapter does, whatever its protocol: one suite, three times."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.adapters.providers.asking import (
    LIST,
    PLAN_SCHEMA,
    PROTOCOLS,
    READ,
    Pauses,
    asking,
    model_at,
)
from tests.model_server import Call, Fault, ModelServer, Protocol, Reply
from turbo_tui.adapters.providers.draft import STARTED_AGAIN
from turbo_tui.core.errors import (
    ContextTooLongError,
    ModelBusyError,
    ModelRefusedError,
    ModelReplyError,
    ModelUnreachableError,
)
from turbo_tui.core.models import Message, ModelRequest, OnDelta, ToolCall, Usage

pytestmark = pytest.mark.parametrize("protocol", PROTOCOLS)


async def test_text_streams_as_it_comes_and_is_whole_at_the_end(protocol: Protocol) -> None:
    script = [Reply("Grüße from 日本 🎉, dear user.", expect=["Be brief.", "hello"])]
    heard: list[str] = []
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(), heard.append)

        assert reply.text == "Grüße from 日本 🎉, dear user."
        assert "".join(heard) == reply.text
        assert len(heard) > 1
        assert reply.usage == Usage(12, 5, counted=True)
        assert reply.calls == ()
        assert model.name == "test-model"
        assert model.host == f"127.0.0.1:{server.port}"
        server.verify()


async def test_calls_and_their_results_make_a_round(protocol: Protocol) -> None:
    script = [
        Reply("Let me look.", calls=[Call("read", {"path": "a.py"}), Call("list")]),
        Reply(
            "It says x = 1.",
            expect=[
                "x = 1",
                lambda request: list(request.tool_results.values()) == ["x = 1", "a.py"],
                lambda request: request.tools == ("read", "list"),
            ],
        ),
    ]
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            asked = asking("what is in a.py?", tools=(READ, LIST))
            first = await model.complete(asked)
            one, two = first.calls
            told = ModelRequest(
                (
                    *asked.messages,
                    Message("assistant", first.text, first.calls),
                    Message("tool", "x = 1", call_id=one.call_id, tool="read"),
                    Message("tool", "a.py", call_id=two.call_id, tool="list"),
                ),
                tools=asked.tools,
            )
            second = await model.complete(told)

        assert first.text == "Let me look."
        assert (one.name, json.loads(one.arguments)) == ("read", {"path": "a.py"})
        assert (two.name, json.loads(two.arguments)) == ("list", {})
        assert one.call_id != two.call_id
        assert second.text == "It says x = 1."
        server.verify()


async def test_ids_of_calls_stay_unique_over_a_conversation(protocol: Protocol) -> None:
    script = [Reply(calls=[Call("list")]), Reply(calls=[Call("list")])]
    with ModelServer(script, quirks=["no_ids"]) as server:
        async with model_at(server, protocol) as model:
            first = await model.complete(asking(tools=(LIST,)))
            history = (
                *asking().messages,
                Message("assistant", "", first.calls),
                Message("tool", "", call_id=first.calls[0].call_id, tool="list"),
            )
            second = await model.complete(ModelRequest(history, tools=(LIST,)))

        assert first.calls[0].call_id
        assert second.calls[0].call_id not in {"", first.calls[0].call_id}
        server.verify()


async def test_a_document_is_asked_for_by_its_schema(protocol: Protocol) -> None:
    script = [Reply('{"steps": [1]}', expect=[lambda request: request.schema == PLAN_SCHEMA])]
    heard: list[str] = []
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(schema=PLAN_SCHEMA), heard.append)

        assert json.loads(reply.text) == {"steps": [1]}
        assert json.loads("".join(heard)) == {"steps": [1]}
        assert reply.calls == ()
        server.verify()


async def test_a_server_that_fails_on_a_schema_is_asked_in_words_and_remembered(
    protocol: Protocol,
) -> None:
    document = 'Of course:\n```json\n{"steps": []}\n```\nAnything else?'
    wish = "It must fit this JSON schema"
    script = [Reply(document, expect=[wish]), Reply(document, expect=[wish])]
    quirks = ("json_schema_500", "no_json_object")
    with ModelServer(script, quirks=quirks) as server:
        async with model_at(server, protocol) as model:
            first = await model.complete(asking(schema=PLAN_SCHEMA))
            asked = len(server.requests)
            second = await model.complete(asking(schema=PLAN_SCHEMA))

        assert first.text == second.text == '{"steps": []}'
        assert len(server.requests) == asked + 1
        server.verify()


async def test_a_server_that_ignores_the_schema_is_asked_in_words(protocol: Protocol) -> None:
    script = [Reply('{"steps": []}')] * 4
    with ModelServer(script, quirks=["ignores_schema", "no_json_object"]) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(schema=PLAN_SCHEMA))

        assert reply.text == '{"steps": []}'
        assert "JSON schema" in server.requests[-1].text


async def test_prose_instead_of_a_document_is_an_error_that_quotes_it(protocol: Protocol) -> None:
    with ModelServer([Reply("I would rather not.")] * 3) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelReplyError, match="I would rather not"):
                await model.complete(asking(schema=PLAN_SCHEMA))


async def test_a_document_that_was_cut_says_so(protocol: Protocol) -> None:
    finish = "max_tokens" if protocol == "anthropic" else "length"
    with ModelServer([Reply('{"steps": [1, 2', finish=finish)]) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelReplyError, match=r"cut at 50 tokens\. Raise max_tokens"):
                await model.complete(asking(schema=PLAN_SCHEMA, max_tokens=50))
        server.verify()


async def test_without_tool_calls_tools_are_described_and_called_in_text(
    protocol: Protocol,
) -> None:
    script = [
        Reply('I look.\n```tool\n{"name": "read", "arguments": {"path": "a.py"}}\n```'),
        Reply("done", expect=["Result of read:\nx = 1", "```tool", "- read: Read a file."]),
    ]
    with ModelServer(script, quirks=["no_tools"]) as server:
        async with model_at(server, protocol) as model:
            asked = asking(tools=(READ,))
            first = await model.complete(asked)
            (call,) = first.calls
            history = (
                *asked.messages,
                Message("assistant", first.text, first.calls),
                Message("tool", "x = 1", call_id=call.call_id, tool="read"),
            )
            second = await model.complete(ModelRequest(history, tools=(READ,)))

        assert first.text == "I look."
        assert (call.name, json.loads(call.arguments)) == ("read", {"path": "a.py"})
        assert call.call_id
        assert second.text == "done"
        assert len(server.requests) == 3
        server.verify()


async def test_a_call_written_as_bare_json_is_a_call(protocol: Protocol) -> None:
    script = [Reply('```json\n{"name": "read", "arguments": {"path": "a.py"}}\n```')]
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(tools=(READ,)))

        assert [call.name for call in reply.calls] == ["read"]
        assert reply.text == ""


async def test_thinking_is_not_part_of_the_text(protocol: Protocol) -> None:
    script = [Reply("4", thinking="two and two"), Reply("<think>two and two</think>\n\n4")]
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            assert (await model.complete(asking())).text == "4"
            assert (await model.complete(asking())).text == "4"


async def test_a_server_that_does_not_stream_is_read_too(protocol: Protocol) -> None:
    script = [Reply("All at once.", calls=[Call("read", {"path": "a"})])]
    with ModelServer(script, quirks=["not_streaming"]) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(tools=(READ,)))

        assert reply.text == "All at once."
        assert [json.loads(call.arguments) for call in reply.calls] == [{"path": "a"}]
        assert reply.usage == Usage(12, 5, counted=True)


async def test_no_word_about_tokens_is_not_counted_and_costs_nothing_known(
    protocol: Protocol,
) -> None:
    with ModelServer([Reply("hi")], quirks=["no_usage"]) as server:
        async with model_at(server, protocol, price_in_usd=1.0, price_out_usd=2.0) as model:
            reply = await model.complete(asking())

        assert not reply.usage.counted
        assert reply.cost_usd is None


async def test_a_known_price_gives_the_cost(protocol: Protocol) -> None:
    with ModelServer([Reply("hi", tokens=(1_000_000, 500_000))]) as server:
        async with model_at(server, protocol, price_in_usd=3.0, price_out_usd=15.0) as model:
            reply = await model.complete(asking())

        assert reply.cost_usd == pytest.approx(10.5)


async def test_a_busy_server_is_asked_again_after_the_time_it_names(protocol: Protocol) -> None:
    pauses = Pauses()
    with ModelServer([Fault(status=429, retry_after=7), Reply("now")]) as server:
        async with model_at(server, protocol, pauses) as model:
            reply = await model.complete(asking())

        assert reply.text == "now"
        assert pauses == [7.0]
        server.verify()


async def test_a_server_that_wants_an_hour_is_not_waited_for(protocol: Protocol) -> None:
    pauses = Pauses()
    with ModelServer([Fault(status=429, retry_after=3600)]) as server:
        async with model_at(server, protocol, pauses) as model:
            with pytest.raises(ModelBusyError, match=r"429.*asks to wait 3600 s"):
                await model.complete(asking())
        assert pauses == []
        server.verify()


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failing_server_is_asked_a_bounded_number_of_times(
    protocol: Protocol, status: int
) -> None:
    pauses = Pauses()
    with ModelServer([Fault(status=status, message="out of order")] * 4) as server:
        async with model_at(server, protocol, pauses) as model:
            with pytest.raises(ModelBusyError, match=f"{model.host} answered {status}: out of"):
                await model.complete(asking())
        assert pauses == [0.5, 1.0, 2.0]
        server.verify()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_named_once_and_never_shown(protocol: Protocol, status: int) -> None:
    script = [Fault(status=status, message="Incorrect key provided: sk-very-secret")]
    with ModelServer(script) as server:
        async with model_at(server, protocol, key="sk-very-secret\n") as model:
            with pytest.raises(ModelRefusedError, match="key was refused: check it") as caught:
                await model.complete(asking())

        assert "sk-very-secret" not in f"{caught.value!r} {caught.value} {model!r}"
        assert f"answered {status}" in str(caught.value)
        assert "sk-very-secret" in " ".join(server.requests[0].headers.values())
        server.verify()


async def test_a_missing_key_is_asked_for(protocol: Protocol) -> None:
    with ModelServer([Reply("hi")], key="sk-1") as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(
                ModelRefusedError, match=r"none is set for it: .* key_env = \"ITS_NAME\"\."
            ):
                await model.complete(asking())
        async with model_at(server, protocol, key="sk-1") as model:
            assert (await model.complete(asking())).text == "hi"


async def test_a_missing_model_is_named_with_those_there_are(protocol: Protocol) -> None:
    script = [Fault(status=404, message="model 'nope' not found")]
    with ModelServer(script, models=("qwen:7b", "llama\x1b[31m:8b")) as server:
        async with model_at(server, protocol, model="nope") as model:
            with pytest.raises(ModelRefusedError, match=r"It has: qwen:7b, llama \[31m:8b") as got:
                await model.complete(asking())

        assert ("ollama pull nope" in str(got.value)) == (protocol == "ollama")


async def test_a_wrong_path_is_told_apart_from_a_missing_model(protocol: Protocol) -> None:
    with ModelServer([Fault(status=404, message="page not found")]) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelRefusedError, match="It lists test-model, so base_url"):
                await model.complete(asking())


async def test_nobody_at_the_address_is_said_with_what_to_do(protocol: Protocol) -> None:
    pauses = Pauses()
    with ModelServer() as server:
        pass
    async with model_at(server, protocol, pauses) as model:
        with pytest.raises(ModelUnreachableError, match="cannot be reached") as caught:
            await model.complete(asking())
    assert ("ollama serve" in str(caught.value)) == (protocol == "ollama")
    assert len(pauses) == 1


async def test_a_broken_connection_is_repeated_without_doubling_text(protocol: Protocol) -> None:
    script = [Fault(disconnect_after=5, reply=Reply("Hello again, and again.", piece=3))]
    heard: list[str] = []
    with ModelServer([*script, Reply("Hello again, and again.")]) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(), heard.append)

        assert reply.text == "Hello again, and again."
        assert "".join(heard) == "Hello again, and again."
        server.verify()


async def test_another_text_after_a_break_is_announced(protocol: Protocol) -> None:
    script = [Fault(disconnect_after=6, reply=Reply("First answer.", piece=3)), Reply("Second.")]
    heard: list[str] = []
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking(), heard.append)

        assert reply.text == "Second."
        assert "".join(heard).startswith("First")
        assert "".join(heard).endswith(f"{STARTED_AGAIN}Second.")


@pytest.mark.parametrize("after", [0, 4])
async def test_a_connection_that_always_breaks_is_given_up(protocol: Protocol, after: int) -> None:
    pauses = Pauses()
    with ModelServer([Fault(disconnect_after=after)] * 4) as server:
        async with model_at(server, protocol, pauses) as model:
            with pytest.raises(ModelUnreachableError, match="broke off the reply of test-model"):
                await model.complete(asking())
        assert len(pauses) == 3
        server.verify()


async def test_a_stream_without_its_end_is_not_taken_for_whole(protocol: Protocol) -> None:
    with ModelServer([Fault(cut=True), Reply("whole")]) as server:
        async with model_at(server, protocol) as model:
            assert (await model.complete(asking())).text == "whole"
        server.verify()


async def test_silence_is_repeated_once_and_then_said(protocol: Protocol) -> None:
    pauses = Pauses()
    with ModelServer([Fault(hang=True), Fault(hang_after=2)]) as server:
        async with model_at(server, protocol, pauses, timeout_s=0.5) as model:
            with pytest.raises(ModelUnreachableError, match=r"sent nothing for 0\.5 s"):
                await model.complete(asking())
        assert len(pauses) == 1
        server.verify()


async def test_garbled_pieces_are_repeated_then_quoted(protocol: Protocol) -> None:
    with ModelServer([Fault(malformed=True), Reply("fine")]) as server:
        async with model_at(server, protocol) as model:
            assert (await model.complete(asking())).text == "fine"
        server.verify()
    with ModelServer([Fault(malformed=True)] * 4) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelReplyError, match=r"a piece that is not JSON: \{\""):
                await model.complete(asking())
        server.verify()


async def test_an_error_inside_a_good_stream_is_an_error(protocol: Protocol) -> None:
    with ModelServer([Fault(error_in_stream="Overloaded")] * 4) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelBusyError, match="Overloaded"):
                await model.complete(asking())
        server.verify()


async def test_a_context_too_long_inside_a_stream_is_told_apart(protocol: Protocol) -> None:
    message = "the request exceeds the available context size, try increasing it"
    with ModelServer([Fault(error_in_stream=message)]) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ContextTooLongError, match="less context"):
                await model.complete(asking())
        server.verify()


async def test_an_empty_reply_is_asked_again_and_then_said(protocol: Protocol) -> None:
    with ModelServer([Reply(""), Reply(" \n")]) as server:
        async with model_at(server, protocol) as model:
            with pytest.raises(ModelReplyError, match="test-model gave an empty reply"):
                await model.complete(asking())
        server.verify()


async def test_a_cancelled_request_leaves_the_server_at_once(protocol: Protocol) -> None:
    heard = asyncio.Event()
    with ModelServer([Fault(hang_after=4)]) as server:
        async with model_at(server, protocol) as model:
            request = asyncio.create_task(model.complete(asking(), heard_by(heard)))
            await heard.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request

            # The server would hang forever, and the model's own patience is two minutes.
            assert await asyncio.to_thread(server.client_gone.wait, 60)


async def test_a_redirect_is_not_followed_with_the_key(protocol: Protocol) -> None:
    with ModelServer([Reply("stolen")]) as other:
        elsewhere = f"{other.base_url(protocol)}/x?key=1"
        with ModelServer([Fault(redirect=elsewhere)]) as server:
            async with model_at(server, protocol, key="sk-1") as model:
                with pytest.raises(ModelRefusedError, match=f"go to .*{other.port}.* base_url"):
                    await model.complete(asking())
        assert other.requests == []


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with ModelServer([Reply("direct")]) as server:
            async with model_at(server, protocol) as model:
                assert (await model.complete(asking())).text == "direct"
        assert proxy.requests == []


async def test_a_model_may_be_asked_again_after_close(protocol: Protocol) -> None:
    with ModelServer([Reply("one"), Reply("two")]) as server:
        async with model_at(server, protocol) as model:
            assert (await model.complete(asking())).text == "one"
            await model.close()
            assert (await model.complete(asking())).text == "two"


async def test_names_that_are_not_utf8_do_not_stop_a_request(protocol: Protocol) -> None:
    with ModelServer([Reply("ok", expect=["caf?.py"])]) as server:
        async with model_at(server, protocol) as model:
            reply = await model.complete(asking("see caf\udce9.py"))
        assert reply.text == "ok"
        server.verify()


async def test_arguments_that_are_no_object_go_back_as_one(protocol: Protocol) -> None:
    history = (
        *asking().messages,
        Message("assistant", "", (ToolCall("c1", "read", '{"path": '),)),
        Message("tool", "not JSON", call_id="c1", tool="read"),
    )
    script = [Reply("sorry", expect=["not JSON"])]
    with ModelServer(script) as server:
        async with model_at(server, protocol) as model:
            await model.complete(ModelRequest(history, tools=(READ,)))

        (sent,) = [call for seen in server.requests[0].messages for call in seen.calls]
        assert json.loads(sent.text) == {"unreadable": '{"path": '}
        server.verify()


def heard_by(event: asyncio.Event) -> OnDelta:
    return lambda _: event.set()
