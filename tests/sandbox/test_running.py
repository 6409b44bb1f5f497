"""How commands end: in time, whole, and with their output."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    END_S,
    alive,
    descriptors,
    lasting_zombies,
    left_open,
    needs_bubblewrap,
    needs_landlock,
    outliving,
    place_in,
    python,
    zombies,
)
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.process import limits
from turbo_tui.sandbox.process.limits import Limits
from turbo_tui.sandbox.process.running import Bounds, run_tree
from turbo_tui.sandbox.process.tree import Launch

Make = Callable[[Limits], Confiner]


@pytest.fixture(params=[Bubblewrap, Landlock, Unsandboxed])
async def make(request: pytest.FixtureRequest) -> Make:
    if request.param is Bubblewrap:
        await needs_bubblewrap()
    elif request.param is Landlock:
        await needs_landlock()
    return request.param


@pytest.fixture
def confiner(make: Make) -> Confiner:
    return make(Limits())


def mark() -> str:
    """Return a word that only one test's processes carry."""
    return f"mark-{os.getpid()}-{time.monotonic_ns()}"


async def carried(word: str) -> None:
    """Wait until a process carries the word."""
    async with asyncio.timeout(60):
        while not alive(word):  # noqa: ASYNC110 - another process's doing has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "exit_code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
async def test_the_exit_code_is_what_a_shell_shows(
    line: str, exit_code: int, confiner: Confiner, tmp_path: Path
) -> None:
    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", line)))

    assert (result.exit_code, result.ended) == (exit_code, "exited")


@pytest.mark.parametrize(("name", "exit_code"), [("no-such-program", 127), ("./text", 126)])
async def test_a_program_that_cannot_run_is_the_commands_failure(
    name: str, exit_code: int, confiner: Confiner, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("not a program")

    result = await confiner.run(place_in(tmp_path), Command((name,)))

    assert result.exit_code == exit_code
    assert name in result.output


async def test_both_streams_come_in_order_and_live(confiner: Confiner, tmp_path: Path) -> None:
    seen: list[str] = []
    until_shown = "until [ -e go ]; do sleep 0.01; done"
    line = f"echo one; echo two >&2; printf 'three'; {until_shown}; echo ' four'"

    def show(text: str) -> None:
        seen.append(text)
        if "three" in text:
            (tmp_path / "go").touch()

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", line)), on_output=show)

    assert result.output == "one\ntwo\nthree four\n"
    assert "".join(seen) == result.output


async def test_standard_input_is_given_or_empty_never_waited_for(
    confiner: Confiner, tmp_path: Path
) -> None:
    given = await confiner.run(place_in(tmp_path), Command(("cat",), stdin=b"hello\n"))
    empty = await confiner.run(place_in(tmp_path), Command(("cat",)))

    assert given.output == "hello\n"
    assert (empty.output, empty.ended) == ("", "exited")


async def test_folder_and_variables_of_a_command(confiner: Confiner, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()

    result = await confiner.run(
        place_in(tmp_path),
        Command(("sh", "-c", "pwd; echo $MODE; echo hi > ~/x"), cwd="sub", env={"MODE": "a b"}),
    )

    assert result.output == f"{tmp_path}/sub\na b\n"
    assert result.exit_code == 0


async def test_a_timeout_ends_a_tree_that_ignores_term_within_a_second(
    confiner: Confiner, tmp_path: Path
) -> None:
    word = mark()
    # A shell ignores it soon after its start, also on a busy machine.
    stubborn = "trap '' TERM; while :; do sleep 1; done"
    line = f'trap "" TERM; (setsid sh -c "{stubborn}" {word} &); {stubborn}'
    command = Command(("sh", "-c", line, word), timeout_s=2.0)
    running = asyncio.create_task(confiner.run(place_in(tmp_path), command))
    await carried(word)

    result = await running

    assert result.ended == "timeout"
    assert result.exit_code == 137
    assert result.duration_s < 2.0 + END_S
    assert await outliving(word) == []
    assert await lasting_zombies() == []


async def test_a_command_may_tidy_up_when_its_time_is_over(
    confiner: Confiner, tmp_path: Path
) -> None:
    line = "trap 'echo tidy > note; exit 5' TERM; sleep 60 & wait"  # `wait` hears it at once

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", line), timeout_s=1.5))

    assert (result.ended, result.exit_code) == ("timeout", 5)
    assert (tmp_path / "note").read_text() == "tidy\n"


async def test_cancelling_ends_the_tree_soon(confiner: Confiner, tmp_path: Path) -> None:
    word = mark()
    line = "(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' WORD &) ; sleep 60"
    running = asyncio.create_task(
        confiner.run(place_in(tmp_path), Command(("sh", "-c", line.replace("WORD", word))))
    )
    await carried(word)
    began = time.monotonic()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert time.monotonic() - began < END_S
    assert await outliving(word) == []
    assert await lasting_zombies() == []


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.005, 0.01, 0.02])
async def test_cancelling_while_it_starts_leaves_nothing(
    after_s: float, confiner: Confiner, tmp_path: Path
) -> None:
    word = mark()
    open_before = descriptors()
    running = asyncio.create_task(
        confiner.run(place_in(tmp_path), Command(("sh", "-c", "sleep 60; :", word)))
    )
    await asyncio.sleep(after_s)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await outliving(word) == []
    assert await lasting_zombies() == []
    assert await left_open(open_before) == {}


