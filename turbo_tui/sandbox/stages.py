"""Make stages: pick overlay or copy, run commands in them, read what they did, keep or drop.

state/stages/STAGE_ID/   mode 0700
    meta.json            workspace, start, how it is made; written last: without it, nothing
    upper/ work/         overlay
    tree/ manifest.json  copy
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import StageError, TurboError
from turbo_tui.core.ports import (
    Blobs,
    CommandResult,
    Guarantee,
    Level,
    OnOutput,
    Rung,
    SandboxReport,
)
from turbo_tui.sandbox.beneath import Beneath, remove_tree
from turbo_tui.sandbox.changeset import Contents, Originals, build_change_set, never_lands
from turbo_tui.sandbox.copytree import Manifest, copy_tree, read_copy
from turbo_tui.sandbox.deltas import Delta
from turbo_tui.sandbox.files import TreeFiles
from turbo_tui.sandbox.gitview import GitPlace, find_git, ignores_of
from turbo_tui.sandbox.ignore import Ignores
from turbo_tui.sandbox.overlay import Holder, read_upper, why_not
from turbo_tui.sandbox.place import Confiner, Place

Kind = Literal["overlay", "copy"]
META_VERSION = 1
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
# What a program prints when an overlay without root refuses to copy a foreign file up; errno(3).
_OVERFLOW = "Value too large for defined data type"


def open_stages(
    workspace: Path,
    state: Path,
    blobs: Blobs,
    confiner: Confiner,
    *,
    rung: Literal["auto", "overlay", "copy"] = "auto",
    reasons: Sequence[str] = (),
) -> WorkspaceStages:
    """Make ready to stage a workspace; a trial mount takes some 10 ms.

    Args:
        workspace: The folder to work on; a link to it is resolved.
        state: The user's state folder; stages lie in its `stages/`.
        blobs: Takes the contents of change sets.
        confiner: Runs the commands.
        rung: Forces how stages are made; `auto` takes an overlay where one can be mounted.
        reasons: Why no better confiner is used, for the report.

    Raises:
        StageError: The workspace is no folder, the state cannot be written or lies within the
            workspace, or a forced overlay cannot be mounted.
    """
    workspace = _resolved(workspace)
    stages = _state_folder(state, workspace) / "stages"
    try:
        stages.mkdir(mode=0o700, parents=True, exist_ok=True)
        why = _why_no_overlay(workspace, stages, confiner) if rung != "copy" else None
    except OSError as error:
        raise StageError(
            f"Cannot keep stages in {stages}: {error.strerror}. "
            "Make it writable, or set TURBO_TUI_HOME to another folder."
        ) from error
    if rung == "overlay" and why is not None:
        raise StageError(f"No overlay can be used: {why}.")
    kind: Kind = "copy" if rung == "copy" or why is not None else "overlay"
    said = (*reasons, f"{why}.") if why is not None else tuple(reasons)
    return WorkspaceStages(
        workspace, folder=stages, blobs=blobs, confiner=confiner, kind=kind, reasons=said
    )


def _why_no_overlay(workspace: Path, stages: Path, confiner: Confiner) -> str | None:
    if confiner.name == "unsandboxed":
        return "without a sandbox, commands run in a copy"
    return why_not(workspace, stages)


def _resolved(workspace: Path) -> Path:
    try:
        resolved = workspace.resolve(strict=True)
        with os.scandir(resolved):
            return resolved
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, in Python 3.11
        why = error.strerror if isinstance(error, OSError) else "links in a circle"
        raise StageError(
            f"Cannot work in {workspace}: {why}. Name a folder that you can read with -C PATH."
        ) from error


def _state_folder(state: Path, workspace: Path) -> Path:
    state = state.resolve()
    if state == workspace or workspace in state.parents:
        raise StageError(
            f"The state folder {state} lies within the workspace {workspace}, so a stage would "
            "hold itself. Work in a folder further down, or set TURBO_TUI_HOME to one outside."
        )
    return state


@dataclass(frozen=True, slots=True)
class Meta:
    """What a stage's folder says of itself."""

    workspace: str
    kind: Kind
    started_ns: int
    version: int = META_VERSION

    def write(self, folder: Path) -> None:
        """Write it whole or not at all."""
        value = {
            "version": self.version,
            "workspace": self.workspace,
            "kind": self.kind,
            "started_ns": self.started_ns,
        }
        beside = folder / "meta.json.new"
        beside.write_text(json.dumps(value), encoding="ascii")
        beside.replace(folder / "meta.json")

    @classmethod
    def load(cls, folder: Path) -> Meta:
        """Read it.

        Raises:
            OSError, ValueError, KeyError: It is not there, or not whole.
        """
        value = cast("dict[str, object]", json.loads((folder / "meta.json").read_bytes()))
        kind, started = value["kind"], value["started_ns"]
        if value["version"] != META_VERSION or not isinstance(started, int):
            raise ValueError(f"version {value['version']}")
        if kind not in {"overlay", "copy"}:
            raise ValueError(f"kind {kind}")
        return cls(str(value["workspace"]), cast("Kind", kind), started)


