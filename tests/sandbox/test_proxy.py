"""The network by host: what is on the list is reached, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    descriptors,
    left_open,
    needs_bubblewrap,
    outside,
    place_in,
    script,
)
from turbo_tui.core.command import Command, Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine import proxy as proxy_module
from turbo_tui.sandbox.confine import reaching as reaching_module
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.hosts import AllowList, HostRule, normal_host
from turbo_tui.sandbox.confine.proxy import (
    HEAD_BYTES,
    MOST_CONNECTIONS,
    MOST_NOTED,
    Attempt,
    Proxy,
)
from turbo_tui.sandbox.confine.proxy_requests import Refused, read_request
from turbo_tui.sandbox.confine.reaching import inner_python, proxy_variables
from turbo_tui.sandbox.place import Place

# --- rules -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "allowed", "not_allowed"),
    [
        (
            "pypi.org",
            [("pypi.org", 443), ("pypi.org", 80)],
            [("pypi.org", 22), ("evil.pypi.org", 443), ("pypi.org.evil", 443), ("xpypi.org", 443)],
        ),
        ("PyPI.org.", [("pypi.org", 443)], [("pypi.org", 8443)]),
        ("pypi.org:8443", [("pypi.org", 8443)], [("pypi.org", 443)]),
        (
            "*.pypi.org",
            [("a.pypi.org", 443), ("b.a.pypi.org", 80)],
            [("pypi.org", 443), ("apypi.org", 443), ("a.pypi.org", 22)],
        ),
        ("*.pypi.org:22", [("a.pypi.org", 22)], [("a.pypi.org", 443)]),
        ("127.0.0.1:8000", [("127.0.0.1", 8000)], [("127.0.0.2", 8000), ("localhost", 8000)]),
        ("[::1]:8000", [("::1", 8000)], [("::2", 8000)]),
        ("[2001:DB8:0::1]", [("2001:db8::1", 443)], [("2001:db8::2", 443)]),
    ],
)
def test_a_rule_allows_what_it_names(
    rule: str, allowed: list[tuple[str, int]], not_allowed: list[tuple[str, int]]
) -> None:
    hosts = AllowList([rule])

    assert [hosts.allows(*where) for where in allowed] == [True] * len(allowed)
    assert [hosts.allows(*where) for where in not_allowed] == [False] * len(not_allowed)


def test_an_empty_list_allows_nothing() -> None:
    hosts = AllowList([])

    assert not hosts.allows("pypi.org", 443)
    assert not hosts.allows("", 443)
    assert not hosts.allows("localhost", 80)


ODD = [
    *("", ".", "*", "*.", "*.org", "*.127.0.0.1", "a..b", "-a.b", "a-.b", "a b", " pypi.org"),
    *("pypi.org\0", "pypi.org\0.evil", "pypi.org\n", "pypi.org\r\nX: y", "user@pypi.org"),
    *("https://pypi.org", "pypi.org/simple", "pypi.org:0", "pypi.org:65536", "pypi.org:x"),
    *(
        "pypi.org:",
        "pypi.org:٤٤٣",
        "pypi.org:+443",
        "::1",
        "a:1:2",
        "[::1",
        "[::1%lo]",
        "[pypi.org]",
    ),
    *("0x7f.1", "0x7f000001", "2130706433", "127.1", "127.0.0.01", "0177.0.0.1", "1.2.3.4.5"),
    *("127.0.0.0x1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[::7f00:1]", "[2002:7f00:1::]"),
    *(
        "straße.de",
        "pypi\u3002org",
        "\uff50ypi.org",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "pypi.org..",
        "*a.b",
    ),
    *("a.*.b", "pypi.org?", "pypi.org#", "pypi.org\\x", "pypi%2eorg", "*.*.org"),
]


@pytest.mark.parametrize("text", ODD)
def test_what_could_be_read_in_two_ways_is_no_rule(text: str) -> None:
    with pytest.raises(SandboxError, match="cannot be granted as a host"):
        HostRule.parse(text)


def test_a_name_has_one_form() -> None:
    assert normal_host("EXAMPLE.Org.") == "example.org"
    assert normal_host("xn--strae-oqa.de") == "xn--strae-oqa.de"
    assert normal_host("127.0.0.1") == "127.0.0.1"
    assert normal_host("[0:0:0:0:0:0:0:1]") == "::1"
    assert normal_host("1.2.3.4.example") == "1.2.3.4.example"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "224.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::a00:1"),
    ],
)
def test_a_listed_name_does_not_lead_to_this_machine_or_its_neighbours(address: str) -> None:
    assert not AllowList(["a.example"]).allows_address(address, "a.example", 443)


def test_an_address_that_is_public_or_named_may_be_connected_to() -> None:
    hosts = AllowList(["a.example", "10.0.0.1", "localhost:8000", "[fd00::1]:443"])

    assert hosts.allows_address("93.184.215.14", "a.example", 443)
    assert hosts.allows_address("2606:2800:21f::1", "a.example", 443)
    assert hosts.allows_address("10.0.0.1", "a.example", 443)
    assert hosts.allows_address("::ffff:10.0.0.1", "10.0.0.1", 443)
    assert hosts.allows_address("fd00::1", "a.example", 443)
    assert not hosts.allows_address("10.0.0.1", "a.example", 22)
    assert not hosts.allows_address("10.0.0.2", "a.example", 443)
    assert hosts.allows_address("127.0.0.1", "localhost", 8000)
    assert hosts.allows_address("::1", "localhost", 8000)
    assert not hosts.allows_address("10.0.0.2", "localhost", 8000)


# --- requests ----------------------------------------------------------------


def test_a_tunnel_and_a_plain_request_are_read() -> None:
    tunnel = read_request(b"CONNECT A.example:443 HTTP/1.1\r\nHost: other\r\n\r\n")
    plain = read_request(
        b"POST HTTP://A.example.:8000/p?q=1#x HTTP/1.1\r\nHost: other\r\nAccept: */*\r\n"
        b"Proxy-Authorization: secret\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
        b"Content-Length: 3\r\n\r\n"
    )

    assert (tunnel.host, tunnel.port, tunnel.tunnel) == ("a.example", 443, True)
    assert (plain.host, plain.port, plain.tunnel) == ("a.example", 8000, False)
    assert plain.head == (
        b"POST /p?q=1 HTTP/1.1\r\nHost: a.example:8000\r\nAccept: */*\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\n"
    )
    assert read_request(b"GET http://a.example HTTP/1.0\r\n\r\n").head.startswith(b"GET / HTTP/1.1")
    assert b"GET /?q HTTP" in read_request(b"GET http://a.example?q HTTP/1.0\r\n\r\n").head


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1",
        b"GET https://a.example/ HTTP/1.1",
        b"GET ftp://a.example/ HTTP/1.1",
        b"GET http://user:pw@a.example/ HTTP/1.1",
        b"GET http://a.example@evil.example/ HTTP/1.1",
        b"GET http:///etc/passwd HTTP/1.1",
        b"GET http://a.example/ HTTP/2.0",
        b"GET http://a.example/ x HTTP/1.1",
        b"CONNECT a.example HTTP/1.1",
        b"CONNECT a.example:0 HTTP/1.1",
        b"CONNECT a.example:443@evil.example:443 HTTP/1.1",
        b"CONNECT a.example\0.evil:443 HTTP/1.1",
        b"CONNECT a.example:443 HTTP/1.1\nX: y",
        b"CONNECT 0x7f.1:443 HTTP/1.1",
        b"CONNECT 2130706433:443 HTTP/1.1",
        b"CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1",
        b"CONNECT \xe1\xbd\xa0:443 HTTP/1.1",
        b"GET http://a.example/ HTTP/1.1\r\nNo colon",
        b"GET http://a.example/ HTTP/1.1\r\n folded: x",
        b"GET http://a.example/ HTTP/1.1\r\nX: a\0b",
        b"GET http://a.example/ HTTP/1.1\r\nX: a\nHost: evil",
        b"GET http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2",
        b"GET http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(head: bytes) -> None:
    with pytest.raises(Refused):
        read_request(head + b"\r\n\r\n")


# --- the proxy ---------------------------------------------------------------


@asynccontextmanager
async def web_server(name: bytes = b"here") -> AsyncGenerator[tuple[int, list[bytes]]]:
    """Serve on loopback; yield the port and the requests that came."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n" + name)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests


