"""Find which lines two texts share, in order: the ground under diffs and merges.

Common ends are trimmed, lines that are unique on both sides anchor the rest (patience diff),
and what lies between anchors goes through Myers' greedy algorithm. All work is counted and
bounded; past the bound a region counts as replaced. Nothing depends on time or hashing, so the
same texts always give the same regions: hunk indices in the session log stay true.

Source: Myers 1986, "An O(ND) Difference Algorithm and Its Variations"; the idea of unique
lines as anchors is Bram Cohen's patience diff.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

_MOST_EDITS = 200  # in one Myers run, before it settles for the furthest point reached
_WORK = 1_000_000  # comparisons in all; about a third of a second


class Region(NamedTuple):
    """Lines `old_start:old_end` became `new_start:new_end`; one of the two may be empty."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def lines_of(content: bytes) -> list[bytes]:
    r"""Split after each ``\n`` only; the last line may lack one. Joined they are `content`."""
    return BytesIO(content).readlines()


def changed_regions(old: Sequence[bytes], new: Sequence[bytes]) -> list[Region]:
    """Return what differs, in order, with at least one shared line between two regions."""
    ids: dict[bytes, int] = {}
    a = [ids.setdefault(line, len(ids)) for line in old]
    b = [ids.setdefault(line, len(ids)) for line in new]
    regions: list[Region] = []
    x = y = 0
    for i, j, length in sorted(_Matcher(a, b).blocks()):
        if i > x or j > y:
            regions.append(Region(x, i, y, j))
        x, y = i + length, j + length
    if x < len(a) or y < len(b):
        regions.append(Region(x, len(a), y, len(b)))
    return regions


class _Matcher:
    """One comparison of two id sequences, with the work it may still spend."""

    def __init__(self, a: list[int], b: list[int]) -> None:
        self._a, self._b = a, b
        self._work = _WORK

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """Yield runs of shared lines (index in a, index in b, length), in no order."""
        stack = [(0, len(self._a), 0, len(self._b))]
        while stack:
            a0, a1, b0, b1 = stack.pop()
            head = self._shared_head(a0, a1, b0, b1)
            if head:
                yield a0, b0, head
                a0, b0 = a0 + head, b0 + head
            tail = self._shared_tail(a0, a1, b0, b1)
            if tail:
                a1, b1 = a1 - tail, b1 - tail
                yield a1, b1, tail
            if a0 == a1 or b0 == b1 or self._work <= 0:
                continue
            anchors = self._anchors(a0, a1, b0, b1)
            if not anchors:
                yield from ((i, j, 1) for i, j in self._between_anchors(a0, a1, b0, b1))
                continue
            for i, j in anchors:
                yield i, j, 1
                if a0 < i and b0 < j:
                    stack.append((a0, i, b0, j))
                a0, b0 = i + 1, j + 1
            if a0 < a1 and b0 < b1:
                stack.append((a0, a1, b0, b1))

    def _shared_head(self, a0: int, a1: int, b0: int, b1: int) -> int:
        a, b = self._a, self._b
        most = min(a1 - a0, b1 - b0)
        length = 0
        while length < most and a[a0 + length] == b[b0 + length]:
            length += 1
        return length

    def _shared_tail(self, a0: int, a1: int, b0: int, b1: int) -> int:
        a, b = self._a, self._b
        most = min(a1 - a0, b1 - b0)
        length = 0
        while length < most and a[a1 - 1 - length] == b[b1 - 1 - length]:
            length += 1
        return length

    def _anchors(self, a0: int, a1: int, b0: int, b1: int) -> list[tuple[int, int]]:
        """Return lines unique on both sides that keep their order: the longest such run."""
        a_part, b_part = self._a[a0:a1], self._b[b0:b1]
        self._work -= (len(a_part) + len(b_part)) // 4  # counted in C, so cheaper
        times_a, times_b = Counter(a_part), Counter(b_part)
        place_b = dict(zip(b_part, range(b0, b1), strict=True))
        pairs = [
            (i, place_b[line])
            for i, line in enumerate(a_part, a0)
            if times_a[line] == 1 and times_b.get(line) == 1
        ]
        return _longest_rising(pairs)

    def _between_anchors(self, a0: int, a1: int, b0: int, b1: int) -> Iterator[tuple[int, int]]:
        """Match where no line is unique; lines that only one side has cannot match."""
        a, b = self._a, self._b
        shared = set(a[a0:a1]) & set(b[b0:b1])
        a_at = [i for i in range(a0, a1) if a[i] in shared]
        b_at = [j for j in range(b0, b1) if b[j] in shared]
        while a_at and b_at and self._work > 0:
            pairs, x, y = self._greedy([a[i] for i in a_at], [b[j] for j in b_at])
            yield from ((a_at[i], b_at[j]) for i, j in pairs)
            a_at, b_at = a_at[x:], b_at[y:]

    def _greedy(self, a: list[int], b: list[int]) -> tuple[list[tuple[int, int]], int, int]:
        """Myers' forward search, to the end or to the furthest point within the bound.

        Returns:
            The matched pairs, and the point reached in both sequences.
        """
        n, m = len(a), len(b)
        middle = min(_MOST_EDITS, n + m) + 1
        reach = [0] * (2 * middle + 1)
        history: list[list[int]] = []
        for edits in range(middle):
            history.append(reach[middle - edits - 1 : middle + edits + 2])
            for k in range(-edits, edits + 1, 2):
                down = k == -edits or (k != edits and reach[middle + k - 1] < reach[middle + k + 1])
                x = reach[middle + k + 1] if down else reach[middle + k - 1] + 1
                start, y = x, x - k
                while x < n and y < m and a[x] == b[y]:
                    x, y = x + 1, y + 1
                self._work -= 1 + x - start
                reach[middle + k] = x
                if x >= n and y >= m:
                    return _walk_back(history, n, m), n, m
            if self._work <= 0:
                break
        edits = len(history) - 1
        points = [(reach[middle + k], reach[middle + k] - k) for k in range(-edits, edits + 1, 2)]
        x, y = max((p for p in points if p[0] <= n and 0 <= p[1] <= m), key=sum)
        return _walk_back(history, x, y), x, y


def _walk_back(history: list[list[int]], x: int, y: int) -> list[tuple[int, int]]:
    """Retrace a greedy search from a point on its last front; return its matches."""
    pairs: list[tuple[int, int]] = []
    for edits in range(len(history) - 1, -1, -1):
        front = history[edits]  # the reach before this round, for k = -edits-1 .. edits+1
        k = x - y
        at = k + edits + 1
        down = k == -edits or (k != edits and front[at - 1] < front[at + 1])
        came_x = front[at + 1] if down else front[at - 1] + 1
        while x > came_x:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        if edits == 0:
            break
        if down:
            y -= 1
        else:
            x -= 1
    return pairs


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run of pairs, rising in both; `pairs` rises in the first already."""
    tops: list[int] = []  # smallest second member that ends a run of each length
    top_at: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(tops, j)
        if length == len(tops):
            tops.append(j)
            top_at.append(index)
        else:
            tops[length] = j
            top_at[length] = index
        before.append(top_at[length - 1] if length else -1)
    run: list[tuple[int, int]] = []
    index = top_at[-1] if top_at else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]
