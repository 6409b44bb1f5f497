"""What a user waits for: from launch to the first frame that takes keys, through a terminal.

    python bench/start.py [--rounds N] [--json]

A key is sent as soon as the program is started. The frame is usable once that key is echoed in
the prompt, with the plan pane and the status line painted. The floor is the smallest Textual app
that has an input, its frame usable once the key is in it. Cases are interleaved, so that a busy
machine slows all alike; the target is a ratio of medians of at most 1.5.

CPU seconds are those of the whole process from its start to that frame.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pexpect
import psutil
import pyte

TARGET_RATIO = 1.5
COLUMNS, LINES = 120, 40
KEY = "~"  # stands nowhere on the screen by itself
PATIENCE_S = 60.0

HELLO = """
from textual.app import App
from textual.widgets import Input


class Hello(App):
    def compose(self):
        yield Input()


Hello().run()
"""


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    json: bool


@dataclass(frozen=True)
class Case:
    """A program to start; the frame must hold the key and all of `words`."""

    name: str
    argv: tuple[str, ...]
    words: tuple[str, ...] = ()
    home: Path | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Start:
    """One start: wall time and the process's CPU time until its frame was usable."""

    wall_s: float
    cpu_s: float


def make_project(root: Path) -> Path:
    """Write a small git repository."""
    root.mkdir()
    for number in range(20):
        (root / f"module{number}.py").write_text(f"def f{number}():\n    return {number}\n")
    for words in (("init", "-q", "-b", "main"), ("add", "-A")):
        subprocess.run(("git", *words), cwd=root, check=True)
    return root


def start(case: Case) -> Start:
    """Start a program, send a key, wait for the usable frame, end it."""
    env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    if case.home is not None:
        env["TURBO_TUI_HOME"] = str(case.home)
        if case.fresh:
            shutil.rmtree(case.home, ignore_errors=True)
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    began = time.perf_counter()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        case.argv[0], list(case.argv[1:]), env=env, dimensions=(LINES, COLUMNS), timeout=PATIENCE_S
    )
    try:
        child.delaybeforesend = None
        child.setecho(state=False)  # what is seen must have been drawn by the program
        child.send(KEY)
        while not is_usable(screen.display, case.words):
            if time.perf_counter() - began > PATIENCE_S:
                shown = "\n".join(screen.display)
                raise TimeoutError(f"{case.name} was not usable in {PATIENCE_S:.0f} s:\n{shown}")
            stream.feed(child.read_nonblocking(65_536, timeout=PATIENCE_S))
        wall_s = time.perf_counter() - began
        used = psutil.Process(child.pid).cpu_times()
        return Start(wall_s, used.user + used.system)
    finally:
        child.close(force=True)


def is_usable(display: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether the key is echoed and all words are painted."""
    return any(KEY in line for line in display) and all(
        any(word in line for line in display) for word in words
    )


def measure(base: Path, rounds: int) -> dict[str, list[Start]]:
    """Start every case once a round; the first round, which warms the caches, is dropped."""
    project = make_project(base / "small-project")
    hello = base / "hello.py"
    hello.write_text(HELLO)
    ours = (sys.executable, "-m", "turbo_tui", os.fspath(project))
    # The plan pane, the status line with the project's name, the prompt's own sign.
    words = ("Plan", project.name, "> ")
    cases = (
        Case("hello Textual", (sys.executable, os.fspath(hello))),
        Case("turbo-tui, fresh state", ours, words, home=base / "fresh", fresh=True),
        Case("turbo-tui, existing state", ours, words, home=base / "existing"),
    )
    taken: dict[str, list[Start]] = {case.name: [] for case in cases}
    orders = list(permutations(cases))
    for turn in range(rounds + 1):
        for case in orders[turn % len(orders)]:  # no case always follows the same one
            one = start(case)
            if turn:
                taken[case.name].append(one)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        taken = measure(base, given.rounds)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    floor = statistics.median(one.wall_s for one in taken["hello Textual"])
    floor_cpu = statistics.median(one.cpu_s for one in taken["hello Textual"])
    rows: dict[str, dict[str, float]] = {}
    for name, starts in taken.items():
        walls = [one.wall_s for one in starts]
        cpu = statistics.median(one.cpu_s for one in starts)
        rows[name] = {
            "min_s": min(walls),
            "median_s": statistics.median(walls),
            "max_s": max(walls),
            "ratio": statistics.median(walls) / floor,
            "cpu_s": cpu,
            "cpu_ratio": cpu / floor_cpu,
        }
    worst = max(row["ratio"] for row in rows.values())
    if given.json:
        print(json.dumps({"rows": rows, "ratio": worst, "target": TARGET_RATIO}))
        return int(worst > TARGET_RATIO)
    print(f"First usable frame at {COLUMNS}x{LINES}, {given.rounds} interleaved starts each")
    columns = tuple(rows["hello Textual"])
    print(f"{'':28}" + "".join(f"{column:>11}" for column in columns))
    for name, row in rows.items():
        print(f"{name:28}" + "".join(f"{row[column]:11.2f}" for column in columns))
    verdict = "held" if worst <= TARGET_RATIO else "MISSED"
    print(f"slowest / hello: {worst:.2f} (target <= {TARGET_RATIO}: {verdict})")
    return int(worst > TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())
