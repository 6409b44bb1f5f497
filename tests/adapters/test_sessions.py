from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.log_files import LOG
from turbo_tui.adapters.pruning import forsaken_stages, prunable, prune
from turbo_tui.adapters.sessions import (
    Wanted,
    find_session,
    list_sessions,
    new_session_id,
    newest_session,
    sessions_folder,
)
from turbo_tui.core import events as ev
from turbo_tui.core.errors import SessionError
from turbo_tui.core.plan import Step
from turbo_tui.core.session import Session

PLAN = ev.PlanProposed("rename", "built-in", (Step("1", "first"),))
STAGED = ev.StepStaged("1", "", ("a.py",), checks_passed=True)
HOUR = 3600.0


def write(
    state: Path, *events: ev.Event, session_id: str, at: float = 1000.0, workspace: str = "/w"
) -> Path:
    folder = sessions_folder(state) / session_id
    session = Session(SqliteEventStore(folder), clock=lambda: at)
    session.append(ev.SessionStarted(session_id, workspace, "turbo-tui"), "user")
    for event in events:
        session.append(event)
    session.close()
    return folder


def statuses(state: Path) -> dict[str, str]:
    return {each.session_id: each.status for each in list_sessions(state)}


def aged(blobs: FolderBlobs, content: bytes) -> str:
    blob = blobs.put(content)
    os.utime(blobs.path(blob), (1.0, 1.0))
    return blob


def test_ids_sort_by_time_and_are_never_given_twice(tmp_path: Path) -> None:
    early = new_session_id(tmp_path, now=0.0)
    within_a_second = [new_session_id(tmp_path, now=900.0 + part / 8) for part in range(8)]
    assert sorted(within_a_second) == within_a_second
    late = {new_session_id(tmp_path, now=86_400.0 * 365) for _ in range(50)}

    assert early.startswith("700101-000000-")
    assert all(each > early for each in late)
    assert len(late) == 50
    assert list_sessions(tmp_path) == [], "claimed, not begun"
    assert sessions_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SessionError, match="A session cannot be made in"):
        new_session_id(tmp_path / "file")


def test_sessions_are_listed_newest_first_with_what_they_were_about(tmp_path: Path) -> None:
    write(tmp_path, ev.TaskGiven("old task"), session_id="260101-000000-aaaa", at=5.0)
    write(tmp_path, ev.TaskGiven("new"), PLAN, session_id="260102-000000-bbbb", at=9.0)
    write(tmp_path, session_id="260103-000000-cccc", workspace="/other")

    listed = list_sessions(tmp_path, Path("/w"))

    assert [each.session_id for each in listed] == ["260102-000000-bbbb", "260101-000000-aaaa"]
    assert (listed[0].task, listed[0].started, listed[0].last) == ("rename", 9.0, 9.0)
    assert (listed[0].workspace, listed[0].records) == ("/w", 3)
    assert listed[0].size_bytes > 4096
    assert len(list_sessions(tmp_path)) == 3


def test_a_status_says_what_a_session_needs(tmp_path: Path) -> None:
    task, started = ev.TaskGiven("t"), ev.StepStarted("1", 1, "s", "overlay+bubblewrap")
    write(tmp_path, session_id="1")
    write(tmp_path, task, session_id="2")
    write(tmp_path, task, PLAN, started, session_id="3")
    write(tmp_path, task, PLAN, started, STAGED, session_id="4")
    write(tmp_path, task, PLAN, started, ev.StepFinished("1"), session_id="5")
    write(tmp_path, task, ev.PlanFailed("t", "no"), session_id="6")
    write(tmp_path, task, PLAN, started, ev.StepFailed("1", "no"), session_id="7")
    (write(tmp_path, task, session_id="8") / LOG).write_bytes(b"nothing")

    assert statuses(tmp_path) == {
        "1": "empty",
        "2": "interrupted",
        "3": "interrupted",
        "4": "waiting",
        "5": "done",
        "6": "failed",
        "7": "failed",
        "8": "broken",
    }
    store = SqliteEventStore(sessions_folder(tmp_path) / "1")
    assert statuses(tmp_path)["1"] == "open"
    store.close()


