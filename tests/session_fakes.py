"""Fakes that a whole run stands on: a log in memory, stages as copies, a lander without journal."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pathspec

from tests.fakes import FolderStage, MemoryBlobs
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node, invert
from turbo_tui.core.errors import StageError
from turbo_tui.core.landings import Conflict, LandedEntry, Landing, Recovery
from turbo_tui.core.ports import Record

if TYPE_CHECKING:
    from turbo_tui.core.ports import SandboxReport


class MemoryEventStore:
    """One session's records in a list."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.records: list[Record] = []
        self.durable: list[int] = []
        self.closed = False

    def append(self, record: Record, *, durable: bool) -> None:
        self.records.append(record)
        if durable:
            self.durable.append(record.seq)

    def read(self, after: int = 0) -> Iterator[Record]:
        yield from self.records[after:]

    def close(self) -> None:
        self.closed = True


def nodes(root: Path, blobs: MemoryBlobs) -> dict[str, Node]:
    """Describe every file below a folder."""
    found: dict[str, Node] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            mode = path.stat().st_mode & 0o777
            found[str(path.relative_to(root))] = Node(
                "file", mode, len(content), blobs.put(content)
            )
    return found


class CopyStage(FolderStage):
    """A copy of the workspace; its change set is what differs from the copy as it was made."""

    def __init__(
        self, root: Path, stage_id: str, base: dict[str, Node], blobs: MemoryBlobs
    ) -> None:
        super().__init__(root, stage_id)
        self._base = base
        self._blobs = blobs

    async def changes(self) -> ChangeSet:
        now = nodes(self.root, self._blobs)
        is_ignored = _ignores(self.root)
        files: list[FileChange] = []
        folded: dict[str, list[FileChange]] = {}
        for path in sorted({*self._base, *now}):
            if self._base.get(path) == now.get(path):
                continue
            change = FileChange(path, self._base.get(path), now.get(path))
            if is_ignored(path):
                folded.setdefault(path.split("/")[0] if "/" in path else ".", []).append(change)
            else:
                files.append(change)
        lines = (IgnoredFolder(folder, tuple(found)) for folder, found in sorted(folded.items()))
        return ChangeSet(tuple(files), tuple(lines))


def _ignores(root: Path) -> Callable[[str], bool]:
    """Read what the `.gitignore` at the top says; only files in folders of their own fold."""
    rules = root / ".gitignore"
    lines = rules.read_text().splitlines() if rules.is_file() else []
    return pathspec.PathSpec.from_lines("gitignore", lines).match_file


