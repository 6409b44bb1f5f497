"""What a tree of processes uses: looked at while it runs, counted by the kernel as it ends.

A look costs about 0.1 ms for each process, so a command that is over at once is never looked
at: what the kernel counted for it comes with its end (`Meter.end`).

Source: proc(5), wait4(2), getrusage(2).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from turbo_tui.core.command import CommandUsage

BLOCK_BYTES = 512  # what `ru_oublock` counts in
KIB = 1024
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tree uses at one moment.

    Attributes:
        memory_bytes: What is private to each process, and once what they share.
        cpu_s: Of all that live, and of those that ended and were waited for.
        written_bytes: To block devices, counted likewise; None when that may not be read.
    """

    processes: int = 0
    threads: int = 0
    memory_bytes: int = 0
    cpu_s: float = 0.0
    written_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What the kernel counted for a tree whose root was waited for.

    Attributes:
        largest_bytes: The most that one of its processes held in memory.
    """

    cpu_s: float
    largest_bytes: int
    written_bytes: int


def counted(cpu_s: float, largest_kib: int, written_blocks: int) -> Counted:
    """Return what getrusage(2) says, in our units."""
    return Counted(cpu_s, largest_kib * KIB, written_blocks * BLOCK_BYTES)


class Meter:
    """Put the looks at one command's tree together."""

    def __init__(self) -> None:
        self._last = Reading()
        self._lost_cpu_s = 0.0
        self._lost_written_bytes = 0
        self._most_memory = 0
        self._most_processes = 0
        self._end: Counted | None = None
        self._exact = False
        self._group_cpu_s = 0.0

    def add(self, reading: Reading) -> Reading:
        """Take a look into account; return it with what vanished since the first added.

        A process that nobody waits for takes its count with it as it ends.
        """
        self._lost_cpu_s += max(0.0, self._last.cpu_s - reading.cpu_s)
        before, now = self._last.written_bytes, reading.written_bytes
        if now is None:
            reading = replace(reading, written_bytes=before)
        elif before is not None:
            self._lost_written_bytes += max(0, before - now)
        self._last = reading
        self._most_memory = max(self._most_memory, reading.memory_bytes)
        self._most_processes = max(self._most_processes, reading.processes)
        written = reading.written_bytes
        return replace(
            reading,
            cpu_s=reading.cpu_s + self._lost_cpu_s,
            written_bytes=None if written is None else written + self._lost_written_bytes,
        )

    def kernel(self, *, peak_memory_bytes: int, cpu_s: float = 0.0) -> None:
        """Take what a control group counted: nothing was missed between two looks."""
        self._most_memory = max(self._most_memory, peak_memory_bytes)
        self._group_cpu_s = cpu_s
        self._exact = True

    def end(self, end: Counted) -> None:
        """Take what the kernel counted by the end."""
        self._end = end

    @property
    def usage(self) -> CommandUsage:
        """All of it; None for what was never seen."""
        seen = self._last.processes > 0
        cpu_s = self._last.cpu_s + self._lost_cpu_s if seen else None
        memory = self._most_memory or None
        written = self._last.written_bytes
        if written is not None:
            written += self._lost_written_bytes
        if self._exact:
            cpu_s = max(cpu_s or 0.0, self._group_cpu_s)
        if self._end is not None:
            cpu_s = max(cpu_s or 0.0, self._end.cpu_s)
            memory = max(memory or 0, self._end.largest_bytes)
            written = max(written or 0, self._end.written_bytes)
        return CommandUsage(
            cpu_s=None if cpu_s is None else round(cpu_s, 3),
            peak_memory_bytes=memory,
            written_bytes=written,
            # The root is the sandbox's own: its namespace's first process, or our supervisor.
            processes=max(1, self._most_processes - 1) if self._most_processes else None,
            exact=self._exact,
        )


