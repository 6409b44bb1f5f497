"""What typing feels like while a repository is indexed: from a key to its repaint, in a terminal.

    python bench/keys.py [--rounds N] [--files N] [--json]

The app is opened on a repository of 1,500 files that nobody has opened before; its search worker
starts a second later and indexes them from nothing, on as many processors as there are. Meanwhile
keys are typed into the prompt, one each 60 ms, and timed until they are drawn. Once the index is
complete and the machine is left alone by it, as many keys are typed in the same app: that is the
floor. Each round starts with a folder of its own, so busy and idle alternate. Target: the median
busy is at most 1.5 times the median idle; the slowest of twenty is shown beside it.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import psutil

if TYPE_CHECKING:
    from turbo_tui.knowledge.client import Client

TARGET_RATIO = 1.5
COLUMNS, LINES = 120, 40
KEY, ERASE = b"~", b"\x7f"  # a sign that is drawn nowhere else
GAP_S = 0.06  # between keys; what is drawn in it is read and let be
LOOK_S = 0.5  # between questions to the worker
SETTLED_S = 3.0
PATIENCE_S = 120.0


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    files: int
    json: bool


@dataclass
class Taken:
    """Seconds from a key to its repaint, and how long the index took."""

    busy: list[float] = field(default_factory=list[float])
    idle: list[float] = field(default_factory=list[float])
    index_s: list[float] = field(default_factory=list[float])


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
    """Open the app on a tree of its own; type while it is indexed, then as much in peace."""
    from turbo_tui.knowledge.client import Client  # noqa: PLC0415  after TURBO_TUI_HOME is set
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
        began = looked = time.perf_counter()
        busy: list[float] = []
        while time.perf_counter() < looked + LOOK_S or indexes(client, files):
            if time.perf_counter() >= looked + LOOK_S:
                looked = time.perf_counter()
            busy.append(app.key())
        taken.index_s.append(time.perf_counter() - began)
        taken.busy += busy
        while client.index.vectors_pending:
            app.rest(LOOK_S)
            client.state()
        app.rest(SETTLED_S)
        taken.idle += [app.key() for _ in busy]
    finally:
        client.close()
        app.close()
        end_worker(place.store)


def indexes(client: Client, files: int) -> bool:
    """Tell whether the worker is at it."""
    state = client.state()
    return state.pending > 0 or state.files < files


def end_worker(store: Path) -> None:
    """End the worker of one workspace."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if "turbo_tui.knowledge.worker" in words and json.loads(words[-1])["store"] == str(
                store
            ):
                process.terminate()
                process.wait(PATIENCE_S)


def slow(seconds: list[float]) -> float:
    """Return what nineteen of twenty keys do not take."""
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
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
    index_s = statistics.median(taken.index_s)
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
        told = {"rows": rows, "index_s": index_s, "ratio": ratio, "target": TARGET_RATIO}
        print(json.dumps(told))
        return int(ratio > TARGET_RATIO)
    print(f"From a key to its repaint at {COLUMNS}x{LINES}, {given.rounds} rounds of an index of")
    print(f"{given.files:,} files made from nothing in {index_s:.1f} s, typing meanwhile and after")
    columns = tuple(rows["idle"])
    print(f"{'':12}" + "".join(f"{column:>12}" for column in columns))
    for name, row in rows.items():
        print(f"{name:12}" + "".join(f"{row[column]:12.1f}" for column in columns))
    verdict = "held" if ratio <= TARGET_RATIO else "MISSED"
    print(f"median, indexing / idle: {ratio:.2f} (target <= {TARGET_RATIO}: {verdict})")
    return int(ratio > TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())
