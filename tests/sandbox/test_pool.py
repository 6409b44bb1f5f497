"""Sandboxes that wait: a command in one cannot tell, none runs twice, and none is left."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import (
    alive,
    descriptors,
    lasting_zombies,
    left_open,
    needs_bubblewrap,
    outliving,
    place_in,
)
from turbo_tui.core.command import Command, Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine import warm
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.trusted import has_own_system
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.process import pool, workers
from turbo_tui.sandbox.process.limits import Limits
from turbo_tui.sandbox.process.workers import python_order, shell_order
from turbo_tui.sandbox.staging.stages import open_stages

pytestmark = pytest.mark.usefixtures("ready_at_last")
PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


def has_interpreter() -> bool:
    """Whether the system's Python is one of those that can be made ready."""
    code = "import sys; print((3, 10) <= sys.version_info < (3, 13))"
    program = shutil.which("python3", path=PLAIN["PATH"])
    if program is None:
        return False
    return subprocess.run((program, "-c", code), check=False, stdout=-1).stdout == b"True\n"


PYTHON = has_interpreter()
ALL = 3 if PYTHON else 2  # two shells and an interpreter
needs_interpreter = pytest.mark.skipif(not PYTHON, reason="another version of Python")


@pytest.fixture
async def confiner() -> Bubblewrap:
    await needs_bubblewrap()
    return Bubblewrap(environ=PLAIN)  # the system's Python, not a script that looks for one


@pytest.fixture
async def place(confiner: Bubblewrap, tmp_path: Path) -> AsyncIterator[Place]:
    place = place_in(tmp_path / "ws")
    yield place
    await confiner.dismiss(place)
    assert await outliving(str(tmp_path)) == []


async def warmed(confiner: Bubblewrap, place: Place) -> int:
    """Fill up; return how many wait."""
    confiner.warm(place)
    return await confiner.ready(place)


async def run_warm(confiner: Bubblewrap, place: Place, command: Command) -> CommandResult:
    """Run a command in a worker; fail if it was run in any other way."""
    before = await warmed(confiner, place)
    result = await confiner.run(place, command)
    assert await confiner.ready(place) == before - 1
    return result


def told(result: CommandResult) -> tuple[int, str, str]:
    """Return what a user sees of a result, but for where in memory things lie."""
    return result.exit_code, result.ended, re.sub(r"0x[0-9a-f]+", "0x", result.output)


async def same(confiner: Bubblewrap, place: Place, command: Command) -> CommandResult:
    """Run a command cold and warm; fail if it can be told which is which."""
    await confiner.dismiss(place)
    cold = await confiner.run(place, command)
    warm = await run_warm(confiner, place, command)
    assert told(warm) == told(cold)
    return warm


async def processes_of(place: Place) -> list[int]:
    """Return the processes of what waits in a place, the first of each namespace among them."""
    return alive(str(place.workspace))