def read_tree(root: int, *, memory_limit: int = 0, most: int = 0) -> Reading:
    """Look at a process and all below it.

    Args:
        root: Its pid; of a process that is gone nothing is read.
        memory_limit: Where more than this seems used, what is shared is told apart, at a cost.
        most: Threads after which the look ends early: there are too many, and each takes time.
    """
    if not LINUX:
        return read_with_psutil(root)
    own: list[_Process] = []
    threads = 0
    for folder in tree_folders(root):
        process = _read(folder)
        if process is None:
            continue
        own.append(process)
        threads += process.threads
        if most and threads > most:
            break
    if not own:
        return Reading()
    memory = sum(each.private for each in own) + max(each.shared for each in own)
    if memory_limit and memory > memory_limit:
        # After a fork, pages count as private to both until one of them writes.
        memory = min(memory, sum(map(_proportional, own)))
    written = [each.written for each in own if each.written is not None]
    return Reading(
        processes=len(own),
        threads=threads,
        memory_bytes=memory,
        cpu_s=sum(each.ticks for each in own) / TICKS,
        written_bytes=sum(written) if written else None,
    )


@dataclass(frozen=True, slots=True)
class _Process:
    folder: str
    threads: int
    ticks: int
    private: int
    shared: int
    written: int | None


def tree_folders(root: int) -> Iterator[str]:
    """Yield the /proc folders of a process and all below it.

    A process in a pid namespace of its own is asked for that namespace's list: there no
    process is missed whose parent ended between two looks.
    """
    inner = f"/proc/{root}/root/proc"
    with suppress(OSError):
        if os.stat(inner).st_dev != os.stat("/proc").st_dev:  # noqa: PTH116 - hot
            for name in os.listdir(inner):  # noqa: PTH208 - hot
                if name.isdecimal():
                    yield f"{inner}/{name}"
            return
    for pid in tree_pids(root):
        yield f"/proc/{pid}"


def tree_pids(root: int) -> Iterator[int]:
    """Yield a process and all below it, by the kernel's lists of children."""
    todo = [root]
    while todo:
        pid = todo.pop()
        yield pid
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - hot
                todo += map(int, _text(f"/proc/{pid}/task/{task}/children").split())


def _read(folder: str) -> _Process | None:
    """Read one process; None when it is gone."""
    fields = _text(f"{folder}/stat").rpartition(")")[2].split()
    if not fields or fields[0] in "ZX":
        return None
    memory = _table(f"{folder}/status", ("RssAnon", "VmSwap", "RssShmem"))
    written = _table(f"{folder}/io", ("write_bytes",)).get("write_bytes")
    return _Process(
        folder=folder,
        threads=int(fields[17]),
        ticks=sum(map(int, fields[11:15])),  # its own, and of children waited for
        private=(memory.get("RssAnon", 0) + memory.get("VmSwap", 0)) * KIB,
        shared=memory.get("RssShmem", 0) * KIB,
        written=written,
    )


def _proportional(process: _Process) -> int:
    """Return a process's memory with each page shared out among those that have it."""
    names = ("Pss_Anon", "Pss_Shmem", "SwapPss")
    found = _table(f"{process.folder}/smaps_rollup", names)
    if found:
        return sum(found.values()) * KIB
    still = _read(process.folder)  # it is gone meanwhile, or not ours to read
    return still.private if still is not None else 0


def _table(path: str, names: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(":")
        if name in names:
            found[name] = int(value.split()[0])
    return found


def _text(path: str) -> str:
    """Return a file of /proc; nothing when its process is gone, or not ours to read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - hot
            return file.read()
    except OSError:
        return ""


def read_with_psutil(root: int) -> Reading:
    """Look where there is no /proc."""
    import psutil  # noqa: PLC0415 - not needed for the first frame

    reading = Reading()
    with suppress(psutil.Error):
        top = psutil.Process(root)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                reading = replace(
                    reading,
                    processes=reading.processes + 1,
                    threads=reading.threads + process.num_threads(),
                    memory_bytes=reading.memory_bytes + process.memory_info().rss,
                    cpu_s=reading.cpu_s + times.user + times.system,
                )
    return reading
