"""Carry what a model changed over to what really stands in the file.

A model's `old` is its memory of the file. Where that differs from the file, only what it changed
from `old` to `new` is meant; what both share keeps the file's own bytes. This is a merge of three
with `old` as the base.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from turbo_tui.edits.indentation import indent, reindent
from turbo_tui.edits.likeness import likeness, undone

# A run of blanks is one word: two sides that each drop one of two would leave none.
_WORD = re.compile(r"\w+|\n|[^\S\n]+|[^\w\s]")
_ALIKE = 0.5  # of 1, below which a new row is no change of an old one
_ANEW = 0.65  # of 1, from which a new row may be an old one written anew
_MOST_WORDS = 1_500  # of a text that is merged word by word: it costs the square

Pairs = Sequence[int | None]


def carried(
    old: Sequence[str], found: Sequence[str], pairs: Pairs, new: Sequence[str], unit: str
) -> list[str] | None:
    """Return the rows that take the place of `found`.

    Args:
        old: Rows as the model has them.
        found: Rows as the file has them.
        pairs: For each row of `old` the index of its row in `found`, ascending; None: it has none.
        new: What takes the place of `old`.
        unit: One step of indentation in the file.

    Returns:
        None where the model replaces rows that the file has not, or a stretch in which the file
        has rows that the model did not know of.
    """
    known = [(mine, found[at]) for mine, at in zip(old, pairs, strict=True) if at is not None]
    mine, theirs = [row for row, _ in known], [row for _, row in known]
    shifted = reindent(mine, theirs, new, unit)
    if any(_trails(row) and not _trails(other) for row, other in known):
        # The model's blanks at row ends mean nothing, but for such as the file has as well.
        own = {_tail(row) for row, other in known if _tail(row) == _tail(other)}
        shifted = [row if _tail(row) in own else row.rstrip() for row in shifted]
    base = reindent(mine, theirs, old, unit)
    undo = undone(mine, theirs)
    written: list[str] = []
    taken = 0  # rows of found that are dealt with
    for same, i1, i2, j1, j2 in _changes(old, new):
        places = [at for at in pairs[i1:i2] if at is not None]
        if same:
            stop = places[-1] + 1 if places else taken
            trimmed = _trimmed(old[i1:i2], found, pairs[i1:i2], new[j1:j2])
            written += [trimmed.get(at, found[at]) for at in range(taken, stop)]
            taken = stop
            continue
        if i1 == i2:
            # Where new rows go between two is not known when the file has more between them.
            until = _next(pairs, i2, found)
            if _holds(shifted[j1:j2], found[taken:until]):
                taken = until
            elif any(row.strip() for row in found[taken:until]):
                return None
        begin, stop = (places[0], places[-1] + 1) if places else (taken, taken)
        fresh = shifted[j1:j2]
        lost = not places and any(row.strip() for row in old[i1:i2])
        if lost or _borders(old, found, pairs, range(i1, i2), fresh):
            return None  # what it replaces is not there, or not all of it is told
        before = found[taken:begin]
        if not _holds(fresh, before):  # else the model adds by itself what the file has already
            written += before
        stood = [(at, base[row]) for row, at in zip(range(i1, i2), pairs[i1:i2], strict=True)]
        place = range(taken, stop)
        if _untold(old, found, pairs, changed=range(i1, i2), place=place, begin=begin):
            return None
        both = [(mine, found[at]) for at, mine in stood if at is not None]
        written += _merged([mine for mine, _ in both], [row for _, row in both], fresh, undo)
        taken = stop
    return [*written, *found[taken:]]


def _untold(
    old: Sequence[str],
    found: Sequence[str],
    pairs: Pairs,
    *,
    changed: range,
    place: range,
    begin: int,
) -> bool:
    """Say whether rows of a place would be lost, or stay, that the model may or may not mean.

    Args:
        old: Rows as the model has them.
        found: Rows as the file has them.
        pairs: Which belong together.
        changed: The rows of `old` that are replaced.
        place: The rows of `found` that are not written yet, up to the last one that is replaced.
        begin: The first of them that is replaced.
    """
    told = {pairs[row] for row in changed}
    rows = [at for at in range(begin, place.stop) if at not in told]
    if any(pairs[row] is None and old[row].strip() for row in changed):
        # What is replaced and was not found could be any row around that is not told.
        rows += [*range(place.start, begin), *range(place.stop, _next(pairs, changed.stop, found))]
    return any(found[at].strip() for at in rows)


def _borders(
    old: Sequence[str], found: Sequence[str], pairs: Pairs, changed: range, fresh: Sequence[str]
) -> bool:
    """Say whether a row beside what changes, which the model has not, may belong to it.

    It does where it is like a row that comes (the model wrote it anew), and where it is further
    in than the row before it that goes: it is of its block.

    Args:
        old: Rows as the model has them.
        found: Rows as the file has them.
        pairs: Which belong together.
        changed: The rows of `old` that are replaced; empty where rows go in.
        fresh: What takes their place.
    """
    places = [at for at in pairs[changed.start : changed.stop] if at is not None]
    told = _told(old, pairs)
    begin = max((at + 1 for row, at in told if row < changed.start), default=0)
    stop = min((at for row, at in told if row >= changed.stop), default=len(found))
    known = {at for at in pairs if at is not None}
    unknown = [at for at in range(begin, stop) if found[at].strip() and at not in known]
    if not unknown or _holds(fresh, [found[at] for at in unknown]):
        return False
    body = [at for at in unknown if places and at > places[-1]]
    if body and len(indent(found[body[0]])) > len(indent(found[places[-1]])):
        return True
    keys = [row.strip() for row in fresh if row.strip()]
    return any(likeness(found[at].strip(), key, least=_ANEW) for at in unknown for key in keys)


def _told(old: Sequence[str], pairs: Pairs) -> list[tuple[int, int]]:
    return [(row, at) for row, at in enumerate(pairs) if at is not None and old[row].strip()]


def _next(pairs: Pairs, begin: int, found: Sequence[str]) -> int:
    return next((at for at in pairs[begin:] if at is not None), len(found))


def _trails(row: str) -> bool:
    return row != row.rstrip()


def _tail(row: str) -> str:
    """Return the blanks at the end of a row."""
    return row[len(row.rstrip()) :]


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    mine, theirs = [row.rstrip() for row in old], [row.rstrip() for row in new]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        yield tag == "equal", i1, i2, j1, j2


def _trimmed(
    old: Sequence[str], found: Sequence[str], pairs: Pairs, new: Sequence[str]
) -> dict[int, str]:
    """Return rows of which only white space at their end changes, by their index in `found`."""
    return {
        at: fresh
        for mine, at, fresh in zip(old, pairs, new, strict=True)
        if at is not None and mine == found[at] and mine != fresh
    }


def _holds(rows: Sequence[str], others: Sequence[str]) -> bool:
    told = [row.strip() for row in others if row.strip()]
    return bool(told) and [row.strip() for row in rows if row.strip()][: len(told)] == told


def _merged(
    base: Sequence[str], found: Sequence[str], new: Sequence[str], undo: dict[int, str]
) -> list[str]:
    """Merge one changed block: what a new row shares with an old one is written as in the file."""
    differing = [
        (mine.strip(), theirs.strip())
        for mine, theirs in zip(base, found, strict=True)
        if mine.strip() != theirs.strip()
    ]
    return [_merged_row(row, differing, undo) for row in new]


def _merged_row(row: str, differing: Sequence[tuple[str, str]], undo: dict[int, str]) -> str:
    lead, body = indent(row), row.lstrip()
    likes = [(likeness(mine, body, least=_ALIKE), at) for at, (mine, _) in enumerate(differing)]
    alike, at = max(likes, default=(0.0, 0))
    if not alike:
        return row.translate(undo)
    return lead + merged_text(*differing[at], body, undo)


def merged_text(base: str, found: str, new: str, undo: dict[int, str]) -> str:
    """Write `new`, what it shares with `base` as `found` has it."""
    words: list[list[str]] = [_WORD.findall(text) for text in (base, found, new)]
    if max(map(len, words)) > _MOST_WORDS:
        return new.translate(undo)
    return "".join(_words(words[0], words[1], words[2], undo))


def _words(
    base: list[str], found: list[str], new: list[str], undo: dict[int, str]
) -> Iterator[str]:
    theirs = [
        (i1, i2, found[j1:j2])
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, base, found, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, base, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield "".join(new[j1:j2]).translate(undo)
            continue
        at = i1
        for start, stop, words in theirs:
            if start >= at and stop <= i2 and (start < i2 or start == stop == len(base)):
                yield "".join(base[at:start])
                yield "".join(words)
                at = stop
        yield "".join(base[at:i2])
