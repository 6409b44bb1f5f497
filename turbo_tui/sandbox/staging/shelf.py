"""The folder of all stages, as one workspace uses it: look up, settle, discard. All blocks."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from turbo_tui.core.changes import FileChange
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Blobs
from turbo_tui.sandbox.staging.beneath import Beneath, remove_tree
from turbo_tui.sandbox.staging.contents import keep_chosen
from turbo_tui.sandbox.staging.layers import GONE, META, Layer, Meta, bury, is_needed, sweep
from turbo_tui.sandbox.staging.settling import Leftovers, in_making, keep
from turbo_tui.sandbox.staging.spares import Spares

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


class Shelf:
    """Stages on disk.

    Args:
        folder: Holds one folder for each stage, of this and of other workspaces.
        workspace: Resolved.
        spares: Takes copies that no stage needs.
    """

    def __init__(self, folder: Path, workspace: Path, spares: Spares) -> None:
        self.folder = folder
        self.spares = spares
        self._workspace = os.fspath(workspace)
        self._in_use: Counter[str] = Counter()

    @contextmanager
    def using(self, *stage_ids: str) -> Generator[None]:
        """Sweep nothing of these stages away: another is being made that will lie on them."""
        self._in_use.update(stage_ids)
        try:
            yield
        finally:
            self._in_use.subtract(stage_ids)

    def path_of(self, stage_id: str) -> Path:
        """Return where a stage lies, or would.

        Raises:
            StageError: It cannot be named so.
        """
        return self.folder / checked_id(stage_id)

    def meta_of(self, stage_id: str) -> Meta | None:
        """Read what a stage's folder says; None when there is none.

        Raises:
            StageError: It is damaged, or of another workspace.
        """
        folder = self.path_of(stage_id)
        try:
            meta = Meta.load(folder)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            raise StageError(
                f"Stage {stage_id} cannot be taken up: {folder / META} is damaged "
                f"({error}). Its files lie in {folder}; discard it to start again."
            ) from error
        if meta.workspace != self._workspace:
            raise StageError(
                f"Stage {stage_id} belongs to {meta.workspace}, not to {self._workspace}."
            )
        return meta

    def layers(self, stage_id: str, on: Sequence[str]) -> tuple[Layer, ...]:
        """Look up what a new stage is to lie on.

        Raises:
            StageError: Something of it is gone, or damaged.
        """
        layers: list[Layer] = []
        for below in on:
            meta = self.meta_of(below)
            layer = meta.as_layer(below) if meta is not None else None
            if layer is None or not (self.folder / layer.name).is_dir():
                raise StageError(
                    f"Stage {stage_id} was to lie on {below}, of which nothing is kept. Start the "
                    "step of that one again."
                )
            layers.append(layer)
        return tuple(layers)

    def kept(self, stage_id: str) -> Meta:
        """Read what is said of a stage that is to be taken up.

        Raises:
            StageError: It, or what it lies on, is gone or damaged.
        """
        meta = self.meta_of(stage_id)
        if meta is None or meta.settled:
            raise StageError(f"Nothing is kept of stage {stage_id}; start the step again.")
        gone = [each.stage_id for each in meta.on if not (self.folder / each.name).is_dir()]
        if gone:
            raise StageError(
                f"Stage {stage_id} lies on {', '.join(gone)}, of which nothing is kept; start the "
                "step again."
            )
        return meta

    def is_half_settled(self, stage_id: str, meta: Meta) -> bool:
        """Say whether settling was begun and cut off: then part of it is moved already."""
        layer = meta.once_settled().as_layer(stage_id)
        return in_making(self.folder, layer).is_dir() or (self.folder / layer.name).is_dir()

    def keep_chosen(self, stage_id: str, changes: Iterable[FileChange], blobs: Blobs) -> None:
        """Store contents of a stage that its change set only names so far.

        Raises:
            StageError: They are not there as they were reviewed.
            SessionError: The blob store refuses.
        """
        meta = self.meta_of(stage_id)
        if meta is None:
            raise _not_kept(stage_id, "nothing is kept of the stage")
        try:
            layer = self.folder / meta.as_layer(stage_id).name
            written = Beneath(layer, shown_at=Path(self._workspace))
        except OSError as error:
            raise _not_kept(stage_id, f"{error}") from error
        try:
            keep_chosen(written, changes, blobs)
        except StageError as error:
            raise _not_kept(stage_id, str(error)) from error
        finally:
            written.close()

    def settle(self, stage_id: str, meta: Meta, kept: Leftovers) -> None:
        """Keep what is left of a closed stage as a layer, and nothing else.

        Raises:
            OSError: The disk is full or refuses.
        """
        written, settled = meta.as_layer(stage_id), meta.once_settled()
        shared = stage_id in self._used() or is_needed(self.folder, written)
        keep(kept, self.folder, written, settled.as_layer(stage_id), shared=shared)
        settled.write(self.folder / stage_id)
        sweep(self.folder, self._remove, used=self._used())

    def discard(self, stage_id: str) -> None:
        """Delete a closed stage, at once or with the last one that lies on it.

        Raises:
            StageError: It cannot be deleted.
        """
        discard_folder(self.path_of(stage_id), self._remove, self._used())

    def _used(self) -> frozenset[str]:
        return frozenset(+self._in_use)

    def _remove(self, folder: Path) -> None:
        """Delete a stage's folder, or its tree; a copy of ours is kept for the next stage."""
        stage = folder.parent if folder.name == "tree" else folder
        for name in (META, GONE):
            with suppress(OSError, ValueError, KeyError):
                if Meta.load(stage, name).workspace == self._workspace:
                    self.spares.keep(stage / "tree", stage / "manifest.json")
        remove_tree(folder)


def _not_kept(stage_id: str, why: str) -> StageError:
    return StageError(
        f"The ignored files of stage {stage_id} cannot land: {why}. Switch their line off to land "
        "the rest, or run the step again."
    )


def discard_folder(
    folder: Path, remove: Callable[[Path], None], used: Collection[str] = frozenset()
) -> None:
    """Delete a stage's folder, at once or with the last one that lies on it.

    Args:
        folder: The stage's.
        remove: Deletes a folder that is there, or is not.
        used: Ids of stages that others, being made just now, will lie on.

    Raises:
        StageError: It cannot be deleted.
    """
    try:
        if not bury(folder):
            remove_tree(folder)  # never made, or half deleted
        sweep(folder.parent, remove, used=used)
    except OSError as error:
        raise StageError(f"Cannot delete {folder}: {error}. Delete it by hand.") from error


def checked_id(stage_id: str) -> str:
    """Return an id that stays in its folder.

    Raises:
        StageError: It does not.
    """
    if not _ID.fullmatch(stage_id):
        raise StageError(f"{stage_id!r} cannot name a stage: letters, digits and -._ only.")
    return stage_id