class WorkspaceStages:
    """`core.ports.Stages` for one workspace; made by `open_stages`."""

    def __init__(
        self,
        workspace: Path,
        *,
        folder: Path,
        blobs: Blobs,
        confiner: Confiner,
        kind: Kind,
        reasons: tuple[str, ...],
    ) -> None:
        self._workspace = workspace
        self._folder = folder
        self._blobs = blobs
        self._confiner = confiner
        self._kind: Kind = kind
        self._reasons = reasons
        self._open: dict[str, WorkspaceStage] = {}

    @property
    def report(self) -> SandboxReport:
        """What the next stage will be confined by."""
        return self._report_of(self._kind)

    async def open(self, stage_id: str) -> WorkspaceStage:
        """Make a fresh stage on the workspace as it stands."""
        folder = self._path_of(stage_id)
        meta = Meta(os.fspath(self._workspace), self._kind, time.time_ns())
        try:
            await asyncio.to_thread(self._make, folder, meta)
        except OSError as error:
            if isinstance(error, FileExistsError) and error.filename == os.fspath(folder):
                raise StageError(
                    f"Stage {stage_id} exists already. Take it up again, or discard it."
                ) from error
            await asyncio.to_thread(remove_tree, folder)
            raise self._cannot(stage_id, error) from error
        try:
            return await self._mount(stage_id, folder, meta)
        except StageError:
            await asyncio.to_thread(remove_tree, folder)
            raise

    async def reopen(self, stage_id: str) -> WorkspaceStage:
        """Take up a kept stage, also one whose process was killed."""
        folder = self._path_of(stage_id)
        if stage_id in self._open:
            raise StageError(f"Stage {stage_id} is open already.")
        try:
            meta = await asyncio.to_thread(Meta.load, folder)
        except FileNotFoundError as error:
            raise StageError(
                f"Nothing is kept of stage {stage_id}; start the step again."
            ) from error
        except (OSError, ValueError, KeyError) as error:
            raise StageError(
                f"Stage {stage_id} cannot be taken up: {folder / 'meta.json'} is damaged "
                f"({error}). Its files lie in {folder}; discard it to start again."
            ) from error
        if meta.workspace != os.fspath(self._workspace):
            raise StageError(
                f"Stage {stage_id} belongs to {meta.workspace}, not to {self._workspace}."
            )
        return await self._mount(stage_id, folder, meta)

    async def discard(self, stage_id: str) -> None:
        """Delete a closed or abandoned stage's layer; do nothing when there is none."""
        folder = self._path_of(stage_id)
        stage = self._open.get(stage_id)
        if stage is not None:
            await stage.close(keep=True)
        try:
            await asyncio.to_thread(remove_tree, folder)
        except OSError as error:
            raise StageError(f"Cannot delete {folder}: {error}. Delete it by hand.") from error

    def prefer_copies(self, why: str) -> None:
        """Make further stages as copies: an overlay has met a file that it cannot change."""
        if self._kind == "overlay":
            self._kind = "copy"
            self._reasons = (
                *self._reasons,
                f"{why}, which an overlay without root cannot change; chown it to yourself.",
            )

    def _path_of(self, stage_id: str) -> Path:
        if not _ID.fullmatch(stage_id):
            raise StageError(f"{stage_id!r} cannot name a stage: letters, digits and -._ only.")
        return self._folder / stage_id

    def _make(self, folder: Path, meta: Meta) -> None:
        folder.mkdir(mode=0o700)
        top = self._workspace.stat()
        tree = folder / ("upper" if meta.kind == "overlay" else "tree")
        tree.mkdir()
        if meta.kind == "overlay":
            (folder / "work").mkdir()
        else:
            source = Beneath(self._workspace, shown_at=self._workspace)
            try:
                copy_tree(source, tree).write(folder / "manifest.json")
            finally:
                source.close()
        # What stands at the top of the stage is this folder: it looks like the workspace's.
        if os.geteuid() == 0:
            os.chown(tree, top.st_uid, top.st_gid)
        tree.chmod(top.st_mode & 0o7777)
        os.utime(tree, ns=(top.st_atime_ns, top.st_mtime_ns))
        meta.write(folder)

    async def _mount(self, stage_id: str, folder: Path, meta: Meta) -> WorkspaceStage:
        try:
            stage = WorkspaceStage(
                self,
                stage_id,
                folder=folder,
                meta=meta,
                workspace=self._workspace,
                blobs=self._blobs,
                confiner=self._confiner,
                report=self._report_of(meta.kind),
            )
            await stage.mount()
        except OSError as error:
            raise self._cannot(stage_id, error) from error
        except ValueError as error:
            raise StageError(f"Stage {stage_id} is damaged: {error}. Discard it.") from error
        self._open[stage_id] = stage
        return stage

    def forget(self, stage_id: str) -> None:
        """Take note that a stage was closed."""
        self._open.pop(stage_id, None)

    def _report_of(self, kind: Kind) -> SandboxReport:
        confiner = self._confiner
        detail = (
            "writes go to a layer over the workspace"
            if kind == "overlay"
            else "writes go to a copy of the workspace"
        )
        held = confiner.name != "unsandboxed"
        if not held:
            detail = "commands start in a copy, but nothing keeps them there"
        guarantees = (*confiner.guarantees, Guarantee("tree", held, detail))
        level: Level = "full" if all(given.held for given in guarantees) else "reduced"
        rung = cast("Rung", f"{kind}+{confiner.name}")
        return SandboxReport(rung, level if held else "none", guarantees, self._reasons)

    def _cannot(self, stage_id: str, error: OSError) -> StageError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            free = shutil.disk_usage(self._folder).free
            return StageError(
                f"Cannot make stage {stage_id}: the disk that holds {self._folder} is full "
                f"({free:,} bytes free). Free some space, or set TURBO_TUI_HOME elsewhere."
            )
        where = os.fsdecode(error.filename) if error.filename else os.fspath(self._folder)
        return StageError(f"Cannot make stage {stage_id}: {where}: {error.strerror}.")


