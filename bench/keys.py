"""What typing feels like while a repository is indexed: from a key to its repaint, in a terminal.

    python bench/keys.py [--rounds N] [--files N] [--json]

The app is opened on a repository of 1,500 files that nobody has opened before; its search worker
starts a second later and indexes them from nothing, on as many processors as there are. Meanwhile
keys are typed into the prompt, one each 60 ms, and timed until they are drawn. After each 15 keys
the worker and all its helpers are stopped for 15 more: that is the floor, and whatever else the
machine does slows both alike. Target: the median while indexing is at most 1.5 times the median
idle; the slowest of twenty is shown beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import psutil

if TYPE_CHECKING:
    from turbo_tui.knowledge.service.client import Client

TARGET_RATIO = 1.5
COLUMNS, LINES = 120, 40
KEY, ERASE = b"~", b"\x7f"  # a sign that is drawn nowhere else
GAP_S = 0.06  # between keys; what is drawn in it is read and let be
SLICE = 15  # keys
PATIENCE_S = 120.0


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    files: int
    json: bool


@dataclass
class Taken:
    """Seconds from a key to its repaint."""

    busy: list[float] = field(default_factory=list[float])
    idle: list[float] = field(default_factory=list[float])


class Terminal:
    """The app in a pseudo-terminal."""

    def __init__(self, root: Path, home: Path) -> None:
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        env["TURBO_TUI_HOME"] = str(home)
        self._child: pexpect.spawn[bytes] = pexpect.spawn(
            sys.executable,
            ["-m", "turbo_tui", os.fspath(root)],
            env=env,
            dimensions=(LINES, COLUMNS),
            timeout=PATIENCE_S,
        )
        self._child.delaybeforesend = None
        self._child.setecho(state=False)

    def key(self) -> float:
        """Type a sign; return the seconds until it is drawn, and take it away again."""
        began = time.perf_counter()
        self._child.send(KEY)
        while KEY not in self._child.read_nonblocking(65_536, timeout=PATIENCE_S):
            pass
        taken = time.perf_counter() - began
        self.rest(GAP_S / 2)
        self._child.send(ERASE)
        self.rest(GAP_S / 2)
        return taken

    def rest(self, seconds: float) -> None:
        """Read what is drawn meanwhile."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            with suppress(pexpect.TIMEOUT):
                self._child.read_nonblocking(65_536, timeout=left)

    def close(self) -> None:
        """End the app."""
        self._child.close(force=True)


def make_tree(root: Path, count: int) -> None:
    """Copy Python files into a repository that nobody has seen."""
    number = 0
    for place in ("stdlib", "purelib"):
        for file in sorted(Path(sysconfig.get_path(place)).rglob("*.py")):
            if number < count and 2_000 < file.stat().st_size < 60_000:
                target = root / f"part{number % 25}" / f"m{number}_{file.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                number += 1
    if number < count:
        raise SystemExit(f"this Python has only {number} files to index; use --files {number}")


def measure(base: Path, number: int, files: int, taken: Taken) -> None:
    """Open the app on a tree of its own; type while it is indexed, in turn with peace."""
    from turbo_tui.knowledge.service.client import Client  # noqa: PLC0415  after TURBO_TUI_HOME is set
    from turbo_tui.wiring.places import search_home  # noqa: PLC0415

    root, home = base / f"shop{number}", base / f"home{number}"
    make_tree(root, files)
    os.environ["TURBO_TUI_HOME"] = str(home)
    place = search_home(root)
    app = Terminal(root, home)
    client = Client(place, learns=False)
    try:
        app.key()
        while not place.socket.exists():  # the app starts it
            app.rest(0.02)
        while indexes(client, files):
            busy = [app.key() for _ in range(SLICE)]
            if indexes(client, files):  # all the time
                with stopped(place.store):
                    app.rest(GAP_S)
                    taken.busy += busy
                    taken.idle += [app.key() for _ in range(SLICE)]
    finally:
        client.close()
        app.close()
        end_worker(place.store)


def indexes(client: Client, files: int) -> bool:
    """Tell whether the worker is at it."""
    state = client.state()
    return state.pending > 0 or state.files < files


def worker_of(store: Path) -> psutil.Process:
    """Return the worker of one workspace."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if "turbo_tui.knowledge.service.worker" in words and str(store) in words[-1]:
                return process
    raise ProcessLookupError(store)


@contextmanager
def stopped(store: Path) -> Generator[None]:
    """Have the worker and all that it started stand still."""
    worker = worker_of(store)
    family = [worker, *worker.children(recursive=True)]
    for each in family:
        with suppress(psutil.Error):
            each.suspend()
    try:
        yield
    finally:
        for each in family:
            with suppress(psutil.Error):
                each.resume()


def end_worker(store: Path) -> None:
    """End the worker of one workspace."""
    with suppress(ProcessLookupError):
        worker = worker_of(store)
        worker.terminate()
        worker.wait(PATIENCE_S)


def slow(seconds: list[float]) -> float:
    """Return what nineteen of twenty keys do not take."""
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--files", type=int, default=1_500)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    taken = Taken()
    try:
        for number in range(given.rounds):
            measure(base, number, given.files, taken)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    ratio = statistics.median(taken.busy) / statistics.median(taken.idle)
    rows = {
        name: {
            "keys": float(len(seconds)),
            "median_ms": 1000 * statistics.median(seconds),
            "p95_ms": 1000 * slow(seconds),
            "max_ms": 1000 * max(seconds),
        }
        for name, seconds in (("indexing", taken.busy), ("idle", taken.idle))
    }
    if given.json:
        print(json.dumps({"rows": rows, "ratio": ratio, "target": TARGET_RATIO}))
        return int(ratio > TARGET_RATIO)
    print(
        f"From a key to its repaint at {COLUMNS}x{LINES}, while {given.files:,} files are indexed"
    )
    print(f"from nothing, {given.rounds} times, in turn with the worker standing still")
    columns = tuple(rows["idle"])
    print(f"{'':12}" + "".join(f"{column:>12}" for column in columns))
    for name, row in rows.items():
        print(f"{name:12}" + "".join(f"{row[column]:12.1f}" for column in columns))
    verdict = "held" if ratio <= TARGET_RATIO else "MISSED"
    print(f"median, indexing / idle: {ratio:.2f} (target <= {TARGET_RATIO}: {verdict})")
    return int(ratio > TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())
