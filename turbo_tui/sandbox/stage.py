"""One stage: run commands in it, give its files to tools, read what it did."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError, TurboError
from turbo_tui.core.ports import BatchingBlobs, Blobs, CommandResult, OnOutput, SandboxReport
from turbo_tui.sandbox.beneath import Beneath
from turbo_tui.sandbox.changeset import Contents, Originals, build_change_set, never_lands
from turbo_tui.sandbox.copytree import Manifest, read_copy
from turbo_tui.sandbox.deltas import Delta
from turbo_tui.sandbox.files import TreeFiles
from turbo_tui.sandbox.gitview import GitPlace, find_git, ignores_of
from turbo_tui.sandbox.ignore import Ignores
from turbo_tui.sandbox.overlay import Holder, read_upper
from turbo_tui.sandbox.place import Confiner, Place

Kind = Literal["overlay", "copy"]
META_VERSION = 1
# What a program prints when an overlay without root refuses to copy a foreign file up; errno(3).
_OVERFLOW = "Value too large for defined data type"


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


class WorkspaceStage:
    """`core.ports.Stage`: one step's view of the workspace.

    Args:
        stage_id: Its name.
        folder: Where its layer or copy lies.
        meta: What is written in that folder.
        workspace: Resolved.
        blobs: Takes the contents of changes.
        confiner: Runs the commands.
        report: What confines them.
        on_closed: Awaited once it is unmounted, with whether its folder is to be kept.
        on_refused: Told why an overlay could not change a file.

    Raises:
        OSError, ValueError: Its folder is not whole.
    """

    def __init__(
        self,
        stage_id: str,
        *,
        folder: Path,
        meta: Meta,
        workspace: Path,
        blobs: Blobs,
        confiner: Confiner,
        report: SandboxReport,
        on_closed: Callable[[bool], Awaitable[None]],
        on_refused: Callable[[str], None],
    ) -> None:
        self._on_closed = on_closed
        self._on_refused = on_refused
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
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end; then keep the originals of what it changed."""
        await self.mount()
        result = await self._confiner.run(
            self._place(),
            replace(command, env=self._environment(command.env)),
            on_output=on_output,
        )
        if self._meta.kind == "overlay" and os.geteuid() != 0 and _OVERFLOW in result.output:
            self._refused("a file that a command changes belongs to another user or group")
        async with self._reading:
            await asyncio.to_thread(self._keep_originals)
        if not self._closed:
            self._confiner.warm(self._place())
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
            self.release()
        await self._on_closed(keep)

    def release(self) -> None:
        """Let go of the folders; the stage cannot be used any more."""
        self._closed = True
        self._original.close()
        self._layer.close()

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
        self._confiner.warm(self._place())

    async def remount(self) -> None:
        """Mount anew with the same layer, so that what changed in the workspace shows."""
        self._check_open()
        async with self._reading:
            await self._unmount()
            await self.mount()

    async def _unmount(self) -> None:
        await self._confiner.dismiss(self._place())  # what waits there holds the mount
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
            self._on_refused(why)

    def _deltas(self, unreadable: list[str]) -> list[Delta]:
        if self._manifest is not None:
            return list(read_copy(self._layer, self._original, self._manifest, unreadable))
        return list(read_upper(self._layer, self._original, unreadable))

    def _keep_original(self, path: str) -> None:
        before = self._original.lstat(path)
        if before is not None:
            existed = path in self._manifest.stamps if self._manifest is not None else None
            with suppress(OSError):  # what cannot be kept is said when the changes are read
                self._originals.keep(Delta(path, before, None, existed))

    def _keep_originals(self) -> None:
        """Keep what can be; what cannot is met again, and said, when the changes are read."""
        with suppress(OSError, TurboError), self._together():
            for delta in self._deltas([]):
                with suppress(OSError, TurboError):
                    if not never_lands(delta.path):
                        self._originals.keep(delta)

    @contextmanager
    def _together(self) -> Generator[None]:
        """Store many contents at the cost of a few, where the store can."""
        if not isinstance(self._blobs, BatchingBlobs):
            yield
            return
        try:
            with self._blobs.together():
                yield
        except BaseException:
            # What was put may not be there.
            self._originals.forget()
            self._written.forget()
            raise

    def _read_changes(self) -> ChangeSet:
        unreadable: list[str] = []
        try:
            with self._together():
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
