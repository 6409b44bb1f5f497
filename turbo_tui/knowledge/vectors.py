"""A vector for each chunk, as far as they are there; they fill in behind, likeliest first.

In memory a vector is 256 signed bytes and a scale: a query over 100,000 chunks reads 26 MB and
takes some 5 ms of CPU, where float16 takes 46. The error of a similarity stays below 0.01.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt

from turbo_tui.knowledge.static_table import Floats, StaticTable, chunk_text

State = Literal["none", "static", "full"]
Bytes = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.intp]
_LARGEST = 127
_BLOCK = 2048  # rows; as float32 they stay in the processor's cache
_FIRST_ROWS = 1024
_CHUNKS_AT_ONCE = 64
_LAST_NAMES = """
    test tests spec specs testing fixtures vendor vendored third_party node_modules examples docs
"""
_LAST = frozenset(_LAST_NAMES.split())
_TEST_ENDS = ("_test", ".test", "_spec", ".spec")


class Vectors:
    """Vectors by chunk number."""

    def __init__(self, dimensions: int) -> None:
        self._rows: Bytes = np.zeros((_FIRST_ROWS, dimensions), np.int8)
        self._scales: Floats = np.zeros(_FIRST_ROWS, np.float32)  # 0: there is no vector

    def put(self, numbers: Sequence[int] | Numbers, vectors: npt.NDArray[np.floating]) -> None:
        """Keep the vectors of chunks.

        Args:
            numbers: Of the chunks.
            vectors: Shape (len(numbers), dimensions), any length but 0; a row of zeros is kept
                as one that is like nothing.
        """
        if not len(numbers):
            return
        at = np.asarray(numbers, np.intp)
        self._make_room(int(at.max()) + 1)
        whole = np.asarray(vectors, np.float32)
        peaks = np.abs(whole).max(axis=1, keepdims=True)
        small = np.rint(np.divide(whole * _LARGEST, peaks, where=peaks > 0, out=whole * 0))
        lengths = np.linalg.norm(small, axis=1)
        self._rows[at] = small.astype(np.int8)
        self._scales[at] = 1 / np.maximum(lengths, 1)

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget chunks that are gone."""
        at = [number for number in numbers if number < len(self._scales)]
        self._scales[at] = 0

    def has(self, numbers: Sequence[int] | Numbers) -> npt.NDArray[np.bool_]:
        """Tell for each chunk whether its vector is there."""
        at = np.asarray(numbers, np.intp)
        inside = at < len(self._scales)
        return inside & (self._scales[np.where(inside, at, 0)] > 0)

    def similarities(self, query: Floats, count: int) -> Floats:
        """Compare a query with the chunks 0 to `count` - 1.

        Args:
            query: Shape (dimensions,), of unit length.
            count: How many chunk numbers there are.

        Returns:
            Cosines, shape (count,), from -1 to 1; 0 where there is no vector yet.
        """
        found = np.zeros(count, np.float32)
        held = min(count, len(self._scales))
        block = np.empty((min(_BLOCK, held), self._rows.shape[1]), np.float32)
        for first in range(0, held, _BLOCK):
            last = min(first + _BLOCK, held)
            part = block[: last - first]
            np.copyto(part, self._rows[first:last], casting="unsafe")
            np.dot(part, query, out=found[first:last])
        found[:held] *= self._scales[:held]
        return found

    def similarities_of(self, query: Floats, numbers: Sequence[int] | Numbers) -> Floats:
        """Compare a query with some chunks: cosines, shape (len(numbers),), 0 where none is yet."""
        at = np.asarray(numbers, np.intp)
        found = np.zeros(len(at), np.float32)
        here = self.has(at)
        rows = self._rows[at[here]].astype(np.float32)
        found[here] = (rows @ query) * self._scales[at[here]]
        return found

    def similar(self, number: int, count: int) -> Floats:
        """Compare a chunk with all chunks, as `similarities`; zeros if it has no vector yet."""
        if not self.has([number])[0]:
            return np.zeros(count, np.float32)
        own = self._rows[number].astype(np.float32) * self._scales[number]
        return self.similarities(own, count)

    def _make_room(self, count: int) -> None:
        held = len(self._scales)
        if count > held:
            grown = max(count, held + held // 2)
            self._rows = np.concatenate(
                [self._rows, np.zeros((grown - held, self._rows.shape[1]), np.int8)]
            )
            self._scales = np.concatenate([self._scales, np.zeros(grown - held, np.float32)])


Chunks = Sequence[tuple[int, str]]  # number and code, of one file


class Filling:
    """Gives chunks their vectors, file by file: first what was opened or edited, tests last.

    Attributes:
        waiting: How many files still lack vectors.
    """

    def __init__(
        self, table: StaticTable, vectors: Vectors, chunks_of: Callable[[str], Chunks]
    ) -> None:
        """Begin with nothing to do.

        Args:
            table: Embeds the chunks.
            vectors: Takes their vectors.
            chunks_of: Returns a file's chunks as they are now; none for a file that is gone.
        """
        self._table, self._vectors, self._chunks_of = table, vectors, chunks_of
        self._recent: tuple[str, ...] = ()
        self._wanted = set[str]()
        self._order: list[str] | None = []  # likeliest last; None: to be sorted

    @property
    def waiting(self) -> int:
        """How many files still lack vectors."""
        return len(self._wanted)

    def add(self, paths: Iterable[str]) -> None:
        """Want the vectors of files that are new or changed."""
        self._wanted.update(paths)
        self._order = None

    def remove(self, paths: Iterable[str]) -> None:
        """Want those of files no longer."""
        self._wanted.difference_update(paths)

    def near(self, recent: Sequence[str]) -> None:
        """Say which files were opened or edited last, the newest first."""
        if tuple(recent) != self._recent:
            self._recent = tuple(recent)
            self._order = None

    def fill(self, *, within_s: float) -> list[int]:
        """Embed for so long, at least one batch; return the numbers of the chunks that were."""
        until = time.monotonic() + within_s
        done: list[int] = []
        while self._wanted:
            numbers, texts = self._batch()
            if numbers:
                self._vectors.put(numbers, self._table.embed(texts))
                done += numbers
            if time.monotonic() >= until:
                break
        return done

    def _batch(self) -> tuple[list[int], list[str]]:
        """Take the next files, as many as make a batch."""
        numbers: list[int] = []
        texts: list[str] = []
        while len(numbers) < _CHUNKS_AT_ONCE and (path := self._next()) is not None:
            for number, code in self._chunks_of(path):
                numbers.append(number)
                texts.append(chunk_text(path, code))
        return numbers, texts

    def _next(self) -> str | None:
        if self._order is None:
            near = self._recent
            self._order = sorted(self._wanted, key=lambda path: likelihood(path, near))
        while self._order:
            path = self._order.pop()
            if path in self._wanted:
                self._wanted.discard(path)
                return path
        return None


def likelihood(path: str, recent: Sequence[str]) -> tuple[int, bool, str]:
    """Return how soon a file is likely asked for; the largest is first.

    Files come by how much of their path they share with one used lately; of the others, those
    that are neither tests nor vendored nor examples.
    """
    parts = PurePosixPath(path).parts
    shared = max((_shared(parts, PurePosixPath(each).parts) for each in recent), default=0)
    stem = PurePosixPath(path).stem.lower()
    is_test = stem.startswith("test_") or stem.endswith(_TEST_ENDS)
    last = is_test or any(part.lower() in _LAST for part in parts)
    return shared, not last, path


def _shared(path: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    for a, b in zip(path, other, strict=False):
        if a != b:
            break
        common += 1
    return common
