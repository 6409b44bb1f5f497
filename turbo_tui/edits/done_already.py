"""Tell an edit that was made before: applied again, it would double what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turbo_tui.edits.likeness import folded, likeness, plain, spaced
from turbo_tui.edits.rows import Rows, cut
from turbo_tui.edits.rungs import Candidate
from turbo_tui.edits.values import Chunk

_ALIKE = 0.5  # of 1, below which two rows have nothing to do with each other
_FEW_LETTERS = 8  # in what is added: fewer may well stand there twice
_MOST_ROWS = 600  # of a new text that are compared; a longer one stands nowhere by chance
_PART = 2 / 3  # of several rows that are added; so many of them are not there by chance


def is_done(rows: Rows, one: Candidate, chunk: Chunk) -> bool:
    """Say whether what a chunk does at a place is done there already.

    It is where what it adds stands around the text that it is added to, and where a block that is
    not quite the file's fits as it is to become.
    """
    if not one.pieces or one.rung == "exact":
        if _stands_around(rows.text, (one.start, one.end), chunk):
            return True
        if not chunk.whole_lines and not chunk.old.endswith("\n"):
            return False
        first = rows.at(one.start)
        return _rows_around(rows, first, cut(chunk.old), cut(chunk.new))
    if one.rung != "anchored":
        return any(_rows_around(rows, each.first, each.old, each.new) for each in one.pieces)
    (block,) = one.pieces
    return _reads_as_new(rows, (one.start, one.end), block.old, block.new)


def _stands_around(text: str, place: tuple[int, int], chunk: Chunk) -> bool:
    """Say whether a text is a part of what it is to become already."""
    old, new = (folded(each.removesuffix("\n")) for each in (chunk.old, chunk.new))
    if not old or _letters([new]) - _letters([old]) < _FEW_LETTERS:
        return False
    start, stop = place[0], place[0] + len(old)
    whole = text[stop : stop + 1] in {"", "\n"}
    at = new.find(old)
    while at >= 0:
        begin = start - at
        if begin >= 0 and folded(text[begin : begin + len(new)]) == new:
            following = text[begin + len(new) : begin + len(new) + 1]
            if following in {"", "\n"} if whole else not following.isalnum():
                return True
        at = new.find(old, at + 1)
    return False


def _rows_around(rows: Rows, first: int, old: Sequence[str], new: Sequence[str]) -> bool:
    """Say whether rows are among those that they are to become already, blank ones aside."""
    if len(new) > _MOST_ROWS or _letters(new) - _letters(old) < _FEW_LETTERS:
        return False
    mine, others = _told(old), _told(new)
    if not mine:
        return False
    before = _told(rows.rows[max(first - 2 * len(new), 0) : first])
    there = _told(rows.rows[first : first + 2 * len(new)])
    for at in range(len(others) - len(mine) + 1):
        if others[at : at + len(mine)] == mine and at <= len(before):
            around = [*before[len(before) - at :], *there]
            if around[: len(others)] == others:
                return True
    return False


def _reads_as_new(
    rows: Rows, place: tuple[int, int], old: Sequence[str], new: Sequence[str]
) -> bool:
    """Say whether the rows of a place are what a block was to become, and not what it was."""
    first, stop = rows.at(place[0]), rows.at(max(place[1] - 1, place[0])) + 1
    before, after = _counted(old), _counted(new)
    gone, fresh = before - after, after - before
    # A row that stays may read as one that goes, or comes: it counts for itself alone.
    now = _counted(rows.rows[first:stop]) - (before & after)
    if not gone - now and (gone or not fresh):
        return False
    if fresh:
        near = _counted(rows.rows[max(first - len(new), 0) : stop + len(new)]) - (before & after)
        return _mostly(fresh, now) or (not gone and _mostly(fresh, near))
    # Rows were to go: one of them may stand there, quoted badly.
    others = now - after
    return not any(likeness(row, other, least=_ALIKE) for row in gone for other in others)


def _mostly(fresh: Counter[str], now: Counter[str]) -> bool:
    return (fresh & now).total() >= fresh.total() * _PART


def _counted(rows: Sequence[str]) -> Counter[str]:
    return Counter(key for key in map(plain, rows) if key)


def _told(rows: Sequence[str]) -> list[str]:
    return [key for key in map(spaced, rows) if key]


def _letters(rows: Sequence[str]) -> int:
    return sum(char.isalnum() for row in rows for char in row)
