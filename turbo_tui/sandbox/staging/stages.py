"""Make stages: pick overlay or copy, on the workspace or on others; take up, keep or drop them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from turbo_tui.core.changes import FileChange
from turbo_tui.core.errors import SandboxError, StageError
from turbo_tui.core.ports import Blobs, SandboxReport
from turbo_tui.sandbox.place import Confiner, ConfinerName
from turbo_tui.sandbox.report import compose
from turbo_tui.sandbox.staging.beneath import remove_tree
from turbo_tui.sandbox.staging.layering import fill_copy, put_upper
from turbo_tui.sandbox.staging.layers import Kind, Meta
from turbo_tui.sandbox.staging.masks import Masked, Masks
from turbo_tui.sandbox.staging.overlay import MOST_LAYERS
from turbo_tui.sandbox.staging.overlay_memory import OverlayMemory, foreign_words
from turbo_tui.sandbox.staging.secrets import SecretFiles
from turbo_tui.sandbox.staging.shelf import Shelf, checked_id, discard_folder
from turbo_tui.sandbox.staging.spares import SLOTS, Spares
from turbo_tui.sandbox.staging.stage import Surroundings, WorkspaceStage

CONFINERS = get_args(ConfinerName)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def open_stages(
    workspace: Path,
    state: Path,
    blobs: Blobs,
    confiner: Confiner,
    *,
    rung: Literal["auto", "overlay", "copy"] = "auto",
    reasons: Sequence[str] = (),
    show_secrets: Collection[str] = (),
) -> WorkspaceStages:
    """Make ready to stage a workspace; a trial mount takes some 10 ms, and is made once a day.

    Args:
        workspace: The folder to work on; a link to it is resolved.
        state: The user's state folder; stages lie in its `stages/`.
        blobs: Takes the contents of change sets.
        confiner: Runs the commands.
        rung: Forces how stages are made; `auto` takes an overlay where one can be mounted.
        reasons: Why no better confiner is used, for the report.
        show_secrets: Globs of secret files that the user lets commands read.

    Raises:
        StageError: The workspace is no folder, the state cannot be written or lies within the
            workspace, or a forced overlay cannot be mounted.
    """
    workspace = _resolved(workspace)
    stages = _state_folder(state, workspace) / "stages"
    try:
        stages.mkdir(mode=0o700, parents=True, exist_ok=True)
        memory = OverlayMemory(stages.with_name("overlays.json"), workspace)
        why = (
            _why_no_overlay(stages, confiner, memory, believe=rung == "auto")
            if rung != "copy"
            else None
        )
    except OSError as error:
        raise StageError(
            f"Cannot keep stages in {stages}: {error.strerror}. "
            "Make it writable, or set TURBO_TUI_HOME to another folder."
        ) from error
    if rung == "overlay" and why is not None:
        raise StageError(f"No overlay can be used: {why}.")
    kind: Kind = "copy" if rung == "copy" or why is not None else "overlay"
    said = (*reasons, f"{why}.") if why is not None else tuple(reasons)
    masks = Masks(SecretFiles(workspace, show_secrets))
    around = Surroundings(workspace, blobs, confiner, masks)
    shelf = Shelf(stages, workspace, _spares(stages, workspace, confiner))
    return WorkspaceStages(
        around, shelf=shelf, kind=kind, reasons=said, memory=memory, forced=rung != "auto"
    )


async def discard_left(state: Path, stage_id: str) -> None:
    """Delete what a session left of a stage; needs no room on the disk, as making one does.

    Raises:
        StageError: The id names no stage, or its folder cannot be deleted.
    """
    folder = state / "stages" / checked_id(stage_id)
    await asyncio.to_thread(discard_folder, folder, remove_tree)


def _why_no_overlay(
    stages: Path, confiner: Confiner, memory: OverlayMemory, *, believe: bool
) -> str | None:
    if confiner.name == "unsandboxed":
        return "without a sandbox, commands run in a copy"
    return memory.why_no_overlay(stages, believe=believe)


def _spares(stages: Path, workspace: Path, confiner: Confiner) -> Spares:
    """Hand no copy on where what ran in it may still run: only a pid namespace ends all."""
    slots = SLOTS if confiner.name == "bubblewrap" else 0
    return Spares(stages.with_name("spares"), workspace, slots=slots)


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
        around: Surroundings,
        *,
        shelf: Shelf,
        kind: Kind,
        reasons: tuple[str, ...],
        memory: OverlayMemory,
        forced: bool,
    ) -> None:
        self._around = around
        self._shelf = shelf
        self._kind: Kind = kind
        self._reasons = reasons
        self._memory = memory
        self._forced = forced
        self._open: dict[str, WorkspaceStage] = {}

    @property
    def report(self) -> SandboxReport:
        """What the next stage will be confined by."""
        return compose(self._kind, self._around.confiner, self._reasons)

    def report_of(self, meta: Meta) -> SandboxReport:
        """Say what confines the commands of a stage."""
        return compose(meta.kind, self._around.confiner, self._reasons)

    async def open(self, stage_id: str, *, on: Sequence[str] = ()) -> WorkspaceStage:
        """Make a fresh stage on the workspace as it stands, or on other stages over it."""
        folder = self._shelf.path_of(stage_id)
        with self._shelf.using(stage_id, *on):
            layers = await asyncio.to_thread(self._shelf.layers, stage_id, on)
            kinds = {self._kind, *(layer.kind for layer in layers)}
            mounted = kinds == {"overlay"} and len(layers) <= MOST_LAYERS
            kind: Kind = "overlay" if mounted else "copy"
            workspace = os.fspath(self._around.workspace)
            meta = Meta(workspace, kind, time.time_ns(), layers)
            try:
                return await self._open_new(stage_id, folder, meta)
            except StageError:
                if kind == "copy" or not await asyncio.to_thread(self._is_overlay_lost):
                    raise
            copied = replace(meta, kind="copy", started_ns=time.time_ns())
            return await self._open_new(stage_id, folder, copied)

    def _is_overlay_lost(self) -> bool:
        """Say whether what was remembered holds no more; then further stages are copies."""
        if self._forced or not self._memory.held():
            return False
        self._memory.forget()
        try:
            why = self._why_no_overlay()
        except OSError:  # no trial can be made: what led here is the error to show
            return False
        if why is not None:
            self._prefer_copies(why)
        return why is not None

    def _why_no_overlay(self) -> str | None:
        confiner = self._around.confiner
        return _why_no_overlay(self._shelf.folder, confiner, self._memory, believe=False)

    async def _open_new(self, stage_id: str, folder: Path, meta: Meta) -> WorkspaceStage:
        making = asyncio.create_task(asyncio.to_thread(folder.mkdir, mode=0o700))
        try:
            await asyncio.shield(making)
        except FileExistsError as error:
            raise StageError(
                f"Stage {stage_id} exists already. Take it up again, or discard it."
            ) from error
        except OSError as error:
            raise self._cannot(stage_id, error) from error
        except asyncio.CancelledError:
            with suppress(OSError):  # then it was not made, and what lies there is another's
                await making
                await self._drop(folder)
            raise
        try:
            await self._fill(folder, meta)
            return await self._mount(stage_id, meta)
        except OSError as error:
            await self._drop(folder)
            raise self._cannot(stage_id, error) from error
        except (StageError, asyncio.CancelledError):
            await self._drop(folder)
            raise

    async def reopen(self, stage_id: str) -> WorkspaceStage:
        """Take up a kept stage, also one whose process was killed."""
        self._shelf.path_of(stage_id)
        if stage_id in self._open:
            raise StageError(f"Stage {stage_id} is open already.")
        meta = await asyncio.to_thread(self._shelf.kept, stage_id)
        return await self._take_up(stage_id, meta)

    async def keep_contents(self, stage_id: str, changes: Sequence[FileChange]) -> None:
        """Store contents of ignored files that are to land: so far they were only named."""
        blobs = self._around.blobs
        await asyncio.to_thread(self._shelf.keep_chosen, stage_id, changes, blobs)

    async def settle(self, stage_id: str, *, landed: Collection[str] = ()) -> bool:
        """Close a stage that was decided on; what git ignores stays as a layer for later ones."""
        stage = self._open.get(stage_id)
        if stage is None:
            meta = await asyncio.to_thread(self._shelf.meta_of, stage_id)
            if meta is None or meta.settled:
                return meta is not None
            meta = await asyncio.to_thread(self._shelf.kept, stage_id)
            stage = await self._take_up(stage_id, meta, for_commands=False)
        kept = await stage.leftovers(landed)
        await stage.close(keep=True)
        begun = await asyncio.to_thread(self._shelf.is_half_settled, stage_id, stage.meta)
        if not kept and not begun:
            await self.discard(stage_id)
            return False
        try:
            await asyncio.to_thread(self._shelf.settle, stage_id, stage.meta, kept)
        except OSError as error:
            raise self._cannot(stage_id, error, "settle") from error
        return True

    async def discard(self, stage_id: str) -> None:
        """Delete a closed or abandoned stage's layer; do nothing when there is none."""
        self._shelf.path_of(stage_id)
        stage = self._open.get(stage_id)
        if stage is not None:
            await stage.close(keep=True)
        await asyncio.to_thread(self._shelf.discard, stage_id)

    def confine_by(self, confiner: Confiner, reasons: Sequence[str]) -> None:
        """Confine further stages by another one: the one so far does not hold any more.

        Open stages keep theirs, and with it refuse to run anything.
        """
        # What was said of confiners is said anew; why stages are copies still counts.
        of_stages = (why for why in self._reasons if why.partition(":")[0] not in CONFINERS)
        self._reasons = (*reasons, *of_stages)
        self._around = replace(self._around, confiner=confiner)
        self._shelf.spares = _spares(self._shelf.folder, self._around.workspace, confiner)
        if self._kind == "overlay":
            why = self._why_no_overlay()
            if why is not None:
                self._prefer_copies(why)

    async def carry_over(self, stage_id: str, meta: Meta, foreign: str) -> Meta:
        """Make a copy of an overlay stage's tree beside it; further stages are copies too."""
        self._prefer_copies(foreign_words(foreign))
        self._memory.keep(foreign=foreign)
        folder = self._shelf.path_of(stage_id)
        copied = meta.copied(time.time_ns())
        try:
            await self._fill(folder, copied, upper=folder / "upper")
        except BaseException:
            await self._drop(folder / "tree")
            raise
        return copied

    def _prefer_copies(self, why: str) -> None:
        """Make further stages as copies."""
        if self._kind == "overlay":
            self._kind = "copy"
            self._reasons = (*self._reasons, f"{why}.")

    async def _fill(self, folder: Path, meta: Meta, *, upper: Path | None = None) -> None:
        try:
            masked = await self._around.masks.now() if meta.kind == "copy" else Masked()
        except SandboxError as error:
            raise StageError(f"Stage {folder.name} cannot be made: {error}") from error
        stop = threading.Event()
        making = asyncio.create_task(
            asyncio.to_thread(self._make, folder, meta, masked, upper, stop)
        )
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            stop.set()
            with suppress(OSError):  # that it was stopped
                await making
            raise
        except ValueError as error:
            raise StageError(f"What stage {folder.name} lies on is damaged: {error}.") from error

    async def _drop(self, folder: Path) -> None:
        with suppress(OSError):  # what led here is the error to show
            await asyncio.to_thread(remove_tree, folder)

    def _make(
        self, folder: Path, meta: Meta, masked: Masked, upper: Path | None, stop: threading.Event
    ) -> None:
        workspace = self._around.workspace
        top = workspace.stat()
        tree = folder / ("upper" if meta.kind == "overlay" else "tree")
        if meta.kind == "overlay":
            tree.mkdir()
            (folder / "work").mkdir()
        else:
            remove_tree(tree)  # what an attempt before it left
            fill_copy(
                workspace,
                folder,
                meta.on,
                self._shelf.spares,
                emptied=masked.secrets,
                stopped=stop.is_set,
            )
        if upper is not None:
            put_upper(upper, tree)
        # What stands at the top of the stage is this folder: it looks like the workspace's.
        if os.geteuid() == 0:
            os.chown(tree, top.st_uid, top.st_gid)
        tree.chmod(top.st_mode & 0o7777)
        os.utime(tree, ns=(top.st_atime_ns, top.st_mtime_ns))
        meta.write(folder)

    async def _take_up(
        self, stage_id: str, meta: Meta, *, for_commands: bool = True
    ) -> WorkspaceStage:
        try:
            return await self._mount(stage_id, meta, for_commands=for_commands)
        except OSError as error:
            raise self._cannot(stage_id, error) from error

    async def _mount(
        self, stage_id: str, meta: Meta, *, for_commands: bool = True
    ) -> WorkspaceStage:
        folder = self._shelf.path_of(stage_id)
        try:
            stage = await asyncio.to_thread(  # a copy's manifest may be long
                WorkspaceStage, stage_id, folder=folder, meta=meta, around=self._around, host=self
            )
        except ValueError as error:
            raise StageError(f"Stage {stage_id} is damaged: {error}. Discard it.") from error
        try:
            if for_commands:
                _ = stage.report  # a rung that is none is refused before anything is mounted
                if meta.kind == "copy":  # it may have been made under another confiner
                    self._shelf.spares.bar(folder)
            await stage.mount(for_commands=for_commands)
        except BaseException:
            stage.release()
            raise
        self._open[stage_id] = stage
        return stage

    async def closed(self, stage_id: str, *, keep: bool) -> None:
        """Hear that a stage was closed."""
        self._open.pop(stage_id, None)
        if not keep:
            await self.discard(stage_id)

    def _cannot(self, stage_id: str, error: OSError, doing: str = "make") -> StageError:
        if error.errno in _FULL:
            folder = self._shelf.folder
            free = shutil.disk_usage(folder).free
            return StageError(
                f"Cannot {doing} stage {stage_id}: the disk that holds {folder} is full "
                f"({free:,} bytes free). Free some space, or set TURBO_TUI_HOME elsewhere."
            )
        where = os.fsdecode(error.filename) if error.filename else os.fspath(self._shelf.folder)
        return StageError(f"Cannot {doing} stage {stage_id}: {where}: {error.strerror}.")
