from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.adapters.log_files import LOG
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.cli import main
from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.command import CommandUsage
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Landing
from turbo_tui.core.plan import Step
from turbo_tui.core.session import Session
from turbo_tui.wiring import Workspace, open_workspace

Run = Callable[..., tuple[int, str, str]]

OLD, NEW = "260101-100000-7f3a", "260102-100000-c0de"
PLAN = ev.PlanProposed("tidy", "built-in", (Step("1", "first \x1b[31m"), Step("2", "second")))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return open_workspace(root)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def turbo_tui(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["turbo-tui", "session", *args])
        try:
            main()
        except SystemExit as done:
            code = done.code
        else:
            code = 0
        out, err = capsys.readouterr()
        return cast("int", code or 0), out, err

    return turbo_tui


def begin(place: Workspace, *events: ev.Event, session_id: str = NEW, root: str = "") -> Path:
    folder = sessions_folder(place.state) / session_id
    session = Session(SqliteEventStore(folder), clock=lambda: 1_767_261_600.0)
    session.append(ev.SessionStarted(session_id, root or str(place.root), "turbo-tui"), "user")
    for event in events:
        session.append(event)
    session.close()
    return folder


def land(place: Workspace, step: str, contents: dict[str, str], session_id: str = NEW) -> ev.Event:
    """Write files as a landed step does; return the event that says so."""

    def node(content: bytes | None) -> Node | None:
        if content is None:
            return None
        return Node("file", 0o644, len(content), place.blobs.put(content))

    changes: list[FileChange] = []
    for path, text in sorted(contents.items()):
        file = place.root / path
        before = file.read_bytes() if file.exists() else None
        changes.append(FileChange(path, node(before), node(text.encode())))
    landing = asyncio.run(
        place.lander.land(ChangeSet(tuple(changes)), session_id=session_id, step_id=step)
    )
    assert not landing.conflicts
    return ev.StepLanded(step, landing.landing_id, landing.paths)


def tree(place: Workspace) -> dict[str, str]:
    files = [path for path in place.root.rglob("*") if path.is_file()]
    return {str(path.relative_to(place.root)): path.read_text() for path in files}


def blobs_of(place: Workspace) -> set[bytes]:
    return {path.read_bytes() for path in place.state.glob("blobs/*/*")}


# --- list and show -----------------------------------------------------------


def test_sessions_are_listed_newest_first_as_text_and_json(place: Workspace, run: Run) -> None:
    begin(place, ev.TaskGiven("rename\x1b[2J\nall"), ev.PlanFailed("t", "no"), session_id=OLD)
    begin(place, session_id=NEW)
    begin(place, session_id="260103-000000-0000", root="/elsewhere")

    code, out, _ = run("list")

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [NEW, OLD]
    assert out.splitlines()[1].endswith("failed  rename\N{REPLACEMENT CHARACTER}[2J all")
    assert len(run("list", "--all")[1].splitlines()) == 3
    assert "/elsewhere" in run("list", "--all")[1]
    listed = json.loads(run("list", "--json")[1])["sessions"]
    assert [(each["session_id"], each["status"]) for each in listed] == [
        (NEW, "empty"),
        (OLD, "failed"),
    ]


def test_a_workspace_without_sessions_says_so(place: Workspace, run: Run) -> None:
    assert "No session on" in run("list")[1]
    assert "No session on this machine" in run("list", "--all")[1]
    assert json.loads(run("list", "--json")[1]) == {"sessions": []}
    code, _, err = run("show")
    assert code == 5
    assert f"{place.root} has no session yet" in err


