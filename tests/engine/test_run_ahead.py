"""Steps that run on top of others still waiting for their review."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.test_run import CannedPlanner, House, WritingRunner, build
from tests.fakes import MemoryBlobs
from tests.session_fakes import FolderLander
from turbo_tui.core import events as ev
from turbo_tui.core.errors import UsageError
from turbo_tui.core.landings import Recovery
from turbo_tui.core.plan import Action, Plan, Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import StepState, Views
from turbo_tui.core.views.ground import unlanded_below
from turbo_tui.engine.resuming import recover
from turbo_tui.engine.stepping import StepResult


class CutOffLander(FolderLander):
    """The journal held a landing whose log entry a crash prevented."""

    def __init__(self, workspace: Path, blobs: MemoryBlobs, state: StepState) -> None:
        super().__init__(workspace, blobs)
        self._state = state

    async def recover(self) -> tuple[Recovery, ...]:
        return (Recovery("cut-off", "7f3a", self._state.step.id, "completed", self._state.paths),)


STEPS = tuple(Step(f"s{n}", f"title {n}") for n in range(1, 6))
PLAN = Plan("five files", "canned", STEPS)
LINES = [f"line {n}\n" for n in range(60)]


class SharedRunner(WritingRunner):
    """Each step writes its own file and adds a line at each end of a shared one."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        if stage.files.entry("shared.txt") is not None:
            text = stage.files.read("shared.txt").decode()
            stage.files.write("shared.txt", f"{step.id}\n{text}{step.id}\n".encode())
        return await super().run(step, stage, feedback=feedback, history=history)


def house_of(
    folder: Path, *, ahead: int = 2, plan: Plan = PLAN, runner: WritingRunner | None = None
) -> House:
    return build(
        folder / "ws", planner=CannedPlanner(plan), runner=runner or SharedRunner(), ahead=ahead
    )


async def gone(house: House) -> House:
    house.run.give_task("five files")
    await house.run.idle()
    house.run.go()
    return house


async def settled(house: House) -> House:
    await gone(house)
    await house.run.idle()
    return house


def at(house: House, step_id: str) -> StepState:
    state = house.run.views.plan.state(step_id)
    assert state is not None
    return state


def stages_of(house: House) -> set[str]:
    folder = house.workspace.parent / "stages"
    return {each.name for each in folder.iterdir()} if folder.exists() else set()


async def until(house: House, holds: Callable[[], bool]) -> None:
    told = asyncio.Event()
    leave = house.run.session.subscribe(lambda _: told.set())
    async with asyncio.timeout(10):
        while not holds():
            told.clear()
            await told.wait()
    leave()


async def until_running(house: House, step_id: str) -> None:
    await until(house, lambda: at(house, step_id).status == "running")


async def test_so_many_steps_run_ahead_as_the_setting_says(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))

    assert [state.status for state in house.run.views.plan.steps] == [
        *("staged", "staged", "staged"),
        *("proposed", "proposed"),
    ]
    assert at(house, "s3").on == (at(house, "s1").stage_id, at(house, "s2").stage_id)
    assert list(house.workspace.iterdir()) == []

    house.run.approve("s1")
    await house.run.idle()

    assert at(house, "s4").status == "staged"
    assert at(house, "s5").status == "proposed"


async def test_with_no_steps_ahead_each_waits_for_the_review_before(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path, ahead=0))

    assert at(house, "s1").status == "staged"
    assert at(house, "s2").status == "proposed"


async def test_a_step_ahead_sees_what_those_below_it_did_and_only_adds_its_own(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path)
    (house.workspace / "shared.txt").write_text("mine\n")
    await settled(house)

    second = {change.path: change for change in house.run.change_set("s2").files}
    assert set(second) == {"s2.txt", "shared.txt"}
    assert house.run.review.content(second["shared.txt"].after) == b"s2\ns1\nmine\ns1\ns2\n"
    for step in ("s1", "s2", "s3"):
        house.run.approve(step)
        await house.run.idle()
    assert (house.workspace / "shared.txt").read_text() == "s3\ns2\ns1\nmine\ns1\ns2\ns3\n"


async def test_a_step_lands_while_another_runs_and_keeps_running(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.runner.hang.add("s3")
    await gone(house)
    await until_running(house, "s3")

    house.run.approve("s1")
    await until(house, lambda: at(house, "s1").status == "landed")

    assert at(house, "s3").status == "running"
    assert at(house, "s2").status == "staged"
    assert (house.workspace / "s1.txt").exists()
    assert house.runner.ran == [("s1", ""), ("s2", ""), ("s3", "")]
    await house.run.cancel()
    assert at(house, "s3").status == "interrupted"


async def test_no_step_lands_before_those_it_was_made_on(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))

    with pytest.raises(UsageError, match="Step s2 was made on top of step s1; review step s1"):
        house.run.approve("s2")

    house.run.skip("s1")
    await house.run.idle()
    assert at(house, "s2").status == "staged", "set back, and run again on the bare tree"
    assert at(house, "s2").on == ()
    house.run.approve("s2")
    await house.run.idle()
    assert at(house, "s2").status == "landed"
    assert not (house.workspace / "s1.txt").exists()


