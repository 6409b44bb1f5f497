"""Limits of a command: what runs into one is ended in time, and says what and how to raise it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    PYTHON,
    lasting_zombies,
    needs_bubblewrap,
    needs_landlock,
    outliving,
    place_in,
    script,
)
from tests.sandbox.ordinary_user import BECOME, HERE, NOBODY, python_of_all
from turbo_tui.core.command import GIB, MIB, Command, CommandUsage, Limits
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.process import limits as limits_module
from turbo_tui.sandbox.process.cgroup import Base, find_base
from turbo_tui.sandbox.process.limits import DEFAULTS, Watch, held_by_kernel, held_to, kernel_limits
from turbo_tui.sandbox.process.usage import Reading

Make = Callable[[Limits], Confiner]
BOUND_S = 50.0  # an idle machine needs under 3 s, and what is not ended goes on for a minute


@pytest.fixture(params=["group", "watch"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who holds memory and processes: the kernel where it can, or our watch alone."""
    if request.param == "watch":
        monkeypatch.setattr(limits_module, "_base", lambda: None)
    elif find_base() is None:
        pytest.skip("no control group can be made here")
    return request.param


@pytest.fixture(params=[Bubblewrap, Landlock, Unsandboxed])
async def make(request: pytest.FixtureRequest) -> Make:
    if request.param is Bubblewrap:
        await needs_bubblewrap()
    elif request.param is Landlock:
        await needs_landlock()
    return request.param


async def run(confiner: Confiner, folder: Path, code: str, **held: float) -> CommandResult:
    """Run a Python program that would go on for a minute."""
    began = time.monotonic()
    limits = Limits(**held)  # pyright: ignore[reportArgumentType]  the tests give whole numbers
    result = await confiner.run(
        place_in(folder), Command(script(code), timeout_s=60, limits=limits)
    )
    assert time.monotonic() - began < BOUND_S
    return result


MEMORY = {
    "one": """
        import time
        kept = [b"x" * (1 << 20) for _ in range(600)]
        time.sleep(60)
        """,
    "many": """
        import os, time
        for _ in range(6):
            if os.fork() == 0:
                kept = b"x" * (100 << 20)
                time.sleep(60)
        time.sleep(60)
        """,
}


@pytest.mark.parametrize("bomb", MEMORY)
async def test_a_memory_bomb_is_ended(bomb: str, by: str, make: Make, tmp_path: Path) -> None:
    del by
    result = await run(make(Limits()), tmp_path, MEMORY[bomb], memory_bytes=200 * MIB)

    assert result.ended == "limit"
    assert "it used more than 200 MiB of memory; `memory_mb` in [sandbox]" in result.output


async def test_a_fork_bomb_is_ended(by: str, make: Make, tmp_path: Path) -> None:
    del by
    word = f"fork-bomb-{os.getpid()}-{time.monotonic_ns()}"
    code = f"""
        import os, time
        mark = "{word}"
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(60)
            except OSError:
                time.sleep(0.01)
    """
    result = await run(make(Limits()), tmp_path, code, processes=60)

    assert result.ended == "limit"
    assert "60 processes or threads; `processes` in [sandbox]" in result.output
    assert (await outliving(word), await lasting_zombies()) == ([], [])


async def test_a_spin_of_many_processes_is_ended_by_their_sum(make: Make, tmp_path: Path) -> None:
    code = """
        import os, time
        while True:  # each of them stays far below the limit
            if os.fork() == 0:
                until = time.process_time() + 0.2
                while time.process_time() < until:
                    pass
                os._exit(0)
            os.wait()
    """
    result = await run(make(Limits()), tmp_path, code, cpu_s=2)

    assert result.ended == "limit"
    assert "it used more than 2 s of processor time; `cpu_s` in [sandbox]" in result.output
    assert result.usage.cpu_s is not None
    assert result.usage.cpu_s >= 1.8


