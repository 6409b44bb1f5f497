"""Where everything of a change set stands, by arithmetic: no row is made before it is seen.

A layout is a list of blocks. A block of notices has its rows; a block of code knows only which
lines are in it, and how many rows each takes where one takes more than one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from turbo_widgets.diff_pairs import Pair
from turbo_widgets.diff_values import WHOLE_FILE
from turbo_widgets.row_items import NO_ITEM, Span, Tone


class Place(NamedTuple):
    """What an item is.

    Attributes:
        file: Index of the file; -1: an ignored folder, or nothing.
        hunk: Index of the hunk; `WHOLE_FILE` on lines about the file.
        line: Index of the line (of a comment: the line it is about); -1 on headings.
        right: Side by side, the line on the right; else the same as `line`. -1: none.
        comment: Index among the hunk's comments, or -1.
        ignored: Index of the ignored folder, or -1.
        summary: A file's line in the list at the top.
    """

    file: int = -1
    hunk: int = WHOLE_FILE
    line: int = -1
    right: int = -1
    comment: int = -1
    ignored: int = -1
    summary: bool = False


class Notice(NamedTuple):
    """A row that is not code; `item` counts within its block, -1: not for the cursor."""

    spans: tuple[Span, ...]
    item: int = -1
    band: Tone = "plain"


@dataclass(slots=True)
class Notices:
    """Rows that are not code."""

    rows: list[Notice] = field(default_factory=list[Notice])
    places: list[Place] = field(default_factory=list[Place])

    def add(self, place: Place | None, *rows: tuple[tuple[Span, ...], Tone]) -> None:
        """Add the rows of one item, or rows that the cursor passes over."""
        item = -1
        if place is not None:
            item = len(self.places)
            self.places.append(place)
        self.rows += [Notice(spans, item, band) for spans, band in rows]


@dataclass(slots=True)
class Code:
    """Lines of a hunk, one item each.

    Attributes:
        pairs: Left and right line of each item.
        tops: First row of each item, and the count of rows at the end; None: one row each.
    """

    file: int
    hunk: int
    pairs: Sequence[Pair]
    tops: array[int] | None = None

    @classmethod
    def fitted(
        cls, file: int, hunk: int, pairs: Sequence[Pair], heights: Sequence[int] | None
    ) -> Code:
        """Lay lines out that may take several rows each."""
        if heights is None or max(heights, default=1) == 1:
            return cls(file, hunk, pairs)
        return cls(file, hunk, pairs, array("l", accumulate(heights, initial=0)))


Block: TypeAlias = Notices | Code


class CodeRow(NamedTuple):
    """A row of code: the `part`-th of the item's rows."""

    block: Code
    at: int
    part: int


class SameLines(Sequence[Pair]):
    """The pairs of a view that is not side by side: a line, and again the same."""

    def __init__(self, start: int, end: int) -> None:
        self._lines = range(start, end)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, at: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]  no slices
        line = self._lines[at]
        return line, line


class Layout:
    """All blocks, top to bottom; an `ItemIndex`."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._rows: list[int] = []
        self._items: list[int] = []
        self.row_count = 0
        self.item_count = 0
        self.heads: dict[tuple[int, int], int] = {}  # file and hunk -> item

    def add(self, block: Block) -> None:
        """Put a block under the others."""
        items = len(block.places if isinstance(block, Notices) else block.pairs)
        if isinstance(block, Notices):
            rows = len(block.rows)
            for at, place in enumerate(block.places):
                if place.file >= 0 and not place.summary and place.line < 0:
                    self.heads.setdefault((place.file, place.hunk), self.item_count + at)
        else:
            rows = items if block.tops is None else block.tops[-1]
        if not rows:
            return
        self.blocks.append(block)
        self._rows.append(self.row_count)
        self._items.append(self.item_count)
        self.row_count += rows
        self.item_count += items

    # --- the index of items ------------------------------------------------------

    @property
    def first(self) -> int:
        """The topmost item, or `NO_ITEM`."""
        return 0 if self.item_count else NO_ITEM

    @property
    def last(self) -> int:
        """The lowest item, or `NO_ITEM`."""
        return self.item_count - 1 if self.item_count else NO_ITEM

    def __contains__(self, item: int) -> bool:
        return 0 <= item < self.item_count

    def nearest(self, item: int) -> int:
        """Return the next known item, else the last, else `NO_ITEM`."""
        return max(self.first, min(item, self.last))

    def step(self, item: int, count: int) -> int:
        """Return the item so many further, the first or the last at the ends."""
        return max(0, min(self.item_count - 1, item + count)) if item in self else self.first

    def _block_of_item(self, item: int) -> int:
        number = bisect_right(self._items, item) - 1
        while self._items[number] == item and not _items_in(self.blocks[number]):
            number -= 1  # a block without items shares the number of the next one
        return number

    def item_at(self, row: int) -> int:
        """Return the item of a row, or `NO_ITEM`."""
        number = bisect_right(self._rows, row) - 1
        block, at = self.blocks[number], row - self._rows[number]
        if isinstance(block, Notices):
            inner = block.rows[at].item
            return NO_ITEM if inner < 0 else self._items[number] + inner
        return self._items[number] + (
            at if block.tops is None else bisect_right(block.tops, at) - 1
        )

    def rows_of(self, item: int) -> tuple[int, int]:
        """Return an item's first and last row."""
        number = self._block_of_item(item)
        block, top, at = self.blocks[number], self._rows[number], item - self._items[number]
        if isinstance(block, Notices):
            rows = [place for place, row in enumerate(block.rows) if row.item == at]
            return top + rows[0], top + rows[-1]
        if block.tops is None:
            return top + at, top + at
        return top + block.tops[at], top + block.tops[at + 1] - 1

    # --- what is where -----------------------------------------------------------

    def row(self, row: int) -> Notice | CodeRow:
        """Return what stands in a row."""
        number = bisect_right(self._rows, row) - 1
        block, at = self.blocks[number], row - self._rows[number]
        if isinstance(block, Notices):
            return block.rows[at]
        if block.tops is None:
            return CodeRow(block, at, 0)
        inner = bisect_right(block.tops, at) - 1
        return CodeRow(block, inner, at - block.tops[inner])

    def place(self, item: int) -> Place | None:
        """Return what an item is."""
        if item not in self:
            return None
        number = self._block_of_item(item)
        block, at = self.blocks[number], item - self._items[number]
        if isinstance(block, Notices):
            return block.places[at]
        left, right = block.pairs[at]
        return Place(block.file, block.hunk, left, right)

    def item_of_line(self, file: int, hunk: int, line: int) -> int:
        """Return the item that shows a line, or `NO_ITEM`."""
        for number, block in enumerate(self.blocks):
            if not isinstance(block, Code) or (block.file, block.hunk) != (file, hunk):
                continue
            if isinstance(block.pairs, SameLines):
                at = line - block.pairs[0][0]
                if 0 <= at < len(block.pairs):
                    return self._items[number] + at
                continue
            for at, pair in enumerate(block.pairs):
                if line in pair:
                    return self._items[number] + at
        return NO_ITEM


def _items_in(block: Block) -> int:
    return len(block.places if isinstance(block, Notices) else block.pairs)
