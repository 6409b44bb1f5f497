"""Steps that run while the user still reviews the ones before: real stages, a real terminal."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from tests.journeys.plans import Action, plan_file, run_steps, shell, wait_for_file
from tests.journeys.screen import Screen
from tests.journeys.turbo import PATIENCE_S, Turbo, until

SIZES = [(120, 40), (80, 24)]
LINES = "".join(f"line {n}\n" for n in range(1, 61))
ENDS = shell("sed -i 's/^line 3$/line three/; s/^line 50$/line fifty/' notes.txt")
MIDDLE = shell("sed -i 's/^line 25$/chapter 2/' notes.txt; grep -c three notes.txt > seen.txt")
FOR_LONG = shell("echo begun > begun.txt; sleep 600")


@pytest.fixture(params=["auto", "copy+bubblewrap"])
def turbo(tmp_path: Path, request: pytest.FixtureRequest) -> Turbo:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    (workspace / "notes.txt").write_text(LINES)
    user = Turbo(home, workspace)
    user.configure(f'[sandbox]\nrung = "{request.param}"\n')
    return user


def proposed(turbo: Turbo, *steps: Sequence[Action]) -> None:
    """Leave a session whose plan has not run yet."""
    plan = str(plan_file(turbo, *steps))
    turbo.more_env["DRY_RUN"] = "1"
    assert turbo("run", "--plan", plan).code == 3
    del turbo.more_env["DRY_RUN"]


def go(screen: Screen) -> None:
    screen.wait_for("i Task")
    screen.answer("g", "The plan has 3 steps")


def quit_with(screen: Screen) -> None:
    screen.press("ctrl+q")
    assert screen.wait_until_ended() == 0


def to_first_review(screen: Screen) -> None:
    go(screen)
    screen.wait_for("step s3 runs ahead on s1, s2", "Step s1 (step 1) wants to land 1 file")


def stages_of(turbo: Turbo) -> list[str]:
    return sorted(each[-4:] for each in os.listdir(turbo.state / "stages"))  # noqa: PTH208  names


@pytest.mark.parametrize("size", SIZES)
def test_a_step_is_approved_in_part_while_a_later_one_runs(
    turbo: Turbo, size: tuple[int, int]
) -> None:
    proposed(turbo, [ENDS], [MIDDLE], [FOR_LONG])
    with Screen(turbo, "session", "resume", size=size) as screen:
        to_first_review(screen)
        screen.press("2")
        screen.wait_for("n Hunk")
        screen.wait_for("[x] hunk 1/2")
        screen.answer("space", "Step s1 (step 1) wants to land", opens="[ ] left out  hunk 1/2")
        screen.answer("a", "Step s1 (step 1) wants to land")

        screen.wait_for("Step s2 (step 2) wants to land 2 files", "step s3 runs ahead on s2")
        screen.wait_for("Made on step s1 as it was before you left out 1 hunk")
        notes = (turbo.workspace / "notes.txt").read_text()
        assert "line fifty" in notes
        assert "line three" not in notes
        assert not (turbo.workspace / "seen.txt").exists()

        screen.answer("a", "Step s2 (step 2) wants to land", opens="Both changes merge")
        screen.wait_for("runs ahead on s2")
        screen.answer("a", "Both changes merge")
        screen.wait_for("running s3")
        quit_with(screen)

    expected = LINES.replace("line 50\n", "line fifty\n").replace("line 25\n", "chapter 2\n")
    assert (turbo.workspace / "notes.txt").read_text() == expected
    assert (turbo.workspace / "seen.txt").read_text() == "1\n", "it ran on what step 1 had made"
    assert not (turbo.workspace / "begun.txt").exists()


@pytest.mark.parametrize("size", SIZES)
def test_a_step_is_rejected_while_one_made_on_it_runs(turbo: Turbo, size: tuple[int, int]) -> None:
    proposed(turbo, [ENDS], [MIDDLE], [FOR_LONG])
    with Screen(turbo, "session", "resume", size=size) as screen:
        to_first_review(screen)
        screen.press("1")
        screen.wait_for("to review · made on s1")
        screen.press("down")
        screen.wait_for("Made on top of step s1", "v review step s1")
        assert "a land it" not in screen.text
        screen.answer("r", "Made on top of step s1", opens="Reject step s2")
        screen.wait_for("Made on top of it, and run again afterwards: s3")
        screen.press("enter")
        screen.wait_while("runs ahead")
        screen.press("1")
        screen.wait_for("set back: step s2", "Step s1 (step 1) wants to land 1 file")
        assert stages_of(turbo) == ["s1-1"]
        quit_with(screen)

    assert (turbo.workspace / "notes.txt").read_text() == LINES


def test_headless_runs_ahead_and_leaves_every_review_waiting(turbo: Turbo) -> None:
    ended = run_steps(turbo, [ENDS], [MIDDLE], [shell("cat seen.txt")], approve="none")

    assert ended.code == 3
    finished = ended.last("RunFinished")
    assert finished["reason"] == "steps s1, s2 wait for their review"
    assert finished["steps"] == [
        {"id": "s1", "title": "step 1", "status": "staged"},
        {"id": "s2", "title": "step 2", "status": "staged"},
        {"id": "s3", "title": "step 3", "status": "done"},
    ]
    assert (turbo.workspace / "notes.txt").read_text() == LINES

    resumed = turbo("session", "resume", "--approve", "staged", "--json")
    assert resumed.code == 0, resumed.err
    assert (turbo.workspace / "seen.txt").read_text() == "1\n"
    assert stages_of(turbo) == []


def test_what_a_step_installs_is_found_by_later_ones_and_pruned_with_the_session(
    turbo: Turbo,
) -> None:
    subprocess.run(("git", "init", "-q", str(turbo.workspace)), check=True)
    (turbo.workspace / ".gitignore").write_text("deps/\n")
    install = shell("mkdir deps; echo lib > deps/lib.txt; echo locked > deps.lock")
    ended = run_steps(turbo, [install], [shell("cat deps/lib.txt > copy.txt")])

    assert ended.code == 0, ended.out
    assert (turbo.workspace / "copy.txt").read_text() == "lib\n"
    assert not (turbo.workspace / "deps").exists()
    assert stages_of(turbo) == ["s1-1"]

    assert turbo("session", "prune", "--keep", "0").code == 0
    assert stages_of(turbo) == []


def test_a_run_killed_while_a_step_is_ahead_lands_in_order_and_keeps_its_work(
    turbo: Turbo,
) -> None:
    plan = plan_file(turbo, [ENDS], [MIDDLE], [FOR_LONG])
    process = turbo.start("run", "--plan", str(plan), "--approve", "none", "--json")
    for _ in range(3):
        until(process, "StepStarted")
    wait_for_file(turbo.state / "stages", "begun.txt")
    process.kill()
    process.wait(PATIENCE_S)

    resumed = turbo("session", "resume", "--approve", "staged", "--json")

    assert resumed.code == 130, resumed.err
    steps = cast("list[dict[str, str]]", resumed.last("RunFinished")["steps"])
    assert [step["status"] for step in steps] == ["landed", "landed", "interrupted"]
    assert "chapter 2" in (turbo.workspace / "notes.txt").read_text()
    assert resumed.last("StepInterrupted")["paths"] == ["begun.txt"]

    shown = turbo("session", "show", "--json")
    assert json.loads(shown.out)["status"] == "interrupted"
    assert turbo("session", "undo", "--step", "all").code == 0
    assert (turbo.workspace / "notes.txt").read_text() == LINES
    assert turbo("session", "prune", "--keep", "0", "--also-waiting").code == 0
    assert stages_of(turbo) == []