def test_a_session_is_shown_with_its_steps_landings_and_cost(place: Workspace, run: Run) -> None:
    landed = land(place, "1", {"a.txt": "new"})
    begin(
        place,
        ev.TaskGiven("tidy"),
        PLAN,
        ev.ModelRequested("r", "planner", "m", "host:1", 2000),
        ev.ModelReplied("r", "", "", tokens_in=10, tokens_out=5, counted=True, cost_usd=0.5),
        ev.StepStarted("1", 1, "s", "overlay+bubblewrap"),
        landed,
        ev.CommandRequested("c", "1", ("ls",)),
        ev.CommandFinished(
            "c", 0, "exited", "out \x1b]0;x\x07\nput", 0.1, usage=CommandUsage(0.8, 120_000_000)
        ),
    )

    out = run("show", "--log")[1]
    assert "used: 0.8 s cpu · 120 MB\n" in out

    assert "task       tidy\n" in out
    assert "    1  landed       first \N{REPLACEMENT CHARACTER}[31m\n" in out
    assert "    2  proposed     second\n" in out
    assert "step 1\n    a.txt\n" in out
    assert "10 tokens in, 5 out, $0.5000; sent: host:1 2.0 kB" in out
    assert "      put\n" in out
    assert "\x1b" not in out
    assert "log\n" not in run("show", "c0de")[1].partition("landed\n")[2]
    shown = json.loads(run("show", "--json", "--log")[1])
    assert [step["status"] for step in shown["steps"]] == ["landed", "proposed"]
    assert shown["landings"][0]["paths"] == ["a.txt"]
    assert shown["tokens"] == {"in": 10, "out": 5}
    assert shown["log"][-1]["state"] == "ok"


def test_a_session_of_another_workspace_is_found_by_its_id(place: Workspace, run: Run) -> None:
    other = place.root.parent / "other"
    other.mkdir()
    begin(place, ev.TaskGiven("t"), ev.PlanFailed("t", "no"), session_id=OLD, root=str(other))
    begin(place, session_id=NEW, root="/gone/for/good")

    assert f"workspace  {other}" in run("show", "7f3a")[1]
    assert "no plan: no" in run("show", "7f3a")[1]
    assert "workspace  /gone/for/good" in run("show", "c0de")[1]
    assert run("show", "26")[0] == 5
    assert "fits 2 sessions" in run("show", "26")[2]


# --- verify, repair, prune ---------------------------------------------------


def test_verify_and_repair_go_from_broken_to_whole(place: Workspace, run: Run) -> None:
    folder = begin(place, ev.TaskGiven("needle"), ev.StepSkipped("1"))
    assert run("verify") == (
        0,
        f"session {NEW}: 3 records, all whole; every byte is as it was.\n",
        "",
    )
    log = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(log.replace(b"needle", b"noodle"))

    code, out, err = run("verify", "c0de", "--json")
    assert code == 5
    assert json.loads(out) | {"error": ""} == {"session": NEW, "ok": False, "error": ""}
    assert f"session {NEW}, record 2: altered" in err
    assert run("show")[0] == 5

    code, out, _ = run("repair", "c0de", "--keep", "1")
    assert (code, "1 records kept" in out) == (0, True)
    assert run("verify", "--all")[0] == 0
    assert json.loads(run("verify", "--all", "--json")[1])["sessions"][0]["records"] == 1
    assert json.loads(run("repair", "c0de", "--keep", "0", "--json")[1])["records"] == 0


def test_a_session_that_is_open_elsewhere_can_be_looked_at_but_not_changed(
    place: Workspace, run: Run
) -> None:
    begin(place, land(place, "1", {"a": "x"}))
    store = SqliteEventStore(sessions_folder(place.state) / NEW)

    assert run("show")[0] == 0
    assert "it was not closed yet" in run("verify")[1]
    for args in (("undo",), ("repair", NEW, "--keep", "1")):
        code, _, err = run(*args)
        assert (code, f"is open in process {os.getpid()}" in err) == (5, True)
    store.close()


