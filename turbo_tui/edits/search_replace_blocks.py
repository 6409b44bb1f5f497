"""SEARCH/REPLACE blocks, fenced or not, with the file's name before, inside or nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from turbo_tui.edits.fences import info_of, is_fence
from turbo_tui.edits.found import Exists, Found
from turbo_tui.edits.names import looks_like_a_path, name_in_info, name_mentioned, name_on
from turbo_tui.edits.values import Chunk, EditSyntaxError, FileEdit

EXAMPLE = """\
src/app.py
<<<<<<< SEARCH
    return 1
=======
    return 2
>>>>>>> REPLACE"""

# Five to nine marks are written; dashes and pluses stand in for them in one dialect.
_HEAD = re.compile(r"^([ \t]*)(?:<{5,9}|-{5,9}) ?SEARCH>?(?=$|[\s:])([^>]*)$")
_DIVIDER = re.compile(r"^[ \t]*={5,9}[ \t]*$")
_TAIL = re.compile(r"^[ \t]*(?:>{5,9}|\+{5,9}) ?REPLACE>?[ \t]*$")
_LINE_HINT = re.compile(r"^:(start|end)_line:[ \t]*(\d{1,9})[ \t]*$")
_RULE = re.compile(r"^-{5,9}[ \t]*$")
_ESCAPED = re.compile(
    r"^([ \t]*)\\(?=(?:<{5,9}(?: ?SEARCH>?)?|={5,9}|>{5,9}(?: ?REPLACE)?|-{5,9}"
    r"|:(?:start|end)_line:.*)[ \t]*$)"
)
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|>{7})(?: |$)")
_TAG = re.compile(r"^[ \t]*</?(?:source|code|pre|codeblock|sourcecode)>\w*[ \t]*$")
_HEADING_SLACK = 2  # characters by which an underline may be longer or shorter
_LOOKED_BACK = 5  # lines before a block in which its file may be named


def begins_at(lines: Sequence[str]) -> int | None:
    """Return the first line of a block, 0-based; None when there is none."""
    return next((index for index, line in enumerate(lines) if _HEAD.match(line)), None)


def find(lines: Sequence[str], exists: Exists) -> Found:
    """Read every block of an answer; a block whose file is named nowhere has an empty path.

    Raises:
        EditSyntaxError: A block is not closed, or its divider is missing or doubtful.
    """
    edits: list[FileEdit] = []
    spans: list[tuple[int, int]] = []
    index, floor, path = 0, 0, ""
    while index < len(lines):
        head = _HEAD.match(lines[index])
        if head is None:
            if _TAIL.match(lines[index]):
                raise EditSyntaxError(
                    f"{lines[index].strip()!r} closes a block that was never opened", index + 1
                )
            index += 1
            continue
        block = _block(lines, index)
        path = _name(lines, index, floor, head[2], exists) or path
        edits.append(_edit(path, block, index + 1, exists))
        spans.append((index, block.end))
        index = floor = block.end
    return Found(tuple(edits), tuple(spans))


@dataclass(frozen=True, slots=True)
class _Block:
    old: tuple[str, ...]
    new: tuple[str, ...]
    end: int
    line: int  # where `old` begins as a dialect says it, 0 when it does not


def _block(lines: Sequence[str], start: int) -> _Block:
    """Read one block; the divider must be beyond doubt.

    Raises:
        EditSyntaxError: See `find`.
    """
    dividers: list[int] = []
    stop = start + 1
    while stop < len(lines) and not _TAIL.match(lines[stop]) and not _HEAD.match(lines[stop]):
        if _DIVIDER.match(lines[stop]):
            dividers.append(stop)
        stop += 1
    tail = stop < len(lines) and _TAIL.match(lines[stop]) is not None
    end = stop + 1
    if not tail:
        dividers, stop = _closed_by_divider(lines, start, stop, dividers)
        end = stop + 1
    if not dividers:
        raise EditSyntaxError(
            "the SEARCH block has no line ======= before >>>>>>> REPLACE", start + 1
        )
    if tail and len(dividers) == 2 and _is_stray(lines, start, dividers, stop):  # noqa: PLR2004
        stop, dividers = dividers[1], dividers[:1]
    if len(dividers) > 1:
        dividers = _of_the_marks_own_length(lines, start, dividers)
    if len(dividers) > 1:
        rows = ", ".join(str(row + 1) for row in dividers)
        raise EditSyntaxError(
            f"lines {rows} could each be the ======= that parts old from new; write the three "
            "markers of this block with 9 characters each, or \\ before those that are text",
            start + 1,
        )
    indent = _indent(lines, start)
    line, old = _without_hints(_dedented(lines[start + 1 : dividers[0]], indent))
    new = _dedented(lines[dividers[0] + 1 : stop], indent)
    return _Block(_unescaped(old), _unescaped(new), end, line)


def _is_stray(lines: Sequence[str], start: int, dividers: Sequence[int], tail: int) -> bool:
    """Tell whether the second ======= only stands before >>>>>>> REPLACE out of habit.

    It is text where it may underline a heading, or where a merge conflict is edited.
    """
    if dividers[1] != tail - 1 or any(_CONFLICT.match(line) for line in lines[start + 1 : tail]):
        return False
    return not any(_underlines(lines, row) for row in dividers)


def _underlines(lines: Sequence[str], row: int) -> bool:
    above = lines[row - 1].strip()
    if not above or _DIVIDER.match(above) or _HEAD.match(above):
        return False
    return abs(len(above) - len(lines[row].strip())) <= _HEADING_SLACK


def _closed_by_divider(
    lines: Sequence[str], start: int, stop: int, dividers: list[int]
) -> tuple[list[int], int]:
    """Take a second ======= for the end of a block where only a fence or a gap comes after it."""
    if len(dividers) == 2:  # noqa: PLR2004  one parts, one closes
        after = lines[dividers[1] + 1] if dividers[1] + 1 < stop else ""
        ends = not after.strip() or is_fence(after)
        if ends and not any(_underlines(lines, row) for row in dividers):
            return dividers[:1], dividers[1]
    raise EditSyntaxError("the SEARCH block is not closed by a line >>>>>>> REPLACE", start + 1)


def _of_the_marks_own_length(lines: Sequence[str], start: int, dividers: list[int]) -> list[int]:
    """Return the dividers as long as the block's first marker, if there is just one."""
    head = lines[start].strip()
    length = len(head) - len(head.lstrip(head[0]))
    fitting = [row for row in dividers if len(lines[row].strip()) == length]
    return fitting if len(fitting) == 1 else dividers


