"""What a command may use of the machine, and the watch over what no kernel limit covers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

from turbo_tui.core.command import GIB, MIB, CommandUsage, Limits
from turbo_tui.sandbox.process.cgroup import Base, Group, at_most, find_base
from turbo_tui.sandbox.process.usage import BLOCK_BYTES, Counted, Meter, read_tree

# A command that is over sooner is never looked at, and costs nothing.
FIRST_LOOK_S = 0.05
WATCH_S = 0.2
# A process takes a gigabyte in a fifth of a second: one that is half way is looked at sooner.
NEAR = 0.5
NEARLY_FULL = 8  # times what must stay free
PRLIMIT_PATH = "/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin"
IN_MEMORY = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
NO_SPACE = "No space left on device"  # strerror(ENOSPC)
SETTING = "`{name}` in [sandbox] of config.toml raises this"


def _memory_bytes() -> int:
    """Return half of the machine's memory, 4 GiB at most."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4 * GIB, total // 2)


DEFAULTS = Limits(
    wall_s=1800.0,
    memory_bytes=_memory_bytes(),
    processes=1024,
    open_files=4096,
    file_bytes=4 * GIB,
    written_bytes=16 * GIB,
    free_disk_bytes=GIB // 4,
    output_bytes=2_000_000,
    scratch_bytes=GIB // 2,
    shared_bytes=GIB // 16,
)


def held_to(command: Limits, settings: Limits) -> Limits:
    """Return what a command is held to: the user's settings, else its tool's, else our own.

    Settings come first, so that what a message says about raising a limit is true.
    """
    return settings.over(command.over(DEFAULTS))


def prlimit_argv(
    limits: Limits, program: str = "", *, processes_of_user: int = 0
) -> tuple[str, ...]:
    """Return the prefix that sets the kernel's limits; empty where util-linux is missing."""
    prlimit = program or shutil.which("prlimit", path=PRLIMIT_PATH)
    if not prlimit:
        return ()
    wanted = kernel_limits(limits, processes_of_user=processes_of_user)
    words = (
        # First the signal that names the limit, a second later the one that cannot be ignored.
        f"--{name}={value}:{value + 1}" if name == "cpu" else f"--{name}={value}"
        for name, value in wanted.items()
    )
    return (prlimit, *words, "--")


def kernel_limits(limits: Limits, *, processes_of_user: int = 0) -> dict[str, int]:
    """Return the limits as getrlimit(2) names them.

    Args:
        limits: What the tree is held to.
        processes_of_user: How many the user may have beside it, where the kernel counts all of
            the user's and not those of a namespace.
    """
    wanted = {
        "nproc": at_most(limits.processes) + processes_of_user,
        "fsize": limits.file_bytes,
        "nofile": limits.open_files,
        "core": 0,
    }
    return wanted | ({"cpu": limits.cpu_s} if limits.cpu_s else {})


def threads_here() -> int:
    """Return how many threads this machine has now; never fewer than the user's own."""
    try:
        return int(Path("/proc/loadavg").read_text("ascii").split()[3].partition("/")[2])
    except (OSError, IndexError, ValueError):
        return 0


def held_by_kernel() -> str:
    """Say who holds memory and processes of a whole tree: the kernel's groups, or our watch."""
    if _base() is not None:
        # Refused in a single case, which shows nowhere, the look is what holds.
        return (
            "memory and processes of the tree by a control group of the kernel "
            f"{FIRST_LOOK_S} s after its start, and by a look every {WATCH_S} s if it refuses one"
        )
    return f"memory and processes of the tree by a look every {WATCH_S} s"


@cache
def _base() -> Base | None:
    """Return where groups can be made, cleared of what a killed process left there."""
    base = find_base()
    if base is not None:
        base.clear()
    return base


class _Disk:
    """A file system that must not run full; let be if it is nearly full at the start."""

    def __init__(self, path: Path, keep_bytes: int) -> None:
        self._path = path
        self._keep = keep_bytes
        self._was_full = self.full

    @property
    def full(self) -> bool:
        return _free(self._path) < self._keep

    @property
    def filled(self) -> bool:
        return not self._was_full and self.full

    @property
    def nearly_filled(self) -> bool:
        return not self._was_full and _free(self._path) < NEARLY_FULL * self._keep


