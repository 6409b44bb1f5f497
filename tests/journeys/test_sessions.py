"""Sessions through the real program: any altered byte, any kill, any neighbour."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.journeys.plans import plan_file, run_steps, shell, wait_for_file
from tests.journeys.turbo import PATIENCE_S, Turbo, differences, until, whole_tree

SEED = 20_260_101


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    (workspace / "a.txt").write_text("one\ntwo\nthree\n")
    return Turbo(home, workspace)


def session_folder(turbo: Turbo) -> Path:
    (folder,) = (turbo.state / "sessions").iterdir()
    return folder


# --- verify and repair ---------------------------------------------------------


@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.prove)])
def test_verify_finds_any_altered_byte(turbo: Turbo, count: int) -> None:
    assert run_steps(turbo, [shell("echo more >> a.txt")]).code == 0
    folder = session_folder(turbo)
    whole = turbo("session", "verify")
    assert (whole.code, "every byte" in whole.out) == (0, True)
    files = [path for path in sorted(folder.iterdir()) if path.name != "lock"]
    assert {path.name for path in files} == {"log.db", "log.head"}
    places = random.Random(SEED)  # noqa: S311  seeded, to be repeated
    for number in range(count):
        file = files[number % len(files)]
        content = file.read_bytes()
        at, bit = places.randrange(len(content)), 1 << places.randrange(8)
        file.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
        newest = turbo("session", "verify")
        found = turbo("session", "verify", folder.name, "--json")
        file.write_bytes(content)
        assert found.code == 5, f"{file.name}, byte {at}, bit {bit}: {found.out}"
        assert json.loads(found.out)["ok"] is False
        assert folder.name in found.err
        assert newest.code == 5  # found without its id, or not found as the workspace's own
    assert turbo("session", "verify").code == 0


def test_a_broken_log_is_repaired_up_to_where_it_is_whole(turbo: Turbo) -> None:
    assert run_steps(turbo, [shell("echo more >> a.txt")]).code == 0
    folder = session_folder(turbo)
    log = folder / "log.db"
    content = log.read_bytes()
    log.write_bytes(content.replace(b'"exit code 0"', b'"exit code 1"'))
    assert log.read_bytes() != content

    for refused in (("verify",), ("resume", "--json")):
        ended = turbo("session", *refused)
        assert ended.code == 5
        assert f"session repair {folder.name} --keep" in ended.err
    keep = ended.err.rsplit("--keep ", 1)[1].split()[0].rstrip("`.")
    repaired = turbo("session", "repair", folder.name, "--keep", keep, "--json")

    assert repaired.code == 0, repaired.err
    assert json.loads(repaired.out)["records"] == int(keep)
    assert turbo("session", "verify", folder.name).code == 0
    shown = json.loads(turbo("session", "show", folder.name, "--json").out)
    assert shown["records"] == int(keep)
    # What landed is not forgotten with the log: the journal knows it.
    assert (turbo.workspace / "a.txt").read_text() == "one\ntwo\nthree\nmore\n"


# --- list, show, prune, undo -----------------------------------------------------


def test_sessions_are_listed_shown_undone_and_pruned(turbo: Turbo) -> None:
    before = whole_tree(turbo.workspace)
    steps = [[shell(f"echo {n} >> a.txt; echo {n} > {n}.txt")] for n in ("x", "y", "z")]
    assert run_steps(turbo, *steps).code == 0
    session_id = session_folder(turbo).name

    listed = json.loads(turbo("session", "list", "--json").out)["sessions"]
    assert [(each["session_id"], each["status"]) for each in listed] == [(session_id, "done")]
    (turbo.home / "other").mkdir()
    elsewhere = turbo("session", "list", "--json", "-C", str(turbo.home / "other"))
    assert json.loads(elsewhere.out)["sessions"] == []
    shown = json.loads(turbo("session", "show", "--json", "--log").out)
    assert [step["status"] for step in shown["steps"]] == ["landed"] * 3
    assert shown["landings"][0]["paths"] == ["a.txt", "x.txt"]

    landed = whole_tree(turbo.workspace)
    rehearsed = json.loads(turbo("session", "undo", "--step", "all", "--dry-run", "--json").out)
    assert [each["step_id"] for each in rehearsed["undone"]] == ["s3", "s2", "s1"]
    assert whole_tree(turbo.workspace) == landed
    assert turbo("session", "undo").code == 0
    assert not (turbo.workspace / "z.txt").exists()
    assert (turbo.workspace / "a.txt").read_text() == "one\ntwo\nthree\nx\ny\n"
    assert turbo("session", "undo", "--step", "s9").code == 2
    assert turbo("session", "undo", "--step", "all").code == 0
    assert not differences(before, whole_tree(turbo.workspace))
    assert turbo("session", "undo").code == 2

    assert turbo("session", "prune").code == 2
    planned = json.loads(turbo("session", "prune", "--keep", "0", "--dry-run", "--json").out)
    assert planned["sessions"] == [session_id]
    assert turbo("session", "show", session_id).code == 0
    assert turbo("session", "prune", "--keep", "0").code == 0
    assert json.loads(turbo("session", "list", "--json").out)["sessions"] == []
    assert turbo("session", "show", session_id).code == 5
    assert not list((turbo.state / "stages").iterdir())


def test_an_undo_that_would_lose_a_change_exits_1_and_writes_nothing(turbo: Turbo) -> None:
    steps = [[shell("sed -i s/two/2/ a.txt; echo b > b.txt")], [shell("echo c > c.txt")]]
    assert run_steps(turbo, *steps).code == 0
    (turbo.workspace / "a.txt").write_text("one\nTWO\nthree\n")
    before = whole_tree(turbo.workspace)

    for words in (("--step", "s1"), ("--step", "all"), ("--step", "s1", "--dry-run")):
        undone = turbo("session", "undo", *words)
        assert undone.code == 1, undone.out
        assert "a.txt" in undone.err
        assert not differences(before, whole_tree(turbo.workspace))
    assert turbo("session", "undo").code == 0  # the last step stands by itself
    assert not (turbo.workspace / "c.txt").exists()
    assert (turbo.workspace / "b.txt").exists()


# --- neighbours ------------------------------------------------------------------


def test_a_session_that_is_open_elsewhere_is_refused_by_pid(turbo: Turbo) -> None:
    plan = str(plan_file(turbo, [shell("echo x > x.txt; sleep 300")]))
    running = turbo.start("run", "--plan", plan, "--json")
    try:
        until(running, "CommandRequested")
        wait_for_file(turbo.state / "stages", "x.txt")
        refused = turbo("session", "resume", "--continue", "--json")
        undone = turbo("session", "undo")
        listed = turbo("session", "list", "--json")
        shown = turbo("session", "show", "--json")
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(PATIENCE_S)

    assert (refused.code, undone.code) == (5, 5)
    assert f"is open in process {running.pid}" in refused.err
    assert f"is open in process {running.pid}" in undone.err
    assert (listed.code, shown.code) == (0, 0)
    assert running.returncode == 130
    resumed = turbo("session", "resume", "--json")
    assert resumed.code == 130
    assert resumed.last("StepInterrupted")["paths"] == ["x.txt"]


def test_two_sessions_land_on_one_workspace_at_the_same_time(turbo: Turbo) -> None:
    (turbo.home / "other").mkdir()
    plans: list[str] = []
    for name in ("left", "right"):
        steps = [[shell(f"echo {n} > {name}{n}.txt")] for n in range(4)]
        plans.append(str(plan_file(turbo, *steps).rename(turbo.home / f"{name}.json")))

    runs = [turbo.start("run", "--plan", plan, "--approve", "staged", "--json") for plan in plans]
    for each in runs:
        each.communicate(timeout=PATIENCE_S)

    assert [each.returncode for each in runs] == [0, 0]
    made = {f"{name}{n}.txt" for name in ("left", "right") for n in range(4)}
    assert {path.name for path in turbo.workspace.iterdir()} == {"a.txt", *made}
    assert turbo("session", "verify", "--all").code == 0


# --- resume ----------------------------------------------------------------------


def test_a_step_that_goes_on_repeats_no_command_that_had_ended(turbo: Turbo) -> None:
    gate = "test -e gate.txt || { echo 1 > gate.txt; sleep 300; }"
    steps = [[shell("echo once >> once.txt"), shell(gate)], [shell("echo last > last.txt")]]
    plan = str(plan_file(turbo, *steps))
    running = turbo.start("run", "--plan", plan, "--approve", "staged", "--json")
    until(running, "CommandRequested")
    wait_for_file(turbo.state / "stages", "gate.txt")
    running.kill()
    running.communicate(timeout=PATIENCE_S)
    assert turbo("session", "resume", "--continue", "--restart").code == 2

    plain = turbo("session", "resume", "--approve", "staged", "--json")
    assert plain.code == 130  # nothing runs by itself
    assert {path.name for path in turbo.workspace.iterdir()} == {"a.txt"}
    resumed = turbo("session", "resume", "--continue", "--approve", "staged", "--json")

    assert resumed.code == 0, resumed.out + resumed.err
    made = {path.name for path in turbo.workspace.iterdir()}
    assert made == {"a.txt", "once.txt", "gate.txt", "last.txt"}
    assert (turbo.workspace / "once.txt").read_text() == "once\n"
    nothing_twice(turbo)
    assert turbo("session", "resume", "--continue").code == 2  # nothing is interrupted any more


def test_restarting_a_step_forgets_its_first_attempt(turbo: Turbo) -> None:
    command = 'test -e /dev/shm/x; echo "$RANDOM" > roll.txt; test -e stop.txt || sleep 300'
    plan = str(plan_file(turbo, [shell(command)]))
    running = turbo.start("run", "--plan", plan, "--approve", "staged", "--json")
    until(running, "CommandRequested")
    wait_for_file(turbo.state / "stages", "roll.txt")
    running.kill()
    running.communicate(timeout=PATIENCE_S)
    (turbo.workspace / "stop.txt").write_text("the user lets it end\n")

    resumed = turbo("session", "resume", "--restart", "--approve", "staged", "--json")

    assert resumed.code == 0, resumed.out + resumed.err
    assert [each["attempt"] for each in resumed.events if each["kind"] == "StepStarted"] == [1, 2]
    assert {path.name for path in turbo.workspace.iterdir()} == {"a.txt", "roll.txt", "stop.txt"}
    assert not list((turbo.state / "stages").iterdir())


def test_a_stage_that_a_crash_left_before_its_step_began_is_no_obstacle(turbo: Turbo) -> None:
    plan = str(plan_file(turbo, [shell("echo done > done.txt")]))
    assert turbo("run", "--plan", plan, "--json").code == 3
    session_id = session_folder(turbo).name
    assert turbo("session", "repair", session_id, "--keep", "3").code == 0
    assert [path.name for path in (turbo.state / "stages").iterdir()] == [f"{session_id}-s1-1"]

    resumed = turbo("session", "resume", "--approve", "staged", "--json")

    assert resumed.code == 0, resumed.out + resumed.err
    assert (turbo.workspace / "done.txt").read_text() == "done\n"


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.prove)])
def test_a_run_killed_anywhere_ends_as_if_it_had_not_been(tmp_path: Path, kills: int) -> None:
    steps = [
        [shell("echo 1 >> a.txt; echo new > b.txt; chmod +x b.txt; rm gone.txt")],
        [shell("sed -i s/one/ONE/ a.txt; mkdir -p d; mv b.txt d/b.txt"), shell("echo 2 >> a.txt")],
        [shell("echo 3 >> a.txt; ln -s a.txt link; echo last > d/last.txt")],
    ]
    undisturbed = fresh(tmp_path / "undisturbed")
    began = time.monotonic()
    assert run_steps(undisturbed, *steps).code == 0
    length = time.monotonic() - began
    wanted = whole_tree(undisturbed.workspace)
    moments = random.Random(SEED + kills)  # noqa: S311  seeded, to be repeated
    for number in range(kills):
        turbo = fresh(tmp_path / f"kill{number}")
        plan = str(plan_file(turbo, *steps))
        running = turbo.start("run", "--plan", plan, "--approve", "staged", "--json")
        at = moments.uniform(0.25, 1.0) * length
        try:
            running.wait(at)
        except subprocess.TimeoutExpired:
            running.kill()
        running.communicate(timeout=PATIENCE_S)

        taken_up(turbo, plan)

        assert not differences(wanted, whole_tree(turbo.workspace)), f"killed after {at:.3f} s"
        assert turbo("session", "verify", "--all").code == 0
        nothing_twice(turbo)
        assert not list((turbo.state / "stages").iterdir())
        shutil.rmtree(turbo.home.parent)


def fresh(place: Path) -> Turbo:
    turbo = Turbo(place / "home", place / "work")
    turbo.home.mkdir(parents=True)
    turbo.workspace.mkdir()
    (turbo.workspace / "a.txt").write_text("one\n")
    (turbo.workspace / "gone.txt").write_text("gone\n")
    return turbo


def taken_up(turbo: Turbo, plan: str) -> None:
    """Do what a user would after a crash, until the session is done."""
    for _ in range(4):
        listed = json.loads(turbo("session", "list", "--json").out)["sessions"]
        status = listed[0]["status"] if listed else "empty"
        if status == "done":
            return
        # Landings and approvals are settled by looking; then a step may be left in the middle.
        looked = turbo("session", "resume", "--approve", "staged", "--json")
        if all(event["kind"] != "PlanProposed" for event in looked.events):
            # Killed before the plan was on disk, its task may be.
            assert turbo("run", "--plan", plan, "--approve", "staged", "--json").code == 0
            return
        assert looked.code in {0, 130}, looked.out + looked.err
        if looked.code == 130:
            word = "--restart" if in_the_middle(looked.events) else "--continue"
            ended = turbo("session", "resume", word, "--approve", "staged", "--json")
            assert ended.code == 0, ended.out + ended.err
    raise AssertionError("never done")


def in_the_middle(events: list[dict[str, object]]) -> bool:
    """Tell whether the last command was cut off: what it did by then cannot be done over."""
    begun = [event["command_id"] for event in events if event["kind"] == "CommandRequested"]
    ended = {event["command_id"] for event in events if event["kind"] == "CommandFinished"}
    return bool(begun) and begun[-1] not in ended


def nothing_twice(turbo: Turbo) -> None:
    """Hold that no command ran again in the stage in which it had completed."""
    for folder in (turbo.state / "sessions").iterdir():
        stage: object = ""
        argv: dict[object, object] = {}
        completed: list[object] = []
        for event in turbo("session", "resume", folder.name, "--json").events:
            if event["kind"] == "StepStarted":
                stage = event["stage_id"]
            if event["kind"] == "CommandRequested":
                argv[event["command_id"]] = (stage, str(event["argv"]))
                assert argv[event["command_id"]] not in completed
            if event["kind"] == "CommandFinished" and event["ended"] == "exited":
                completed.append(argv[event["command_id"]])
