"""Differences of two contents as hunks, and what a part of them makes.

Contents are bytes and lines keep their ends, so CRLF, a missing newline at the end and any
encoding pass through unchanged. Hunk indices are stable: the log refers to them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from turbo_tui.core.changes import FileChange
from turbo_tui.core.matching import Region, changed_regions, lines_of

WHOLE_FILE = -1  # stands for a whole file where a hunk index is expected
CONTEXT_LINES = 3
MOST_TEXT_BYTES = 8_000_000  # a larger file is decided as a whole, like a binary
_BINARY_PROBE_BYTES = 8000  # as git does

LineKind = Literal[" ", "-", "+"]
Content = Callable[[str], bytes]


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
    return splice(
        before,
        hunks,
        {
            index: [line.content for line in hunk.lines if line.kind != "-"]
            for index, hunk in enumerate(hunks)
            if index in accepted
        },
    )


def splice(before: bytes, hunks: Sequence[Hunk], parts: Mapping[int, Sequence[bytes]]) -> bytes:
    """Return `before` with other lines in the place of some hunks.

    Args:
        before: The text that the hunks are a diff of.
        hunks: All of them.
        parts: Index of a hunk -> the lines that stand there instead of its old side. A line
            without an end gets that of its neighbours where another follows it.

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
        result += parts.get(index, was)
        at = end
    return b"".join(ended(result + old[at:]))


def ended(lines: list[bytes]) -> list[bytes]:
    """End every line but the last, so that none runs into the next."""
    for index, line in enumerate(lines[:-1]):
        if not line.endswith(b"\n"):
            other = lines[index - 1] if index else lines[1]
            lines[index] = line + (b"\r\n" if other.endswith(b"\r\n") else b"\n")
    return lines


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


def has_lines(change: FileChange) -> bool:
    """Tell whether single lines may be decided and hunks be edited, where there are hunks.

    In a new file they may as well; of one that is deleted only all is.
    """
    return has_choice(change) or (change.before is None and is_editable(change))


def is_editable(change: FileChange) -> bool:
    """Tell whether other content may land instead: a file of a size that is read whole."""
    after = change.after
    return after is not None and after.kind == "file" and after.size_bytes <= MOST_TEXT_BYTES


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


def display_lines(hunk: Hunk, *, tab_size: int | None = 4) -> list[DisplayLine]:
    """Number and decode a hunk's lines; without a tab size tabs are kept."""
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


def visible(line: bytes, *, tab_size: int | None = 4) -> str:
    """Decode one line for display: UTF-8, else Latin-1; controls and bidi marks as symbols."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    if tab_size is None:
        return "\t".join(_printable(part) for part in text.split("\t"))
    return _printable(text.expandtabs(tab_size))


def _printable(text: str) -> str:
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
