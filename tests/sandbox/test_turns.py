"""Nothing is mounted in a place while a command runs there that could move what is mounted on."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import needs_bubblewrap, place_in
from turbo_tui.core.command import Command, Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.process.turns import Turns

pytestmark = pytest.mark.usefixtures("ready_at_last")
PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
COLD = Grants(ptrace=True)  # of another filter: nothing waits for such a command
WAIT = 'while [ ! -e "$0" ]; do sleep 0.01; done'


@pytest.fixture
async def confiner() -> Bubblewrap:
    await needs_bubblewrap()
    return Bubblewrap(environ=PLAIN)


@pytest.fixture(params=["overlay", "copy"])
async def place(
    request: pytest.FixtureRequest, confiner: Bubblewrap, tmp_path: Path
) -> AsyncIterator[Place]:
    place = place_in(tmp_path / "ws")
    if request.param == "copy":
        (tmp_path / "copy").mkdir()
        place = replace(place, tree=tmp_path / "copy")
    (place.tree / ".git").mkdir()
    (place.tree / ".git" / "config").touch()
    yield place
    await confiner.dismiss(place)


async def started(confiner: Bubblewrap, place: Place, name: str) -> asyncio.Task[CommandResult]:
    """Start a command that runs until a file `go` is there; return once it runs."""
    line = f"touch {name}; {WAIT}"
    running = asyncio.create_task(confiner.run(place, Command(("sh", "-c", line, "go"))))
    await there(place.tree / name)
    return running


async def there(path: Path) -> None:
    """Wait until a command made something."""
    async with asyncio.timeout(60):
        while path.name not in os.listdir(path.parent):  # noqa: ASYNC110, PTH208 - another's
            await asyncio.sleep(0.005)


async def test_a_sandbox_with_mounts_in_the_workspace_is_not_made_while_a_command_runs(
    confiner: Bubblewrap, place: Place
) -> None:
    confiner.warm(place)
    await confiner.ready(place)
    running = await started(confiner, place, "first")
    line = "ls; touch second"
    cold = asyncio.create_task(confiner.run(place, Command(("sh", "-c", line), grants=COLD)))
    await asyncio.wait({cold}, timeout=0.3)
    assert not cold.done()
    assert not (place.tree / "second").exists()

    (place.tree / "go").touch()

    assert (await running).exit_code == 0
    assert "first" in (await cold).output


async def test_what_waits_is_made_while_no_command_runs(confiner: Bubblewrap, place: Place) -> None:
    running = await started(confiner, place, "first")
    confiner.warm(place)
    during = await confiner.ready(place)
    (place.tree / "go").touch()
    await running
    confiner.warm(place)

    assert during == 0
    assert await confiner.ready(place) > 0


async def test_commands_in_sandboxes_that_waited_run_side_by_side(
    confiner: Bubblewrap, place: Place
) -> None:
    confiner.warm(place)
    await confiner.ready(place)

    first = await started(confiner, place, "first")
    second = await started(confiner, place, "second")
    (place.tree / "go").touch()

    assert [each.exit_code for each in await asyncio.gather(first, second)] == [0, 0]


async def test_where_nothing_is_mounted_below_the_workspace_all_run_side_by_side(
    confiner: Bubblewrap, tmp_path: Path
) -> None:
    place = place_in(tmp_path / "bare")

    tasks = [await started(confiner, place, name) for name in ("first", "second", "third")]
    (place.tree / "go").touch()

    assert [each.exit_code for each in await asyncio.gather(*tasks)] == [0, 0, 0]


async def test_a_link_that_is_there_only_while_a_command_runs_refuses_no_other(
    confiner: Bubblewrap, place: Place
) -> None:
    line = f"ln -s / .turbo; touch linked; {WAIT}; rm .turbo"
    confiner.warm(place)
    await confiner.ready(place)
    linking = asyncio.create_task(confiner.run(place, Command(("sh", "-c", line, "go"))))
    await there(place.tree / "linked")
    others = [
        asyncio.create_task(confiner.run(place, Command(("true",), grants=grants)))
        for grants in (Grants(), COLD)
    ]
    await asyncio.wait(others, timeout=0.3)
    assert not any(other.done() for other in others)

    (place.tree / "go").touch()

    assert [each.exit_code for each in await asyncio.gather(linking, *others)] == [0, 0, 0]


async def test_a_link_that_stays_refuses_what_comes_after(
    confiner: Bubblewrap, place: Place
) -> None:
    confiner.warm(place)
    await confiner.ready(place)
    await confiner.run(place, Command(("ln", "-s", "/", ".turbo")))

    for grants in (Grants(), COLD):
        with pytest.raises(SandboxError, match=r"\.turbo in the workspace is a symlink"):
            await confiner.run(place, Command(("true",), grants=grants))


async def test_a_link_put_there_by_a_command_that_runs_leads_no_mount_outside(
    confiner: Bubblewrap, place: Place, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    swap = f"""
import ctypes, os, time
libc = ctypes.CDLL(None)
open(".turbo", "w").close()
os.symlink("/oldroot{outside}/planted", "l")
end = time.time() + 3
while time.time() < end:
    libc.syscall(316, -100, b".turbo", -100, b"l", 2)
    time.sleep(0.003)
os.unlink(".turbo")
"""
    confiner.warm(place)
    await confiner.ready(place)
    racing = asyncio.create_task(confiner.run(place, Command(("python3", "-c", swap))))
    await there(place.tree / "l")

    results = await asyncio.gather(
        *(confiner.run(place, Command(("true",), grants=COLD)) for _ in range(4))
    )

    assert racing.done()
    assert [each.exit_code for each in results] == [0, 0, 0, 0]
    assert list(outside.iterdir()) == []


# --- turns --------------------------------------------------------------------------


async def test_a_crowd_never_meets_whoever_is_alone_and_all_get_their_turn() -> None:
    turns = Turns()
    rng = random.Random(7)  # noqa: S311 - no secret
    running: set[int] = set()
    alone: set[int] = set()
    done: list[int] = []
    numbers = itertools.count()

    async def one(number: int) -> None:
        async with turns.taken() as turn:
            await be_in(running)
            if number % 3 == 0:
                await turn.alone()
                await be_in(alone)
        done.append(number)

    async def be_in(those: set[int]) -> None:
        number = next(numbers)
        those.add(number)
        try:
            assert not alone or not running
            assert len(alone) <= 1
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
        finally:
            those.discard(number)

    tasks = [asyncio.create_task(one(number)) for number in range(300)]
    for task in rng.sample(tasks, 60):
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task

    assert len(done) >= 240
    with turns.mounting() as free:
        assert free


async def test_who_waits_to_be_alone_is_not_overtaken() -> None:
    turns = Turns()
    order: list[str] = []

    async def alone() -> None:
        async with turns.taken() as turn:
            await turn.alone()
            order.append("alone")

    async def beside() -> None:
        async with turns.taken():
            order.append("beside")

    async with turns.taken():
        tasks = [asyncio.create_task(alone())]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(beside()))
        await asyncio.sleep(0)
        assert order == []
        with turns.mounting() as free:
            assert not free
    await asyncio.gather(*tasks)

    assert order == ["alone", "beside"]
