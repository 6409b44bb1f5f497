"""Texts that were copied with the line numbers of whatever showed the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from turbo_tui.edits.values import Chunk

_NUMBER = re.compile(r"^[ \t]*(\d{1,7})(?: ?[|│→:] ?|\t)")


def unnumbered(chunk: Chunk) -> Chunk | None:
    """Return a chunk without line numbers; None when not each of its lines bears the next one."""
    old, new = chunk.old.rstrip().split("\n"), chunk.new.rstrip().split("\n")
    first = _first_number(old)
    if not first:
        return None
    bearing = {_NUMBER.match(row) is not None for row in new if row.strip()}
    if len(bearing) > 1:
        return None  # which of them are numbers of lines cannot be told
    written = _text(new, chunk.new) if True in bearing else chunk.new
    return replace(chunk, old=_text(old, chunk.old), new=written, line=first)


def _first_number(rows: Sequence[str]) -> int:
    """Return the first number of rows that count on by one; 0 when they do not."""
    matches = [_NUMBER.match(row) for row in rows]
    numbers = [int(match[1]) if match else -1 for match in matches]
    if numbers[0] < 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return 0
    return numbers[0]


def _text(rows: Sequence[str], written: str) -> str:
    text = "\n".join(map(_bare, rows))
    return f"{text}\n" if text and written.endswith("\n") else text


def _bare(row: str) -> str:
    # `7 |code` has no blank after the bar, `7 | code` has one; more belongs to the code.
    match = _NUMBER.match(row)
    return row if match is None else row[match.end() :]
