"""Blocks that leave out code (`...`, `# rest unchanged`): their parts, and where those stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.left_out import marks_gap
from turbo_tui.edits.likeness import plain
from turbo_tui.edits.rows import Rows

_CLOSES = re.compile(r"[})\]]|(?:else|elif|elsif|except|catch|finally|end)\b")
_HEADER = re.compile(
    r"\[[^\]]*\]$|#{2,6}\s|@\w|.*[^\s:]:$|"
    r"(?:(?:export|default|async|public|private|protected|static|pub)\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|type|case|test|it|describe)\b"
)
_MOST_WAYS = 64
_A_FEW_ROWS = 10


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

    What is left out stays inside the block that a row before it opens, and all parts are indented
    as the first one is. There are none where there would be too many.
    """
    every = [rows.places([plain(row) for row in part], plain) for part in wanted]
    found: list[tuple[int, ...]] = []
    for first in every[0]:
        ways: list[tuple[int, ...]] = [(first,)]
        for number in range(1, len(wanted)):
            ways = [
                (*way, at)
                for way in ways
                for limit in [_limit(rows, wanted, way, wanted[number][0])]
                for at in _following(rows, wanted, every, way)
                if at <= limit
            ]
            if len(ways) > _MOST_WAYS:
                return []
        found += ways
        if len(found) > _MOST_WAYS:
            return []
    return found


def rivals(
    rows: Rows, wanted: Sequence[Sequence[str]], found: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return ways that begin elsewhere and are nearly as short, whatever block they stay in.

    A copy whose blocks are others may be the one that is meant.
    """
    every = [rows.places([plain(row) for row in part], plain) for part in wanted]
    most = max((way[-1] - way[0] for way in found), default=0) * 2 + _A_FEW_ROWS
    begun = {way[0] for way in found}
    ways: list[tuple[int, ...]] = []
    for first in every[0]:
        way = (first,)
        while len(way) < len(wanted) and (nearest := _following(rows, wanted, every, way)):
            way = (*way, nearest[0])
        if first not in begun and len(way) == len(wanted) and way[-1] - first <= most:
            ways.append(way)
    return ways


def _following(
    rows: Rows,
    wanted: Sequence[Sequence[str]],
    every: Sequence[Sequence[int]],
    way: Sequence[int],
) -> list[int]:
    """Return where the next part stands after those so far, indented as the first one is."""
    number = len(way)
    after = way[-1] + len(wanted[number - 1])
    shift = _shift(rows, wanted[0], way[0])
    return [at for at in every[number] if at >= after and _shift(rows, wanted[number], at) == shift]


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


def _limit(rows: Rows, wanted: Sequence[Sequence[str]], way: Sequence[int], following: str) -> int:
    """Return the first row after the parts so far that a gap cannot stand for."""
    told = [row for part, at in zip(wanted, way, strict=False) for row in range(at, at + len(part))]
    width = _width(following) + _shift(rows, wanted[0], way[0])
    closes = _CLOSES.match(following.strip()) is not None
    open_at = [at for at in _opened(rows, told) if at < width or (at == width and closes)]
    for at in range(told[-1] + 1, len(rows.rows)):
        row = rows.rows[at]
        if not row.strip() or _ends_signature(row):
            continue
        # Among rows of one depth, a header that is not told begins something else.
        if _width(row) <= open_at[-1] if open_at else _width(row) < width:
            return at
        if not open_at and _width(row) == width and _HEADER.match(row.strip()):
            return at
    return len(rows.rows)


def _opened(rows: Rows, told: Sequence[int]) -> list[int]:
    """Return how far in the rows are that open a block which goes on after the last one."""
    widths: list[int] = []
    for at in told:
        if not rows.rows[at].strip():
            continue
        width = _width(rows.rows[at])
        while widths and widths[-1] >= width:
            widths.pop()
        following = next((row for row in rows.rows[at + 1 :] if row.strip()), "")
        if _width(following) > width or following.strip() == "{":
            widths.append(width)
    return widths


def _ends_signature(row: str) -> bool:
    """Say whether a row only goes on with the one that opens its block: `) -> int:`, `{`."""
    bare = row.strip()
    return bare[0] in ")]{" or (bare[0] == "}" and bare.count(")") > bare.count("("))


def _shift(rows: Rows, part: Sequence[str], at: int) -> int:
    return _width(rows.rows[at]) - _width(part[0])


def _width(row: str) -> int:
    return len(indent(row).expandtabs(4))
