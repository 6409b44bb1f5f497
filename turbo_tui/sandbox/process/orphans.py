"""Processes whose own parent ended: adopted while a command runs, so that none stays a zombie."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager

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


def _adopt(yes: bool) -> None:  # noqa: FBT001 - the word of prctl(2)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


_adopters: list[None] = []
