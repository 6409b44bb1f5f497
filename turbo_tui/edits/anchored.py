"""A block whose first and last rows are in the file, and most of what lies between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, islice

from turbo_tui.edits.likeness import likeness, plain
from turbo_tui.edits.rows import Rows

MOST_ROWS = 600  # of a block: rows are aligned at the cost of the square
MOST_COMPARED = 64  # places; a text that so many are like is told apart by none
_ALIKE = 0.5  # of 1, below which two rows have nothing to do with each other
_MIDDLE = 0.6  # of 1, the least mean likeness of the rows between
_TOLD = 0.5  # of 1, the least share of characters that stand in equal rows
_CLEARLY = 0.4  # in rows, by which a place must be better than any other


@dataclass(frozen=True, slots=True)
class Aligned:
    """A block beside the rows at one place.

    Attributes:
        first: First row of the place.
        stop: The row after its last.
        pairs: For each row of the block its row, counted from `first`; None: it has none.
        score: Rows that are equal, less what speaks against; in rows.
        middle: Mean likeness of the rows between first and last, 0 to 1.
        told: Share of the block's characters that stand in equal rows, 0 to 1.
        unknown: Rows of the place, not blank, that the block has not.
        lacking: Rows of the block, not blank, that the place has not.
    """

    first: int
    stop: int
    pairs: tuple[int | None, ...]
    score: float
    middle: float
    told: float
    unknown: int
    lacking: int


def anchored_places(rows: Rows, old: Sequence[str]) -> list[Aligned]:
    """Find the place where a block is meant that differs from what is there.

    Returns:
        The place, and after it all that are nearly as good, even such as the block's ends do not
        fit: it may be they that a model has wrong. Empty when no place is like enough, or too
        many to be told apart are.
    """
    wanted = [plain(row) for row in old]
    told = sum(1 for key in wanted if key)
    if told < 2 or len(wanted) > MOST_ROWS:  # noqa: PLR2004
        return []
    keys = rows.keys(plain)
    shared = _shared(keys, set(wanted))
    places = list(islice(_between_anchors(keys, wanted, shared), MOST_COMPARED + 1))
    if not places or len(places) > MOST_COMPARED:
        return []
    found = sorted(
        (align(wanted, keys, first, stop) for first, stop in places), key=lambda one: -one.score
    )
    best = found[0]
    if not _good(best, told):
        return []
    rivals = list(islice(_elsewhere(keys, wanted, shared, best), MOST_COMPARED + 1))
    if len(rivals) > MOST_COMPARED:
        return []
    return [best, *(one for one in (*found[1:], *rivals) if not _clearly(best, one))]


def align(wanted: Sequence[str], keys: Sequence[str], first: int, stop: int) -> Aligned:
    """Pair the rows of a block with those of a place."""
    there = keys[first:stop]
    pairs: list[int | None] = [None] * len(wanted)
    alike = [0.0] * len(wanted)
    matcher = SequenceMatcher(None, wanted, there, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pairs[i1:i2] = range(j1, j2)
            alike[i1:i2] = [1.0] * (i2 - i1)
        elif tag == "replace":
            _pair(wanted, there, (i1, i2, j1, j2), pairs, alike)
    told = [index for index, key in enumerate(wanted) if key]
    taken = {at for at in pairs if at is not None}
    unknown = sum(1 for at, key in enumerate(there) if key and at not in taken)
    length = sum(len(wanted[index]) for index in told) or 1
    middle = [alike[index] for index in told[1:-1]]
    return Aligned(
        first,
        stop,
        tuple(pairs),
        sum(1.0 if alike[index] >= 1 else alike[index] / 2 for index in told) - unknown / 2,
        sum(middle) / len(middle) if middle else 1.0,
        sum(len(wanted[index]) for index in told if alike[index] >= 1) / length,
        unknown,
        sum(1 for index in told if pairs[index] is None),
    )


def _pair(
    wanted: Sequence[str],
    there: Sequence[str],
    block: tuple[int, int, int, int],
    pairs: list[int | None],
    alike: list[float],
) -> None:
    """Pair rows that differ, in order, each with the next that is alike."""
    i1, i2, begin, stop = block
    for index in range(i1, i2):
        if not wanted[index]:
            continue
        # Rows further on than the block is long are not looked at: the work stays in proportion.
        reach = range(begin, min(stop, begin + (i2 - i1) + 3))
        ratios = [(likeness(wanted[index], there[at], least=_ALIKE), -at) for at in reach]
        ratio, at = max(ratios, default=(0.0, 0))
        if ratio:
            pairs[index], alike[index] = -at, min(ratio, 0.99)
            begin = 1 - at


def _good(one: Aligned, told: int) -> bool:
    if not one.unknown and not one.lacking and one.told >= 1:
        return True  # only blank rows differ
    few = max(2, told // 3)
    return (
        told > 2  # noqa: PLR2004
        and one.middle >= _MIDDLE
        and one.told >= _TOLD
        and one.unknown <= few
        and one.lacking <= few
    )


def _clearly(best: Aligned, other: Aligned) -> bool:
    return best.score - other.score >= _CLEARLY


def _shared(keys: Sequence[str], wanted: set[str]) -> list[int]:
    """Count, up to each row, those that the block has too."""
    return list(accumulate((bool(key) and key in wanted for key in keys), initial=0))


def _between_anchors(
    keys: Sequence[str], wanted: Sequence[str], shared: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield first row and row after the last of places that begin and end as the block does."""
    told = sum(1 for key in wanted if key)
    lasts = [at for at, key in enumerate(keys) if key == wanted[-1]]
    least, most = max(len(wanted) // 2, 1), len(wanted) * 3 // 2 + 3
    begin = 0
    for first, key in enumerate(keys):
        if key != wanted[0]:
            continue
        while begin < len(lasts) and lasts[begin] < first + least:
            begin += 1
        for last in islice(lasts, begin, None):
            if last > first + most:
                break
            if (shared[last + 1] - shared[first]) * 2 >= told:
                yield first, last + 1


def _elsewhere(
    keys: Sequence[str], wanted: Sequence[str], shared: Sequence[int], best: Aligned
) -> Iterator[Aligned]:
    """Yield the block beside each other place that could be nearly as good."""
    told = sum(1 for key in wanted if key)
    # A place with fewer equal rows cannot come near, were all others as alike as can be.
    least = max(2 * (best.score - _CLEARLY) - told, told / 3, 1)
    length = len(wanted) + 2
    at = 0
    while at < len(keys):
        stop = min(at + length, len(keys))
        if best.first <= at < best.stop:
            at = best.stop
            continue
        if at < best.first:
            stop = min(stop, best.first)
        if shared[stop] - shared[at] < least:
            at += 1
            continue
        # The most that rows are shared by near here: half a block on is the next place.
        reach = range(at, min(at + max(length // 2, 1), len(keys)))
        top = max(reach, key=lambda first: _window(shared, first, length, best))
        yield align(wanted, keys, *_bounds(keys, top, length, best))
        at = max(top + max(length // 2, 1), at + 1)


def _window(shared: Sequence[int], first: int, length: int, best: Aligned) -> int:
    if best.first <= first < best.stop:
        return -1
    stop = min(first + length, len(shared) - 1)
    return shared[min(stop, best.first) if first < best.first else stop] - shared[first]


def _bounds(keys: Sequence[str], first: int, length: int, best: Aligned) -> tuple[int, int]:
    stop = min(first + length, len(keys))
    return first, min(stop, best.first) if first < best.first else stop
