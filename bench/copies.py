"""What a copied stage costs against the number of files: first one, later ones, command, changes.

    python bench/copies.py [--files N ...] [--rounds N] [--in FOLDER] [--json]

Source-like trees: some 20 files to a folder, 4 kB each on the median. A later stage is made of the
copy that the one before left, so it costs two walks and what differs. Floors of the same rounds:
`cp -a`, with shared blocks too where there are such, and `rm -rf`, a bare walk that stats every
file, and the spawn of the command. Rounds are interleaved, so that a busy machine slows all alike.
Where a file system is slow to make files anew after many were deleted (ext4 is), `cp -a` shows the
same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.sandbox.staging.beneath import remove_tree
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

SIZES = (100, 1_000, 10_000, 50_000)
LARGE = 20_000  # from here on one round says enough: it takes minutes
OURS = ("first", "later", "command", "changes", "close")
FLOORS = ("cp -a", "reflink", "rm -rf", "walk", "spawn")
CHANGED = "pkg0/mod0/part0/file0.py"
TARGET = 0.5  # a later stage against `cp -a`, at 10,000 files and more


class Settings(argparse.Namespace):
    """What the command line says."""

    files: list[int]
    rounds: int
    folder: Path | None
    json: bool


def make_tree(root: Path, files: int) -> Path:
    sizes = random.Random(files)  # noqa: S311 - the same tree each time
    for number in range(files):
        part = f"pkg{number // 2_000}/mod{number // 200 % 10}/part{number // 20 % 10}"
        if number % 20 == 0:
            (root / part).mkdir(parents=True, exist_ok=True)
        size = min(int(sizes.lognormvariate(8.3, 1.2)), 200_000)
        (root / part / f"file{number % 20}.py").write_bytes(b"x" * size)
    return root


def walk(folder: str) -> int:
    """Look at every file, as cheaply as Python can."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                count += walk(entry.path)
    return count


def can_share(tree: Path, scratch: Path) -> bool:
    words = ("cp", "--reflink=always", tree / CHANGED, scratch)
    done = subprocess.run(words, check=False, capture_output=True)
    scratch.unlink(missing_ok=True)
    return done.returncode == 0


def floors(tree: Path, scratch: Path) -> dict[str, float]:
    taken: dict[str, float] = {}
    copies = {"cp -a": "never", **({"reflink": "always"} if can_share(tree, scratch) else {})}
    for copy, sharing in copies.items():
        for name, words in (
            (copy, ("cp", "-a", f"--reflink={sharing}", tree, scratch)),
            ("rm -rf", ("rm", "-rf", scratch)),
            ("spawn", ("true",)),
        ):
            started = time.perf_counter()
            subprocess.run(words, check=True)
            taken[name] = (time.perf_counter() - started) * 1e3
    started = time.perf_counter()
    walk(os.fspath(tree))
    taken["walk"] = (time.perf_counter() - started) * 1e3
    return taken


async def one_change(stage: WorkspaceStage) -> dict[str, float]:
    stage.files.write(CHANGED, b"value = 0\n")
    marks = [time.perf_counter()]
    await stage.run(Command(["true"]))
    marks.append(time.perf_counter())
    changes = await stage.changes()
    marks.append(time.perf_counter())
    await stage.close()
    marks.append(time.perf_counter())
    assert [change.path for change in changes.files] == [CHANGED]
    names = ("command", "changes", "close")
    return {name: (marks[i + 1] - marks[i]) * 1e3 for i, name in enumerate(names)}


async def ours(stages: WorkspaceStages, spares: Path) -> dict[str, float]:
    remove_tree(spares)
    started = time.perf_counter()
    stage = await stages.open("first")
    first = (time.perf_counter() - started) * 1e3
    await one_change(stage)
    started = time.perf_counter()
    stage = await stages.open("later")
    later = (time.perf_counter() - started) * 1e3
    return {"first": first, "later": later, **await one_change(stage)}


async def measure(base: Path, given: Settings) -> dict[int, dict[str, float]]:
    made: dict[int, tuple[WorkspaceStages, Path, Path]] = {}
    for files in given.files:
        tree, state = make_tree(base / f"tree{files}", files), base / f"state{files}"
        stages = open_stages(tree, state, MemoryBlobs(), OpenConfiner(), rung="copy")
        made[files] = stages, tree, state / "spares"
    await asyncio.sleep(3)  # what was just written is copied again: it may still be in a clock tick
    rows: dict[int, list[dict[str, float]]] = {files: [] for files in given.files}
    for turn in range(given.rounds):
        for files, (stages, tree, spares) in made.items():
            if turn and files >= LARGE:
                continue
            rows[files].append({**await ours(stages, spares), **floors(tree, base / "scratch")})
    return {
        files: {name: statistics.median(row[name] for row in found) for name in found[0]}
        for files, found in rows.items()
    }


def file_system(folder: Path) -> str:
    words = ("df", "--output=fstype", os.fspath(folder))
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return said.split()[-1]


def show(table: dict[int, dict[str, float]], names: Sequence[str]) -> None:
    print(f"{'files':>8} |" + "".join(f"{name:>9}" for name in names))
    for files, row in table.items():
        cells = (f"{row[name]:9.1f}" if name in row else f"{'-':>9}" for name in names)
        print(f"{files:>8,} |" + "".join(cells))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in", dest="folder", type=Path, help="where to measure: a file system")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-", dir=given.folder))
    try:
        kind = file_system(base)
        table = asyncio.run(measure(base, given))
    finally:
        remove_tree(base)
    large = {files: row for files, row in table.items() if files >= SIZES[2]}
    ratio = max((row["later"] / row["cp -a"] for row in large.values()), default=0.0)
    if given.json:
        print(json.dumps({"file_system": kind, "median_ms": table, "later_to_cp": ratio}))
        return int(ratio > TARGET)
    print(f"A copied stage of a one-file change on {kind}: median ms of {given.rounds} rounds")
    show(table, OURS)
    print("floors of the same rounds")
    show(table, FLOORS)
    verdict = "held" if ratio <= TARGET else "MISSED"
    print(f"later stage / cp -a, 10,000 files and more: {ratio:.2f} (target {TARGET}: {verdict})")
    return int(ratio > TARGET)


if __name__ == "__main__":
    sys.exit(main())
