"""A step's change set -> what the diff pane shows, with the marks of what was decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from turbo_tui.app.cards import ground_words
from turbo_tui.app.present_clashes import clash_file
from turbo_tui.app.present_lines import compared_lines, line_words, shown_lines
from turbo_tui.core import diffs
from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.choosing import FileChoice
from turbo_tui.core.clashes import LANDING, Sides
from turbo_tui.core.errors import SessionError
from turbo_tui.core.views import Comment, Decisions, StepState, Turn
from turbo_tui.engine.review import Review
from turbo_widgets.diff_pane import (
    DiffComment,
    DiffFile,
    DiffHunk,
    DiffIgnored,
    DiffLine,
    DiffValue,
)


def subject_of(step_id: str, changes: str) -> str:
    """Name what a diff is about: a step, and the change set (its blob) that is shown of it."""
    return f"{step_id}:{changes}"


def about(subject: str) -> tuple[str, str]:
    """Return step and change set of a subject."""
    step_id, _, changes = subject.rpartition(":")
    return step_id, changes


class DiffPresenter:
    """Turn a step's change set into what the diff pane shows; hunks are decoded once.

    Args:
        review: Where change sets and contents are read.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._files: dict[tuple[str, str], DiffFile] = {}

    def show(self, state: StepState, decisions: Decisions, turn: Turn | None = None) -> DiffValue:
        """Show a step's changes with the marks of what was decided; or of the undo or redo `turn`.

        May read many contents the first time: call it off the event loop.
        """
        blob = state.shown
        if not blob:
            return self._landed(state) or empty_diff(state)
        changes = self._review.change_set(blob)
        sides = turn.sides if turn is not None else LANDING
        files: list[DiffFile] = []
        for change in changes.files:
            file = self._files.get((blob, change.path))
            if file is None:
                file = self._files[blob, change.path] = self._file(change)
            why = state.conflicts.get(change.path, "")
            if why:
                word = _meeting(state, decisions, change.path, sides)
                file = replace(file, notes=(f"{word}: {why}", *file.notes))
            if state.reviewable:
                file = replace(
                    file,
                    by_line=bool(file.hunks) and diffs.has_lines(change),
                    editable=diffs.is_editable(change),
                )
            marked = self._decided(change, file, decisions.choice(change.path), sides)
            files.append(_commented(marked, decisions.comments))
        ignored = tuple(
            DiffIgnored(folder.folder, len(folder.changes), folder.folder in decisions.ignored_on)
            for folder in changes.ignored
        )
        message = ""
        shown = {change.path for change in changes.files}
        elsewhere = [f"{path}: {why}" for path, why in state.conflicts.items() if path not in shown]
        if elsewhere:
            message = "\n".join(elsewhere)
        return DiffValue(
            title=f"step {state.step.id}" if turn is None else state.step.title,
            files=tuple(files),
            ignored=ignored,
            warnings=changes.warnings,
            notes=(*ground_words(state), *changes.notes),
            message=message,
            decidable=state.reviewable,
            commentable=state.reviewable and turn is None,
            goes_back=turn is not None and turn.way == "undo",
            subject=subject_of(state.step.id, blob),
        )

    def _landed(self, state: StepState) -> DiffValue | None:
        """Show what landed of a step; None if nothing did, or it is no longer kept."""
        if state.status != "landed" or not state.selected:
            return None
        try:
            changes = self._review.change_set(state.selected)
        except SessionError:
            return None
        value = self.changes(changes, f"step {state.step.id}")
        return replace(value, message=f"Step {state.step.id} has landed.")

    def changes(self, changes: ChangeSet, title: str, notes: Sequence[str] = ()) -> DiffValue:
        """Show a change set that nothing is decided on; call it off the event loop."""
        return DiffValue(
            title=title,
            files=tuple(self._file(change) for change in changes.files),
            notes=(*notes, *changes.notes),
            decidable=False,
        )

    def _file(self, change: FileChange) -> DiffFile:
        notes = _notes(change, self._review)
        diff = self._review.diff(change)
        if diff is None or not diff.hunks:
            return DiffFile(change.path, change.action, (), notes)
        added, removed = diffs.counts(diff)
        shown = [diffs.display_lines(hunk, tab_size=None) for hunk in diff.hunks]
        crlf = all(line.text.endswith("␍") or line.unterminated for part in shown for line in part)
        if crlf and any(line.text.endswith("␍") for line in shown[0]):
            notes = (*notes, "CRLF line ends")
        hunks = tuple(
            DiffHunk(line_words(hunk), shown_lines(part, crlf=crlf))
            for hunk, part in zip(diff.hunks, shown, strict=True)
        )
        return DiffFile(
            change.path,
            change.action,
            hunks,
            notes,
            added=added,
            removed=removed,
            by_hunk=diffs.has_choice(change) and len(hunks) > 1,
        )

    def _decided(
        self, change: FileChange, file: DiffFile, choice: FileChoice, sides: Sides
    ) -> DiffFile:
        """Put the marks of a choice on a file; what the user wrote is shown as it lands."""
        out = diffs.WHOLE_FILE in choice.rejected
        if choice.content and (choice.clashing is None or not out):
            return self._rewritten(change, file, choice.content, out=out)
        if choice.clashing is not None:
            file = clash_file(change, file, choice.clashing, self._review.bytes_of, sides)
            return _marked(file, choice) if choice.rejected else file
        file = _marked(file, choice)
        shown = self._review.diff(change)
        if shown is None or not choice.edited:
            return file
        hunks = list(file.hunks)
        for index, blob in choice.edited.items():
            if index < len(hunks):
                lines = compared_lines(shown.hunks[index], self._review.bytes_of(blob))
                hunks[index] = replace(hunks[index], lines=lines, edited=True)
        return replace(file, hunks=tuple(hunks))

    def _rewritten(self, change: FileChange, file: DiffFile, blob: str, *, out: bool) -> DiffFile:
        content = self._review.bytes_of(blob)
        mode = change.after.mode if change.after is not None else 0o644
        after = Node("file", mode, len(content), blob)
        made = self._file(replace(change, after=after))
        return replace(
            made,
            hunks=tuple(replace(hunk, accepted=not out) for hunk in made.hunks),
            by_hunk=False,
            by_line=False,
            editable=file.editable,
            edited=True,
            accepted=not out,
        )


