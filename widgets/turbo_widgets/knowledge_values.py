"""Values that the knowledge pane shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from turbo_widgets.lexing import Mark

_LONG_S = 90  # seconds; what takes longer is said in minutes


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A place found; lines are 1-based.

    Attributes:
        path: Its file.
        line: The line shown.
        text: What stands there.
        why: What speaks for it, strongest first.
        span: First and last line of the place.
    """

    path: str
    line: int
    text: str
    why: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Preview:
    """A file to look at; lines are 1-based.

    Attributes:
        path: Its name.
        line: The line meant.
        text: All of it.
        span: First and last line of the place meant.
        marks: Line -> its syntax colours, in characters of the line as `text.clean` has it.
    """

    path: str
    line: int
    text: str
    span: tuple[int, int] = (0, 0)
    marks: Mapping[int, Sequence[Mark]] = field(default_factory=dict[int, Sequence[Mark]])


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the index is.

    Attributes:
        files: In it.
        pending: Not in it yet.
        rate: Files it takes in per second; 0 where that is unknown.
        left_s: Seconds until all are in it; None where that is unknown.
        note: Something to know about it; or nothing.
    """

    files: int = 0
    pending: int = 0
    rate: float = 0.0
    left_s: float | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """What there is to say; nothing when all is in it."""
        rate = f", {self.rate:,.0f} a second" if self.rate else ""
        all_files = f"{self.files + self.pending:,} files"
        said = f"indexing {self.files:,} of {all_files}{rate}{self._left}"
        return said if self.pending else ""

    @property
    def brief(self) -> str:
        """The same for a narrow place."""
        said = f"{self.files:,} of {self.files + self.pending:,} indexed{self._left}"
        return said if self.pending else ""

    @property
    def _left(self) -> str:
        if self.left_s is None:
            return ""
        is_long = self.left_s >= _LONG_S
        left = f"{self.left_s / 60:.0f} min" if is_long else f"{self.left_s:.0f} s"
        return f", {left} left"
