from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from turbo_tui.adapters import log_head
from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.adapters.log_files import LOG, lock_holder
from turbo_tui.adapters.log_head import HEAD
from turbo_tui.adapters.log_repair import repair, verify
from turbo_tui.core import events
from turbo_tui.core.errors import SessionError
from turbo_tui.core.events import Event
from turbo_tui.core.session import Session

HISTORY: list[Event] = [
    events.SessionStarted("7f3a", "/w", "turbo-tui"),
    events.TaskGiven("rename greet", ("src/a.py",)),
    events.Noted("info", "na\udcffme\x00 [/x]"),
    events.CommandFinished("c1", 0, "exited", "out\n" * 50, 0.25, held={"network": True}),
    events.StepLanded("1", "l1", ("src/a.py",)),
]


def write(folder: Path, history: list[Event] = HISTORY) -> None:
    session = Session(SqliteEventStore(folder), clock=lambda: 1.5)
    for event in history:
        session.append(event, "user")
    session.close()


def read(folder: Path) -> list[Event]:
    return [record.event for record in read_log(folder)]


def crash(folder: Path, history: list[Event], *, copy_to: Path) -> None:
    """Leave what a killed process leaves: the files as they are while the log is open."""
    store = SqliteEventStore(folder)
    session = Session(store, clock=lambda: 1.5)
    for event in history:
        session.append(event)
    copy_to.mkdir()
    for path in folder.iterdir():
        (copy_to / path.name).write_bytes(path.read_bytes())
    session.close()


def alter(folder: Path, statement: str) -> None:
    """Change the database as someone with sqlite3 would; leaves the log unsealed."""
    with closing(sqlite3.connect(folder / LOG)) as db:
        db.execute(statement)
        db.commit()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions" / "7f3a"
    write(folder)
    return folder


def test_what_was_appended_is_read_back_in_order(folder: Path) -> None:
    records = list(read_log(folder))

    assert [record.event for record in records] == HISTORY
    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert {record.by for record in records} == {"user"}
    assert [record.previous for record in records[1:]] == [r.hash for r in records[:-1]]
    assert [record.seq for record in read_log(folder, after=3)] == [4, 5]


def test_a_log_goes_on_where_it_was_closed(folder: Path) -> None:
    write(folder, [events.StepSkipped("2")])

    assert read(folder) == [*HISTORY, events.StepSkipped("2")]
    assert verify(folder).records == 6
    assert verify(folder).closed


def test_only_the_owner_may_read_the_log(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / LOG).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in folder.iterdir()} == {"lock", LOG, HEAD}


def test_a_second_writer_is_told_who_holds_the_log(folder: Path) -> None:
    store = SqliteEventStore(folder)

    with pytest.raises(SessionError, match=f"7f3a is open in process {os.getpid()}"):
        SqliteEventStore(folder)
    assert lock_holder(folder) == os.getpid()

    store.close()
    store.close()
    assert lock_holder(folder) is None
    assert lock_holder(folder / "nowhere") is None


def test_a_log_can_be_read_while_it_is_written(folder: Path) -> None:
    session = Session(SqliteEventStore(folder), clock=lambda: 2.0)
    session.append(events.StepSkipped("9"))

    assert read(folder)[-1] == events.StepSkipped("9")
    assert not verify(folder).closed

    session.close()
    assert verify(folder).closed


def test_a_record_that_does_not_follow_is_refused(folder: Path) -> None:
    store = SqliteEventStore(folder)
    last = list(store.read())[-1]

    for wrong in (replace(last, seq=9, previous=last.hash), replace(last, seq=6)):
        with pytest.raises(SessionError, match="does not follow record 5"):
            store.append(wrong, durable=True)
    store.close()

    assert read(folder) == HISTORY