def test_the_newest_session_is_that_of_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, session_id="260101-000000-aaaa")
    write(tmp_path, session_id="260102-000000-bbbb")
    write(tmp_path, session_id="260103-000000-cccc", workspace="/other")

    assert newest_session(tmp_path, Path("/w")) == "260102-000000-bbbb"
    with pytest.raises(SessionError, match="/nowhere has no session yet"):
        newest_session(tmp_path, Path("/nowhere"))


def test_a_plan_that_was_all_that_was_asked_for_does_not_wait(tmp_path: Path) -> None:
    task, ended = ev.TaskGiven("rename"), ev.RunFinished("done", "1")
    write(tmp_path, task, PLAN, STAGED, session_id="1")
    write(tmp_path, task, PLAN, ended, session_id="2")
    write(tmp_path, task, PLAN, ended, ev.StepStarted("1", 1, "s", "copy"), STAGED, session_id="3")

    assert statuses(tmp_path) == {"1": "waiting", "2": "planned", "3": "waiting"}


def test_a_session_that_was_only_looked_into_is_not_the_newest_that_is_meant(
    tmp_path: Path,
) -> None:
    task, done = ev.TaskGiven("rename"), ev.StepLanded("1", "l1", ("a.py",))
    started = ev.StepStarted("1", 1, "s", "copy")
    write(tmp_path, task, PLAN, started, STAGED, ev.StepApproved("1", "", ""), done, session_id="1")
    write(tmp_path, task, PLAN, started, STAGED, session_id="2")
    write(tmp_path, task, ev.PlanFailed("rename", "no recipe"), session_id="3")
    write(tmp_path, session_id="4")
    wanted: tuple[Wanted, ...] = ("landed", "work", "task")

    assert [newest_session(tmp_path, Path("/w"), each) for each in wanted] == ["1", "2", "3"]


@pytest.mark.parametrize("text", ["260101-000000-7f3a", "260101", "7f3a", "7f"])
def test_a_few_letters_are_enough_to_name_a_session(tmp_path: Path, text: str) -> None:
    write(tmp_path, session_id="260101-000000-7f3a")
    write(tmp_path, session_id="260102-000000-71aa")

    assert find_session(tmp_path, text) == "260101-000000-7f3a"


def test_letters_that_fit_several_or_none_are_refused_with_the_choice(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, session_id=f"2601{number:02}-000000-7f{number:02}")

    with pytest.raises(SessionError, match=r"'7f' fits 12 sessions: 260111.* and 4 more"):
        find_session(tmp_path, "7f")
    for text in ("", "nope", "..", "/"):
        with pytest.raises(SessionError, match="There is no session"):
            find_session(tmp_path, text)


def test_prune_chooses_by_age_and_number_and_spares_work_that_waits(tmp_path: Path) -> None:
    done = (ev.TaskGiven("t"), PLAN, ev.StepFinished("1"))
    for number in range(5):
        write(tmp_path, *done, session_id=str(number), at=number * HOUR + 1)
    write(tmp_path, ev.TaskGiven("t"), PLAN, STAGED, session_id="waits", at=1.0)
    listed = list_sessions(tmp_path)

    def chosen(**rule: object) -> set[str]:
        return {each.session_id for each in prunable(listed, now=5 * HOUR, **rule)}  # pyright: ignore[reportArgumentType]

    assert chosen(keep=3) == {"0", "1"}
    assert chosen(older_than_s=2 * HOUR) == {"0", "1", "2"}
    assert chosen(keep=4, older_than_s=2 * HOUR) == {"0"}
    assert chosen(keep=3, also_waiting=True) == {"0", "1", "waits"}
    store = SqliteEventStore(sessions_folder(tmp_path) / "0")
    listed = list_sessions(tmp_path)
    assert chosen(keep=0) == {"1", "2", "3", "4"}
    store.close()


