"""A glance into a log, unchecked: for lists, never for anything that acts on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.adapters.log_files import open_for_reading
from turbo_tui.adapters.log_head import Head
from turbo_tui.adapters.log_rows import Row, event_of
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Record


@dataclass(frozen=True, slots=True)
class Glance:
    """Some records of a log, unchecked; how many it has in all, and when the last was made."""

    records: tuple[Record, ...]
    count: int
    last_at: float


def peek(folder: Path, kinds: Collection[str]) -> Glance:
    """Look into a log without checking it: for lists, never for anything that acts on it.

    Raises:
        SessionError: There is no log, or it cannot be read.
    """
    marks = ", ".join("?" * len(kinds))
    chosen = f"SELECT seq, at, by, kind, v, data, hash FROM record WHERE kind IN ({marks})"  # noqa: S608
    try:
        with closing(open_for_reading(folder, Head())) as db:
            last = db.execute("SELECT seq, at FROM record ORDER BY seq DESC LIMIT 1").fetchone()
            rows = [Row(*values) for values in db.execute(f"{chosen} ORDER BY seq", tuple(kinds))]
            records = tuple(
                Record(row.seq, row.at, row.by, event_of(row, folder.name), "", "") for row in rows
            )
    except (sqlite3.Error, ValueError) as error:
        raise SessionError(f"session {folder.name}: its log cannot be read ({error}).") from error
    seq, at = cast("tuple[int, float]", last) if last else (0, 0.0)
    return Glance(records, seq, at)


def stored_texts(folder: Path) -> Iterator[str]:
    """Yield every event's JSON text, unchecked.

    Raises:
        SessionError: The log cannot be read to its end.
    """
    try:
        with closing(open_for_reading(folder, Head())) as db:
            for (text,) in db.execute("SELECT data FROM record"):
                yield str(text)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise SessionError(f"session {folder.name}: its log cannot be read ({error}).") from error
