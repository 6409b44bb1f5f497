"""Differences of two contents as hunks, and the change set that a person's choice leaves.

Contents are bytes and lines keep their ends, so CRLF, a missing newline at the end and any
encoding pass through unchanged. Hunk indices are stable: the log refers to them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from turbo_tui.core.changes import ChangeSet, FileChange, Node, parents
from turbo_tui.core.errors import UsageError
from turbo_tui.core.matching import Region, changed_regions, lines_of

WHOLE_FILE = -1  # stands for a whole file where a hunk index is expected
CONTEXT_LINES = 3
MOST_TEXT_BYTES = 8_000_000  # a larger file is decided as a whole, like a binary
_BINARY_PROBE_BYTES = 8000  # as git does

LineKind = Literal[" ", "-", "+"]
Content = Callable[[str], bytes]
Keep = Callable[[bytes], str]


class Line(NamedTuple):
    """A line of a hunk; `content` includes its end, if it has one."""

    kind: LineKind
    content: bytes


@dataclass(frozen=True, slots=True)
class Hunk:
    """Neighbouring changes with their context; starts are 0-based line numbers."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """All hunks of one file, in order; their positions are the indices that decisions name."""

    hunks: tuple[Hunk, ...] = ()


# --- diff and apply ----------------------------------------------------------


def diff(before: bytes, after: bytes) -> FileDiff:
    """Compare two texts line by line; the same texts always give the same hunks."""
    old, new = lines_of(before), lines_of(after)
    groups: list[list[Region]] = []
    for region in changed_regions(old, new):
        near = groups and region.old_start - groups[-1][-1].old_end < 2 * CONTEXT_LINES
        if near:
            groups[-1].append(region)
        else:
            groups.append([region])
    return FileDiff(tuple(_hunk(old, new, group) for group in groups))


def _hunk(old: Sequence[bytes], new: Sequence[bytes], regions: Sequence[Region]) -> Hunk:
    first, last = regions[0], regions[-1]
    lead = min(CONTEXT_LINES, first.old_start)
    trail = min(CONTEXT_LINES, len(old) - last.old_end)
    lines: list[Line] = []
    at = first.old_start - lead
    for region in regions:
        lines += [Line(" ", line) for line in old[at : region.old_start]]
        lines += [Line("-", line) for line in old[region.old_start : region.old_end]]
        lines += [Line("+", line) for line in new[region.new_start : region.new_end]]
        at = region.old_end
    lines += [Line(" ", line) for line in old[at : at + trail]]
    old_start, new_start = first.old_start - lead, first.new_start - lead
    return Hunk(
        old_start=old_start,
        old_count=last.old_end + trail - old_start,
        new_start=new_start,
        new_count=last.new_end + trail - new_start,
        lines=tuple(lines),
    )


def apply(before: bytes, hunks: Sequence[Hunk], accepted: Collection[int]) -> bytes:
    """Return `before` with exactly the accepted hunks in it.

    Raises:
        ValueError: The hunks are not a diff of `before`.
    """
    old = lines_of(before)
    result: list[bytes] = []
    at = 0
    for index, hunk in enumerate(hunks):
        end = hunk.old_start + hunk.old_count
        was = [line.content for line in hunk.lines if line.kind != "+"]
        if hunk.old_start < at or old[hunk.old_start : end] != was:
            raise ValueError(f"hunk {index} does not fit: line {hunk.old_start + 1} is different")
        result += old[at : hunk.old_start]
        if index in accepted:
            result += [line.content for line in hunk.lines if line.kind != "-"]
        else:
            result += was
        at = end
    return b"".join(result + old[at:])


def counts(file_diff: FileDiff) -> tuple[int, int]:
    """Return how many lines are added and how many removed."""
    kinds = [line.kind for hunk in file_diff.hunks for line in hunk.lines]
    return kinds.count("+"), kinds.count("-")


def is_binary(content: bytes) -> bool:
    """Tell whether content is not text: a NUL near its start, as git decides it."""
    return b"\0" in content[:_BINARY_PROBE_BYTES]


def diff_of(change: FileChange, content: Content) -> FileDiff | None:
    """Compare both sides of a change; a missing side counts as empty.

    Args:
        change: Any change.
        content: Fetches a blob.

    Returns:
        None where lines mean nothing: binary or very large content, symlinks, folders.
    """
    sides = (change.before, change.after)
    if any(node and (node.kind != "file" or node.size_bytes > MOST_TEXT_BYTES) for node in sides):
        return None
    before, after = (content(node.blob) if node else b"" for node in sides)
    if is_binary(before) or is_binary(after):
        return None
    return diff(before, after)


def has_choice(change: FileChange) -> bool:
    """Tell whether single hunks of a change may be decided; else only all of it may.

    True says nothing about the content: `diff_of` must be there and have several hunks.
    """
    sides = (change.before, change.after)
    return all(node is not None and node.kind == "file" for node in sides)


# --- for the eye -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DisplayLine:
    """A hunk's line to show; numbers are 1-based, None on the side that lacks the line.

    Attributes:
        text: Decoded, without line end, nothing in it can control a terminal.
        unterminated: The line has no newline: it is the last of its file.
    """

    kind: LineKind
    old_number: int | None
    new_number: int | None
    text: str
    unterminated: bool = False


def display_lines(hunk: Hunk, *, tab_size: int = 4) -> list[DisplayLine]:
    """Number and decode a hunk's lines."""
    shown: list[DisplayLine] = []
    old, new = hunk.old_start, hunk.new_start
    for kind, content in hunk.lines:
        old += kind != "+"
        new += kind != "-"
        shown.append(
            DisplayLine(
                kind=kind,
                old_number=old if kind != "+" else None,
                new_number=new if kind != "-" else None,
                text=visible(content.removesuffix(b"\n"), tab_size=tab_size),
                unterminated=not content.endswith(b"\n"),
            )
        )
    return shown


