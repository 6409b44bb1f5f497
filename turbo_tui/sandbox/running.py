"""Start a command, stream its output, hold it to its limits, and end all of its processes.

What starts it (bubblewrap, or our own supervisor) is the root of a tree of processes. The
result does not wait for anyone who merely holds the output open, and nobody outlives it.

Everything starts on the event loop's own thread: `PR_SET_PDEATHSIG`, by which a sandbox dies
with us, follows the thread that made it (prctl(2)).
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.core.command import Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.events import Ended
from turbo_tui.core.ports import CommandResult, OnOutput
from turbo_tui.sandbox.guard import marked
from turbo_tui.sandbox.limits import DEFAULTS, Watch, over
from turbo_tui.sandbox.output import KeptOutput, LiveOutput
from turbo_tui.sandbox.usage import Counted, counted

GRACE_S = 0.3  # between asking (SIGTERM) and ending (SIGKILL); the whole end takes under 1 s
DRAIN_S = 0.2  # for output that is still in the pipe when the command is gone
GONE_S = 0.5  # for the kernel to take a killed tree down
PIPE_BYTES = 1_048_576
READ_BYTES = 262_144
F_SETPIPE_SZ = 1031  # linux/fcntl.h
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_last_rites: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and what to hold it to.

    Attributes:
        argv: Started as it is, with no shell.
        env: The starter's whole environment; the command's own is the confiner's business.
        pass_fds: Descriptors that the starter inherits beside its standard ones; they are
            closed here once it has them.
        status_fd: Read end of a pipe on which the starter writes lines of JSON: bubblewrap's
            `--json-status-fd`, of which the supervisor writes `exit-code` alone, and `usage`.
        supervised: `argv` is our supervisor, which takes SIGTERM as the order to end its tree.
        disk: A path whose file system must not run full.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str = "/"
    stdin: bytes = b""
    pass_fds: tuple[int, ...] = ()
    status_fd: int | None = None
    supervised: bool = False
    timeout_s: float = 120.0
    limits: Limits = DEFAULTS
    disk: Path | None = None
    on_output: OnOutput | None = None


async def run_tree(launch: Launch) -> CommandResult:
    """Run to the end and return how it ended.

    Raises:
        SandboxError: It could not be started, or the sandbox failed before the command ran.
        CancelledError: The awaiting task was cancelled; by then the tree is dead.
    """
    with _adopting_orphans():
        return await _run_tree(launch)


async def _run_tree(launch: Launch) -> CommandResult:
    began = time.monotonic()
    loop = asyncio.get_running_loop()
    limits = launch.limits
    kept = KeptOutput(limits.output_bytes // 2)
    live = LiveOutput(launch.on_output, loop) if launch.on_output is not None else None
    tree = await _start(launch, kept, live)
    ended: Ended = "exited"
    reason = ""
    watch = Watch(tree.root_pid, limits, launch.disk)
    watchdog = asyncio.ensure_future(watch.exceeded())
    exit_seen = asyncio.ensure_future(tree.process.wait())
    try:
        done, _ = await asyncio.wait(
            {watchdog, exit_seen},
            timeout=min(launch.timeout_s, limits.wall_s),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if exit_seen not in done:
            ended = "limit" if done else "timeout"
            reason = watchdog.result() if done else ""
            if not done and limits.wall_s < launch.timeout_s:
                reason = over(f"it ran longer than {limits.wall_s:g} s", "command_timeout_s")
    finally:
        watchdog.cancel()
        rites = asyncio.ensure_future(_end(tree, watch))
        _last_rites.add(rites)
        rites.add_done_callback(_last_rites.discard)
        await asyncio.shield(rites)
        exit_seen.cancel()
    if live is not None:
        live.finish()
    output = await kept.text()
    if ended == "exited" and tree.setup_failed:
        raise SandboxError(
            f"The sandbox could not be started: {output.strip() or 'it gave no reason'}. "
            "`turbo-tui doctor` shows what works here."
        )
    if ended == "exited" and (reason := watch.ended_by(tree.exit_code, output)):
        ended = "limit"
    if reason:
        output += f"\n[stopped: {reason}]\n"
    return CommandResult(
        exit_code=tree.exit_code,
        ended=ended,
        output=output,
        duration_s=time.monotonic() - began,
        dropped_bytes=kept.dropped_bytes,
        usage=watch.usage,
    )


async def _end(tree: Tree, watch: Watch) -> None:
    await tree.end()
    await watch.end(tree.counted)


class Tree:
    """A started command, all of its processes, and the pipe they write to."""

    def __init__(self, process: Process, output_fd: int, launch: Launch) -> None:
        self.process = process
        self.counted: Counted | None = None  # by the kernel, once the tree is gone
        self._supervised = launch.supervised
        self._loop = asyncio.get_running_loop()
        self._output_fd = output_fd
        self._output_done = asyncio.Event()
        self._status_fd = launch.status_fd
        self._status = b""
        self._init_pid: int | None = None  # bubblewrap's process 1 of the new pid namespace
        self._init_fd = -1
        self._command_ran = launch.status_fd is None
        self._sinks: tuple[KeptOutput | LiveOutput, ...] = ()

    @property
    def exit_code(self) -> int:
        """As a shell shows it; 137 when all was killed."""
        code = self.process.returncode
        if code is None:
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    @property
    def setup_failed(self) -> bool:
        """Whether bubblewrap gave up before it started the command."""
        return not self._command_ran

    def root_pid(self) -> int:
        """Return the process below which all others are."""
        return self._init_pid or self.process.pid

    def listen(self, *sinks: KeptOutput | LiveOutput) -> None:
        """Begin to read output and status."""
        self._sinks = sinks
        self._loop.add_reader(self._output_fd, self._read_output)
        if self._status_fd is not None:
            self._loop.add_reader(self._status_fd, self._read_status)

    def _read_output(self) -> None:
        try:
            data = os.read(self._output_fd, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._output_fd)
            self._output_done.set()
        for sink in self._sinks if data else ():
            sink.add(data)

    def _read_status(self) -> None:
        """Read bubblewrap's JSON lines; they come in pieces."""
        if self._status_fd is None:
            return
        try:
            data = os.read(self._status_fd, 4096)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._status_fd)
            return
        *lines, self._status = (self._status + data).split(b"\n")
        for line in filter(None, lines):
            fields = cast("dict[str, int]", json.loads(line))
            if "child-pid" in fields:
                self._init_pid = fields["child-pid"]
                with suppress(ProcessLookupError):
                    self._init_fd = os.pidfd_open(self._init_pid)
            if "exit-code" in fields:
                self._command_ran = True
            if "usage" in fields:
                self.counted = counted(*cast("tuple[float, int, int]", fields["usage"]))

    async def end(self) -> None:
        """See to it that every process is gone; read what is left of the output."""
        self._read_status()
        if self.process.returncode is None:
            await self._kill()
        if self._status_fd is not None:
            self._read_status()
            self._loop.remove_reader(self._status_fd)
            os.close(self._status_fd)
        if self._init_fd >= 0:
            self.counted = await self._bury(self._init_fd)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._output_done.wait(), DRAIN_S)
        self._loop.remove_reader(self._output_fd)
        os.close(self._output_fd)

    async def _kill(self) -> None:
        """Ask the command, then end the tree from its root."""
        if self._supervised:
            self.process.terminate()  # the supervisor passes it on and kills what stays
            if await self._exits_within(2 * GONE_S):
                return
        elif self._init_pid is not None:
            for pid in _children(self._init_pid):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)
            if await self._exits_within(GRACE_S):
                return
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
            if await self._exits_within(GONE_S):
                return
        await self._kill_unknown()

    async def _kill_unknown(self) -> None:
        """Kill bubblewrap while it sets up, and what it already made.

        Killed alone it could leave a child that had no time to ask to die with it. Stopped, it
        makes no more of them.
        """
        pid = self.process.pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        for _ in range(50):
            if _state(pid) in "TZX":
                break
            await asyncio.sleep(0.002)
        children: list[int] = []
        for child in _children(pid):
            with suppress(ProcessLookupError):
                children.append(os.pidfd_open(child))
                signal.pidfd_send_signal(children[-1], signal.SIGKILL)
        with suppress(ProcessLookupError):
            self.process.kill()
        await self._exits_within(GONE_S)
        for fd in children:
            await self._bury(fd)

    async def _exits_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _bury(self, pidfd: int) -> Counted | None:
        """Wait until a namespace's process 1 is dead, and all below with it; reap it.

        Returns:
            What the kernel counted for all of them; None where another has reaped it.
        """
        with suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        gone = asyncio.Event()
        self._loop.add_reader(pidfd, gone.set)  # readable when it has ended: pidfd_open(2)
        with suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), GONE_S)
        self._loop.remove_reader(pidfd)
        found = None
        with suppress(ChildProcessError):
            # By its descriptor first: its number is its own only as long as it is not reaped.
            dead = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # noqa: ASYNC222 - no wait
            if dead is not None:
                used = os.wait4(dead.si_pid, os.WNOHANG)[2]  # noqa: ASYNC222 - no wait
                cpu_s = used.ru_utime + used.ru_stime
                found = counted(cpu_s, used.ru_maxrss, used.ru_oublock)
        os.close(pidfd)
        return found


