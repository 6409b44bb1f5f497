"""Headers such as `@@ class A`: which rows they speak of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.match_error import MatchError
from turbo_tui.edits.rows import Rows


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that belong to a header.

    Attributes:
        header: Index of its row.
        start: First character of that row.
        end: Character after the last row that is further in than the header.
    """

    header: int
    start: int
    end: int

    def holds(self, start: int) -> bool:
        """Say whether a place that begins there is in these rows."""
        return self.start <= start < self.end


def scope_of(rows: Rows, headers: Sequence[str], after: int) -> Scope | None:
    """Follow headers, outermost first, from `after` on, or else from the top.

    Returns:
        None when there are no headers.

    Raises:
        MatchError: A header names no row.
    """
    headers = [header.strip() for header in headers if header.strip()]
    if not headers:
        return None
    stripped = [row.strip() for row in rows.rows]
    for begin in dict.fromkeys((rows.at(after) if after else 0, 0)):
        at: int | None = begin
        for header in headers:
            at = _first(stripped, header, at)
            if at is None:
                break
            at += 1
        if at is not None:
            return Scope(at - 1, rows.starts[at - 1], scope_end(rows, at - 1))
    raise MatchError(f"no line is the header {headers[-1]!r}")


def _first(stripped: Sequence[str], header: str, begin: int) -> int | None:
    for index in range(begin, len(stripped)):
        if stripped[index] == header:
            return index
    for part in (str.startswith, str.__contains__):
        found = [at for at in range(begin, len(stripped)) if part(stripped[at], header)]
        if len(found) == 1:
            return found[0]
    return None


def scope_end(rows: Rows, header: int) -> int:
    """Find where rows go back to the header's indentation; a closing row ends no scope."""
    width = len(indent(rows.rows[header]))
    entered = False
    for at in range(header + 1, len(rows.rows)):
        row = rows.rows[at]
        if not row.strip():
            continue
        if len(indent(row)) > width:
            entered = True
        elif not entered and row.strip()[0] in "{(":
            continue
        elif not entered or row.strip()[0] not in "})]":
            return rows.starts[at] if entered else len(rows.text)
    return len(rows.text)