class FolderStages:
    """Stages as plain copies, found again by their id in a folder of their own.

    A stage on others is a copy with their differences put over it, oldest first. A settled one
    is what is left in its folder: the files that the workspace's `.gitignore` names.

    Attributes:
        opened: Each stage's id and what it was opened on.
        settled: What was settled, with what was kept; empty for nothing.
    """

    bases: dict[Path, dict[str, Node]] = {}  # noqa: RUF012  outlives one process's object

    def __init__(self, workspace: Path, folder: Path, blobs: MemoryBlobs) -> None:
        self._workspace = workspace
        self._folder = folder
        self._blobs = blobs
        self.opened: list[tuple[str, tuple[str, ...]]] = []
        self.settled: dict[str, tuple[str, ...]] = {}

    @property
    def report(self) -> SandboxReport:
        return FolderStage(self._workspace).report

    async def open(self, stage_id: str, *, on: Sequence[str] = ()) -> CopyStage:
        target = self._folder / stage_id
        if target.exists():
            raise StageError(f"stage {stage_id} exists already")
        for below in on:
            if self._folder / below not in self.bases or not (self._folder / below).exists():
                raise StageError(f"stage {below}, which {stage_id} is to lie on, is gone")
        shutil.copytree(self._workspace, target)
        for below in on:
            self._put_over(self._folder / below, target)
        self.opened.append((stage_id, tuple(on)))
        self.bases[target] = nodes(target, self._blobs)
        return CopyStage(target, stage_id, self.bases[target], self._blobs)

    async def reopen(self, stage_id: str) -> CopyStage:
        target = self._folder / stage_id
        if not target.exists():
            raise StageError(f"nothing is kept of stage {stage_id}")
        return CopyStage(target, stage_id, self.bases[target], self._blobs)

    async def keep_contents(self, stage_id: str, changes: Sequence[FileChange]) -> None:
        """Its change sets hold all contents already."""

    async def settle(self, stage_id: str, *, landed: Collection[str] = ()) -> bool:
        target = self._folder / stage_id
        if not target.exists():
            return False
        base, now = self.bases[target], nodes(target, self._blobs)
        is_ignored = _ignores(target)
        kept = tuple(
            path
            for path, node in now.items()
            if node != base.get(path) and is_ignored(path) and path not in landed
        )
        for path in now:
            if path not in kept:
                (target / path).unlink()
        self.bases[target] = {}
        self.settled[stage_id] = kept
        if not kept:
            await self.discard(stage_id)
        return bool(kept)

    async def discard(self, stage_id: str) -> None:
        shutil.rmtree(self._folder / stage_id, ignore_errors=True)

    def _put_over(self, below: Path, target: Path) -> None:
        base, now = self.bases[below], nodes(below, self._blobs)
        for path in {*base, *now}:
            if base.get(path) == now.get(path):
                continue
            (target / path).unlink(missing_ok=True)
            if path in now:
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(below / path, target / path)


class FolderLander:
    """Writes what is approved if every path is still what it was."""

    journals: dict[Path, list[tuple[LandedEntry, ChangeSet]]] = {}  # noqa: RUF012  as on disk

    def __init__(self, workspace: Path, blobs: MemoryBlobs) -> None:
        self._workspace = workspace
        self._blobs = blobs
        self._journal = self.journals.setdefault(workspace, [])

    async def land(self, changes: ChangeSet, *, session_id: str, step_id: str) -> Landing:
        now = nodes(self._workspace, self._blobs)
        conflicts = tuple(
            Conflict(change.path, "changed meanwhile", change=change)
            for change in changes.files
            if now.get(change.path) != change.before
        )
        if conflicts:
            return Landing(conflicts=conflicts)
        for change in changes.files:
            target = self._workspace / change.path
            if change.after is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._blobs.get(change.after.blob))
        paths = tuple(change.path for change in changes.files)
        landing_id = f"landing-{len(self._journal) + 1}"
        entry = LandedEntry(landing_id, session_id, step_id, 0.0, paths, landed=True)
        self._journal.append((entry, changes))
        return Landing(landing_id, paths)

    async def undo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        entry, changes = next(pair for pair in self._journal if pair[0].landing_id == landing_id)
        if dry_run:
            return Landing(paths=entry.paths)
        return await self._turned(entry, settled or invert(changes), landed=False)

    async def redo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        entry, changes = next(pair for pair in self._journal if pair[0].landing_id == landing_id)
        if dry_run:
            return Landing(paths=entry.paths)
        return await self._turned(entry, settled or changes, landed=True)

    async def _turned(self, entry: LandedEntry, changes: ChangeSet, *, landed: bool) -> Landing:
        done = await self.land(changes, session_id=entry.session_id, step_id="")
        if not done.conflicts:
            pairs = self._journal
            pairs[:] = [(replace(e, landed=landed) if e is entry else e, c) for e, c in pairs]
        return done

    async def tree_at(self, landing_id: str, *, before: bool = False) -> tuple[FileChange, ...]:
        at = next(n for n, pair in enumerate(self._journal) if pair[0].landing_id == landing_id)
        later = self._journal[at + (not before) :]
        return tuple(change for _, changes in later for change in invert(changes).files)

    async def recover(self) -> tuple[Recovery, ...]:
        return ()

    def landings(self) -> tuple[LandedEntry, ...]:
        return tuple(entry for entry, _ in self._journal if entry.step_id)
