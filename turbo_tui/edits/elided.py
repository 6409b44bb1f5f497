"""Blocks that leave out code (`...`, `# rest unchanged`): their parts, and where those stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import plain
from turbo_tui.edits.rows import Rows

_COMMENT = re.compile(
    r"^(?:#+|//+|--+|;+|%+|/\*+|<!--|\{/\*|\"\"\"|\*)?\s*(.*?)\s*(?:\*+/\}?|-->)?$"
)
_DOTS = re.compile(r"^(?:\.{3,}|\u2026)|(?:\.{3,}|\u2026)$")
_LEFT_OUT = re.compile(
    r"\b(?:existing (?:code|\w+)|rest (?:of|unchanged|is|stays|remains)|remaining|unchanged|"
    r"same as (?:before|above)|as before|previous code|other (?:code|methods|functions|fields)|"
    r"omitted|keep (?:the )?(?:rest|existing))\b",
    re.IGNORECASE,
)
_MOST_WORDS = 10
_MOST_WAYS = 64


def is_comment(row: str) -> bool:
    """Say whether a row is a comment, in most languages."""
    return row.lstrip().startswith(("#", "//", "/*", "*", "--", "<!--"))


def marks_gap(row: str) -> bool:
    """Say whether a row stands for code that is left out."""
    body = _COMMENT.sub(r"\1", row.strip())
    if body in {"...", "\u2026", "[...]", "(...)"}:
        return True
    return len(body.split()) <= _MOST_WORDS and body != row.strip() and _in_words(body)


def leaves_out(row: str) -> bool:
    """Say whether a row says in words that code is left out: no code of its own."""
    body = _COMMENT.sub(r"\1", row.strip())
    if body == row.strip() or len(body.split()) > _MOST_WORDS:
        return False
    return bool(_DOTS.search(body)) and bool(_LEFT_OUT.search(body))


def _in_words(body: str) -> bool:
    return bool(_DOTS.search(body)) or bool(_LEFT_OUT.match(body))


Part = tuple[list[str], list[str]]


def parts(old: Sequence[str], new: Sequence[str]) -> list[Part] | None:
    """Cut both at their gaps.

    Returns:
        Pairs of old and new rows; None when the gaps do not pair up, or nothing is left out.
    """
    mine, others = _cut(old), _cut(new)
    if len(mine) < 2 or len(mine) != len(others):  # noqa: PLR2004
        return None
    found = [_bare(old, new) for old, new in zip(mine, others, strict=True)]
    while found and found[0] == ([], []):
        found = found[1:]
    while found and found[-1] == ([], []):
        found = found[:-1]
    return found if found and all(part for part, _ in found) else None


def chains(rows: Rows, wanted: Sequence[Sequence[str]]) -> list[tuple[int, ...]]:
    """Return the first rows of the parts for each way in which all of them stand in order.

    What is left out goes no further out than the outermost row that is told, and the parts are
    indented as the first one is. There are none where there would be too many.
    """
    every = [rows.places([plain(row) for row in part], plain) for part in wanted]
    least = min(_width(row) for part in wanted for row in part if row.strip())
    found: list[tuple[int, ...]] = []
    for first in every[0]:
        shift = _shift(rows, wanted[0], first)
        limit = _limit(rows, first, least + shift)
        ways: list[tuple[int, ...]] = [(first,)]
        for (before, part), places in zip(pairwise(wanted), every[1:], strict=True):
            fitting = [at for at in places if at < limit and _shift(rows, part, at) == shift]
            ways = [(*way, at) for way in ways for at in fitting if at >= way[-1] + len(before)]
            if len(ways) > _MOST_WAYS:
                return []
        found += ways
        if len(found) > _MOST_WAYS:
            return []
    return found


def _cut(rows: Sequence[str]) -> list[list[str]]:
    cut: list[list[str]] = [[]]
    for row in rows:
        if marks_gap(row):
            cut.append([])
        else:
            cut[-1].append(row)
    return cut


def _bare(old: list[str], new: list[str]) -> Part:
    """Leave out the blank rows around a gap that are in both: the gap may stand for them."""
    for end in (0, -1):
        while old and new and not old[end].strip() and not new[end].strip():
            del old[end], new[end]
    return old, new


def _limit(rows: Rows, first: int, least: int) -> int:
    """Return the next row that is further out than `least` columns."""
    outside = (
        at
        for at in range(first + 1, len(rows.rows))
        if rows.rows[at].strip() and _width(rows.rows[at]) < least
    )
    return next(outside, len(rows.rows))


def _shift(rows: Rows, part: Sequence[str], at: int) -> int:
    return _width(rows.rows[at]) - _width(part[0])


def _width(row: str) -> int:
    return len(indent(row).expandtabs(4))
