"""Machines that refuse something: a clear word, then the next rung or a refusal, never silence."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
import pytest

from tests.conftest import words_of
from tests.fakes import MemoryBlobs
from tests.journeys.behind import TurboBehind, among_mounts, give_to_nobody, ordinary_user
from tests.journeys.plans import plan_file, shell
from tests.sandbox import refusing
from tests.sandbox.confining import lasting_zombies, needs_bubblewrap, outliving, place_in
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.staging.stages import open_stages

BWRAP = "/usr/bin/bwrap"
pytestmark = pytest.mark.skipif(not Path(BWRAP).is_file(), reason="bubblewrap is not installed")


@pytest.fixture
def root(tmp_path: Path) -> TurboBehind:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    turbo = TurboBehind(tmp_path / "home", tmp_path / "work")
    turbo.home.mkdir()
    turbo.workspace.mkdir()
    return turbo


@pytest.fixture
def nobody() -> Generator[TurboBehind]:
    with ordinary_user() as turbo:
        yield turbo


def without(turbo: TurboBehind, *refused: str) -> TurboBehind:
    """Take something of the kernel's away from all that a user starts."""
    turbo.prefix = (*turbo.prefix, turbo.interpreter, *refusing.prefix(*refused)[1:])
    return turbo


def with_bwrap(turbo: TurboBehind, script: str, mode: int = 0o755) -> TurboBehind:
    """Put a script in bubblewrap's place; `$REAL` in it is the real one."""
    folder = turbo.home.parent
    shutil.copy(BWRAP, folder / "real-bwrap")
    stand_in = folder / "bwrap"
    stand_in.write_text(script.replace("$REAL", str(folder / "real-bwrap")))
    stand_in.chmod(mode)
    turbo.prefix = (*turbo.prefix, *among_mounts(f"mount --bind {stand_in} {BWRAP}"))
    return turbo


def told(turbo: TurboBehind, *words: str) -> dict[str, object]:
    """Run a command in the sandbox; return what `--json` tells."""
    done = turbo("sandbox", "--json", *words, "--", "sh", "-c", "echo ran; exit 3")
    assert done.code == 3, done.err
    shown: dict[str, object] = json.loads(done.out)
    assert shown["output"] == "ran\n"
    return shown


def reasons(shown: dict[str, object]) -> str:
    report = shown["report"]
    assert isinstance(report, dict)
    return json.dumps(report["reasons"])  # pyright: ignore[reportUnknownArgumentType]


# --- what the kernel refuses ------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "rung", "why"),
    [
        (("namespaces",), "overlay+landlock", "namespace"),
        (("mounts",), "copy+landlock", "bubblewrap: "),
        (("landlock",), "overlay+bubblewrap", ""),
    ],
)
def test_what_the_kernel_refuses_root_leads_to_the_next_rung_with_a_reason(
    root: TurboBehind, refused: tuple[str, ...], rung: str, why: str
) -> None:
    shown = told(without(root, *refused))

    assert shown["backend"] == rung
    assert why in reasons(shown)
    assert (reasons(shown) == "[]") is (not why)


@pytest.mark.parametrize(
    ("refused", "rung"),
    [
        (("namespaces",), "copy+landlock"),
        (("mounts",), "copy+landlock"),
        (("landlock",), "overlay+bubblewrap"),
    ],
)
def test_what_the_kernel_refuses_a_user_leads_to_the_next_rung(
    nobody: TurboBehind, refused: tuple[str, ...], rung: str
) -> None:
    shown = told(without(nobody, *refused))

    assert shown["backend"] == rung


