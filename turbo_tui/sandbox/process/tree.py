"""A started command and all of its processes: what they write, how they end, how to end them."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.process.guard import marked, unmarked
from turbo_tui.sandbox.process.orphans import (
    adopted_from,
    adopting_orphans,
    children,
    descriptor_of,
)
from turbo_tui.sandbox.process.output import KeptOutput, LiveOutput
from turbo_tui.sandbox.process.output_pipe import OutputPipe, open_pipe
from turbo_tui.sandbox.process.spawn import Spawned
from turbo_tui.sandbox.process.status import Status
from turbo_tui.sandbox.process.usage import Counted, counted

GRACE_S = 0.3  # between asking (SIGTERM) and ending (SIGKILL); the whole end takes under 1 s
GONE_S = 0.5  # for the kernel to take a killed tree down
STOPPED_S = 3.0  # for all below a stopped root to die: what comes later is nobody's to reap
LATE_S = 10.0  # for what dies late, when the command is over
SUPERVISED_S = 3.5  # for the supervisor: its own bounds on a busy machine, and a moment

# What a worker says on its output: it waits for its command; the next is the command's own.
WAITING, BEGUN = 5, 6


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start.

    Attributes:
        argv: Started as it is, with no shell.
        env: The starter's whole environment; the command's own is the confiner's business.
        stdin: Its standard input, from a file; nothing waits for a writer.
        stdin_fd: A descriptor to take instead, closed here once the starter has it.
        pass_fds: Descriptors that the starter inherits beside its standard ones; they are
            closed here once it has them.
        lent_fds: More of them, which whoever opened them closes.
        status_fd: Read end of a pipe on which the starter writes lines of JSON: bubblewrap's
            `--json-status-fd`, of which the supervisor writes `exit-code` alone, and, as words
            of its own, `session` and `usage`.
        supervised: `argv` is our supervisor, which takes SIGTERM as the order to end its tree.
        worker: It is to run one command that it does not know yet, and says so on its output.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str = "/"
    stdin: bytes = b""
    stdin_fd: int | None = None
    pass_fds: tuple[int, ...] = ()
    lent_fds: tuple[int, ...] = ()
    status_fd: int | None = None
    supervised: bool = False
    worker: bool = False


def start(launch: Launch) -> Tree:
    """Start it; from here on its tree must be ended.

    Raises:
        SandboxError: It cannot be started.
    """
    read_end, write_end = open_pipe()
    theirs = [write_end, *launch.pass_fds]
    # The supervisor looks after itself, and asks its tree to end before it kills.
    guarded: Mapping[str, str] = {} if launch.supervised else marked()
    try:
        source = launch.stdin_fd if launch.stdin_fd is not None else _source(launch.stdin)
        theirs.append(source)
        process = Spawned(
            launch.argv,
            env={**launch.env, **guarded},
            cwd=launch.cwd,
            stdin=source,
            output=write_end,
            pass_fds=(*launch.pass_fds, *launch.lent_fds),
        )
    except (OSError, ValueError) as error:  # the latter for a null byte in a word
        if guarded:
            unmarked()
        os.close(read_end)
        if launch.status_fd is not None:
            os.close(launch.status_fd)
        raise SandboxError(
            f"{launch.argv[0]} could not be started: {getattr(error, 'strerror', None) or error}. "
            "`turbo-tui doctor` shows what works here."
        ) from error
    finally:
        for fd in theirs:
            os.close(fd)
    return Tree(process, read_end, launch, guarded=bool(guarded))


class Tree:
    """A started command, all of its processes, and the pipe they write to."""

    def __init__(
        self, process: Spawned, output_fd: int, launch: Launch, *, guarded: bool = False
    ) -> None:
        self.process = process
        self._guarded = guarded
        self.counted: Counted | None = None  # by the kernel, once the tree is gone
        self.told = asyncio.Event()  # a worker said something, or ended
        self._supervised = launch.supervised
        self._loop = asyncio.get_running_loop()
        self._output = OutputPipe(output_fd, take=self._take, ended=self.told.set)
        self._status = Status(launch.status_fd)
        self._to_say = bytes((WAITING, BEGUN)) if launch.worker else b""
        self._early = b""  # what a worker must not say
        self._sinks: tuple[KeptOutput | LiveOutput, ...] = ()
        self._left: list[int] = []  # descriptors of dead ones, ours to reap when the root ended

    @property
    def exit_code(self) -> int:
        """As a shell shows it; 137 when all was killed."""
        code = self.process.returncode
        if code is None:
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    @property
    def setup_failed(self) -> bool:
        """Whether bubblewrap gave up, by itself, before it started the command."""
        return self.begun and not self._status.command_ran and (self.process.returncode or 0) > 0

    @property
    def waits(self) -> bool:
        """Whether this is a worker that is whole and waits for its command."""
        return len(self._to_say) == 1 and not self._early and not self.over

    @property
    def waited(self) -> bool:
        """Whether this worker ever came to wait for its command."""
        return len(self._to_say) <= 1

    @property
    def begun(self) -> bool:
        """Whether the command itself began; of what is no worker it is taken to have."""
        return not self._to_say

    @property
    def over(self) -> bool:
        """Whether the root of the tree ended, whatever the loop has been told so far."""
        return not self.process.alive or (
            self._status.init_fd >= 0 and _has_ended(self._status.init_fd)
        )

    def root_pid(self) -> int:
        """Return the process below which all others are."""
        return self._status.init_pid or self.process.pid

    def leaf_pid(self) -> int | None:
        """Return the one process that bubblewrap started; None when that cannot be told."""
        below = children(self._status.init_pid) if self._status.init_pid is not None else []
        return below[0] if len(below) == 1 else None

    def listen(self, *sinks: KeptOutput | LiveOutput) -> None:
        """Say who gets the command's output; before the loop's next turn, or before it begins."""
        self._sinks = sinks

    def _take(self, data: bytes) -> None:
        if self._to_say:
            self._hear(data)
        else:
            self._pass_on(data)

    def _hear(self, data: bytes) -> None:
        """Take what a worker says of itself; anything else is its sandbox's complaint."""
        while self._to_say and data[:1] == self._to_say[:1] and not self._early:
            self._to_say, data = self._to_say[1:], data[1:]
        if self._to_say:
            self._early += data
        else:
            self._pass_on(data)
        self.told.set()

    def _pass_on(self, data: bytes) -> None:
        for sink in self._sinks if data else ():
            sink.add(data)

    async def end(self) -> None:
        """See to it that every process is gone; read what is left of the output."""
        self._status.read()
        if self.process.returncode is None:
            await self._kill()
        self._status.close()
        self.counted = self._status.counted
        if self.process.returncode is not None:
            await self._bury_all()
        else:  # the kernel takes its time, and nothing below is ours before that
            self._keep(self._bury_later())
        await self._output.close()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        """Go on with it when the command is over, and adopt until then."""
        adopting = ExitStack()
        adopting.enter_context(adopting_orphans())
        burial = self._loop.create_task(work)
        _burials.add(burial)
        burial.add_done_callback(_burials.discard)
        burial.add_done_callback(lambda _: adopting.close())

    async def _bury_later(self) -> None:
        await self.process.wait()
        await self._bury_all()

    async def _bury_all(self) -> None:
        """Reap what became ours as the root ended; end it, where it still lives."""
        named = self._status.init_fd >= 0
        if named:
            self.counted = await self._bury(self._status.init_fd)
            self._status.init_fd = -1
        if self._status.session_fd >= 0:
            self._left.append(self._status.session_fd)
            self._status.session_fd = -1
        for fd in self._left:
            await self._bury(fd)
        self._left.clear()
        if not named:  # there is no namespace, or a root that was killed did not come to name it
            await self._bury_orphans()
        if self._guarded:
            unmarked()

    async def _bury_orphans(self, within_s: float | None = None) -> None:
        """Bury what we adopted, and what we adopt as that dies; what takes longer, later."""
        sessions = {self.process.pid, self._status.session}
        seen: set[int] = set()
        give_up = self._loop.time() + (GONE_S if within_s is None else within_s)
        while found := [pid for pid in adopted_from(sessions) if pid not in seen]:
            seen.update(found)
            for fd in _held(found):
                await self._bury(fd)
            if self._loop.time() > give_up:
                if within_s is None:
                    self._keep(self._bury_orphans(LATE_S))
                return  # for good, where they fork faster than they can be ended

    async def _kill(self) -> None:
        """Ask the command, then end the tree from its root."""
        if self._supervised:
            self.process.send(signal.SIGTERM)  # the supervisor passes it on, kills what stays
            if await self._exits_within(SUPERVISED_S):
                return
        elif self._status.init_pid is not None and self._status.init_fd >= 0:
            if self.begun:
                for pid in children(self._status.init_pid):
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGTERM)
                if await self._exits_within(GRACE_S):
                    return
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._status.init_fd, signal.SIGKILL)
            if await self._exits_within(GONE_S):
                return
        await self._kill_unknown()

    async def _kill_unknown(self) -> None:
        """Kill a root that does not end by itself, or does so unseen, and all that it made.

        Killed alone it could leave a child that had no time to ask to die with it. Stopped, it
        makes no more of them; and with all of them dead, those it leaves are its own children.
        """
        pid = self.process.pid
        self.process.send(signal.SIGSTOP)
        await self._comes_true(lambda: _state(pid) in "TZX")
        await self._comes_true(lambda: not _kill_below(pid))
        self._left += _held(children(pid))
        self.process.send(signal.SIGKILL)
        await self._exits_within(GONE_S)

    async def _comes_true(self, condition: Callable[[], bool]) -> None:
        give_up = self._loop.time() + STOPPED_S
        while not condition() and self._loop.time() < give_up:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)

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
        try:
            await asyncio.wait_for(gone.wait(), GONE_S)
        except TimeoutError:  # much memory takes its time; nothing of it runs any more
            self._keep(self._bury_late(pidfd, gone))
            return None
        self._loop.remove_reader(pidfd)
        return _reap(pidfd)

    async def _bury_late(self, pidfd: int, gone: asyncio.Event) -> None:
        """Reap it once it is dead, and what becomes ours only then."""
        try:
            await gone.wait()
        finally:
            self._loop.remove_reader(pidfd)
            _reap(pidfd)
        await self._bury_orphans()


