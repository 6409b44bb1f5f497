"""The records of a log as rows: read in order, each held against the hash chain."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple, cast

from turbo_tui.adapters.log_head import Head, promised
from turbo_tui.core.codec import decode
from turbo_tui.core.errors import OtherVersionError, SessionError
from turbo_tui.core.events import Event
from turbo_tui.core.ports import Record
from turbo_tui.core.session import FIRST, chain_hash

_SELECT = "SELECT seq, at, by, kind, v, data, hash FROM record ORDER BY seq"


class Row(NamedTuple):
    """A record as it is stored: `data` is the event's fields in canonical JSON.

    In a damaged file any column may hold any SQLite value.
    """

    seq: int
    at: float
    by: str
    kind: str
    v: int
    data: str
    hash: str


def checked_records(
    db: sqlite3.Connection, head: Head, session_id: str, after: int
) -> Iterator[Record]:
    """Yield records after `after`, checking every one from the first and the end by the head."""
    previous = FIRST
    for row in checked_rows(db, head, session_id):
        event = event_of(row, session_id)
        if row.seq > after:
            yield Record(row.seq, row.at, row.by, event, previous, row.hash)
        previous = row.hash


def checked_rows(db: sqlite3.Connection, head: Head, session_id: str) -> Iterator[Row]:
    """Yield all rows, held against chain and head; what their events say is not looked at."""
    seq, previous = 0, FIRST
    for row in stored_rows(db, session_id):
        check_link(row, seq, previous, session_id)
        if row.seq == head.seq and row.hash != head.hash:
            raise broken(session_id, seq, "not the record that log.head names", row.seq)
        yield row
        seq, previous = row.seq, row.hash
    if seq < promised(head):
        raise broken(session_id, seq, f"lost; log.head says there were {promised(head)}", seq + 1)


def stored_rows(db: sqlite3.Connection, session_id: str) -> Iterator[Row]:
    """Yield the rows as they are stored.

    Raises:
        SessionError: The database cannot be read on; the message names the first lost record.
    """
    seq = 0
    try:
        for values in db.execute(_SELECT):
            row = Row(*values)
            yield row
            seq = row.seq
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise broken(session_id, seq, f"cannot be read ({error})", seq + 1) from error


def check_link(row: Row, seq: int, previous: str, session_id: str) -> None:
    """Hold a row against the one before it, whose number and hash are `seq` and `previous`.

    Raises:
        SessionError: It does not follow, or was altered.
    """
    if row.seq != seq + 1:
        raise broken(session_id, seq, "missing", seq + 1)
    if not all(isinstance(text, str) for text in cast("tuple[object, ...]", (row.by, row.kind))):
        raise broken(session_id, seq, "altered: not even text", row.seq)
    found = chain_hash(
        seq=row.seq,
        at=row.at,
        by=row.by,
        kind=row.kind,
        v=row.v,
        data=row.data,
        previous=previous,
    )
    if found != row.hash:
        raise broken(session_id, seq, "altered: its hash does not match", row.seq)


def event_of(row: Row, session_id: str) -> Event:
    """Return the event of a row that is as it was written.

    Raises:
        OtherVersionError: It is no event of this version. The way out is never to cut the log:
            what follows is whole, and holds what landed.
    """
    try:
        return decode(row.kind, row.v, json.loads(row.data))
    except SessionError as error:
        raise OtherVersionError(
            f"session {session_id}, record {row.seq}: this turbo-tui cannot read it ({error}). "
            "It is as it was written, by another version: open the session with that one."
        ) from error


def broken(session_id: str, whole: int, why: str, seq: int = 0) -> SessionError:
    """Say what is wrong with record `seq` (0: around the records), and the way out."""
    place = f"session {session_id}, record {seq}" if seq else f"session {session_id}"
    way_out = f"`turbo-tui session repair {session_id} --keep {whole}`"
    if seq:
        return SessionError(f"{place}: {why}. Keep the {whole} records before it with {way_out}.")
    return SessionError(
        f"{place}: {why}. Write the {whole} records that can be read anew: {way_out}."
    )