def test_with_neither_namespaces_nor_landlock_nothing_runs_unasked(nobody: TurboBehind) -> None:
    turbo = without(nobody, "namespaces", "landlock")
    plan = str(plan_file(turbo, [shell("echo x > a.txt")]))
    give_to_nobody(turbo.home.parent)

    refused = turbo("sandbox", "--", "true")
    asked = turbo("run", "--plan", plan, "--approve", "staged", "--json")

    assert refused.code == 125
    assert "Nothing can confine a command here: bubblewrap: " in refused.err
    assert "landlock: Landlock 3 is needed and the kernel has none" in refused.err
    assert asked.code == 3, asked.err
    assert not any(event["kind"] == "CommandRequested" for event in asked.events)
    assert told(turbo, "--unsandboxed")["backend"] == "copy+unsandboxed"
    assert list(turbo.workspace.iterdir()) == []


def test_doctor_names_each_part_that_is_refused_with_its_mend(nobody: TurboBehind) -> None:
    turbo = without(nobody, "namespaces", "landlock")

    done = turbo("doctor", "--json")

    checks = {each["name"]: each for each in json.loads(done.out)["checks"]}
    assert done.code == 0, "commands are asked for one by one, and nothing needed is missing"
    assert checks["sandbox"]["detail"].startswith("copy+unsandboxed: UNSANDBOXED")
    for part in ("bubblewrap", "landlock", "user namespaces", "overlay", "sandbox writes"):
        assert checks[part]["status"] == "reduced", checks[part]
    for part in ("bubblewrap", "landlock", "user namespaces", "overlay"):
        assert checks[part]["mend"], checks[part]
    assert "bubblewrap and landlock below" in checks["sandbox"]["mend"]


def test_a_covered_proc_as_in_a_container_is_named_with_its_mend(root: TurboBehind) -> None:
    root.prefix = among_mounts("mount --bind /dev/null /proc/keys")

    shown = told(root)

    assert shown["backend"] == "overlay+landlock"
    assert "Parts of /proc are covered" in reasons(shown)
    assert "systempaths=unconfined" in reasons(shown)


@pytest.mark.parametrize(
    ("refused", "rung"), [("namespaces", "bubblewrap"), ("landlock", "landlock")]
)
def test_a_named_rung_that_the_kernel_refuses_is_refused(
    root: TurboBehind, refused: str, rung: str
) -> None:
    turbo = without(root, refused)
    turbo.more_env["TURBO_TUI_RUNG"] = rung
    plan = str(plan_file(turbo, [shell("echo x > a.txt")]))

    ran = turbo("run", "--plan", plan, "--approve", "all")

    assert (ran.code, turbo("sandbox", "--", "true").code) == (5, 125)
    assert f"names {rung}, so no other was tried" in ran.err
    assert list(turbo.workspace.iterdir()) == []


# --- another bubblewrap -----------------------------------------------------------------

VERY_OLD = """#!/bin/sh
    case "$*" in *--clearenv*) echo 'bwrap: Unknown option --clearenv' >&2; exit 1;; esac
    exec $REAL "$@"
"""


@pytest.mark.parametrize(
    ("script", "mode", "why"),
    [
        ("", 0o644, "may not be executed: run `chmod 755"),
        ("no program", 0o755, "Exec format error"),
        ("#!/bin/sh\necho 'bwrap: cannot do it' >&2; exit 1\n", 0o755, "bwrap: cannot do it"),
        ("#!/bin/sh\nexit 0\n", 0o755, "bubblewrap: "),
        ("#!/bin/sh\nkill -9 $$\n", 0o755, "bubblewrap: "),
        (VERY_OLD, 0o755, "too old: 0.5 or newer"),
    ],
)
def test_a_bubblewrap_that_does_not_work_is_named_and_landlock_serves(
    root: TurboBehind, script: str, mode: int, why: str
) -> None:
    shown = told(with_bwrap(root, script, mode))

    assert shown["backend"] == "overlay+landlock"
    assert why in reasons(shown)


