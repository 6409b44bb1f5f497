"""Control groups: where the kernel itself holds and counts a whole tree of processes.

A group is made below our own (version 1, as root) or beside it (version 2, where a session
manager gave us that folder), so that no limit we are under ourselves is escaped. Where none can
be made, which is the rule for an ordinary user, the watchdog does the same work.

Source: Linux `admin-guide/cgroup-v1`, `admin-guide/cgroup-v2.rst`.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Limits
from turbo_tui.sandbox.process.usage import tree_pids

PREFIX = "turbo-tui-"
ROUNDS = 8  # of looking for processes that were made while others were moved
GONE_S = 1.0  # for the kernel to take down who was still in a group
NEEDED = ("memory", "pids")
WELCOME = ("cpuacct",)  # version 1 alone: in version 2 every group counts processor time

_numbers = itertools.count(1)


def at_most(processes: int) -> int:
    """Return where the kernel refuses a fork: beyond the limit, so that reaching it is seen."""
    return processes + max(16, processes // 8)


@dataclass(frozen=True, slots=True)
class Base:
    """Where groups can be made: the folder for each controller, all one folder in version 2."""

    version: int
    folders: Mapping[str, Path]

    def make(self, limits: Limits) -> Group | None:
        """Make a group that is held to `limits`; None where the kernel refuses after all."""
        group = Group(self, f"{PREFIX}{os.getpid()}-{_started(os.getpid())}-{next(_numbers)}")
        try:
            group.create(limits)
        except OSError:
            group.close()
            return None
        return group

    def clear(self) -> None:
        """Remove what a turbo-tui that was killed left: its commands died with it."""
        for folder in set(self.folders.values()):
            for left in folder.glob(f"{PREFIX}*"):
                pid, _, rest = left.name.removeprefix(PREFIX).partition("-")
                if not pid.isdecimal() or _started(int(pid)) != rest.partition("-")[0]:
                    with suppress(OSError):  # somebody is in it, or it was not ours to remove
                        left.rmdir()


class Group:
    """One command's group. Its methods wait for the kernel: call them off the event loop."""

    def __init__(self, base: Base, name: str) -> None:
        self._version = base.version
        self._folders = {each: folder / name for each, folder in base.folders.items()}
        self._cache_bytes = 0

    def create(self, limits: Limits) -> None:
        """Make the folders and set the limits.

        Raises:
            OSError: Refused.
        """
        for folder in dict.fromkeys(self._folders.values()):
            folder.mkdir()
        memory = str(limits.memory_bytes)
        if self._version == 1:
            self._write("memory", "memory.limit_in_bytes", memory)
            with suppress(OSError):  # not there without accounting of swap
                self._write("memory", "memory.memsw.limit_in_bytes", memory)
        else:
            self._write("memory", "memory.max", memory)
            for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
                with suppress(OSError):
                    self._write("memory", name, value)
        self._write("pids", "pids.max", str(at_most(limits.processes)))

    def adopt(self, root: int) -> None:
        """Take in a process and all below it; what they start later is born in the group.

        Takes about 10 ms, in which the kernel waits for forks under way to end.

        Raises:
            OSError: Refused.
        """
        inside: set[int] = set()
        for _ in range(ROUNDS):
            new = [pid for pid in tree_pids(root) if pid not in inside]
            if not new:
                return
            for pid in new:
                self._take(pid)
            inside.update(new)

    def _take(self, pid: int) -> None:
        for folder in dict.fromkeys(self._folders.values()):
            with suppress(ProcessLookupError):
                (folder / "cgroup.procs").write_text(str(pid))

    @property
    def memory_bytes(self) -> int:
        """What is held now, less the cache of files, which the kernel gives up when it must."""
        stat = self._table("memory", "memory.stat")
        if self._version == 1:
            held = ("total_rss", "total_shmem", "total_swap")
            self._cache_bytes = stat.get("total_cache", 0) - stat.get("total_shmem", 0)
        else:
            held = ("anon", "shmem")
            self._cache_bytes = stat.get("file", 0) - stat.get("shmem", 0)
        return sum(stat.get(name, 0) for name in held)

    @property
    def peak_memory_bytes(self) -> int:
        """The most that was held at once, less the cache of files as it is now."""
        name = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
        now = self.memory_bytes
        return max(now, self._number("memory", name) - self._cache_bytes)

    @property
    def cpu_s(self) -> float:
        """Processor time since it was made, also of those that nobody waited for."""
        if self._version == 1:
            return self._number("cpuacct", "cpuacct.usage") / 1e9
        return self._table("pids", "cpu.stat").get("usage_usec", 0) / 1e6

    @property
    def refused(self) -> str:
        """Which limit the kernel enforced: `memory`, `processes` or none."""
        events = "memory.oom_control" if self._version == 1 else "memory.events"
        if self._table("memory", events).get("oom_kill", 0):
            return "memory"
        return "processes" if self._table("pids", "pids.events").get("max", 0) else ""

    def close(self) -> None:
        """Remove the group; whoever is still in it ends."""
        give_up = time.monotonic() + GONE_S
        folders = list(dict.fromkeys(self._folders.values()))
        while folders := [folder for folder in folders if not _removed(folder)]:
            if time.monotonic() > give_up:
                return  # the next turbo-tui clears it
            for pid in {pid for each in folders for pid in _text(each / "cgroup.procs").split()}:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.002)

    def _write(self, controller: str, name: str, value: str) -> None:
        (self._folders[controller] / name).write_text(value)

    def _number(self, controller: str, name: str) -> int:
        folder = self._folders.get(controller)
        text = _text(folder / name).strip() if folder is not None else ""
        return int(text) if text.isdecimal() else 0

    def _table(self, controller: str, name: str) -> dict[str, int]:
        rows = (line.split() for line in _text(self._folders[controller] / name).splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}  # noqa: PLR2004 - name, number


