"""Make every attempt on some rungs, as the user this runs as: `python -m tests.escape.run`.

What to do comes as JSON on stdin: the rungs, the ground, the secret. What came of it goes to
stdout as JSON. It starts with no terminal and makes its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

from tests.escape.attempts import Attempt, Result, Seen, changed, heard
from tests.escape.bombs import BOMBS, END_S
from tests.escape.kernel import KERNEL
from tests.escape.output import OUTPUT
from tests.escape.processes import PROCESSES
from tests.escape.reads import READS
from tests.escape.sockets import SOCKETS
from tests.escape.staged import HOST, Arena, HostAttempt
from tests.escape.world import PYTHON, Ground, Terminal, World, alive, still_alive
from tests.escape.writes import WRITES
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.probing.probe import probe
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

# What moves `.git` about comes last: others aim at what is in it.
ATTEMPTS: tuple[Attempt, ...] = (
    *READS, *SOCKETS, *PROCESSES, *KERNEL, *WRITES, *BOMBS, *OUTPUT
)  # fmt: skip

INSIDE = Path(__file__).with_name("inside.py").read_text("utf-8")
AT_ONCE = 6
BATCH_S = 400.0
GONE_S = 12.0  # what lives on does so for 20 s


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is told.

    Attributes:
        rungs: The confiners; the controls are made once for all of them.
        kind: How stages are made.
        only: Names of attempts; empty for all.
    """

    rungs: tuple[str, ...]
    kind: Literal["auto", "overlay", "copy"]
    ground: Ground
    secret: str
    only: tuple[str, ...] = ()


def argv_of(order: Mapping[str, object] | None = None) -> tuple[str, ...]:
    """Return the words that run `inside.py`, for a whole batch or for one order."""
    words = (PYTHON, "-I", "-S", "-c", INSIDE)
    return words if order is None else (*words, json.dumps(order))


# --- without a sandbox --------------------------------------------------------------


def controls(world: World, attempts: Iterable[Attempt]) -> dict[str, Seen]:
    """Make the attempts where nothing stops them."""
    together = [each for each in attempts if not each.alone]
    before = world.states()
    done = subprocess.run(
        argv_of(),
        input=json.dumps(world.order(together)),
        cwd=world.workspace,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        close_fds=False,
        timeout=BATCH_S,
    )
    answers = _answers(done.stdout)
    alone = [each for each in attempts if each.alone]
    with ThreadPoolExecutor(32) as pool:
        seen = dict(
            zip(
                (each.name for each in alone),
                pool.map(partial(_control, world), alone),
                strict=True,
            )
        )
    time.sleep(0.2)  # for a packet on its way
    after = world.states()
    for each in together:
        seen[each.name] = _seen(world, each, answers, before, after)
    for each in alone:
        seen[each.name] = replace(seen[each.name], heard=world.heard(each))
    return seen


