"""Which documents hold a term, and how well they fit: BM25 by numpy over packed arrays."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.indexing.gathered import Gathered

_K1, _B = 1.2, 0.75
MOST = 255  # times that a term counts; one byte beside the document's number
MANY_TERMS = 5000  # whose number is sooner found by a look at all
_REMOVED = -1


class Postings:
    """Documents by number, counted up from 0; a removed one keeps its number and never scores.

    A term's documents are 32-bit words, `number << 8 | count`: room for 16.7 million. Most terms
    stand in a single document: of those the word itself is held, not an array.

    What came from the store at once stays as it came, beside what was added since.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._spelled: tuple[int, bytes] = 0, b""
        self._by_term: dict[str, array[int] | int] = {}
        self._lengths = array("i")
        self._live = 0
        self._total = 0
        self._norms: NDArray[np.float32] | None = None
        self._rarity: dict[str, float] = {}  # of terms that were asked for since it changed
        self._scored: tuple[tuple[str, ...], NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        """Return how many documents are not removed."""
        return self._live

    @property
    def numbers(self) -> int:
        """How many numbers were given, and so the size of what `scores` returns."""
        return len(self._lengths)

    def add(self, terms: Iterable[str]) -> int:
        """Take in one document and return its number."""
        counts = Counter(terms)
        words = np.fromiter((min(each, MOST) for each in counts.values()), np.uint32, len(counts))
        return self.add_many(tuple(counts), (1,) * len(counts), words, (counts.total(),))

    def add_many(
        self,
        terms: Sequence[str],
        sizes: Iterable[int],
        words: NDArray[np.uint32],
        lengths: Sequence[int],
    ) -> int:
        """Take in the documents of one file and return the number of the first.

        Args:
            terms: Each once.
            sizes: How many of `words` belong to each term, in their order.
            words: `which << 8 | count`, `which` counted from 0 within the file.
            lengths: Terms of each document, repeated ones included.
        """
        first = len(self._lengths)
        numbered = words + np.uint32(first << 8)
        raw, at, by_term = memoryview(numbered.tobytes()), 0, self._by_term
        single = numbered.tolist()
        for term, size in zip(terms, sizes, strict=True):
            held = by_term.get(term)
            if held is None and size == 1:
                by_term[term] = single[at]
            elif isinstance(held, array):
                held.frombytes(raw[4 * at : 4 * (at + size)])
            else:
                grown = array("I") if held is None else array("I", (held,))
                grown.frombytes(raw[4 * at : 4 * (at + size)])
                by_term[term] = grown
            at += size
        self._lengths.extend(lengths)
        self._live += len(lengths)
        self._total += sum(lengths)
        self._norms = None
        return first

    def attach(self, gathered: Gathered) -> int:
        """Take in many files' documents and return the number of the first."""
        first = len(self._lengths)
        words = gathered.words + np.uint32(first << 8)
        self._blocks.append(_Block(gathered.terms, gathered.ends, words))
        self._lengths.frombytes(gathered.lengths.astype(np.int32).tobytes())
        self._live += len(gathered.lengths)
        self._total += int(gathered.lengths.sum())
        self._norms = None
        return first

    def remove(self, number: int) -> None:
        """Leave a document out from now on."""
        if self._lengths[number] != _REMOVED:
            self._total -= self._lengths[number]
            self._lengths[number] = _REMOVED
            self._live -= 1
            self._norms = None

    @property
    def wasteful(self) -> bool:
        """Tell whether more documents were removed than are left: time to build anew."""
        return len(self._lengths) > 2 * self._live + 1000

    def packed(self) -> tuple[Postings, NDArray[np.int64]]:
        """Return postings without what was removed, and the new number of each old one."""
        live = np.array(self._lengths, np.int32) != _REMOVED
        renumbered = np.cumsum(live) - 1
        fresh = Postings()
        fresh._blocks = [each.renumbered(live, renumbered) for each in self._blocks]
        for term, held in list(self._by_term.items()):
            words = np.array((held,) if isinstance(held, int) else held, np.uint32)
            words = _renumbered(words, live, renumbered)[0]
            if len(words):
                fresh._put(term, words)
        fresh._lengths.extend(length for length in self._lengths if length != _REMOVED)
        fresh._live, fresh._total = self._live, self._total
        return fresh, np.where(live, renumbered, -1)

    def _put(self, term: str, words: NDArray[np.uint32]) -> None:
        self._by_term[term] = int(words[0]) if len(words) == 1 else array("I", words.tobytes())

    @property
    def blocks(self) -> int:
        """How often many files were taken in at once: a term is looked for in each."""
        return len(self._blocks)

    def spelled(self, letters: str, most: int) -> list[str]:
        """Return terms that hold some letters, those of removed documents included."""
        if self._spelled[0] != len(self._by_term):
            added = "\n".join(["", *self._by_term, ""])
            self._spelled = len(self._by_term), added.encode("utf-8", "surrogatepass")
        wanted = letters.encode("utf-8", "surrogatepass")
        found: list[str] = []
        for lines in (*(each.terms for each in self._blocks), self._spelled[1]):
            found += _lines_with(lines, wanted, most - len(found))
        return list(dict.fromkeys(found))

    def frequency(self, term: str) -> int:
        """Return how many documents hold a term, removed ones included."""
        return self._added(term) + sum(len(each.of(term)) for each in self._blocks)

    def _added(self, term: str) -> int:
        held = self._by_term.get(term, ())
        return 1 if isinstance(held, int) else len(held)

    def frequencies(self, terms: Collection[str]) -> dict[str, int]:
        """Return how many documents hold each of some terms, for many as quickly as can be."""
        if len(terms) < MANY_TERMS:
            return {term: self.frequency(term) for term in terms}
        found = {
            term: 1 if isinstance(h := self._by_term.get(term, ()), int) else len(h)
            for term in terms
        }
        wanted = [(term, term.encode("utf-8", "surrogatepass")) for term in found]
        for block in self._blocks:
            held = block.frequencies()
            for term, spelled in wanted:
                if spelled in held:
                    found[term] += held[spelled]
        return found

    def rarity(self, term: str) -> float:
        """Return a term's weight: large for a rare one."""
        self._document_norms()
        known = self._rarity.get(term)
        if known is None:
            held = min(self.frequency(term), self._live)
            known = self._rarity[term] = math.log(1 + (self._live - held + 0.5) / (held + 0.5))
        return known

    def holding(self, term: str) -> NDArray[np.uint32]:
        """Return the numbers of the documents that hold a term, removed ones included."""
        return self._words(term) >> np.uint32(8)

    def scores(self, terms: Iterable[str]) -> NDArray[np.float32]:
        """Return BM25 of every document by its number; 0 where it holds none of the terms.

        It is for reading: who asks for the same terms again gets the same array.
        """
        terms = tuple(terms)
        norms = self._document_norms()
        if self._scored is not None and self._scored[0] == terms:
            return self._scored[1]
        total = np.zeros(len(self._lengths), np.float32)
        for term in terms if self._live else ():
            words = self._words(term)
            if len(words):
                numbers = words >> np.uint32(8)
                counts = (words & np.uint32(MOST)).astype(np.float32)
                weight = np.float32(self.rarity(term) * (_K1 + 1))
                total[numbers] += weight * counts / (counts + norms[numbers])
        total.flags.writeable = False
        self._scored = terms, total
        return total

    def _words(self, term: str) -> NDArray[np.uint32]:
        held = self._by_term.get(term, ())
        # A view of an array would forbid it to grow as long as anyone keeps the view.
        added = np.array((held,) if isinstance(held, int) else held, np.uint32)
        parts = [words for each in self._blocks if len(words := each.of(term))]
        if len(parts) == 1 and not len(added):
            return parts[0]
        return np.concatenate((*parts, added)) if parts else added

    def _document_norms(self) -> NDArray[np.float32]:
        """What a document's length adds to a term's count; infinite for a removed one."""
        if self._norms is None:
            lengths = np.array(self._lengths, np.float32)
            mean = self._total / (self._live or 1) or 1.0
            norms = (_K1 * (1 - _B) + _K1 * _B / mean * lengths).astype(np.float32)
            norms[lengths == _REMOVED] = np.inf
            self._norms, self._scored = norms, None
            self._rarity.clear()
        return self._norms


class _Block:
    """What many files brought: terms in order, and behind each other the words of each."""

    def __init__(self, terms: bytes, ends: NDArray[np.uint32], words: NDArray[np.uint32]) -> None:
        self.terms = terms
        self._ends, self._words = ends, words
        self._lines = _Lines(terms)

    def of(self, term: str) -> NDArray[np.uint32]:
        """Return a term's words."""
        wanted = term.encode("utf-8", "surrogatepass")
        at = bisect_left(self._lines, wanted)
        if at == len(self._lines) or self._lines[at] != wanted:
            return self._words[:0]
        return self._words[self._ends[at - 1] if at else 0 : self._ends[at]]

    def frequencies(self) -> dict[bytes, int]:
        """Return how many documents hold each term."""
        sizes = np.diff(self._ends, prepend=0).tolist()
        return dict(zip(self.terms.split(b"\n")[1:-1], sizes, strict=True))

    def renumbered(self, live: NDArray[np.bool_], numbers: NDArray[np.int64]) -> _Block:
        """Return it without what was removed; the terms stay."""
        words, kept = _renumbered(self._words, live, numbers)
        counted = np.concatenate((np.zeros(1, np.int64), np.cumsum(kept)))
        return _Block(self.terms, counted[self._ends].astype(np.uint32), words)


class _Lines:
    """Lines of a text that begins and ends with a line's end, without a copy of each."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        breaks = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        self._breaks = array("I", breaks.astype(np.uint32).tobytes())

    def __len__(self) -> int:
        return max(0, len(self._breaks) - 1)

    def __getitem__(self, at: int) -> bytes:
        return self._text[self._breaks[at] + 1 : self._breaks[at + 1]]


def _renumbered(
    words: NDArray[np.uint32], live: NDArray[np.bool_], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return the words of documents that are left under their new numbers, and which are."""
    old = words >> np.uint32(8)
    kept = live[old]
    new = numbers[old[kept]].astype(np.uint32)
    return (new << np.uint32(8)) | (words[kept] & np.uint32(MOST)), kept


def _lines_with(lines: bytes, letters: bytes, most: int) -> list[str]:
    """Return lines that hold some letters; `lines` begins and ends with a line's end."""
    found: list[str] = []
    at = lines.find(letters)
    while at >= 0 and len(found) < most:
        start, end = lines.rfind(b"\n", 0, at) + 1, lines.find(b"\n", at)
        found.append(lines[start:end].decode("utf-8", "surrogatepass"))
        at = lines.find(letters, end)
    return found
