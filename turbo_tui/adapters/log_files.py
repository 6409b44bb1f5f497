"""The files of a session log: who may write them, whether they are whole, how they are opened.

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
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from turbo_tui.adapters.log_head import HEAD, Head, parse_head, promised, this_boot, write_head
from turbo_tui.adapters.log_rows import broken, checked_rows
from turbo_tui.core.errors import SessionError
from turbo_tui.core.session import FIRST

LOG, LOCK = "log.db", "lock"
FORMAT = 1  # user_version of the database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL,
    v INTEGER NOT NULL, data TEXT NOT NULL, hash TEXT NOT NULL
) STRICT
"""
INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"


def take_lock(folder: Path) -> int:
    """Make a log's folder and lock it for this process; return the descriptor that holds the lock.

    Raises:
        SessionError: Another process writes this log, or the folder cannot be written.
    """
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


def open_for_writing(folder: Path) -> tuple[Head, sqlite3.Connection]:
    """Open a log whose lock is held, or begin one; return its head as it is written now.

    Raises:
        SessionError: It is not what its head says, or the disk refuses.
    """
    try:
        if not (folder / HEAD).exists() and not (folder / LOG).exists():
            write_head(folder, Head(), sync=True)
        head = sound_head(folder)
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
                sync_folder(folder)  # a new log's name must survive a power cut, too
                sync_folder(folder.parent)
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


def open_for_reading(folder: Path, head: Head) -> sqlite3.Connection:
    """Open a log without its lock; nothing is written, unless by another process.

    Raises:
        SessionError: The database cannot be opened, or a later version wrote it.
    """
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


def _caught_up(db: sqlite3.Connection, head: Head) -> Head:
    """Return the head of a log that is open again: as far as its records really go."""
    last = db.execute("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1").fetchone()
    seq, digest = cast("tuple[int, str]", last) if last else (0, FIRST)
    if seq < promised(head):
        return replace(head, sha256="")  # reading will say which records are lost
    return Head(seq, digest, min(head.durable, seq), this_boot())


def _unwritable(folder: Path, why: str) -> SessionError:
    return SessionError(
        f"session {folder.name}: {folder} cannot be written ({why}); make room or mend its "
        "permissions."
    )


def sound_head(folder: Path) -> Head:
    """Read the head and hold the database file against its seal, if it has one.

    Raises:
        SessionError: There is no log, or the first thing that is wrong with it.
    """
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
        if unmerged(folder):
            raise _damaged(folder, f"something was written to {LOG}-wal after the log was closed")
        if _sha256(folder / LOG) != head.sha256:
            raise _damaged(folder, "log.db is not what it was when the log was closed")
    return head


def _damaged(folder: Path, why: str) -> SessionError:
    """Name the first bad record where there is one, else what is wrong around the records."""
    whole = 0
    try:
        with closing(open_for_reading(folder, Head())) as db:
            for row in checked_rows(db, Head(), folder.name):
                whole = row.seq
    except SessionError as error:
        return error
    return broken(folder.name, whole, why)


def seal(folder: Path, head: Head) -> None:
    """Write the head of a log that is closed and all on disk: from here on its bytes count.

    Raises:
        OSError: The disk refuses; the log stays as sound as one that was not closed.
    """
    sealed = replace(head, durable=head.seq, sha256=_sha256(folder / LOG))
    write_head(folder, sealed, sync=True)


def unmerged(folder: Path) -> bool:
    """Tell whether the write-ahead log holds what the database does not hold yet."""
    try:
        return (folder / f"{LOG}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        with closing(open_for_reading(folder, Head())) as db:
            tables = cast("tuple[int]", db.execute("SELECT count(*) FROM sqlite_master").fetchone())
            return not tables[0] or db.execute("SELECT 1 FROM record LIMIT 1").fetchone() is None
    except (sqlite3.Error, SessionError):
        return False
