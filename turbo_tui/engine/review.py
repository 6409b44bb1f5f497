"""What is under review and what of it may land."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from turbo_tui.core import changes as ch
from turbo_tui.core import choosing, clashes, diffs
from turbo_tui.core.errors import UsageError
from turbo_tui.core.landings import Conflict
from turbo_tui.core.merge import Clash, Part, marked_lines
from turbo_tui.core.ports import Blobs
from turbo_tui.core.views import Decisions


class Review:
    """Read change sets and their diffs by blob; compute what a person's decisions select."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._diff = lru_cache(maxsize=256)(self._compare)

    def keep(self, changes: ch.ChangeSet) -> str:
        """Keep a change set; return the blob that an approval binds to."""
        return self._blobs.put(ch.to_json(changes))

    def put(self, content: bytes) -> str:
        """Keep bytes that the user wrote; return their blob."""
        return self._blobs.put(content)

    def change_set(self, blob: str) -> ch.ChangeSet:
        """Return a kept change set.

        Raises:
            SessionError: The blob is missing or not what its hash says.
        """
        return ch.from_json(self._blobs.get(blob))

    def bytes_of(self, blob: str) -> bytes:
        """Return kept bytes, as the user wrote them.

        Raises:
            SessionError: The blob is missing or not what its hash says.
        """
        return self._blobs.get(blob)

    def diff(self, change: ch.FileChange) -> diffs.FileDiff | None:
        """Return a file's hunks; None where it lands whole or not at all (binary, mode, …)."""
        return self._diff(change)

    def content(self, node: ch.Node | None) -> bytes:
        """Return a side's content; empty for nothing and for folders."""
        return b"" if node is None or not node.blob else self._blobs.get(node.blob)

    def hunk_text(self, change: ch.FileChange, hunk: int, decisions: Decisions) -> bytes:
        """Return what stands in the place of a hunk now: what an editor begins with.

        Raises:
            UsageError: There is no such hunk.
        """
        file_diff = self.diff(change)
        if file_diff is None or hunk not in range(len(file_diff.hunks)):
            raise UsageError(f"{change.path} has no hunk {hunk + 1}; look at it again.")
        choice = decisions.choice(change.path)
        return choosing.new_side(file_diff.hunks[hunk], hunk, choice, self._blobs.get)

    def lands(self, change: ch.FileChange, decisions: Decisions) -> ch.FileChange | None:
        """Return what lands of one change by itself; None when nothing of it does.

        Raises:
            UsageError: A decision names what the change does not have.
        """
        choice = decisions.choice(change.path)
        return choosing.choose(change, choice, self._blobs.get, self._blobs.put)

    def onto(self, selected: ch.ChangeSet, conflicts: Sequence[Conflict]) -> clashes.Onto:
        """Carry what was to land over to the workspace as it is now."""
        return clashes.onto(selected, conflicts, self._blobs.get, self._blobs.put)

    def went_to(self, conflict: Conflict, selected: ch.ChangeSet) -> str:
        """Return the new file that holds most of one that the step deletes; empty for none."""
        return clashes.went_to(conflict, selected, self._blobs.get)

    def parts(self, change: ch.FileChange, clashing: clashes.Clashing) -> list[Part]:
        """Take a file that both sides changed apart; empty where it is one or the other."""
        return clashes.clash_parts(change, clashing, self._blobs.get)

    def clash_text(
        self,
        change: ch.FileChange,
        clashing: clashes.Clashing,
        place: int,
        sides: clashes.Sides = clashes.LANDING,
    ) -> bytes:
        """Return what an editor begins with: what was settled there, or all versions, marked.

        Args:
            change: Of a file that both sides changed.
            clashing: What was settled of it.
            place: One of its places, or `clashes.WHOLE`: all of the file.
            sides: What the versions are called at markers.

        Raises:
            UsageError: There is no such place.
        """
        if place == clashes.WHOLE:
            return clashes.settled_content(change, clashing, self._blobs.get, marked=sides)
        found = [part for part in self.parts(change, clashing) if isinstance(part, Clash)]
        if place not in range(len(found)):
            raise UsageError(f"{change.path} has no conflict {place + 1}; look at it again.")
        settled = clashing.settled.get(place)
        if settled is None:
            return b"".join(marked_lines(found[place], sides.mine, sides.theirs))
        return b"".join(clashes.taken(found[place], settled, self._blobs.get))

    def selected(self, changes: ch.ChangeSet, decisions: Decisions) -> ch.ChangeSet:
        """Return the change set that lands: all of `changes` but for what was decided.

        Raises:
            UsageError: A decision names what the change set does not have.
        """
        return choosing.select(
            changes,
            decisions.choices,
            decisions.ignored_on,
            content=self._blobs.get,
            keep=self._blobs.put,
        )

    def _compare(self, change: ch.FileChange) -> diffs.FileDiff | None:
        return diffs.diff_of(change, self._blobs.get)
