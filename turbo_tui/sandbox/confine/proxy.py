"""Reach listed hosts, and no others, from a network namespace that leads nowhere.

Inside, a few lines of Python open a socket on the namespace's own loopback address, pass it out
through an inherited descriptor, and become the command. Here an HTTP proxy accepts on that
socket: it is the only thing that the command can connect to. So nothing of ours runs inside, no
unix socket is needed there, and what is reached is decided, and noted, out here.

A name is resolved once and that address is connected to. What goes through a tunnel is not
looked into: a server that serves several names can be asked for another one of them.

Source: RFC 9110, 7.6 and 9.3.6; RFC 9112, 3.2; unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from turbo_tui.core.command import Grants
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.hosts import AllowList, normal_host, shown, split_port

PORT = 3128  # of the namespace's own loopback address, where nothing else listens yet
SYSTEM_PYTHON = Path("/usr/bin/python3")
HEAD_BYTES = 32_768
HEAD_S, CONNECT_S, IDLE_S, LINGER_S = 15.0, 15.0, 300.0, 2.0
MOST_CONNECTIONS = 64
MOST_NOTED = 50
_CHUNK = 65_536

# Opens the socket, hands it out, and becomes the command, with the signals that Python ignores.
_INSIDE = f"""
import array, os, signal, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", {PORT}))
listener.listen({MOST_CONNECTIONS})
out = socket.socket(fileno=int(sys.argv[1]))
handle = array.array("i", [listener.fileno()])
out.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handle)])
out.close()
listener.close()
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{{sys.argv[2]}}: {{error.strerror}}")
"""

_REQUEST = re.compile(rb"([A-Z]{1,20}) ([!-~]{1,8000}) HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")
_HOP_BY_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade"}
    | {b"proxy-authorization", b"proxy-authenticate", b"host"}
)


class Refused(Exception):  # noqa: N818 - an answer to the command, no failure of ours
    """A request that is not carried out; `status` and the reason are what the client is told."""

    def __init__(self, status: str, why: str, host: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.host = host


@dataclass(frozen=True, slots=True)
class Request:
    """Where a client wants to go, and what is to be sent there first."""

    host: str
    port: int
    tunnel: bool
    head: bytes = b""


def read_request(head: bytes) -> Request:
    """Read a request's head, up to its empty line.

    Raises:
        Refused: It is no request to a proxy, or could be read in two ways.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    asked = _REQUEST.fullmatch(first)
    if asked is None:
        raise Refused("400 Bad Request", "the request line cannot be read")
    method, target = asked[1], asked[2].decode("ascii")
    if method == b"CONNECT":
        host, port = _authority(target, None)
        return Request(host, port, tunnel=True)
    if not target.lower().startswith("http://"):
        raise Refused("400 Bad Request", "only http:// and tunnels go through this proxy")
    parts = re.fullmatch(r"([^/?]*)([^#]*).*", target[len("http://") :])
    authority, path = (parts[1], parts[2]) if parts is not None else ("", "")
    host, port = _authority(authority, 80)
    path = path if path.startswith("/") else f"/{path}"
    sent = [
        method + b" " + path.encode("ascii") + b" HTTP/1.1",
        b"Host: " + shown(host, port, 80).encode(),
    ]
    sent += [*_forwarded(lines), b"Connection: close", b"", b""]
    return Request(host, port, tunnel=False, head=b"\r\n".join(sent))


def _authority(text: str, usual_port: int | None) -> tuple[str, int]:
    if "@" in text:
        raise Refused("400 Bad Request", "a name and password do not belong there")
    try:
        name, port = split_port(text)
        host = normal_host(name)
    except ValueError as error:
        raise Refused("400 Bad Request", f"{error}", repr(text[:100])) from error
    port = port or usual_port
    if port is None:
        raise Refused("400 Bad Request", "a tunnel needs a port", host)
    return host, port


