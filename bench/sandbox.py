"""What it costs to run a command in a stage: its sandbox made for it, and found waiting.

    python bench/sandbox.py [--rounds N] [--floods N] [--json]

All through a real stage (an overlay where one can be mounted) and in one interleaved run, so that
a busy machine slows all cases alike; the floor is a process started with nothing around it. A
first command comes right after its stage was opened, a later one when workers wait again, as
they do some 50 ms after the one before. Then a flood of 1 GB of output: by how much the event
loop is late meanwhile, beside a command that burns the same processor time and says nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from tests.fakes import MemoryBlobs
from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.staging.beneath import remove_tree
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

TRUE = Command(("true",))
PRINT = Command(("python3", "-c", "print(1)"))
GB = 1_000_000_000
LOOK_S = 0.002  # how often the loop's lag is looked at
# The system's own Python: not a script in its place that looks for one first.
ENVIRON = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

RAW, RAW_PYTHON = "raw spawn true", "raw spawn python3"
COLD, WARM, FIRST = "cold true", "warm true", "first true"
LANDLOCK = "landlock true"
COLD_PYTHON, WARM_PYTHON = "cold python3", "warm python3"
FIRST_COLD = "first true, cold"
CASES = (
    RAW,
    FIRST_COLD,
    FIRST,
    COLD,
    WARM,
    LANDLOCK,
    RAW_PYTHON,
    COLD_PYTHON,
    WARM_PYTHON,
)
# (what, beside what, at most times as much)
GOALS = ((WARM, COLD, 0.5), (WARM, RAW, 8.0), (WARM_PYTHON, COLD_PYTHON, 0.6))
FLOOD_GOAL = 2.0


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    floods: int
    json: bool


class Cold(Bubblewrap):
    """The same sandbox, of which none waits."""

    def warm(self, place: Place) -> None:
        """Make nothing ready."""


class Warm(Bubblewrap):
    """The same sandbox; it can be waited for until others wait."""

    def __init__(self) -> None:
        super().__init__(environ=ENVIRON)
        self.place: Place | None = None
        self._began = asyncio.Event()

    def warm(self, place: Place) -> None:
        """Remember where."""
        self.place = place
        self._began.set()
        super().warm(place)

    async def settled(self) -> int:
        """Wait until all workers wait; return how many."""
        await self._began.wait()
        assert self.place is not None
        return await self.ready(self.place)


class Bench:
    """A workspace, and a stage for each way to confine."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._workspace = base / "workspace"
        self._workspace.mkdir(parents=True)
        (self._workspace / "main.py").write_text("value = 1\n")
        self.warm = Warm()
        self._opened = 0

    def stages(self, confiner: Confiner, name: str) -> WorkspaceStages:
        """Make ready to stage the workspace with this confiner."""
        return open_stages(self._workspace, self._base / name, MemoryBlobs(), confiner)

    async def first(self, stages: WorkspaceStages) -> float:
        """Time the first command of a new stage."""
        self._opened += 1
        stage = await stages.open(f"s{self._opened}")
        try:
            return await timed(lambda: stage.run(TRUE))
        finally:
            await stage.close()


async def timed(work: Callable[[], Awaitable[CommandResult]]) -> float:
    """Return the milliseconds that a command took; it must succeed."""
    started = time.perf_counter()
    result = await work()
    took = (time.perf_counter() - started) * 1e3
    assert result.exit_code == 0, result
    return took


async def raw(*argv: str) -> float:
    """Time a process with nothing around it."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    return (time.perf_counter() - started) * 1e3


async def measure(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Run all cases in turn, each round beginning with another one."""
    cold_stages = bench.stages(Cold(environ=ENVIRON), "cold")
    warm_stages = bench.stages(bench.warm, "warm")
    fresh_stages = bench.stages(Bubblewrap(environ=ENVIRON), "fresh")
    cold = await cold_stages.open("cold")
    warm = await warm_stages.open("warm")
    landlock = await bench.stages(Landlock(environ=ENVIRON), "landlock").open("landlock")
    ways: dict[str, Callable[[], Awaitable[float]]] = {
        RAW: lambda: raw("/bin/true"),
        FIRST_COLD: lambda: bench.first(cold_stages),
        FIRST: lambda: bench.first(fresh_stages),
        COLD: lambda: timed(lambda: cold.run(TRUE)),
        WARM: lambda: timed(lambda: warm.run(TRUE)),
        LANDLOCK: lambda: timed(lambda: landlock.run(TRUE)),
        RAW_PYTHON: lambda: raw("/usr/bin/env", "-i", "/usr/bin/python3", "-c", "print(1)"),
        COLD_PYTHON: lambda: timed(lambda: cold.run(PRINT)),
        WARM_PYTHON: lambda: timed(lambda: warm.run(PRINT)),
    }
    taken: dict[str, list[float]] = {case: [] for case in CASES}
    for turn in range(rounds + 3):
        for at in range(len(CASES)):
            case = CASES[(at + turn) % len(CASES)]
            await bench.warm.settled()
            took = await ways[case]()
            if turn >= 3:  # the first ones warm the caches
                taken[case].append(took)
    for stage in (cold, warm, landlock):
        await stage.close()
    return taken


# --- output -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """A command that ran: how late the loop was, in ms, at each look; what it took of us."""

    lags: list[float]
    result: CommandResult
    own_cpu_s: float