def test_prune_deletes_what_was_chosen_and_says_so(place: Workspace, run: Run) -> None:
    begin(place, ev.TaskGiven("old"), ev.PlanFailed("old", "no"), session_id=OLD)
    begin(place, session_id=NEW)

    assert run("prune")[0] == 2
    assert run("prune", "--older-than", "soon")[0] == 2
    code, out, _ = run("prune", "--keep", "1", "--dry-run")
    assert (code, out.splitlines()[0]) == (0, f"{OLD}  old")
    assert "1 session and 0 blobs would be deleted" in out
    assert len(run("list")[1].splitlines()) == 2
    assert "1 session and 0 blobs deleted" in run("prune", "--keep", "1", "--older-than", "1m")[1]
    assert run("list")[1].startswith(NEW)
    assert json.loads(run("prune", "--keep", "0", "--json")[1])["sessions"] == [NEW]


def test_prune_discards_the_stages_of_what_it_deletes(place: Workspace, run: Run) -> None:
    started = ev.StepStarted("1", 1, "stage-1", "copy+unsandboxed")
    begin(place, ev.TaskGiven("t"), PLAN, started, ev.StepFailed("1", "no", "x", ("a",)))
    layer = place.state / "stages" / "stage-1" / "upper"
    layer.mkdir(parents=True)
    (layer / "a").write_text("work")
    beside = [place.state / "stages" / f"stage-1-{what}" for what in ("before", "verify")]
    for left in beside:  # by a crash
        (left / "upper").mkdir(parents=True)

    assert json.loads(run("prune", "--keep", "0", "--json")[1])["sessions"] == []
    pruned = json.loads(run("prune", "--keep", "0", "--also-waiting", "--json")[1])

    assert pruned["stages"] == ["stage-1"]
    assert not layer.parent.exists()
    assert not any(left.exists() for left in beside)


def test_prune_tells_of_old_texts_that_were_put_aside(place: Workspace, run: Run) -> None:
    text = place.state / "unkept" / "unkept-x-a.py"
    text.parent.mkdir(parents=True)
    text.write_text("what I wrote")
    os.utime(text, (1.0, 1.0))

    said = "0 sessions, 1 text put aside and 0 blobs"
    assert run("prune", "--keep", "9", "--dry-run")[1] == f"{said} would be deleted, 12 bytes.\n"
    assert text.exists()
    assert run("prune", "--keep", "9")[1] == f"{said} deleted, 12 bytes.\n"
    assert not text.exists()
    assert json.loads(run("prune", "--keep", "9", "--json")[1])["texts"] == 0


def test_prune_deletes_what_was_there_before_landings_that_nothing_can_take_back(
    place: Workspace, run: Run
) -> None:
    (place.root / "a").write_text("before all")
    first = land(place, "1", {"a": "first"}, session_id=OLD)
    begin(place, PLAN, first, ev.StepSkipped("2"), session_id=OLD)
    begin(place, PLAN, land(place, "1", {"a": "second", "b": "b"}), session_id=NEW)
    for blob in place.state.glob("blobs/*/*"):
        os.utime(blob, (1.0, 1.0))

    said = "1 session, 1 record of landings and 1 blob"
    told = "1 landing of these sessions {} no longer be taken back; your files stay as they are.\n"
    out = run("prune", "--keep", "1", "--also-waiting", "--dry-run")[1]
    assert f"{said} would be deleted" in out
    assert out.endswith(told.format("could"))
    out = run("prune", "--keep", "1", "--also-waiting")[1]
    assert f"{said} deleted" in out
    assert out.endswith(told.format("can"))

    assert blobs_of(place) >= {b"first", b"second", b"b"}, "the newer session may be undone"
    assert b"before all" not in blobs_of(place)
    assert run("undo")[0] == 0
    assert tree(place) == {"a": "first"}


