"""Say which lines of a text come closest to some that are not there, and how they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from heapq import nsmallest
from itertools import takewhile

from turbo_tui.edits.likeness import likeness

_MOST_COMPARED = 20_000  # lines of a file that are compared for a closest match
_MOST_VOTES = 50  # places of one line that are looked at
_MOST_CANDIDATES = 10
_MOST_WEIGHED = 8  # lines that differ, whose likeness is measured: that costs the square
_SHOWN_LINE = 200  # characters
_COMPARED_LINE = 400
_EMPTY = "(an empty line)"
_MOST_SHOWN = 200  # lines that are compared for a difference
_MOST_ROWS = 20  # of a difference that are shown
_SAME = 3  # rows that are the same, shown before and after each difference
_MOST_CHARS = 2_000  # of a line that is returned
_ALIKE = 0.5  # of 1, below which lines are not called close

_WORD = re.compile(r"[A-Za-z]{2,}|[0-9]+|[^\x00-\x7f]+")


def closest_match(text: str, old: str) -> tuple[int, str, str]:
    """Find the lines most like `old`; blank rows around them are told only where all else fits.

    Returns:
        Line number (1-based, 0 when nothing is close), the lines there, and how they differ:
        `-` rows are yours, `+` rows the file's.
    """
    wanted = old.strip("\n").split("\n")
    lines = text.removesuffix("\n").split("\n")[:_MOST_COMPARED]
    start = _likeliest_start(lines, wanted)
    if start is None:
        return 0, "", ""
    found = [line[:_MOST_CHARS] for line in lines[start : start + len(wanted)]]
    if wanted != found:
        return start + 1, "\n".join(found), _difference(wanted, found)
    # Only blank rows can be in the way, before or after: of those the file has a part.
    asked = old.removesuffix("\n").split("\n")
    above = len(old) - len(old.lstrip("\n"))
    below = len(asked) - above - len(wanted)
    there = [
        *takewhile(_is_blank, reversed(lines[max(0, start - above) : start])),
        *found,
        *takewhile(_is_blank, lines[start + len(wanted) :][:below]),
    ]
    return start + 1, "\n".join(found), _difference(asked, there)


def _is_blank(line: str) -> bool:
    return not line.strip()


def _likeliest_start(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Let rare lines that are equal but for white space vote for a start; else compare one."""
    keys = [" ".join(line.split()) for line in lines]
    asked = [" ".join(line.split()) for line in wanted]
    places: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        places.setdefault(key, []).append(index)
    votes: Counter[int] = Counter()
    for offset, key in enumerate(asked):
        there = places.get(key, []) if key else []
        # A line that is everywhere tells little, and would be the most work.
        votes.update(at - offset for at in there[:_MOST_VOTES] if at >= offset)
    if votes:
        candidates = [start for start, _ in votes.most_common(_MOST_CANDIDATES)]
        return max(candidates, key=lambda start: _likeness(keys, asked, start))
    return _most_alike(keys, asked)


def _likeness(keys: Sequence[str], asked: Sequence[str], start: int) -> float:
    """Count equal lines, and of the first that differ how alike they are."""
    pairs = list(zip(asked, keys[start : start + len(asked)], strict=False))
    differing = [(mine, there) for mine, there in pairs if mine != there][:_MOST_WEIGHED]
    alike = sum(likeness(mine, there) for mine, there in differing)
    return len(pairs) - len(differing) + alike / 2


def _most_alike(keys: Sequence[str], asked: Sequence[str]) -> int | None:
    """Find the line most like the most telling (longest) one, among those that share words."""
    offset = max(range(len(asked)), key=lambda index: len(asked[index]))
    line = asked[offset]
    words = set(_WORD.findall(line[:_COMPARED_LINE]))
    sharing: list[tuple[int, int, int]] = []
    for index, key in enumerate(keys):
        shared = len(words.intersection(_WORD.findall(key[:_COMPARED_LINE]))) if key else 0
        if shared and index >= offset:
            sharing.append((-shared, abs(len(key) - len(line)), index))
    best, best_index = _ALIKE, None
    for _, _, index in nsmallest(_MOST_VOTES, sharing):
        ratio = likeness(line, keys[index], least=best)
        if ratio > best:
            best, best_index = ratio, index
    return None if best_index is None else best_index - offset


def _difference(wanted: Sequence[str], found: Sequence[str]) -> str:
    """Show both, `-` yours and `+` the file's; say so when only white space differs.

    Rows that differ in white space are shown as the file has them where others differ in more.
    """
    wanted, found = wanted[:_MOST_SHOWN], found[:_MOST_SHOWN]
    asked, keys = ([" ".join(line.split()) for line in rows] for rows in (wanted, found))
    blanks_alone = asked == keys
    compared = (wanted, found) if blanks_alone else (asked, keys)
    matcher = SequenceMatcher(None, *compared, autojunk=False)
    rows: list[str] = []
    blanks = False
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            blanks = blanks or wanted[i1:i2] != found[j1:j2]
            rows += _around(
                [f"  {_seen(line)}" for line in found[j1:j2]], not i1, i2 == len(wanted)
            )
            continue
        rows += [f"- {_seen(line) or _EMPTY}" for line in wanted[i1:i2]]
        rows += [f"+ {_seen(line) or _EMPTY}" for line in found[j1:j2]]
    if len(rows) > _MOST_ROWS:
        rows = [*rows[:_MOST_ROWS], f"… {len(rows) - _MOST_ROWS} more rows"]
    if blanks_alone:
        rows.append("(only white space differs: → is a tab, · a trailing space)")
    elif blanks:
        rows.append("(white space of other rows differs too; shown as the file has it)")
    return "\n".join(rows)


def _around(same: list[str], first: bool, last: bool) -> list[str]:  # noqa: FBT001
    """Leave out rows that are the same, but for those beside a difference."""
    head, tail = (0 if first else _SAME), (0 if last else _SAME)
    gone = len(same) - head - tail
    if gone <= _SAME:
        return same
    return [*same[:head], f"  … {gone} rows that are the same", *same[len(same) - tail :]]


def _seen(line: str) -> str:
    """Show tabs and trailing spaces, which a mismatch often hangs on."""
    if len(line) > _SHOWN_LINE:
        line = line[:_SHOWN_LINE] + "…"
    bare = line.rstrip(" ")
    return bare.replace("\t", "→") + "·" * (len(line) - len(bare))