# --- shell --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        Command(("sh", "-c", "env | sort; pwd; umask; ulimit -a; echo $$ $PPID")),
        Command(
            ("sh", "-c", "ls -l /proc/self/fd | sed 's/.* -> //; s/[0-9]//g'; cat; ls -a ~ /tmp")
        ),
        Command(("sh", "-c", 'printf "%s|" "$0" "$@"', "a b", "", "$HOME", "'", '"', "*", "-n")),
        Command(
            ("sh", "-c", "pwd; echo $OLDPWD; echo $MODE"), cwd="a folder", env={"MODE": "'x' $y"}
        ),
        Command(("sh", "-c", "kill -TERM $$")),
        Command(("sh", "-c", "kill -KILL $$")),
        Command(("sh", "-c", "exit 7")),
        Command(("sh", "-c", "(sleep 60 &) ; echo away")),
        Command(("cat", "/proc/self/status"), env={"A": "1"}),
        Command(("true",)),
    ],
    ids=range(10),
)
async def test_a_shell_command_cannot_tell(
    command: Command, confiner: Bubblewrap, place: Place
) -> None:
    (place.workspace / "a folder").mkdir()
    if command.argv[0] != "cat":
        await same(confiner, place, command)
        return
    cold = await confiner.run(place, command)
    warm = await run_warm(confiner, place, command)
    names = ("Name", "Pid", "PPid", "NSpid", "Seccomp", "NoNewPrivs", "Cap", "Uid", "Gid")
    names = (*names, "SigBlk", "SigIgn", "SigCgt")
    assert [line for line in warm.output.splitlines() if line.startswith(names)] == [
        line for line in cold.output.splitlines() if line.startswith(names)
    ]


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    argv=st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"\1")), max_size=4),
    value=st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"\n")),
)
def test_every_byte_of_words_and_variables_comes_through(
    argv: list[bytes], value: bytes, tmp_path: Path
) -> None:
    words = (
        "sh",
        "-c",
        'printf "%s\\0" "$@" "$VALUE" | od -An -vtx1',
        "-",
        *map(os.fsdecode, argv),
    )
    order = shell_order(Command(words), str(tmp_path), {"VALUE": os.fsdecode(value)})
    assert order is not None
    script = tmp_path / "script"
    script.write_bytes(order)
    said = subprocess.run(("sh", script), capture_output=True, check=True).stdout

    assert said[:1] == b"\6"
    assert bytes.fromhex(said[1:].decode()) == b"".join(each + b"\0" for each in (*argv, value))


async def test_bytes_that_are_no_text_come_through_a_worker(
    confiner: Bubblewrap, place: Place
) -> None:
    odd = os.fsdecode(bytes(range(1, 256)))
    folder = os.fsdecode(b"f\xff\n'")
    (place.workspace / folder).mkdir()
    line = 'printf "%s" "$1" "$ODD" "$PWD" | od -An -vtx1'

    result = await run_warm(
        confiner,
        place,
        Command(("sh", "-c", line, "-", odd), cwd=folder, env={"ODD": odd}),
    )

    seen = bytes.fromhex(result.output)
    assert seen == 2 * os.fsencode(odd) + os.fsencode(place.workspace / folder)


async def test_what_cannot_be_said_to_any_process_is_refused(
    confiner: Bubblewrap, place: Place
) -> None:
    await warmed(confiner, place)

    with pytest.raises(SandboxError, match="null"):
        await confiner.run(place, Command(("echo", "a\0b")))


@pytest.mark.parametrize(
    "command",
    [
        Command(("cat",), stdin=b"given"),
        Command(("sh", "-c", "env"), env={"npm.x-y": "1"}),
        Command(("sh", "-c", "true", "x" * 70_000)),
        Command(("true",), limits=Limits(scratch_bytes=1 << 20)),
        Command(("true",), grants=Grants(network="all")),
    ],
    ids=["stdin", "odd variable", "long", "another /tmp", "granted"],
)
async def test_what_a_worker_cannot_be_runs_cold(
    command: Command, confiner: Bubblewrap, place: Place
) -> None:
    await warmed(confiner, place)

    result = await confiner.run(place, command)

    assert result.exit_code == 0


@pytest.mark.parametrize("name", ["no-such-program", "./text", "./no-such"])
async def test_a_program_that_is_not_there_is_the_commands_failure(
    name: str, confiner: Bubblewrap, place: Place
) -> None:
    (place.workspace / "text").write_text("not a program")

    result = await run_warm(confiner, place, Command((name,)))

    assert result.exit_code in {126, 127}
    assert name in result.output


async def test_limits_of_one_command_hold_in_a_worker(confiner: Bubblewrap, place: Place) -> None:
    limits = Limits(file_bytes=100_000, cpu_s=1, open_files=64)

    line = "ulimit -t; ulimit -n; yes > big"
    result = await run_warm(confiner, place, Command(("sh", "-c", line), limits=limits))

    assert result.output.startswith("1\n64\n")
    assert (place.workspace / "big").stat().st_size <= 100_000
    assert result.ended == "limit"


