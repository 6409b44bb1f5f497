"""What a stage costs: made, one file changed, change set read, closed; small tree against large.

    python bench/stage.py [--rounds N] [--files N]

On an overlay the size of the tree must not matter: the target is a ratio of at most 1.5. The
floor is the mount alone, by unshare(1) and mount(8), without any of our code; for the copy it is
`cp -a` and `rm -rf`. Rounds are interleaved, so that a busy machine slows all cases alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.sandbox.beneath import remove_tree
from turbo_tui.sandbox.layers import Kind
from turbo_tui.sandbox.stages import WorkspaceStages, open_stages

TARGET_RATIO = 1.5
COPY_ROUNDS = 3
MOUNT, COPY = "floor: mount alone", "floor: cp -a, rm -rf"
PARTS = ("open", "write", "changes", "close", "all")


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    files: int
    copied: int
    json: bool


def make_tree(root: Path, files: int) -> Path:
    """Write files of some 40 bytes, a hundred to a folder."""
    for number in range(files):
        folder = root / f"pkg{number // 10_000}" / f"mod{number // 100 % 100}"
        if number % 100 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}.py").write_text(f"value = {number}\nname = 'file {number}'\n")
    return root


async def one_round(stages: WorkspaceStages, path: str) -> dict[str, float]:
    marks = [time.perf_counter()]
    stage = await stages.open("bench")
    marks.append(time.perf_counter())
    stage.files.write(path, b"value = 0\n")
    marks.append(time.perf_counter())
    changes = await stage.changes()
    marks.append(time.perf_counter())
    await stage.close()
    marks.append(time.perf_counter())
    assert [change.path for change in changes.files] == [path]
    spans = [(after - before) * 1e3 for before, after in pairwise(marks)]
    return dict(zip(PARTS, (*spans, (marks[-1] - marks[0]) * 1e3), strict=True))


def floor_ms(root: Path, scratch: Path) -> float:
    """Time the bare mount, done and gone."""
    for name in ("upper", "work"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-Urm")
    options = f"userxattr,lowerdir={root},upperdir={scratch}/upper,workdir={scratch}/work"
    started = time.perf_counter()
    subprocess.run([*unshare, "mount", "-t", "overlay", "-o", options, "o", root], check=True)
    return (time.perf_counter() - started) * 1e3


def copy_floor_ms(root: Path, scratch: Path) -> float:
    """Time copying and deleting a tree with the system's own tools."""
    started = time.perf_counter()
    subprocess.run(["cp", "-a", root, scratch], check=True)
    subprocess.run(["rm", "-rf", scratch], check=True)
    return (time.perf_counter() - started) * 1e3


async def measure(base: Path, given: Settings) -> dict[str, dict[str, float]]:
    cases: list[tuple[Kind, int, int]] = [
        ("overlay", 50, given.rounds),
        ("overlay", given.files, given.rounds),
        ("copy", 50, given.rounds),
        ("copy", given.copied, COPY_ROUNDS),
    ]
    trees = {count: make_tree(base / f"tree{count}", count) for count in {c for _, c, _ in cases}}
    made: dict[str, WorkspaceStages] = {}
    for kind, count, _ in cases:
        state = base / f"state-{kind}-{count}"
        made[f"{kind} {count:,} files"] = open_stages(
            trees[count], state, MemoryBlobs(), OpenConfiner(), rung=kind
        )
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in (MOUNT, *made, COPY)}
    for turn in range(given.rounds + 1):
        taken = {MOUNT: {"all": floor_ms(trees[50], base / "floor")}}
        for (name, stages), (_, _, most) in zip(made.items(), cases, strict=True):
            if turn <= most:
                taken[name] = await one_round(stages, "pkg0/mod0/file7.py")
        if turn <= COPY_ROUNDS:
            taken[COPY] = {"all": copy_floor_ms(trees[given.copied], base / "copied")}
        if turn:  # the first one warms the caches
            for name, row in taken.items():
                rows[name].append(row)
    return {
        name: {part: statistics.median(row[part] for row in found) for part in found[0]}
        for name, found in rows.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--copied", type=int, default=5_000, help="files of the copied tree")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        table = asyncio.run(measure(base, given))
    finally:
        remove_tree(base)
    small, large = table["overlay 50 files"], table[f"overlay {given.files:,} files"]
    ratio = large["all"] / small["all"]
    if given.json:
        print(json.dumps({"median_ms": table, "ratio": ratio, "target": TARGET_RATIO}))
        return int(ratio > TARGET_RATIO)
    print(f"A stage of a one-file change: median ms, {given.rounds} rounds, copies {COPY_ROUNDS}")
    print(f"{'':24}" + "".join(f"{part:>10}" for part in PARTS))
    for name, row in table.items():
        cells = "".join(f"{row[part]:10.1f}" if part in row else f"{'':>10}" for part in PARTS)
        print(f"{name:24}{cells}")
    verdict = "held" if ratio <= TARGET_RATIO else "MISSED"
    print(f"overlay, large / small: {ratio:.2f} (target <= {TARGET_RATIO}: {verdict})")
    return int(ratio > TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())
