r"""Unified diffs, git's extensions included, with headers and numbers as models write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from turbo_tui.edits.diff_names import Names, from_git_line, name_of
from turbo_tui.edits.fences import is_fence
from turbo_tui.edits.found import NUMBERS, ChunkLines, Exists, Found, numbered_header
from turbo_tui.edits.names import name_on
from turbo_tui.edits.values import Chunk, EditSyntaxError, FileEdit

EXAMPLE = """\
--- a/src/app.py
+++ b/src/app.py
@@ -1,3 +1,3 @@
 def main():
-    return 1
+    return 2"""

_OLD = re.compile(r"^--- +\S")
_NEW = re.compile(r"^\+\+\+ +\S")
_HUNK = re.compile(r"^@@(?:[ .@+\-\d,]|$)")
_MODES = re.compile(r"^(old mode|new mode|new file mode|deleted file mode) +(\d{6})\s*$")
_PATHS = re.compile(r"^(rename from|rename to|copy from|copy to) +(.+)$")
_BINARY = re.compile(r"^(?:GIT binary patch|Binary files .* differ)")
_EXTENDED = re.compile(
    rf"{_MODES.pattern}|{_PATHS.pattern}|{_BINARY.pattern}"
    r"|^(?:index [0-9a-f]|similarity index|dissimilarity index|Index: )"
)
_LINK, _MODULE = "120000", "160000"
_LOOKED_BACK = 3


def begins_at(lines: Sequence[str]) -> int | None:
    """Return the first line of a diff, 0-based; None when there is none."""
    for index, line in enumerate(lines):
        if line.startswith("diff --git ") or _is_headers(lines, index) or NUMBERS.match(line):
            return index
        if _HUNK.match(line) and _has_signs(lines, index + 1):
            return index
    return None


def _is_headers(lines: Sequence[str], index: int) -> bool:
    """Tell whether the head of a file stands here, one half of it at least."""
    line = lines[index]
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if _OLD.match(line):
        return bool(_NEW.match(following) or _HUNK.match(following))
    return bool(_NEW.match(line) and (_HUNK.match(following) or "/dev/null" in line))


def _has_signs(lines: Sequence[str], start: int) -> bool:
    for index in range(start, len(lines)):
        line = lines[index]
        if line.startswith(("+", "-")):
            return True
        if line and not line.startswith(" "):
            return False
    return False


def find(lines: Sequence[str], exists: Exists) -> Found:
    """Read every diff of an answer.

    Raises:
        EditSyntaxError: A hunk cannot be read, or a diff is of something that is no text.
    """
    reader = _Reader(lines, exists)
    reader.run()
    return Found(tuple(reader.edits), tuple(reader.spans))


@dataclass(slots=True)
class _File:
    """One file's part of a diff while it is read."""

    at: int
    named_before: str = ""
    git: tuple[str, str] | None = None
    old: str = ""
    new: str = ""
    renamed: list[str] = field(default_factory=lambda: ["", ""])
    copied: list[str] = field(default_factory=lambda: ["", ""])
    added: bool = False
    deleted: bool = False
    mode: str = ""
    binary: bool = False
    chunks: list[Chunk] = field(default_factory=list[Chunk])

    @property
    def has_headers(self) -> bool:
        return bool(self.old or self.new)

    def header(self, line: str) -> None:
        """Take in one line of git's extended header."""
        modes, paths = _MODES.match(line), _PATHS.match(line)
        if modes is not None:
            self.added = self.added or modes[1] == "new file mode"
            self.deleted = self.deleted or modes[1] == "deleted file mode"
            if not modes[1].startswith(("old", "deleted")) or modes[2] in {_LINK, _MODULE}:
                self.mode = modes[2]
        elif paths is not None:
            pair = self.renamed if paths[1].startswith("rename") else self.copied
            pair[0 if paths[1].endswith("from") else 1] = name_of(paths[2])
        elif _BINARY.match(line):
            self.binary = True

    def edit(self, exists: Exists) -> FileEdit | None:
        """Return the edit; None when the diff says nothing of the file.

        Raises:
            EditSyntaxError: It names no file, or is of no text.
        """
        names = Names(self.git, self.old, self.new, exists)
        source = self.renamed[0] or self.copied[0]
        path = source or names.path()
        self._refuse(self.renamed[1] or self.copied[1] or path or "a file")
        if names.are_placeholders and not exists(path):
            path = self.named_before
        elif not path and self.chunks:
            raise EditSyntaxError(
                "the diff names no file; begin it with --- a/PATH and +++ b/PATH", self.at
            )
        elif path:
            return self._of(path, names, exists)
        # Without a name it is of the one file that holds its text.
        return FileEdit(path, "update", tuple(self.chunks), at=self.at) if self.chunks else None

    def _of(self, path: str, names: Names, exists: Exists) -> FileEdit | None:
        chunks = tuple(self.chunks)
        target = self.renamed[1]
        added, deleted = self.added or names.added, self.deleted or names.deleted
        if names.dated_away and chunks and not any(chunk.new for chunk in chunks):
            deleted = True
        mode = int(self.mode, 8) & 0o777 if self.mode else 0
        if self.copied[1]:
            new = self.copied[1]
            return FileEdit(new, "add", chunks, mode=mode, at=self.at, copied_from=path)
        if chunks and not any(chunk.old for chunk in chunks) and not exists(path):
            added = True
        if added and not deleted:
            return self._new(path, mode, exists)
        if deleted:
            return FileEdit(path, "delete", chunks, at=self.at)
        if chunks or target or mode:
            return FileEdit(path, "update", chunks, moved_to=target, mode=mode, at=self.at)
        return None

    def _new(self, path: str, mode: int, exists: Exists) -> FileEdit:
        chunks = tuple(self.chunks)
        if any(chunk.old for chunk in chunks):
            if not exists(path):
                raise EditSyntaxError(
                    f"the diff adds {path}, but has lines with - or context: there is no such file",
                    self.at,
                )
            return FileEdit(path, "update", chunks, mode=mode, at=self.at)
        content = "".join(chunk.new for chunk in chunks)
        return FileEdit(path, "add", content=content, mode=mode, at=self.at)

    def _refuse(self, path: str) -> None:
        if self.binary:
            raise EditSyntaxError(f"{path}: a binary patch cannot be applied", self.at)
        if self.mode == _LINK:
            raise EditSyntaxError(f"{path}: a diff of a symbolic link cannot be applied", self.at)
        if self.mode == _MODULE:
            raise EditSyntaxError(f"{path}: a diff of a submodule cannot be applied", self.at)