def test_prune_deletes_the_sessions_and_only_what_nobody_else_refers_to(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    shared, own, inner = (aged(blobs, name) for name in (b"shared", b"own", b"inner"))
    landed, staged = aged(blobs, b"landed"), aged(blobs, b"staged")
    stray = aged(blobs, b"stray")
    young = blobs.put(b"young")
    change_set = aged(blobs, json.dumps({"files": [{"blob": inner}]}).encode())
    started = ev.StepStarted("1", 1, "stage-9", "overlay+bubblewrap")
    output = "x" * 9000  # long enough to lie on several pages of the database
    keeper = ev.ToolFinished("c", ok=True, output=output + shared + output, full=change_set)
    write(tmp_path, PLAN, keeper, session_id="kept")
    write(
        tmp_path,
        PLAN,
        started,
        ev.ToolFinished("c", ok=True, output=shared, full=own),
        ev.StepFinished("1"),
        session_id="gone",
    )
    (tmp_path / "landings" / "w").mkdir(parents=True)
    (tmp_path / "landings" / "w" / "1.jsonl").write_text(f'{{"blob":"{landed}"}}\n')
    (tmp_path / "stages" / "s").mkdir(parents=True)
    (tmp_path / "stages" / "s" / "meta.json").write_text(json.dumps({"base": staged}))
    gone = [each for each in list_sessions(tmp_path) if each.session_id == "gone"]

    would = prune(tmp_path, gone, dry_run=True)
    assert set(statuses(tmp_path)) == {"kept", "gone"}
    assert own in blobs

    pruned = prune(tmp_path, gone)

    assert pruned == would
    assert (pruned.sessions, pruned.stages, pruned.blobs) == (("gone",), ("stage-9",), 2)
    assert set(statuses(tmp_path)) == {"kept"}
    assert set(blobs) == {shared, inner, change_set, landed, staged, young}
    assert stray not in blobs


def test_prune_sweeps_up_what_never_began(tmp_path: Path) -> None:
    begun = write(tmp_path, session_id="begun")
    claimed = sessions_folder(tmp_path) / new_session_id(tmp_path)
    os.utime(begun, (1.0, 1.0))

    prune(tmp_path, [])
    assert claimed.exists(), "it may begin any moment"
    os.utime(claimed, (1.0, 1.0))
    prune(tmp_path, [])

    assert not claimed.exists()
    assert begun.exists()


def test_no_content_is_dropped_while_a_log_cannot_be_read(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    blob = aged(blobs, b"whose?")
    (write(tmp_path, session_id="bad") / LOG).write_bytes(b"nothing")

    assert prune(tmp_path, []).blobs == 0
    assert blob in blobs


def test_content_that_is_kept_again_is_young_again(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    blob = aged(blobs, b"again")
    blobs.put(b"again")

    assert blobs.path(blob).stat().st_mtime > time.time() - 60
    assert prune(tmp_path, []).blobs == 0
    assert prune(tmp_path, [], grace_s=-60).blobs == 1


def test_a_session_cut_off_before_its_first_record_is_none(tmp_path: Path) -> None:
    for name, files in {
        "cut-1": ("log.head",),
        "cut-2": ("log.head", "log.db"),
        "cut-3": ("log.db", "log.head", "lock"),
    }.items():
        folder = sessions_folder(tmp_path) / name
        store = SqliteEventStore(folder)
        head = (folder / "log.head").read_bytes()
        store.close()
        for file in files:
            (folder / file).touch()
        for path in folder.iterdir():
            if path.name not in files:
                path.unlink()
        (folder / "log.head").write_bytes(head)
        if name == "cut-2":
            (folder / "log.db").write_bytes(b"")

    assert list_sessions(tmp_path) == []
    with pytest.raises(SessionError, match="no session"):
        newest_session(tmp_path, tmp_path)
    prune(tmp_path, [], grace_s=-1)
    assert list(sessions_folder(tmp_path).iterdir()) == []


def test_only_old_stages_of_sessions_that_are_gone_are_forsaken(tmp_path: Path) -> None:
    write(tmp_path, session_id="261122-160340-7f3a")
    gone = "261122-160340-ffff"
    for name, age_s in {
        "261122-160340-7f3a-1-1": 9 * 24 * HOUR,  # it can be resumed
        f"{gone}-1-1": 9 * 24 * HOUR,
        f"{gone}-1-1-verify": 9 * 24 * HOUR,
        f"{gone}-2-1": HOUR,  # maybe in use
        "sandbox-0123456789ab": 9 * 24 * HOUR,  # of no session
        gone: 9 * 24 * HOUR,
    }.items():
        stage = tmp_path / "stages" / name
        stage.mkdir(parents=True)
        os.utime(stage, (time.time() - age_s, time.time() - age_s))

    assert forsaken_stages(tmp_path) == [f"{gone}-1-1", f"{gone}-1-1-verify"]
    assert forsaken_stages(tmp_path / "none") == []
    sessions_folder(tmp_path).rename(tmp_path / "aside")
    assert forsaken_stages(tmp_path) == []  # who knows which there are
