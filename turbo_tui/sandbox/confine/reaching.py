"""Reach listed hosts, and no others, from a network namespace that leads nowhere.

Inside, a few lines of Python open a socket on the namespace's own loopback address, pass it out
through an inherited descriptor, and become the command. Here an HTTP proxy accepts on that
socket: it is the only thing that the command can connect to. So nothing of ours runs inside, no
unix socket is needed there, and what is reached is decided, and noted, out here.

Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from turbo_tui.core.command import Grants
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.hosts import AllowList
from turbo_tui.sandbox.confine.proxy import MOST_CONNECTIONS, Proxy

PORT = 3128  # of the namespace's own loopback address, where nothing else listens yet
SYSTEM_PYTHON = Path("/usr/bin/python3")

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


@dataclass(frozen=True, slots=True)
class Reach:
    """How a command gets to the network that it was granted.

    Attributes:
        argv: Put before the command: opens the socket inside and becomes what follows.
        lent_fds: Descriptors that it inherits, closed with this.
        proxy: Where its attempts are noted; None when no proxy is needed.
    """

    argv: tuple[str, ...] = ()
    lent_fds: tuple[int, ...] = ()
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
    accepting = asyncio.ensure_future(_accept_listener(ours, proxy))
    try:
        argv = (str(inner_python()), "-I", "-S", "-c", _INSIDE, str(theirs.fileno()))
        yield Reach(argv, (theirs.fileno(),), proxy)
    finally:
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting
        ours.close()
        theirs.close()
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
    except asyncio.CancelledError:
        if came.done() and not came.cancelled() and (handle := came.result()) is not None:
            os.close(handle)  # it came in the same turn of the loop
        raise
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