@asynccontextmanager
async def proxy_for(*rules: str, **leads: list[str]) -> AsyncGenerator[tuple[int, Proxy]]:
    """Serve the proxy on loopback; names lead where `leads` says, others as the system says."""

    async def resolve(host: str, port: int) -> list[str]:
        named = leads.get(host.replace(".", "_"))
        return await proxy_module.resolve(host, port) if named is None else named

    proxy = Proxy(AllowList(rules), resolve)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    await proxy.serve(listener)
    try:
        yield listener.getsockname()[1], proxy
    finally:
        await proxy.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; it must within a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is awaited tells nobody
            await asyncio.sleep(0)


async def ask(port: int, *words: bytes) -> bytes:
    """Send to the proxy; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for word in words:
        writer.write(word)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_listed_host_is_reached_plainly_and_by_tunnel() -> None:
    async with web_server() as (web, requests), proxy_for(f"localhost:{web}") as (port, proxy):
        plain = await ask(port, b"GET http://LOCALHOST:%d/a HTTP/1.1\r\n\r\n" % web)
        tunnel = await ask(
            port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % web, b"GET /b HTTP/1.1\r\n\r\n"
        )

    assert plain.endswith(b"\r\n\r\nhere")
    assert tunnel.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
    assert tunnel.endswith(b"here")
    assert requests[0].startswith(b"GET /a HTTP/1.1\r\nHost: localhost:%d\r\n" % web)
    assert requests[1] == b"GET /b HTTP/1.1\r\n\r\n"
    assert proxy.notes() == f"[proxy connected to localhost:{web} (2 times)]\n"


async def test_a_host_that_is_not_listed_is_refused_and_noted() -> None:
    async with web_server() as (web, requests), proxy_for("a.example") as (port, proxy):
        for target in (b"localhost", b"127.0.0.1", b"[::1]"):
            for line in (b"CONNECT %b:%d HTTP/1.1", b"GET http://%b:%d/ HTTP/1.1"):
                answer = await ask(port, line % (target, web) + b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 403 Forbidden")
                assert b"not on the list of hosts" in answer

    assert requests == []
    assert proxy.attempts[Attempt(f"localhost:{web}", "not on the list of hosts")] == 2
    assert f"[proxy refused [::1]:{web}: not on the list of hosts (2 times)]" in proxy.notes()


async def test_an_empty_list_reaches_nothing() -> None:
    async with web_server() as (web, requests), proxy_for() as (port, _):
        answer = await ask(port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % web)

    assert answer.startswith(b"HTTP/1.1 403")
    assert requests == []


async def test_a_listed_name_that_leads_to_this_machine_is_refused_unless_that_is_named() -> None:
    async with web_server() as (web, requests):
        line = b"CONNECT a.example:%d HTTP/1.1\r\n\r\n" % web
        leads = {"a_example": ["127.0.0.1"]}
        async with proxy_for(f"a.example:{web}", **leads) as (port, proxy):
            refused = await ask(port, line)
            notes = proxy.notes()
        async with proxy_for(f"a.example:{web}", f"127.0.0.1:{web}", **leads) as (port, _):
            reached = await ask(port, line, b"GET / HTTP/1.1\r\n\r\n")

    assert refused.startswith(b"HTTP/1.1 403")
    assert "it leads to 127.0.0.1, which is not public" in notes
    assert reached.endswith(b"here")
    assert len(requests) == 1


async def test_a_name_is_resolved_once() -> None:
    asked: list[str] = []

    async def changing(host: str, port: int) -> list[str]:  # noqa: ARG001 - the shape of a resolver
        asked.append(host)
        return ["192.0.2.1"] if len(asked) == 1 else ["127.0.0.1"]

    async with web_server() as (web, requests):
        proxy = Proxy(AllowList([f"a.example:{web}"]), changing)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        await proxy.serve(listener)
        answer = await ask(
            listener.getsockname()[1], b"CONNECT a.example:%d HTTP/1.1\r\n\r\n" % web
        )
        await proxy.close()

    assert asked == ["a.example"]
    assert answer.startswith(b"HTTP/1.1 403")
    assert requests == []


async def test_the_next_address_is_tried_and_a_dead_host_is_said() -> None:
    async with web_server() as (web, _):
        leads = {"localhost": ["127.0.0.9", "127.0.0.1"]}
        async with proxy_for(f"localhost:{web}", "localhost:9", **leads) as (port, proxy):
            answer = await ask(port, b"GET http://localhost:%d/ HTTP/1.1\r\n\r\n" % web)
            dead = await ask(port, b"CONNECT localhost:9 HTTP/1.1\r\n\r\n")

    assert answer.endswith(b"here")
    assert dead.startswith(b"HTTP/1.1 502 Bad Gateway")
    assert "refused localhost:9: it cannot be reached (" in proxy.notes()


async def test_a_name_that_does_not_exist_is_said() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, f"{host}:{port} not known")

    proxy = Proxy(AllowList(["a.example"]), nowhere)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    await proxy.serve(listener)
    answer = await ask(listener.getsockname()[1], b"CONNECT a.example:443 HTTP/1.1\r\n\r\n")
    await proxy.close()

    assert answer.startswith(b"HTTP/1.1 502")
    assert "not known" in proxy.notes()


async def test_a_second_request_on_a_connection_goes_nowhere_else() -> None:
    async with (
        web_server(b"evil") as (evil, asked),
        web_server() as (web, requests),
        proxy_for(f"localhost:{web}") as (port, _),
    ):
        answer = await ask(
            port,
            b"GET http://localhost:%d/ HTTP/1.1\r\n\r\n" % web,
            b"GET http://localhost:%d/ HTTP/1.1\r\n\r\n" % evil,
        )

    assert b"evil" not in answer
    assert b"Connection: close" in requests[0]
    assert asked == []


async def test_heads_without_end_and_bytes_that_are_none_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with proxy_for("a.example") as (port, proxy):
        large = await ask(port, b"GET http://a.example/ HTTP/1.1\r\nX: " + b"x" * (2 * HEAD_BYTES))
        zero = await ask(port, b"CONNECT a.example\0:443 HTTP/1.1\r\n\r\n")
        noise = await ask(port, bytes(range(256)) + b"\r\n\r\n")
        monkeypatch.setattr(proxy_module, "HEAD_S", 0.2)  # from here on, for no other is so quick
        slow = await ask(port, b"GET http://a.example/ HTTP/1.1\r\n")

    assert large.startswith(b"HTTP/1.1 431")
    assert slow.startswith(b"HTTP/1.1 408")
    assert zero.startswith(b"HTTP/1.1 400")
    assert noise.startswith(b"HTTP/1.1 400")
    assert "\0" not in proxy.notes()


async def test_notes_are_bounded() -> None:
    async with proxy_for("a.example") as (port, proxy):
        for number in range(MOST_NOTED + 5):
            await ask(port, b"CONNECT n%d.example:443 HTTP/1.1\r\n\r\n" % number)

    assert len(proxy.attempts) == MOST_NOTED + 1
    assert "further hosts: see above (5 times)" in proxy.notes()


async def test_a_flood_of_connections_does_not_use_up_our_descriptors() -> None:
    def ours() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - pathlib is no better

    async with proxy_for("a.example") as (port, proxy):
        before = ours()
        flood = [
            (await asyncio.open_connection("127.0.0.1", port))[1]
            for _ in range(4 * MOST_CONNECTIONS)
        ]
        refused = Attempt("a request", "too many connections at once")
        await until(lambda: proxy.attempts[refused] >= 3 * MOST_CONNECTIONS)
        for writer in flood:
            writer.transport.abort()
        await until(lambda: ours() <= before)
        usual = await ask(port, b"CONNECT n.example:443 HTTP/1.1\r\n\r\n")

    assert usual.startswith(b"HTTP/1.1 403")


async def test_closing_ends_open_tunnels() -> None:
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        held.set()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    web = server.sockets[0].getsockname()[1]
    async with server, proxy_for(f"127.0.0.1:{web}") as (port, proxy):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % web)
        await reader.readuntil(b"\r\n\r\n")
        await proxy.close()
        async with asyncio.timeout(60):
            assert await reader.read() == b""
            await held.wait()
        writer.close()


# --- a confined command --------------------------------------------------------


@pytest.fixture
async def bubblewrap() -> Bubblewrap:
    await needs_bubblewrap()
    return Bubblewrap()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path / "ws")


async def run(bubblewrap: Bubblewrap, place: Place, code: str, *hosts: str) -> CommandResult:
    grants = Grants(network="hosts", hosts=hosts)
    return await bubblewrap.run(place, Command(script(code), timeout_s=60.0, grants=grants))


FETCH = """
import socket, sys, urllib.request
def attempt(what, do):
    try:
        print(what, do())
    except OSError as error:
        print(what, "failed", str(error)[:60])
