"""The two ways a stage has its tree: mounted over the workspace, or copied beside it.

Both say the same of it: what commands and tools see (`merged`), what the step wrote (`written`),
what lay beneath it before (`base`), and where the two differ.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.copytree import read_copy
from turbo_tui.sandbox.staging.deltas import Delta, Listable, Readable
from turbo_tui.sandbox.staging.layering import BELOW, LayeredBase, load_owners
from turbo_tui.sandbox.staging.layers import Kind, Layer, Meta
from turbo_tui.sandbox.staging.manifest import Manifest
from turbo_tui.sandbox.staging.overlay import Holder, Layers
from turbo_tui.sandbox.staging.upper import read_upper

FRESH_S = 1.0  # file tools show what the user changed by then; a command always does


class Tree(Protocol):
    """A stage's tree."""

    @property
    def kind(self) -> Kind:
        """How it is made."""
        ...

    @property
    def merged(self) -> Beneath:
        """What commands and tools see.

        Raises:
            StageError: It is not mounted.
        """
        ...

    @property
    def written(self) -> Beneath:
        """Where what the step wrote lies."""
        ...

    @property
    def base(self) -> Readable:
        """What lay beneath before the step; only while it is mounted."""
        ...

    @property
    def enter(self) -> tuple[str, ...]:
        """Argv prefix that leads to where it is mounted; empty for none."""
        ...

    @property
    def shown_at(self) -> Path:
        """Its path there."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What is not in it, in words."""
        ...

    @property
    def mounted(self) -> bool:
        """Whether it can be used."""
        ...

    async def mount(self) -> None:
        """Make it usable.

        Raises:
            OSError, StageError: The kernel refuses.
        """
        ...

    async def unmount(self) -> None:
        """Hold nothing of it mounted."""
        ...

    def refresh(self) -> bool:
        """Let what changed in the workspace show; False when it must be mounted anew."""
        ...

    def existed(self, path: str) -> bool | None:
        """Say whether a path was there as the stage began; None when that is not known."""
        ...

    def deltas(self, unreadable: list[str]) -> list[Delta]:
        """Return where it differs; folders that cannot be listed go to `unreadable`.

        Raises:
            OSError: It cannot be read.
        """
        ...

    def overwritten(self) -> list[Delta]:
        """Return where it differs from what was there, and maybe where nothing was.

        Raises:
            OSError: It cannot be read.
        """
        ...

    def release(self) -> None:
        """Let go of its folders, for good."""
        ...


class OverlayTree:
    """A tree that is mounted over the workspace.

    Args:
        workspace: Resolved.
        folder: The stage's.
        on: Layers between the two, oldest first.
    """

    kind: Kind = "overlay"
    notes: Sequence[str] = ()

    def __init__(self, workspace: Path, folder: Path, on: Sequence[Layer]) -> None:
        below = tuple(folder.parent / layer.name for layer in on)
        self._layers = Layers(workspace, folder, below)
        self._workspace = Beneath(workspace, shown_at=workspace)
        self.written = Beneath(folder / "upper", shown_at=workspace)
        self._holder: Holder | None = None
        self._merged: Beneath | None = None
        self._seen_s = 0.0

    @property
    def merged(self) -> Beneath:
        """The mount, as of a second ago at most."""
        if self._merged is None or self._holder is None:
            raise StageError("The stage is not mounted.")
        if time.monotonic() - self._seen_s > FRESH_S:
            self.refresh()
        return self._merged

    @property
    def base(self) -> Listable:
        """The workspace, or what the layers make of it."""
        if not self._layers.below:
            return self._workspace
        if self._holder is None or self._holder.base is None:
            raise StageError("The stage is not mounted.")
        return self._holder.base

    @property
    def enter(self) -> tuple[str, ...]:
        """Into the holder's namespaces."""
        return self._holder.enter if self._holder is not None else ()

    @property
    def shown_at(self) -> Path:
        """The workspace's own path."""
        return self._layers.workspace

    @property
    def mounted(self) -> bool:
        """Whether the holder lives."""
        return self._holder is not None and self._holder.alive

    async def mount(self) -> None:
        """Start a holder."""
        holder = await Holder.start(self._layers)
        try:
            self._merged = Beneath(holder.view, shown_at=self._layers.workspace)
        except OSError:
            await holder.stop()
            raise
        self._holder = holder
        self._seen_s = time.monotonic()

    async def unmount(self) -> None:
        """End the holder; an open descriptor would keep the mount."""
        if self._merged is not None:
            self._merged.close()
            self._merged = None
        if self._holder is not None:
            holder, self._holder = self._holder, None
            await holder.stop()

    def refresh(self) -> bool:
        """Drop what the kernel remembers of the workspace."""
        self._seen_s = time.monotonic()
        return self._holder is not None and self._holder.refresh()

    def existed(self, path: str) -> bool | None:
        """Nobody counted."""
        del path

    def deltas(self, unreadable: list[str]) -> list[Delta]:
        """Read the upper."""
        return list(read_upper(self.written, self.base, unreadable))

    def overwritten(self) -> list[Delta]:
        """Read the upper, but not what was installed into new folders."""
        return list(read_upper(self.written, self.base, [], new=False))

    def release(self) -> None:
        """Let go of the workspace and the upper."""
        self._workspace.close()
        self.written.close()


class CopiedTree:
    """A tree that was copied; its commands see it at a path of the host.

    Args:
        workspace: Resolved.
        folder: The stage's.
        meta: What the stage lies on.

    Raises:
        OSError, ValueError: Its files are not whole.
    """

    kind: Kind = "copy"
    enter: tuple[str, ...] = ()
    mounted = True

    def __init__(self, workspace: Path, folder: Path, meta: Meta) -> None:
        self._manifest = Manifest.load(folder / "manifest.json")
        self.notes: Sequence[str] = [
            f"{path}: not in the stage ({why})"
            for path, why in sorted(self._manifest.left_out.items())
        ]
        self.shown_at = folder / "tree"
        self._open: list[Beneath] = []
        try:
            self.written = self._beneath(self.shown_at, workspace)
            original = self._beneath(workspace, workspace)
            self.base: Readable = original
            # A secret is no part of what the step began with: it is not to be read for it.
            emptied = dict.fromkeys(self._manifest.emptied & self._manifest.stamps.keys(), -1)
            if meta.on or emptied:
                owners = {**(load_owners(folder / BELOW) if meta.on else {}), **emptied}
                layers = [self._beneath(folder.parent / each.name, workspace) for each in meta.on]
                self.base = LayeredBase(original, layers, owners)
        except BaseException:
            self.release()
            raise

    @property
    def merged(self) -> Beneath:
        """The copy."""
        return self.written

    async def mount(self) -> None:
        """Nothing is mounted."""

    async def unmount(self) -> None:
        """Nothing is mounted."""

    def refresh(self) -> bool:
        """Leave it: a copy is of the time when it was made."""
        return True

    def existed(self, path: str) -> bool | None:
        """Look it up in the manifest."""
        return path in self._manifest.stamps

    def deltas(self, unreadable: list[str]) -> list[Delta]:
        """Compare with the manifest."""
        return list(read_copy(self.written, self.base, self._manifest, unreadable))

    def overwritten(self) -> list[Delta]:
        """Compare all: a look at each file is what tells."""
        return self.deltas([])

    def release(self) -> None:
        """Let go of all folders."""
        for tree in self._open:
            tree.close()

    def _beneath(self, folder: Path, workspace: Path) -> Beneath:
        tree = Beneath(folder, shown_at=workspace)
        self._open.append(tree)
        return tree
