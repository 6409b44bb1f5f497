"""One stage: run commands in it, give its files to tools, read what it did."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError, StageError, ToolError, TurboError
from turbo_tui.core.ports import Blobs, CommandResult, OnOutput, SandboxReport
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.files import TreeFiles
from turbo_tui.sandbox.staging.gitview import GitPlace, find_git, ignores_of
from turbo_tui.sandbox.staging.ignore import Ignores
from turbo_tui.sandbox.staging.layers import Meta
from turbo_tui.sandbox.staging.masks import Masked, Masks
from turbo_tui.sandbox.staging.overlay_memory import foreign_in, speaks_of_overflow
from turbo_tui.sandbox.staging.recording import Recorder
from turbo_tui.sandbox.staging.settling import Leftovers
from turbo_tui.sandbox.staging.trees import CopiedTree, OverlayTree, Tree

_THEIRS = "belongs to another user or group"


class Host(Protocol):
    """What made a stage, as far as the stage needs it."""

    def report_of(self, meta: Meta) -> SandboxReport:
        """Say what confines the commands of such a stage.

        Raises:
            StageError: Nothing that is to be had here.
        """
        ...

    async def closed(self, stage_id: str, *, keep: bool) -> None:
        """Hear that a stage is unmounted, and whether its folder is to be kept."""
        ...

    async def carry_over(self, stage_id: str, meta: Meta, foreign: str) -> Meta:
        """Make a copy of an overlay stage's tree beside it; return what its folder says then.

        Args:
            stage_id: Open.
            meta: What its folder says.
            foreign: The path that the overlay cannot change.

        Raises:
            OSError, StageError: It cannot be made; the overlay is as it was.
        """
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all stages of a workspace share.

    Attributes:
        workspace: Resolved.
        blobs: Takes the contents of changes.
        confiner: Runs the commands.
        masks: The workspace's secrets.
    """

    workspace: Path
    blobs: Blobs
    confiner: Confiner
    masks: Masks