attempt("fetched", lambda: urllib.request.urlopen("http://localhost:PORT/", timeout=20).read())
attempt("directly", lambda: socket.create_connection(("127.0.0.1", PORT), 5))
"""


async def test_a_confined_command_reaches_the_listed_host_only_by_the_proxy(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    async with web_server() as (web, requests):
        code = FETCH.replace("PORT", str(web))
        free = await asyncio.to_thread(outside, code, place.workspace, {"no_proxy": "*"})
        result = await run(bubblewrap, place, code, f"localhost:{web}")

    assert free.startswith("fetched b'here'\ndirectly <socket")  # the control
    assert result.output.splitlines() == [
        "fetched b'here'",
        "directly failed [Errno 111] Connection refused",
        f"[proxy connected to localhost:{web}]",
    ]
    assert requests[-1].startswith(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n" % web)


@pytest.mark.parametrize("hosts", [(), ("a.example",), ("127.0.0.1",)], ids=str)
async def test_a_confined_command_does_not_reach_what_is_not_listed(
    hosts: tuple[str, ...], bubblewrap: Bubblewrap, place: Place
) -> None:
    async with web_server() as (web, requests):
        code = f"""
import socket
proxy = socket.create_connection(("127.0.0.1", 3128), 20)
proxy.sendall(b"CONNECT localhost:{web} HTTP/1.1\\r\\n\\r\\n")
print(proxy.recv(999).split(b"\\r\\n")[0])
"""
        result = await run(bubblewrap, place, code, *hosts)

    assert result.output.splitlines() == [
        "b'HTTP/1.1 403 Forbidden'",
        f"[proxy refused localhost:{web}: not on the list of hosts]",
    ]
    assert requests == []


async def test_the_way_out_is_for_listening_only(bubblewrap: Bubblewrap, place: Place) -> None:
    code = """