# --- Python -------------------------------------------------------------------------

ABOUT = """
import sys, os, __main__
names = sorted(set(vars(__main__)) - {'sys', 'os', '__main__', 'names'})
print(sys.argv, sys.orig_argv, sys.path, names, __name__, vars(__main__).get('__file__'))
print(vars(__main__).get('__cached__'), __loader__, __spec__, sys.flags, sys.stdin.read())
print(sorted(sys.modules), sorted(os.environ.items()), os.getcwd(), sys.excepthook)
"""
RAISES = """
def inner():
    raise ValueError("no")
try:
    inner()
except ValueError as error:
    raise KeyError("worse") from error
"""
LATE = """
import atexit, threading, time
atexit.register(print, "last")
print("first")
threading.Timer(0.05, print, ["thread"]).start()
"""


@needs_interpreter
@pytest.mark.parametrize("how", ["-c", "-", "script", "-m", "package"])
@pytest.mark.parametrize(
    "code",
    [
        ABOUT,
        RAISES,
        LATE,
        "raise SystemExit('said')",
        "import sys; sys.exit(5)",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "import os; os.kill(os.getpid(), 15)",
        "1 +",
        "# coding: latin-1\nprint('caf\u00e9')",
        "import sys; sys.excepthook = lambda *a: print(a[0], a[2].tb_lineno); 1/0",
        "input()",
    ],
    ids=range(12),
)
async def test_a_python_program_cannot_tell(
    code: str, how: str, confiner: Bubblewrap, place: Place
) -> None:
    folder = place.workspace / "sub"
    (folder / "package").mkdir(parents=True)
    for path in (folder / "prog.py", folder / "package" / "__main__.py"):
        path.write_text(code)
    words = {
        "-c": ("-c", code),
        "-": ("-",),
        "script": ("prog.py",),
        "-m": ("-m", "prog"),
        "package": ("-m", "package"),
    }[how]
    command = Command(
        ("python3", *words, "an arg", "--flag"),
        cwd="sub",
        stdin=code.encode() if how == "-" else b"",
        env={"MODE": "x"},
    )

    await same(confiner, place, command)


@needs_interpreter
async def test_an_interpreter_is_not_used_for_what_it_could_be_told_from(
    confiner: Bubblewrap, place: Place
) -> None:
    variables = {"PATH": "/usr/bin"}
    for argv in (
        ("python3", "-I", "-c", "1"),
        ("python3", "-u", "x.py"),
        ("python3", "x"),
        ("python",),
    ):
        assert python_order(Command(argv), "/", variables) is None
    assert python_order(Command(("python3", "-c", "1"), stdin=b"x"), "/", variables) is None

    flagged = await same(confiner, place, Command(("python3", "-O", "-c", "print(__debug__)")))
    assert flagged.output == "False\n"
    seeded = Command(
        ("python3", "-c", "print(hash('a'), __import__('sys').flags.hash_randomization)"),
        env={"PYTHONHASHSEED": "7"},
    )
    await same(confiner, place, seeded)


async def test_a_package_put_into_the_environment_is_found_by_the_next_command(
    confiner: Bubblewrap, place: Place
) -> None:
    venv = ("python3", "-m", "venv", "--without-pip", ".venv")
    assert (await confiner.run(place, Command(venv))).exit_code == 0
    asked = Command(("python3", "-c", "import sys; print(sys.prefix); import late; print(late.x)"))
    assert await warmed(confiner, place) == 2  # shells: that interpreter is the workspace's

    line = """mkdir more; echo x = 5 > more/late.py
        echo $PWD/more > $(echo .venv/lib/python3*/site-packages)/l.pth"""
    await confiner.run(place, Command(("sh", "-c", line)))
    result = await confiner.run(place, asked)

    assert result.output == f"{place.workspace}/.venv\n5\n"


# --- what it belongs to -------------------------------------------------------------