def _control(world: World, attempt: Attempt) -> Seen:
    """Run one as a plain program would: wait for its output, ask it to end, trust its word."""
    mark = f"{world.unique}-{attempt.name}."
    order = {**world.order([attempt]), "mark": mark}
    read, write = os.pipe()
    started = time.monotonic()
    # A parent of its own, since some attempts are on the parent.
    process = subprocess.Popen(
        ("sh", "-c", '"$@"; exit $?', "sh", *argv_of(order)),
        cwd=world.workspace,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(write,),
        start_new_session=True,
    )
    os.close(write)
    output = _read_for(process, max(attempt.timeout_s, END_S + 0.5), attempt.sign.__name__)
    duration_s = time.monotonic() - started
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.2)  # it closes its output before it is gone
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
    left = alive(mark)
    for pid in (*left, process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while pids := alive(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()
    os.set_blocking(read, False)
    with os.fdopen(read, "rb", 0) as status:
        said = status.read() or b""
    code = 0 if b'"exit-code": 0' in said else process.returncode
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    return Seen(
        output=output.decode("utf-8", "surrogateescape"),
        exit_code=code,
        duration_s=duration_s,
        secret=world.secret,
        left=left,
    )


def _read_for(process: subprocess.Popen[bytes], within_s: float, sign: str) -> bytes:
    """Read to the end, as long as it comes; a program is asked to end when its time is over."""
    assert process.stdout is not None
    give_up = time.monotonic() + within_s
    found = b""
    while (left := give_up - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], min(left, 0.05))[0]:
            more = os.read(process.stdout.fileno(), 1 << 20)
            found += more
            if not more:
                break
        if sign == "lives" and process.poll() is not None:
            break
    return found


# --- in a stage -----------------------------------------------------------------------


async def stages_of(world: World, wanted: Wanted, rung: str) -> tuple[WorkspaceStages, Confiner]:
    """Open what the app opens."""
    probed = await probe(world.state, rung=rung)
    stages = open_stages(
        world.workspace,
        world.state,
        FolderBlobs(world.state / "blobs"),
        probed.confiner,
        rung=wanted.kind,
        reasons=probed.reasons,
    )
    return stages, probed.confiner


async def confined(
    world: World, stages: WorkspaceStages, attempts: Iterable[Attempt]
) -> dict[str, Seen]:
    """Make the attempts in stages."""
    together = [each for each in attempts if not each.alone]
    before = world.states()
    stage = await stages.open("together")
    try:
        await stage.run(Command(("true",)))
        world.facts["HOLDER"] = _holder(world) or world.facts["HOLDER"]
        order = json.dumps(world.order(together)).encode()
        done = await stage.run(Command(argv_of(), stdin=order, timeout_s=BATCH_S))
        answers = _answers(done.output)
        if len(answers) != len(together):
            raise SystemExit(f"The batch ended early ({done.exit_code}): {done.output[-2000:]}")
        await asyncio.sleep(0.2)
        after = world.states()
        seen = {each.name: _seen(world, each, answers, before, after) for each in together}
    finally:
        await stage.close()
    todo = [each for each in attempts if each.alone]
    todo.reverse()

    # What fills the machine's memory goes one by one: what one gives back would hide another.
    filling = asyncio.Lock()

    async def work(number: int) -> None:
        stage = await stages.open(f"alone-{number}")
        try:
            while todo:
                each = todo.pop()
                async with filling if each.limits.memory_bytes else contextlib.nullcontext():
                    seen[each.name] = await _alone(world, stage, each)
        finally:
            await stage.close()

    await asyncio.gather(*(work(number) for number in range(AT_ONCE)))
    return seen


async def _alone(world: World, stage: WorkspaceStage, attempt: Attempt) -> Seen:
    mark = f"{world.unique}-{attempt.name}."
    order = {**world.order([attempt]), "mark": mark}
    started = time.monotonic()
    try:
        done = await stage.run(
            Command(
                argv_of(order),
                timeout_s=attempt.timeout_s,
                grants=replace(attempt.grants, hosts=_named(world, attempt.grants.hosts)),
                limits=attempt.limits,
            )
        )
    except SandboxError as error:
        return Seen(output=f"refused: {error}", exit_code=1, secret=world.secret)
    return Seen(
        output=done.output,
        exit_code=done.exit_code,
        ended=done.ended,
        duration_s=time.monotonic() - started,
        secret=world.secret,
        heard=world.heard(attempt),
        left=await asyncio.to_thread(still_alive, mark, GONE_S),
    )


def _named(world: World, hosts: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of a grant with the ports of this world's listeners."""
    return tuple(host.format(**world.facts) for host in hosts)


def _holder(world: World) -> int:
    """Find the process that holds the stage's mount; 0 where there is none."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if b"turbo-tui" in words and os.fsencode(world.workspace) in words:
                    return int(folder.name)
    return 0


# --- both ------------------------------------------------------------------------------


def _answers(text: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            answer = cast("dict[str, object]", json.loads(line))
            found[str(answer["name"])] = answer
    return found


def _seen(
    world: World,
    attempt: Attempt,
    answers: Mapping[str, Mapping[str, object]],
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> Seen:
    answer = answers.get(attempt.name, {"said": "no answer", "code": 1, "kept": ""})
    return Seen(
        output=str(answer["said"]),
        exit_code=cast("int", answer["code"]),
        secret=world.secret,
        mark=f"evil-{attempt.name}.",
        before=before[attempt.name] if attempt.sign is changed else None,
        after=after[attempt.name] if attempt.sign is changed else None,
        heard=attempt.sign is heard and world.heard(attempt),
        kept=str(answer["kept"]),
    )


def judge(attempt: Attempt, rung: str, free: Seen, held: Seen) -> Result:
    """Compare what an attempt got with and without the sandbox."""
    last = (free.output.strip().splitlines() or ["it did nothing"])[-1][:200]
    if not attempt.sign(free):
        return Result(attempt.name, "not shown", f"without a sandbox: {last}")
    last = (held.output.strip().splitlines() or [""])[-1][:200]
    if not attempt.sign(held):
        return Result(attempt.name, "held", last)
    known = rung == "landlock" and attempt.landlock is not None
    return Result(attempt.name, "gap" if known else "BROKE", last)


async def on_host(attempt: HostAttempt, arena: Arena, rung: str) -> Result:
    """Make an attempt on the host's side; the same words for its end as for the others."""
    try:
        if not await asyncio.to_thread(attempt.control, arena.build()):
            return Result(attempt.name, "not shown", "a plain program was not misled either")
    except OSError as error:
        return Result(attempt.name, "not shown", f"without a sandbox: {error}")
    if not await attempt.attempt(arena.build()):
        return Result(attempt.name, "held")
    known = rung == "landlock" and attempt.landlock is not None
    return Result(attempt.name, "gap" if known else "BROKE")


async def run(wanted: Wanted) -> dict[str, dict[str, object]]:
    """Make all attempts; return the report and the results of each rung as JSON values."""
    attempts = tuple(each for each in ATTEMPTS if not wanted.only or each.name in wanted.only)
    terminal = Terminal()
    started = time.monotonic()
    world = World(wanted.ground, "free", wanted.secret, attempts, terminal).build()
    try:
        free = await asyncio.to_thread(controls, world, attempts)
    finally:
        world.close()
    free_s = round(time.monotonic() - started, 1)
    found: dict[str, dict[str, object]] = {}
    for rung in wanted.rungs:
        started = time.monotonic()
        world = World(wanted.ground, f"held-{rung}", wanted.secret, attempts, terminal).build()
        try:
            found[rung] = await on_rung(world, wanted, rung, free)
        except SandboxError as error:
            found[rung] = {"refused": str(error)}
        finally:
            world.close()
        found[rung]["seconds"] = (free_s, round(time.monotonic() - started, 1))
    return found


async def on_rung(
    world: World, wanted: Wanted, rung: str, free: Mapping[str, Seen]
) -> dict[str, object]:
    """Make the attempts where one confiner is to hold them.

    Raises:
        SandboxError: It cannot be had here.
    """
    stages, confiner = await stages_of(world, wanted, rung)
    report = stages.report
    held = await confined(world, stages, world.attempts)
    arena = Arena(world.far / "arena", wanted.secret, confiner, wanted.kind)
    staged = [
        await on_host(each, arena, rung)
        for each in HOST
        if not wanted.only or each.name in wanted.only
    ]
    results = [judge(each, rung, free[each.name], held[each.name]) for each in world.attempts]
    return {
        "rung": report.rung,
        "reasons": report.reasons,
        "guarantees": [asdict(each) for each in report.guarantees],
        "results": [asdict(each) for each in (*results, *staged)],
    }


def main() -> None:
    """Do what stdin says."""
    told = json.load(sys.stdin)
    ground = Ground(**told.pop("ground"))
    only, rungs = tuple(told.pop("only", ())), tuple(told.pop("rungs"))
    answer = asyncio.run(run(Wanted(**told, rungs=rungs, ground=ground, only=only)))
    print(json.dumps(answer))  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main()