async def test_a_spin_of_processes_that_nobody_waits_for_is_counted_by_the_kernel(
    tmp_path: Path,
) -> None:
    await needs_bubblewrap()
    base = find_base()
    if base is None or (base.version == 1 and "cpuacct" not in base.folders):
        pytest.skip("no control group counts here")
    code = """
        import os, signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # each takes its count with it
        while True:
            if os.fork() == 0:
                until = time.process_time() + 0.03
                while time.process_time() < until:
                    pass
                os._exit(0)
            time.sleep(0.03)
    """
    result = await run(Bubblewrap(Limits()), tmp_path, code, cpu_s=1)

    assert result.ended == "limit"
    assert "it used more than 1 s of processor time" in result.output


async def test_one_file_that_grows_too_large_is_named(make: Make, tmp_path: Path) -> None:
    command = Command(("sh", "-c", "yes > big"), limits=Limits(file_bytes=2 * MIB))

    result = await make(Limits()).run(place_in(tmp_path), command)

    assert result.ended == "limit"
    assert "a file grew larger than 2 MiB; `file_mb` in [sandbox]" in result.output
    assert (tmp_path / "big").stat().st_size <= 2 * MIB


async def test_what_a_tree_writes_to_the_disk_is_bounded(make: Make, disk: Path) -> None:
    code = """
        import os
        block = b"x" * (1 << 20)
        for number in range(100_000):  # no file is large, and none stays
            with open("part", "wb") as part:
                part.write(block)
                os.fsync(part.fileno())
            os.unlink("part")
    """
    result = await run(make(Limits()), disk, code, written_bytes=32 * MIB)

    assert result.ended == "limit"
    assert "it wrote more than 32 MiB to the disk; `written_mb` in [sandbox]" in result.output
    assert result.usage.written_bytes is not None
    assert result.usage.written_bytes > 32 * MIB


async def test_wall_time_of_the_settings_comes_before_the_commands_own(
    make: Make, tmp_path: Path
) -> None:
    command = Command(("sleep", "60"), timeout_s=60, limits=Limits(wall_s=0.5))

    result = await make(Limits()).run(place_in(tmp_path), command)

    assert result.ended == "timeout"
    assert "it ran longer than 0.5 s; `command_timeout_s` in [sandbox]" in result.output


@pytest.mark.parametrize("kind", [Landlock, Unsandboxed])
async def test_a_scratch_folder_of_the_hosts_is_bounded_too(kind: Make, tmp_path: Path) -> None:
    if kind is Landlock:
        await needs_landlock()
    code = """
        import os, time
        for number in range(100):
            with open(f"{os.environ['TMPDIR']}/{number}", "wb") as part:
                part.write(b"x" * (1 << 20))
            time.sleep(0.02)
        time.sleep(60)
    """
    result = await run(kind(Limits()), tmp_path, code, scratch_bytes=8 * MIB)

    assert result.ended == "limit"
    assert "its private /tmp of 8 MiB" in result.output


@pytest.mark.parametrize("after", ["sleep 60", "exit 1"])
async def test_a_full_private_tmp_is_told_from_a_full_disk(after: str, tmp_path: Path) -> None:
    await needs_bubblewrap()
    confiner = Bubblewrap(Limits(scratch_bytes=4 * MIB))
    command = Command(("sh", "-c", f"yes > /tmp/big; {after}"), timeout_s=60)

    result = await confiner.run(place_in(tmp_path), command)

    assert result.ended == "limit"
    assert "its private /tmp of 4 MiB, or /dev/shm, was full; `tmp_mb`" in result.output


async def test_what_forked_processes_share_is_counted_once(make: Make, tmp_path: Path) -> None:
    code = """
        import os, time
        kept = bytearray(b"x" * (120 << 20))
        for _ in range(4):
            if os.fork() == 0:
                time.sleep(1.5)
                os._exit(0)
        for _ in range(4):
            os.wait()
    """
    result = await run(make(Limits()), tmp_path, code, memory_bytes=300 * MIB)

    assert (result.ended, result.exit_code) == ("exited", 0)


