"""The session log on disk: one SQLite file per session, one writer, every byte accounted for.

    STATE/sessions/ID/lock       held by flock while a process writes; its pid is in it
    STATE/sessions/ID/log.db     the records (SQLite, WAL)
    STATE/sessions/ID/log.head   how far the log goes and, once closed, the sha256 of log.db

The hash chain covers what the records say. The head covers the rest: without it a damaged
write-ahead log would only look shorter (SQLite drops frames that do not check), and a byte
altered in unused page space would go unseen.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from turbo_tui.adapters.log_head import HEAD, Head, parse_head, promised, this_boot, write_head
from turbo_tui.adapters.log_rows import Row, broken, checked_event, checked_records, stored_rows
from turbo_tui.core.codec import canonical, decode, encode, kind_of
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Record
from turbo_tui.core.session import FIRST

LOG, LOCK = "log.db", "lock"
FORMAT = 1  # user_version of the database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL,
    v INTEGER NOT NULL, data TEXT NOT NULL, hash TEXT NOT NULL
) STRICT
"""
_INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that is whole; `closed` when every byte of its file was checked too."""

    records: int
    hash: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """Some records of a log, unchecked; how many it has in all, and when the last was made."""

    records: tuple[Record, ...]
    count: int
    last_at: float


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
        self._lock = _take_lock(folder)
        try:
            self._head, self._db = _open_for_writing(folder)
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
            self._db.execute(_INSERT, row)
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
            if self._whole and not _unmerged(self._folder):
                digest = _sha256(self._folder / LOG)
                sealed = replace(self._head, durable=self._head.seq, sha256=digest)
                with suppress(OSError):
                    write_head(self._folder, sealed, sync=True)
        finally:
            os.close(self._lock)


def read_log(folder: Path, after: int = 0) -> Iterator[Record]:
    """Yield a log's records without its lock, also while another process writes it.

    Raises:
        SessionError: There is no log, or a record is broken; the message names its `seq`.
    """
    # The head comes first: records written meanwhile can only make the log longer than it.
    head = _sound_head(folder)
    with closing(_open_for_reading(folder, head)) as db:
        yield from checked_records(db, head, folder.name, after)


def peek(folder: Path, kinds: Collection[str]) -> Glance:
    """Look into a log without checking it: for lists, never for anything that acts on it.

    Raises:
        SessionError: There is no log, or it cannot be read.
    """
    marks = ", ".join("?" * len(kinds))
    chosen = f"SELECT seq, at, by, kind, v, data, hash FROM record WHERE kind IN ({marks})"  # noqa: S608
    try:
        with closing(_open_for_reading(folder, Head())) as db:
            last = db.execute("SELECT seq, at FROM record ORDER BY seq DESC LIMIT 1").fetchone()
            rows = [Row(*values) for values in db.execute(f"{chosen} ORDER BY seq", tuple(kinds))]
            records = tuple(
                Record(
                    row.seq, row.at, row.by, decode(row.kind, row.v, json.loads(row.data)), "", ""
                )
                for row in rows
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
        with closing(_open_for_reading(folder, Head())) as db:
            for (text,) in db.execute("SELECT data FROM record"):
                yield str(text)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise SessionError(f"session {folder.name}: its log cannot be read ({error}).") from error


def verify(folder: Path) -> Verified:
    """Check all there is: chain, head, and the database's own structure or its whole bytes.

    Raises:
        SessionError: The first thing that is wrong, with the way out.
    """
    head = _sound_head(folder)
    records, last = 0, FIRST
    with closing(_open_for_reading(folder, head)) as db:
        for record in checked_records(db, head, folder.name, 0):
            records, last = record.seq, record.hash
        try:
            problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        except (sqlite3.Error, UnicodeDecodeError) as error:
            problems = [str(error)]
    if problems != ["ok"]:
        raise broken(folder.name, records, f"log.db is damaged ({problems[0]})")
    return Verified(records, last, bool(head.sha256))


def repair(folder: Path, keep: int) -> Path:
    """Write a log anew with its first `keep` records; what was there moves to a folder aside.

    Returns:
        The folder that holds the broken log.

    Raises:
        SessionError: A record up to `keep` is broken too or missing, or the log is in use.
    """
    lock = _take_lock(folder)
    try:
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
        _sync_folder(folder)
        fresh.rmdir()
    except OSError as error:
        raise SessionError(
            f"session {folder.name}: cannot be repaired in {folder} ({error.strerror}); "
            "nothing of the old log is lost."
        ) from error
    finally:
        os.close(lock)
    return aside


def never_began(folder: Path) -> bool:
    """Tell whether a session was cut off before its first record: there is nothing to lose."""
    log = folder / LOG
    try:
        head = parse_head((folder / HEAD).read_bytes())
    except FileNotFoundError:
        return not log.exists()
    except (OSError, ValueError):
        return False
    return not (head.seq or head.sha256) and (not log.exists() or _holds_no_record(folder))


def _holds_no_record(folder: Path) -> bool:
    try:
        with closing(_open_for_reading(folder, Head())) as db:
            tables = cast("tuple[int]", db.execute("SELECT count(*) FROM sqlite_master").fetchone())
            return not tables[0] or db.execute("SELECT 1 FROM record LIMIT 1").fetchone() is None
    except (sqlite3.Error, SessionError):
        return False


def lock_holder(folder: Path) -> int | None:
    """Return the pid of the process that writes this log; None when nobody does."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).strip()
        return int(pid) if pid.isdigit() else 0
    finally:
        os.close(lock)
    return None


# --- opening -----------------------------------------------------------------


