"""Processes whose own parent ended: adopted while a command runs, so that none stays a zombie."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@contextmanager
def adopting_orphans() -> Generator[None]:
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


def adopted_from(sessions: Collection[int]) -> list[int]:
    """Return our children that are in one of a command's sessions and lead none, dead or alive.

    Nobody else waits for one of them: what we start ourselves is in our session or leads its own.
    """
    if sys.platform != "linux":
        return []
    ours = ((pid, _session(pid)) for pid in children(os.getpid()))
    return [pid for pid, session in ours if session in sessions and pid != session]


def descriptor_of(pid: int) -> int:
    """Return a descriptor of a process; -1 where it is gone, or the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or before 5.3
        return -1


def children(pid: int) -> list[int]:
    """Return the processes directly below one."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
    except OSError:  # gone, or a kernel without that file
        pass
    import psutil  # noqa: PLC0415 - not needed for the first frame

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)  # of a dead process, too
    except OSError:  # gone
        return -1


def _adopt(yes: bool) -> None:  # noqa: FBT001 - the word of prctl(2)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


_adopters: list[None] = []
