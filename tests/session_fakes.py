"""Fakes that a whole run stands on: a log in memory, stages as copies, a lander without journal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes import FolderStage, MemoryBlobs
from turbo_tui.core.changes import ChangeSet, FileChange, Node, invert
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Conflict, LandedEntry, Landing, Record, Recovery

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
        files = [
            FileChange(path, self._base.get(path), now.get(path))
            for path in sorted({*self._base, *now})
            if self._base.get(path) != now.get(path)
        ]
        return ChangeSet(tuple(files))


class FolderStages:
    """Stages as plain copies, found again by their id in a folder of their own."""

    bases: dict[Path, dict[str, Node]] = {}  # noqa: RUF012  outlives one process's object

    def __init__(self, workspace: Path, folder: Path, blobs: MemoryBlobs) -> None:
        self._workspace = workspace
        self._folder = folder
        self._blobs = blobs

    @property
    def report(self) -> SandboxReport:
        return FolderStage(self._workspace).report

    async def open(self, stage_id: str) -> CopyStage:
        target = self._folder / stage_id
        if target.exists():
            raise StageError(f"stage {stage_id} exists already")
        shutil.copytree(self._workspace, target)
        self.bases[target] = nodes(self._workspace, self._blobs)
        return CopyStage(target, stage_id, self.bases[target], self._blobs)

    async def reopen(self, stage_id: str) -> CopyStage:
        target = self._folder / stage_id
        if not target.exists():
            raise StageError(f"nothing is kept of stage {stage_id}")
        return CopyStage(target, stage_id, self.bases[target], self._blobs)

    async def discard(self, stage_id: str) -> None:
        shutil.rmtree(self._folder / stage_id, ignore_errors=True)


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
            Conflict(change.path, "changed meanwhile")
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

    async def undo(self, landing_id: str, *, dry_run: bool = False) -> Landing:
        entry, changes = next(pair for pair in self._journal if pair[0].landing_id == landing_id)
        if dry_run:
            return Landing(paths=entry.paths)
        return await self.land(invert(changes), session_id=entry.session_id, step_id="undo")

    async def recover(self) -> tuple[Recovery, ...]:
        return ()

    def landings(self) -> tuple[LandedEntry, ...]:
        return tuple(entry for entry, _ in self._journal)
