"""Make stages: pick overlay or copy, run commands in them, read what they did, keep or drop.

state/stages/STAGE_ID/   mode 0700
    meta.json            workspace, start, how it is made; written last: without it, nothing
    upper/ work/         overlay
    tree/ manifest.json  copy
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Blobs, SandboxReport
from turbo_tui.sandbox.beneath import Beneath, remove_tree
from turbo_tui.sandbox.copytree import copy_tree
from turbo_tui.sandbox.overlay import why_not
from turbo_tui.sandbox.place import Confiner, ConfinerName
from turbo_tui.sandbox.report import compose
from turbo_tui.sandbox.stage import Kind, Meta, WorkspaceStage

CONFINERS = get_args(ConfinerName)
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


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


async def discard_left(state: Path, stage_id: str) -> None:
    """Delete what a session left of a stage; needs no room on the disk, as making one does.

    Raises:
        StageError: The id names no stage, or its folder cannot be deleted.
    """
    folder = state / "stages" / stage_id
    if not _ID.fullmatch(stage_id):
        raise StageError(f"{stage_id!r} cannot name a stage: letters, digits and -._ only.")
    try:
        await asyncio.to_thread(remove_tree, folder)
    except OSError as error:
        raise StageError(f"Cannot delete {folder}: {error}. Delete it by hand.") from error


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

    async def open(self, stage_id: str, *, on: Sequence[str] = ()) -> WorkspaceStage:
        """Make a fresh stage on the workspace as it stands, or on other stages over it."""
        if on:
            raise StageError(f"Stage {stage_id} cannot lie on others yet: {', '.join(on)}.")
        folder = self._path_of(stage_id)
        meta = Meta(os.fspath(self._workspace), self._kind, time.time_ns())
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise StageError(
                f"Stage {stage_id} exists already. Take it up again, or discard it."
            ) from error
        except OSError as error:
            raise self._cannot(stage_id, error) from error
        try:
            await self._fill(folder, meta)
            return await self._mount(stage_id, folder, meta)
        except OSError as error:
            await self._drop(folder)
            raise self._cannot(stage_id, error) from error
        except (StageError, asyncio.CancelledError):
            await self._drop(folder)
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
        try:
            return await self._mount(stage_id, folder, meta)
        except OSError as error:
            raise self._cannot(stage_id, error) from error

    async def settle(self, stage_id: str, *, landed: Collection[str] = ()) -> bool:
        """Close a stage that was decided on; nothing of it is kept yet."""
        del landed
        await self.discard(stage_id)
        return False

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

    def confine_by(self, confiner: Confiner, reasons: Sequence[str]) -> None:
        """Confine further stages by another one: the one so far does not hold any more.

        Open stages keep theirs, and with it refuse to run anything.
        """
        # What was said of confiners is said anew; why stages are copies still counts.
        of_stages = (why for why in self._reasons if why.partition(":")[0] not in CONFINERS)
        self._reasons = (*reasons, *of_stages)
        self._confiner = confiner
        if self._kind == "overlay":
            why = _why_no_overlay(self._workspace, self._folder, confiner)
            if why is not None:
                self._kind = "copy"
                self._reasons = (*self._reasons, f"{why}.")

    def _prefer_copies(self, why: str) -> None:
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

    async def _fill(self, folder: Path, meta: Meta) -> None:
        stop = threading.Event()
        making = asyncio.create_task(asyncio.to_thread(self._make, folder, meta, stop))
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            stop.set()
            with suppress(OSError):  # that it was stopped
                await making
            raise

    async def _drop(self, folder: Path) -> None:
        with suppress(OSError):  # what led here is the error to show
            await asyncio.to_thread(remove_tree, folder)

    def _make(self, folder: Path, meta: Meta, stop: threading.Event) -> None:
        top = self._workspace.stat()
        tree = folder / ("upper" if meta.kind == "overlay" else "tree")
        tree.mkdir()
        if meta.kind == "overlay":
            (folder / "work").mkdir()
        else:
            source = Beneath(self._workspace, shown_at=self._workspace)
            try:
                manifest = copy_tree(source, tree, stopped=stop.is_set)
                manifest.write(folder / "manifest.json")
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
            stage = await asyncio.to_thread(  # a copy's manifest may be long
                WorkspaceStage,
                stage_id,
                folder=folder,
                meta=meta,
                workspace=self._workspace,
                blobs=self._blobs,
                confiner=self._confiner,
                report=self._report_of(meta.kind),
                on_closed=partial(self._closed, stage_id),
                on_refused=self._prefer_copies,
            )
        except ValueError as error:
            raise StageError(f"Stage {stage_id} is damaged: {error}. Discard it.") from error
        try:
            await stage.mount()
        except BaseException:
            stage.release()
            raise
        self._open[stage_id] = stage
        return stage

    async def _closed(self, stage_id: str, keep: bool) -> None:  # noqa: FBT001 - a listener
        self._open.pop(stage_id, None)
        if not keep:
            await self.discard(stage_id)

    def _report_of(self, kind: Kind) -> SandboxReport:
        return compose(kind, self._confiner, self._reasons)

    def _cannot(self, stage_id: str, error: OSError) -> StageError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            free = shutil.disk_usage(self._folder).free
            return StageError(
                f"Cannot make stage {stage_id}: the disk that holds {self._folder} is full "
                f"({free:,} bytes free). Free some space, or set TURBO_TUI_HOME elsewhere."
            )
        where = os.fsdecode(error.filename) if error.filename else os.fspath(self._folder)
        return StageError(f"Cannot make stage {stage_id}: {where}: {error.strerror}.")
