"""The patch envelope: `*** Begin Patch`, files with chunks under `@@` headers, `*** End Patch`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from turbo_tui.edits.fences import is_fence
from turbo_tui.edits.found import ChunkLines, Found, numbered_header
from turbo_tui.edits.values import Chunk, EditSyntaxError, FileEdit

BEGIN, END, END_OF_FILE = "*** Begin Patch", "*** End Patch", "*** End of File"
EXAMPLE = """\
*** Begin Patch
*** Update File: src/app.py
@@ def main():
-    return 1
+    return 2
*** End Patch"""

_FILE = re.compile(r"^[ \t]*\*\*\* (Add|Update|Delete) File:(.*)$")
_MOVE = re.compile(r"^[ \t]*\*\*\* Move to:(.*)$")
_LONGEST = 400
_HEREDOC = re.compile(r"<<-?[ \t]*['\"]?(\w+)['\"]?[ \t]*$")


def begins_at(lines: Sequence[str], start: int = 0) -> int | None:
    """Return the first line of an envelope, 0-based; None when there is none."""
    for index in range(start, len(lines)):
        line = lines[index]
        if line.strip() == BEGIN or (line.startswith("*** ") and _FILE.match(line)):
            return index
    return None


def find(lines: Sequence[str]) -> Found:
    """Read every envelope of an answer.

    Raises:
        EditSyntaxError: One cannot be read.
    """
    edits: list[FileEdit] = []
    spans: list[tuple[int, int]] = []
    index = begins_at(lines)
    while index is not None:
        end, after = _extent(lines, index)
        first = index + 1 if lines[index].strip() == BEGIN else index
        if _holds_a_diff(lines, first, end):
            index = begins_at(lines, after)
            continue
        read = _Reader(lines, first, end).files()
        if not read:
            raise EditSyntaxError(
                "the patch is empty: no *** Add File, *** Update File or *** Delete File",
                index + 1,
            )
        edits += read
        spans.append((index, after))
        index = begins_at(lines, after)
    return Found(tuple(edits), tuple(spans))


def _holds_a_diff(lines: Sequence[str], start: int, end: int) -> bool:
    """Tell whether a unified diff was put into an envelope: it is read as what it is."""
    body = (lines[index] for index in range(start, end))
    first = next((line for line in body if line.strip()), "")
    return first.startswith(("--- ", "diff --git "))


def _extent(lines: Sequence[str], start: int) -> tuple[int, int]:
    """Return where the body ends, and the first line after the envelope.

    Raises:
        EditSyntaxError: Neither its own end nor that of what is around it is there.
    """
    for index in range(start + 1, len(lines)):
        # Context has one space more than the file: an indented marker counts where it is the last.
        line = lines[index]
        if line.startswith(END) and line.strip() == END:
            return index, index + 1
        if line.strip() == BEGIN and line.startswith("***"):
            return index, index
    last = len(lines)
    word = _heredoc_before(lines, start)
    while last > start + 1 and (
        not lines[last - 1].strip()
        or is_fence(lines[last - 1])
        or (word and lines[last - 1].strip().strip("\"')") == word)
    ):
        last -= 1
    if lines[last - 1].strip() == END:
        return last - 1, last
    for index in range(start + 1, last):
        if lines[index].strip() == END:
            return index, index + 1
    if lines[start].strip() == BEGIN and not any(line.strip() for line in lines[last:]):
        raise EditSyntaxError(
            "the patch begins here and has no line *** End Patch: is it complete?", start + 1
        )
    return last, len(lines)


def _heredoc_before(lines: Sequence[str], start: int) -> str:
    match = _HEREDOC.search(lines[start - 1][-_LONGEST:]) if start else None
    return match[1] if match else ""


@dataclass(slots=True)
class _Update:
    """An update while its chunks are read."""

    path: str
    at: int
    moved_to: str = ""
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    context: list[str] = field(default_factory=list[str])
    line: int = 0
    section: str = ""
    of_a_diff: bool = False  # what stands behind the numbers is then git's choice
    body: ChunkLines = field(default_factory=ChunkLines)
    header_at: int = 0

    def close(self, *, at_end: bool = False) -> None:
        """End the chunk that was being read, if one was."""
        self.body.without_gap()
        if self.body.empty:
            return
        chunk = self.body.chunk(self.context, at_end=at_end, line=self.line)
        self.chunks.append(replace(chunk, section=self.section))
        self.body, self.context, self.line, self.header_at = ChunkLines(), [], 0, 0
        self.section = ""

    def closed_for_good(self) -> None:
        """End the last chunk; a header must have had lines.

        Raises:
            EditSyntaxError: The last header has none.
        """
        self.close()
        if self.header_at:
            raise EditSyntaxError("an @@ header is followed by no lines", self.header_at)

    def edit(self) -> FileEdit:
        """Return the edit.

        Raises:
            EditSyntaxError: It changes nothing.
        """
        self.closed_for_good()
        if not self.chunks and not self.moved_to:
            raise EditSyntaxError(f"the update of {self.path} has no lines", self.at)
        if all(chunk.old == chunk.new for chunk in self.chunks) and not self.moved_to:
            raise EditSyntaxError(f"the update of {self.path} has no line with + or -", self.at)
        return FileEdit(self.path, "update", tuple(self.chunks), moved_to=self.moved_to, at=self.at)


class _Reader:
    """Reads the files of one envelope."""

    def __init__(self, lines: Sequence[str], start: int, end: int) -> None:
        self._lines = lines
        self._index = start
        self._end = end

    def files(self) -> list[FileEdit]:
        """Read them all.

        Raises:
            EditSyntaxError: A line belongs nowhere.
        """
        found: list[FileEdit] = []
        while self._index < self._end:
            line = self._lines[self._index]
            if not line.strip() or is_fence(line):
                self._index += 1
                continue
            header = _FILE.match(line)
            if header is None:
                raise EditSyntaxError(
                    f"{line.strip()[:80]!r} is no header; a file begins with *** Add File: PATH, "
                    "*** Update File: PATH or *** Delete File: PATH",
                    self._index + 1,
                )
            path = header[2].strip()
            if not path:
                raise EditSyntaxError("the header names no file", self._index + 1)
            at = self._index + 1
            self._index += 1
            match header[1]:
                case "Add":
                    found.append(FileEdit(path, "add", content=self._content(at), at=at))
                case "Delete":
                    self._skip_removed()
                    found.append(FileEdit(path, "delete", at=at))
                case _:
                    found.append(self._update(path, at))
        return found

    def _at_header(self) -> bool:
        line = self._lines[self._index]
        # ` *** Update File:` with one space is context of a chunk, with more it is a header
        # that was indented: no file has such a line but by design.
        return _FILE.match(line) is not None and line.startswith(("*", "  "))

    def _content(self, at: int) -> str:
        """Read what an added file holds: lines with +; without any, the lines as they are."""
        body: list[str] = []
        while self._index < self._end and not self._at_header():
            body.append(self._lines[self._index])
            self._index += 1
        while body and not body[-1].strip():
            body.pop()
        signed = [line for line in body if line.startswith("+")]
        if signed:
            for offset, line in enumerate(body):
                if line.strip() and not line.startswith("+"):
                    raise EditSyntaxError(
                        f"{line.strip()[:80]!r}: a line of an added file must begin with +",
                        at + 1 + offset,
                    )
            body = [line.removeprefix("+") for line in body]
        return "".join(f"{line}\n" for line in body)

    def _skip_removed(self) -> None:
        while self._index < self._end and (
            self._lines[self._index].startswith(("-", "@@")) or not self._lines[self._index].strip()
        ):
            self._index += 1

    def _update(self, path: str, at: int) -> FileEdit:
        update = _Update(path, at)
        head = self._lines[self._index : self._index + 3]
        if [line[:3] for line in head] == ["---", "+++", "@@ "]:
            self._index += 2  # the head of a unified diff says nothing that is not known
            update.of_a_diff = True
        while self._index < self._end and not self._at_header():
            self._update_line(update, self._lines[self._index])
            self._index += 1
        return update.edit()

    def _update_line(self, update: _Update, line: str) -> None:
        fresh = update.body.empty and not update.chunks and not update.header_at
        move = _MOVE.match(line) if fresh else None
        if move is not None:
            if not move[1].strip():
                raise EditSyntaxError("*** Move to: names no file", self._index + 1)
            update.moved_to = move[1].strip()
        elif line.startswith("@@"):
            self._header(update, line)
        elif line.rstrip() == END_OF_FILE:
            update.close(at_end=True)
        elif line.startswith("***") and line.strip() != "***":
            raise EditSyntaxError(
                f"{line.strip()[:80]!r} is no header of the patch format", self._index + 1
            )
        elif line.rstrip("\r") or not update.body.empty:
            update.body.add(line)

    def _header(self, update: _Update, line: str) -> None:
        if not update.body.empty:
            update.close()
        update.header_at = self._index + 1
        number, words = numbered_header(line)
        update.line = number or update.line
        if update.of_a_diff and number:
            update.section = words
        elif words:
            update.context.append(words)
