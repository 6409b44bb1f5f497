"""Bring landings to an end that a crash cut off, from what the tree shows.

A crash before the first operation took effect rolls back, a later one rolls forward. A path that
is then neither as before nor as intended was changed by someone else and is left alone.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from turbo_tui.core.changes import Node, moves, parents, paths
from turbo_tui.core.landings import Recovery
from turbo_tui.landing.journal import Entry, Journal
from turbo_tui.landing.operations import Operation, same
from turbo_tui.landing.preimages import Found, look
from turbo_tui.landing.writer import ChangedMeanwhileError, Writer

# Someone else took a path away, stands in its place, or planted a symlink above it.
_IN_THE_WAY = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP)


@dataclass(slots=True)
class Recoverer:
    """Bring one cut-off landing to an end, from what the tree shows."""

    journal: Journal
    entry: Entry
    writer: Writer
    leaves: set[str] = field(init=False)  # where a file or symlink stood or will stand

    def __post_init__(self) -> None:
        self.leaves = {o.path for o in self.entry.operations if o.kind in ("put", "remove")}

    def run(self) -> Recovery:
        """Roll forward when any operation took effect, else back."""
        if self.entry.progress == "begun":
            return self._finish("rolled_back", ())
        for operation in self.entry.operations:
            self._mend_swap(operation)
            self.writer.checkpoint(f"mend {operation.path}")
            self.writer.leftovers.mend(operation)
        chains = self._chains()
        if self.entry.progress == "rolling_back":
            return self._back(chains)
        reached = {path: self._reached(chain) for path, chain in chains.items()}
        if not any(reached.values()):
            theirs = tuple(sorted(path for path, count in reached.items() if count is None))
            return self._finish("rolled_back", theirs)
        return self._forward(reached)

    def _mend_swap(self, operation: Operation) -> None:
        try:
            self.writer.mend_swap(operation)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise

    def _chains(self) -> dict[str, list[Operation]]:
        chains: dict[str, list[Operation]] = {}
        for operation in self.entry.operations:
            chains.setdefault(operation.path, []).append(operation)
        return chains

    def _found(self, path: str) -> Found | None:
        """Look, but not through a symlink that this landing places or has to clear away."""
        for folder in parents(path):
            if folder in self.leaves and not self.writer.tree.is_folder(folder):
                return None
        return look(self.writer.tree, self.writer.blobs, path)

    def _reached(self, chain: Sequence[Operation]) -> int | None:
        """Return how many operations of one path took effect; None when a stranger's stands."""
        try:
            found = self._found(chain[0].path)
        except OSError:  # a symlink above it, or not readable: not ours
            return None
        if found is not None and found.node is None:
            return None
        now = found.node if found is not None else None
        states = [chain[0].before, *(operation.after for operation in chain)]
        for count in range(len(chain), -1, -1):
            wanted = states[count]
            by_mode = any(o.kind == "chmod" for o in chain) or not _is_folder(wanted)
            if same(now, wanted, mode=by_mode):
                return count
        return None

    def _forward(self, reached: dict[str, int | None]) -> Recovery:
        left_alone = {path for path, count in reached.items() if count is None}
        for number, operation in enumerate(self.entry.operations):
            self.writer.checkpoint(f"forward {number}")
            path = operation.path
            count = reached[path]
            if count is None:
                continue
            if count > 0:
                reached[path] = count - 1
                if operation.kind == "mkdir":
                    self.writer.making.finish_folder(operation)
                continue
            if not self._perform(operation):
                left_alone.add(path)
                reached[path] = None
        self.writer.sync_folders()
        return self._finish("completed", tuple(sorted(left_alone)))

    def _perform(self, operation: Operation) -> bool:
        """Carry a missing operation out; False when someone else's change is in the way."""
        try:
            if operation.kind == "put" and not self._prepared(operation):
                return False
            found = look(self.writer.tree, self.writer.blobs, operation.path)
            if found is not None:
                by_mode = operation.kind == "chmod" or not _is_folder(operation.before)
                if not same(found.node, operation.before, mode=by_mode):
                    return False
            self.writer.perform(operation)
        except ChangedMeanwhileError:
            return False
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            return False
        return True

    def _prepared(self, operation: Operation) -> bool:
        """See to it that a hidden file holds all of the new content; False when it is another's."""
        leftovers = self.writer.leftovers
        if leftovers.holds(operation.temp, operation.after, mode=True):
            return True
        if self.writer.tree.lstat(operation.temp) is not None:  # a recovery was cut off writing it
            if not leftovers.is_ours(operation, operation.temp):
                return False
            leftovers.delete_all(operation)
        self.writer.making.write(operation)
        return True

    def _back(self, chains: dict[str, list[Operation]]) -> Recovery:
        """Go on rolling back; what is neither ours nor as before stays."""
        left_alone: set[str] = set()
        reached = {path: self._reached(chain) for path, chain in chains.items()}
        for number, operation in enumerate(reversed(self.entry.operations)):
            self.writer.checkpoint(f"back {number}")
            chain = chains[operation.path]
            count = reached[operation.path]
            if count is None:
                left_alone.add(operation.path)
            elif chain.index(operation) < count:
                try:
                    self.writer.revert(operation)
                except ChangedMeanwhileError:
                    left_alone.add(operation.path)
                except OSError as error:
                    if error.errno not in _IN_THE_WAY:
                        raise
                    left_alone.add(operation.path)
        self.writer.sync_folders()
        return self._finish("rolled_back", tuple(sorted(left_alone)))

    def _finish(
        self, outcome: Literal["completed", "rolled_back"], left_alone: tuple[str, ...]
    ) -> Recovery:
        entry = self.entry
        if outcome == "completed":
            self.journal.mark(entry, "done", left_alone)
        cleaned = self.writer.clean(untouched=entry.progress == "begun")
        left_alone = tuple(sorted({*left_alone, *(where for _, where in self.writer.theirs)}))
        if cleaned:
            done = "cleaned" if outcome == "completed" else "rolled_back"
            self.journal.mark(entry, done, left_alone)
        return Recovery(
            landing_id=entry.landing_id,
            session_id=entry.session_id,
            step_id=entry.step_id,
            outcome=outcome,
            paths=paths(entry.changes),
            moved=moves(entry.changes),
            left_alone=left_alone,
        )


def _is_folder(node: Node | None) -> bool:
    return node is not None and node.kind == "folder"
