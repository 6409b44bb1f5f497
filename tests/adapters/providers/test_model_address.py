"""Addresses: what users type, what is refused, and that keys stay hidden."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.adapters.providers.asking import address_at
from tests.model_server import Call, Fault, ModelServer, Protocol, Reply
from turbo_tui.adapters.providers import Kind, ModelAddress, check, probe_local
from turbo_tui.adapters.providers.probe import Found
from turbo_tui.core.errors import ConfigError, ModelRefusedError


@pytest.mark.parametrize(
    ("kind", "typed", "root"),
    [
        ("openai", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("openai", "http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        ("openai", "https://x.org/api/v1/chat/completions", "https://x.org/api/v1"),
        ("ollama", "127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("ollama", "https://ollama.com/api", "https://ollama.com"),
        ("ollama", "http://localhost:11434/v1", "http://localhost:11434"),
        ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
    ],
)
def test_an_address_is_understood_as_it_is_pasted(kind: Kind, typed: str, root: str) -> None:
    assert ModelAddress(kind, typed, "m").root == root


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ftp://x", "not an address"),
        ("http://", "not an address"),
        ("http://x:99999", "not an address"),
        ("http://[::1", "not an address"),
        ("http://me:hunter2@x.org", "set the key instead"),
        ("ftp://me:hunter2@x.org", "not an address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(
    typed: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        ModelAddress("openai", typed, "m")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-1\nx: y", "sk-“1”", "sk\x00"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ConfigError, match="copy it again") as caught:
        ModelAddress("openai", "http://x", "m", key=key)
    assert key not in str(caught.value)


def test_a_key_is_not_in_the_repr() -> None:
    assert "sk-1" not in repr(ModelAddress("openai", "http://x", "m", key="sk-1"))


def test_an_unknown_kind_and_a_missing_model_are_named() -> None:
    with pytest.raises(ConfigError, match="'grpc' is not one of openai, ollama, anthropic"):
        ModelAddress("grpc", "http://x", "m")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="no model is named for x"):
        ModelAddress("openai", "http://x", " ")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("http://localhost", True),
        ("http://a.localhost", True),
        ("http://127.0.0.1.evil.org", False),
        ("http://192.168.0.1", False),
    ],
)
def test_loopback_is_told_from_the_rest(url: str, local: bool) -> None:  # noqa: FBT001
    assert ModelAddress("openai", url, "m").is_loopback is local


def test_importing_the_models_brings_no_http() -> None:
    code = "import sys, turbo_tui.adapters.providers; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_local_servers_are_found_with_their_models() -> None:
    with ModelServer(models=("qwen2.5-coder:7b",)) as one, ModelServer(models=()) as two:
        with ModelServer() as gone:
            pass
        servers: list[tuple[Kind, str]] = [
            ("ollama", one.base_url("ollama")),
            ("openai", gone.base_url("openai")),
            ("openai", two.base_url("openai")),
            ("openai", two.base_url("ollama") + "/other/trade"),
        ]
        found = await probe_local(servers, timeout_s=5)

    assert found == [
        Found("ollama", one.base_url("ollama"), ("qwen2.5-coder:7b",)),
        Found("openai", two.base_url("openai"), ()),
    ]


async def test_a_silent_port_does_not_hold_the_search_up() -> None:
    held = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        held.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = int(silent.sockets[0].getsockname()[1])
    # Nothing is ever answered, so only the search's own patience can end it.
    found = await probe_local([("openai", f"http://127.0.0.1:{port}")], timeout_s=1.0)
    assert found == []
    await asyncio.wait_for(held.wait(), 60)
    silent.close()


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"data": 3}', b"\xff\xfe", b""])
async def test_a_server_of_another_trade_is_left_out(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    assert await probe_local([("openai", url), ("ollama", url)], timeout_s=5) == []
    server.close()


@pytest.mark.parametrize("protocol", ["openai", "ollama", "anthropic"])
async def test_a_check_says_who_answered_and_how_fast(protocol: Protocol) -> None:
    with ModelServer([Reply("ready"), Reply("", thinking="hm", finish="length")]) as server:
        said = await check(address_at(server, protocol))
        assert said.startswith("connected: test-model answered in ")
        assert said.endswith(" s")
        assert "answered" in await check(address_at(server, protocol, retries=0))


async def test_a_check_says_what_is_wrong() -> None:
    with (
        ModelServer([Fault(status=401, message="no")]) as server,
        pytest.raises(ModelRefusedError, match="wants a key"),
    ):
        await check(address_at(server, "openai"))


async def test_the_server_tells_what_was_not_as_scripted() -> None:
    """The model server itself: other tests lean on what it finds."""
    script = [
        Reply("a", expect=["not there", lambda request: request.model == "other"]),
        Reply("b", expect=[lambda request: request.tool_results["nope"] == ""]),
        Reply("never", calls=[Call("x")]),
    ]
    with ModelServer(script) as server:
        for _ in range(2):
            await check(address_at(server, "openai"))
        with pytest.raises(AssertionError) as caught:
            server.verify()
    said = str(caught.value)
    for words in ("'not there' is not in", "is False", "KeyError", "never asked for: Reply"):
        assert words in said


async def test_the_server_gives_each_model_its_own_replies() -> None:
    from tests.adapters.providers.asking import asking, model_at

    with ModelServer([Reply("plan", model="big"), Reply("code", model="small")]) as server:
        async with model_at(server, "openai", model="small") as small:
            assert (await small.complete(asking())).text == "code"
        async with model_at(server, "ollama", model="big") as big:
            assert (await big.complete(asking())).text == "plan"
        server.wait_for_requests(2)
        server.verify()
