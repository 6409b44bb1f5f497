"""Rows and the items that they belong to, as values; and what a selection of rows copies."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from textual.selection import Selection

from turbo_widgets.row_tones import Tone

Tones: TypeAlias = Tone | tuple[Tone, ...]  # later ones over earlier ones
Span = tuple[str, Tones]

NO_ITEM = -1


@dataclass(frozen=True, slots=True)
class Row:
    """One line on screen.

    Attributes:
        spans: Text and tone, left to right.
        item: What the cursor lands on; rows of one item are neighbours. `NO_ITEM`: cannot be
            chosen.
        band: Tone that fills the row's whole width.
        end: Spans pushed to the right edge where they fit.
        columns: Where the text to copy is, in characters from the left; empty: all of it.
        joins: It goes on with the text of the row above: no newline between them when copied.
    """

    spans: tuple[Span, ...]
    item: int = NO_ITEM
    band: Tone = "plain"
    end: tuple[Span, ...] = ()
    columns: tuple[tuple[int, int], ...] = ()
    joins: bool = False

    @property
    def text(self) -> str:
        """The row's text without its right-hand end."""
        return "".join(text for text, _ in self.spans)


class ItemIndex(Protocol):
    """Which rows belong to which item; items are numbers that rise from top to bottom."""

    @property
    def first(self) -> int:
        """The topmost item, or `NO_ITEM`."""
        ...

    @property
    def last(self) -> int:
        """The lowest item, or `NO_ITEM`."""
        ...

    def __contains__(self, item: int) -> bool: ...

    def item_at(self, row: int) -> int:
        """Return the item of a row, or `NO_ITEM`."""
        ...

    def rows_of(self, item: int) -> tuple[int, int]:
        """Return an item's first and last row."""
        ...

    def nearest(self, item: int) -> int:
        """Return the next known item, else the last, else `NO_ITEM`."""
        ...

    def step(self, item: int, count: int) -> int:
        """Return the item so many further, the first or the last at the ends."""
        ...


class ListedItems:
    """The items of rows that are all there."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._first_row: dict[int, int] = {}
        for place, row in enumerate(rows):
            if row.item != NO_ITEM and row.item not in self._first_row:
                self._first_row[row.item] = place
        self._items = list(self._first_row)

    @property
    def first(self) -> int:
        """The topmost item, or `NO_ITEM`."""
        return self._items[0] if self._items else NO_ITEM

    @property
    def last(self) -> int:
        """The lowest item, or `NO_ITEM`."""
        return self._items[-1] if self._items else NO_ITEM

    def __contains__(self, item: int) -> bool:
        return item in self._first_row

    def item_at(self, row: int) -> int:
        """Return the item of a row, or `NO_ITEM`."""
        return self._rows[row].item

    def rows_of(self, item: int) -> tuple[int, int]:
        """Return an item's first and last row."""
        first = last = self._first_row[item]
        while last + 1 < len(self._rows) and self._rows[last + 1].item == item:
            last += 1
        return first, last

    def nearest(self, item: int) -> int:
        """Return the next known item, else the last, else `NO_ITEM`."""
        return next((known for known in self._items if known >= item), self.last)

    def step(self, item: int, count: int) -> int:
        """Return the item so many further, the first or the last at the ends."""
        place = bisect_left(self._items, item) if item in self else 0
        return self._items[max(0, min(len(self._items) - 1, place + count))]


def selected_text(rows: Sequence[Row], selection: Selection) -> str:
    """Return what a selection copies: of rows with columns, the one where it begins."""
    top = selection.start.y if selection.start is not None else 0
    bottom = selection.end.y if selection.end is not None else len(rows) - 1
    column = -1
    parts: list[str] = []
    for place in range(max(0, top), min(len(rows), bottom + 1)):
        span = selection.get_span(place)
        if span is None:
            continue
        row = rows[place]
        text = row.text
        start, end = span[0], len(text) if span[1] == -1 else span[1]
        if row.columns:
            if column < 0:
                ends = (stop for _, stop in row.columns)
                column = next((at for at, stop in enumerate(ends) if start < stop), 0)
            first, last = row.columns[min(column, len(row.columns) - 1)]
            start, end = max(start, first), min(end, last)
        text = text[start : max(start, end)]
        parts += [text] if row.joins or not parts else ["\n", text]
    return "".join(parts)