async def test_a_daemon_that_holds_the_output_neither_hangs_nor_survives(
    confiner: Confiner, tmp_path: Path
) -> None:
    word = mark()
    line = f"(setsid sh -c 'while :; do sleep 1; done' {word} &); echo done"

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", line), timeout_s=20))

    assert (result.output, result.ended) == ("done\n", "exited")  # so it was not the time limit
    assert await outliving(word) == []
    assert await lasting_zombies() == []


async def test_no_zombie_or_descriptor_is_left_by_many_commands(
    confiner: Confiner, tmp_path: Path
) -> None:
    place = place_in(tmp_path)
    await confiner.run(place, Command(("true",)))
    before = descriptors()

    await asyncio.gather(
        *(confiner.run(place, Command(("sh", "-c", "sleep 0.05 &"))) for _ in range(8))
    )

    assert await left_open(before) == {}
    assert await lasting_zombies() == []


async def test_a_flood_keeps_its_head_and_its_tail_and_the_loop_alive(
    confiner: Confiner, tmp_path: Path
) -> None:
    pieces: list[str] = []
    longest_turn = 0.0

    async def watch() -> None:
        nonlocal longest_turn
        while True:
            began = time.thread_time()  # CPU time of the loop: what others run does not count
            await asyncio.sleep(0.005)
            longest_turn = max(longest_turn, time.thread_time() - began)

    before, watching = time.thread_time(), asyncio.create_task(watch())
    line = "echo first; yes 0123456789 | head -c 50000000; echo last"

    result = await confiner.run(
        place_in(tmp_path), Command(("sh", "-c", line)), on_output=pieces.append
    )

    watching.cancel()
    assert result.output.startswith("first\n0123456789\n")
    assert result.output.endswith("012345last\n")
    assert f"{result.dropped_bytes:,} bytes of output not kept" in result.output
    assert result.dropped_bytes + 2_000_000 == 50_000_000 + len("first\nlast\n")
    assert len(result.output) < 2_001_000
    assert len(pieces) <= 30 * result.duration_s + 2
    assert "".join(pieces).endswith("last\n")
    assert longest_turn < (time.thread_time() - before) / 4  # the screen can be drawn meanwhile


