"""An HTTP proxy for one command, which reaches listed hosts through it and no others.

A name is resolved once and that address is connected to. What goes through a tunnel is not
looked into: a server that serves several names can be asked for another one of them.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from turbo_tui.sandbox.confine.hosts import AllowList, shown
from turbo_tui.sandbox.confine.proxy_requests import Refused, Request, read_request

HEAD_BYTES = 32_768
HEAD_S, CONNECT_S, IDLE_S, LINGER_S = 15.0, 15.0, 300.0, 2.0
MOST_CONNECTIONS = 64
MOST_NOTED = 50
_CHUNK = 65_536

Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that a command asked for; `refused` says why it was not made."""

    where: str
    refused: str = ""


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
