"""A block whose first and last rows are in the file, and most of what lies between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate, islice, product

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import likeness, plain
from turbo_tui.edits.rows import Rows

MOST_ROWS = 600  # of a block: rows are aligned at the cost of the square
MOST_COMPARED = 64  # places; a text that so many are like is told apart by none
_ALIKE = 0.5  # of 1, below which two rows have nothing to do with each other
_MIDDLE = 0.6  # of 1, the least mean likeness of the rows between
_TOLD = 0.5  # of 1, the least share of characters that stand in equal rows
_REACH = 8  # rows that a row is compared with: the work stays in proportion
_TELLING = 3  # letters and digits, of a row that is not like many others
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


def anchored_places(
    rows: Rows, old: Sequence[str], loose: tuple[int, int] = (0, 0)
) -> list[Aligned]:
    """Find the place where a block is meant that differs from what is there.

    Args:
        rows: The text.
        old: The block; its first and last row are blank in no case.
        loose: How many rows at its head and tail are context, and so need not be there.

    Returns:
        The place, and after it all that are nearly as good, even such as the block's ends do not
        fit: it may be they that a model has wrong. Empty when no place is like enough, or too
        many to be told apart are.
    """
    if len(old) > MOST_ROWS:
        return []
    block = _Block(rows, old)
    wanted, keys, told = block.wanted, block.keys, len(block.told)
    if told < 2:  # noqa: PLR2004
        return []
    shared = _shared(keys, set(wanted))
    places = _windows(keys, wanted, shared, loose)
    if not places or len(places) > MOST_COMPARED:
        return []
    found = sorted(
        (block.beside(first, stop) for first, stop in places), key=lambda one: -one.score
    )
    best = found[0]
    if not _good(best, told):
        return []
    rivals = list(islice(_elsewhere(block, shared, best), MOST_COMPARED + 1))
    if len(rivals) > MOST_COMPARED:
        return []
    near = [one for one in (*found[1:], *rivals) if not _clearly(best, one)]
    return [best, *(replace(one, first=one.first + _lead(one)) for one in near)]


def _lead(one: Aligned) -> int:
    """Count the rows of a place before the first that the block has."""
    return next((at for at in one.pairs if at is not None), 0)


class _Block:
    """A block that is laid beside places of a text."""

    def __init__(self, rows: Rows, old: Sequence[str]) -> None:
        self.old = old
        self.wanted = [plain(row) for row in old]
        self.rows = rows
        self.keys = rows.keys(plain)
        self.told = [index for index, key in enumerate(self.wanted) if key]

    def beside(self, first: int, stop: int) -> Aligned:
        """Pair the rows of the block with those of a place.

        Rows are paired with their depth, which tells one `}` from the next; but how good a place
        is must not hang on it, or one with other words in a row would beat one with other spaces.
        """
        plainly = self._paired(first, stop, (self.wanted, self.keys[first:stop]))
        compared = self._with_depth(first, stop)
        if compared is None:
            return plainly
        deeply = self._paired(first, stop, compared)
        return replace(deeply, score=max(plainly.score, deeply.score))

    def _paired(self, first: int, stop: int, compared: tuple[list[str], list[str]]) -> Aligned:
        there = self.keys[first:stop]
        pairs: list[int | None] = [None] * len(self.wanted)
        alike = [0.0] * len(self.wanted)
        matcher = SequenceMatcher(None, *compared, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            if tag == "equal":
                pairs[i1:i2] = range(j1, j2)
                alike[i1:i2] = [1.0] * (i2 - i1)
            elif tag == "replace":
                _pair((self.wanted[i1:i2], i1), (there[j1:j2], j1), pairs, alike)
        taken = {at for at in pairs if at is not None}
        unknown = sum(1 for at, key in enumerate(there) if key and at not in taken)
        length = sum(len(self.wanted[index]) for index in self.told) or 1
        middle = [alike[index] for index in self.told[1:-1]]
        score = sum(1.0 if alike[index] >= 1 else alike[index] / 2 for index in self.told)
        return Aligned(
            first,
            stop,
            tuple(pairs),
            score - unknown / 2,
            sum(middle) / len(middle) if middle else 1.0,
            sum(len(self.wanted[index]) for index in self.told if alike[index] >= 1) / length,
            unknown,
            sum(1 for index in self.told if pairs[index] is None),
        )

    def _with_depth(self, first: int, stop: int) -> tuple[list[str], list[str]] | None:
        """Read rows with how far they are in; None where one has tabs and the other spaces."""
        mine, theirs = self.old, self.rows.rows[first:stop]
        if len({indent(row)[:1] for row in (*mine, *theirs)} - {""}) > 1:
            return None
        keys = self.keys[first:stop]
        depth = {key: len(indent(row)) for key, row in zip(keys, theirs, strict=True)}
        shifts = Counter(
            depth[key] - len(indent(row))
            for key, row in zip(self.wanted, mine, strict=True)
            if key in depth and _tells(key)
        )
        shift = shifts.most_common(1)[0][0] if shifts else 0
        return _with_depth(mine, self.wanted, shift), _with_depth(theirs, keys, 0)


def _with_depth(rows: Sequence[str], keys: Sequence[str], shift: int) -> list[str]:
    return [
        f"{len(indent(row)) + shift} {key}" if key else ""
        for row, key in zip(rows, keys, strict=True)
    ]


def _pair(
    mine: tuple[Sequence[str], int],
    theirs: tuple[Sequence[str], int],
    pairs: list[int | None],
    alike: list[float],
) -> None:
    """Pair rows that differ, in order, each with the one near by that is most alike."""
    (wanted, at_mine), (there, at_theirs) = mine, theirs
    begin = 0
    for index, key in enumerate(wanted):
        if not key or (key in there and not _tells(key)):
            continue  # a `}` that is further in or out is another one
        reach = range(begin, min(len(there), begin + _REACH))
        ratio, at = max(
            (
                (likeness(key, there[other], least=_ALIKE), -other)
                for other in reach
                if there[other]
            ),
            default=(0.0, 0),
        )
        if ratio:
            pairs[at_mine + index], alike[at_mine + index] = at_theirs - at, ratio
            begin = 1 - at


def _tells(key: str) -> bool:
    return sum(char.isalnum() for char in key) > _TELLING


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


def _windows(
    keys: Sequence[str], wanted: Sequence[str], shared: Sequence[int], loose: tuple[int, int]
) -> list[tuple[int, int]]:
    """Return places between anchors, the outermost that there are; one more than may be compared.

    Rows of context that are not there are left out of the anchors, not of what is compared.
    """
    for heads, tails in sorted(product(range(loose[0] + 1), range(loose[1] + 1)), key=sum):
        inner = wanted[heads : len(wanted) - tails]
        if len(inner) < 2 or not inner[0] or not inner[-1]:  # noqa: PLR2004
            continue
        found = islice(_between_anchors(keys, inner, shared), MOST_COMPARED + 1)
        if places := [
            (max(first - heads, 0), min(stop + tails, len(keys))) for first, stop in found
        ]:
            return places
    return []


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


def _elsewhere(block: _Block, shared: Sequence[int], best: Aligned) -> Iterator[Aligned]:
    """Yield the block beside each other place that could be nearly as good."""
    keys, wanted, told = block.keys, block.wanted, len(block.told)
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
        yield block.beside(*_bounds(keys, top, length, best))
        at = max(top + max(length // 2, 1), at + 1)


def _window(shared: Sequence[int], first: int, length: int, best: Aligned) -> int:
    if best.first <= first < best.stop:
        return -1
    stop = min(first + length, len(shared) - 1)
    return shared[min(stop, best.first) if first < best.first else stop] - shared[first]


def _bounds(keys: Sequence[str], first: int, length: int, best: Aligned) -> tuple[int, int]:
    stop = min(first + length, len(keys))
    return first, min(stop, best.first) if first < best.first else stop