import os, socket
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], len(os.listdir("/proc/self/fd")))
for family in (socket.AF_UNIX, socket.AF_VSOCK):
    try:
        socket.socket(family)
        print("made")
    except OSError as error:
        print(error.strerror)
try:
    socket.create_connection(("192.0.2.1", 80), 5)
except OSError as error:
    print(error.strerror)
try:
    socket.getaddrinfo("a.example", 80)
except OSError:
    print("no names")
"""
    result = await run(bubblewrap, place, code, "a.example")

    assert result.output.splitlines() == [
        "[0, 1, 2] 4",
        *(["Operation not permitted"] * 2),
        *("Network is unreachable", "no names"),
    ]


async def test_a_program_that_is_not_there_and_signals_are_as_ever(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    grants = Grants(network="hosts")
    missing = await bubblewrap.run(place, Command(("no-such-program",), grants=grants))
    signals = await bubblewrap.run(
        place, Command(("sh", "-c", "grep SigIgn /proc/self/status"), grants=grants)
    )

    assert missing.exit_code == 127
    assert "no-such-program" in missing.output
    assert int(signals.output.split()[1], 16) & (1 << 12 | 1 << 24) == 0


async def test_a_rule_that_cannot_be_read_runs_nothing(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    with pytest.raises(SandboxError, match=r"'https://pypi\.org' cannot be granted"):
        await run(bubblewrap, place, "open('ran', 'w')", "https://pypi.org")

    assert not (place.workspace / "ran").exists()


async def test_nothing_is_left_open_afterwards(bubblewrap: Bubblewrap, place: Place) -> None:
    await run(bubblewrap, place, "print(1)", "a.example")
    before = descriptors()

    for _ in range(3):
        await run(bubblewrap, place, "print(1)", "a.example")
    grants = Grants(network="hosts", hosts=("a.example",))
    with pytest.raises(SandboxError, match="missing"):  # it comes to no start
        await bubblewrap.run(place, Command(("true",), cwd="missing", grants=grants))

    assert await left_open(before) == {}


def test_programs_find_the_proxy_but_not_for_servers_of_their_own() -> None:
    found = proxy_variables(Grants(network="hosts", hosts=("localhost:80",))) or {}

    assert found["https_proxy"] == found["HTTP_PROXY"] == "http://127.0.0.1:3128"
    assert found["no_proxy"] == "127.0.0.1,::1"
    assert "-Dhttps.proxyPort=3128" in found["MAVEN_OPTS"]
    assert proxy_variables(Grants(network="all")) is None
    assert proxy_variables(Grants()) is None


async def test_our_own_python_opens_the_way_where_the_system_has_none(
    bubblewrap: Bubblewrap, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching_module, "SYSTEM_PYTHON", Path("/no/such/python"))
    assert str(inner_python()) != "/no/such/python"

    async with web_server() as (web, _):
        code = FETCH.replace("PORT", str(web)).rpartition("attempt")[0]
        result = await run(bubblewrap, place, code, f"localhost:{web}")

    assert result.output.startswith("fetched b'here'")
