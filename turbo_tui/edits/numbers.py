"""Line numbers of a diff's chunks, which are all off by what one of them is seen to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turbo_tui.edits.values import Chunk


class Numbers:
    """Where chunks should stand by their numbers, moved as far as the one before them was.

    Args:
        chunks: All of a file, in order.
        lines_of: Gives the lines where a text stands exactly.
    """

    def __init__(self, chunks: Sequence[Chunk], lines_of: Callable[[str], Sequence[int]]) -> None:
        self._chunks = chunks
        self._lines_of = lines_of
        self._moved: int | None = None

    def found(self, index: int, lines: Sequence[int]) -> None:
        """Learn from where a chunk was found."""
        stated = self._chunks[index].line
        if stated and len(lines) == 1:
            self._moved = lines[0] - stated

    def meant(self, index: int) -> int:
        """Return the line that a chunk's number means; 0 where it means none.

        With no chunk found before it, one after it that stands in one other place than its number
        says shows that the numbers are off, but not by how much here.
        """
        stated = self._chunks[index].line
        if not stated:
            return 0
        if self._moved is not None:
            return stated + self._moved
        for later in self._chunks[index + 1 :]:
            if later.line and later.old:
                lines = self._lines_of(later.old)
                if len(lines) == 1:
                    return stated if lines[0] == later.line else 0
        return stated
