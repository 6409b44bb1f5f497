"""What a stage costs: made, one file changed, change set read, closed; small tree against large.

    python bench/stage.py [--rounds N] [--files N]

On an overlay the size of the tree must not matter: the target is a ratio of at most 1.5, for a
change by a file tool and for one by a command. The floor is the mount alone, by unshare(1) and
mount(8), without any of our code; for the copy it is `cp -a` and `rm -rf`. A stage on another that
is still mounted, and what a decided stage with an ignored folder costs to settle, are shown
beside. Rounds are interleaved, so that a busy machine slows all cases alike.

In rounds of their own, fewer, come the changes of an installation of 20,000 files that git ignores:
read once, and again after another command. The floor reads and hashes the same files with nothing
of ours around it; the target is five times that. What it costs to remove such an installation that
the workspace had, its originals stored, is shown beside; once, for it is the slowest of all.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
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
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.command import Command
from turbo_tui.sandbox.staging.beneath import remove_tree
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

TARGET_RATIO = 1.5
SMALL = 100
COPY_ROUNDS = 3
NAMED_ROUNDS = 2
INSTALLED = 1_000  # ignored files of a stage that is settled
NAMED = 20_000  # ignored files of a stage whose changes are read
NAMED_RATIO = 5.0  # to the floor; 1 s on an idle machine of two cores
MOUNT, COPY = "floor: mount alone", "floor: cp -a, rm -rf"
HASHES = f"floor: {NAMED:,} read, hashed"
PARTS = ("open", "change", "changes", "close", "all")
PATH = "pkg0/mod0/file7.py"
Row = dict[str, float]


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
    (root / ".gitignore").write_text("node_modules/\n")
    return root


async def one_round(stages: WorkspaceStages, *, command: bool, on: tuple[str, ...] = ()) -> Row:
    marks = [time.perf_counter()]
    stage = await stages.open("bench", on=on)
    marks.append(time.perf_counter())
    if command:
        await stage.run(Command(["sh", "-c", f"echo value > {PATH}"]))
    else:
        stage.files.write(PATH, b"value = 0\n")
    marks.append(time.perf_counter())
    changes = await stage.changes()
    marks.append(time.perf_counter())
    await stage.close()
    marks.append(time.perf_counter())
    assert [change.path for change in changes.files] == [PATH]
    return row_of(marks)


async def settled_round(stages: WorkspaceStages) -> Row:
    """Settle a stage that installed something, and open the next one on what it left."""
    stage = await stages.open("settled")
    install = f"mkdir node_modules; cd node_modules; seq {INSTALLED} | xargs touch"
    await stage.run(Command(["sh", "-c", install]))
    await stage.close(keep=True)
    marks = [time.perf_counter()]
    assert await stages.settle("settled")
    marks.append(time.perf_counter())
    later = await stages.open("later", on=("settled",))
    marks.append(time.perf_counter())
    assert later.files.entry(f"node_modules/{INSTALLED}") is not None
    await later.close()
    await stages.discard("settled")
    return {"settle": (marks[1] - marks[0]) * 1e3, "open": (marks[2] - marks[1]) * 1e3}


async def named_round(stages: WorkspaceStages, installed: Path) -> Row:
    """Install what git ignores; read the changes of it, again after a command."""
    stage = await stages.open("named")
    await stage.run(Command(["cp", "-r", os.fspath(installed / "node_modules"), "."]))
    marks = [time.perf_counter()]
    changes = await stage.changes()
    marks.append(time.perf_counter())
    assert [len(line.changes) for line in changes.ignored] == [NAMED]
    await stage.run(Command(["true"]))
    marks.append(time.perf_counter())
    assert await stage.changes() == changes
    marks.append(time.perf_counter())
    await stage.close()
    return {"changes": (marks[1] - marks[0]) * 1e3, "again": (marks[3] - marks[2]) * 1e3}


async def removed_round(stages: WorkspaceStages) -> Row:
    """Remove what git ignores and the workspace had; read the changes of that."""
    stage = await stages.open("removed")
    marks = [time.perf_counter()]
    await stage.run(Command(["rm", "-rf", "node_modules"]))
    marks.append(time.perf_counter())
    changes = await stage.changes()
    marks.append(time.perf_counter())
    [line] = changes.ignored
    gone = [each for each in line.changes if each.before is not None and each.before.kind == "file"]
    assert len(gone) == NAMED
    await stage.close()
    return {"change": (marks[1] - marks[0]) * 1e3, "changes": (marks[2] - marks[1]) * 1e3}


def make_installation(root: Path) -> Path:
    """Write files of some 400 bytes, fifty to a package, that git ignores."""
    for number in range(NAMED):
        folder = root / "node_modules" / f"package{number // 50}"
        if number % 50 == 0:
            folder.mkdir(parents=True)
        (folder / f"file{number}.js").write_text(f"exports.value = {number};\n" * 16)
    (root / ".gitignore").write_text("node_modules/\n")
    return root


def hash_floor_ms(folder: Path) -> float:
    """Time reading and hashing all files of a folder, and nothing else."""
    started = time.perf_counter()
    for above, _, names in os.walk(folder):
        for name in names:
            hashlib.sha256(Path(above, name).read_bytes()).digest()
    return (time.perf_counter() - started) * 1e3


def row_of(marks: list[float]) -> Row:
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


class Bench:
    """All cases, each with stages of its own."""

    def __init__(self, base: Path, given: Settings) -> None:
        self._base = base
        self._given = given
        counts = {SMALL, given.files, given.copied}
        # The largest last: what was written just before it is copied is copied again next time.
        self._trees = {count: make_tree(base / f"tree{count}", count) for count in sorted(counts)}
        self._rows: dict[str, list[Row]] = {}

    async def run(self) -> dict[str, Row]:
        """Return the median of each part of each case, in ms."""
        cases: list[tuple[Kind, int]] = [("overlay", SMALL), ("overlay", self._given.files)]
        made = {case: self._stages(*case) for case in cases}
        copies = self._stages("copy", self._given.copied)
        below = {case: await made[case].open("below") for case in cases}
        for stage in below.values():
            stage.files.write("pkg0/below.py", b"x")
        for turn in range(self._given.rounds + 1):
            keep = turn > 0  # the first one warms the caches
            self._note(keep, MOUNT, {"all": floor_ms(self._trees[SMALL], self._base / "floor")})
            for kind, count in cases:
                stages, name = made[kind, count], f"{kind} {count:,} files"
                self._note(keep, name, await one_round(stages, command=False))
                self._note(keep, f"{name}, command", await one_round(stages, command=True))
                on_another = await one_round(stages, command=False, on=("below",))
                self._note(keep, f"{name}, on another", on_another)
                if turn <= COPY_ROUNDS:
                    self._note(keep, f"{name}, settled", await settled_round(stages))
            if turn == 0 or turn > self._given.rounds - COPY_ROUNDS:
                count = self._given.copied
                copied = await one_round(copies, command=False)
                self._note(keep, f"copy {count:,} files", copied)
                floor = copy_floor_ms(self._trees[count], self._base / "copied")
                self._note(keep, COPY, {"all": floor})
        for stage in below.values():
            await stage.close()
        await self._run_installed()
        return {
            name: {part: statistics.median(row[part] for row in rows) for part in rows[0]}
            for name, rows in self._rows.items()
        }

    async def _run_installed(self) -> None:
        installed = make_installation(self._base / "installed")
        kinds: tuple[Kind, ...] = ("overlay", "copy")
        for turn in range(NAMED_ROUNDS):
            for kind in kinds:
                # What a blob store has is not put again: each round has one of its own.
                state = self._base / f"state-{kind}-{turn}"
                blobs = FolderBlobs(state / "blobs")
                fresh = open_stages(self._trees[SMALL], state, blobs, OpenConfiner(), rung=kind)
                named = await named_round(fresh, installed)
                self._add(f"{kind}, {NAMED:,} ignored", named)
            self._add(HASHES, {"changes": hash_floor_ms(installed)})
        blobs = FolderBlobs(self._base / "originals")
        full = open_stages(installed, self._base / "state-full", blobs, OpenConfiner())
        self._add(
            f"{full.report.rung.partition('+')[0]}, {NAMED:,} removed", await removed_round(full)
        )

    def _stages(self, kind: Kind, count: int) -> WorkspaceStages:
        state = self._base / f"state-{kind}-{count}"
        return open_stages(self._trees[count], state, MemoryBlobs(), OpenConfiner(), rung=kind)

    def _note(self, keep: bool, name: str, row: Row) -> None:  # noqa: FBT001 - of one place
        if keep:
            self._add(name, row)

    def _add(self, name: str, row: Row) -> None:
        self._rows.setdefault(name, []).append(row)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--copied", type=int, default=5_000, help="files of the copied tree")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        table = asyncio.run(Bench(base, given).run())
    finally:
        remove_tree(base)
    ratios = {
        how or "file tool": table[f"overlay {given.files:,} files{how}"]["all"]
        / table[f"overlay {SMALL:,} files{how}"]["all"]
        for how in ("", ", command", ", on another")
    }
    slowest_ms = max(table[f"{kind}, {NAMED:,} ignored"]["changes"] for kind in ("overlay", "copy"))
    named = slowest_ms / table[HASHES]["changes"]
    missed = max(ratios.values()) > TARGET_RATIO or named > NAMED_RATIO
    if given.json:
        print(json.dumps({"median_ms": table, "ratios": ratios, "target": TARGET_RATIO}))
        return int(missed)
    print(f"A stage of a one-file change: median ms, {given.rounds} rounds, copies {COPY_ROUNDS}")
    parts = ("open", "change", "changes", "again", "close", "settle", "all")
    print(f"{'':34}" + "".join(f"{part:>10}" for part in parts))
    for name, row in table.items():
        cells = "".join(f"{row[part]:10.1f}" if part in row else f"{'':>10}" for part in parts)
        print(f"{name:34}{cells}")
    for how, ratio in ratios.items():
        verdict = "held" if ratio <= TARGET_RATIO else "MISSED"
        name = how.removeprefix(", ")
        print(f"large / small, {name}: {ratio:.2f} (target <= {TARGET_RATIO}: {verdict})")
    verdict = "held" if named <= NAMED_RATIO else "MISSED"
    print(f"{NAMED:,} ignored files / floor: {named:.2f} (target <= {NAMED_RATIO}: {verdict})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
