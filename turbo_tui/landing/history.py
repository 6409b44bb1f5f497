"""What stands of all that was ever landed, and what taking it back would write. Pure.

A landing of a step and what took it back and forth are a chain: landing, undo, redo, undo, …
Each is a landing of its own that took back the one before it; the last one is the chain's tip,
and taking back the tip is the next undo or redo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from turbo_tui.core.changes import FileChange, Node, invert
from turbo_tui.core.landings import LandingState
from turbo_tui.landing.journal import Entry

FINISHED = ("done", "cleaned")


class History:
    """Every finished landing of a workspace, oldest first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = [entry for entry in entries if entry.progress in FINISHED]
        self._by_id = {entry.landing_id: entry for entry in self._entries}
        self._taken_back_by = {entry.undoes: entry for entry in self._entries if entry.undoes}

    def chain(self, entry: Entry) -> list[Entry]:
        """Return a landing and what took it back and forth since, the tip last."""
        chain = [entry]
        while (next_one := self._taken_back_by.get(chain[-1].landing_id)) is not None:
            chain.append(next_one)
        return chain

    def stands(self, entry: Entry) -> bool:
        """Tell whether what a landing wrote is in the tree by now."""
        return len(self.chain(entry)) % 2 == 1

    def state(self, entry: Entry) -> LandingState:
        """Say where a landing stands, in a word."""
        if entry.landing_id not in self._by_id:
            return "rolled_back"
        length = len(self.chain(entry))
        if length == 1:
            return "landed"
        return "redone" if length % 2 else "undone"

    def root(self, entry: Entry) -> tuple[Entry, int]:
        """Return the landing of a step that an entry goes back to, and the steps between."""
        depth = 0
        while entry.undoes in self._by_id:
            entry = self._by_id[entry.undoes]
            depth += 1
        return entry, depth

    def after(self, landing_id: str, *, itself: bool = False) -> list[Entry]:
        """Return all that landed after an id, oldest first; ids sort by time."""
        return [
            entry
            for entry in self._entries
            if entry.landing_id > landing_id or (itself and entry.landing_id == landing_id)
        ]

    def followed(self, change: FileChange, since: str) -> FileChange:
        """Return a change at the path to which later landings moved its file.

        A change that moves it itself stays as it is: two moves of one file are at odds.
        """
        if change.before is None or change.moved_from or _is_folder(change.before):
            return change
        at = change.path
        for entry in self._net(since):
            moved_to = self._moves(entry).get(at, "")
            if not moved_to and any(c.path == at and c.after is None for c in entry.changes.files):
                return change  # that file is gone: one of its name is another
            at = moved_to or at
        return replace(change, path=at)

    def _net(self, since: str) -> list[Entry]:
        """Return what landed after an id, without what was taken back again since."""
        last: dict[str, Entry] = {}
        for entry in self.after(since):
            root = self.root(entry)[0].landing_id
            if last.pop(root, None) is None:
                last[root] = entry
        return sorted(last.values(), key=lambda entry: entry.landing_id)

    def _moves(self, entry: Entry) -> dict[str, str]:
        """Return where a landing moved files: old path -> new path."""
        # An inverse that makes room for a file again does not say that it is a move.
        root, depth = self.root(entry)
        moves = {each.moved_from: each.path for each in root.changes.files if each.moved_from}
        return {new: old for old, new in moves.items()} if depth % 2 else moves

    def before(self, later: Sequence[Entry]) -> dict[str, Node | None]:
        """Return what stood at each path that some landings touched, before the first of them."""
        nodes: dict[str, Node | None] = {}
        for entry in later:
            for operation in entry.operations:
                if operation.path not in entry.left_alone:
                    nodes.setdefault(operation.path, operation.before)
        return nodes


def way_back(entry: Entry) -> list[FileChange]:
    """Return what undoes a landing, folders it made on the way to its files included.

    Paths that a third party changed while it was cut off by a crash are theirs: left out.
    """
    way = {change.path: change for change in invert(entry.changes).files}
    named = {change.path for change in entry.changes.files if _is_folder(change.after)}
    for operation in entry.operations:
        path = operation.path
        if operation.kind == "mkdir" and path not in named:
            way.setdefault(path, FileChange(path, operation.after, None))
    return [
        change
        for change in way.values()
        if change.path not in entry.left_alone and change.moved_from not in entry.left_alone
    ]


def _is_folder(node: Node | None) -> bool:
    return node is not None and node.kind == "folder"