class WorkspaceStage:
    """`core.ports.Stage`: one step's view of the workspace."""

    def __init__(
        self,
        stages: WorkspaceStages,
        stage_id: str,
        *,
        folder: Path,
        meta: Meta,
        workspace: Path,
        blobs: Blobs,
        confiner: Confiner,
        report: SandboxReport,
    ) -> None:
        self._stages = stages
        self._stage_id = stage_id
        self._folder = folder
        self._meta = meta
        self._workspace = workspace
        self._blobs = blobs
        self._confiner = confiner
        self._report = report
        self._holder: Holder | None = None
        self._closed = False
        self._reading = asyncio.Lock()
        owner = workspace.stat()
        root = os.geteuid() == 0
        self._owner = (owner.st_uid, owner.st_gid) if root else (os.geteuid(), os.getegid())
        self._git: GitPlace | None = find_git(workspace)
        self._notes: list[str] = []
        self._manifest: Manifest | None = None
        if meta.kind == "copy":
            self._manifest = Manifest.load(folder / "manifest.json")
            self._notes.extend(
                f"{path}: not in the stage ({why})"
                for path, why in sorted(self._manifest.left_out.items())
            )
        self._original = Beneath(workspace, shown_at=workspace)
        self._layer = Beneath(
            folder / ("upper" if meta.kind == "overlay" else "tree"), shown_at=workspace
        )
        self._tree = self._layer
        self._originals = Originals(Contents(self._original, blobs), meta.started_ns)
        self._written = Contents(self._layer, blobs)
        self._files = TreeFiles(
            self._live_tree,
            self._ignores,
            owner=self._owner if root else None,
            before_change=self._keep_original,
            refused=self._refused,
        )

    @property
    def stage_id(self) -> str:
        """Unique; names the stage's folder in the state folder."""
        return self._stage_id

    @property
    def report(self) -> SandboxReport:
        """What confines this stage's commands."""
        return self._report

    @property
    def files(self) -> TreeFiles:
        """The stage's files for tools of the host."""
        return self._files

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str = ".",
        timeout_s: float = 120.0,
        network: bool = False,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end; then keep the originals of what it changed."""
        await self.mount()
        result = await self._confiner.run(
            self._place(),
            argv,
            cwd=cwd,
            timeout_s=timeout_s,
            network=network,
            stdin=stdin,
            env=env,
            on_output=on_output,
        )
        if self._meta.kind == "overlay" and os.geteuid() != 0 and _OVERFLOW in result.output:
            self._refused("a file that a command changes belongs to another user or group")
        async with self._reading:
            # What cannot be kept now is met again, and said, when the changes are read.
            with suppress(OSError, TurboError):
                await asyncio.to_thread(self._keep_originals)
        return result

    async def changes(self) -> ChangeSet:
        """Read what the step did; contents of both sides are put into the blob store."""
        self._check_open()
        async with self._reading:
            return await asyncio.to_thread(self._read_changes)

    async def close(self, *, keep: bool = False) -> None:
        """Unmount; with `keep` the written layer stays on disk and `reopen` finds it."""
        if self._closed:
            return
        self._closed = True
        async with self._reading:
            await self._unmount()
            self._original.close()
            self._layer.close()
        self._stages.forget(self._stage_id)
        if not keep:
            await self._stages.discard(self._stage_id)

    async def mount(self) -> None:
        """Mount when it is not mounted; also after something ended the holder."""
        self._check_open()
        if self._meta.kind == "copy" or (self._holder is not None and self._holder.alive):
            return
        await self._unmount()
        upper, work = self._folder / "upper", self._folder / "work"
        holder = await Holder.start(self._workspace, upper, work)
        try:
            self._tree = Beneath(holder.view, shown_at=self._workspace)
        except OSError:
            await holder.stop()
            raise
        self._holder = holder

    async def remount(self) -> None:
        """Mount anew with the same layer, so that what changed in the workspace shows."""
        self._check_open()
        async with self._reading:
            await self._unmount()
            await self.mount()

    async def _unmount(self) -> None:
        if self._tree is not self._layer:  # an open descriptor would keep the mount
            self._tree.close()
            self._tree = self._layer
        if self._holder is not None:
            await self._holder.stop()
            self._holder = None

    def _place(self) -> Place:
        holder = self._holder
        return Place(
            workspace=self._workspace,
            tree=self._workspace if holder is not None else self._folder / "tree",
            enter=holder.enter if holder is not None else (),
            owner_uid=self._owner[0],
            owner_gid=self._owner[1],
            git_dir=self._git.outside if self._git is not None else None,
        )

    def _check_open(self) -> None:
        if self._closed:
            raise StageError(f"Stage {self._stage_id} is closed.")

    def _live_tree(self) -> Beneath:
        self._check_open()
        if self._meta.kind == "overlay" and self._tree is self._layer:
            raise StageError(f"Stage {self._stage_id} is not mounted.")
        return self._tree

    def _ignores(self) -> Ignores:
        return ignores_of(self._live_tree(), self._git)

    def _refused(self, why: str) -> None:
        if self._meta.kind == "overlay":
            note = f"{why}: the overlay could not change it; run the step again, in a copy"
            if note not in self._notes:
                self._notes.append(note)
            self._stages.prefer_copies(why)

    def _deltas(self, unreadable: list[str]) -> list[Delta]:
        if self._manifest is not None:
            return list(read_copy(self._layer, self._original, self._manifest, unreadable))
        return list(read_upper(self._layer, self._original, unreadable))

    def _keep_original(self, path: str) -> None:
        before = self._original.lstat(path)
        if before is not None:
            existed = path in self._manifest.stamps if self._manifest is not None else None
            self._originals.keep(Delta(path, before, None, existed))

    def _keep_originals(self) -> None:
        for delta in self._deltas([]):
            if not never_lands(delta.path):
                self._originals.keep(delta)

    def _read_changes(self) -> ChangeSet:
        unreadable: list[str] = []
        try:
            found = build_change_set(
                self._deltas(unreadable),
                originals=self._originals,
                written=self._written,
                merged=self._live_tree(),
                ignores=self._ignores(),
                blobs=self._blobs,
            )
        except OSError as error:
            raise StageError(
                f"Cannot read the changes of stage {self._stage_id}: {error}."
            ) from error
        hidden = [f"{folder}: a folder that cannot be read; does not land" for folder in unreadable]
        return ChangeSet(
            found.files, found.ignored, (*self._notes, *found.notes, *hidden), found.warnings
        )