def test_a_killed_writer_loses_nothing_it_was_told_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "7f3a"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from turbo_tui.adapters.event_store import SqliteEventStore\n"
        "from turbo_tui.core import events\n"
        "from turbo_tui.core.session import Session\n"
        "session = Session(SqliteEventStore(Path(sys.argv[1])), clock=time.time)\n"
        "for number in range(100_000):\n"
        "    kind = events.StepSkipped if number % 5 == 0 else events.StepRemoved\n"
        "    print(session.append(kind(str(number))).seq, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged == 150:
                writer.send_signal(signal.SIGKILL)

    records = list(read_log(folder))

    assert acknowledged >= 150
    assert acknowledged <= len(records) <= acknowledged + 1
    assert lock_holder(folder) is None
    write(folder, [events.StepSkipped("after")])
    assert verify(folder).records == len(records) + 1


def test_an_altered_record_is_named_with_the_way_out(folder: Path) -> None:
    alter(folder, "UPDATE record SET data = replace(data, 'greet', 'grEet') WHERE seq = 2")

    with pytest.raises(SessionError) as broken:
        verify(folder)
    assert str(broken.value) == (
        "session 7f3a, record 2: altered: its hash does not match. Keep the 1 records before "
        "it with `turbo-tui session repair 7f3a --keep 1`."
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET at = at + 0.5 WHERE seq = 3",
        "UPDATE record SET by = 'planner' WHERE seq = 3",
        "UPDATE record SET kind = 'StepFinished' WHERE seq = 3",
        "UPDATE record SET v = 2 WHERE seq = 3",
        "UPDATE record SET hash = upper(hash) WHERE seq = 3",
        "UPDATE record SET data = data || ' ' WHERE seq = 3",
        "UPDATE record SET data = CAST(x'ff' AS TEXT) WHERE seq = 3",
        "DELETE FROM record WHERE seq = 3",
    ],
)
def test_any_change_to_a_record_is_found(tmp_path: Path, statement: str) -> None:
    live = tmp_path / "live"
    folder = tmp_path / "7f3a"
    crash(live, HISTORY, copy_to=folder)
    alter(folder, statement)

    with pytest.raises(SessionError, match=r"7f3a, record 3: .*repair 7f3a --keep 2"):
        list(read_log(folder))


def test_a_record_cut_from_the_end_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "7f3a"
    crash(tmp_path / "live", HISTORY, copy_to=folder)
    alter(folder, "DELETE FROM record WHERE seq = 5")

    with pytest.raises(SessionError, match=r"record 5: lost; log.head says there were 5"):
        verify(folder)
    with pytest.raises(SessionError, match="record 5: lost"):
        Session(SqliteEventStore(folder), clock=time.time)


def test_after_a_power_cut_only_the_durable_records_are_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "7f3a"
    crash(tmp_path / "live", [*HISTORY, events.StepRemoved("3")], copy_to=folder)
    alter(folder, "DELETE FROM record WHERE seq = 6")
    monkeypatch.setattr(log_head, "this_boot", lambda: "a later boot")

    assert read(folder) == HISTORY
    alter(folder, "DELETE FROM record WHERE seq = 5")
    with pytest.raises(SessionError, match="record 5: lost"):
        read(folder)


def test_any_single_altered_byte_of_a_closed_log_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "7f3a"
    write(folder, HISTORY[:3])
    unseen: list[str] = []
    for name in (LOG, HEAD):
        path = folder / name
        whole = path.read_bytes()
        for place in range(0, len(whole), 3 if name == LOG else 1):
            path.write_bytes(
                whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
            )
            try:
                verify(folder)
            except SessionError:
                continue
            unseen.append(f"{name}:{place}")
        path.write_bytes(whole)

    assert unseen == []
    assert verify(folder).records == 3


def test_an_altered_byte_of_a_log_that_was_not_closed_is_found_or_changes_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "7f3a"
    crash(tmp_path / "live", HISTORY, copy_to=folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = 0
    for name in (LOG, f"{LOG}-wal", HEAD):
        whole = files[name]
        for place in range(0, len(whole), 1 if name == HEAD else 61):
            for path in folder.iterdir():
                path.unlink()
            for other, content in files.items():
                (folder / other).write_bytes(content)
            (folder / name).write_bytes(
                whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :]
            )
            try:
                verify(folder)
            except SessionError:
                found += 1
            else:
                assert read(folder) == HISTORY, f"{name}:{place}"

    assert found > HEAD_AND_RECORDS


