"""Try to break out of a sandbox; folders for trying things out, and what was left of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.probing.mends import explain
from turbo_tui.sandbox.staging.trial_folders import trial_folder

TRIAL_S = 10.0
OUTLIVES_S = 10  # what is left running on purpose ends by itself then
GONE_S = 3.0  # a busy machine takes its time to end what was killed

# Writes a file where it may, then tries what must be refused: a write outside, a read of a hidden
# file, a connection to us, and a process that lives on. Descriptor 9 is that process's heartbeat.
_SCRIPT = f"""
echo held > inside || exit 11
( echo broken > "$1" ) 2>/dev/null
cat "$2" 2>/dev/null
if command -v bash >/dev/null; then
    echo tried; bash -c "exec 3<>/dev/tcp/127.0.0.1/$3" 2>/dev/null
elif command -v python3 >/dev/null; then
    echo tried; python3 -c "import socket; socket.create_connection(('127.0.0.1', $3), 1)" \\
        2>/dev/null
elif command -v nc >/dev/null; then
    echo tried; nc -w 1 127.0.0.1 "$3" </dev/null >/dev/null 2>&1
fi
exec 9>alive
command -v setsid >/dev/null && away=setsid
( $away sleep {OUTLIVES_S} </dev/null >/dev/null 2>&1 & )
exit 0
"""


async def trial(confiner: Confiner, state: Path | None = None) -> str:
    """Try to break out; return what is wrong with this confiner, empty when it held.

    Args:
        confiner: Held to what it says that it holds; of an unsandboxed one only that it runs.
        state: Where the trial's folder is made, hidden from commands; the system's temporary
            folder when None.

    Raises:
        OSError: The folder cannot be made.
    """
    root = trial_folder(state, "turbo-tui-probe").resolve()
    try:
        return await _trial(confiner, _Bait.laid(root))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Bait:
    """What a command is to leave alone."""

    workspace: Path
    outside: Path
    hidden: Path
    secret: str
    heartbeat: int

    @classmethod
    def laid(cls, root: Path) -> _Bait:
        workspace = root / "workspace"
        workspace.mkdir()
        outside, hidden, secret = root / "outside", root / "hidden", uuid.uuid4().hex
        outside.write_text("untouched")
        hidden.write_text(secret)
        return cls(workspace, outside, hidden, secret, _heartbeat(workspace / "alive"))


async def _trial(confiner: Confiner, bait: _Bait) -> str:
    try:
        # Not accepted by the loop, which may not come to it before the command is over: the kernel
        # keeps who connected, also who left again.
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            port = server.getsockname()[1]
            words = (str(bait.outside), str(bait.hidden), str(port))
            place = Place(bait.workspace, bait.workspace, (), os.geteuid(), os.getegid())
            try:
                result = await confiner.run(
                    place, Command(("/bin/sh", "-c", _SCRIPT, "sh", *words), timeout_s=TRIAL_S)
                )
            except SandboxError as error:
                return explain(str(error))
            reached = _was_reached(server)
        if result.ended == "timeout":
            return f"a command did not come back from it within {TRIAL_S:.0f} s"
        if result.exit_code or not (bait.workspace / "inside").is_file():
            said = explain(result.output.strip() or "it printed nothing")
            return f"a command could not run in it (exit {result.exit_code}): {said}"
        if confiner.name == "unsandboxed":
            return ""
        outlived = await _beats(bait.heartbeat)
        return _broken(bait, result.output, reached=reached, outlived=outlived)
    finally:
        if bait.heartbeat >= 0:
            os.close(bait.heartbeat)


def _broken(bait: _Bait, output: str, *, reached: bool, outlived: bool) -> str:
    """Return what did not hold."""
    attempts = (
        (bait.outside.read_text() != "untouched", "a command wrote outside its folder"),
        (bait.secret in output, "a command read a file that is to be hidden"),
        (reached, "a command reached the network"),
        (outlived, "a process outlived its command"),
        (
            "tried" not in output.split(),
            "whether the network is closed cannot be tried: install bash or python3",
        ),
    )
    return next((words for broken, words in attempts if broken), "")


def _was_reached(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _heartbeat(path: Path) -> int:
    """Make a pipe that shows whether anyone holds its other end; -1 where there are none."""
    try:
        os.mkfifo(path)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1


async def _beats(heartbeat: int) -> bool:
    """Whether, a moment after the command's end, one of its processes is still there."""
    loop = asyncio.get_running_loop()
    until = loop.time() + GONE_S
    while heartbeat >= 0:
        with suppress(BlockingIOError):
            if os.read(heartbeat, 1) == b"":
                return False
        if loop.time() > until:
            return True
        await asyncio.sleep(0.02)
    return False