def test_an_older_bubblewrap_without_two_options_still_holds(root: TurboBehind) -> None:
    old = """#!/bin/sh
        case "$*" in
            *--help*) $REAL --help | grep -v -e --disable-userns -e --size; exit;;
            *--disable-userns*|*--size*) echo 'bwrap: Unknown option' >&2; exit 1;;
        esac
        exec $REAL "$@"
    """

    shown = told(with_bwrap(root, old))

    assert shown["backend"] == "overlay+bubblewrap"


def test_a_bubblewrap_that_confines_nothing_is_found_out(root: TurboBehind) -> None:
    leaky = """#!/bin/bash
        status=
        while [ "$1" != -- ]; do
            [ "$1" = --json-status-fd ] && status=$2
            [ "$1" = --chdir ] && cd "$2"
            shift
        done
        shift
        echo '{"child-pid": '$$'}' >&$status
        "$@"; code=$?
        echo '{"exit-code": '$code'}' >&$status
        exit $code
    """

    shown = told(with_bwrap(root, leaky))

    assert shown["backend"] == "overlay+landlock"
    assert "bubblewrap: a command wrote outside its folder" in reasons(shown)


# --- what held a moment ago -----------------------------------------------------------------


@pytest.fixture
def breaking(root: TurboBehind) -> TurboBehind:
    """Have a bubblewrap that held, is remembered, and breaks when `broken` appears."""
    script = '#!/bin/sh\n[ -e $REAL.broken ] && { echo broken >&2; exit 1; }\nexec $REAL "$@"\n'
    turbo = with_bwrap(root, script)
    assert told(turbo)["backend"] == "overlay+bubblewrap"
    (turbo.home.parent / "real-bwrap.broken").touch()
    return turbo


def test_a_sandbox_that_broke_since_runs_nothing_and_says_what_comes_next(
    breaking: TurboBehind,
) -> None:
    first = breaking("sandbox", "--", "sh", "-c", "echo x > a.txt")
    second = told(breaking)

    assert first.code == 125
    assert "bubblewrap does not hold here any more: broken" in first.err
    assert "Nothing was run" in first.err
    assert "overlay+landlock (sandbox: reduced)" in first.err
    assert second["backend"] == "overlay+landlock"
    assert "bubblewrap: broken" in reasons(second)


def test_a_step_meets_it_as_a_failure_and_the_log_says_so(breaking: TurboBehind) -> None:
    plan = str(plan_file(breaking, [shell("echo x > a.txt")]))

    ran = breaking("run", "--plan", plan, "--approve", "staged", "--json")

    assert ran.code == 1, ran.err
    assert ran.last("StepStarted")["rung"] == "overlay+bubblewrap"
    noted = [str(event["text"]) for event in ran.events if event["kind"] == "Noted"]
    assert any("From now on commands run on overlay+landlock" in text for text in noted)
    finished = ran.last("CommandFinished")
    assert finished["ended"] == "refused"
    assert "does not hold here any more" in str(finished["output"])
    assert list(breaking.workspace.iterdir()) == []


def test_a_named_sandbox_that_broke_since_is_not_replaced(breaking: TurboBehind) -> None:
    breaking.more_env["TURBO_TUI_RUNG"] = "bubblewrap"

    first = breaking("sandbox", "--", "true")
    second = breaking("sandbox", "--", "true")

    assert (first.code, second.code) == (125, 125)
    assert "no other was tried" in first.err


# --- a full disk ----------------------------------------------------------------------------

SMALL = 12 << 20