def find_base(proc: Path = Path("/proc")) -> Base | None:
    """Find where groups can be made; None when nowhere.

    Args:
        proc: Where the kernel tells our mounts and groups.
    """
    if sys.platform != "linux":
        return None
    mounts = list(_mounts(_text(proc / "self/mountinfo")))
    for row in _text(proc / "self/cgroup").splitlines():
        number, _, path = row.partition(":")
        if number == "0":
            own = path.removeprefix(":")
            base = _version_2(own, mounts)
            if base is not None:
                return base
    return _version_1(_text(proc / "self/cgroup"), mounts)


@dataclass(frozen=True, slots=True)
class _Mount:
    kind: str
    root: str
    point: Path
    controllers: frozenset[str]

    def folder(self, own: str) -> Path | None:
        """Return where a group of the hierarchy is seen."""
        if self.root == "/":
            return self.point / own.lstrip("/")
        inside = Path(own).is_relative_to(self.root)
        return self.point / Path(own).relative_to(self.root) if inside else None


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        words, kinds = left.split(), right.split()
        if kinds and kinds[0] in {"cgroup", "cgroup2"}:
            point = words[4].encode().decode("unicode_escape")  # spaces come as \040
            yield _Mount(kinds[0], words[3], Path(point), frozenset(kinds[-1].split(",")))


def _version_2(own: str, mounts: list[_Mount]) -> Base | None:
    """Return the nearest folder whose groups get our controllers and that is ours to write.

    Our own group holds processes, so it can give no controllers to groups below it: the one
    above it can, and moving between the two needs the right to write there.
    """
    for mount in mounts:
        seen = mount.folder(own) if mount.kind == "cgroup2" else None
        if seen is None or seen == mount.point:
            continue
        above = seen.parent
        given = _text(above / "cgroup.subtree_control").split()
        if all(each in given for each in NEEDED) and _ours(above):
            return Base(2, dict.fromkeys(NEEDED, above))
    return None


def _version_1(groups: str, mounts: list[_Mount]) -> Base | None:
    folders: dict[str, Path] = {}
    for row in groups.splitlines():
        _, names, own = row.split(":", 2)
        for mount in mounts:
            for name in (*NEEDED, *WELCOME):
                if (
                    mount.kind == "cgroup"
                    and name in names.split(",")
                    and name in mount.controllers
                ):
                    folder = mount.folder(own)
                    if folder is not None and _ours(folder):
                        folders[name] = folder
    return Base(1, folders) if all(name in folders for name in NEEDED) else None


def _ours(folder: Path) -> bool:
    """Whether we may make groups in a folder and move processes from it."""
    return os.access(folder, os.W_OK | os.X_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty when there is none."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if fields else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
