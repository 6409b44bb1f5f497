"""What the user says where a change meets their own: checked, then put into the log."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.changes import FileChange
from turbo_tui.core.choosing import FileChoice
from turbo_tui.core.clashes import WHOLE, Clashing, leftover_marker, open_words
from turbo_tui.core.diffs import WHOLE_FILE
from turbo_tui.core.errors import UsageError
from turbo_tui.core.views import Decisions, StepState
from turbo_tui.engine.footing import Footing


class Settling:
    """Take answers to clashes of steps, undos and redos that were refused."""

    def __init__(self, footing: Footing) -> None:
        self._footing = footing

    def settle(
        self, step_id: str, path: str, place: int, take: ev.Take, *, changes: str = ""
    ) -> None:
        """Keep mine, take the other side, or both, where they clash.

        Args:
            step_id: A step whose landing was refused; or as `views.Turn.key`.
            path: A file of it where both sides clash.
            place: Which clash, from 0; `WHOLE`: all of them, or the file as one.
            take: Not `written`; see `write`.
            changes: The change set that this was decided on; empty: the one that is shown.

        Raises:
            UsageError: There is no such clash, or both cannot stand there; or the file was
                rewritten, or `changes` is no longer what is shown.
        """
        state, change, clashing = self._clashing(step_id, path, changes)
        if clashing.blocked:
            raise UsageError(
                f"{path}: {state.conflicts.get(path, 'something is in its way')}. There is "
                "nothing to settle: move that away and try again, or leave the file out."
            )
        if not clashing.places and take == "both":
            raise UsageError(f"{path} is one or the other: keep yours, or take the other.")
        known = range(clashing.places) if clashing.places else (WHOLE,)
        if place not in {*known, WHOLE}:
            raise UsageError(f"{path} has no conflict {place + 1}; look at it again.")
        self._take_in(state, change)
        for each in known if place == WHOLE else (place,):
            self._log(state, path, each, take)

    def write(
        self, step_id: str, path: str, place: int, content: bytes, *, changes: str = ""
    ) -> None:
        """Let bytes written by hand stand in the place of a clash.

        Raises:
            UsageError: There is no such clash, or a conflict marker is left in what was
                written; or as `settle`.
        """
        state, change, clashing = self._clashing(step_id, path, changes)
        if place not in range(clashing.places):
            raise UsageError(f"{path} has no conflict {place + 1} to edit; look at it again.")
        refuse_markers(self._footing, change, content)
        content = without_added_end(self._footing, change, content)
        self._take_in(state, change)
        self._log(state, path, place, "written", self._footing.review.put(content))

    def refuse_when_open(self, state: StepState) -> None:
        """Refuse to land while nothing was said of a clash.

        Raises:
            UsageError: Names the first.
        """
        decided = self._decisions(state)
        for path, places in decided.open_clashes.items():
            raise UsageError(open_words(path, places[0], decided.clashing[path].places))

    # --- inside ------------------------------------------------------------------

    def _clashing(
        self, step_id: str, path: str, changes: str
    ) -> tuple[StepState, FileChange, Clashing]:
        state = shown(self._footing, step_id, changes)
        clashing = self._decisions(state).clashing.get(path)
        files = self._footing.review.change_set(state.shown).files
        change = next((each for each in files if each.path == path), None)
        if clashing is None or change is None:
            raise UsageError(f"{path} does not clash with a change of yours.")
        if path in self._decisions(state).contents:
            raise UsageError(f"You rewrote {path}; take that back to settle its conflicts.")
        return state, change, clashing

    def _decisions(self, state: StepState) -> Decisions:
        return self._footing.views.review.decisions(state.step.id, state.shown)

    def _take_in(self, state: StepState, change: FileChange) -> None:
        if WHOLE_FILE in self._decisions(state).rejected.get(change.path, ()):
            event = ev.HunkDecided(
                state.step.id, state.shown, change.path, WHOLE_FILE, accepted=True
            )
            self._footing.log(event, "user")

    def _log(self, state: StepState, path: str, place: int, take: ev.Take, blob: str = "") -> None:
        event = ev.ClashSettled(state.step.id, state.shown, path, place, take, blob)
        self._footing.log(event, "user")


def shown(footing: Footing, step_id: str, changes: str) -> StepState:
    """Return the state of a step, undo or redo that waits for a decision on that change set.

    Raises:
        UsageError: Nothing of it is to be decided, or another change set is.
    """
    state = footing.under_review(step_id)
    if changes and changes != state.shown:
        raise UsageError("What is shown is no longer what you decided on; look at it again.")
    return state


def refuse_markers(footing: Footing, change: FileChange, written: bytes) -> None:
    """Refuse what still has conflict markers in it, unless a side had them itself.

    Raises:
        UsageError: It has.
    """
    sides = (footing.review.content(node) for node in (change.before, change.after))
    found = leftover_marker(written, *sides)
    if found is not None:
        number, marker = found
        raise UsageError(
            f"{change.path} still has a conflict marker in line {number} of what you wrote "
            f"({marker}). Leave only the lines that shall stand there."
        )


def without_added_end(footing: Footing, change: FileChange, written: bytes) -> bytes:
    """Return what was written without an end of the last line that no side had.

    It was added for the markers' sake, which stand on lines of their own.
    """
    sides = [footing.review.content(node) for node in (change.before, change.after)]
    if any(not side or side.endswith(b"\n") for side in sides):
        return written
    bare = written.removesuffix(b"\n").removesuffix(b"\r")
    # A blank last line was meant. Before other lines an end is put on again.
    return written if bare.endswith(b"\n") or not bare else bare


def refuse_when_clashing(choice: FileChoice, path: str) -> None:
    """Refuse to decide on lines of a file that clashes: they are not what lands.

    Raises:
        UsageError: It clashes.
    """
    if choice.clashing is not None:
        raise UsageError(
            f"{path} meets your own change: settle its conflicts, leave out what merges beside "
            "them, edit the whole file, or leave all of it out."
        )