async def test_each_command_has_a_sandbox_of_its_own(confiner: Bubblewrap, place: Place) -> None:
    count = 'all=$(ps -e 2>&-); echo "$all" | wc -l'
    line = f"ls -a /tmp ~; {count}; touch /tmp/left ~/left; (sleep 60 &)"
    said = [(await run_warm(confiner, place, Command(("sh", "-c", line)))).output for _ in range(4)]

    assert len(set(said)) == 1
    assert "left" not in said[0]


async def test_a_mask_that_came_after_the_worker_counts(confiner: Bubblewrap, place: Place) -> None:
    assert await warmed(confiner, place) == ALL
    git = place.workspace / ".git"
    git.mkdir()
    (git / "config").write_text("[core]\n")

    result = await confiner.run(place, Command(("sh", "-c", "echo x >> .git/config")))

    assert result.exit_code != 0
    assert (git / "config").read_text() == "[core]\n"


async def test_a_file_that_was_put_in_place_of_a_masked_one_is_masked(
    confiner: Bubblewrap, place: Place
) -> None:
    git = place.workspace / ".git"
    git.mkdir()
    (git / "config").write_text("[core]\n")
    assert await warmed(confiner, place) == ALL
    (git / "config.lock").write_text("[user]\n")
    (git / "config.lock").replace(git / "config")  # as `git config` does: takes the mount away

    result = await confiner.run(place, Command(("sh", "-c", "echo x >> .git/config")))

    assert result.exit_code != 0
    assert (git / "config").read_text() == "[user]\n"


async def test_workers_of_another_policy_are_replaced(confiner: Bubblewrap, place: Place) -> None:
    (place.workspace / "vendored").mkdir()
    assert await warmed(confiner, place) == ALL
    before = await processes_of(place)

    tighter = replace(place, read_only=("vendored",))
    result = await run_warm(confiner, tighter, Command(("sh", "-c", "echo > vendored/x")))

    assert result.exit_code != 0
    while set(before) & set(await processes_of(place)):  # noqa: ASYNC110 - ended in the background
        await asyncio.sleep(0.01)