def test_prune_spares_landings_that_an_older_session_may_look_back_through(
    place: Workspace, run: Run
) -> None:
    begin(place, PLAN, land(place, "1", {"a": "old"}, session_id=OLD), session_id=OLD)
    landed = land(place, "1", {"b": "new"})
    begin(place, PLAN, landed, ev.StepSkipped("2"), session_id=NEW)
    later = "260109-000000-0000"
    begin(place, PLAN, session_id=later)

    pruned = json.loads(run("prune", "--keep", "0", "--older-than", "1m", "--json")[1])
    assert (pruned["sessions"], pruned["journals"]) == ([NEW], 0)
    assert pruned["landings"] == 1
    assert json.loads(run("prune", "--keep", "0", "--also-waiting", "--json")[1])["journals"] == 2


def test_prune_waits_for_no_landing_and_keeps_what_a_crash_cut_off(
    place: Workspace, run: Run
) -> None:
    landed = land(place, "1", {"a": "1"})
    begin(place, PLAN, landed, ev.StepSkipped("2"))
    (journal,) = place.state.glob("landings/*/*.jsonl")
    whole = journal.read_bytes()
    lock = journal.parent / "lock"
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert json.loads(run("prune", "--keep", "0", "--dry-run", "--json")[1])["journals"] == 0
    begun = whole.split(b"\n")[0] + b"\n"
    for left in (begun, b"broken\n", whole):
        journal.write_bytes(left)
        count = json.loads(run("prune", "--keep", "0", "--dry-run", "--json")[1])["journals"]
        assert count == (left == whole)


# --- undo --------------------------------------------------------------------


def test_undo_takes_back_the_last_landed_step_and_then_the_one_before(
    place: Workspace, run: Run
) -> None:
    (place.root / "a").write_text("0")
    begin(place, PLAN, land(place, "1", {"a": "1", "b": "1"}), land(place, "2", {"a": "2"}))

    code, out, _ = run("undo", "--dry-run")
    assert (code, out) == (0, "step 2 would be taken back, 1 file:\n  a\n")
    assert tree(place) == {"a": "2", "b": "1"}

    assert run("undo")[1] == "step 2 taken back, 1 file:\n  a\n"
    assert tree(place) == {"a": "1", "b": "1"}
    undone = json.loads(run("undo", "c0de", "--json")[1])["undone"]
    assert [(each["step_id"], each["paths"]) for each in undone] == [("1", ["a", "b"])]
    assert tree(place) == {"a": "0"}

    code, _, err = run("undo")
    assert (code, "nothing to undo" in err) == (2, True)
    folder = sessions_folder(place.state) / NEW
    kinds = [type(record.event).__name__ for record in read_log(folder)]
    assert kinds.count("LandingUndone") == 2


def test_a_whole_session_is_taken_back_or_nothing_of_it(place: Workspace, run: Run) -> None:
    begin(
        place,
        PLAN,
        land(place, "1", {"a": "1", "mine": "1"}),
        land(place, "2", {"a": "2", "c": "2"}),
    )
    (place.root / "mine").write_text("changed by hand")
    before = tree(place)

    for flags in (("--dry-run",), ()):
        code, out, err = run("undo", "--step", "all", *flags)
        assert (code, out) == (1, "")
        assert "mine: " in err
        assert "nothing was written" in err
        assert tree(place) == before
    assert json.loads(run("undo", "--step", "all", "--json")[1])["conflicts"][0]["path"] == "mine"

    (place.root / "mine").write_text("1")
    assert "step 1 would be" in run("undo", "--step", "all", "--dry-run")[1]
    assert run("undo", "--step", "all")[0] == 0
    assert tree(place) == {}


def test_one_step_is_taken_back_by_its_name(place: Workspace, run: Run) -> None:
    begin(place, PLAN, land(place, "1", {"a": "1"}), land(place, "2", {"b": "2"}))

    assert run("undo", "--step", "1")[0] == 0
    assert tree(place) == {"b": "2"}
    code, _, err = run("undo", "--step", "1")
    assert (code, "Step '1' has not landed; these have: 2" in err) == (2, True)