async def lag_during(stage: WorkspaceStage, line: str) -> Heard:
    """Run a command and look how late the loop is meanwhile."""
    lags: list[float] = []
    pieces: list[str] = []

    async def look() -> None:
        while True:
            due = time.perf_counter() + LOOK_S
            await asyncio.sleep(LOOK_S)
            lags.append((time.perf_counter() - due) * 1e3)

    own = time.process_time()
    looking = asyncio.create_task(look())
    command = Command(("sh", "-c", line), timeout_s=120)
    result = await stage.run(command, on_output=pieces.append)
    own = time.process_time() - own
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    assert result.exit_code == 0, result
    return Heard(lags, result, own)


async def flood(bench: Bench, floods: int) -> dict[str, float]:
    """Compare the loop's lag under output with that under the same load without."""
    stage = await bench.stages(Bubblewrap(environ=ENVIRON), "flood").open("flood")
    loud = f"yes 0123456789abcdef | head -c {GB}"
    spoken = await lag_during(stage, loud)
    # Somebody reads there as well, so that as many processes want a processor.
    silent = f"yes 0123456789abcdef | head -c {GB} | cat >/dev/null"
    unheard = await lag_during(stage, silent)
    times = _cpu_s(spoken) / max(_cpu_s(unheard), 0.01)
    quiet = f"yes 0123456789abcdef | head -c {int(GB * times)} | cat >/dev/null"
    lags: dict[str, list[float]] = {loud: [], quiet: []}
    cpu: dict[str, list[float]] = {loud: [], quiet: []}
    for turn in range(floods):
        for line in (loud, quiet) if turn % 2 else (quiet, loud):
            heard = await lag_during(stage, line)
            lags[line] += heard.lags
            cpu[line].append(_cpu_s(heard))
            if line == loud:
                assert heard.result.dropped_bytes + 2_000_000 == GB
    await stage.close()
    return {
        "flood_p99_ms": _p99(lags[loud]),
        "control_p99_ms": _p99(lags[quiet]),
        "flood_cpu_s": statistics.mean(cpu[loud]),
        "control_cpu_s": statistics.mean(cpu[quiet]),
        "flood_s": spoken.result.duration_s,
        "ratio": _p99(lags[loud]) / _p99(lags[quiet]),
    }


def _cpu_s(heard: Heard) -> float:
    return (heard.result.usage.cpu_s or 0.0) + heard.own_cpu_s


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


# --- what waiting costs -------------------------------------------------------------


async def idle_mib(bench: Bench) -> dict[str, float]:
    """Return the memory that waiting workers take, shared pages counted in part."""
    stage = await bench.stages(bench.warm, "idle").open("idle")
    await bench.warm.settled()
    found = await asyncio.to_thread(_memory_of_workers)
    await stage.close()
    return found


def _memory_of_workers() -> dict[str, float]:
    found = {"shells": 0.0, "python": 0.0, "guard": 0.0}
    for process in psutil.Process().children(recursive=True):
        with suppress(OSError, StopIteration, psutil.Error):
            words = "".join(process.cmdline())
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            kib = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            if "turbo-tui-guard" in words:
                found["guard"] += kib / 1024
            elif "turbo-tui worker" in words:
                found["python"] += kib / 1024
            elif "/dev/fd/0" in words:
                found["shells"] += kib / 1024
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--floods", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        bench = Bench(base)
        kind = bench.stages(Cold(), "kind").report.rung
        taken = asyncio.run(measure(bench, given.rounds))
        output = asyncio.run(flood(Bench(base / "flood"), given.floods))
        idle = asyncio.run(idle_mib(Bench(base / "idle")))
    finally:
        remove_tree(base)
    return report(given, kind, taken, output, idle)


def report(
    given: Settings,
    kind: str,
    taken: dict[str, list[float]],
    output: dict[str, float],
    idle: dict[str, float],
) -> int:
    """Print all; return 1 when a goal was missed."""
    median = {case: statistics.median(values) for case, values in taken.items()}
    ratios = {f"{what} / {beside}": median[what] / median[beside] for what, beside, _ in GOALS}
    missed = any(median[what] > most * median[beside] for what, beside, most in GOALS)
    missed = missed or output["ratio"] > FLOOD_GOAL
    if given.json:
        both = {"median_ms": median, "ratios": ratios, "output": output, "idle_mib": idle}
        print(json.dumps({"rung": kind, **both}))
        return int(missed)
    print(
        f"A command in a stage ({kind}): ms, {given.rounds} rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':20}{'least':>8}{'median':>8}{'p90':>8}{'x raw':>8}")
    for case, values in taken.items():
        floor = median[RAW_PYTHON if "python" in case else RAW]
        p90 = statistics.quantiles(values, n=10)[8]
        cells = (min(values), median[case], p90, median[case] / floor)
        print(f"{case:20}" + "".join(f"{cell:8.1f}" for cell in cells))
    for what, beside, most in GOALS:
        ratio = median[what] / median[beside]
        print(f"{what} / {beside}: {ratio:.2f} (goal <= {most}: {_verdict(ratio <= most)})")
    print(
        f"loop lag, p99: {output['flood_p99_ms']:.1f} ms under 1 GB of output "
        f"({output['flood_cpu_s']:.1f} s of processor time, {output['flood_s']:.1f} s), "
        f"{output['control_p99_ms']:.1f} ms under {output['control_cpu_s']:.1f} s without"
    )
    ratio = output["ratio"]
    print(f"lag ratio: {ratio:.2f} (goal <= {FLOOD_GOAL}: {_verdict(ratio <= FLOOD_GOAL)})")
    print("waiting, MiB: " + ", ".join(f"{name} {size:.1f}" for name, size in idle.items()))
    return int(missed)


def _verdict(held: bool) -> str:  # noqa: FBT001 - a word of one caller
    return "held" if held else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
