"""What is known of a workspace's files: chunks, definitions, terms; kept up file by file."""

from __future__ import annotations

import gc
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.indexing.defining import Defining
from turbo_tui.knowledge.indexing.digest import Digest
from turbo_tui.knowledge.indexing.gathered import Gathered
from turbo_tui.knowledge.indexing.postings import MOST, Postings
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.syntax.chunks import Span
from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.words import terms

_AT_ONCE = 500  # files that queries wait for
BEST_FILES = 300  # of those that only share words with a query; the rest is never looked at


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file of the index.

    Attributes:
        file: Where it lies.
        key: Names its content and how that was read.
        chunks: Spans.
        first: Number of its first chunk in the postings; the others follow.
        defined: What it defines, in order.
        name_terms: Terms of its name.
        folder_terms: Terms of its folders.
    """

    file: SourceFile
    key: str
    chunks: tuple[Span, ...]
    first: int
    defined: tuple[Definition, ...]
    name_terms: frozenset[str]
    folder_terms: frozenset[str]

    @property
    def numbers(self) -> range:
        """Numbers of its chunks."""
        return range(self.first, self.first + len(self.chunks))


class Index:
    """Files by path, and the terms of their chunks.

    What follows a score has numpy arrays over all chunk numbers, removed ones included:
    `chunks.scores(terms)` gives one, `best_files` reduces one to files.

    Attributes:
        files: By path.
        chunks: Postings of the chunks.
        placed: Files in the order they were taken in; None for one that was removed.
        firsts: The number of the first chunk of each of `placed`; it has one at least.
        changes: How often it changed.
        referenced: How often a file's definitions are named, once that was asked; it is nearly
            right for long, and begun anew when the index has grown or shrunk by a tenth.
        name_parts: The parts of the names that a file defines, once that was asked.
        left_out: Places in `placed` whose scores do not count, where only a part is looked at.
        defining: Definitions by `joined` name.
    """

    def __init__(self) -> None:
        self.files: dict[str, Indexed] = {}
        self.chunks = Postings()
        self.placed: list[Indexed | None] = []
        self.firsts = array("I")
        self.left_out: list[int] = []
        self.changes = 0
        self.referenced: dict[str, float] = {}
        self._referenced_at = 0
        self.name_parts: dict[str, str] = {}
        self.defining = Defining(self.files)

    def add(self, file: SourceFile, key: str, digest: Digest) -> Indexed:
        """Take a file in; it takes the place of what was known of its path."""
        self.remove(file.path)
        place = Counter(terms(file.path))
        everything = _with_place(digest, place)
        lengths = (digest.lengths + np.uint32(place.total())).tolist()
        first = self.chunks.add_many(*everything, lengths)
        known = _indexed(file, key, digest.chunks, first, digest.defined)
        if digest.chunks:
            self.firsts.append(known.first)
            self.placed.append(known)
        self._enter(known)
        return known

    def attach(
        self,
        files: Sequence[tuple[SourceFile, str] | None],
        gathered: Gathered,
        turn: Lock,
    ) -> None:
        """Take many files in at once, as `add` does one by one.

        Args:
            files: With the keys of their contents, in the order of `gathered`; None for one that
                is not wanted.
            gathered: What is known of them.
            turn: Held for moments: queries find more and more of the files.
        """
        with _without_collecting():
            self._attach(files, gathered, turn)

    def _attach(
        self,
        files: Sequence[tuple[SourceFile, str] | None],
        gathered: Gathered,
        turn: Lock,
    ) -> None:
        each_file = zip(files, gathered.chunks(), gathered.defined(), strict=True)
        first = self.chunks.numbers
        fresh: list[Indexed | range] = []
        for given, chunks, defined in each_file:
            numbers = range(first, first + len(chunks))
            fresh.append(_indexed(*given, chunks, first, defined) if given else numbers)
            first = numbers.stop
        with turn:
            for known in fresh:
                if isinstance(known, Indexed):
                    self.remove(known.file.path)
            self.firsts.append(self.chunks.attach(gathered))
            self.placed.append(None)  # owns what follows until the next file is there
        for at in range(0, len(fresh), _AT_ONCE):
            with turn:
                for known in fresh[at : at + _AT_ONCE]:
                    self._place(known)
        with turn:
            self.firsts.pop()
            self.placed.pop()

    def _place(self, known: Indexed | range) -> None:
        """Give a file of those that were attached its chunks; a range are those of none."""
        numbers = known if isinstance(known, range) else known.numbers
        if numbers:
            self.placed[-1] = known if isinstance(known, Indexed) else None
            self.firsts.append(numbers.stop)
            self.placed.append(None)
        if isinstance(known, Indexed):
            self._enter(known)
        else:
            for number in numbers:
                self.chunks.remove(number)

    def _enter(self, known: Indexed) -> None:
        """Have a file found by its path and by what it defines."""
        self.changes += 1
        self.files[known.file.path] = known
        if abs(len(self.chunks) - self._referenced_at) > self._referenced_at // 10:
            self.referenced.clear()
            self._referenced_at = len(self.chunks)
        known.file.known = known.defined
        self.defining.add(known.file.path, known.defined)

    def remove(self, path: str) -> None:
        """Leave a file out from now on, if it is known."""
        known = self.files.pop(path, None)
        if known is None:
            return
        self.changes += 1
        self.referenced.pop(path, None)
        self.name_parts.pop(path, None)
        if known.chunks:
            self.placed[bisect_right(self.firsts, known.first) - 1] = None
        for number in known.numbers:
            self.chunks.remove(number)
        self.defining.remove(path, known.defined)

    def pack(self, turn: Lock) -> NDArray[np.int64]:
        """Number all chunks anew, without those that were removed.

        Args:
            turn: Held for the moment in which old numbers become new ones.

        Returns:
            The new number of each old one; -1 for one that was removed.
        """
        chunks, renumbered = self.chunks.packed()
        left = [known for known in self.placed if known is not None]
        placed = [replace(known, first=int(renumbered[known.first])) for known in left]
        with turn:
            self.chunks = chunks
            self.placed = list(placed)
            self.firsts = array("I", [known.first for known in placed])
            self.files.update({known.file.path: known for known in placed})
        return renumbered

    def owner(self, number: int) -> Indexed | None:
        """Return the file that a chunk number belongs to; None when it was removed."""
        return self.placed[bisect_right(self.firsts, number) - 1]

    def best_files(
        self, scores: NDArray[np.float32], most: int = BEST_FILES
    ) -> dict[str, dict[int, float]]:
        """Return the files with the best chunks: path -> which chunk of it -> its score.

        Args:
            scores: By chunk number, as `chunks.scores` returns them; 0 is no score.
            most: How many files at most.
        """
        found: dict[str, dict[int, float]] = {}
        for known in self.top_files(scores, most):
            fits = scores[known.first : known.first + len(known.chunks)].tolist()
            found[known.file.path] = {which: fit for which, fit in enumerate(fits) if fit}
        return found

    def top_files(self, scores: NDArray[np.float32], most: int) -> list[Indexed]:
        """Return the files with the best chunks, in any order; scores as for `best_files`."""
        if not self.placed:
            return []
        best = np.maximum.reduceat(scores, np.array(self.firsts, np.uint32))
        if self.left_out:
            best[self.left_out] = 0
        held = np.flatnonzero(best)
        if len(held) > most:
            held = held[np.argpartition(best[held], -most)[-most:]]
        found = (self.placed[at] for at in held.tolist())
        return [known for known in found if known is not None]


@contextmanager
def _without_collecting() -> Generator[None]:
    """Make many objects, none of them garbage, and have them never looked through for garbage.

    Python's collector would look through all there are again and again: half of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collects:
            gc.enable()


