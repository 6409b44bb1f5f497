"""Byte edits of one file, and the plain bookkeeping around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TextEdit:
    """Replace bytes `start` to `end` (exclusive, 0-based) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One place in a tree; `line` and `column` are 1-based, `text` is the line, stripped."""

    path: str
    line: int
    column: int
    text: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


def apply_edits(content: bytes, edits: Iterable[TextEdit]) -> bytes:
    """Return the content with all edits done; they must not overlap.

    New text is written as UTF-8 where the content is UTF-8, else as ASCII-compatible bytes;
    line ends in it follow the content's own (a CRLF file gets CRLF).

    Raises:
        ValueError: Two edits overlap.
    """
    crlf = b"\r\n" in content
    pieces: list[bytes] = []
    place = 0
    for edit in sorted(set(edits)):
        if edit.start < place:
            raise ValueError(f"edits overlap at byte {edit.start}")
        text = edit.text.replace("\r\n", "\n")
        pieces.append(content[place : edit.start])
        pieces.append((text.replace("\n", "\r\n") if crlf else text).encode())
        place = edit.end
    pieces.append(content[place:])
    return b"".join(pieces)


def place_at(path: str, content: bytes, start: int, note: str = "") -> Place:
    """Return the place of a byte offset."""
    line = content.count(b"\n", 0, start) + 1
    line_start = content.rfind(b"\n", 0, start) + 1
    line_end = content.find(b"\n", start)
    whole = content[line_start : line_end if line_end >= 0 else len(content)]
    column = len(content[line_start:start].decode("utf-8", "replace")) + 1
    return Place(path, line, column, whole.decode("utf-8", "replace").strip(), note)
