"""However commands end, and we with them: nothing of them is left.

A seeded sample runs with all tests, the whole of it under `make prove`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    END_S,
    PYTHON,
    alive,
    descriptors,
    lasting_zombies,
    left_open,
    needs_bubblewrap,
    needs_landlock,
    outliving,
    place_in,
)
from turbo_tui.core.command import MIB, Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.process.limits import Limits

AT_ONCE = 4
ROOT = Path(__file__).parents[2]
KILLED_APP = Path(__file__).with_name("killed_app.py")

DAEMON = (
    "(setsid sh -c 'setsid sh -c \"sleep 61; :\" MARK & sleep 61; :' MARK >/dev/null 2>&1 &);"
    " sleep 0.02"
)
STUBBORN = "trap '' TERM INT HUP; while :; do sleep 1; done"
HOLDER = "(sleep 61 &) ; sh -c 'sleep 61 & exit 3' MARK; exit 3"
MEMORY = "block = bytearray(b'x') * (300 << 20); import time; time.sleep(61)"


@dataclass(slots=True)
class Course:
    """Run commands of all endings in one place and count how they ended."""

    confiner: Confiner
    place: Place
    dice: random.Random
    slowest_s: float = 0.0  # from a cancel or a limit until nothing is left
    ended: Counter[str] = field(default_factory=Counter[str])

    async def one(self, number: int) -> None:
        """Run one command of an ending drawn by lot; see that nothing is left of it."""
        kind = self.dice.choice(list(ENDINGS))
        mark = f"mark-{os.getpid()}-{number}-{time.monotonic_ns()}"
        await ENDINGS[kind](self, mark)
        self.ended[kind] += 1
        assert await outliving(mark) == [], kind

    async def run(self, line: str, mark: str, timeout_s: float = 60.0) -> CommandResult:
        """Run a shell line whose processes carry a mark."""
        words = ("sh", "-c", line.replace("MARK", mark), mark)
        return await self.confiner.run(self.place, Command(words, timeout_s=timeout_s))

    async def cancelled(self, line: str, mark: str, after_s: float) -> None:
        """Cancel a command; measure until its tree is gone."""
        running = asyncio.create_task(self.run(line, mark))
        await asyncio.sleep(after_s)
        began = time.monotonic()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await self.measured(began, mark)

    async def measured(self, began: float, mark: str) -> None:
        """Take the time until no process carries the mark."""
        while await asyncio.to_thread(alive, mark):
            assert time.monotonic() < began + END_S, "a tree outlived its end"
            await asyncio.sleep(0.005)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)


async def exits(course: Course, mark: str) -> None:
    code = course.dice.choice((0, 1, 7, 255))
    result = await course.run(f"exit {code}", mark)
    assert (result.exit_code, result.ended) == (code, "exited")


async def killed_by_a_signal(course: Course, mark: str) -> None:
    number = course.dice.choice((signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV))
    result = await course.run(f"kill -{int(number)} $$", mark)
    assert (result.exit_code, result.ended) == (128 + number, "exited")


async def runs_out_of_time(course: Course, mark: str) -> None:
    timeout_s = course.dice.uniform(0.05, 0.3)
    began = time.monotonic()
    result = await course.run("sleep 61", mark, timeout_s=timeout_s)
    assert result.ended == "timeout"
    await course.measured(began + timeout_s, mark)


async def is_cancelled(course: Course, mark: str) -> None:
    await course.cancelled("sleep 61", mark, course.dice.choice((0, 0.001, 0.01, 0.03, 0.1)))


async def ignores_term(course: Course, mark: str) -> None:
    await course.cancelled(STUBBORN, mark, course.dice.uniform(0.02, 0.2))


async def is_a_daemon(course: Course, mark: str) -> None:
    if course.dice.random() < 0.5:
        assert (await course.run(f"{DAEMON}; exit 3", mark)).exit_code == 3
    else:
        await course.cancelled(f"{DAEMON}; sleep 61", mark, course.dice.uniform(0.0, 0.2))


async def leaves_one_that_holds_the_output(course: Course, mark: str) -> None:
    result = await course.run(HOLDER, mark, timeout_s=30)
    assert (result.exit_code, result.ended) == (3, "exited")


async def floods(course: Course, mark: str) -> None:
    if course.dice.random() < 0.5:
        result = await course.run("yes | head -c 9000000", mark)
        assert result.exit_code == 0
        assert result.dropped_bytes > 0
    else:
        await course.cancelled("yes", mark, course.dice.uniform(0.0, 0.2))


async def waits_for_input(course: Course, mark: str) -> None:
    result = await course.run("cat; read -r line || exit 4", mark, timeout_s=30)
    assert (result.exit_code, result.output) == (4, "")


async def reaches_a_limit(course: Course, mark: str) -> None:
    words = (PYTHON, "-c", MEMORY, mark)
    limits = Limits(memory_bytes=100 * MIB)
    result = await course.confiner.run(course.place, Command(words, timeout_s=30, limits=limits))
    assert result.ended == "limit"
    await course.measured(time.monotonic(), mark)


async def is_killed_from_outside(course: Course, mark: str) -> None:
    """What started it, or anything in it, is killed by someone else."""
    # What is killed may be the child that is just becoming `sleep`: the shell goes on then.
    running = asyncio.create_task(course.run("sleep 61; exit 7", mark, timeout_s=30))
    found: list[int] = []
    while not found and not running.done():
        found = await asyncio.to_thread(alive, mark)
        await asyncio.sleep(course.dice.uniform(0.0, 0.02))
    for victim in course.dice.sample(found, len(found)):
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        if course.dice.random() < 0.7:
            break
    with suppress(SandboxError):  # it had not begun
        assert (await running).exit_code != 0


async def is_a_program_that_is_not_there(course: Course, mark: str) -> None:
    result = await course.confiner.run(course.place, Command((f"/no/such/{mark}",)))
    assert result.exit_code == 127


async def cannot_be_started(course: Course, mark: str) -> None:
    with pytest.raises(SandboxError):
        await course.confiner.run(course.place, Command(("true", mark), cwd="no such folder"))


async def loses_its_worker(course: Course, mark: str) -> None:
    """All that waits is killed while the command is on its way to one of them."""
    place = place_in(course.place.workspace / mark)
    course.confiner.warm(place)
    await asyncio.sleep(course.dice.uniform(0.0, 0.1))
    running = asyncio.create_task(
        course.confiner.run(place, Command(("sh", "-c", "echo ran", mark), timeout_s=30))
    )
    await asyncio.sleep(course.dice.uniform(0.0, 0.01))
    for pid in await asyncio.to_thread(alive, str(place.workspace)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    result = await running
    await course.confiner.dismiss(place)
    assert (result.exit_code, result.output) in {(0, "ran\n"), (137, ""), (137, "ran\n")}


ENDINGS: dict[str, Callable[[Course, str], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        exits,
        killed_by_a_signal,
        runs_out_of_time,
        is_cancelled,
        ignores_term,
        is_a_daemon,
        leaves_one_that_holds_the_output,
        floods,
        waits_for_input,
        reaches_a_limit,
        is_killed_from_outside,
        is_a_program_that_is_not_there,
        cannot_be_started,
        loses_its_worker,
    )
}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this test a temporary folder that no other uses."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def run_course(confiner: Confiner, folder: Path, count: int, seed: int) -> Course:
    """Run many commands, some at once; see that nothing at all is left."""
    place = place_in(folder)
    course = Course(confiner, place, random.Random(seed))  # noqa: S311 - a lot, no secret
    await confiner.run(place, Command(("true",)))
    confiner.warm(place)
    await confiner.dismiss(place)
    before = descriptors()
    numbers = iter(range(count))

    async def runner() -> None:
        for number in numbers:
            await course.one(number)
            if course.dice.random() < 0.5:
                confiner.warm(place)

    try:
        async with asyncio.TaskGroup() as runners:
            for _ in range(AT_ONCE):
                runners.create_task(runner())
    finally:
        await confiner.dismiss(place)
    sys.stdout.write(f"{count}: {dict(course.ended)}, slowest end {course.slowest_s:.2f} s\n")
    assert await outliving(str(folder)) == []
    assert await lasting_zombies() == []
    assert await left_open(before) == {}
    assert await asyncio.to_thread(os.listdir, tempfile.gettempdir()) == []
    return course


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("scratch")
async def test_nothing_is_left_however_commands_end(tmp_path: Path) -> None:
    await needs_bubblewrap()

    course = await run_course(Bubblewrap(), tmp_path / "ws", 60, seed=3)

    assert course.slowest_s < END_S


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("scratch")
async def test_nothing_is_left_on_the_second_rung_however_commands_end(tmp_path: Path) -> None:
    await needs_landlock()

    course = await run_course(Landlock(), tmp_path / "ws", 24, seed=4)

    assert course.slowest_s < END_S


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("scratch")
async def test_nothing_is_left_after_a_thousand_commands(tmp_path: Path) -> None:
    await needs_bubblewrap()

    course = await run_course(Bubblewrap(), tmp_path / "ws", 1000, seed=5)

    assert course.slowest_s < END_S


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("scratch")
async def test_nothing_is_left_after_many_commands_on_the_second_rung(tmp_path: Path) -> None:
    await needs_landlock()

    course = await run_course(Landlock(), tmp_path / "ws", 300, seed=6)

    assert course.slowest_s < END_S


# --- killed ourselves ---------------------------------------------------------------


def kill_ourselves(rung: str, folder: Path, rounds: int, seed: int) -> None:
    """Kill a process that runs commands, at random moments; none of them may outlive it long."""
    dice = random.Random(seed)  # noqa: S311 - a lot, no secret
    workspace = folder / "ws"
    workspace.mkdir()
    for number in range(rounds):
        mark = f"m{os.getpid()}-{number}-{time.monotonic_ns()}"
        words = (sys.executable, str(KILLED_APP), rung, mark, str(workspace))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stdin=-3) as app:
            assert app.stdout is not None
            assert app.stdout.readline() == b"go\n"
            time.sleep(dice.uniform(0, 0.12))
            app.kill()
        until = time.monotonic() + END_S
        while left := alive(mark):
            assert time.monotonic() < until, f"round {number} left {left}"
            time.sleep(0.01)


@pytest.mark.parametrize("rung", ["bubblewrap", "stage", "landlock", "unsandboxed"])
async def test_nothing_outlives_us_when_we_are_killed(rung: str, tmp_path: Path) -> None:
    await needs(rung)

    await asyncio.to_thread(kill_ourselves, rung, tmp_path, 6, 1)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rung", ["bubblewrap", "stage", "landlock", "unsandboxed"])
async def test_nothing_outlives_us_in_hundreds_of_kills(rung: str, tmp_path: Path) -> None:
    await needs(rung)

    await asyncio.to_thread(kill_ourselves, rung, tmp_path, 250, 2)


async def needs(rung: str) -> None:
    """Skip where this rung cannot be used."""
    if rung in {"bubblewrap", "stage"}:
        await needs_bubblewrap()
    elif rung == "landlock":
        await needs_landlock()


def test_the_guard_is_started_again_when_it_is_gone() -> None:
    from turbo_tui.sandbox.process import guard

    first = guard.marked()
    guard.unmarked()
    while not (shells := alive(f"{guard.NAME}={first[guard.NAME]}")):
        time.sleep(0.005)
    assert len(shells) == 1
    os.kill(shells[0], signal.SIGKILL)
    while first and alive(f"{guard.NAME}={first[guard.NAME]}") == shells:
        time.sleep(0.005)
        guard.marked()
        guard.unmarked()

    assert guard.marked() == first
    guard.unmarked()
    end = time.monotonic() + END_S  # its command line shows a moment after it was started
    while not (again := alive(f"{guard.NAME}={first[guard.NAME]}")) and time.monotonic() < end:
        time.sleep(0.005)
    assert len(again) == 1


async def test_what_waits_is_gone_after_an_end_without_goodbye(tmp_path: Path) -> None:
    await needs_bubblewrap()
    code = f"""
import asyncio
from pathlib import Path
from tests.sandbox.confining import place_in
from turbo_tui.core.command import Command
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
async def main():
    confiner, place = Bubblewrap(), place_in(Path({str(tmp_path / "ws")!r}))
    confiner.warm(place)
    await confiner.run(place, Command(("true",)))
    confiner.warm(place)
    await asyncio.sleep(0)
asyncio.run(main())
"""
    words = (sys.executable, "-c", code)

    done = await asyncio.to_thread(subprocess.run, words, cwd=ROOT, check=True, timeout=60)

    assert done.returncode == 0
    assert await outliving(str(tmp_path / "ws")) == []