async def test_output_is_made_safe(confiner: Confiner, tmp_path: Path) -> None:
    seen: list[str] = []
    argv = ("printf", "a\\033]52;c;ZXZpbA==\\007b\\033[6nc\\033[31mred")

    result = await confiner.run(place_in(tmp_path), Command(argv), on_output=seen.append)

    assert result.output == "abcred"
    assert "".join(seen) == "abcred"


@pytest.mark.parametrize(
    "code",
    [
        "block = bytearray(b'x') * (400 << 20); input() if 0 else __import__('time').sleep(30)",
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                break
        block = bytearray(b'x') * (50 << 20)
        time.sleep(30)
        """,
        """
        import mmap, time
        block = mmap.mmap(-1, 400 << 20)
        for at in range(0, len(block), 4096):
            block[at] = 1
        time.sleep(30)
        """,
    ],
    ids=["one", "many", "shared"],
)
async def test_memory_beyond_the_limit_ends_the_tree(code: str, make: Make, tmp_path: Path) -> None:
    confiner = make(Limits(memory_bytes=200 << 20))

    result = await python(confiner, place_in(tmp_path), code)

    assert result.ended == "limit"
    assert "of memory" in result.output


async def test_a_fork_bomb_is_ended(make: Make, tmp_path: Path) -> None:
    confiner = make(Limits(processes=60))
    word, before = mark(), set(zombies())  # of an earlier test
    code = f"""
        import os, time
        mark = "{word}"
        for _ in range(300):
            try:
                if os.fork() == 0:
                    time.sleep(30)
            except OSError:
                time.sleep(30)
        time.sleep(30)
    """
    result = await python(confiner, place_in(tmp_path), code, timeout_s=4.0)

    assert result.ended in {"limit", "timeout"}  # root is not refused a fork, but stopped
    assert await outliving(word) == []
    assert set(await lasting_zombies()) <= before


async def test_a_file_cannot_grow_beyond_the_limit(make: Make, tmp_path: Path) -> None:
    confiner = make(Limits(file_bytes=100_000))

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", "yes > big")))

    assert (tmp_path / "big").stat().st_size <= 100_000
    assert result.exit_code != 0


async def test_a_spin_ends_by_its_cpu_limit(make: Make, tmp_path: Path) -> None:
    result = await python(make(Limits(cpu_s=1)), place_in(tmp_path), "while True: pass")

    # By the kernel, by us, or by us once more where it did not get its turn to end.
    ends = (signal.SIGXCPU, signal.SIGTERM, signal.SIGKILL)
    assert result.exit_code in {128 + number for number in ends}
    assert result.ended == "limit"


async def test_a_full_disk_is_not_made_fuller(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FIRST_LOOK_S", 0.5)  # by then it is full
    big = tmp_path / "big"

    def free(_: Path) -> int:  # a disk of its own: others fill and empty the real one
        return (64 << 20) - (big.stat().st_size if big.exists() else 0)

    monkeypatch.setattr(limits, "_free", free)
    confiner = make(Limits(free_disk_bytes=32 << 20))
    line = "head -c 50000000 /dev/zero > big; exec sleep 60"

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", line), timeout_s=60))

    assert result.ended == "limit"
    assert "free on the disk" in result.output


async def test_the_private_tmp_is_limited(tmp_path: Path) -> None:
    await needs_bubblewrap()
    confiner = Bubblewrap(Limits(scratch_bytes=1 << 20))

    result = await confiner.run(place_in(tmp_path), Command(("sh", "-c", "yes > /tmp/big")))

    assert "No space left" in result.output


async def test_a_starter_that_is_missing_is_named() -> None:
    with pytest.raises(SandboxError, match="/no/such/starter could not be started"):
        await run_tree(Launch(argv=("/no/such/starter",), env={}), Bounds())


async def test_the_sandboxs_own_failure_is_not_the_commands(tmp_path: Path) -> None:
    await needs_bubblewrap()
    place = place_in(tmp_path / "ws")
    place.workspace.rmdir()

    with pytest.raises(SandboxError):
        await Bubblewrap().run(place, Command(("true",)))