def visible(line: bytes, *, tab_size: int = 4) -> str:
    """Decode one line for display: UTF-8, else Latin-1; controls and bidi marks as symbols."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    text = text.expandtabs(tab_size)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _symbol(character) for character in text
    )


def _symbol(character: str) -> str:
    code = ord(character)
    if code < 0x20:  # noqa: PLR2004  # C0: Unicode has a picture for each
        return chr(0x2400 + code)
    if code == 0x7F:  # noqa: PLR2004
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return f"<U+{code:04X}>"


# --- choosing ----------------------------------------------------------------


def select(
    changes: ChangeSet,
    rejected: Mapping[str, Collection[int]],
    ignored_on: Collection[str],
    content: Content,
    keep: Keep,
) -> ChangeSet:
    """Return the change set that lands: all of `changes` but what was rejected.

    Args:
        changes: What was reviewed.
        rejected: Path -> indices of rejected hunks, or `WHOLE_FILE`. Rejecting every hunk is
            rejecting the file, its mode and its move included.
        ignored_on: Ignored folders whose files land too; they join `files`.
        content: Fetches a blob.
        keep: Stores content that only a choice of hunks makes; returns its blob.

    Returns:
        Files in path order, none ignored. What cannot stand without something rejected (a
        folder's removal when a file in it stays) is left out too, with a note.

    Raises:
        UsageError: A decision names a path or hunk that the change set does not have.
    """
    switched_on = [folder for folder in changes.ignored if folder.folder in ignored_on]
    reviewed = [*changes.files, *(change for folder in switched_on for change in folder.changes)]
    known = {change.path for change in reviewed}
    hidden = {change.path for folder in changes.ignored for change in folder.changes}
    strange = [path for path in rejected if path not in known and path not in hidden]
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
        chosen = _choose(change, rejected.get(change.path, ()), content, keep)
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


def _choose(
    change: FileChange, rejected: Collection[int], content: Content, keep: Keep
) -> FileChange | None:
    """Return what is left of one change; None when nothing is."""
    if not rejected:
        return change
    before, after = change.before, change.after
    if WHOLE_FILE in rejected or before is None or after is None or not has_choice(change):
        return None
    file_diff = diff_of(change, content)
    if file_diff is None:
        return None
    indices = range(len(file_diff.hunks))
    beyond = [index for index in rejected if index not in indices]
    if beyond:
        raise UsageError(
            f"Hunk {beyond[0]} of {change.path!r} was decided on, but it has {len(indices)} hunks."
        )
    accepted = [index for index in indices if index not in rejected]
    if not accepted:
        return None
    made = apply(content(before.blob), file_diff.hunks, accepted)
    return replace(change, after=replace(after, size_bytes=len(made), blob=keep(made)))


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
