"""Headers such as `@@ class A`: which rows they speak of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import plain
from turbo_tui.edits.match_error import MatchError
from turbo_tui.edits.rows import Rows

_CODE = re.compile(
    r"[(){}\[\]:;=<>@#]|^(?:class|def|async|function|func|fn|interface|struct|enum|trait|impl|"
    r"module|namespace|type|export|public|private|protected|static|const|let|var)\s"
)
_SECTION = re.compile(r"\[[^\]]*\]$|#{2,6}\s")


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

    def touches(self, start: int, end: int) -> bool:
        """Say whether a place has characters of these rows."""
        return start < self.end and self.start < end

    def holds(self, start: int) -> bool:
        """Say whether a place that begins there is in these rows."""
        return self.start <= start < self.end


def scopes_of(rows: Rows, headers: Sequence[str]) -> tuple[Scope, ...]:
    """Follow headers, outermost first, to all the rows that the last one may name.

    Returns:
        In the order of the text; empty when there are no headers.

    Raises:
        MatchError: A header names no row.
    """
    headers = [plain(header) for header in headers if header.strip()]
    keys = rows.keys(plain)
    scopes: list[Scope] = []
    for depth, header in enumerate(headers):
        outer = scopes if depth else [Scope(-1, 0, len(rows.text) + 1)]
        found = sorted(
            {
                at
                for scope in outer
                for at in _named(keys, header, scope.header + 1)
                if scope.holds(rows.starts[at])
            }
        )
        if not found:
            raise MatchError(
                f"no line is the header {header!r}"
                + (f" under {headers[depth - 1]!r}" if depth else "")
            )
        scopes = [Scope(at, rows.starts[at], scope_end(rows, at)) for at in found]
    return tuple(scopes)


def names_code(header: str) -> bool:
    """Say whether a header can only be meant as a line of the file, and not as a remark."""
    return _CODE.search(header.strip()) is not None


def comes_later(rows: Rows, section: str, line: int) -> bool:
    """Say whether the heading of a diff's section stands only after a line (1-based)."""
    key = plain(section)
    found = [at + 1 for at, row in enumerate(rows.keys(plain)) if key and row == key]
    return bool(found) and min(found) > line


def _named(keys: Sequence[str], header: str, begin: int) -> list[int]:
    """Return the rows that a header names: by all of their text, or as whole words of it."""
    rest = range(begin, len(keys))
    if found := [at for at in rest if keys[at] == header]:
        return found
    before = r"(?<!\w)" if header[0].isalnum() or header[0] == "_" else ""
    after = r"(?!\w)" if header[-1].isalnum() or header[-1] == "_" else ""
    words = re.compile(before + re.escape(header) + after)
    if found := [at for at in rest if words.match(keys[at])]:
        return found
    found = [at for at in rest if words.search(keys[at])]
    return found if len(found) == 1 else []


def scope_end(rows: Rows, header: int) -> int:
    """Find where rows go back to the header's indentation; a closing row ends no scope."""
    width = len(indent(rows.rows[header]))
    entered = False
    section = _SECTION.match(rows.rows[header].strip()) is not None
    for at in range(header + 1, len(rows.rows)):
        row = rows.rows[at]
        if not row.strip():
            continue
        if section:
            if len(indent(row)) <= width and _SECTION.match(row.strip()):
                return rows.starts[at]
            continue
        if len(indent(row)) > width:
            entered = True
        elif not entered and row.strip()[0] in "{(":
            continue
        elif not entered or row.strip()[0] not in "})]":
            return rows.starts[at] if entered else len(rows.text)
    return len(rows.text)