class _Reader:
    def __init__(self, lines: Sequence[str], exists: Exists) -> None:
        self.edits: list[FileEdit] = []
        self.spans: list[tuple[int, int]] = []
        self._lines = lines
        self._exists = exists
        self._file: _File | None = None
        self._start = 0
        self._end = 0
        self._path = ""

    def run(self) -> None:
        """Read the diffs from first line to last."""
        index = 0
        while index < len(self._lines):
            line = self._lines[index]
            if line.startswith("diff --git "):
                self._open(index, _File(index + 1, git=from_git_line(line)))
            elif _is_headers(self._lines, index):
                index = self._headers(index)
                continue
            elif line.startswith("@@@ "):
                raise EditSyntaxError("a combined diff of a merge cannot be applied", index + 1)
            elif line.startswith("@@") and self._is_hunk(index):
                index = self._hunk(index)
                continue
            elif self._file is not None and not self._file.chunks and _EXTENDED.match(line):
                self._file.header(line)
                self._end = index + 1
            index += 1
        self._close()

    def _is_hunk(self, index: int) -> bool:
        if NUMBERS.match(self._lines[index]) or self._file is not None:
            return True
        return bool(_HUNK.match(self._lines[index])) and _has_signs(self._lines, index + 1)

    def _open(self, index: int, file: _File) -> None:
        self._close()
        self._file, self._start, self._end = file, index, index + 1

    def _close(self) -> None:
        if self._file is None:
            return
        edit = self._file.edit(self._exists)
        if edit is not None:
            self.edits.append(edit)
            self._path = edit.moved_to or edit.path
            self.spans.append((self._start, self._end))
        self._file = None

    def _headers(self, index: int) -> int:
        file = self._file
        if file is None or file.has_headers or file.chunks:
            file = _File(index + 1, self._named_before(index))
            self._open(index, file)
        if self._lines[index].startswith("---"):
            file.old = self._lines[index][4:]
            index += 1
        if index < len(self._lines) and _NEW.match(self._lines[index]):
            file.new = self._lines[index][4:]
            index += 1
        self._end = index
        return index

    def _hunk(self, index: int) -> int:
        if self._file is None:
            named = self._named_before(index) or self._path
            self._open(index, _File(index + 1, new=named))
        file = self._file
        if file is None:  # pragma: no cover  it was opened just now
            return index + 1
        numbers = NUMBERS.match(self._lines[index])
        body, end = _body(self._lines, index + 1, numbers)
        if body.empty:
            raise EditSyntaxError("an @@ header is followed by no lines", index + 1)
        line, words = numbered_header(self._lines[index])
        context = () if numbers or line or not words else (words,)
        chunk = replace(body.chunk(context, line=line), section="" if context else words)
        if not chunk.old and numbers and line == 0 and not file.chunks:
            file.added = True  # `-0,0`: of a file that is not there, or empty
        file.chunks.append(chunk)
        self._end = end
        return end

    def _named_before(self, index: int) -> str:
        """Look for a file's name on the lines before a hunk without headers."""
        for row in range(index - 1, max(-1, index - 1 - _LOOKED_BACK), -1):
            line = self._lines[row]
            if line.strip() and not is_fence(line):
                return name_on(line, self._exists)
        return ""