async def test_rejecting_a_step_sets_back_what_lies_on_it_and_interrupts_what_runs(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path)
    house.runner.hang.add("s3")
    await gone(house)
    await until_running(house, "s3")

    house.run.reject("s2")
    await house.run.idle()

    assert house.statuses() == {
        "s1": "staged",
        "s2": "rejected",
        "s3": "proposed",
        "s4": "proposed",
        "s5": "proposed",
    }
    assert stages_of(house) == {at(house, "s1").stage_id}
    told = [entry for entry in house.run.views.log.entries if entry.step_id == "s3"]
    assert told[-2].detail == "step s2, which it was made on, was rejected"
    assert told[-1].title == "step s3 set back"
    assert told[-1].detail == "step s2, which it was made on, was rejected"


async def test_rejecting_with_a_word_runs_the_step_again_and_then_what_lay_on_it(
    tmp_path: Path,
) -> None:
    house = await settled(house_of(tmp_path))

    house.run.reject("s1", "shorter")
    await house.run.idle()

    again = [("s1", "shorter"), ("s2", ""), ("s3", "")]
    assert house.runner.ran == [("s1", ""), ("s2", ""), ("s3", ""), *again]
    assert at(house, "s3").status == "staged"
    assert at(house, "s3").on == (at(house, "s1").stage_id, at(house, "s2").stage_id)
    assert len(stages_of(house)) == 3


async def test_what_the_user_said_of_a_step_is_told_again_when_it_was_set_back(
    tmp_path: Path,
) -> None:
    house = await settled(house_of(tmp_path))
    house.run.reject("s2", "with tests")
    await house.run.idle()

    house.run.retry("s1")
    await house.run.idle()

    assert house.runner.ran[-3:] == [("s1", ""), ("s2", "with tests"), ("s3", "")]


class EndsRunner(WritingRunner):
    """Each step changes both ends of a long file in lines of its own."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        lines = stage.files.read("long.txt").decode().splitlines(keepends=True)
        place = int(step.id[1]) * 2
        lines[place] = lines[-place] = f"{step.id}\n"
        stage.files.write("long.txt", "".join(lines).encode())
        return await super().run(step, stage, feedback=feedback, history=history)


async def test_an_approval_in_part_moves_the_ground_of_the_steps_above(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=1, runner=EndsRunner())
    (house.workspace / "long.txt").write_text("".join(LINES))
    await settled(house)
    house.run.set_mode("s2", "auto")
    house.run.decide_hunk("s1", "long.txt", 1, accepted=False)
    before = at(house, "s2")

    house.run.approve("s1")
    await house.run.idle()

    above = at(house, "s2")
    assert (above.status, above.changes) == ("staged", before.changes), "its work is as it was"
    assert [(each.below, each.paths, each.why) for each in above.moved] == [
        ("s1", ("long.txt",), "you left out 1 hunk")
    ]
    house.run.approve("s2")
    await house.run.idle()
    assert at(house, "s2").status == "conflict", "the lander decides, and lands nothing unseen"


async def test_an_auto_step_above_lands_once_those_below_have(tmp_path: Path) -> None:
    plan = Plan("five files", "canned", STEPS[:3])
    house = house_of(tmp_path, plan=plan)
    house.run.give_task("five files")
    await house.run.idle()
    house.run.set_mode("s2", "auto")
    house.run.go()
    await house.run.idle()
    assert at(house, "s2").status == "staged"

    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses() == {"s1": "landed", "s2": "landed", "s3": "staged"}


async def test_a_step_that_acts_on_the_real_workspace_waits_for_every_review(
    tmp_path: Path,
) -> None:
    commit = Step("s2", "commit", actions=(Action("git_commit", {}),))
    plan = Plan("t", "canned", (STEPS[0], commit, STEPS[2]))
    house = build(
        tmp_path / "ws",
        planner=CannedPlanner(plan),
        ahead=2,
        acts_on_workspace=lambda step: any(act.tool == "git_commit" for act in step.actions),
    )
    await settled(house)
    assert house.statuses() == {"s1": "staged", "s2": "proposed", "s3": "proposed"}

    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses() == {"s1": "landed", "s2": "staged", "s3": "staged"}


async def test_a_failed_step_stops_those_behind_it_and_not_the_review_below(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path)
    house.runner.fail["s2"] = "no"
    house.runner.quiet.add("s2")
    await settled(house)
    assert at(house, "s2").status == "failed"

    house.run.approve("s1")
    await house.run.idle()

    assert at(house, "s1").status == "landed"
    assert at(house, "s3").status == "proposed", "nobody has looked at the failure yet"


async def test_a_step_that_finds_out_something_runs_again_when_its_ground_goes(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path)
    house.runner.quiet.add("s2")
    await settled(house)
    assert at(house, "s2").status == "done"

    house.run.reject("s1")
    await house.run.idle()

    assert at(house, "s2").status == "proposed", "what it found was true of work that is gone"


class InstallingRunner(WritingRunner):
    """Step s1 installs something that git ignores; the others tell whether they find it."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        if step.id == "s1":
            stage.files.write("deps/lib.txt", b"installed\n")
        found = stage.files.entry("deps/lib.txt") is not None
        await super().run(step, stage, feedback=feedback, history=history)
        return StepResult(ok=found, summary=f"found: {found}")