@pytest.fixture
def small(root: TurboBehind) -> Generator[TurboBehind]:
    """Have state and stages on a disk of 12 MB."""
    home = root.home / "turbo"
    home.mkdir()
    # It must outlast one command: its namespace is kept by a process that waits for us.
    mount = f"mount -t tmpfs -o size={SMALL} none {home} && echo ready && read -r _"
    with subprocess.Popen(
        ("unshare", "-m", "sh", "-c", mount),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "ready\n"
        root.prefix = ("nsenter", "-t", str(keeper.pid), "-m", f"--wd={root.workspace}", "--")
        yield root
        keeper.communicate("\n")


def fill(turbo: TurboBehind, leave: int) -> None:
    """Leave so many bytes of the small disk free."""
    there = ("sh", "-c", f"head -c {SMALL - leave} /dev/zero > {turbo.home}/turbo/filled; true")
    subprocess.run((*turbo.prefix, *there), check=True, stderr=subprocess.DEVNULL)


def left_of_stages(turbo: TurboBehind) -> list[str]:
    there = ("find", f"{turbo.home}/turbo/state/stages", "-mindepth", "1", "-maxdepth", "1")
    listed = subprocess.run((*turbo.prefix, *there), check=True, capture_output=True, text=True)
    return listed.stdout.split()


def test_a_command_that_fills_the_disk_is_told_so_and_the_next_one_works(
    small: TurboBehind,
) -> None:
    filled = small("sandbox", "--", "sh", "-c", "head -c 20000000 /dev/urandom > big; echo rc $?")
    after = small("sandbox", "--", "sh", "-c", "echo fine > a.txt")

    assert filled.code == 125
    assert "No space left on device" in filled.out
    assert "rc 1" in filled.out
    assert "ended with exit code 0, but what it changed is lost" in filled.err
    assert "make room" in filled.err
    assert after.code == 0, after.err
    assert left_of_stages(small) == []


def test_changes_that_find_no_room_fail_the_step_and_its_work_is_kept(small: TurboBehind) -> None:
    plan = str(plan_file(small, [shell("head -c 7000000 /dev/urandom > big")]))

    ran = small("run", "--plan", plan, "--approve", "staged", "--json")

    assert ran.code == 1, ran.err
    failed = str(ran.last("StepFailed")["reason"])
    assert "Cannot read the changes of stage" in failed
    assert "No space left on device" in failed
    assert len(left_of_stages(small)) == 1
    assert left_of_stages(small)[0] in failed
    assert list(small.workspace.iterdir()) == []


def test_a_stage_that_finds_no_room_is_not_made(small: TurboBehind) -> None:
    assert small("sandbox", "--", "true").code == 0
    fill(small, 0)

    done = small("sandbox", "--", "true")

    assert done.code == 125
    assert "is full (0 bytes free). Free some" in done.err


def test_a_trial_that_finds_no_room_is_no_fault_of_the_sandbox(small: TurboBehind) -> None:
    fill(small, 0)

    full = small("sandbox", "--", "true")
    fill(small, SMALL // 2)
    after = told(small)

    assert full.code == 125
    assert "No space left on device" in full.err
    assert "bubblewrap" not in full.err
    assert after["backend"] == "overlay+bubblewrap"


def test_a_copy_that_finds_no_room_is_not_made_in_part(small: TurboBehind) -> None:
    small.more_env["TURBO_TUI_RUNG"] = "copy+bubblewrap"
    (small.workspace / "large").write_bytes(os.urandom(SMALL + 1))
    plan = str(plan_file(small, [shell("true")]))

    done = small("sandbox", "--", "true")
    ran = small("run", "--plan", plan, "--approve", "staged", "--json")

    assert done.code == 125
    assert "Cannot make stage" in done.err
    assert "is full" in done.err
    assert ran.code == 1
    assert "is full" in str(ran.last("StepFailed")["reason"])
    assert left_of_stages(small) == []


def test_a_session_that_finds_no_room_is_not_begun(small: TurboBehind) -> None:
    plan = str(plan_file(small, [shell("true")]))
    assert small("sandbox", "--", "true").code == 0
    fill(small, 0)

    done = small("run", "--plan", plan, "--approve", "staged")

    assert done.code == 5
    assert "make room" in done.err
    assert "Traceback" not in done.err


# --- an interrupt at any moment -----------------------------------------------------------------


@pytest.mark.parametrize("rung", ["auto", "copy"])
async def test_an_interrupt_while_a_stage_is_made_leaves_nothing_of_it(
    rung: Literal["auto", "copy"], tmp_path: Path
) -> None:
    work, state = tmp_path / "work", tmp_path / "state"
    work.mkdir()
    state.mkdir()
    (work / "a.txt").write_text("a\n")
    stages = open_stages(work, state, MemoryBlobs(), OpenConfiner(), rung=rung)

    for turns in (0, 1, 2, 3, 5, 8, 13, 30, 100, 300, 1000):
        opening = asyncio.ensure_future(stages.open(f"stage-{turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)  # a turn of the loop
        opening.cancel()
        await asyncio.wait({opening})
        if not opening.cancelled():  # it was quicker
            await opening.result().close()

        assert list((state / "stages").glob("stage-*")) == []


# --- a sandbox that waits and is killed ---------------------------------------------------------


def waiting(which: str) -> list[psutil.Process]:
    """Return processes of the sandboxes below us: `outer`, `inner`, or the `leaf` of each."""
    below = psutil.Process().children(recursive=True)
    names: dict[int, tuple[int, str]] = {}
    for each in below:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            names[each.pid] = (each.ppid(), each.name())
    bwraps = {pid for pid, (_, name) in names.items() if name == "bwrap"}
    kinds = {
        "outer": {pid for pid in bwraps if names[pid][0] not in bwraps},
        "inner": {pid for pid in bwraps if names[pid][0] in bwraps},
        "leaf": {pid for pid, (parent, _) in names.items() if parent in bwraps} - bwraps,
    }
    return [each for each in below if each.pid in kinds[which]]


@pytest.mark.usefixtures("ready_at_last")
@pytest.mark.parametrize("which", ["outer", "inner", "leaf"])
async def test_a_command_whose_waiting_sandbox_was_killed_runs_once_in_another(
    which: str, tmp_path: Path
) -> None:
    await needs_bubblewrap()
    confiner, place = Bubblewrap(), place_in(tmp_path / "work")
    confiner.warm(place)
    assert await confiner.ready(place) >= 2
    killed = waiting(which)
    assert len(killed) >= 2

    for each in killed:
        each.kill()
    psutil.wait_procs(killed, timeout=60)
    result = await confiner.run(place, Command(("sh", "-c", "echo once >> a.txt; echo ran")))
    again = await confiner.run(place, Command(("cat", "a.txt")))
    await confiner.dismiss(place)

    assert (result.exit_code, result.output) == (0, "ran\n")
    assert again.output == "once\n"
    assert await outliving(str(tmp_path)) == []
    assert await lasting_zombies() == []


@pytest.mark.usefixtures("ready_at_last")
@pytest.mark.parametrize("which", ["outer", "inner", "leaf"])
async def test_a_command_that_is_killed_in_a_waiting_sandbox_is_not_run_again(
    which: str, tmp_path: Path
) -> None:
    await needs_bubblewrap()
    confiner, place = Bubblewrap(), place_in(tmp_path / "work")
    confiner.warm(place)
    assert await confiner.ready(place) >= 2
    mark = f"mark-{os.getpid()}-{which}"
    line = f"echo once >> a.txt; echo began; sleep 60; : {mark}"
    began = asyncio.Event()
    ordered = Command(("sh", "-c", line))
    running = asyncio.ensure_future(confiner.run(place, ordered, on_output=lambda _: began.set()))
    await asyncio.wait_for(began.wait(), 60)

    leaf = next(each for each in waiting("leaf") if mark in " ".join(words_of(each)))
    inner = leaf.parent()
    assert inner is not None
    outer = inner.parent()
    assert outer is not None
    {"leaf": leaf, "inner": inner, "outer": outer}[which].kill()
    result = await running
    await confiner.dismiss(place)

    assert result.exit_code == 137
    assert (place.tree / "a.txt").read_text() == "once\n"
    assert await outliving(mark) == []
    assert await lasting_zombies() == []