def test_a_step_given_for_a_session_is_told_how_it_is_named(place: Workspace, run: Run) -> None:
    begin(place, PLAN, land(place, "1", {"a": "1"}))

    code, _, err = run("undo", "1")
    assert code == 2
    assert "'1' is a step of the newest session here, and a session is expected there." in err
    assert "`turbo-tui session undo --step 1` takes it back." in err
    assert "session redo --step all` lands them again" in run("redo", "all")[2]
    assert "There is no session 's9'" in run("undo", "s9")[2]
    assert tree(place) == {"a": "1"}


def test_an_undo_that_a_crash_kept_from_the_log_is_not_done_twice(
    place: Workspace, run: Run
) -> None:
    first, second = land(place, "1", {"a": "1"}), land(place, "2", {"b": "2"})
    begin(place, PLAN, first, second)
    assert isinstance(second, ev.StepLanded)
    asyncio.run(place.lander.undo(second.landing))

    _, out, err = run("undo")
    assert out == "step 2 taken back, 1 file:\n  b\n"
    assert "an earlier undo of step 2 was done when a crash came" in err
    assert run("undo")[1] == "step 1 taken back, 1 file:\n  a\n"
    assert tree(place) == {}


LINES = [f"{n}\n" for n in range(9)]


def lines(**changed: str) -> str:
    return "".join(f"{changed[f'l{n}']}\n" if f"l{n}" in changed else LINES[n] for n in range(9))


def test_any_step_is_undone_and_redone_and_the_log_and_show_say_so(
    place: Workspace, run: Run
) -> None:
    (place.root / "a").write_text(lines())
    begin(
        place,
        PLAN,
        land(place, "1", {"a": lines(l1="one")}),
        land(place, "2", {"a": lines(l1="one", l7="two")}),
    )

    code, out, _ = run("undo", "--step", "1")
    assert (code, out) == (
        0,
        "step 1 taken back, 1 file:\n  a\n  note: a: merged with what changed since\n",
    )
    assert tree(place) == {"a": lines(l7="two")}
    assert "step 1  (undone)" in run("show")[1]
    assert run("undo")[1].startswith("step 2 taken back")
    assert run("redo", "--dry-run")[1] == "step 2 would be landed again, 1 file:\n  a\n"
    assert run("redo", "--step", "all")[0] == 0
    assert tree(place) == {"a": lines(l1="one", l7="two")}
    assert "step 2  (redone)" in run("show")[1]
    code, _, err = run("redo")
    assert (code, "nothing to redo" in err) == (2, True)
    run("undo", "--step", "2")
    code, _, err = run("redo", "--step", "1")
    assert (code, "Step '1' is not undone; these are: 2." in err) == (2, True)
    redone = json.loads(run("redo", "--json")[1])
    assert [each["step_id"] for each in redone["redone"]] == ["2"]
    kinds = [type(r.event).__name__ for r in read_log(sessions_folder(place.state) / NEW)]
    assert kinds.count("LandingRedone") == 3


def test_a_conflict_is_named_with_its_lines_and_all_its_sides(place: Workspace, run: Run) -> None:
    (place.root / "a").write_text(lines())
    begin(
        place,
        PLAN,
        land(place, "1", {"a": lines(l1="one"), "b": "b"}),
        land(place, "2", {"a": lines(l1="two")}),
    )
    before = tree(place)

    for flags in (("--dry-run",), ()):
        code, out, err = run("undo", "--step", "1", *flags)
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            (
                "turbo-tui: a: it was changed since step 1 landed where that step had changed it "
                "(line 2 as it is now)"
            ),
            "turbo-tui: nothing was written. Go on in one of these ways:",
            (
                "turbo-tui: first undo what clashes of later steps: "
                f"`turbo-tui session undo {NEW} --step 2`."
            ),
            "turbo-tui: by hand: make those lines as the step left them, then undo again.",
            (
                f"turbo-tui: in the app: `turbo-tui session resume {NEW}`, T, choose the step, u. "
                "At each place < keeps what stands there now, > takes what was there before the "
                "step; then a writes it."
            ),
        ]
        assert tree(place) == before
    (conflict,) = json.loads(run("undo", "--step", "1", "--json")[1])["conflicts"]
    assert conflict["lines"] == [2]
    sides = [place.blobs.get(conflict[side]).decode() for side in ("base", "ours", "theirs")]
    assert sides == [lines(l1="one"), lines(l1="two"), lines()]
    assert ">>>>>>> before step 1\n" in place.blobs.get(conflict["marked"]).decode()