async def test_a_busy_machine_does_not_take_a_commands_processes(
    make: Make, tmp_path: Path
) -> None:
    """Few processes are allowed, more run on this machine already: no fork may fail for that."""
    command = Command(("sh", "-c", "(true); (true); echo fine"), limits=Limits(processes=12))

    result = await make(Limits()).run(place_in(tmp_path), command)

    assert (result.output, result.exit_code) == ("fine\n", 0)


async def test_short_commands_are_counted_without_a_look(make: Make, disk: Path) -> None:
    code = "open('made', 'wb').write(b'x' * 3_000_000); sum(range(300_000))"

    result = await make(Limits()).run(place_in(disk), Command(script(code)))

    usage = result.usage
    assert usage.cpu_s is not None
    assert 0 < usage.cpu_s < 5
    assert usage.peak_memory_bytes is not None
    assert MIB < usage.peak_memory_bytes < 200 * MIB
    assert usage.written_bytes is not None
    assert 2_900_000 < usage.written_bytes < 20_000_000


async def test_longer_commands_are_metered(
    by: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import os, time
        kept = b"x" * (64 << 20)
        for _ in range(3):
            if os.fork() == 0:
                while not os.path.exists("seen"):
                    time.sleep(0.01)
                os._exit(0)
        for _ in range(3):
            os.wait()
    """
    really = limits_module.read_tree

    def read_tree(root: int, **words: int) -> Reading:
        found = really(root, **words)
        if found.processes > 4:  # what started it, and four
            (tmp_path / "seen").touch()
        return found

    monkeypatch.setattr(limits_module, "read_tree", read_tree)
    result = await make(Limits()).run(place_in(tmp_path), Command(script(code)))

    usage = result.usage
    assert usage.processes is not None
    assert 4 <= usage.processes <= 6  # a starter of the sandbox may be among them
    assert usage.peak_memory_bytes is not None
    assert 64 * MIB <= usage.peak_memory_bytes < 400 * MIB
    assert usage.exact == (by == "group")


async def test_no_group_outlives_its_command(make: Make, tmp_path: Path) -> None:
    base = find_base()
    if base is None:
        pytest.skip("no control group can be made here")
    await make(Limits()).run(place_in(tmp_path), Command(("sleep", "0.3")))

    await _no_group_is_left(base)


def test_settings_come_before_a_tools_own_limits_and_those_before_ours() -> None:
    settings = Limits(memory_bytes=GIB)
    tool = Limits(memory_bytes=2 * GIB, cpu_s=60)

    held = held_to(tool, settings)

    assert (held.memory_bytes, held.cpu_s) == (GIB, 60)
    assert held.processes == DEFAULTS.processes


def test_each_limit_of_the_kernel_has_its_number() -> None:
    wanted = Limits(processes=10, file_bytes=5, open_files=7, cpu_s=3)

    assert kernel_limits(wanted, processes_of_user=100) == {
        "nproc": 126,
        "fsize": 5,
        "nofile": 7,
        "core": 0,
        "cpu": 3,
    }
    assert "cpu" not in kernel_limits(Limits())


def test_who_holds_what_is_said(by: str) -> None:
    assert ("control group" if by == "group" else "a look every 0.2 s") in held_by_kernel()


async def test_a_watch_whose_command_is_over_makes_no_group() -> None:
    watch = Watch(os.getpid, DEFAULTS)
    watching = asyncio.ensure_future(watch.exceeded())

    await watch.end()

    done, _ = await asyncio.wait({watching}, timeout=0.3)
    assert not done
    assert watch.usage == CommandUsage()
    watching.cancel()


def test_an_ordinary_user_is_held_to_the_same_limits() -> None:
    """Once more, all of it, as a user who can make no control group."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("this is an ordinary user already" if os.geteuid() else "no setpriv")
    folder = Path("/var/tmp") / f"turbo-tui-limits-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        os.chown(folder, NOBODY, NOBODY)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        python, more = python_of_all(env)
        done = subprocess.run(
            (*BECOME, python, "-c", textwrap.dedent(AS_USER), str(folder), PYTHON),
            capture_output=True,
            text=True,
            check=False,
            cwd=HERE,
            env={**env, **more},
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    said = dict(line.split("=", 1) for line in done.stdout.splitlines())
    if said["rung"] != "Bubblewrap":
        pytest.skip(f"no sandbox for an ordinary user: {said['rung']}")
    assert "60 processes or threads" in said["forks"]
    assert "200 MiB of memory" in said["memory"]
    assert "200 MiB of memory" in said["many"]
    assert "2 s of processor time" in said["spin"]
    assert "larger than 2 MiB" in said["file"]
    assert "more than 32 MiB to the disk" in said["written"]
    assert "private /tmp of 4 MiB" in said["tmp"]


AS_USER = """
    import asyncio, os, sys
    from pathlib import Path
    sys.dont_write_bytecode = True
    from turbo_tui.core.command import Command, Limits, MIB
    from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
    from turbo_tui.sandbox.process.limits import held_by_kernel
    from turbo_tui.sandbox.place import Place
    from turbo_tui.sandbox.probing.probe import trial

    folder, python = Path(sys.argv[1]), sys.argv[2]
    place = Place(folder, folder, (), os.geteuid(), os.getegid())
    CASES = {
        "forks": ("sh", "x() { x | x & }; while :; do (sleep 9 &) ; done", Limits(processes=60)),
        "memory": (python, "b = [b'x' * 1048576 for _ in range(900)]; input()",
                   Limits(memory_bytes=200 * MIB)),
        "many": (python, "import os, time\\n"
                 "for _ in range(6):\\n"
                 " if os.fork() == 0:\\n"
                 "  b = b'x' * (100 << 20); time.sleep(60)\\n"
                 "time.sleep(60)", Limits(memory_bytes=200 * MIB)),
        "spin": ("sh", "while :; do :; done", Limits(cpu_s=2)),
        "file": ("sh", "yes > big", Limits(file_bytes=2 * MIB)),
        "written": ("sh", "while :; do head -c 1000000 /dev/zero > part; sync part; rm part; done",
                    Limits(written_bytes=32 * MIB)),
        "tmp": ("sh", "yes > /tmp/big; sleep 60", Limits(scratch_bytes=4 * MIB)),
    }

    async def main():
        fault = await trial(Bubblewrap(hide=()), folder)
        print(f"rung={fault or 'Bubblewrap'}")
        if fault:
            return
        for name, (program, code, limits) in CASES.items():
            command = Command((program, "-c", code), timeout_s=60, limits=limits)
            result = await Bubblewrap(Limits()).run(place, command)
            last = result.output.strip().splitlines()[-1:]
            print(f"{name}={result.ended} {' '.join(last)}", flush=True)

    asyncio.run(main())
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that lies on a disk, where /tmp is memory."""
    kinds = {
        words[1]: words[2]
        for words in map(str.split, Path("/proc/self/mounts").read_text("utf-8").splitlines())
    }
    around = next(str(path) for path in tmp_path.parents if str(path) in kinds)
    if kinds[around] != "tmpfs":
        yield tmp_path
        return
    folder = Path("/var/tmp") / f"turbo-tui-disk-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


async def test_a_command_that_ends_while_its_group_is_made_leaves_none(tmp_path: Path) -> None:
    await needs_bubblewrap()
    base = find_base()
    if base is None:
        pytest.skip("no control group can be made here")
    confiner = Bubblewrap(Limits())
    for hundredths in (3, 4, 5, 6, 7):  # around the moment at which the group is made
        line = f"sleep 0.0{hundredths}"
        await confiner.run(place_in(tmp_path), Command(("sh", "-c", line)))

    await _no_group_is_left(base)


async def _no_group_is_left(base: Base) -> None:
    """Wait for the thread that makes one, which removes it where its command is over."""
    async with asyncio.timeout(30):
        while any(f"-{os.getpid()}-" in path.name for path in _groups(base)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _groups(base: Base) -> list[Path]:
    return [path for folder in set(base.folders.values()) for path in folder.glob("turbo-tui-*")]
