"""Check a whole log, and write a broken one anew with the records that can be read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from turbo_tui.adapters.log_files import (
    INSERT,
    LOCK,
    LOG,
    open_for_reading,
    open_for_writing,
    seal,
    sound_head,
    sync_folder,
    take_lock,
)
from turbo_tui.adapters.log_head import HEAD, Head
from turbo_tui.adapters.log_rows import Row, broken, check_link, checked_rows, event_of, stored_rows
from turbo_tui.core.errors import OtherVersionError, SessionError
from turbo_tui.core.session import FIRST


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that is whole; `closed` when every byte of its file was checked too."""

    records: int
    hash: str
    closed: bool


def verify(folder: Path) -> Verified:
    """Check all there is: chain, head, and the database's own structure or its whole bytes.

    Raises:
        SessionError: The first thing that is wrong, with the way out.
        OtherVersionError: Nothing is wrong with it, but this version cannot read it.
    """
    head = sound_head(folder)
    records, last = 0, FIRST
    strange: Row | None = None
    with closing(open_for_reading(folder, head)) as db:
        for row in checked_rows(db, head, folder.name):
            records, last = row.seq, row.hash
            if strange is None and not _is_known(row, folder.name):
                strange = row
        try:
            problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        except (sqlite3.Error, UnicodeDecodeError) as error:
            problems = [str(error)]
    if problems != ["ok"]:
        raise broken(folder.name, records, f"log.db is damaged ({problems[0]})")
    if strange is not None:
        event_of(strange, folder.name)
    return Verified(records, last, bool(head.sha256))


def repair(folder: Path, keep: int) -> Path:
    """Write a log anew with its first `keep` records; what was there moves to a folder aside.

    Returns:
        The folder that holds the broken log.

    Raises:
        SessionError: A record up to `keep` is broken too or missing, or the log is in use.
        OtherVersionError: There is nothing to repair: another version reads it.
    """
    lock = take_lock(folder)
    try:
        _refuse_to_cut_what_is_whole(folder)
        rows = _readable_rows(folder, keep)
        fresh = folder / "repair.tmp"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _write_log(fresh, rows)
        aside = _free_name(folder)
        aside.mkdir(mode=0o700)
        old = [path for path in folder.iterdir() if path.is_file() and path.name != LOCK]
        for path in old:
            os.link(path, aside / path.name)
        # The old write-ahead log goes first: it must never meet the new database.
        for path in sorted(old, key=lambda path: path.name == LOG):
            if path.name != LOG:
                path.unlink()
        (fresh / LOG).replace(folder / LOG)
        (fresh / HEAD).replace(folder / HEAD)
        sync_folder(folder)
        fresh.rmdir()
    except OSError as error:
        raise SessionError(
            f"session {folder.name}: cannot be repaired in {folder} ({error.strerror}); "
            "nothing of the old log is lost."
        ) from error
    finally:
        os.close(lock)
    return aside


def _is_known(row: Row, session_id: str) -> bool:
    try:
        event_of(row, session_id)
    except OtherVersionError:
        return False
    return True


def _refuse_to_cut_what_is_whole(folder: Path) -> None:
    """A log is cut where it is broken, or its user wants; not for what only we cannot read."""
    try:
        verify(folder)
    except OtherVersionError:
        raise
    except SessionError:
        return


def _readable_rows(folder: Path, keep: int) -> list[Row]:
    rows: list[Row] = []
    previous = FIRST
    with closing(open_for_reading(folder, Head())) as db:
        for row in stored_rows(db, folder.name):
            if len(rows) == keep:
                break
            check_link(row, len(rows), previous, folder.name)
            rows.append(row)
            previous = row.hash
    if len(rows) < keep:
        raise SessionError(
            f"session {folder.name}: only {len(rows)} records can be read; keep at most those: "
            f"`turbo-tui session repair {folder.name} --keep {len(rows)}`."
        )
    return rows


def _write_log(folder: Path, rows: list[Row]) -> None:
    head, db = open_for_writing(folder)
    with closing(db):
        db.execute("BEGIN")
        db.executemany(INSERT, rows)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if rows:
        head = replace(head, seq=rows[-1].seq, hash=rows[-1].hash)
    seal(folder, head)


def _free_name(folder: Path) -> Path:
    number = 1
    while (folder / f"broken-{number}").exists():
        number += 1
    return folder / f"broken-{number}"