class WorkspaceStage:
    """`core.ports.Stage`: one step's view of the workspace.

    Args:
        stage_id: Its name.
        folder: Where its layer or copy lies.
        meta: What is written in that folder.
        around: What it shares with others.
        host: What made it.

    Raises:
        OSError, ValueError: Its folder is not whole.
    """

    def __init__(
        self, stage_id: str, *, folder: Path, meta: Meta, around: Surroundings, host: Host
    ) -> None:
        self._stage_id = stage_id
        self._folder = folder
        self._meta = meta
        self._around = around
        self._host = host
        self._closed = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._preparing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._masked = Masked()
        self._warming: asyncio.Task[None] | None = None
        self._warmed: Place | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moving: asyncio.Task[None] | None = None
        self._foreign = ""
        self._notes: list[str] = []
        self._report: SandboxReport | None = None
        owner = around.workspace.stat()
        root = os.geteuid() == 0
        self._owner = (owner.st_uid, owner.st_gid) if root else (os.geteuid(), os.getegid())
        self._git: GitPlace | None = find_git(around.workspace)
        self._tree = tree_of(around.workspace, folder, meta)
        self._recorder = Recorder(
            stage_id, folder, self._tree, meta.started_ns, blobs=around.blobs, git=self._git
        )
        self._files = TreeFiles(
            self._live_tree,
            self._ignores,
            owner=self._owner if root else None,
            before_change=self._recorder.keep_original,
            refused=self._refused,
        )

    @property
    def stage_id(self) -> str:
        """Unique; names the stage's folder in the state folder."""
        return self._stage_id

    @property
    def report(self) -> SandboxReport:
        """What confines this stage's commands."""
        if self._report is None:
            self._report = self._host.report_of(self._meta)
        return self._report

    @property
    def files(self) -> TreeFiles:
        """The stage's files for tools of the host."""
        return self._files

    @property
    def meta(self) -> Meta:
        """What its folder says of it."""
        return self._meta

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end; then keep the originals of what it changed."""
        place = await self._prepared()
        self._running += 1
        self._idle.clear()
        try:
            result = await self._around.confiner.run(
                place,
                replace(command, env=self._environment(command.env)),
                on_output=on_output,
            )
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        async with self._reading:
            await asyncio.to_thread(self._recorder.keep_originals)
        if place.enter and os.geteuid() != 0 and speaks_of_overflow(result.output):
            result = await self._run_into_foreign(result, on_output)
        if not self._closed and self._tree.mounted:
            self._warm_now()
        return result

    async def changes(self) -> ChangeSet:
        """Read what the step did; contents of both sides are put into the blob store."""
        self._check_open()
        await self._moved()
        async with self._reading:
            return await asyncio.to_thread(self._recorder.changes, self._notes)

    async def leftovers(self, landed: Collection[str]) -> Leftovers:
        """Tell what is to be kept of it once it was decided on.

        Raises:
            StageError: It cannot be read.
        """
        self._check_open()
        await self._moved()
        async with self._reading:
            return await asyncio.to_thread(self._recorder.leftovers, self._around.workspace, landed)

    async def close(self, *, keep: bool = False) -> None:
        """Unmount; with `keep` the written layer stays on disk and `reopen` finds it."""
        if self._closed:
            return
        self._closed = True
        await self._moved()
        async with self._reading:
            await self._unmount()
            self.release()
        await self._host.closed(self._stage_id, keep=keep)

    def release(self) -> None:
        """Let go of the folders; the stage cannot be used any more."""
        self._closed = True
        self._tree.release()

    async def mount(self, *, for_commands: bool = True) -> None:
        """Mount when it is not mounted; also after something ended the holder."""
        self._check_open()
        async with self._preparing:
            await self._mount(for_commands=for_commands)

    async def remount(self) -> None:
        """Mount anew with the same layer, so that what changed in the workspace shows."""
        self._check_open()
        async with self._preparing, self._reading:
            await self._idle.wait()  # two mounts that write one layer are not defined
            await self._unmount()
            await self._mount()

    async def _prepared(self) -> Place:
        """Make sure that a command meets the workspace as it is now, secrets masked."""
        self._check_open()
        await self._moved()
        async with self._preparing:
            await self._mount()
            masked, fresh = await asyncio.gather(
                self._around.masks.now(), asyncio.to_thread(self._tree.refresh)
            )
            if not fresh and self._idle.is_set():
                await self._unmount()
                await self._mount()
            self._masked = masked
            return self._place()

    async def _mount(self, *, for_commands: bool = True) -> None:
        if not self._tree.mounted:
            await self._unmount()
            await self._tree.mount()
        if for_commands and self._warming is None:
            self._warm()

    async def _unmount(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            with suppress(asyncio.CancelledError, TurboError):
                await self._warming
            self._warming = None
        if self._warmed is not None:  # what waits there holds the mount
            await self._around.confiner.dismiss(self._warmed)
            self._warmed = None
        await self._tree.unmount()

    def _warm(self) -> None:
        """Look for secrets and make ready for a first command, in the background."""
        self._loop = asyncio.get_running_loop()
        self._warming = self._loop.create_task(self._look_and_warm())

    async def _look_and_warm(self) -> None:
        with suppress(SandboxError):  # a command will say it
            self._masked = await self._around.masks.now()
            self._warm_now()

    def _warm_now(self) -> None:
        self._warmed = self._place()
        self._around.confiner.warm(self._warmed)

    def _place(self) -> Place:
        copied = self._tree.kind == "copy"
        return Place(
            workspace=self._around.workspace,
            tree=self._tree.shown_at,
            enter=self._tree.enter,
            owner_uid=self._owner[0],
            owner_gid=self._owner[1],
            git_dir=self._git.outside if self._git is not None else None,
            read_only=self._masked.repositories,
            masked=() if copied else self._masked.secrets,  # a copy was made without them
        )

    def _environment(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        if self._git is None or not self._git.prefix:
            return wanted
        # The workspace is a mount here, and git looks for its folder above it.
        return {"GIT_DISCOVERY_ACROSS_FILESYSTEM": "1", **wanted}

    def _check_open(self) -> None:
        if self._closed:
            raise StageError(f"Stage {self._stage_id} is closed.")

    def _live_tree(self) -> Beneath:
        self._check_open()
        if self._moving is not None and not self._moving.done():
            raise ToolError(
                f"The stage is being made a copy, because {self._foreign} {_THEIRS}. Try again in "
                "a moment."
            )
        return self._tree.merged

    def _ignores(self) -> Ignores:
        return ignores_of(self._tree.merged, self._git)

    # --- an overlay that meets a file it cannot change ---------------------------

    def _refused(self, path: str) -> None:
        """Hear from any thread that the overlay cannot change a file: it becomes a copy."""
        if self._tree.kind == "overlay" and not self._foreign and self._loop is not None:
            self._foreign = path
            self._loop.call_soon_threadsafe(self._start_moving)

    def _start_moving(self) -> None:
        if not self._closed and self._moving is None:
            self._moving = asyncio.get_running_loop().create_task(self._move())

    async def _moved(self) -> None:
        if self._moving is not None:
            await asyncio.shield(self._moving)

    async def _move(self) -> None:
        """Go on in a copy with all that was written; where that fails, say so and stay."""
        async with self._preparing:
            await self._idle.wait()
            async with self._reading:
                await asyncio.to_thread(self._recorder.keep_originals)
                try:
                    meta = await self._host.carry_over(self._stage_id, self._meta, self._foreign)
                    tree = await asyncio.to_thread(
                        tree_of, self._around.workspace, self._folder, meta
                    )
                except (OSError, ValueError, StageError) as error:
                    self._notes.append(
                        f"{self._foreign} {_THEIRS}, which an overlay cannot change, and the stage "
                        f"could not be made a copy ({error}); run the step again"
                    )
                    return
                await self._unmount()
                self._tree.release()
                self._tree, self._meta = tree, meta
                self._report = None
                self._recorder.go_on_with(tree, meta.started_ns)
                self._notes.append(
                    f"{self._foreign} {_THEIRS}, which an overlay cannot change: the stage is a "
                    "copy now"
                )

    async def _run_into_foreign(
        self, result: CommandResult, on_output: OnOutput | None
    ) -> CommandResult:
        workspace = self._around.workspace
        foreign = await asyncio.to_thread(foreign_in, workspace, result.output)
        if not foreign:
            return result  # the words are the command's own
        self._refused(foreign)
        self._start_moving()
        await self._moved()
        copied = self._tree.kind == "copy"
        said = "\nturbo-tui: " + (
            f"{foreign} {_THEIRS}. The stage is a copy now, with all that was done so far, in "
            "which it can be changed: run the command again.\n"
            if copied
            else f"{self._notes[-1]}.\n"
        )
        if on_output is not None:
            on_output(said)
        return replace(result, output=result.output + said)


def tree_of(workspace: Path, folder: Path, meta: Meta) -> Tree:
    """Return a stage's tree, as its folder says it is made.

    Raises:
        OSError, ValueError: Its files are not there, or not whole.
    """
    if meta.kind == "copy":
        return CopiedTree(workspace, folder, meta)
    return OverlayTree(workspace, folder, meta.on)