async def test_nothing_is_made_ready_when_memory_is_short(
    confiner: Bubblewrap, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FREE_BYTES", 1 << 60)

    assert await warmed(confiner, place) == 0
    assert (await confiner.run(place, Command(("true",)))).exit_code == 0


async def test_an_interpreter_that_never_waits_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await needs_bubblewrap()
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    shutil.copy("/bin/false", venv / "bin" / "python3")
    confiner = Bubblewrap(environ=PLAIN | {"VIRTUAL_ENV": str(venv)})
    place = place_in(tmp_path / "ws")
    started: list[str] = []

    def python_argv(program: str, variables: Mapping[str, str]) -> tuple[str, ...]:
        started.append(program)
        return workers.python_argv(program, variables)

    monkeypatch.setattr(warm, "python_argv", python_argv)

    for _ in range(3):
        assert await warmed(confiner, place) == 2
    await confiner.dismiss(place)

    assert started == [str(venv / "bin" / "python3")]


# --- nothing runs unasked -----------------------------------------------------------


PLANTED = """#!/bin/sh
printf '\\5'
for name in planted {workspace}/planted; do echo ran >> $name; done
exec sleep 60
"""


def plant(folder: Path, workspace: Path, name: str = "python3") -> None:
    """Put a program of the workspace's own where an interpreter is looked for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(PLANTED.format(workspace=workspace))
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("name", ["python3", "python", "sh", "prlimit", "setpriv", "printf"])
async def test_no_program_of_the_workspace_runs_before_a_command_is_asked_for(
    name: str, confiner: Bubblewrap, place: Place
) -> None:
    plant(place.workspace / ".venv" / "bin", place.workspace, name)
    plant(place.workspace, place.workspace, name)

    waiting = await warmed(confiner, place)
    said = await confiner.run(place, Command(("true",)))

    assert waiting == (2 if name.startswith("python") else ALL)
    assert (said.exit_code, said.output) == (0, "")
    assert not (place.workspace / "planted").exists()


@needs_interpreter
@pytest.mark.parametrize("what", ["link", "folder", "part of the way"])
async def test_a_link_to_an_interpreter_in_the_workspace_is_one_of_its_programs(
    what: str, confiner: Bubblewrap, place: Place
) -> None:
    home = place.workspace / ".venv"
    match what:
        case "link":
            (home / "bin").mkdir(parents=True)
            (home / "bin" / "python3").symlink_to("/usr/bin/python3")
        case "folder":
            (home / "bin" / "python3").mkdir(parents=True)
        case _:
            home.symlink_to("elsewhere")

    assert await warmed(confiner, place) == 2


@needs_interpreter
async def test_a_package_on_an_outside_path_that_leads_in_starts_nothing(tmp_path: Path) -> None:
    await needs_bubblewrap()
    line = ("/usr/bin/python3", "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    place = place_in(tmp_path / "ws")
    venv = tmp_path / "venv"
    assert await (await asyncio.create_subprocess_exec(*line)).wait() == 0
    (place.workspace / "sitecustomize.py").write_text(
        f"open({str(place.workspace / 'planted')!r}, 'w')"
    )
    confiner = Bubblewrap(environ=PLAIN | {"VIRTUAL_ENV": str(venv)})
    assert await warmed(confiner, place) == ALL
    await confiner.dismiss(place)

    (next(venv.glob("lib/python3*/site-packages")) / "ours.pth").write_text("../../../../ws\n")

    assert await warmed(confiner, place) == 2
    assert not (place.workspace / "planted").exists()
    await confiner.dismiss(place)


async def test_what_a_command_plants_does_not_run_after_it(
    confiner: Bubblewrap, place: Place
) -> None:
    assert await warmed(confiner, place) == ALL
    line = f"mkdir -p .venv/bin; cat > .venv/bin/python3 <<'E'\n{PLANTED}E\nchmod +x .venv/bin/*"
    await confiner.run(place, Command(("sh", "-c", line.format(workspace=place.workspace))))

    assert await warmed(confiner, place) == 2
    assert not (place.workspace / "planted").exists()


async def test_an_interpreter_of_the_workspace_runs_in_a_waiting_shell(
    confiner: Bubblewrap, place: Place
) -> None:
    venv = ("python3", "-m", "venv", "--without-pip", ".venv")
    assert (await confiner.run(place, Command(venv))).exit_code == 0

    result = await run_warm(
        confiner, place, Command(("python3", "-c", "import sys; print(sys.prefix)"))
    )

    assert result.output == f"{place.workspace}/.venv\n"


async def test_what_waits_is_held_to_limits_and_is_not_in_the_workspace(
    confiner: Bubblewrap, place: Place
) -> None:
    assert await warmed(confiner, place) == ALL

    seen = 0
    for pid in await processes_of(place):
        folder = Path("/proc", str(pid))
        words = (folder / "cmdline").read_bytes().split(b"\0")
        if words[0].rpartition(b"/")[2] in {b"sh", b"python3"}:
            seen += 1
            limits = (folder / "limits").read_text()
            assert re.search(r"Max open files +4096 +4096 ", limits)
            assert re.search(r"Max core file size +0 +0 ", limits)
            assert str(place.workspace) not in str((folder / "cwd").readlink())
    assert seen >= int(PYTHON)


async def test_a_command_with_wider_limits_gets_them(confiner: Bubblewrap, place: Place) -> None:
    await warmed(confiner, place)

    result = await confiner.run(
        place, Command(("sh", "-c", "ulimit -n"), limits=Limits(open_files=5000))
    )

    assert result.output == "5000\n"


@pytest.mark.parametrize("folder", ["/", "/usr", "/usr/lib/x", "/etc"])
def test_nothing_waits_where_the_workspace_holds_the_systems_programs(folder: str) -> None:
    assert has_own_system(Path(folder))
    assert not has_own_system(Path("/usr/src/app"))


async def test_a_stage_keeps_workers_from_its_mount_to_its_close(
    confiner: Bubblewrap, tmp_path: Path
) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    stages = open_stages(workspace, tmp_path / "state", MemoryBlobs(), confiner)
    stage = await stages.open("s1")

    said = [
        (await stage.run(Command(("sh", "-c", f"echo {number} >> log; cat log")))).output
        for number in range(3)
    ]
    files = (await stage.changes()).files
    await stage.close()

    assert said[-1] == "0\n1\n2\n"
    assert [file.path for file in files] == ["log"]
    assert await outliving(str(tmp_path)) == []


# --- ends ---------------------------------------------------------------------------


async def test_a_worker_that_was_killed_is_not_missed(confiner: Bubblewrap, place: Place) -> None:
    for number in range(1, 4):
        assert await warmed(confiner, place) == ALL
        for pid in await processes_of(place):
            with suppress(ProcessLookupError):  # it died with its parent
                os.kill(pid, signal.SIGKILL)
        while await processes_of(place):  # noqa: ASYNC110 - another process's end has no event
            await asyncio.sleep(0.01)

        result = await confiner.run(place, Command(("sh", "-c", "echo once >> log; cat log")))

        assert (result.exit_code, result.output) == (0, "once\n" * number)


async def test_a_worker_killed_at_any_moment_loses_no_command_and_repeats_none(
    confiner: Bubblewrap, place: Place
) -> None:
    ran = 0
    for number in range(24):
        await warmed(confiner, place)
        victims = await processes_of(place)
        running = asyncio.create_task(
            confiner.run(place, Command(("sh", "-c", "echo x >> log; sleep 0.02; echo y >> log")))
        )
        await asyncio.sleep(number * 0.0005)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        result = await running

        log = (place.workspace / "log").read_text() if (place.workspace / "log").exists() else ""
        new, ran = log.count("x") - ran, log.count("x")
        assert (result.exit_code, new) in {(0, 1), (137, 0), (137, 1)}
        if result.exit_code == 0:
            assert log.endswith("x\ny\n")
    await confiner.dismiss(place)
    assert await lasting_zombies() == []


async def test_cancelling_while_a_worker_is_given_its_command_leaves_nothing(
    confiner: Bubblewrap, place: Place
) -> None:
    for number in range(12):
        confiner.warm(place)
        if number % 2:
            await confiner.ready(place)
        running = asyncio.create_task(confiner.run(place, Command(("sleep", "60"))))
        await asyncio.sleep(number * 0.001)

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await confiner.dismiss(place)

    assert await outliving(str(place.workspace)) == []
    assert await lasting_zombies() == []


async def test_workers_leave_no_descriptor_behind(confiner: Bubblewrap, place: Place) -> None:
    await warmed(confiner, place)
    await confiner.run(place, Command(("true",)))
    await confiner.dismiss(place)
    before = descriptors()

    for _ in range(3):
        await warmed(confiner, place)
        await asyncio.gather(*(confiner.run(place, Command(("true",))) for _ in range(4)))
        await confiner.dismiss(place)

    assert await left_open(before) == {}


async def test_the_owner_of_the_workspace_runs_in_a_worker(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    await needs_bubblewrap()
    workspace = tmp_path / "ws"
    workspace.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    os.chown(workspace, 65534, 65534)
    place = replace(place_in(workspace), owner_uid=65534, owner_gid=65534)
    confiner = Bubblewrap(environ=PLAIN)

    line = "id -u; ulimit -n; touch mine"
    shell = await run_warm(
        confiner, place, Command(("sh", "-c", line), limits=Limits(open_files=99))
    )
    python = await run_warm(confiner, place, Command(("python3", "-c", "print(1)")))
    left = await confiner.ready(place)
    await confiner.dismiss(place)

    assert (shell.output, python.output, left) == ("65534\n99\n", "1\n", 1)
    assert (workspace / "mine").stat().st_uid == 65534
    assert await outliving(str(tmp_path)) == []