def _indexed(
    file: SourceFile,
    key: str,
    chunks: tuple[Span, ...],
    first: int,
    defined: tuple[Definition, ...],
) -> Indexed:
    folder, _, name = file.path.rpartition("/")
    names = frozenset(terms(name.partition(".")[0] or name))
    return Indexed(file, key, chunks, first, defined, names, _folder_terms(folder))


@lru_cache(maxsize=10_000)
def _folder_terms(folder: str) -> frozenset[str]:
    return frozenset(terms(folder))


def _with_place(
    digest: Digest, place: Counter[str]
) -> tuple[Sequence[str], Sequence[int], NDArray[np.uint32]]:
    """Return a digest's terms, sizes and words with the terms of the path in every chunk."""
    shared = {term: at for at, term in enumerate(digest.terms) if term in place}
    names, sizes = list(digest.terms), digest.sizes.tolist()
    ends = np.cumsum(digest.sizes, dtype=np.int64)
    chunks = np.arange(len(digest.chunks), dtype=np.uint32)
    kept = np.ones(len(digest.words), np.bool_)
    added: list[NDArray[np.uint32]] = []
    for term, count in place.items():
        counts = np.full(len(chunks), count, np.uint32)
        at = shared.get(term)
        if at is not None:
            here = slice(ends[at] - sizes[at], ends[at])
            held = digest.words[here]
            counts[held >> np.uint32(8)] += held & np.uint32(MOST)
            kept[here] = False
        added.append((chunks << np.uint32(8)) | np.minimum(counts, MOST))
    for at in reversed(shared.values()):
        del names[at], sizes[at]
    names += place
    sizes += [len(chunks)] * len(place)
    words = np.concatenate((digest.words[kept], *added))
    return names, sizes, words.astype(np.uint32, copy=False)