async def test_what_one_step_installs_the_later_ones_find(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=0, runner=InstallingRunner())
    (house.workspace / ".gitignore").write_text("deps/\n")
    await settled(house)
    for step in ("s1", "s2"):
        house.run.approve(step)
        await house.run.idle()

    assert at(house, "s3").status == "staged"
    assert at(house, "s3").on == (at(house, "s1").stage_id,)
    assert house.run.views.plan.layers == (at(house, "s1").stage_id,)
    assert not (house.workspace / "deps").exists()

    house.run.skip("s3")
    house.run.skip("s4")
    house.run.skip("s5")
    await house.run.idle()
    assert stages_of(house) == set(house.run.views.plan.layers)


class FindingRunner(InstallingRunner):
    """Step s3 changes what git ignores and nothing else, and so is done at once."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        if step.id != "s3":
            return await super().run(step, stage, feedback=feedback, history=history)
        stage.files.write("deps/lib.txt", b"installed anew\n")
        return StepResult(ok=True)


async def test_a_layer_stays_on_top_of_what_it_was_made_on(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=2, runner=FindingRunner())
    (house.workspace / ".gitignore").write_text("deps/\n")
    await settled(house)
    first, second, third = (at(house, step).stage_id for step in ("s1", "s2", "s3"))
    assert [at(house, step).status for step in ("s1", "s2", "s3")] == ["staged", "staged", "done"]

    house.run.approve("s1")
    await house.run.idle()

    assert house.run.views.plan.layers == (first, third)
    assert at(house, "s4").on == (first, second, third)


async def test_a_step_on_one_that_is_skipped_never_lands_by_itself(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))
    house.run.session.append(ev.StepSkipped("s1"), "user")

    below = unlanded_below(house.run.views.plan, at(house, "s2"))

    assert [state.step.id for state in below] == ["s1"]


async def test_what_was_installed_outlives_a_crash_in_the_landing(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=0, runner=InstallingRunner())
    (house.workspace / ".gitignore").write_text("deps/\n")
    await settled(house)
    state = at(house, "s1")
    house.run.session.append(ev.StepApproved("s1", state.changes, state.changes), "user")
    again = build(house.workspace, house.store, house.blobs)
    again.run.footing.lander = CutOffLander(house.workspace, house.blobs, state)

    await recover(again.run)

    assert again.run.views.plan.layers == (state.stage_id,)
    assert at(again, "s1").status == "landed"


async def test_a_plan_given_twice_runs_twice(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=0)
    plan = Plan("once", "file", (Step("s1", "one"),))
    for step in ("s1", "s1.2"):
        house.run.adopt_plan(plan)
        house.run.go()
        await house.run.idle()
        assert at(house, step).status == "staged"
        house.run.approve(step)
        await house.run.idle()


async def test_a_layer_goes_with_the_landing_it_came_from(tmp_path: Path) -> None:
    house = house_of(tmp_path, ahead=0, runner=InstallingRunner())
    (house.workspace / ".gitignore").write_text("deps/\n")
    await settled(house)
    house.run.approve("s1")
    await house.run.idle()
    house.run.skip("s2")
    await house.run.idle()
    house.run.skip("s3")
    await house.run.cancel()

    await house.run.undo()

    assert house.run.views.plan.layers == ()
    assert at(house, "s1").stage_id not in stages_of(house)


async def test_a_new_task_drops_what_waits_and_says_so(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))

    house.run.give_task("something else")
    await house.run.idle()

    assert stages_of(house) == set()
    told = [entry for entry in house.run.views.log.entries if "set back" in entry.title]
    assert [entry.step_id for entry in told] == ["s3", "s2", "s1"]
    assert {entry.detail for entry in told} == {"there is another task now"}
    assert list(house.workspace.iterdir()) == []


async def test_planning_anew_drops_what_waits_once_there_is_a_plan(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))
    house.run.approve("s1")
    await house.run.idle()

    house.run.replan()
    await house.run.idle()

    assert stages_of(house) == set()
    assert at(house, "s1").status == "landed"
    assert set(house.statuses().values()) == {"landed", "proposed"}


async def test_while_a_plan_is_made_nothing_is_decided(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))
    house.run.replan()

    with pytest.raises(UsageError, match="plan is being made"):
        house.run.approve("s1")
    with pytest.raises(UsageError, match="plan is being made"):
        house.run.reject("s1")
    await house.run.idle()


async def test_taking_a_step_back_moves_the_ground_of_those_above(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))
    house.run.approve("s1")
    await house.run.idle()

    await house.run.undo("s1")

    assert at(house, "s2").status == "staged"
    assert at(house, "s2").moved[0].why == "it was taken back"
    house.run.approve("s2")
    await house.run.idle()
    assert [p.name for p in house.workspace.iterdir()] == ["s2.txt"]


async def test_deleting_a_failed_step_deletes_its_stage(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.runner.fail["s1"] = "no"
    await settled(house)
    assert stages_of(house) == {at(house, "s1").stage_id}

    house.run.remove_step("s1")
    await house.run.idle()

    assert stages_of(house) == set()
    assert at(house, "s2").status == "proposed", "deleting a step starts none"


# --- resuming -----------------------------------------------------------------------


async def test_a_resumed_session_knows_what_lies_on_what(tmp_path: Path) -> None:
    house = await settled(house_of(tmp_path))

    again = build(house.workspace, house.store, house.blobs, ahead=2)
    await recover(again.run)

    assert [state.on for state in again.run.views.plan.steps] == [
        state.on for state in house.run.views.plan.steps
    ]
    with pytest.raises(UsageError, match="made on top of step s1"):
        again.run.approve("s3")
    for step in ("s1", "s2", "s3"):
        again.run.approve(step)
        await again.run.idle()
    assert at(again, "s3").status == "landed"


async def test_a_crash_right_after_a_rejection_leaves_nothing_on_lost_ground(
    tmp_path: Path,
) -> None:
    house = await settled(house_of(tmp_path))
    house.run.session.append(ev.StepRejected("s1"), "user")

    again = build(house.workspace, house.store, house.blobs, ahead=2)
    await recover(again.run)

    assert [state.status for state in again.run.views.plan.steps[:3]] == [
        *("rejected", "proposed", "proposed")
    ]
    assert stages_of(again) == set()


async def test_a_crash_right_after_a_partial_landing_still_moves_the_ground(
    tmp_path: Path,
) -> None:
    house = house_of(tmp_path, ahead=1, runner=EndsRunner())
    (house.workspace / "long.txt").write_text("".join(LINES))
    await settled(house)
    house.run.decide_hunk("s1", "long.txt", 0, accepted=False)
    state, review = at(house, "s1"), house.run.review
    decisions = house.run.views.review.decisions("s1", state.shown)
    selected = review.selected(review.change_set(state.changes), decisions)
    house.run.session.append(ev.StepApproved("s1", state.changes, review.keep(selected)), "user")
    await house.run.footing.lander.land(selected, session_id="7f3a", step_id="s1")

    again = build(house.workspace, house.store, house.blobs, ahead=1)
    await recover(again.run)

    assert at(again, "s1").status == "landed"
    assert at(again, "s2").moved[0].paths == ("long.txt",)


async def test_a_crash_while_a_step_runs_ahead_keeps_its_work(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.runner.hang.add("s2")
    await gone(house)
    await until_running(house, "s2")

    again = build(house.workspace, house.store, house.blobs, ahead=2)
    await recover(again.run)

    assert at(again, "s1").status == "staged"
    assert (at(again, "s2").status, at(again, "s2").paths) == ("interrupted", ("s2.txt",))
    await house.run.cancel()


async def test_a_step_gone_on_with_remembers_how_it_ended(tmp_path: Path) -> None:
    house = house_of(tmp_path)
    house.runner.fail["s1"] = "the window was too small"
    await settled(house)
    heard: list[str] = []

    class Listening(WritingRunner):
        async def run(
            self, step: Step, stage: Stage, *, feedback: str, history: Views
        ) -> StepResult:
            state = history.plan.state(step.id)
            heard.append(state.last_end if state is not None else "?")
            return await super().run(step, stage, feedback=feedback, history=history)

    again = build(house.workspace, house.store, house.blobs, runner=Listening())
    again.run.retry("s1", keep_work=True)
    await again.run.idle()
    again.run.retry("s1")
    await again.run.idle()

    assert heard == ["the window was too small", ""]