def _open_for_writing(folder: Path) -> tuple[Head, sqlite3.Connection]:
    try:
        if not (folder / HEAD).exists() and not (folder / LOG).exists():
            write_head(folder, Head(), sync=True)
        head = _sound_head(folder)
        db = sqlite3.connect(folder / LOG, isolation_level=None)
        try:
            (folder / LOG).chmod(0o600)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if head.seq == 0:
                db.execute(_SCHEMA)
                db.execute(f"PRAGMA user_version={FORMAT}")
            _refuse_later_format(db, folder.name)
            head = _caught_up(db, head)
            write_head(folder, head, sync=True)
            if head.seq == 0:
                _sync_folder(folder)  # a new log's name must survive a power cut, too
                _sync_folder(folder.parent)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise _unwritable(folder, "the disk is full") from error
        raise broken(folder.name, 0, f"log.db cannot be opened ({error})") from error
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error
    return head, db


def _unwritable(folder: Path, why: str) -> SessionError:
    return SessionError(
        f"session {folder.name}: {folder} cannot be written ({why}); make room or mend its "
        "permissions."
    )


def _caught_up(db: sqlite3.Connection, head: Head) -> Head:
    """Return the head of a log that is open again: as far as its records really go."""
    last = db.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
    seq, digest = cast("tuple[int, str]", last) if last else (0, FIRST)
    if seq < promised(head):
        return replace(head, sha256="")  # reading will say which records are lost
    return Head(seq, digest, min(head.durable, seq), this_boot())


def _open_for_reading(folder: Path, head: Head) -> sqlite3.Connection:
    # A closed log is read as it lies, without side files being made beside it.
    closed = head.sha256 or not (folder / f"{LOG}-wal").exists()
    options = "mode=ro&immutable=1" if closed else "mode=ro"
    try:
        db = sqlite3.connect(f"{(folder / LOG).absolute().as_uri()}?{options}", uri=True)
    except sqlite3.Error as error:
        raise broken(folder.name, 0, f"log.db cannot be opened ({error})") from error
    try:
        _refuse_later_format(db, folder.name)
    except sqlite3.Error as error:
        db.close()
        raise broken(folder.name, 0, f"log.db cannot be opened ({error})") from error
    except SessionError:
        db.close()
        raise
    return db


def _refuse_later_format(db: sqlite3.Connection, session_id: str) -> None:
    found = cast("tuple[int]", db.execute("PRAGMA user_version").fetchone())[0]
    if found > FORMAT:
        raise SessionError(
            f"session {session_id}: its log has format {found}, this turbo-tui reads up to "
            f"{FORMAT}. Open it with the version that wrote it."
        )


def _take_lock(folder: Path) -> int:
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise SessionError(
            f"session {folder.name} is open in process {pid}. Close it there, or wait for it "
            "to end, then try again."
        ) from None
    with suppress(OSError):  # the id is for others to read; the lock holds on a full disk as well
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode("ascii"), 0)
    return lock


# --- the head ----------------------------------------------------------------


def _sound_head(folder: Path) -> Head:
    """Read the head and hold the database file against its seal, if it has one."""
    if not (folder / HEAD).exists() and not (folder / LOG).exists():
        raise SessionError(f"session {folder.name}: there is no log in {folder}.")
    try:
        head = parse_head((folder / HEAD).read_bytes())
    except FileNotFoundError:
        raise _damaged(folder, "log.head is missing") from None
    except ValueError:
        raise _damaged(folder, "log.head is altered") from None
    if head.sha256:
        if not (folder / LOG).exists():
            raise SessionError(f"session {folder.name}: {folder / LOG} is gone.")
        if _unmerged(folder):
            raise _damaged(folder, f"something was written to {LOG}-wal after the log was closed")
        if _sha256(folder / LOG) != head.sha256:
            raise _damaged(folder, "log.db is not what it was when the log was closed")
    return head


def _damaged(folder: Path, why: str) -> SessionError:
    """Name the first bad record where there is one, else what is wrong around the records."""
    whole = 0
    try:
        with closing(_open_for_reading(folder, Head())) as db:
            for record in checked_records(db, Head(), folder.name, 0):
                whole = record.seq
    except SessionError as error:
        return error
    return broken(folder.name, whole, why)


def _unmerged(folder: Path) -> bool:
    try:
        return (folder / f"{LOG}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- repair ------------------------------------------------------------------


def _readable_rows(folder: Path, keep: int) -> list[Row]:
    rows: list[Row] = []
    previous = FIRST
    with closing(_open_for_reading(folder, Head())) as db:
        for row in stored_rows(db, folder.name):
            if len(rows) == keep:
                break
            checked_event(row, len(rows), previous, folder.name)
            rows.append(row)
            previous = row.hash
    if len(rows) < keep:
        raise SessionError(
            f"session {folder.name}: only {len(rows)} records can be read; keep at most those: "
            f"`turbo-tui session repair {folder.name} --keep {len(rows)}`."
        )
    return rows


def _write_log(folder: Path, rows: list[Row]) -> None:
    head, db = _open_for_writing(folder)
    with closing(db):
        db.execute("BEGIN")
        db.executemany(_INSERT, rows)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if rows:
        head = replace(head, seq=rows[-1].seq, hash=rows[-1].hash, durable=rows[-1].seq)
    write_head(folder, replace(head, sha256=_sha256(folder / LOG)), sync=True)


def _free_name(folder: Path) -> Path:
    number = 1
    while (folder / f"broken-{number}").exists():
        number += 1
    return folder / f"broken-{number}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
