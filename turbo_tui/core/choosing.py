"""What of a change set lands: the change set that a person's choice leaves.

A choice names hunks and lines by their position in the diff of the reviewed change, which is
always the same for the same contents. Whatever was chosen, each line that lands stems from the
file as it was, from the step's, or from the user's own edit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from turbo_tui.core.changes import ChangeSet, FileChange, Node, parents
from turbo_tui.core.clashes import WHOLE, Clashing, Keep, open_words, settled_content
from turbo_tui.core.diffs import (
    MOST_TEXT_BYTES,
    WHOLE_FILE,
    Content,
    Hunk,
    diff_of,
    ended,
    has_choice,
    has_lines,
    is_editable,
    splice,
)
from turbo_tui.core.errors import UsageError
from turbo_tui.core.matching import lines_of


@dataclass(frozen=True, slots=True)
class FileChoice:
    """What of one file lands: all of its change but for this. Empty: all of it.

    Attributes:
        rejected: Hunks that stay as they were, or `WHOLE_FILE`, which wins over all the rest.
        left_out: Hunk -> indices of its added and removed lines that do not happen.
        edited: Hunk -> blob of the bytes in the place of its new side; wins over `left_out`.
        content: Blob of the whole file as it lands; wins over all that concerns hunks.
        clashing: How it meets the user's own change; there are no hunks to choose then.
    """

    rejected: frozenset[int] = frozenset()
    left_out: Mapping[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    edited: Mapping[int, str] = field(default_factory=dict[int, str])
    content: str = ""
    clashing: Clashing | None = None

    @property
    def is_all(self) -> bool:
        """The change lands as the step made it."""
        chosen = self.rejected or self.left_out or self.edited or self.content
        return not chosen and self.clashing is None


ALL = FileChoice()


def select(
    changes: ChangeSet,
    choices: Mapping[str, FileChoice],
    ignored_on: Collection[str],
    content: Content,
    keep: Keep,
) -> ChangeSet:
    """Return the change set that lands: all of `changes` but for what was chosen otherwise.

    Args:
        changes: What was reviewed.
        choices: Path -> what of it lands. Leaving out every hunk, or every line of all hunks,
            is rejecting the file, its mode and its move included.
        ignored_on: Ignored folders whose files land too; they join `files`.
        content: Fetches a blob.
        keep: Stores content that only a choice makes; returns its blob.

    Returns:
        Files in path order, none ignored. A file that ends as it was is not among them. What
        cannot stand without something rejected (a folder's removal when a file in it stays)
        is left out too, with a note.

    Raises:
        UsageError: A choice names a path, hunk or line that the change set does not have, or
            edits what is no file; or a clash is not settled.
    """
    switched_on = [folder for folder in changes.ignored if folder.folder in ignored_on]
    reviewed = [*changes.files, *(change for folder in switched_on for change in folder.changes)]
    known = {change.path for change in reviewed}
    hidden = {change.path for folder in changes.ignored for change in folder.changes}
    strange = [path for path in choices if path not in known and path not in hidden]
    if strange:
        raise UsageError(f"{strange[0]!r} was decided on but is not in this change set.")
    kept: list[FileChange] = []
    dropped = [
        change
        for folder in changes.ignored
        if folder not in switched_on
        for change in folder.changes
    ]
    for change in reviewed:
        chosen = choose(change, choices.get(change.path, ALL), content, keep)
        if chosen is None:
            dropped.append(change)
        else:
            kept.append(chosen)
    kept, notes = _without_orphans(kept, dropped)
    return ChangeSet(
        files=tuple(sorted(kept, key=lambda change: change.path)),
        notes=(*changes.notes, *notes),
        warnings=changes.warnings,
    )


# --- one file ----------------------------------------------------------------


def choose(
    change: FileChange, choice: FileChoice, content: Content, keep: Keep
) -> FileChange | None:
    """Return what lands of one change; None when nothing does.

    Raises:
        UsageError: As `select`.
    """
    if choice.is_all:
        return change
    if WHOLE_FILE in choice.rejected or (choice.rejected and not has_choice(change)):
        return None
    if choice.content:
        return _with_content(change, content(choice.content), choice.content)
    if choice.clashing is not None:
        return _settled(change, choice.clashing, content, keep)
    file_diff = diff_of(change, content)
    if (choice.left_out or choice.edited) and (file_diff is None or not has_lines(change)):
        raise UsageError(f"{change.path!r} lands whole or not at all: it has no lines to choose.")
    parts = _parts(change.path, file_diff.hunks, choice, content) if file_diff else {}
    if file_diff is None or not parts:
        return None
    before = content(change.before.blob) if change.before is not None else b""
    made = splice(before, file_diff.hunks, parts)
    return _with_content(change, made, keep(made))


def _settled(
    change: FileChange, clashing: Clashing, content: Content, keep: Keep
) -> FileChange | None:
    """Return what lands of a file that both sides changed."""
    if clashing.blocked:
        return change
    if clashing.places:
        made = settled_content(change, clashing, content)
        return _with_content(change, made, keep(made))
    whole = clashing.settled.get(WHOLE)
    if whole is None:
        raise UsageError(open_words(change.path, WHOLE, 0))
    return change if whole.take == "theirs" else None


def _parts(
    path: str, hunks: Sequence[Hunk], choice: FileChoice, content: Content
) -> dict[int, list[bytes]]:
    """Return the lines that stand in the place of each hunk of which something lands."""
    named = {*choice.rejected, *choice.left_out, *choice.edited}
    beyond = sorted(index for index in named if index not in range(len(hunks)))
    if beyond:
        raise UsageError(
            f"Hunk {beyond[0]} of {path!r} was decided on, but it has {len(hunks)} hunks."
        )
    parts: dict[int, list[bytes]] = {}
    for index, hunk in enumerate(hunks):
        left_out = choice.left_out.get(index, frozenset[int]())
        changed = changed_lines(hunk)
        strange = sorted(left_out - changed)
        if strange:
            raise UsageError(
                f"Line {strange[0]} of hunk {index} of {path!r} was decided on, but no line is "
                "added or removed there."
            )
        if index not in choice.rejected and (index in choice.edited or left_out != changed):
            parts[index] = lines_of(new_side(hunk, index, choice, content))
    return parts


def new_side(hunk: Hunk, index: int, choice: FileChoice, content: Content) -> bytes:
    """Return what stands in the place of a hunk: as edited, or without the lines left out.

    That the hunk itself may be rejected is passed by: it is what an editor begins with.
    """
    if index in choice.edited:
        return content(choice.edited[index])
    left_out = choice.left_out.get(index, frozenset[int]())
    lines = [
        line.content
        for number, line in enumerate(hunk.lines)
        if line.kind == " " or (line.kind == "+") != (number in left_out)
    ]
    return b"".join(ended(lines))


def changed_lines(hunk: Hunk) -> frozenset[int]:
    """Return the indices of a hunk's added and removed lines: those that are decided on."""
    return frozenset(number for number, line in enumerate(hunk.lines) if line.kind != " ")


def _with_content(change: FileChange, made: bytes, blob: str) -> FileChange | None:
    """Return a change that ends with other content; None where nothing is changed any more."""
    after = change.after
    if after is None or not is_editable(change):
        raise UsageError(
            f"{change.path!r} cannot be edited here: only a file of up to "
            f"{MOST_TEXT_BYTES // 1_000_000} MB can, that the step does not delete."
        )
    after = replace(after, size_bytes=len(made), blob=blob)
    if after == change.before and not change.moved_from:
        return None
    return replace(change, after=after)


# --- what cannot stand without something else ----------------------------------


def _without_orphans(
    kept: list[FileChange], dropped: Sequence[FileChange]
) -> tuple[list[FileChange], list[str]]:
    """Leave out changes that would collide with a path that stays as it was."""
    notes: list[str] = []
    staying = {
        change.moved_from or change.path: change.before
        for change in dropped
        if change.before is not None
    }
    while True:
        holding = {folder: path for path in staying for folder in parents(path)}
        clashes = {change: _clash(change, staying, holding) for change in kept}
        fresh = {change: path for change, path in clashes.items() if path}
        if not fresh:
            return kept, sorted(notes)
        for change, path in fresh.items():
            notes.append(f"{change.path}: left out, because {path} stays as it was")
            if change.before is not None:
                staying[change.moved_from or change.path] = change.before
        kept = [change for change in kept if change not in fresh]


def _clash(change: FileChange, staying: Mapping[str, Node], holding: Mapping[str, str]) -> str:
    """Return a staying path that a change needs to be gone; empty when there is none.

    Args:
        change: One that is to land.
        staying: What stays.
        holding: Every folder above something that stays -> that path.
    """
    before, after = change.before, change.after
    if after is not None:
        for path in (change.path, *parents(change.path)):
            if path in staying and staying[path].kind != "folder":
                return path
    leaves = after is None or after.kind != "folder" or bool(change.moved_from)
    if before is not None and before.kind == "folder" and leaves:
        return holding.get(change.moved_from or change.path, "")
    return ""
