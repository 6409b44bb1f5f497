"""What a tree's root leaves to us as it ends: ended and reaped, and nothing of others'."""

# Others' children are made and waited for in blocking ways, which are to go on working:
# ruff: noqa: ASYNC220, ASYNC222

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import words_of
from tests.sandbox.confining import (
    END_S,
    alive,
    lasting_zombies,
    needs_bubblewrap,
    needs_landlock,
    place_in,
)
from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import PROGRAM
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.supervised import SCRIPT
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.process import tree
from turbo_tui.sandbox.process.orphans import children
from turbo_tui.sandbox.process.running import Bounds, run_tree
from turbo_tui.sandbox.process.tree import Launch

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def word() -> str:
    """What only this test's processes carry."""
    return f"mark-{os.getpid()}-{time.monotonic_ns()}"


@pytest.fixture(params=[Landlock, Unsandboxed])
async def supervised(request: pytest.FixtureRequest) -> Confiner:
    if request.param is Landlock:
        await needs_landlock()
    return request.param()


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """Who writes to it waits: nobody reads."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for size in (65_536, 1):
        try:
            while os.write(write_end, b" " * size):
                pass
        except BlockingIOError:
            continue
    os.set_blocking(write_end, True)
    yield write_end
    os.close(read_end)


def ours(word: str) -> list[int]:
    """Return our own children that carry the word; theirs do too until they become another."""
    return [pid for pid in alive(word) if pid in children(os.getpid())]


async def comes_true(condition: Callable[[], object]) -> bool:
    """Wait until something is so, for as long as an end may take."""
    until = time.monotonic() + END_S
    while not (so := condition()) and time.monotonic() < until:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    return bool(so)


@pytest.mark.parametrize("killed", ["outer", "both"])
async def test_bubblewrap_killed_before_it_named_its_first_process_leaves_none(
    killed: str, word: str, full_pipe: int
) -> None:
    await needs_bubblewrap()
    silent, never_told = os.pipe()
    os.set_blocking(silent, False)
    # It has made its first process, and waits to say so.
    options = ("--unshare-all", "--die-with-parent", "--json-status-fd", str(full_pipe))
    launch = Launch(
        (PROGRAM, *options, "--ro-bind", "/", "/", "--", "sh", "-c", "sleep 61; :", word),
        ENV,
        pass_fds=(full_pipe, never_told),
        status_fd=silent,
    )
    running = asyncio.create_task(run_tree(launch, Bounds(timeout_s=60)))
    assert await comes_true(lambda: len(alive(word)) == 2)
    (outer,) = ours(word)
    (inner,) = children(outer)

    os.kill(outer, signal.SIGKILL)
    if killed == "both":
        os.kill(inner, signal.SIGKILL)
    result = await running

    assert result.exit_code == 137
    assert await comes_true(lambda: alive(word) == [])
    assert await lasting_zombies() == []


async def with_its_supervisor(
    confiner: Confiner, line: str, folder: Path
) -> tuple[asyncio.Task[CommandResult], psutil.Process]:
    """Run a shell line; return it and its supervisor once it has written something."""
    begun = asyncio.Event()
    running = asyncio.create_task(
        confiner.run(place_in(folder), Command(("sh", "-c", line)), on_output=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 30)
    below = psutil.Process().children()
    (supervisor,) = (each for each in below if str(SCRIPT) in words_of(each))
    return running, supervisor


async def test_a_supervisor_that_does_not_answer_leaves_nothing(
    supervised: Confiner, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "SUPERVISED_S", 0.1)
    stubborn = f"sh -c 'trap \"\" TERM; while :; do sleep 1; done' {word}"
    line = f"{stubborn} & (setsid {stubborn} &); sleep 0.1; echo begun; wait"
    running, supervisor = await with_its_supervisor(supervised, line, tmp_path / "work")

    supervisor.suspend()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await comes_true(lambda: alive(word) == [])
    assert await lasting_zombies() == []


async def test_a_killed_supervisor_leaves_nothing_of_the_commands_session(
    supervised: Confiner, word: str, tmp_path: Path
) -> None:
    line = f"sh -c 'sleep 61; :' {word} & echo begun; wait"
    running, supervisor = await with_its_supervisor(supervised, line, tmp_path / "work")

    supervisor.kill()
    result = await asyncio.wait_for(running, 30)

    assert result.exit_code == 137
    assert await comes_true(lambda: alive(word) == [])
    assert await lasting_zombies() == []


async def test_what_the_kernel_ends_late_is_reaped_then(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "GONE_S", 0.0)  # nothing ends so soon
    monkeypatch.setattr(tree, "STOPPED_S", 0.0)
    launch = Launch(("sh", "-c", "sh -c 'sleep 61; :' & sleep 61; :", word), ENV)
    running = asyncio.create_task(run_tree(launch, Bounds(timeout_s=60)))
    assert await comes_true(lambda: ours(word))
    (root,) = ours(word)
    assert await comes_true(lambda: len(children(root)) == 2)
    below = children(root)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await comes_true(lambda: not any(map(psutil.pid_exists, (root, *below))))
    assert await lasting_zombies() == []


async def test_children_that_others_wait_for_are_left_to_them() -> None:
    program = (sys.executable, "-c", "import sys; sys.exit(int(input()))")
    pipe = subprocess.PIPE
    ours = [
        subprocess.Popen(program, stdin=pipe, start_new_session=alone) for alone in (False, True)
    ]
    dead = [
        subprocess.Popen(("sh", "-c", "exit 5"), start_new_session=alone) for alone in (False, True)
    ]
    theirs = await asyncio.create_subprocess_exec(*program, stdin=pipe, start_new_session=True)
    for each in dead:
        os.waitid(os.P_PID, each.pid, os.WEXITED | os.WNOWAIT)

    # Its root is killed, and leaves one that lives and one that is dead.
    line = "sleep 61 & sh -c : & sleep 0.1; kill -KILL $$"
    await run_tree(Launch(("sh", "-c", line), ENV), Bounds(timeout_s=60))

    for each in ours:
        each.communicate(b"3\n", timeout=30)
    await theirs.communicate(b"4\n")
    assert [each.wait() for each in dead] == [5, 5]
    assert ([each.returncode for each in ours], theirs.returncode) == ([3, 3], 4)
    assert await lasting_zombies() == []
