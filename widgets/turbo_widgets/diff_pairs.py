"""Which removed line became which added one, and which words of it changed.

Source: the idea of aligning the lines of a replaced block by likeness before looking at words,
as in Miller & Myers 1985, "A file comparison program".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from turbo_widgets.diff_values import DiffLine

Range = tuple[int, int]  # characters of a line: first, one past the last
Pair = tuple[int, int]  # indices into a hunk's lines; -1: nothing on that side

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_LIKE = 0.4  # less in common than this: two lines that only stand in each other's place
_MOST_TOKENS = 300
_MOST_CELLS = 36  # of the table that aligns a block; larger blocks are paired in order
_MOST_TABLES = 200  # in one hunk


def pair_lines(lines: Sequence[DiffLine]) -> tuple[dict[int, int], list[Pair]]:
    """Pair the lines of a hunk.

    Returns:
        The partner of each paired removed or added line, and the rows of a view side by side,
        in which every line stands once, unchanged ones on both sides.
    """
    partners: dict[int, int] = {}
    rows: list[Pair] = []
    tables = _MOST_TABLES
    place = 0
    while place < len(lines):
        kind = lines[place].kind
        if kind == "marker" and lines[place].text.startswith("<"):
            place = _meet(lines, place, rows)
            continue
        if kind not in {"removed", "added"}:
            rows.append((place, place))
            place += 1
            continue
        removed, notes, place = _run(lines, place, "removed")
        added, more_notes, place = _run(lines, place, "added")
        aligned = len(removed) * len(added) <= _MOST_CELLS and tables > 0
        if len(removed) != len(added) and aligned:
            tables -= 1
            matched = _align(lines, removed, added)
        else:
            matched = list(zip(removed, added, strict=False))
        for old, new in matched:
            partners[old], partners[new] = new, old
        rows += _side_rows(removed, added, matched)
        rows += [(note, -1) for note in notes] + [(-1, note) for note in more_notes]
    return partners, rows


def _meet(lines: Sequence[DiffLine], place: int, rows: list[Pair]) -> int:
    """Put both versions of a conflict next to each other, each under its name; return their end."""
    middle = _until_marker(lines, place + 1)
    end = _until_marker(lines, middle + 1)
    rows.extend(zip_longest(range(place, middle), range(middle, end), fillvalue=-1))
    return end


def _until_marker(lines: Sequence[DiffLine], place: int) -> int:
    while place < len(lines) and lines[place].kind != "marker":
        place += 1
    return min(place, len(lines))


def _run(lines: Sequence[DiffLine], place: int, kind: str) -> tuple[list[int], list[int], int]:
    """Return the lines of a kind from a place on, the notes among them, and where they end."""
    run: list[int] = []
    notes: list[int] = []
    while place < len(lines):
        if lines[place].kind == kind:
            run.append(place)
        elif lines[place].kind == "note" and run:
            notes.append(place)
        else:
            break
        place += 1
    return run, notes, place


def _side_rows(removed: Sequence[int], added: Sequence[int], matched: Sequence[Pair]) -> list[Pair]:
    rows: list[Pair] = []
    old = new = 0
    for left, right in [*matched, (-1, -1)]:
        old_end = removed.index(left, old) if left >= 0 else len(removed)
        new_end = added.index(right, new) if right >= 0 else len(added)
        rows.extend(zip_longest(removed[old:old_end], added[new:new_end], fillvalue=-1))
        if left >= 0:
            rows.append((left, right))
            old, new = old_end + 1, new_end + 1
    return rows


def _align(lines: Sequence[DiffLine], removed: Sequence[int], added: Sequence[int]) -> list[Pair]:
    """Pair in order, so that the sum of likenesses is greatest."""
    olds = [_words(lines[place].text) for place in removed]
    news = [_words(lines[place].text) for place in added]
    best: list[list[float]] = [[0.0] * (len(news) + 1) for _ in range(len(olds) + 1)]
    like = [[_common(old, new) for new in news] for old in olds]
    for row in range(len(olds) - 1, -1, -1):
        for column in range(len(news) - 1, -1, -1):
            both = like[row][column] + best[row + 1][column + 1]
            best[row][column] = max(both, best[row + 1][column], best[row][column + 1])
    pairs: list[Pair] = []
    row = column = 0
    while row < len(olds) and column < len(news):
        score = like[row][column]
        if score and best[row][column] == score + best[row + 1][column + 1]:
            pairs.append((removed[row], added[column]))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs


def _words(text: str) -> frozenset[str]:
    return frozenset(_TOKENS.findall(text[:1_000])) - {" "}


def _common(old: frozenset[str], new: frozenset[str]) -> float:
    total = len(old) + len(new)
    score = 2 * len(old & new) / total if total else 0.0
    return score if score >= _LIKE else 0.0


def changed_words(old: str, new: str) -> tuple[list[Range], list[Range]]:
    """Return what differs in two lines; nothing if they have too little in common to say."""
    if old == new or not old.strip() or not new.strip():
        return [], []
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    middle_old = before[head : len(before) - tail]
    middle_new = after[head : len(after) - tail]
    if max(len(middle_old), len(middle_new)) > _MOST_TOKENS:
        codes = [("replace", 0, len(middle_old), 0, len(middle_new))]
    else:
        codes = SequenceMatcher(None, middle_old, middle_new, autojunk=False).get_opcodes()
    kept = sum(len(token.strip()) for token in [*before[:head], *before[len(before) - tail :]])
    olds: list[Range] = []
    news: list[Range] = []
    start_old = start_new = sum(map(len, before[:head]))
    for code, old_from, old_to, new_from, new_to in codes:
        old_size = sum(map(len, middle_old[old_from:old_to]))
        new_size = sum(map(len, middle_new[new_from:new_to]))
        if code == "equal":
            kept += sum(len(token.strip()) for token in middle_old[old_from:old_to])
        else:
            _extend(olds, old, start_old, start_old + old_size)
            _extend(news, new, start_new, start_new + new_size)
        start_old += old_size
        start_new += new_size
    longest = max(sum(len(token.strip()) for token in side) for side in (before, after))
    return (olds, news) if kept >= _LIKE * longest else ([], [])


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _extend(ranges: list[Range], text: str, start: int, end: int) -> None:
    """Add a range; words with only blanks between them become one."""
    if start == end:
        return
    if ranges and not text[ranges[-1][1] : start].strip():
        start = ranges.pop()[0]
    ranges.append((start, end))


def only_blanks_differ(old: str, new: str) -> bool:
    """Tell if two lines are the same but for white space."""
    return "".join(old.split()) == "".join(new.split())
