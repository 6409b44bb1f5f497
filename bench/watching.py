"""Files that change under a running search worker, in a repository of 6,000 files.

    python bench/watching.py [--saves N] [--json]

- A saved file: from the write to an answer that has what is new in it, one file each time, while
  nothing else goes on. Target: at most 1 s for nineteen of twenty.
- `git checkout` of a branch on which 5,000 files differ, and back again. Queries go on meanwhile,
  each timed beside those before it in peace; a file is saved in the middle of it, too. Said as
  well: when all is in the index and on disk, and the CPU time of the processes that read files.
  Back again it is 0, as what was read once is known by its content.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.home import Home, home_of

FILES, DIFFERENT = 6_000, 5_000
FOLDERS = 60
TARGET_S = 1.0
QUERIES = 60
LOOK_S = 0.3  # between looks at the processes that read files; they live 5 s longer than needed
PATIENCE_S = 600.0
GIT = ("git", "-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "gc.auto=0")

Row = dict[str, float]


class Settings(argparse.Namespace):
    """What the command line says."""

    saves: int
    json: bool


def text_of(number: int, branch: str) -> str:
    """Write a module of some forty lines that no other equals."""
    functions = (
        f"def {branch}_{number}_{part}(items):\n"
        f'    """Count the {branch} items of part {part} in {number}."""\n'
        f"    found = [item for item in items if item.size > {number % 97}]\n"
        f"    return len(found) + {part}\n\n\n"
        for part in range(7)
    )
    return "".join(functions)


def place_of(root: Path, number: int) -> Path:
    """Return where a module lies."""
    return root / f"part{number % FOLDERS}" / f"m{number}.py"


def make_repository(root: Path) -> None:
    """Commit all files to one branch, and most of them, changed, to another."""

    def write(numbers: range, branch: str) -> None:
        for number in numbers:
            place_of(root, number).write_text(text_of(number, branch))

    for folder in range(FOLDERS):
        (root / f"part{folder}").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    write(range(FILES), "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "main")
    git(root, "checkout", "-q", "-b", "other")
    write(range(DIFFERENT), "other")
    git(root, "commit", "-q", "-a", "-m", "other")
    git(root, "checkout", "-q", "main")


def git(root: Path, *words: str) -> None:
    """Run git."""
    subprocess.run((*GIT, *words), cwd=root, check=True, stdout=subprocess.DEVNULL)


def spread(seconds: Sequence[float]) -> Row:
    """Return what is said of many times, in milliseconds."""
    return {
        "times": float(len(seconds)),
        "p50_ms": 1000 * statistics.median(seconds),
        "p95_ms": 1000 * statistics.quantiles(seconds, n=20)[-1],
        "max_ms": 1000 * max(seconds),
    }


class Worker:
    """A worker, a client of it, and what its readers cost."""

    def __init__(self, home: Home) -> None:
        self.client = Client(home, learns=False)
        self._home = home

    def ask(self, query: str) -> float:
        """Return how long an answer takes."""
        began = time.perf_counter()
        self.client.search(query, limit=10)
        return time.perf_counter() - began

    def seen(self, name: str) -> float:
        """Ask until a definition is found; return the seconds."""
        began = time.perf_counter()
        while not any(
            hit.why[:1] == (f"defines {name}",) for hit in self.client.search(name, limit=3)
        ):
            if time.perf_counter() > began + PATIENCE_S:
                raise TimeoutError(name)
            time.sleep(0.005)
        return time.perf_counter() - began

    def settle(self) -> None:
        """Wait until the index is complete, on disk, and files are watched."""
        for _ in self.client.build():
            pass
        while self.client.state().age_s:
            time.sleep(0.05)

    def process(self) -> psutil.Process:
        """Return the worker's process."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if (
                    "turbo_tui.knowledge.service.worker" in words
                    and str(self._home.store) in words[-1]
                ):
                    return process
        raise ProcessLookupError(self._home.store)

    def end(self) -> None:
        """End it."""
        self.client.close()
        with suppress(ProcessLookupError):
            process = self.process()
            process.terminate()
            process.wait(PATIENCE_S)