HEAD_AND_RECORDS = 520  # every byte of the head, and some of the log


def test_repair_keeps_the_good_records_and_the_broken_log(folder: Path) -> None:
    alter(folder, "UPDATE record SET by = 'x' WHERE seq = 4")

    aside = repair(folder, 3)

    assert read(folder) == HISTORY[:3]
    assert verify(folder).closed
    assert {path.name for path in aside.iterdir()} == {LOG, HEAD}
    assert aside == folder / "broken-1"
    write(folder, [events.StepSkipped("3")])
    assert verify(folder).records == 4
    assert repair(folder, 0) == folder / "broken-2"
    assert read(folder) == []


def test_repair_refuses_to_keep_what_is_broken_or_not_there(folder: Path) -> None:
    with pytest.raises(SessionError, match=r"only 5 records can be read.*--keep 5"):
        repair(folder, 6)
    alter(folder, "UPDATE record SET by = 'x' WHERE seq = 4")
    with pytest.raises(SessionError, match="record 4: altered"):
        repair(folder, 4)


def test_a_lost_or_altered_head_can_be_repaired_without_losing_a_record(folder: Path) -> None:
    (folder / HEAD).write_bytes(b"{}")
    with pytest.raises(SessionError, match=r"log.head is altered.*repair 7f3a --keep 5"):
        verify(folder)
    (folder / HEAD).unlink()
    with pytest.raises(SessionError, match=r"log.head is missing.*repair 7f3a --keep 5"):
        SqliteEventStore(folder)

    repair(folder, 5)

    assert read(folder) == HISTORY


def test_a_log_that_is_no_database_is_refused(folder: Path) -> None:
    (folder / LOG).write_bytes(b"not a database, surely" * 100)
    with pytest.raises(SessionError, match="file is not a database"):
        verify(folder)
    (folder / LOG).unlink()
    with pytest.raises(SessionError, match="is gone"):
        verify(folder)
    (folder / HEAD).unlink()
    with pytest.raises(SessionError, match="there is no log"):
        list(read_log(folder))


def test_a_log_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "7f3a"
    crash(tmp_path / "live", HISTORY, copy_to=folder)
    alter(folder, "PRAGMA user_version=7")

    for opened in (SqliteEventStore, verify):
        with pytest.raises(SessionError, match="has format 7"):
            opened(folder)


def test_a_full_disk_refuses_a_record_and_keeps_those_before(folder: Path) -> None:
    store = SqliteEventStore(folder)
    session = Session(store, clock=lambda: 2.0)
    database = store._db  # pyright: ignore[reportPrivateUsage]
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages}")
    told: list[object] = []
    session.subscribe(told.append)

    with pytest.raises(SessionError, match=r"record 6 cannot be written .*full.* make room"):
        session.append(events.Noted("info", "x" * 50_000))
    assert told == []
    database.execute("PRAGMA max_page_count=1000000")
    session.append(events.StepSkipped("after"))
    session.close()

    assert read(folder) == [*HISTORY, events.StepSkipped("after")]
    assert verify(folder).closed


def test_a_folder_that_cannot_be_written_is_refused_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SessionError, match="cannot be written"):
        SqliteEventStore(tmp_path / "file" / "7f3a")


def test_ten_thousand_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = tmp_path / "7f3a"
    session = Session(SqliteEventStore(folder), clock=lambda: 1.0)
    for number in range(10_000):
        session.append(events.ToolFinished(str(number), ok=True, output="text " * 40))
    session.close()

    assert read(folder) == [
        events.ToolFinished(str(number), ok=True, output="text " * 40) for number in range(10_000)
    ]
