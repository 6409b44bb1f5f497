"""Which documents hold a term, and how well they fit: BM25 over packed arrays."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable

_K1, _B = 1.2, 0.75
_MOST = 255  # times that a term counts; one byte beside the document's number


class Postings:
    """Documents by number; a removed one is passed over until `packed` is worth it."""

    def __init__(self) -> None:
        self._by_term: dict[str, array[int]] = {}
        self._lengths: list[int] = []  # -1: removed
        self._live = 0
        self._total = 0

    def __len__(self) -> int:
        return self._live

    def add(self, terms: Iterable[str]) -> int:
        """Take in a document and return its number."""
        number = len(self._lengths)
        counts = Counter(terms)
        length = counts.total()
        for term, count in counts.items():
            held = self._by_term.get(term)
            if held is None:
                held = self._by_term[term] = array("Q")
            held.append(number << 8 | min(count, _MOST))
        self._lengths.append(length)
        self._live += 1
        self._total += length
        return number

    def remove(self, number: int) -> None:
        """Leave a document out from now on."""
        self._total -= self._lengths[number]
        self._lengths[number] = -1
        self._live -= 1

    @property
    def wasteful(self) -> bool:
        """Tell whether more documents were removed than are left: time to build anew."""
        return len(self._lengths) > 2 * self._live + 1000

    def frequency(self, term: str) -> int:
        """Return how many documents hold a term, removed ones included."""
        return len(self._by_term.get(term, ()))

    def rarity(self, term: str) -> float:
        """Return a term's weight: large for a rare one."""
        held = min(self.frequency(term), self._live)
        return math.log(1 + (self._live - held + 0.5) / (held + 0.5))

    def scores(self, terms: Iterable[str]) -> dict[int, float]:
        """Return BM25 of the documents that hold any of the terms."""
        found: dict[int, float] = {}
        if not self._live:
            return found
        lengths, mean = self._lengths, self._total / self._live or 1.0
        for term in terms:
            weight = self.rarity(term) * (_K1 + 1)
            for packed in self._by_term.get(term, ()):
                number, count = packed >> 8, packed & _MOST
                length = lengths[number]
                if length >= 0:
                    fit = weight * count / (count + _K1 * (1 - _B + _B * length / mean))
                    found[number] = found.get(number, 0.0) + fit
        return found