class Readers:
    """The processes that read files for a worker, and the CPU time that they took."""

    def __init__(self, worker: psutil.Process) -> None:
        self._worker = worker
        self._spent: dict[int, float] = {}
        self._looked_at = 0.0

    def cpu_s(self) -> float:
        """Return the CPU time so far; of those that end between two questions, a little less."""
        if time.perf_counter() > self._looked_at + LOOK_S:
            self._looked_at = time.perf_counter()
            for process in self._worker.children():
                with suppress(psutil.Error):
                    if "turbo_tui.knowledge.indexing.digesting" in process.cmdline():
                        times = process.cpu_times()
                        self._spent[process.pid] = times.user + times.system
        return sum(self._spent.values())


def saves(root: Path, worker: Worker, count: int) -> list[float]:
    """Save files, one each time; return the seconds until each is found."""
    taken: list[float] = []
    for turn in range(count):
        file = place_of(root, FILES - 1 - turn)
        file.write_text(f"def saved_{turn}(): ...\n\n\n{file.read_text()}")
        taken.append(worker.seen(f"saved_{turn}"))
    return taken


def switch(root: Path, worker: Worker, branch: str, wanted: str) -> dict[str, Row | float]:
    """Check a branch out and query meanwhile."""
    peace = [worker.ask(f"main items of part {number % 7}") for number in range(QUERIES)]
    readers = Readers(worker.process())
    before = readers.cpu_s()
    began = time.perf_counter()
    checkout = subprocess.Popen((*GIT, "checkout", "-q", branch), cwd=root)
    meanwhile: list[float] = []
    saved_s = 0.0

    def goes_on() -> bool:
        state = worker.client.state()
        return checkout.poll() is None or state.pending > 0 or len(meanwhile) < QUERIES

    while goes_on():
        meanwhile.append(worker.ask(f"main items of part {len(meanwhile) % 7}"))
        if len(meanwhile) == QUERIES // 3:  # in the middle of it, in a file that does not differ
            file = place_of(root, DIFFERENT + 10)
            file.write_text(f"def amid_{branch}(): ...\n\n\n{file.read_text()}")
            saved_s = worker.seen(f"amid_{branch}")
        readers.cpu_s()
    worker.seen(wanted)
    found_s = time.perf_counter() - began
    worker.settle()
    return {
        "in peace": spread(peace),
        "meanwhile": spread(meanwhile),
        "saved meanwhile_s": saved_s,
        "all found_s": found_s,
        "on disk_s": time.perf_counter() - began,
        "readers' cpu_s": readers.cpu_s() - before,
    }


def measure(base: Path, count: int) -> tuple[Row, dict[str, dict[str, Row | float]]]:
    """Do all of it."""
    root = base / "shop"
    make_repository(root)
    home = home_of(
        root, cache=base / "cache", state=base / "state", config=base / "config", environment={}
    )
    worker = Worker(replace(home, model=""))
    try:
        worker.settle()
        saved = spread(saves(root, worker, count))
        switched = {
            "to a branch": switch(root, worker, "other", "other_7_3"),
            "back again": switch(root, worker, "main", "main_7_3"),
        }
    finally:
        worker.end()
    return saved, switched


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        saved, switched = measure(base, given.saves)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    held = saved["p95_ms"] <= 1000 * TARGET_S
    if given.json:
        print(json.dumps({"saved": saved, "switched": switched, "target_s": TARGET_S}))
        return int(not held)

    def told(row: Row) -> str:
        return "".join(f"{row[each]:10.0f}" for each in saved)

    print(f"Files that change in a repository of {FILES:,}")
    print(f"{'':34}" + "".join(f"{each:>10}" for each in saved))
    print(f"{'from a save to an answer':34}{told(saved)}")
    for way, rows in switched.items():
        print(f"{way}, on which {DIFFERENT:,} files differ")
        for name, row in rows.items():
            if isinstance(row, dict):
                print(f"  {'queries ' + name:32}{told(row)}")
            else:
                label, _, unit = name.rpartition("_")
                print(f"  {label:32}{row:10.2f} {unit}")
    verdict = "held" if held else "MISSED"
    print(f"a save is found, p95: {saved['p95_ms'] / 1000:.2f} s (target <= {TARGET_S}: {verdict})")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
