"""Write approved changes into the workspace: whole or not at all, after any crash."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from turbo_tui.core.changes import ChangeSet, FileChange, moves, paths
from turbo_tui.core.errors import LandingError, SessionError
from turbo_tui.core.landings import LandedEntry, Landing, Recovery
from turbo_tui.core.ports import Blobs
from turbo_tui.landing.beneath import HIDDEN, Tree
from turbo_tui.landing.history import FINISHED, History, way_back
from turbo_tui.landing.journal import Entry, Journal
from turbo_tui.landing.operations import plan, validate
from turbo_tui.landing.passage import Passage, stopped
from turbo_tui.landing.past import leading_to
from turbo_tui.landing.preimages import Checked, check
from turbo_tui.landing.recovery import Recoverer
from turbo_tui.landing.wording import Wording, of_redo, of_undo
from turbo_tui.landing.writer import Checkpoint, Writer

LOCK_WAIT_S = 10.0
_UNFINISHED = ("begun", "committed", "rolling_back")


def _pass(_: str) -> None:
    """Do nothing at a checkpoint."""


class JournalLander:
    """The lander of one workspace; see `core.landings.Lander`."""

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

    async def undo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        """Take a landing back; the undo is a landing too, and undoing it lands again.

        Raises:
            LandingError: No such landing, already undone, or the disk or a permission refused.
        """
        return await asyncio.to_thread(
            self._take_back, landing_id, settled, redo=False, dry_run=dry_run
        )

    async def redo(
        self, landing_id: str, *, settled: ChangeSet | None = None, dry_run: bool = False
    ) -> Landing:
        """Land again what was undone.

        Raises:
            LandingError: No such landing, it stands, or the disk or a permission refused.
        """
        return await asyncio.to_thread(
            self._take_back, landing_id, settled, redo=True, dry_run=dry_run
        )

    async def tree_at(self, landing_id: str, *, before: bool = False) -> tuple[FileChange, ...]:
        """Return what leads from the tree as it is to the tree as it was after a landing.

        Raises:
            LandingError: No such landing, or a file cannot be read.
        """
        return await asyncio.to_thread(self._tree_at, landing_id, before=before)

    async def recover(self) -> tuple[Recovery, ...]:
        """Complete or roll back landings that a crash cut off on this workspace."""
        return await asyncio.to_thread(self._recover)

    def landings(self) -> tuple[LandedEntry, ...]:
        """List the finished landings of steps, oldest first; an undo is not one of its own."""
        entries = self._journal.entries()
        history = History(entries)
        return tuple(
            LandedEntry(
                landing_id=entry.landing_id,
                session_id=entry.session_id,
                step_id=entry.step_id,
                at=entry.at,
                paths=paths(entry.changes),
                landed=history.state(entry) in ("landed", "redone"),
                state=history.state(entry),
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
            landing = self._write(
                tree, entry, changes.files, Wording(), merging=False, dry_run=False
            )
            return replace(landing, notes=(*notes, *landing.notes))

    def _take_back(
        self, landing_id: str, settled: ChangeSet | None, *, redo: bool, dry_run: bool
    ) -> Landing:
        with self._journal.locked(self._lock_wait_s), self._open_tree() as tree:
            notes = self._recovery_notes(tree)
            entry = self._journal.entry(landing_id)
            if entry.progress not in FINISHED:
                raise LandingError(f"Landing {landing_id} was rolled back; nothing of it stands.")
            history = History(self._journal.entries())
            if history.stands(entry) == redo:
                words = "was not undone; there is nothing to redo" if redo else "is undone already"
                raise LandingError(f"Landing {landing_id} {words}.")
            tip = history.chain(entry)[-1]
            words = _words(history, tip)
            files: list[FileChange] = []
            for change in way_back(tip) if settled is None else ():
                files.append(history.followed(change, tip.landing_id))
                if files[-1].path != change.path:
                    notes.append(f"{files[-1].path}: was {change.path} when {words.since}")
            if settled is not None:
                files, words = [*settled.files], replace(words, since="you settled it")
            validate(files)
            notes += [f"{path}: was left alone then, so it is now" for path in tip.left_alone]
            fresh = self._new_entry(tip.session_id, tip.step_id, undoes=tip.landing_id)
            merging = settled is None
            landing = self._write(tree, fresh, files, words, merging=merging, dry_run=dry_run)
            return replace(landing, notes=(*notes, *landing.notes))

    def _tree_at(self, landing_id: str, *, before: bool) -> tuple[FileChange, ...]:
        with self._journal.locked(self._lock_wait_s), self._open_tree() as tree:
            self._recover_under_lock(tree)
            if landing_id:
                self._journal.entry(landing_id)
            history = History(self._journal.entries())
            then = history.before(history.after(landing_id, itself=before))
            try:
                return leading_to(then, tree, self._blobs)
            except OSError as error:
                raise LandingError(
                    f"The tree as it was at landing {landing_id} cannot be shown: "
                    f"{os.fsdecode(error.filename or '')!r}: {error.strerror}."
                ) from error

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
        self,
        tree: Tree,
        entry: Entry,
        files: Sequence[FileChange],
        wording: Wording,
        *,
        merging: bool,
        dry_run: bool,
    ) -> Landing:
        try:
            checked = check(tree, self._blobs, files, wording)
            if merging and checked.merged is not None:
                checked = self._merged(tree, checked, wording)
            if checked.conflicts:
                return _refused(checked, files, merging=merging)
            changes = ChangeSet(tuple(sorted(checked.files, key=lambda change: change.path)))
            # An undo that finds nothing left to write is one all the same: it can be redone.
            if dry_run or not (changes.files or entry.undoes):
                notes = tuple(checked.notes)
                return Landing(paths=paths(changes), notes=notes, written=changes)
            operations = plan(
                changes.files,
                tree.is_folder,
                _hidden_name,
                folder_mode=0o777 & ~_umask(),
                linked=checked.linked,
            )
        except OSError as error:
            raise stopped(self._workspace, error) from error
        except SessionError as error:
            raise LandingError(f"Nothing was landed: {error}") from error
        entry = replace(entry, changes=changes, operations=operations)
        writer = Writer(tree, self._blobs, entry.operations, self._checkpoint, checked.notes)
        return Passage(self._journal, entry, writer, self._checkpoint).take()

    def _merged(self, tree: Tree, checked: Checked, wording: Wording) -> Checked:
        """Take the clean merges for what is to be written."""
        together = checked.merged or ChangeSet()
        merged = check(tree, self._blobs, together.files, wording)
        said = [f"{each.path}: merged with what changed since" for each in checked.conflicts]
        merged.notes = list(dict.fromkeys((*together.notes, *said, *merged.notes)))
        return merged

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
        entries = self._journal.entries()
        history = History(entries)
        for entry in entries:
            writer = Writer(tree, self._blobs, entry.operations, self._checkpoint)
            if entry.progress == "done":
                Passage(self._journal, entry, writer, self._checkpoint).clean()
                if writer.theirs:
                    found = Recovery(
                        landing_id=entry.landing_id,
                        session_id=entry.session_id,
                        step_id=entry.step_id,
                        outcome="completed",
                        paths=paths(entry.changes),
                        moved=moves(entry.changes),
                        left_alone=writer.left_alone,
                    )
                    recoveries.append(_named(found, entry, history))
            elif entry.progress in _UNFINISHED:
                try:
                    recovery = Recoverer(self._journal, entry, writer).run()
                    recoveries.append(_named(recovery, entry, history))
                except OSError as error:
                    raise LandingError(
                        f"Landing {entry.landing_id} in {self._workspace} was cut off by a crash "
                        f"and cannot be finished yet: {error.filename!r}: {error.strerror}. "
                        "Mend that and start again; nothing else is written until then."
                    ) from error
        return tuple(recoveries)


def _named(recovery: Recovery, entry: Entry, history: History) -> Recovery:
    """Say what a cut-off landing was: a step's own, or taking one back or forth."""
    if not entry.undoes:
        return recovery
    root, depth = history.root(entry)
    return replace(recovery, kind="undo" if depth % 2 else "redo", of=root.landing_id)


def _words(history: History, tip: Entry) -> Wording:
    """Return how to speak of taking a landing back: as an undo of its step, or as a redo."""
    root, depth = history.root(tip)
    return (of_redo if depth % 2 else of_undo)(root.step_id)


def _refused(checked: Checked, files: Sequence[FileChange], *, merging: bool) -> Landing:
    """Return the conflicts; where merging is meant, only those that do not merge."""
    merged = {each.path: each.change for each in checked.conflicts if merging and each.merged}
    missing = [change for change in files if merging and change.path not in checked.there]
    wanted = [merged.get(change.path) or change for change in missing]
    conflicts = [each for each in checked.conflicts if each.path not in merged]
    return Landing(
        conflicts=tuple(sorted(conflicts, key=lambda conflict: conflict.path)),
        merged=checked.merged,
        notes=tuple(checked.notes),
        wanted=ChangeSet(
            tuple(each for each in wanted if each.moved_from or each.before != each.after)
        ),
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
    return f"{HIDDEN}{secrets.token_hex(8)}"
