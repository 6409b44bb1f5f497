"""Write approved changes into the workspace: whole or not at all, after any crash.

begun -> (new content written beside its targets) -> committed -> operations -> done -> cleaned
                                                        `-> rolling_back -> rolled_back
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from turbo_tui.core.changes import ChangeSet, FileChange, Node, invert, paths
from turbo_tui.core.errors import LandingError, SessionError
from turbo_tui.core.ports import Blobs, Conflict, LandedEntry, Landing, Recovery
from turbo_tui.landing.beneath import Tree
from turbo_tui.landing.journal import Entry, Journal
from turbo_tui.landing.operations import Operation, plan, validate
from turbo_tui.landing.preimages import Checked, check
from turbo_tui.landing.recovery import Recoverer
from turbo_tui.landing.writer import ChangedMeanwhileError, Checkpoint, Writer

LOCK_WAIT_S = 10.0
_FINISHED = ("done", "cleaned")
_UNFINISHED = ("begun", "committed", "rolling_back")


def _pass(_: str) -> None:
    """Do nothing at a checkpoint."""


class JournalLander:
    """The lander of one workspace; see `core.ports.Lander`."""

    def __init__(
        self,
        workspace: Path,
        state: Path,
        blobs: Blobs,
        *,
        checkpoint: Checkpoint = _pass,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> None:
        self._workspace = workspace.resolve()
        self._blobs = blobs
        self._journal = Journal(state, self._workspace)
        self._checkpoint = checkpoint
        self._lock_wait_s = lock_wait_s

    async def land(self, changes: ChangeSet, *, session_id: str, step_id: str) -> Landing:
        """Land all of `changes.files` or, on any conflict, nothing; ignored files never land.

        Cancelling the awaiting task does not stop a landing that has begun.

        Raises:
            LandingError: The disk or a permission refused; the tree is as it was.
        """
        return await asyncio.to_thread(self._land, changes, session_id, step_id)

    async def undo(self, landing_id: str, *, dry_run: bool = False) -> Landing:
        """Take a landing back; the undo is a landing too, and undoing it lands again.

        Raises:
            LandingError: No such landing, or already undone.
        """
        return await asyncio.to_thread(self._undo, landing_id, dry_run=dry_run)

    async def recover(self) -> tuple[Recovery, ...]:
        """Complete or roll back landings that a crash cut off on this workspace."""
        return await asyncio.to_thread(self._recover)

    def landings(self) -> tuple[LandedEntry, ...]:
        """List the finished landings of steps, oldest first; an undo is not one of its own."""
        entries = self._journal.entries()
        undone = _undone(entries)
        return tuple(
            LandedEntry(
                landing_id=entry.landing_id,
                session_id=entry.session_id,
                step_id=entry.step_id,
                at=entry.at,
                paths=paths(entry.changes),
                landed=entry.progress in _FINISHED and entry.landing_id not in undone,
            )
            for entry in entries
            if not entry.undoes and entry.progress not in _UNFINISHED
        )

    def last_landed(self) -> LandedEntry | None:
        """Return the newest landing that stands; None when there is none."""
        return next((entry for entry in reversed(self.landings()) if entry.landed), None)

    # --- landing and undoing ---------------------------------------------------

    def _land(self, changes: ChangeSet, session_id: str, step_id: str) -> Landing:
        validate(changes.files)
        with self._journal.locked(self._lock_wait_s), self._open_tree() as tree:
            notes = self._recovery_notes(tree)
            entry = self._new_entry(session_id, step_id)
            landing = self._write(tree, entry, changes.files, dry_run=False)
            return replace(landing, notes=(*notes, *landing.notes))

    def _undo(self, landing_id: str, *, dry_run: bool) -> Landing:
        with self._journal.locked(self._lock_wait_s), self._open_tree() as tree:
            notes = self._recovery_notes(tree)
            taken_back = self._journal.entry(landing_id)
            if taken_back.progress not in _FINISHED:
                raise LandingError(f"Landing {landing_id} was rolled back; nothing of it stands.")
            if landing_id in _undone(self._journal.entries()):
                raise LandingError(f"Landing {landing_id} is undone already.")
            left_alone = set(taken_back.left_alone)
            files = [
                change
                for change in _way_back(taken_back)
                if not left_alone & {change.path, change.moved_from}
            ]
            notes += [f"{path}: was left alone then, so it is now" for path in sorted(left_alone)]
            entry = self._new_entry(taken_back.session_id, taken_back.step_id, undoes=landing_id)
            landing = self._write(tree, entry, files, dry_run=dry_run)
            return replace(landing, notes=(*notes, *landing.notes))

    def _new_entry(self, session_id: str, step_id: str, *, undoes: str = "") -> Entry:
        return Entry(
            landing_id=self._journal.new_id(),
            session_id=session_id,
            step_id=step_id,
            at=time.time(),
            workspace=os.fspath(self._workspace),
            undoes=undoes,
            changes=ChangeSet(),
            operations=(),
        )

    def _open_tree(self) -> Tree:
        try:
            return Tree(self._workspace)
        except OSError as error:
            raise LandingError(
                f"The workspace {self._workspace} cannot be opened ({error.strerror})."
            ) from error

    def _write(
        self, tree: Tree, entry: Entry, files: Sequence[FileChange], *, dry_run: bool
    ) -> Landing:
        try:
            checked = check(tree, self._blobs, files)
            if checked.conflicts:
                return _refused(checked)
            changes = ChangeSet(tuple(sorted(checked.files, key=lambda change: change.path)))
            if dry_run or not changes.files:
                return Landing(paths=paths(changes), notes=tuple(checked.notes))
            operations = plan(
                changes.files,
                tree.is_folder,
                _hidden_name,
                folder_mode=0o777 & ~_umask(),
                linked=checked.linked,
            )
        except OSError as error:
            raise self._failure(error) from error
        except SessionError as error:
            raise LandingError(f"Nothing was landed: {error}") from error
        entry = replace(entry, changes=changes, operations=operations)
        writer = Writer(
            tree, self._blobs, entry.operations, self._checkpoint, checked.identities, checked.notes
        )
        return self._carry_out(entry, writer)

    def _carry_out(self, entry: Entry, writer: Writer) -> Landing:
        """Take the journalled way from `begun` to `cleaned`, or back."""
        done: list[Operation] = []
        self._checkpoint("begin")
        self._journal.begin(entry)
        try:
            writer.prepare()
            self._checkpoint("commit")
            self._journal.mark(entry, "committed")
            for number, operation in enumerate(entry.operations):
                self._checkpoint(f"operation {number}")
                writer.perform(operation)
                done.append(operation)
            self._checkpoint("sync")
            writer.sync_folders()
            self._checkpoint("done")
            self._journal.mark(entry, "done")
        except ChangedMeanwhileError as changed:
            stuck = self._roll_back(entry, writer, done)
            why = f"it was changed while the landing was under way.{_stuck_words(stuck)}"
            return Landing(conflicts=(Conflict(changed.path, why),), notes=tuple(writer.notes))
        except OSError as error:
            raise self._failure(error, self._roll_back(entry, writer, done)) from error
        except (LandingError, SessionError) as error:
            stuck = self._roll_back(entry, writer, done)
            raise LandingError(f"{error}{_stuck_words(stuck)}") from error
        self._checkpoint("clean")
        self._clean(entry, writer)
        return Landing(entry.landing_id, paths(entry.changes), notes=tuple(writer.notes))

    def _clean(self, entry: Entry, writer: Writer) -> None:
        writer.clean()
        with suppress(LandingError):  # it is only to spare the next start the look
            self._journal.mark(entry, "cleaned")

    def _roll_back(self, entry: Entry, writer: Writer, done: Sequence[Operation]) -> list[str]:
        """Take performed operations back, newest first; return the paths where that failed."""
        stuck: list[str] = []
        with suppress(LandingError):  # without this mark a crash now would roll forward: whole too
            self._journal.mark(entry, "rolling_back")
        for number, operation in enumerate(reversed(done)):
            self._checkpoint(f"revert {number}")
            try:
                writer.revert(operation)
            except OSError:
                stuck.append(operation.path)
        self._checkpoint("rolled back")
        if not stuck:
            writer.clean()
            with suppress(LandingError):
                self._journal.mark(entry, "rolled_back")
        return stuck

    def _failure(self, error: OSError, stuck: Sequence[str] = ()) -> LandingError:
        where = f" at {os.fsdecode(error.filename)!r}" if error.filename else ""
        return LandingError(
            f"Landing in {self._workspace} stopped{where}: {error.strerror}. "
            "The tree is as it was; make room or mend the permission, then approve again."
            f"{_stuck_words(stuck)}"
        )

    # --- recovery --------------------------------------------------------------

    def _recover(self) -> tuple[Recovery, ...]:
        if self._journal.is_empty():
            return ()
        with self._journal.locked(self._lock_wait_s), self._open_tree() as tree:
            return self._recover_under_lock(tree)

    def _recovery_notes(self, tree: Tree) -> list[str]:
        words = {"completed": "completed", "rolled_back": "rolled back"}
        return [
            f"landing {recovery.landing_id} of session {recovery.session_id}, cut off by a crash, "
            f"was {words[recovery.outcome]}"
            for recovery in self._recover_under_lock(tree)
        ]

    def _recover_under_lock(self, tree: Tree) -> tuple[Recovery, ...]:
        self._journal.forget_unbegun()
        recoveries: list[Recovery] = []
        for entry in self._journal.entries():
            writer = Writer(tree, self._blobs, entry.operations, self._checkpoint)
            if entry.progress == "done":
                self._clean(entry, writer)
            elif entry.progress in _UNFINISHED:
                try:
                    recoveries.append(Recoverer(self._journal, entry, writer).run())
                except OSError as error:
                    raise LandingError(
                        f"Landing {entry.landing_id} in {self._workspace} was cut off by a crash "
                        f"and cannot be finished yet: {error.filename!r}: {error.strerror}. "
                        "Mend that and start again; nothing else is written until then."
                    ) from error
        return tuple(recoveries)


def _is_folder(node: Node | None) -> bool:
    return node is not None and node.kind == "folder"


def _undone(entries: Sequence[Entry]) -> set[str]:
    """Return the ids of landings that a standing undo took back."""
    undone: set[str] = set()
    for entry in reversed(entries):
        stands = entry.progress in _FINISHED and entry.landing_id not in undone
        if entry.undoes and stands:
            undone.add(entry.undoes)
    return undone


def _way_back(entry: Entry) -> list[FileChange]:
    """Return what undoes a landing, folders it made on the way to its files included."""
    way = {change.path: change for change in invert(entry.changes).files}
    named = {change.path for change in entry.changes.files if _is_folder(change.after)}
    for operation in entry.operations:
        path = operation.path
        if operation.kind == "mkdir" and path not in named:
            way.setdefault(path, FileChange(path, operation.after, None))
    return list(way.values())


def _refused(checked: Checked) -> Landing:
    return Landing(
        conflicts=tuple(sorted(checked.conflicts, key=lambda conflict: conflict.path)),
        merged=checked.merged,
        notes=tuple(checked.notes),
    )


def _umask() -> int:
    """Read the umask; only where /proc does not tell it must be set for a moment."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _hidden_name() -> str:
    return f".turbo-tui-{secrets.token_hex(8)}"


def _stuck_words(stuck: Sequence[str]) -> str:
    if not stuck:
        return ""
    return (
        f" These could not be put back yet: {', '.join(stuck)}. Their old content is kept beside "
        "them under hidden names; the next start tries again."
    )
