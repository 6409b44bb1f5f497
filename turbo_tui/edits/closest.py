"""Say which lines of a text come closest to some that are not there, and how they differ."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

_MOST_COMPARED = 20_000  # lines of a file that are compared for a closest match
_COMPARED_CHARS = 2_000  # of a text, when likeness is measured: it costs the square
_COMPARED_LINE = 400
_MOST_SHOWN = 200  # lines of a difference
_ALIKE = 0.5  # of 1, below which lines are not called close


def closest_match(text: str, old: str) -> tuple[int, str, str]:
    """Find the lines most like `old`.

    Returns:
        Line number (1-based, 0 when nothing is close), the lines there, and how they differ:
        `-` rows are yours, `+` rows the file's.
    """
    wanted = old.strip("\n").split("\n")
    lines = text.removesuffix("\n").split("\n")[:_MOST_COMPARED]
    start = _likeliest_start(lines, wanted)
    if start is None:
        return 0, "", ""
    found = lines[start : start + len(wanted)]
    return start + 1, "\n".join(found), _difference(wanted, found)


def _likeliest_start(lines: list[str], wanted: list[str]) -> int | None:
    """Let lines that are equal but for white space vote for a start; else compare one line."""
    places: dict[str, list[int]] = {}
    for offset, line in enumerate(wanted):
        if line.strip():
            places.setdefault(" ".join(line.split()), []).append(offset)
    votes: Counter[int] = Counter()
    for index, line in enumerate(lines):
        for offset in places.get(" ".join(line.split()), ()):
            if index >= offset:
                votes[index - offset] += 1
    if votes:
        most = max(votes.values())
        candidates = [start for start, count in votes.items() if count == most][:10]
        return max(candidates, key=lambda start: _likeness(lines, wanted, start))
    return _most_alike(lines, wanted)


def _likeness(lines: list[str], wanted: list[str], start: int) -> float:
    found = "\n".join(lines[start : start + len(wanted)])[:_COMPARED_CHARS]
    return SequenceMatcher(None, "\n".join(wanted)[:_COMPARED_CHARS], found, autojunk=False).ratio()


def _most_alike(lines: list[str], wanted: list[str]) -> int | None:
    """Find the file's line most like the most telling (longest) wanted line."""
    offset = max(range(len(wanted)), key=lambda index: len(wanted[index].strip()))
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(wanted[offset].strip()[:_COMPARED_LINE])
    best, best_index = _ALIKE, None
    for index, line in enumerate(lines):
        stripped = line.strip()[:_COMPARED_LINE]
        if not stripped or index < offset:
            continue
        matcher.set_seq1(stripped)
        if matcher.real_quick_ratio() <= best or matcher.quick_ratio() <= best:
            continue
        ratio = matcher.ratio()
        if ratio > best:
            best, best_index = ratio, index
    return None if best_index is None else best_index - offset


def _difference(wanted: list[str], found: list[str], most: int = 24) -> str:
    """Show both, `-` yours and `+` the file's; say so when only white space differs."""
    rows: list[str] = []
    wanted, found = wanted[:_MOST_SHOWN], found[:_MOST_SHOWN]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, wanted, found, autojunk=False).get_opcodes():
        if tag == "equal":
            rows += [f"  {line}" for line in found[j1:j2]]
            continue
        rows += [f"- {_seen(line)}" for line in wanted[i1:i2]]
        rows += [f"+ {_seen(line)}" for line in found[j1:j2]]
    if len(rows) > most:
        rows = [*rows[:most], f"… {len(rows) - most} more rows"]
    if [line.split() for line in wanted] == [line.split() for line in found]:
        rows.append("(only white space differs: → is a tab, · a trailing space)")
    return "\n".join(rows)


def _seen(line: str) -> str:
    """Show tabs and trailing spaces, which a mismatch often hangs on."""
    bare = line.rstrip(" ")
    return bare.replace("\t", "→") + "·" * (len(line) - len(bare))