def _meeting(state: StepState, decisions: Decisions, path: str, sides: Sides) -> str:
    """Say what came of a file that the user changed as well."""
    if path in decisions.open_clashes or path in decisions.blocked:
        return "conflict"
    if path in decisions.clashing:
        return "settled"
    return sides.merged if state.merged else "conflict"


def _marked(file: DiffFile, choice: FileChoice) -> DiffFile:
    out = diffs.WHOLE_FILE in choice.rejected
    hunks: list[DiffHunk] = []
    for index, hunk in enumerate(file.hunks):
        left_out = choice.left_out.get(index, frozenset[int]())
        lines = _without(hunk.lines, left_out) if left_out else hunk.lines
        accepted = not out and index not in choice.rejected
        hunks.append(replace(hunk, lines=lines, accepted=accepted))
    accepted = not out and not (choice.rejected and not file.by_hunk)
    return replace(file, hunks=tuple(hunks), accepted=accepted)


def _without(lines: tuple[DiffLine, ...], left_out: Collection[int]) -> tuple[DiffLine, ...]:
    marked: list[DiffLine] = []
    index = -1
    for line in lines:
        index += line.kind != "note"
        out = line.kind != "note" and index in left_out
        marked.append(replace(line, accepted=False) if out else line)
    return tuple(marked)


def hunk_lines(hunk: DiffHunk, shown: Collection[int]) -> tuple[int, ...]:
    """Return the indices that the engine knows for lines as the pane counts them."""
    index = -1
    found: list[int] = []
    for place, line in enumerate(hunk.lines):
        index += line.kind != "note"
        if place in shown and line.kind != "note":
            found.append(index)
    return tuple(found)


def _commented(file: DiffFile, comments: Sequence[Comment]) -> DiffFile:
    here = [each for each in comments if each.path == file.path]
    if not here:
        return file
    hunks = list(file.hunks)
    for comment in here:
        index, line = _place_of(hunks, comment)
        if index < len(hunks):
            said = DiffComment(line, comment.text)
            hunks[index] = replace(hunks[index], comments=(*hunks[index].comments, said))
    return replace(file, hunks=tuple(hunks))


def _place_of(hunks: Sequence[DiffHunk], comment: Comment) -> tuple[int, int]:
    """Return hunk and line of a comment; the first hunk's heading where its line is not shown."""
    for index, hunk in enumerate(hunks):
        for place, line in enumerate(hunk.lines):
            number = line.old if comment.side == "old" else line.new
            if number == comment.line and (comment.side == "new" or line.kind == "removed"):
                return index, place
    return 0, -1


def _notes(change: FileChange, review: Review) -> tuple[str, ...]:
    before, after = change.before, change.after
    notes: list[str] = []
    if change.moved_from:
        notes.append(f"moved from {change.moved_from}")
    if not change.base_known:
        notes.append("the file changed while the step ran: both versions are shown, not merged")
    if before and after and before.kind != after.kind:
        notes.append(f"a {before.kind} becomes a {after.kind}")
    if before and after and before.mode != after.mode:
        notes.append(f"mode {before.mode:o} becomes {after.mode:o}")
    if after and not before and after.kind == "file" and after.mode & 0o111:
        notes.append(f"executable (mode {after.mode:o})")
    for node, word in ((before, "was"), (after, "is")):
        if node and node.kind == "symlink":
            target = review.content(node).decode(errors="surrogateescape")
            notes.append(f"{word} a link to {target}")
        if node and node.kind == "folder":
            notes.append(f"{word} a folder")
    if _is_blob(before, review) or _is_blob(after, review):
        sizes = [_size(node) for node in (before, after) if node]
        notes.append(f"not shown as text: {' becomes '.join(sizes)}")
    return tuple(notes)


def _is_blob(node: Node | None, review: Review) -> bool:
    if node is None or node.kind != "file" or not node.size_bytes:
        return False
    return node.size_bytes > diffs.MOST_TEXT_BYTES or diffs.is_binary(review.content(node))


def _size(node: Node) -> str:
    size = float(node.size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1_000:  # noqa: PLR2004 (the unit itself)
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"


def empty_diff(state: StepState | None) -> DiffValue:
    """Say why there is nothing to see."""
    if state is None:
        return DiffValue(message="What a step changes is shown here, before it lands.")
    words = {
        "proposed": "has not run yet.",
        "running": "is running; its changes are shown when it is done.",
        "landed": "has landed: " + (", ".join(state.paths) or "nothing"),
        "done": "is done and changed no files.",
        "rejected": "was rejected; nothing of it landed.",
        "skipped": "was skipped.",
        "failed": "failed before it changed any file.",
        "interrupted": "was cut off before it changed any file.",
    }
    word = words.get(state.status, state.status)
    said = state.reason.strip() if state.status in {"done", "failed"} else ""
    message = f"Step {state.step.id} {word}"
    return DiffValue(f"step {state.step.id}", message=message, body=said, decidable=False)
