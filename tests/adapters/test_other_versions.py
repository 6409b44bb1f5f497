"""A log that another version of turbo-tui wrote: whole, not broken, and never cut."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.adapters.log_files import LOG, seal
from turbo_tui.adapters.log_head import Head
from turbo_tui.adapters.log_repair import repair, verify
from turbo_tui.adapters.pruning import prunable
from turbo_tui.adapters.sessions import list_sessions, sessions_folder
from turbo_tui.core import events as ev
from turbo_tui.core.codec import canonical
from turbo_tui.core.errors import OtherVersionError, SessionError
from turbo_tui.core.session import Session, chain_hash

TASK = ("TaskGiven", canonical({"task": "t", "files": [], "branch": "main"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session whose third record is as a later version would write it, and sealed by it."""
    folder = sessions_folder(tmp_path) / "7f3a"
    session = Session(SqliteEventStore(folder), clock=lambda: 1000.0)
    for event in (ev.SessionStarted("7f3a", "/w", "turbo-tui"), ev.Noted("info", "two")):
        session.append(event, "user")
    end = session.append(ev.TaskGiven("t"), "user")
    session.close()
    kind, data = TASK
    digest = chain_hash(
        seq=3, at=1000.0, by="user", kind=kind, v=1, data=data, previous=end.previous
    )
    change(folder, f"UPDATE record SET data = '{data}', hash = '{digest}' WHERE seq = 3")  # noqa: S608
    seal(folder, Head(3, digest))
    return folder


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / LOG)) as db:
        db.execute(statement)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_it_is_said_to_be_whole_and_whose_without_a_word_of_repair(folder: Path) -> None:
    for reading in (lambda: verify(folder), lambda: list(read_log(folder))):
        with pytest.raises(OtherVersionError, match=r"record 3.*'branch'.*open the") as told:
            reading()

        assert "repair" not in str(told.value)


def test_it_is_not_cut_and_stays_as_it_was(folder: Path) -> None:
    before = (folder / LOG).read_bytes()

    for keep in (2, 3):
        with pytest.raises(OtherVersionError, match="by another version"):
            repair(folder, keep)

    assert (folder / LOG).read_bytes() == before


def test_it_is_listed_as_what_it_is_and_spared_by_prune(tmp_path: Path, folder: Path) -> None:
    listed = list_sessions(tmp_path, Path("/w"))

    assert [(each.session_id, each.status) for each in listed] == [(folder.name, "other-version")]
    assert prunable(listed, keep=0) == []
    assert prunable(listed, keep=0, also_waiting=True) == listed


def test_where_it_is_broken_as_well_that_is_said_and_mended_with_all_that_is_whole(
    folder: Path,
) -> None:
    change(folder, "INSERT INTO record VALUES (4, 1000.0, 'user', 'Noted', 1, '{}', 'no hash')")

    with pytest.raises(SessionError, match=r"record 4: altered.*repair 7f3a --keep 3"):
        verify(folder)
    repair(folder, 3)

    with pytest.raises(OtherVersionError):
        verify(folder)
