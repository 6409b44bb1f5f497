"""What is said when a text to replace is not to be found, or in too many places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from turbo_tui.edits.closest import closest_match

MatchKind = Literal["missing", "ambiguous", "count", "already_applied", "lazy"]

_MOST_NAMED = 10
_SHOWN_CHARS = 80


class MatchError(ValueError):
    """A chunk has no place in its file, or more than one.

    Attributes:
        kind: What is wrong: the text is missing, stands in several equally good places, does not
            stand there as often as expected, has been replaced already, lies in what an earlier
            chunk replaces, or leaves out code (`lazy`).
        chunk: Which chunk of the file, from 0.
        lines: First lines (1-based) of the places that it could be.
        line: First of them, or of the closest match; 0 when nothing is close.
        closest: The lines there.
    """

    def __init__(
        self,
        message: str,
        kind: MatchKind = "missing",
        *,
        lines: Sequence[int] = (),
        closest: str = "",
    ) -> None:
        super().__init__(message)
        self.kind: MatchKind = kind
        self.chunk = 0
        self.lines = tuple(lines)
        self.closest = closest

    @property
    def line(self) -> int:
        """Where to look first."""
        return self.lines[0] if self.lines else 0


def missing(text: str, old: str) -> MatchError:
    """Say that a text is not there, and what comes closest."""
    line, closest, difference = closest_match(text, old)
    if not line:
        return MatchError("the text does not occur, and nothing in the file is close to it")
    last = line + closest.count("\n")
    where = f"line {line}" if last == line else f"lines {line}-{last}"
    return MatchError(
        f"the text does not occur; closest is {where}:\n{difference}",
        lines=[line],
        closest=closest,
    )


def ambiguous(rows: Sequence[str], lines: Sequence[int], *, nearly: bool = False) -> MatchError:
    """Say that a text could be meant in several places, and name them with the rows there."""
    lines = sorted(set(lines))
    shown = "\n".join(f"  line {line}: {_short(rows[line - 1])}" for line in lines[:_MOST_NAMED])
    more = len(lines) - _MOST_NAMED
    said = f"the text occurs {len(lines)} times (lines {_listed(lines)}), 1 expected"
    if nearly:
        said = f"the text is nowhere, and nearly the same at lines {_listed(lines)}"
    return MatchError(
        f"{said}:\n{shown}" + (f"\n  … and {more} more" if more > 0 else ""),
        "ambiguous",
        lines=lines,
    )


def wrong_count(lines: Sequence[int], count: int) -> MatchError:
    """Say that a text occurs, but not as often as expected."""
    times = "once" if len(lines) == 1 else f"{len(lines)} times"
    return MatchError(
        f"the text occurs {times} (lines {_listed(lines)}), {count} expected", "count", lines=lines
    )


def _listed(lines: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:_MOST_NAMED])
    return shown + (" …" if len(lines) > _MOST_NAMED else "")


def _short(row: str) -> str:
    row = row.strip()
    return row if len(row) <= _SHOWN_CHARS else row[:_SHOWN_CHARS] + "…"