class _Scratch:
    """A scratch folder among the host's own files, where no size can be set on it.

    Its file system tells at once when more is used; only then is the folder itself looked through.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._free = _free(folder)
        self._taken = 0  # by anybody, on top of what the folder was found to hold

    def is_full(self) -> bool:
        """Look again."""
        before, self._free = self._free, _free(self._folder)
        self._taken += max(0, before - self._free)  # others may make room meanwhile
        if self._taken > self._most:
            self._taken = self._used()
        return self._taken > self._most

    def _used(self) -> int:
        used = 0
        for folder, _, names in os.walk(self._folder):
            for name in names:
                with suppress(OSError):
                    used += os.lstat(f"{folder}/{name}").st_blocks * BLOCK_BYTES
        return used


class Watch:
    """Hold one command to its limits and meter what it uses.

    Args:
        root: Gives the process below which all others are; it may become known late.
        limits: What the tree is held to.
        disk: A path whose file system must not run full.
        scratch: The command's temporary folder, where it is one of the host's.
    """

    def __init__(
        self,
        root: Callable[[], int],
        limits: Limits,
        disk: Path | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._root = root
        self._limits = limits
        self._disk = _Disk(disk, limits.free_disk_bytes) if disk is not None else None
        self._scratch = _Scratch(scratch, limits.scratch_bytes) if scratch is not None else None
        self._meter = Meter()
        self._group: Group | None = None
        self._refusal = ""  # what the kernel held it to, in words
        self._thread = Lock()  # a look that is under way as the command ends
        self._handing = Lock()  # between the thread that makes the group and the command's end
        self._over = False
        self._near = False  # half way to a limit that is reached fast
        self._shared_before = shared_memory_bytes()

    async def exceeded(self) -> str:
        """Return why the tree must be stopped, once it must; until then do not return."""
        await asyncio.sleep(FIRST_LOOK_S)
        await asyncio.to_thread(self._begin)
        while True:
            reason = await asyncio.to_thread(self._look)
            if reason:
                return reason
            await asyncio.sleep(FIRST_LOOK_S if self._near else WATCH_S)

    async def end(self, counted: Counted | None = None) -> None:
        """Take the last numbers, what the kernel counted among them: the tree is gone."""
        if counted is not None:
            self._meter.end(counted)
        with self._handing:
            self._over = True
        # A group that is only being made is removed by the thread that makes it: the kernel takes
        # its time, and the command is over.
        if self._group is not None:
            await asyncio.to_thread(self._leave)

    def ended_by(self, exit_code: int, output: str) -> str:
        """Return the limit that a command ran into by itself, as `exceeded` does.

        Args:
            exit_code: How it ended, or what it started last.
            output: What it wrote, for the one limit that shows nowhere else.
        """
        if exit_code and self._refusal:
            return self._refusal
        if exit_code == 128 + signal.SIGXFSZ:
            size = in_mib(self._limits.file_bytes)
            return over(f"a file grew larger than {size}", "file_mb")
        if self._limits.cpu_s and exit_code == 128 + signal.SIGXCPU:
            return self._cpu
        if self._limits.cpu_s and exit_code == 128 + signal.SIGKILL:
            cpu_s = self._meter.usage.cpu_s or 0.0
            if cpu_s >= self._limits.cpu_s:  # it had ignored the signal before
                return self._cpu
        if exit_code and NO_SPACE in output[-4096:] and not (self._disk and self._disk.full):
            return self._scratch_full
        return ""

    @property
    def usage(self) -> CommandUsage:
        """What the command used."""
        return self._meter.usage

    def _begin(self) -> None:
        with self._thread:
            base = None if self._over else _base()
            group = base.make(self._limits) if base is not None else None
            if group is None:
                return
            try:
                group.adopt(self._root())
            except OSError:
                group.close()
                return
            with self._handing:
                if not self._over:
                    self._group = group
                    return
            group.close()

    def _leave(self) -> None:
        with self._thread:
            if self._group is not None:
                self._count(self._group)
                self._refusal = self._refused(self._group)
                self._group.close()
                self._group = None

    def _count(self, group: Group) -> None:
        self._meter.kernel(peak_memory_bytes=group.peak_memory_bytes, cpu_s=group.cpu_s)

    def _look(self) -> str:
        with self._thread:
            return "" if self._over else next(self._reached(), "")

    def _reached(self) -> Iterator[str]:
        limits, root = self._limits, self._root()
        now = read_tree(root, memory_limit=limits.memory_bytes, most=limits.processes)
        now = self._meter.add(now)
        memory_share = now.memory_bytes / limits.memory_bytes
        written_share = (now.written_bytes or 0) / limits.written_bytes
        nearly_full = self._disk is not None and self._disk.nearly_filled
        self._near = nearly_full or max(memory_share, written_share) > NEAR
        if self._group is not None:
            self._count(self._group)
            yield from filter(None, [self._refused(self._group)])
        if now.memory_bytes > limits.memory_bytes or self._is_unseen_growth():
            yield self._memory
        if now.threads >= limits.processes:
            yield self._processes
        if limits.cpu_s and max(now.cpu_s, self._meter.usage.cpu_s or 0.0) > limits.cpu_s:
            yield self._cpu
        if (now.written_bytes or 0) > limits.written_bytes:
            size = in_mib(limits.written_bytes)
            yield over(f"it wrote more than {size} to the disk", "written_mb")
        if self._disk is not None and self._disk.filled:
            size = in_mib(limits.free_disk_bytes)
            yield f"less than {size} were left free on the disk; make room there"
        if _is_full_in_memory(root) or (self._scratch is not None and self._scratch.is_full()):
            yield self._scratch_full

    def _is_unseen_growth(self) -> bool:
        """Whether the machine's shared memory grew by more than this command may have of any kind.

        A file in memory, or a segment, that no process maps is nobody's in /proc. Only a control
        group counts it for its tree, so where there is none a growth that large is held against
        the command, whoever it was.
        """
        if self._group is not None:
            return False
        limits, now = self._limits, shared_memory_bytes()
        self._shared_before = min(self._shared_before, now)  # others may give some back
        most = limits.memory_bytes + limits.scratch_bytes + limits.shared_bytes
        return now - self._shared_before > most

    def _refused(self, group: Group) -> str:
        return {"memory": self._memory, "processes": self._processes}.get(group.refused, "")

    @property
    def _memory(self) -> str:
        size = in_mib(self._limits.memory_bytes)
        return over(f"it used more than {size} of memory", "memory_mb")

    @property
    def _processes(self) -> str:
        return over(f"it had {self._limits.processes:,} processes or threads", "processes")

    @property
    def _cpu(self) -> str:
        return over(f"it used more than {self._limits.cpu_s:,} s of processor time", "cpu_s")

    @property
    def _scratch_full(self) -> str:
        size = in_mib(self._limits.scratch_bytes)
        return over(f"its private /tmp of {size}, or /dev/shm, was full", "tmp_mb")


def shared_memory_bytes() -> int:
    """Return what the machine has in files in memory and in segments; 0 where that is not told."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Shmem:")), 0)


def over(what: str, setting: str) -> str:
    """Say which limit was reached, and how to raise it."""
    return f"{what}; {SETTING.format(name=setting)}"


def in_mib(size_bytes: int) -> str:
    """Return a size as the settings give it."""
    return f"{size_bytes / MIB:,.0f} MiB"


def _is_full_in_memory(root: int) -> bool:
    """Whether a folder that the tree has in memory, of its own, has no room left."""
    for folder in IN_MEMORY:
        inner = f"/proc/{root}/root{folder}"
        with suppress(OSError):
            # In the host's own folder somebody else may be filling it.
            if os.stat(inner).st_dev != os.stat(folder).st_dev and not os.statvfs(inner).f_bavail:  # noqa: PTH116 - hot
                return True
    return False


def _free(path: Path) -> int:
    """Return the bytes free for us where `path` lies; plenty when that cannot be told."""
    try:
        at = os.statvfs(path)
    except OSError:
        return 1 << 62
    return at.f_bavail * at.f_frsize
