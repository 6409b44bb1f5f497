"""What the user decides on a step's changes: checked against them, then put into the log."""

from __future__ import annotations

from collections.abc import Collection

from turbo_tui.core import events as ev
from turbo_tui.core.changes import FileChange
from turbo_tui.core.choosing import changed_lines
from turbo_tui.core.diffs import MOST_TEXT_BYTES, WHOLE_FILE, Hunk, has_lines, is_editable
from turbo_tui.core.errors import UsageError
from turbo_tui.core.matching import lines_of
from turbo_tui.core.merge import Taken
from turbo_tui.core.views import Decisions, StepState
from turbo_tui.engine.feedback import feedback_of
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.settling import (
    refuse_markers,
    refuse_when_clashing,
    shown,
    without_added_end,
)

COMMENT_CHARS = 2_000


class Reviewing:
    """Take decisions on hunks, lines, files and folders of steps that wait for them."""

    def __init__(self, footing: Footing) -> None:
        self._footing = footing

    def decide_hunk(
        self, step_id: str, path: str, hunk: int, *, accepted: bool, changes: str = ""
    ) -> None:
        """Accept or reject one hunk with all its lines, or with `hunk` -1 the whole file."""
        state, change = self._under_review(step_id, path, changes, whole=hunk == WHOLE_FILE)
        if hunk != WHOLE_FILE:
            count = self._count(state, change)
            if hunk not in range(count):
                refuse_when_clashing(self._decisions(state).choice(path), path)
                raise UsageError(f"{path} has no hunk {hunk + 1}; look at it again.")
            self._refuse_when_rewritten(state, path, beside_clashes=True)
            if accepted:
                self._reject_others(state, path, hunk, count)
        self._log(ev.HunkDecided(step_id, state.shown, path, hunk, accepted))

    def decide_lines(
        self,
        step_id: str,
        path: str,
        hunk: int,
        lines: Collection[int],
        *,
        accepted: bool,
        changes: str = "",
    ) -> None:
        """Accept or reject single added or removed lines; context lines among them are passed by.

        A rejected added line is not written, a rejected removed line stays. Accepting lines of
        a hunk that is left out takes in those and no others.

        Args:
            step_id: A step under review.
            path: A file in its change set.
            hunk: Index of a hunk.
            lines: Indices into the hunk's lines.
            accepted: They happen.
            changes: The change set that this was decided on; empty: the one that is shown.

        Raises:
            UsageError: There is no such hunk or line, the file has no lines to choose, or the
                hunk or the file was rewritten; or `changes` is no longer what is shown.
        """
        state, change = self._under_review(step_id, path, changes)
        found = self._hunk(change, hunk)
        self._refuse_when_rewritten(state, path, hunk)
        beyond = [line for line in lines if line not in range(len(found.lines))]
        if beyond:
            raise UsageError(f"Hunk {hunk + 1} of {path} has no line {beyond[0] + 1}.")
        changed = changed_lines(found)
        chosen = changed.intersection(lines)
        if not chosen:
            raise UsageError("Only added and removed lines can be chosen; pick one of those.")
        rejected = self._decisions(state).rejected.get(path, frozenset())
        if rejected.isdisjoint({hunk, WHOLE_FILE}):
            self._log(self._lines(state, path, hunk, chosen, accepted=accepted))
        elif accepted and chosen == changed:
            self.decide_hunk(step_id, path, hunk, accepted=True)
        elif accepted:
            self._reject_others(state, path, hunk, len(self._hunks(change)))
            # One event: there is no moment in which a line is in that nobody accepted.
            self._log(self._lines(state, path, hunk, changed - chosen, accepted=False))

    def edit_hunk(
        self, step_id: str, path: str, hunk: int, content: bytes | None, *, changes: str = ""
    ) -> None:
        """Let other bytes land in the place of a hunk's new side; None takes the edit back.

        The new side is all of the hunk's lines but the removed ones, context included. A hunk
        that is left out is taken in.

        Raises:
            UsageError: There is no such hunk, or too much content; or the file lands whole, or
                was rewritten as a whole.
        """
        state, change = self._under_review(step_id, path, changes)
        found = self._hunk(change, hunk)
        self._refuse_when_rewritten(state, path)
        _refuse_too_much(content, path)
        decided = self._decisions(state)
        was = b"".join(line.content for line in found.lines if line.kind != "-")
        blob = "" if content in {None, was} else self._footing.review.put(content or b"")
        rejected = decided.rejected.get(path, frozenset())
        if blob and not rejected.isdisjoint({hunk, WHOLE_FILE}):
            self.decide_hunk(step_id, path, hunk, accepted=True)
        if blob != decided.edited.get(path, {}).get(hunk, ""):
            self._log(ev.HunkEdited(step_id, state.shown, path, hunk, blob))

    def edit_content(
        self, step_id: str, path: str, content: bytes | None, *, changes: str = ""
    ) -> None:
        """Let a file land with other content, whatever is decided on its hunks.

        None takes that back. A file that is left out is taken in.

        Raises:
            UsageError: The step deletes it, or it is no file, or there is too much content.
        """
        state, change = self._under_review(step_id, path, changes)
        if not is_editable(change):
            raise UsageError(
                f"{path} cannot be edited here: it is deleted, no file, or larger than "
                f"{MOST_TEXT_BYTES // 1_000_000} MB. Accept or reject it as a whole."
            )
        _refuse_too_much(content, path)
        decided = self._decisions(state)
        choice = decided.choice(path)
        if choice.clashing is not None and content is not None:
            refuse_markers(self._footing, change, content)
            content = without_added_end(self._footing, change, content)
        blob = "" if content is None else self._footing.review.put(content)
        as_made = change.after is not None and blob == change.after.blob
        if as_made and not choice.edited and choice.clashing is None:
            blob = ""
        left_out = self._is_left_out(decided, change)
        if blob and left_out:
            self._log(ev.HunkDecided(step_id, state.shown, path, WHOLE_FILE, accepted=True))
        if blob != decided.contents.get(path, ""):
            self._log(ev.ContentEdited(step_id, state.shown, path, blob))

    def comment(
        self, step_id: str, path: str, line: int, side: ev.Side, text: str, *, changes: str = ""
    ) -> None:
        """Write a word on a line (1-based, on that side), for the next attempt; empty removes it.

        Raises:
            UsageError: There is no such line.
        """
        state, change = self._under_review(step_id, path, changes)
        said = text.strip()
        if len(said) > COMMENT_CHARS:
            raise UsageError(f"A comment holds {COMMENT_CHARS:,} characters at most.")
        node = change.before if side == "old" else change.after
        readable = node is not None and node.kind == "file" and node.size_bytes <= MOST_TEXT_BYTES
        count = len(lines_of(self._footing.review.content(node))) if readable else 0
        if said and not 1 <= line <= count:
            raise UsageError(f"{path} has no line {line} on its {side} side.")
        if said != self._decisions(state).comment(path, line, side):
            self._log(ev.LineCommented(step_id, state.shown, path, line, side, said))

    def decide_ignored(
        self, step_id: str, folder: str, *, accepted: bool, changes: str = ""
    ) -> None:
        """Switch landing of an ignored folder's files on or off."""
        state = self.shown(step_id, changes)
        self._log(ev.IgnoredDecided(step_id, state.shown, folder, accepted))

    def has_comments(self, state: StepState) -> bool:
        """Tell whether there is a word on a line of what is under review."""
        return bool(self._decisions(state).comments)

    def feedback(self, state: StepState, words: str) -> str:
        """Join the user's words with the comments on what is under review."""
        comments = self._decisions(state).comments if state.reviewable else ()
        if not comments:
            return words.strip()
        review = self._footing.review
        by_path = {change.path: change for change in review.change_set(state.shown).files}
        return feedback_of(words, comments, by_path, review.content)

    # --- inside ----------------------------------------------------------------

    def shown(self, step_id: str, changes: str = "") -> StepState:
        """Return the state of a step that waits for a decision on that change set.

        Raises:
            UsageError: Nothing of it is to be decided, or another change set is.
        """
        return shown(self._footing, step_id, changes)

    def _under_review(
        self, step_id: str, path: str, changes: str, *, whole: bool = False
    ) -> tuple[StepState, FileChange]:
        state = self.shown(step_id, changes)
        under_review = self._footing.review.change_set(state.shown)
        known = under_review.files
        if whole:  # only the names of ignored files are known before they are switched on
            known += tuple(change for folder in under_review.ignored for change in folder.changes)
        change = next((each for each in known if each.path == path), None)
        if change is None:
            raise UsageError(f"{path} is not among the changes of step {state.step.id}.")
        return state, change

    def _decisions(self, state: StepState) -> Decisions:
        return self._footing.views.review.decisions(state.step.id, state.shown)

    def _hunks(self, change: FileChange) -> tuple[Hunk, ...]:
        """Return a file's hunks; none where it lands whole or not at all."""
        file_diff = self._footing.review.diff(change)
        return file_diff.hunks if file_diff else ()

    def _count(self, state: StepState, change: FileChange) -> int:
        """Count what can be decided on by itself: hunks, or in a file that clashes what merges."""
        clashing = self._decisions(state).clashing.get(change.path)
        if clashing is None:
            return len(self._hunks(change))
        parts = self._footing.review.parts(change, clashing)
        return sum(isinstance(part, Taken) for part in parts)

    def _hunk(self, change: FileChange, hunk: int) -> Hunk:
        """Return a hunk whose lines may be chosen and edited."""
        hunks = self._hunks(change)
        if not hunks or not has_lines(change):
            raise UsageError(f"{change.path} lands whole or not at all: it has no lines to choose.")
        if hunk not in range(len(hunks)):
            raise UsageError(f"{change.path} has no hunk {hunk + 1}; look at it again.")
        return hunks[hunk]

    def _is_left_out(self, decided: Decisions, change: FileChange) -> bool:
        rejected = decided.rejected.get(change.path, frozenset[int]())
        return WHOLE_FILE in rejected or bool(rejected and change.before is None)

    def _reject_others(self, state: StepState, path: str, hunk: int, count: int) -> None:
        """Of a file that is left out as a whole leave out each other hunk by itself."""
        if WHOLE_FILE in self._decisions(state).rejected.get(path, frozenset()):
            for other in range(count):
                if other != hunk:
                    event = ev.HunkDecided(state.step.id, state.shown, path, other, accepted=False)
                    self._log(event)

    def _lines(
        self, state: StepState, path: str, hunk: int, lines: Collection[int], *, accepted: bool
    ) -> ev.LinesDecided:
        chosen = tuple(sorted(lines))
        return ev.LinesDecided(state.step.id, state.shown, path, hunk, chosen, accepted)

    def _refuse_when_rewritten(
        self,
        state: StepState,
        path: str,
        hunk: int = WHOLE_FILE,
        *,
        beside_clashes: bool = False,
    ) -> None:
        decided = self._decisions(state)
        if not beside_clashes:
            refuse_when_clashing(decided.choice(path), path)
        if path in decided.contents:
            raise UsageError(f"You rewrote {path}; take that back to decide on its hunks.")
        if hunk in decided.edited.get(path, {}):
            raise UsageError(
                f"You rewrote hunk {hunk + 1} of {path}; take that back to decide on its lines."
            )

    def _log(self, event: ev.Event) -> None:
        self._footing.log(event, "user")


def _refuse_too_much(content: bytes | None, path: str) -> None:
    if content is not None and len(content) > MOST_TEXT_BYTES:
        raise UsageError(
            f"An edit of {path} holds {MOST_TEXT_BYTES // 1_000_000} MB at most; write the file "
            "in the workspace once it has landed."
        )
