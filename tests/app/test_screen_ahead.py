"""Reviewing on screen while later steps run on top of what is reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.screen_kit import BIG, SMALL, Seat, seated
from tests.app.session_kit import Doing, Stand, edit_two_places, hang
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.session import Session
from turbo_tui.engine.approval import Asks

PLAN = Plan(
    "greet by name",
    "gpt-oss:120b",
    (
        Step("s1", "Add a name"),
        Step("s2", "Write it down"),
        Step("s3", "Try it for long"),
        Step("s4", "Say goodbye"),
    ),
)


async def write_down(stage: Stage, session: Session, asks: Asks) -> str:
    del session, asks
    stage.files.write("more.md", b"more\n")
    return "wrote it down"


DOINGS: dict[str, Doing] = {"s1": edit_two_places, "s2": write_down, "s3": hang}


async def to_review(seat: Seat) -> None:
    await seat.task()
    await seat.card("The plan has 4 steps")
    await seat.press("g")
    await seat.card("Step s1 (Add a name) wants to land 2 files")
    await seat.sees("step s3 runs ahead on s1, s2")


def stand_on(folder: Path) -> Stand:
    return Stand(folder, DOINGS, answer=PLAN, ahead=2)


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_the_first_step_is_reviewed_while_the_third_runs(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = stand_on(tmp_path)
    async with seated(stand, size) as seat:
        await to_review(seat)
        plan = " ".join(seat.rows("plan").split())
        assert "s2 ◆ Write it down ask to review · made on s1" in plan
        assert "running on s1, s2" in plan

        await seat.press("2", "n", "space")
        await seat.until(lambda: "[ ] left out  hunk 2/2" in seat.rows("diff"))
        await seat.press("a")
        await seat.card("Step s2 (Write it down) wants to land 1 file")
        await seat.sees("step s3 runs ahead on s2")

        assert "line 31\n" in (stand.root / "api.py").read_text()
        assert "Made on step s1 as it was before you left out 1 hunk; landing merges" in (
            seat.bar_text
        )
        assert "before you left out 1 hunk" in " ".join(seat.rows("plan").split())
        await seat.press("a")
        await seat.sees("running s3")
        assert (stand.root / "more.md").exists()
        await seat.app.close_session()


async def test_a_step_made_on_another_leads_to_that_one_first(tmp_path: Path) -> None:
    stand = stand_on(tmp_path)
    async with seated(stand) as seat:
        await to_review(seat)
        await seat.press("1", "down")
        await seat.card("Made on top of step s1: it can land once that is decided")
        assert "a land it" not in seat.bar_text
        await seat.press("a")
        assert stand.run.views.timeline.landings == []

        await seat.press("v")
        await seat.card("Step s1 (Add a name) wants to land 2 files")
        await seat.press("1", "down", "down")
        await seat.card("Step s3 (Try it for long) is running, ahead on s1, s2.")
        assert "Steps s1, s2 wait for your review meanwhile." in seat.bar_text
        await seat.press("v")
        await seat.card("Step s1 (Add a name) wants to land 2 files")
        await seat.app.close_session()


async def test_rejecting_says_what_runs_again_and_sets_it_back(tmp_path: Path) -> None:
    stand = stand_on(tmp_path)
    async with seated(stand) as seat:
        await to_review(seat)
        await seat.press("r")
        await seat.sees("Made on top of it, and run again afterwards: s2, s3.")
        await seat.press("enter")
        await seat.card("was rejected")

        plan = " ".join(seat.rows("plan").split())
        assert plan.count("set back: step s1, which it was made on, was rejected") == 2
        assert list(stand.root.iterdir()) == [stand.root / "api.py"]


async def test_skipping_a_step_below_tells_what_runs_again(tmp_path: Path) -> None:
    stand = stand_on(tmp_path)
    async with seated(stand) as seat:
        await to_review(seat)
        await seat.press("s")
        await seat.sees("Made on top of step s1, and run again: s2, s3.")
        await seat.card("Step s2 (Write it down) wants to land 1 file")
        assert [state.status for state in stand.run.views.plan.steps][:2] == ["skipped", "staged"]
        await seat.app.close_session()


async def test_planning_anew_asks_before_it_drops_what_waits(tmp_path: Path) -> None:
    stand = stand_on(tmp_path)
    async with seated(stand) as seat:
        await to_review(seat)
        await seat.press("ctrl+c")
        await seat.until(lambda: not stand.run.busy)
        await seat.press("1", "down", "down")
        await seat.card("Step s3 (Try it for long) was cut off")
        await seat.press("R")
        await seat.sees("Not decided yet: s1, s2, s3.")
        await seat.guard()
        await seat.press("n")
        assert len(stand.planner.asked) == 1

        await seat.press("R")
        await seat.sees("Not decided yet: s1, s2, s3.")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: len(stand.planner.asked) == 2)
        await seat.until(lambda: not stand.run.busy)
        assert {state.status for state in stand.run.views.plan.steps} == {"proposed"}