def test_a_redo_of_all_is_whole_or_nothing(place: Workspace, run: Run) -> None:
    begin(place, PLAN, land(place, "1", {"a": "1"}), land(place, "2", {"b": "2"}))
    assert run("undo", "--step", "all")[0] == 0
    (place.root / "b").write_text("mine")

    code, _, err = run("redo", "--step", "all")

    assert (code, tree(place)) == (1, {"b": "mine"})
    assert "b: a file stands there that was not there when step 2 was undone" in err
    assert "make those lines as they were before the step, then redo again" in err
    assert "T, choose the step, r. At each place < keeps" in err
    assert "> takes what the step made; then a writes it." in err


def test_a_redo_that_rests_on_another_names_it(place: Workspace, run: Run) -> None:
    (place.root / "a").write_text(lines())
    begin(
        place,
        PLAN,
        land(place, "1", {"a": lines(l1="one")}),
        land(place, "2", {"a": lines(l1="two")}),
    )
    assert run("undo", "--step", "all")[0] == 0

    code, _, err = run("redo", "--step", "2")

    assert code == 1
    assert "first redo what clashes of earlier steps: `turbo-tui session redo " in err
    assert " --step 1`." in err
    assert json.loads(run("redo", "--step", "2", "--json")[1])["first"] == ["1"]


def test_an_undo_names_what_it_does_not_take_back(place: Workspace, run: Run) -> None:
    begin(
        place,
        PLAN,
        ev.CommandRequested("c", "1", ("git", "push", "\x1b[2J"), "all", ("network: all",)),
        ev.CommandFinished("c", 0, "exited", "", 0.1, network="all"),
        land(place, "1", {"a": "1"}),
    )

    out = run("undo", "--dry-run")[1]

    assert "note: not taken back: `git push" in out
    assert "they stay there" in out
    assert "\x1b" not in out


class CutOffError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("mine", [False, True])
def test_an_undo_that_a_crash_cut_off_is_finished_first_and_strangers_are_named(
    place: Workspace, run: Run, *, mine: bool
) -> None:
    from turbo_tui.landing import JournalLander

    first = land(place, "1", {"a": "1", "b": "1", "c": "1"})
    begin(place, PLAN, first)
    assert isinstance(first, ev.StepLanded)

    def die(step: str) -> None:
        if step == "operation 1":
            raise CutOffError

    with pytest.raises(CutOffError):
        asyncio.run(
            JournalLander(place.root, place.state, place.blobs, checkpoint=die).undo(first.landing)
        )
    if mine:
        (place.root / "b").write_text("mine")

    code, _, err = run("undo")

    kinds = [type(r.event).__name__ for r in read_log(sessions_folder(place.state) / NEW)]
    assert kinds.count("LandingUndone") == 1
    if mine:
        assert (code, tree(place)) == (5, {"b": "mine"})
        assert "The undo of step 1, cut off by a crash, was completed just now" in err
        assert "left alone, because someone else changed them meanwhile: b." in err
    else:
        assert (code, tree(place)) == (0, {})
        assert "the undo of step 1, cut off by a crash, was completed just now (3 files)" in err