def _forwarded(lines: Iterable[bytes]) -> list[bytes]:
    """Return the header lines that are the server's business."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise Refused("400 Bad Request", "a header cannot be read")
        fields.append((header[1].lower(), line))
    lengths = [name for name, _ in fields if name in {b"content-length", b"transfer-encoding"}]
    if len(lengths) > 1:
        raise Refused("400 Bad Request", "the length of the request is given twice")
    named = {
        word.strip().lower()
        for name, line in fields
        if name == b"connection"
        for word in line.partition(b":")[2].split(b",")
    } - set(lengths)
    return [line for name, line in fields if name not in _HOP_BY_HOP | named]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that a command asked for; `refused` says why it was not made."""

    where: str
    refused: str = ""


Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses, best first.

    Raises:
        OSError: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(slots=True)
class Proxy:
    """An HTTP proxy for one command.

    Args:
        allowed: What may be reached.
        resolve: Finds a host's addresses.
    """

    allowed: AllowList
    resolve: Resolve = resolve
    attempts: Counter[Attempt] = field(default_factory=Counter[Attempt])
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def serve(self, listener: socket.socket) -> None:
        """Begin to accept on a listening socket, which is closed with the proxy."""
        listener.setblocking(False)
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=HEAD_BYTES)

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def notes(self) -> str:
        """Say what was reached and what was not; empty when nothing was asked for."""
        said: list[str] = []
        for attempt, times in self.attempts.items():
            often = f" ({times} times)" if times > 1 else ""
            if attempt.refused:
                said.append(f"proxy refused {attempt.where}: {attempt.refused}{often}")
            else:
                said.append(f"proxy connected to {attempt.where}{often}")
        return "".join(f"[{line}]\n" for line in said)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= MOST_CONNECTIONS:
            # Not a word more: a flood of them must not use up our own descriptors.
            self._note("a request", "too many connections at once")
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._handle(reader, writer)
        except Refused as refused:
            self._note(refused.host or "a request", str(refused))
            await _answer(reader, writer, refused.status, str(refused))
        except asyncio.CancelledError:  # by `close`: the end of the command
            writer.transport.abort()
        finally:
            self._connections.discard(task)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refused("431 Request Header Fields Too Large", "its head is too large") from None
        except TimeoutError:
            raise Refused("408 Request Timeout", "its head did not come in time") from None
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            return
        request = read_request(head)
        there = await self._connect(request)
        if request.tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(request.head)
        await _relay((reader, writer), there)

    async def _connect(self, request: Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to where a request wants to go, if that is allowed."""
        host, port = request.host, request.port
        where = shown(host, port)
        if not self.allowed.allows(host, port):
            raise Refused("403 Forbidden", "not on the list of hosts", where)
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = await self.resolve(host, port)
                usable = [at for at in addresses if self.allowed.allows_address(at, host, port)]
                if not usable:
                    why = f"it leads to {', '.join(addresses)[:200]}, which is not public"
                    raise Refused("403 Forbidden", f"{why} and not on the list itself", where)
                connection = await _first_of(usable, port)
        except TimeoutError:
            raise Refused("504 Gateway Timeout", "it does not answer", where) from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", "") or str(error)
            raise Refused("502 Bad Gateway", f"it cannot be reached ({why})", where) from error
        self._note(where)
        return connection

    def _note(self, where: str, refused: str = "") -> None:
        attempt = Attempt(where, refused)
        if attempt not in self.attempts and len(self.attempts) >= MOST_NOTED:
            attempt = Attempt("further hosts", "see above" if refused else "")
        self.attempts[attempt] += 1


async def _first_of(
    addresses: list[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first address that answers."""
    for address in addresses[:-1]:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_S / 3):
                return await asyncio.open_connection(address, port, limit=_CHUNK)
    return await asyncio.open_connection(addresses[-1], port, limit=_CHUNK)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: str, why: str
) -> None:
    body = f"turbo-tui: refused, {why}.\n".encode("utf-8", "replace")
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_S):
            writer.write(head.encode() + body)
            await writer.drain()
            writer.write_eof()
            # Closed with bytes unread, the connection is reset, and the answer with it.
            while await reader.read(_CHUNK):
                pass
    writer.close()


