"""What landing takes and tells: values, and the port that writes the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from turbo_tui.core.changes import ChangeSet, FileChange, moves

DETACHED = "detached "  # before a commit that HEAD is at; no branch's name holds a blank


@dataclass(frozen=True, slots=True)
class Conflict:
    """A path where the workspace is not what the step started from.

    The three sides are blobs, so that a diff pane can show any two of them; each is empty where
    nothing stood, or what is no file, or where it is not known.

    Attributes:
        why: What happened, in words for the user.
        merged: Blob of a clean three-way merge; empty when there is none.
        base: What both sides started from.
        ours: What stands in the workspace now.
        theirs: What was to be written.
        marked: Blob of the merge with conflict markers; empty where the sides are not text, or
            a side is missing.
        lines: Where the sides clash, counted from 1 in the workspace's file as it is now.
        change: Leads from what stands there now to the clean merge, or else to what was to be
            written; None where that cannot be: something else is in the way.
    """

    path: str
    why: str
    merged: str = ""
    base: str = ""
    ours: str = ""
    theirs: str = ""
    marked: str = ""
    lines: tuple[int, ...] = ()
    change: FileChange | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of landing or undoing.

    Attributes:
        landing_id: Names the journal entry; empty when nothing was written.
        paths: Written, in path order; empty when there are conflicts.
        merged: When every conflict merges cleanly: the change set on the tree as it is now.
        left_alone: Paths that a third party changed meanwhile; theirs was kept.
        notes: What could not be kept or taken back (hard links broken, …).
        written: Exactly what was written, merges done; with a dry run, what would be.
        wanted: Of an undo or redo with conflicts: all that it was to write, clean merges done.
    """

    landing_id: str = ""
    paths: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    merged: ChangeSet | None = None
    left_alone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    written: ChangeSet = field(default_factory=ChangeSet)
    wanted: ChangeSet = field(default_factory=ChangeSet)

    @property
    def moved(self) -> dict[str, str]:
        """Which of the paths are where a file went, and from where."""
        return moves(self.written)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done about a landing that a crash had cut off.

    Attributes:
        left_alone: Paths that are neither as before nor as intended: someone else's, kept.
        kind: What was cut off: the landing of a step, or taking it back or forth.
        of: The step's landing that was undone or redone; empty for the landing of a step.
    """

    landing_id: str
    session_id: str
    step_id: str
    outcome: Literal["completed", "rolled_back"]
    paths: tuple[str, ...]
    left_alone: tuple[str, ...] = ()
    kind: Literal["landing", "undo", "redo"] = "landing"
    of: str = ""
    moved: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a prune lets go of, or would: journals of landings that nothing needs any more.

    Attributes:
        journals: Files that are gone, or would be.
        size_bytes: Of these.
        landings: Of the deleted sessions, standing: nothing can take them back any more.
    """

    journals: tuple[Path, ...] = ()
    size_bytes: int = 0
    landings: int = 0


LandingState = Literal["landed", "undone", "redone", "rolled_back"]


@dataclass(frozen=True, slots=True)
class LandedEntry:
    """One landing of a step in the journal, newest state.

    Attributes:
        landed: It stands; False once undone or rolled back.
        state: An `undone` one can be redone; `landed` and `redone` ones can be undone.
    """

    landing_id: str
    session_id: str
    step_id: str
    at: float
    paths: tuple[str, ...]
    landed: bool
    state: LandingState = "landed"


class Lander(Protocol):
    """Write approved changes into the workspace: whole or not at all, after any crash."""

    async def land(self, changes: ChangeSet, *, session_id: str, step_id: str) -> Landing:
        """Land all of `changes` or, on any conflict, nothing.

        Raises:
            LandingError: The disk or a permission refused; the tree is as it was.
        """
        ...

    async def undo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        """Take any landing back, whatever landed after it; on a conflict nothing is written.

        Three-way, file by file: from what the landing wrote, to what was before, on what is
        there now. So only what was changed since in the same lines is a conflict. The undo is a
        landing of its own.

        Args:
            landing_id: A landing that stands.
            settled: What a person made of an undo that had conflicts: exactly that is written,
                on the tree as it names it. What was changed once more is a conflict, merged or
                not, as in `land`.
            dry_run: Write nothing.

        Raises:
            LandingError: No such landing, already undone, or the disk or a permission refused.
        """
        ...

    async def redo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        """Land again what was undone; as `undo` in all else.

        Raises:
            LandingError: No such landing, it stands, or the disk or a permission refused.
        """
        ...

    async def tree_at(self, landing_id: str, *, before: bool = False) -> tuple[FileChange, ...]:
        """Return what leads from the tree as it is to the tree as it was after a landing.

        Of every path that a later landing touched, undos among them; what never landed is not
        in it. Contents of both sides are in the blob store.

        Args:
            landing_id: An empty one means before the first landing.
            before: The tree right before the landing instead.

        Raises:
            LandingError: No such landing, or a file cannot be read.
        """
        ...

    async def recover(self) -> tuple[Recovery, ...]:
        """Complete or roll back landings that a crash cut off on this workspace."""
        ...

    def landings(self) -> tuple[LandedEntry, ...]:
        """List the finished landings of steps on this workspace, oldest first."""
        ...


class Checkpoints(Protocol):
    """Keep each landing where the user's version control finds it; nothing of theirs moves."""

    async def keep(
        self, written: ChangeSet, *, title: str, session_id: str, landing_id: str
    ) -> None:
        """Keep what a landing wrote, on top of the session's landings before it.

        Raises:
            TurboError: It cannot be kept; the landing stands all the same.
        """
        ...
