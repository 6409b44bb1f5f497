"""A text cut into rows, and the places where other rows stand in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate

from turbo_tui.edits.indentation import file_unit

_WORD = re.compile(r"\w+")
MOST_PLACES = 1_000  # of one text that are told apart; more is "very often"

Reading = Callable[[str], str]


def cut(text: str) -> list[str]:
    r"""Cut a text into rows without their `\n`; a last `\n` ends a row, it begins none."""
    return text.removesuffix("\n").split("\n") if text else []


class Rows:
    r"""The rows of a text whose line ends are `\n`.

    Attributes:
        text: The whole text.
        rows: Its rows without line ends.
        starts: Where each row begins; one more than rows, the last is the length of the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows = cut(text)
        starts = list(accumulate((len(row) + 1 for row in self.rows), initial=0))
        starts[-1] = len(text)
        self.starts = starts
        self._read: dict[Reading, tuple[str, list[int]]] = {}

    @cached_property
    def ended(self) -> bool:
        """Whether the last row has a line end."""
        return self.text.endswith("\n")

    @cached_property
    def unit(self) -> str:
        """One step of the text's indentation."""
        return file_unit(self.rows)

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of the text."""
        return frozenset(_WORD.findall(self.text))

    def at(self, offset: int) -> int:
        """Return the index of the row that holds a character."""
        return min(bisect_right(self.starts, offset), max(len(self.rows), 1)) - 1

    def end(self, stop: int, *, ended: bool) -> int:
        """Return where the rows before `stop` end, with or without their last line end."""
        end = self.starts[stop]
        return end - 1 if not ended and end > 0 and self.text[end - 1] == "\n" else end

    def keys(self, read: Reading) -> list[str]:
        """Return each row as it is read by a rung."""
        return self._keyed(read)[0].split("\n")[1:-1]

    def places(self, wanted: Sequence[str], read: Reading) -> list[int]:
        """Return each row index where rows begin that read as `wanted` (already read) do.

        One search of the standard library over the joined rows: its work grows with the length
        of both, whatever repeats in them.
        """
        if not wanted:
            return []
        joined, starts = self._keyed(read)
        needle = "\n" + "\n".join(wanted) + "\n"
        found: list[int] = []
        at = joined.find(needle)
        while at >= 0 and len(found) < MOST_PLACES:
            found.append(bisect_right(starts, at) - 1)
            at = joined.find(needle, at + 1)
        return found

    def _keyed(self, read: Reading) -> tuple[str, list[int]]:
        kept = self._read.get(read)
        if kept is None:
            keys = [read(row) for row in self.rows]
            starts = list(accumulate((len(key) + 1 for key in keys), initial=0))
            kept = ("\n" + "\n".join(keys) + "\n", starts)
            self._read[read] = kept
        return kept
