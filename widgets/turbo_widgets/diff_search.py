"""Finding a text in the lines of a change set."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

from turbo_widgets.diff_text import shown_line
from turbo_widgets.diff_values import DiffValue

_MOST = 10_000


class Match(NamedTuple):
    """A place that was found; ordered as on screen."""

    file: int
    hunk: int
    line: int
    start: int


class Search:
    """The matches of a text; capitals in it mean that case counts."""

    def __init__(self, value: DiffValue, text: str) -> None:
        flags = re.IGNORECASE if text == text.lower() else re.NOFLAG
        self.text = text
        self.pattern = re.compile(re.escape(text), flags)
        self.matches: list[Match] = []
        self.at = -1
        for number, file in enumerate(value.files):
            for index, hunk in enumerate(file.hunks):
                for place, line in enumerate(hunk.lines):
                    for found in self.pattern.finditer(shown_line(line.text)):
                        self.matches.append(Match(number, index, place, found.start()))
                    if len(self.matches) >= _MOST:
                        return

    @property
    def here(self) -> Match | None:
        """The match that is looked at."""
        return self.matches[self.at] if 0 <= self.at < len(self.matches) else None

    @property
    def words(self) -> str:
        """Say which of how many."""
        if not self.matches:
            return "not found"
        more = "+" if len(self.matches) >= _MOST else ""
        return f"{self.at + 1} of {len(self.matches):,}{more}"

    def begin(self, file: int, hunk: int, line: int) -> Match | None:
        """Go to the first match from a line on; after the last comes the first."""
        if self.matches:
            place = bisect_left(self.matches, Match(file, hunk, line, 0))
            self.at = place % len(self.matches)
        return self.here

    def step(self, count: int) -> Match | None:
        """Go to the next or the previous match, round the ends."""
        if self.matches:
            self.at = (self.at + count) % len(self.matches)
        return self.here