def test_an_undo_that_the_disk_refuses_midway_is_put_back(
    place: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turbo_tui.landing import JournalLander

    first, second = land(place, "1", {"a": "1"}), land(place, "2", {"b": "2"})
    begin(place, PLAN, first, second)
    assert isinstance(first, ev.StepLanded)
    refused = first.landing
    undo = JournalLander.undo

    async def refusing(self: JournalLander, landing_id: str, *, dry_run: bool = False) -> Landing:
        if landing_id == refused:
            raise LandingError("the disk is full")
        return await undo(self, landing_id, dry_run=dry_run)

    monkeypatch.setattr(JournalLander, "undo", refusing)

    code, _, err = run("undo", "--step", "all")

    assert (code, "the disk is full" in err) == (5, True)
    assert tree(place) == {"a": "1", "b": "2"}


def test_what_cannot_be_put_back_after_all_is_named(
    place: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turbo_tui.landing import JournalLander

    first, second = land(place, "1", {"a": "1"}), land(place, "2", {"b": "2"})
    begin(place, PLAN, first, second)
    assert isinstance(first, ev.StepLanded)
    refused = first.landing
    undo = JournalLander.undo

    async def refusing(self: JournalLander, landing_id: str, *, dry_run: bool = False) -> Landing:
        if landing_id == refused and not dry_run:
            (place.root / "b").write_text("mine")
            raise LandingError("the disk is full")
        return await undo(self, landing_id, dry_run=dry_run)

    monkeypatch.setattr(JournalLander, "undo", refusing)

    code, _, err = run("undo", "--step", "all")

    assert (code, tree(place)) == (5, {"a": "1", "b": "mine"})
    assert "the disk is full step 2 stayed taken back, because it could not be put back: b: " in err
    assert "step 2 was taken back, step 1 still stands" in run("show")[1]


def test_every_subcommand_is_named_in_the_help(place: Workspace, run: Run) -> None:
    assert place.root.exists()
    code, out, _ = run("--help")

    assert code == 0
    for name in ("list", "show", "resume", "undo", "redo", "verify", "repair", "prune"):
        assert f"\n  {name} " in out
    assert run("undo", "--help")[0] == 0
    assert run("redo", "--help")[0] == 0


def test_show_names_what_was_edited_and_said_in_the_review(place: Workspace, run: Run) -> None:
    begin(
        place,
        PLAN,
        ev.HunkEdited("1", "ab", "a.py", 1, "cd"),
        ev.ContentEdited("1", "ab", "b.py", "ef"),
        ev.LineCommented("1", "ab", "a.py", 7, "new", "why\nso?"),
        ev.LineCommented("1", "ab", "a.py", 9, "new", "gone"),
        ev.LineCommented("1", "ab", "a.py", 9, "new", ""),
    )

    _, out, _ = run("show")

    assert "  edited a.py hunk 2, b.py\n" in out
    assert "  a.py:7: why so?\n" in out
    assert "gone" not in out


@pytest.mark.parametrize("git", ["a repository", "a broken one", "none"])
def test_an_undo_is_a_checkpoint_too_where_that_is_asked_for(
    place: Workspace, run: Run, git: str
) -> None:
    if git == "a broken one":
        (place.root / ".git").mkdir()
    elif git == "a repository":
        subprocess.run(["git", "init", "-q", place.root], check=True)
    config = place.paths.config_file
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[landing]\ncheckpoints = true\n")
    begin(place, PLAN, land(place, "1", {"a": "1"}))

    assert run("undo")[0] == 0
    assert run("redo")[0] == 0

    log = ("git", "-C", str(place.root), "log", "--format=%s", f"refs/turbo-tui/{NEW}")
    said = subprocess.run(log, capture_output=True, text=True, check=False).stdout.splitlines()
    events = [r.event for r in read_log(sessions_folder(place.state) / NEW)]
    noted = [each.text for each in events if isinstance(each, ev.Noted)]
    kept = ["redo of step 1", "undo of step 1"] if git == "a repository" else []
    assert said == kept
    assert len(noted) == (2 if git == "a broken one" else 0), "without git nothing is to be said"
    assert all("not a git repository" in each for each in noted)
    assert (place.root / "a").read_text() == "1"
