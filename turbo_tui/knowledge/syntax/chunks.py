"""Cut a file into pieces of about 1,500 bytes that belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

CHUNK_BYTES = 1500
LONGEST_LINES = 60
_HEADING = re.compile(r"#{1,6}[ \t]")
_UNDERLINE = re.compile(r"([=\-~^\"'#*+.])\1{2,}[ \t]*$")
PROSE = (".md", ".markdown", ".mdx", ".rst", ".adoc")

_HTML = re.compile(r"<(?:h[1-6]|section|article|template|script|style)\b", re.IGNORECASE)
_CELL = re.compile(r'^\s*"cell_type"\s*:')
_SOURCE = re.compile(r'^\s*"source"\s*:')

Span = tuple[int, int]  # first and last line, 1-based


class Node(Protocol):
    """What is needed of a tree-sitter node; rows are 0-based."""

    @property
    def start_byte(self) -> int: ...  # noqa: D102
    @property
    def end_byte(self) -> int: ...  # noqa: D102
    @property
    def start_point(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def end_point(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def children(self) -> Sequence[Node]: ...  # noqa: D102


def by_syntax(root: Node) -> list[Span]:
    """Split nodes that are too large, then merge neighbours up to the size of a chunk."""
    spans: list[Span] = []
    start, end, size = 0, -1, 0
    for first, last, weight in _pieces(root):
        grown = size + weight
        if size and (grown > CHUNK_BYTES or last - start >= LONGEST_LINES):
            spans.append((start + 1, end + 1))
            start, size = max(first, end + 1), 0
            grown = weight
        elif not size:
            start = first
        end, size = max(end, last), grown
    if size:
        spans.append((start + 1, end + 1))
    return [part for span in spans if span[0] <= span[1] for part in _cut(span)]


def by_lines(lines: Sequence[str]) -> list[Span]:
    """Windows of lines, cut where they reach the size of a chunk."""
    return _windows(lines, 1, len(lines))


def by_section(lines: Sequence[str]) -> list[Span]:
    """Sections of Markdown or reStructuredText, each with its heading; large ones are cut."""
    starts = [1]
    fenced = False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if fenced or number == 1:
            continue
        below = lines[number] if number < len(lines) else ""
        if _HEADING.match(line) or (line.strip() and _UNDERLINE.match(below)):
            starts.append(number)
    ends = [start - 1 for start in starts[1:]] + [len(lines)]
    return [
        span
        for start, end in zip(starts, ends, strict=True)
        for span in _windows(lines, start, end)
    ]


def by_html(lines: Sequence[str]) -> list[Span]:
    """Parts of a page, each from its heading; large ones are cut."""
    starts = [number for number, line in enumerate(lines, 1) if number == 1 or _HTML.search(line)]
    ends = [start - 1 for start in starts[1:]] + [len(lines)]
    return [
        span
        for start, end in zip(starts, ends, strict=True)
        for span in _windows(lines, start, end)
    ]


def by_cell(lines: Sequence[str]) -> list[Span]:
    """Sources of a notebook's cells; what they printed, and pictures, are no part of them."""
    spans: list[Span] = []
    at = 0
    for number, line in enumerate(lines, 1):
        if _CELL.match(line):
            at = number
        elif at and _SOURCE.match(line):
            indent = len(line) - len(line.lstrip())
            is_list = not line.rstrip().endswith(("]", "],", '"', '",'))
            ends = (n for n in range(number + 1, len(lines) + 1) if _closes(lines[n - 1], indent))
            spans += _windows(lines, number, next(ends, len(lines)) if is_list else number)
    return spans or by_lines(lines)


def _closes(line: str, indent: int) -> bool:
    return line.strip() in {"]", "],"} and len(line) - len(line.lstrip()) <= indent


def cutter_of(path: str) -> Callable[[Sequence[str]], list[Span]] | None:
    """Return what cuts a document into its sections; None for any other file."""
    lower = path.lower()
    if lower.endswith(PROSE):
        return by_section
    if lower.endswith((".html", ".htm", ".xhtml")):
        return by_html
    return by_cell if lower.endswith(".ipynb") else None


def _pieces(root: Node) -> Iterable[tuple[int, int, int]]:
    """Yield first row, last row and bytes of nodes that fit, or of leaves that cannot be split."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        weight = node.end_byte - node.start_byte
        fits = weight <= CHUNK_BYTES and node.end_point[0] - node.start_point[0] < LONGEST_LINES
        children = () if fits else node.children
        if children:
            waiting.extend(reversed(children))
        else:
            row, column = node.end_point
            last = row - 1 if column == 0 and row > node.start_point[0] else row
            yield node.start_point[0], last, max(weight, 1)


def _cut(span: Span) -> Iterable[Span]:
    for start in range(span[0], span[1] + 1, LONGEST_LINES):
        yield start, min(span[1], start + LONGEST_LINES - 1)


def _windows(lines: Sequence[str], first: int, last: int) -> list[Span]:
    spans: list[Span] = []
    start, size = first, 0
    for number in range(first, last + 1):
        size += len(lines[number - 1]) + 1
        if size >= CHUNK_BYTES or number - start + 1 >= LONGEST_LINES:
            spans.append((start, number))
            start, size = number + 1, 0
    if start <= last:
        spans.append((start, last))
    return spans