def _body(
    lines: Sequence[str], start: int, numbers: re.Match[str] | None
) -> tuple[ChunkLines, int]:
    """Read a hunk's lines: by its numbers where they are right, else by what the lines are."""
    if numbers is not None:
        counted = _by_count(lines, start, int(numbers[2] or 1), int(numbers[4] or 1))
        if counted is not None:
            return counted
    return _by_looks(lines, start)


def _by_count(
    lines: Sequence[str], start: int, old: int, new: int
) -> tuple[ChunkLines, int] | None:
    body, index = ChunkLines(), start
    while (old > 0 or new > 0) and index < len(lines):
        sign = lines[index][:1] or " "
        if sign not in {" ", "+", "-", "\\"}:
            return None
        if sign == "\\":
            body.unended()
        else:
            body.add(lines[index])
            old -= sign != "+"
            new -= sign != "-"
        index += 1
    while index < len(lines) and lines[index].startswith("\\"):
        body.unended()
        index += 1
    if old or new or (index < len(lines) and _goes_on(lines, index)):
        return None
    return body, index


def _goes_on(lines: Sequence[str], index: int) -> bool:
    """Tell whether a hunk goes on here, whatever its numbers said."""
    while index < len(lines) and not lines[index]:
        index += 1
    if index == len(lines) or _is_headers(lines, index):
        return False
    return lines[index].startswith((" ", "+", "-"))


def _by_looks(lines: Sequence[str], start: int) -> tuple[ChunkLines, int]:
    body, index = ChunkLines(), start
    while index < len(lines):
        line = lines[index]
        if line.startswith("\\"):
            body.unended()
        elif line[:1] not in {"", " ", "+", "-"} or _is_headers(lines, index) or line == "-- ":
            break
        else:
            body.add(line)
        index += 1
    if index < len(lines):
        _refuse_cut(lines, index, body)
    body.without_gap()
    return body, index


def _refuse_cut(lines: Sequence[str], index: int, body: ChunkLines) -> None:
    """Refuse a hunk that is broken by a line without a sign, and goes on after it.

    Raises:
        EditSyntaxError: It is.
    """
    line = lines[index]
    if body.bare or is_fence(line) or line.startswith(("@@", "diff --git ", "-", "+")):
        return
    for row in range(index + 1, len(lines)):
        following = lines[row]
        if following.startswith(("@@", "diff --git ")) or is_fence(following):
            return
        if not following.strip():
            return
        if following.startswith(("+", "-", " ")):
            raise EditSyntaxError(
                f"{line[:80]!r}: a line of a hunk must begin with a space, + or -", index + 1
            )