async def _start(launch: Launch, kept: KeptOutput, live: LiveOutput | None) -> Tree:
    """Start the process; also when cancelled meanwhile, it does not get lost."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    _widen(read_end)
    source = _source(launch.stdin)
    # The supervisor looks after itself, and asks its tree to end before it kills.
    guarded = {} if launch.supervised else marked()
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=source,
            stdout=write_end,
            stderr=write_end,
            env={**launch.env, **guarded},
            cwd=launch.cwd,
            pass_fds=launch.pass_fds,
            start_new_session=True,
        )
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        await Tree(process, read_end, launch).end()
        raise
    except OSError as error:
        os.close(read_end)
        if launch.status_fd is not None:
            os.close(launch.status_fd)
        raise SandboxError(
            f"{launch.argv[0]} could not be started: {error.strerror}. "
            "`turbo-tui doctor` shows what works here."
        ) from error
    finally:
        for fd in (write_end, source, *launch.pass_fds):
            os.close(fd)
    tree = Tree(process, read_end, launch)
    if live is None:
        tree.listen(kept)
    else:
        tree.listen(kept, live)
    return tree


def _source(content: bytes) -> int:
    """Open a standard input with this content; a file never waits for its writer."""
    if not content:
        return os.open(os.devnull, os.O_RDONLY)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return os.dup(file.fileno())


def _widen(pipe: int) -> None:
    """Give the pipe a megabyte, so that a flood takes fewer turns of the loop."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not on every platform

        with suppress(OSError):  # above /proc/sys/fs/pipe-max-size for an ordinary user
            fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)


def _state(pid: int) -> str:
    """Return a process's state as /proc shows it, `X` when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _children(pid: int) -> list[int]:
    """Return the processes directly below one."""
    import psutil  # noqa: PLC0415 - not needed for the first frame

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


@contextmanager
def _adopting_orphans() -> Generator[None]:
    """While a command runs, be the parent of processes whose own parent ended, to reap them.

    A container's first process often reaps nobody: without this each command would leave a
    zombie there. Not for longer, since orphans of others would become zombies of ours.
    """
    _adopters.append(None)
    _adopt(True)
    try:
        yield
    finally:
        _adopters.pop()
        _adopt(bool(_adopters))


def _adopt(yes: bool) -> None:  # noqa: FBT001 - the word of prctl(2)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


_adopters: list[None] = []