async def _relay(
    here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways until both sides have said all, or one is gone."""
    writers = (here[1], there[1])
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(here[0], there[1]))
            both.create_task(_carry(there[0], here[1]))
    except* (OSError, TimeoutError):
        pass  # gone: so is the connection
    finally:
        for writer in writers:
            writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while True:
        async with asyncio.timeout(IDLE_S):
            data = await source.read(_CHUNK)
            if not data:
                break
            target.write(data)
            await target.drain()
    if target.can_write_eof():
        target.write_eof()


# --- the command's side --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reach:
    """How a command gets to the network that it was granted.

    Attributes:
        argv: Put before the command: opens the socket inside and becomes what follows.
        pass_fds: Descriptors that it inherits.
        proxy: Where its attempts are noted; None when no proxy is needed.
    """

    argv: tuple[str, ...] = ()
    pass_fds: tuple[int, ...] = ()
    proxy: Proxy | None = None

    def noted(self, result: CommandResult) -> CommandResult:
        """Add to a command's output what it reached, and what it was refused."""
        notes = self.proxy.notes() if self.proxy is not None else ""
        if not notes:
            return result
        newline = "\n" if result.output and not result.output.endswith("\n") else ""
        return replace(result, output=f"{result.output}{newline}{notes}")


@asynccontextmanager
async def reaching(grants: Grants) -> AsyncGenerator[Reach]:
    """Serve a command's grant of single hosts while it runs; do nothing for other grants.

    Raises:
        SandboxError: A rule of the grant cannot be read.
    """
    if grants.network != "hosts":
        yield Reach()
        return
    proxy = Proxy(AllowList(grants.hosts))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    number = os.dup(theirs.fileno())  # closed by whoever starts the command
    theirs.close()
    accepting = asyncio.ensure_future(_accept_listener(ours, proxy))
    try:
        argv = (str(inner_python()), "-I", "-S", "-c", _INSIDE, str(number))
        yield Reach(argv, (number,), proxy)
    finally:
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting
        ours.close()
        await proxy.close()


async def _accept_listener(ours: socket.socket, proxy: Proxy) -> None:
    """Wait for the socket from inside and serve it; it never comes when nothing was started."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[int | None] = loop.create_future()

    def receive() -> None:
        loop.remove_reader(ours)
        _, handles, _, _ = socket.recv_fds(ours, 1, 1)
        if not came.done():
            came.set_result(handles[0] if handles else None)

    loop.add_reader(ours, receive)
    try:
        handle = await came
    finally:
        loop.remove_reader(ours)
    if handle is not None:
        await proxy.serve(socket.socket(fileno=handle))


def inner_python() -> Path:
    """Return a Python for the inside: the system's, else our own."""
    if SYSTEM_PYTHON.exists():
        return SYSTEM_PYTHON
    return Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")


def proxy_variables(grants: Grants) -> Mapping[str, str] | None:
    """Return the variables by which programs find the proxy; None when there is none."""
    if grants.network != "hosts":
        return None
    address = f"http://127.0.0.1:{PORT}"
    names = ("http_proxy", "https_proxy", "all_proxy")
    # Servers that the command itself starts are reached without the proxy.
    named = AllowList(grants.hosts).hosts
    own = [name for name in ("localhost", "127.0.0.1", "::1") if name not in named]
    found = {name: address for lower in names for name in (lower, lower.upper())}
    found |= {name: ",".join(own) for name in ("no_proxy", "NO_PROXY")}
    java = " ".join(
        f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={PORT}"
        for scheme in ("http", "https")
    )
    # Those that do not look for the usual variables by themselves.
    return found | {"NODE_USE_ENV_PROXY": "1", "MAVEN_OPTS": java, "GRADLE_OPTS": java}
