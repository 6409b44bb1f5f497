"""Become a program from which the kernel refuses something: `python -m tests.sandbox.refusing`.

    refusing.py namespaces landlock -- CMD…

A seccomp filter is put on first, and everything below inherits it, as in a strict container.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

from turbo_tui.sandbox.confine.confine_exec import PR_SET_NO_NEW_PRIVS, load_filter, prctl
from turbo_tui.sandbox.confine.seccomp import (
    ALLOW,
    ARGS,
    CLONE,
    CLONE3,
    ENOSYS,
    EPERM,
    JEQ,
    MACHINES,
    NR,
    REFUSED,
    Program,
)

CLONE_NEWUSER = 0x10000000
LANDLOCK_CREATE_RULESET = 444
MACHINE = platform.machine()


def numbers(*names: str) -> list[int]:
    column = MACHINES.index("x86_64" if MACHINE == "x86_64" else "aarch64")
    found = (REFUSED[name][column] for name in names)
    return [number for number in found if number is not None]


def program(refused: set[str]) -> bytes:
    """Assemble a filter that refuses `namespaces` (of users), `mounts` or `landlock`."""
    p = Program()
    p.load(NR)
    if "namespaces" in refused:
        p.jump(JEQ, CLONE["x86_64" if MACHINE == "x86_64" else "aarch64"], yes="flags")
        p.jump(JEQ, numbers("unshare")[0], yes="flags")
        p.jump(JEQ, CLONE3, yes="missing")
    if "mounts" in refused:
        for number in numbers("mount", "fsopen", "open_tree", "move_mount", "mount_setattr"):
            p.jump(JEQ, number, yes="refuse")
    if "landlock" in refused:
        p.jump(JEQ, LANDLOCK_CREATE_RULESET, yes="missing")
    p.give(ALLOW)
    p.label("flags")
    p.load(ARGS)
    p.mask(CLONE_NEWUSER)
    p.jump(JEQ, CLONE_NEWUSER, yes="refuse")
    p.give(ALLOW)
    p.label("refuse")
    p.give(EPERM)
    p.label("missing")
    p.give(ENOSYS)
    return p.assemble()


def prefix(*refused: str) -> tuple[str, ...]:
    """Return the words before an argv that take `refused` away from it."""
    return (sys.executable, str(Path(__file__)), *refused, "--")


def main(words: list[str]) -> None:
    at = words.index("--")
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    load_filter(program(set(words[:at])))
    os.execvp(words[at + 1], words[at + 1 :])  # noqa: S606 - what it is for


if __name__ == "__main__":
    ctypes.CDLL(None)
    main(sys.argv[1:])
