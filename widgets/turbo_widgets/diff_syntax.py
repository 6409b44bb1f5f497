"""Syntax colours for the lines that are seen, lexed a little at a time after they are shown.

Hunks are lexed in windows of lines, so that the end of a very long one costs no more than its
beginning; a text that spans many windows may be coloured wrongly, never shown wrongly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from turbo_widgets.diff_values import DiffHunk, Side
from turbo_widgets.lexing import Mark, lexed, lexer_for
from turbo_widgets.text import clean_line

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_WINDOW = 160  # lines
_LEAD = 60  # lines lexed before it, so that it begins in the right state more often
_SLICE_S = 0.004
_PAUSE_S = 0.002  # keys and frames come first
_MOST_WINDOWS = 200


class _Window(NamedTuple):
    path: str
    hunk: int
    side: Side
    number: int


class Syntax:
    """Answers at once with the colours that are known, and works out the others later.

    Args:
        changed: Called when more colours are known.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lexers: dict[str, Lexer | None] = {}
        self._known: dict[_Window, Mapping[int, list[Mark]]] = {}
        self._wanted: dict[_Window, DiffHunk] = {}
        self._sides: dict[tuple[str, int, Side], list[int]] = {}

    @property
    def waiting(self) -> bool:
        """There is something to work out."""
        return bool(self._wanted)

    def clear(self) -> None:
        """Forget all colours: other texts are shown."""
        self._known.clear()
        self._wanted.clear()
        self._sides.clear()

    def forget(self, path: str, hunk: int) -> None:
        """Forget the colours of a hunk whose text has changed."""
        for window in [each for each in self._known if each[:2] == (path, hunk)]:
            del self._known[window]
        for side in [each for each in self._sides if each[:2] == (path, hunk)]:
            del self._sides[side]

    def marks(self, path: str, number: int, hunk: DiffHunk, line: int) -> list[Mark]:
        """Return the colours of a line; nothing where they are not known yet."""
        if path in self._lexers and self._lexers[path] is None:
            return []
        side: Side = "old" if hunk.lines[line].kind in {"removed", "ours"} else "new"
        window = _Window(path, number, side, line // _WINDOW)
        known = self._known.get(window)
        if known is None:
            self._wanted.pop(window, None)
            self._wanted[window] = hunk
            return []
        return known.get(line, [])

    async def work(self) -> None:
        """Work out what is wanted, what was asked for last first, and give way often."""
        while self._wanted:
            window, hunk = self._wanted.popitem()
            if window.path not in self._lexers:
                # The lexers are a large import: not on the loop that draws.
                self._lexers[window.path] = await asyncio.to_thread(lexer_for, window.path)
            lexer = self._lexers[window.path]
            found: dict[int, list[Mark]] = {}
            if lexer is not None:
                steps = _lexed(lexer, hunk, window, found)
                began = time.perf_counter()
                for _ in steps:
                    if time.perf_counter() - began > _SLICE_S:
                        await asyncio.sleep(_PAUSE_S)
                        began = time.perf_counter()
            if len(self._known) >= _MOST_WINDOWS:
                self._known.clear()
            self._known[window] = found
            self._changed()


def _lexed(
    lexer: Lexer, hunk: DiffHunk, window: _Window, found: dict[int, list[Mark]]
) -> Iterator[None]:
    """Fill `found` token by token."""
    other = {"removed", "ours"} if window.side == "new" else {"added", "theirs"}
    first = max(0, window.number * _WINDOW - _LEAD)
    texts: list[str] = []
    numbers: list[int] = []
    for number in range(first, min(len(hunk.lines), (window.number + 1) * _WINDOW)):
        line = hunk.lines[number]
        if line.kind in other or line.kind in {"note", "marker"}:
            continue
        numbers.append(number)
        texts.append(clean_line(line.text))
    yield from lexed(lexer, texts, numbers, found)
