"""One landing's way through the journal, whole or back again.

begun -> (new content written beside its targets) -> committed -> operations -> done -> cleaned
                                                        `-> rolling_back -> rolled_back
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from turbo_tui.core.changes import paths
from turbo_tui.core.errors import LandingError, SessionError
from turbo_tui.core.landings import Conflict, Landing
from turbo_tui.landing.journal import Entry, Journal
from turbo_tui.landing.operations import Operation
from turbo_tui.landing.preimages import look
from turbo_tui.landing.wording import stuck_words, theirs_words
from turbo_tui.landing.writer import ChangedMeanwhileError, Checkpoint, Writer


class Passage:
    """Carry one entry's operations out, each step of the way on disk before it is taken.

    Args:
        journal: Locked by the caller.
        entry: Not begun yet; or done, to be cleaned.
        writer: Of its operations.
        checkpoint: Called with the name of every step before it is taken; for tests.
    """

    def __init__(
        self, journal: Journal, entry: Entry, writer: Writer, checkpoint: Checkpoint
    ) -> None:
        self._journal = journal
        self._entry = entry
        self._writer = writer
        self._checkpoint = checkpoint

    def take(self) -> Landing:
        """Go from `begun` to `cleaned`, or back.

        Raises:
            LandingError: The disk or a permission refused; the tree is as it was, or the message
                names what could not be put back.
        """
        entry, writer = self._entry, self._writer
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
            stuck = self._roll_back(done)
            why = f"{changed.why}.{stuck_words(stuck)}" if stuck else changed.why
            return self._given_up(Conflict(changed.path, why))
        except OSError as error:
            stuck = self._roll_back(done)
            raise stopped(Path(entry.workspace), error, stuck, writer.theirs) from error
        except (LandingError, SessionError) as error:
            stuck = self._roll_back(done)
            raise LandingError(
                f"{error}{stuck_words(stuck)}{theirs_words(writer.theirs)}"
            ) from error
        self._checkpoint("clean")
        self.clean()
        return Landing(
            entry.landing_id,
            paths(entry.changes),
            left_alone=writer.left_alone,
            notes=tuple(writer.notes),
            written=entry.changes,
        )

    def _given_up(self, conflict: Conflict) -> Landing:
        """Return what came of a landing that was rolled back: where others changed what."""
        writer = self._writer
        operations = {operation.path: operation for operation in writer.operations}
        conflicts = [conflict]
        for path, where in writer.theirs:
            if path == conflict.path and where == path:
                continue
            why = "someone else changed it while the landing was taken back; theirs stays"
            if where != path:
                why = f"what someone else wrote to it meanwhile is kept as {where}"
            sides = operations[path].before, operations[path].after
            base, theirs = (node.blob if node is not None else "" for node in sides)
            ours = self._kept(where)
            conflicts.append(Conflict(path, why, base=base, ours=ours, theirs=theirs))
        return Landing(
            conflicts=tuple(conflicts), left_alone=writer.left_alone, notes=tuple(writer.notes)
        )

    def _kept(self, path: str) -> str:
        with suppress(OSError, SessionError):  # only to be shown
            found = look(self._writer.tree, self._writer.blobs, path)
            if found is not None and found.node is not None:
                return found.node.blob
        return ""

    def clean(self) -> None:
        """Delete what is left under hidden names, once all is done."""
        entry, writer = self._entry, self._writer
        if writer.clean():
            with suppress(LandingError):  # it is only to spare the next start the look
                self._journal.mark(entry, "cleaned", (*entry.left_alone, *writer.left_alone))
        for path, where in writer.theirs:
            writer.notes.append(f"{path}: what someone else wrote to it meanwhile is in {where}")

    def _roll_back(self, done: Sequence[Operation]) -> list[str]:
        """Take performed operations back, newest first; return the paths where that failed.

        What someone else changed meanwhile stays, and is in `writer.theirs` then.
        """
        entry, writer = self._entry, self._writer
        stuck: list[str] = []
        with suppress(LandingError):  # without this mark a crash now would roll forward: whole too
            self._journal.mark(entry, "rolling_back")
        for number, operation in enumerate(reversed(done)):
            self._checkpoint(f"revert {number}")
            try:
                writer.revert(operation)
            except ChangedMeanwhileError:
                writer.theirs.append((operation.path, operation.path))
            except OSError:
                stuck.append(operation.path)
        if writer.started:
            for operation in entry.operations:  # where giving back was refused at first
                if writer.leftovers.mend(operation):
                    writer.theirs.append((operation.path, operation.path))
        self._checkpoint("rolled back")
        if not stuck and writer.clean(untouched=not writer.started):
            with suppress(LandingError):
                self._journal.mark(entry, "rolled_back", writer.left_alone)
        return stuck


def stopped(
    workspace: Path,
    error: OSError,
    stuck: Sequence[str] = (),
    theirs: Sequence[tuple[str, str]] = (),
) -> LandingError:
    """Say that the disk or a permission refused, and how the tree stands."""
    where = f" at {os.fsdecode(error.filename)!r}" if error.filename else ""
    stands = "Most of the tree" if stuck or theirs else "The tree"
    return LandingError(
        f"Landing in {workspace} stopped{where}: {error.strerror}. "
        f"{stands} is as it was; make room or mend the permission, then try again."
        f"{stuck_words(stuck)}{theirs_words(theirs)}"
    )
