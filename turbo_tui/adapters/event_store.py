"""The session log on disk: one SQLite file per session, one writer, every byte accounted for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from turbo_tui.adapters.log_files import (
    INSERT,
    LOG,
    open_for_reading,
    open_for_writing,
    seal,
    sound_head,
    take_lock,
    unmerged,
)
from turbo_tui.adapters.log_head import write_head
from turbo_tui.adapters.log_rows import Row, checked_records
from turbo_tui.core.codec import canonical, encode, kind_of
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Record


class SqliteEventStore:
    """Write one session's log. Opening takes the lock; a folder that is not there is made.

    A durable append is fsynced. Others survive a killed process at once, and a power cut
    from the next durable append on.

    Args:
        folder: The session's own; its name is the session's id.

    Raises:
        SessionError: Another process writes this log, it is not what its head says, or
            the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = take_lock(folder)
        try:
            self._head, self._db = open_for_writing(folder)
        except BaseException:
            os.close(self._lock)
            raise
        self._synchronous: bool = True
        self._whole = self._head.seq == 0  # read and found sound: may be sealed
        self._closed = False

    @property
    def session_id(self) -> str:
        """The session these records belong to."""
        return self._folder.name

    def append(self, record: Record, *, durable: bool) -> None:
        """Keep a record; on return with `durable` it survives a power cut.

        Raises:
            SessionError: The record does not follow the last one, or the disk refuses.
        """
        if record.seq != self._head.seq + 1 or record.previous != self._head.hash:
            raise SessionError(
                f"session {self.session_id}: record {record.seq} does not follow record "
                f"{self._head.seq}, the last one of the log; it is not written."
            )
        event = record.event
        data = canonical(encode(event))
        row = Row(record.seq, record.at, record.by, kind_of(event), event.v, data, record.hash)
        try:
            if durable is not self._synchronous:
                self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._synchronous = durable
            self._db.execute(INSERT, row)
        except sqlite3.Error as error:
            raise SessionError(
                f"session {self.session_id}: record {record.seq} cannot be written to "
                f"{self._folder / LOG} ({error}). All before it is kept: make room, or mend the "
                "folder's permissions, and resume the session."
            ) from error
        survives = record.seq if durable else self._head.durable
        self._head = replace(self._head, seq=record.seq, hash=record.hash, durable=survives)
        # A head that lags behind its log is sound, so its own failure stops nothing.
        with suppress(OSError):
            write_head(self._folder, self._head, sync=False)

    def read(self, after: int = 0) -> Iterator[Record]:
        """Yield the records with a greater `seq`, verified against the hash chain.

        Raises:
            SessionError: A record is broken; the message names its `seq` and the way out.
        """
        yield from checked_records(self._db, self._head, self.session_id, after)
        self._whole = True

    def close(self) -> None:
        """Flush, seal the log with its sha256, release the lock."""
        if self._closed:
            return
        self._closed = True
        try:
            # FULL: what the seal is taken over must be on disk before the seal is.
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
            # A reader may still hold the write-ahead log; the log is then sealed next time.
            if self._whole and not unmerged(self._folder):
                with suppress(OSError):
                    seal(self._folder, self._head)
        finally:
            os.close(self._lock)


def read_log(folder: Path, after: int = 0) -> Iterator[Record]:
    """Yield a log's records without its lock, also while another process writes it.

    Raises:
        SessionError: There is no log, or a record is broken; the message names its `seq`.
    """
    # The head comes first: records written meanwhile can only make the log longer than it.
    head = sound_head(folder)
    with closing(open_for_reading(folder, head)) as db:
        yield from checked_records(db, head, folder.name, after)
