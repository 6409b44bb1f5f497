"""What a step did: originals kept as it goes, the change set, what it leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import SessionError, StageError, TurboError
from turbo_tui.core.ports import Blobs
from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.changeset import build_change_set, never_lands
from turbo_tui.sandbox.staging.contents import Contents, Originals, together
from turbo_tui.sandbox.staging.deltas import Delta
from turbo_tui.sandbox.staging.gitview import GitPlace, ignores_of
from turbo_tui.sandbox.staging.settling import Leftovers, leftovers
from turbo_tui.sandbox.staging.trees import Tree

ORIGINALS = "originals.jsonl"


class Recorder:
    """Reads one stage; everything here blocks, and one call is made at a time.

    Args:
        stage_id: For messages.
        folder: The stage's.
        tree: What it is made of, just now.
        started_ns: When it began.
        blobs: Takes contents.
        git: The workspace's repository.
    """

    def __init__(
        self,
        stage_id: str,
        folder: Path,
        tree: Tree,
        started_ns: int,
        *,
        blobs: Blobs,
        git: GitPlace | None,
    ) -> None:
        self._stage_id = stage_id
        self._folder = folder
        self._tree = tree
        self._blobs = blobs
        self._git = git
        base = Contents(_BaseOf(lambda: self._tree), blobs)
        self._originals = Originals(base, started_ns, folder / ORIGINALS)
        self._written = Contents(tree.written, blobs)

    def go_on_with(self, tree: Tree, started_ns: int) -> None:
        """Read another tree from now on, that was made of the stage's later."""
        self._tree = tree
        self._originals.started_anew(started_ns)
        self._written = Contents(tree.written, self._blobs)

    def keep_original(self, path: str) -> None:
        """Keep what stands beneath a path that is about to be changed."""
        before = self._tree.base.lstat(path)
        if before is not None:
            with suppress(OSError):  # what cannot be kept is said when the changes are read
                self._originals.keep(Delta(path, before, None, self._tree.existed(path)))

    def keep_originals(self) -> None:
        """Keep what can be; what cannot is met again, and said, when the changes are read."""
        with suppress(OSError, TurboError):
            with self._together():
                for delta in self._tree.overwritten():
                    with suppress(OSError, TurboError):
                        if not never_lands(delta.path):
                            self._originals.keep(delta)
            self._originals.save()

    def changes(self, said: Sequence[str] = ()) -> ChangeSet:
        """Return what the step did, with what is to be said of the stage besides.

        Raises:
            StageError: It cannot be read, or not be stored.
        """
        unreadable: list[str] = []
        try:
            with self._together():
                found = build_change_set(
                    self._tree.deltas(unreadable),
                    originals=self._originals,
                    written=self._written,
                    merged=self._tree.merged,
                    ignores=ignores_of(self._tree.merged, self._git),
                    blobs=self._blobs,
                )
            with suppress(OSError):  # it matters only to a stage that is taken up again
                self._originals.save()
        except (OSError, SessionError) as error:
            raise StageError(
                f"Cannot read the changes of stage {self._stage_id}: {str(error).rstrip('.')}. "
                f"What it did is kept in {self._folder}."
            ) from error
        hidden = [f"{folder}: a folder that cannot be read; does not land" for folder in unreadable]
        notes = (*self._tree.notes, *said, *found.notes, *hidden)
        return ChangeSet(found.files, found.ignored, notes, found.warnings)

    def leftovers(self, workspace: Path, landed: Collection[str]) -> Leftovers:
        """Return what is to be kept of the stage once it was decided on.

        Raises:
            StageError: It cannot be read.
        """
        now = Beneath(workspace, shown_at=workspace)
        try:
            return leftovers(
                self._tree.deltas([]),
                merged=self._tree.merged,
                base=self._tree.base,
                workspace=now,
                git=self._git,
                landed=landed,
            )
        except OSError as error:
            raise StageError(f"Cannot read what stage {self._stage_id} leaves: {error}.") from error
        finally:
            now.close()

    @contextmanager
    def _together(self) -> Generator[None]:
        """Store many contents at the cost of a few; where that fails, none is known of."""
        try:
            with together(self._blobs):
                yield
        except BaseException:
            # What was put may not be there.
            self._originals.forget()
            self._written.forget()
            raise


@dataclass(frozen=True, slots=True)
class _BaseOf:
    """What a stage lies on, whichever mount or copy it has just now."""

    tree: Callable[[], Tree]

    def lstat(self, path: str) -> os.stat_result | None:
        return self.tree().base.lstat(path)

    def open_file(self, path: str) -> int:
        return self.tree().base.open_file(path)

    def read_link(self, path: str) -> str:
        return self.tree().base.read_link(path)
