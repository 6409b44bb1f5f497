"""Under Landlock all of a command's processes end with it, however they dodge."""

from __future__ import annotations

import asyncio
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import words_of
from tests.sandbox.confining import needs_landlock, place_in, script
from turbo_tui.core.command import Command
from turbo_tui.sandbox.confine import landlock as landlock_room
from turbo_tui.sandbox.confine.confine_exec import SCOPE_ABI
from turbo_tui.sandbox.confine.landlock import Landlock, landlock_abi
from turbo_tui.sandbox.confine.supervised import SCRIPT

# Each of a chain lives for the moment between two forks: who looks for it finds it gone. In machine
# language, since an interpreter forks so slowly that it is found. It ends by itself, some day.
_CHAIN = bytes.fromhex(
    "bb 204e0000"  # 20,000 times:
    "b8 39000000 0f05"  # fork
    "85c0 7802 7504"  # the parent: to its exit
    "ffcb 75ef"  # the child, or who could not fork: once more
    "b8 3c000000 31ff 0f05"  # exit
)


def chain() -> bytes:
    """Return a program for Linux on x86_64 that is nothing but a chain of forks; elf(5)."""
    start, size = 0x400000, 64 + 56 + len(_CHAIN)
    kind = struct.pack("<4s5B7x2HI", b"\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1)
    head = kind + struct.pack("<3QI6H", start + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<2I6Q", 1, 5, 0, start, start, size, size, 0x1000)
    return head + segment + _CHAIN


@pytest.fixture
def heart(tmp_path: Path) -> Iterator[int]:
    """A pipe that is at its end as soon as no process holds the other end of it."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    os.mkfifo(workspace / "alive")
    fd = os.open(workspace / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield fd
    os.close(fd)


@pytest.fixture
async def landlock() -> Landlock:
    await needs_landlock()
    if landlock_abi() < SCOPE_ABI:
        pytest.skip("this Landlock keeps no signal inside")
    return Landlock()


def beats(heart: int) -> bool:
    try:
        return os.read(heart, 1) != b""
    except BlockingIOError:
        return True


async def test_a_chain_that_forks_and_exits_ends_with_its_command(
    landlock: Landlock, tmp_path: Path, heart: int
) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the chain is written for another machine")
    program = tmp_path / "work" / "chain"
    program.write_bytes(chain())
    program.chmod(0o755)
    line = "exec 9>alive; ./chain >/dev/null 2>&1 && sleep 0.2; exit 3"

    ended = await landlock.run(place_in(tmp_path / "work"), Command(("sh", "-c", line)))

    assert (ended.exit_code, ended.output) == (3, "")
    assert not beats(heart)


async def test_a_killed_supervisor_takes_the_command_with_it(
    landlock: Landlock, tmp_path: Path, heart: int
) -> None:
    begun = asyncio.Event()  # all of its processes are there by then
    line = "exec 9>alive; setsid sh -c 'sleep 60 & echo begun; wait' & wait"
    running = asyncio.create_task(
        landlock.run(
            place_in(tmp_path / "work"),
            Command(("sh", "-c", line)),
            on_output=lambda _: begun.set(),
        )
    )
    await asyncio.wait_for(begun.wait(), 30)
    children = psutil.Process().children()
    (supervisor,) = (each for each in children if str(SCRIPT) in words_of(each))
    below = supervisor.children(recursive=True)

    supervisor.kill()
    await asyncio.wait_for(running, 30)

    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(heart, gone.set)  # at its end, nothing is ever written
    await asyncio.wait_for(gone.wait(), 30)
    asyncio.get_running_loop().remove_reader(heart)
    assert not beats(heart)
    for orphan in below:  # nobody else waits for what was the killed one's to reap
        with suppress(ChildProcessError):
            await asyncio.to_thread(os.waitpid, orphan.pid, 0)


async def test_a_command_neither_sees_nor_reaches_who_ends_it(
    landlock: Landlock, tmp_path: Path, heart: int
) -> None:
    code = """
        import os
        try:
            print("children", os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            print("no children")
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
            try:
                os.kill(pid, 0)
                print("reached", "itself" if pid == os.getpid() else pid)
            except (PermissionError, ProcessLookupError):
                continue
        os.dup2(os.open("alive", os.O_WRONLY), 9)
        if not os.fork():
            os.execlp("sleep", "sleep", "60")
    """

    ended = await landlock.run(place_in(tmp_path / "work"), Command(script(code)))

    assert ended.output == "no children\nreached itself\n"
    assert not beats(heart)


@pytest.mark.parametrize(
    ("abi", "words"), [(5, "processes usually end with the"), (6, "processes end with the")]
)
def test_the_report_says_where_a_process_can_outlive_its_command(
    monkeypatch: pytest.MonkeyPatch, abi: int, words: str
) -> None:
    monkeypatch.setattr(landlock_room, "landlock_abi", lambda: abi)

    said = {each.name: each.detail for each in Landlock().guarantees}

    assert said["tree"].startswith(words)
