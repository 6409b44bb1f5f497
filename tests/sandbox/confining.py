"""Shared by the tests of confinement: a place, a confiner that works here, small programs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import LEAST_ABI, Landlock, landlock_abi
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.probing.probe import trial
from turbo_tui.sandbox.process.orphans import children

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3"
# A tree is dead within 1 s of its cancel or its time limit, says the contract. A busy machine, on
# which each process waits its turn, gets far more; what never ends still fails.
END_S = 20.0
EXPECTED = os.environ.get("TURBO_TUI_EXPECT", "")  # bwrap: its absence is a failure, not a skip


def place_in(workspace: Path) -> Place:
    """Make a place without an overlay: the workspace itself is the tree."""
    workspace.mkdir(exist_ok=True)
    return Place(workspace, workspace, (), os.geteuid(), os.getegid())


async def needs_bubblewrap() -> None:
    """Skip, or fail where it is expected, when bubblewrap does not hold here."""
    fault = await _fault("bubblewrap", Bubblewrap)
    if fault and EXPECTED == "bwrap":
        pytest.fail(f"bubblewrap was expected to work here: {fault}")
    if fault:
        pytest.skip(f"bubblewrap: {fault}")


async def needs_landlock() -> None:
    """Skip when the kernel has no Landlock that is new enough."""
    if landlock_abi() < LEAST_ABI:
        pytest.skip("no Landlock")
    fault = await _fault("landlock", Landlock)
    if fault:
        pytest.skip(f"Landlock: {fault}")


def needs_overlay(why_not: tuple[str, ...]) -> None:
    """Skip, or fail where it is expected, when there is a reason against an overlay."""
    if why_not and EXPECTED == "bwrap":
        pytest.fail(f"an overlay was expected to work here: {why_not}")
    if why_not:
        pytest.skip(f"no overlay here: {why_not}")


async def _fault(name: str, confiner: Callable[[], Confiner]) -> str:
    """Try a confiner, until it held once: it takes as long as many a test."""
    fault = "" if name in _held else await trial(confiner())
    if not fault:
        _held.add(name)
    return fault


_held: set[str] = set()


def script(code: str) -> tuple[str, ...]:
    """Return the argv of a Python program."""
    return (PYTHON, "-I", "-c", textwrap.dedent(code))


async def python(confiner: Confiner, place: Place, code: str, **kwargs: float) -> CommandResult:
    """Run a Python program in a place."""
    return await confiner.run(place, Command(script(code), timeout_s=kwargs.get("timeout_s", 30.0)))


@contextmanager
def short_folder() -> Generator[Path]:
    """Make a folder whose path leaves room for a socket's name: all of it may have 107 bytes."""
    with TemporaryDirectory(dir="/tmp", prefix="tt-") as folder:
        yield Path(folder)


def outside(code: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run the same program without a sandbox: what an attempt does where nothing stops it."""
    done = subprocess.run(
        script(code),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout + done.stderr


def alive(mark: str) -> list[int]:
    """Return processes of this machine that carry a mark in their command line."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


async def outliving(mark: str) -> list[int]:
    """Return processes that carry a mark and stay; what is killed dies when it gets its turn."""
    end = time.monotonic() + END_S
    while (left := await asyncio.to_thread(alive, mark)) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    return left


def descriptors() -> dict[int, str]:
    """Return what we have open: number -> what it is, of a process which one."""
    found: dict[int, str] = {}
    for link in list(Path("/proc/self/fd").iterdir()):
        try:
            what = str(link.readlink())
            told = Path("/proc/self/fdinfo", link.name).read_text("ascii")
        except OSError:  # that of the listing itself, or closed meanwhile
            continue
        pid = told.partition("Pid:")[2].split()[:1]
        found[int(link.name)] = " ".join((what, *pid))
    return found


async def left_open(before: dict[int, str]) -> dict[int, str]:
    """Return what is open, was not before, and stays so.

    The last look at a tree, in a thread, may still read /proc when its command has ended.
    """
    end = time.monotonic() + 20
    while (new := _opened_since(before)) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    return new


def _opened_since(before: dict[int, str]) -> dict[int, str]:
    return {fd: what for fd, what in descriptors().items() if before.get(fd) != what}


def zombies() -> list[str]:
    """Return our children that ended and were not reaped: number, program, session."""
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                name, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent, _, session = rest.split()[:4]
            if state == "Z" and int(parent) == os.getpid():
                found.append(f"{name}) of session {session}")
    return found


def adopted() -> list[int]:
    """Return our children that others made: what we start is in our session or leads its own."""
    found: list[int] = []
    for pid in children(os.getpid()):
        with suppress(ProcessLookupError):
            if os.getsid(pid) not in {os.getsid(0), pid}:
                found.append(pid)
    return found


async def lasting_zombies() -> list[str]:
    """Return our children that ended and stay; what dies slowly is reaped when it has died."""
    end = time.monotonic() + END_S
    while (found := zombies()) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    return found  # not those of another look: who has only just died is not one of them


@contextmanager
def host_process(mark: str) -> Generator[int]:
    """Keep a process of the user running beside the sandbox."""
    process = subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE)
    try:
        while not alive(mark):  # its new command line shows a moment after it started
            time.sleep(0.001)
        yield process.pid
    finally:
        process.communicate(b"\n", timeout=60)