def _reap(pidfd: int) -> Counted | None:
    """Take a dead process from the kernel, with what it counted for it; close its descriptor."""
    found = None
    with suppress(ChildProcessError):
        # By its descriptor first: its number is its own only as long as it is not reaped.
        dead = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if dead is not None:
            used = os.wait4(dead.si_pid, os.WNOHANG)[2]
            cpu_s = used.ru_utime + used.ru_stime
            found = counted(cpu_s, used.ru_maxrss, used.ru_oublock)
    os.close(pidfd)
    return found


def _held(pids: Iterable[int]) -> list[int]:
    """Return descriptors of those processes that are there."""
    return [fd for fd in map(descriptor_of, pids) if fd >= 0]


def _kill_below(root: int) -> bool:
    """Kill what lives below a process; say whether there was anything."""
    below = children(root)
    for pid in below:
        below += children(pid)
    living = [pid for pid in below if _state(pid) != "Z"]
    for pid in living:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(living)


def _source(content: bytes) -> int:
    """Open a standard input with this content; a file never waits for its writer."""
    if not content:
        return os.open(os.devnull, os.O_RDONLY)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return os.dup(file.fileno())


def _state(pid: int) -> str:
    """Return a process's state as /proc shows it, `X` when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _has_ended(pidfd: int) -> bool:
    import select  # noqa: PLC0415 - not on every platform

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


_burials: set[asyncio.Task[None]] = set()