def _indent(lines: Sequence[str], start: int) -> str:
    line = lines[start]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _dedented(body: Sequence[str], indent: str) -> Sequence[str]:
    """Return text without the indentation of its block's markers."""
    if indent and all(line.startswith(indent) for line in body if line.strip()):
        return [line.removeprefix(indent) for line in body]
    return body


def _without_hints(body: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return the line that text begins with `:start_line:`, and what comes behind."""
    line = first = 0
    while first < len(body) and (hint := _LINE_HINT.match(body[first])):
        line = int(hint[2]) if hint[1] == "start" else line
        first += 1
    if line and first < len(body) and _RULE.match(body[first]):
        first += 1
    return line, body[first:]


def _unescaped(body: Sequence[str]) -> tuple[str, ...]:
    return tuple(_ESCAPED.sub(r"\1", line) if "\\" in line else line for line in body)


def _name(lines: Sequence[str], head: int, floor: int, after: str, exists: Exists) -> str:
    """Look for the block's file: on the marker, in the fence, on the lines just before."""
    after = after.strip().removeprefix(":")
    if after:
        named = name_on(after, exists)
        if named:
            return named
    for index in range(head - 1, max(floor, head - _LOOKED_BACK) - 1, -1):
        line = lines[index]
        info = info_of(line)
        named = name_on(line, exists) if info is None else name_in_info(info, exists)
        if named:
            return named
        if info is None and line.strip() and not _TAG.match(line):
            return name_mentioned(line, exists)
    return ""


def _edit(path: str, block: _Block, at: int, exists: Exists) -> FileEdit:
    new = "".join(f"{row}\n" for row in block.new)
    if not any(row.strip() for row in block.old):
        if not path:
            raise EditSyntaxError("a new file (empty SEARCH) needs its name before the block", at)
        return FileEdit(path, "add", content=new, at=at)
    text = "".join(f"{row}\n" for row in block.old)
    if path and not looks_like_a_path(path, exists):
        path = ""
    return FileEdit(path, "update", (Chunk(text, new, line=block.line, whole_lines=True),), at=at)
