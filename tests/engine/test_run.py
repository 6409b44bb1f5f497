"""The run that app and headless command drive, on fakes at every port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from tests import fakes
from tests.fakes import MemoryBlobs
from tests.session_fakes import FolderLander, FolderStages, MemoryEventStore
from turbo_tui.core import events as ev
from turbo_tui.core.errors import ModelUnreachableError, TaskError, UsageError
from turbo_tui.core.landings import Lander
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Rung, Stage
from turbo_tui.core.session import Session
from turbo_tui.core.views import StepState, Views
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.driving import nowhere_else
from turbo_tui.engine.resuming import recover
from turbo_tui.engine.review import Review
from turbo_tui.engine.run import Run
from turbo_tui.engine.staging import LoggedStage
from turbo_tui.engine.stepping import StepResult
from turbo_tui.engine.verifying import OnRecord


@dataclass
class CannedPlanner:
    """Answers every task with the same plan, or raises."""

    answer: Plan | Exception
    asked: list[tuple[str, tuple[str, ...]]] = field(
        default_factory=list[tuple[str, tuple[str, ...]]]
    )

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        self.asked.append((task, tuple(state.step.id for state in done)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class WritingRunner:
    """Each step writes a file named after it; `hang` and `fail` name steps that do so."""

    hang: set[str] = field(default_factory=set[str])
    fail: dict[str, Exception | str] = field(default_factory=dict[str, Exception | str])
    quiet: set[str] = field(default_factory=set[str])
    ran: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        self.ran.append((step.id, feedback))
        if step.id not in self.quiet:
            stage.files.write(f"{step.id}.txt", f"{step.title} {feedback}\n".encode())
        self.started.set()
        if step.id in self.hang:
            await asyncio.Event().wait()
        failure = self.fail.get(step.id)
        if isinstance(failure, Exception):
            raise failure
        return StepResult(ok=failure is None, summary=failure or "did it")


PLAN = Plan("make two files", "canned", (Step("s1", "one"), Step("s2", "two", depends_on=("s1",))))


@dataclass
class OnTheRecord:
    """Lets the commands of any stage go into the log."""

    session: Session
    blobs: MemoryBlobs

    def on_record(self, step_id: str, stage: Stage, history: Views) -> Stage:
        return LoggedStage(stage, self.session.append, step_id, blobs=self.blobs)


@dataclass
class House:
    """A run and what it stands on."""

    run: Run
    store: MemoryEventStore
    workspace: Path
    planner: CannedPlanner
    runner: WritingRunner
    blobs: MemoryBlobs

    def statuses(self) -> dict[str, str]:
        return {state.step.id: state.status for state in self.run.views.plan.steps}

    def again(self) -> House:
        """Open the same log with a new process's objects."""
        return build(self.workspace, self.store, self.blobs, self.planner, self.runner)


def build(  # noqa: PLR0917  a house is built of its parts
    workspace: Path,
    store: MemoryEventStore | None = None,
    blobs: MemoryBlobs | None = None,
    planner: CannedPlanner | None = None,
    runner: WritingRunner | None = None,
    approve: Approve = "ask",
    ahead: int = 0,
    acts_on_workspace: Callable[[Step], bool] = nowhere_else,
    commands: OnRecord | None = None,
    lander: Lander | None = None,
) -> House:
    workspace.mkdir(exist_ok=True)
    store = store or MemoryEventStore("7f3a")
    blobs = blobs or MemoryBlobs()
    planner = planner or CannedPlanner(PLAN)
    runner = runner or WritingRunner()
    ticks = count(1)
    session = Session(store, clock=lambda: float(next(ticks)))
    views = Views()
    session.subscribe(views.apply, replay=True)
    stages = FolderStages(workspace, workspace.parent / "stages", blobs)
    asks = Asks(session.append, approve=approve)
    run = Run(
        session,
        views,
        planner=planner,
        runner=runner,
        stages=stages,
        lander=lander or FolderLander(workspace, blobs),
        review=Review(blobs),
        asks=asks,
        approve=approve,
        ahead=ahead,
        acts_on_workspace=acts_on_workspace,
        commands=commands or OnTheRecord(session, blobs),
    )
    return House(run, store, workspace, planner, runner, blobs)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build(tmp_path / "ws")


async def staged(house: House) -> House:
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.go()
    await house.run.idle()
    return house


async def test_only_what_is_approved_lands_and_the_plan_goes_on(house: House) -> None:
    await staged(house)
    assert house.statuses() == {"s1": "staged", "s2": "proposed"}
    assert list(house.workspace.iterdir()) == []

    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses() == {"s1": "landed", "s2": "staged"}
    assert [path.name for path in house.workspace.iterdir()] == ["s1.txt"]


async def test_rejecting_a_step_leaves_the_tree_and_pauses_the_plan(house: House) -> None:
    await staged(house)

    house.run.reject("s1")
    await house.run.idle()

    assert house.statuses() == {"s1": "rejected", "s2": "proposed"}
    assert list(house.workspace.iterdir()) == []
    assert len(house.runner.ran) == 1


async def test_feedback_runs_the_step_again_on_top_of_its_work(house: House) -> None:
    await staged(house)

    house.run.reject("s1", "shorter please")
    await house.run.idle()

    assert house.runner.ran == [("s1", ""), ("s1", "shorter please")]
    assert house.statuses()["s1"] == "staged"
    state = house.run.views.plan.state("s1")
    assert state is not None
    assert state.attempt == 2


async def test_rejecting_every_file_and_approving_is_a_rejection(house: House) -> None:
    await staged(house)

    house.run.decide_hunk("s1", "s1.txt", -1, accepted=False)
    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses()["s1"] == "rejected"
    assert list(house.workspace.iterdir()) == []


async def test_a_step_set_to_auto_by_the_user_lands_by_itself(house: House) -> None:
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.set_mode("s1", "auto")
    house.run.go()
    await house.run.idle()

    assert house.statuses() == {"s1": "landed", "s2": "staged"}


@pytest.mark.parametrize("rung", ["overlay+landlock", "copy+landlock", "copy+unsandboxed"])
async def test_where_the_sandbox_holds_less_a_step_set_to_auto_asks_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rung: Rung
) -> None:
    monkeypatch.setattr(fakes, "FAKE_REPORT", replace(fakes.FAKE_REPORT, rung=rung))
    house = build(tmp_path / "ws")
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.set_mode("s1", "auto")
    house.run.go()
    await house.run.idle()

    assert house.statuses()["s1"] == "staged"
    said = [record.event for record in house.store.records if isinstance(record.event, ev.Noted)]
    assert f"set to auto, and asks all the same, because {rung}" in said[-1].text


async def test_auto_in_a_plan_from_a_file_is_only_a_proposal(house: House) -> None:
    house.run.adopt_plan(Plan("t", "file", (Step("s1", "one", mode="auto"),)))
    house.run.go()
    await house.run.idle()

    assert house.statuses() == {"s1": "staged"}


async def test_headless_staged_lands_every_good_step(tmp_path: Path) -> None:
    house = build(tmp_path / "ws", approve="staged")
    await staged(house)

    assert house.statuses() == {"s1": "landed", "s2": "landed"}


async def test_a_failed_step_keeps_its_work_and_stops_the_plan(house: House) -> None:
    house.runner.fail["s1"] = "the check failed"
    await staged(house)

    state = house.run.views.plan.state("s1")
    assert state is not None
    assert (state.status, state.reason, state.paths) == ("failed", "the check failed", ("s1.txt",))
    assert house.statuses()["s2"] == "proposed"

    house.runner.fail.clear()
    house.run.retry("s1")
    await house.run.idle()
    assert house.statuses()["s1"] == "staged"


async def test_a_model_that_does_not_answer_fails_the_step_and_is_told_apart(house: House) -> None:
    house.runner.fail["s1"] = ModelUnreachableError("nobody at localhost:1")
    await staged(house)

    assert house.run.unreachable
    assert house.statuses()["s1"] == "failed"


async def test_cancelling_a_step_keeps_its_work_as_interrupted(house: House) -> None:
    house.runner.hang.add("s1")
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.go()
    await house.runner.started.wait()

    await house.run.cancel()

    state = house.run.views.plan.state("s1")
    assert state is not None
    assert (state.status, state.paths) == ("interrupted", ("s1.txt",))
    assert list(house.workspace.iterdir()) == []


async def test_two_things_at_once_are_refused_with_the_reason(house: House) -> None:
    house.runner.hang.add("s1")
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.go()
    await house.runner.started.wait()

    with pytest.raises(UsageError, match="Step s1 is running"):
        house.run.give_task("another")
    await house.run.cancel()


async def test_a_task_nobody_can_plan_says_what_comes_near(house: House) -> None:
    house.planner.answer = TaskError("No recipe matches.", nearest=("rename a symbol",))
    house.run.give_task("sing")
    await house.run.idle()

    assert house.run.views.plan.failure == "No recipe matches."
    assert house.run.views.plan.nearest == ("rename a symbol",)


async def test_a_step_that_changes_nothing_is_done_without_review(house: House) -> None:
    house.runner.quiet.add("s1")
    await staged(house)

    assert house.statuses() == {"s1": "done", "s2": "staged"}


async def test_undo_takes_the_last_landing_back(house: House) -> None:
    await staged(house)
    house.run.approve("s1")
    await house.run.idle()

    undone = await house.run.undo()

    assert undone.paths == ("s1.txt",)
    assert list(house.workspace.iterdir()) == []
    with pytest.raises(UsageError, match="nothing to undo"):
        await house.run.undo("s1")


async def test_planning_again_keeps_what_is_settled(house: House) -> None:
    await staged(house)
    house.run.approve("s1")
    await house.run.idle()
    house.run.skip("s2")
    await house.run.idle()
    house.planner.answer = Plan("make two files", "canned", (Step("s1", "three"),))

    house.run.replan()
    await house.run.idle()

    assert house.planner.asked[-1] == ("make two files", ("s1", "s2"))
    assert house.statuses() == {"s1": "landed", "s2": "skipped", "s1.2": "proposed"}


async def test_the_user_edits_the_plan_before_it_runs(house: House) -> None:
    house.run.give_task("make two files")
    await house.run.idle()

    house.run.edit_step("s1", "first", "say more")
    house.run.remove_step("s2")

    assert [state.step.title for state in house.run.views.plan.steps] == ["first"]
    with pytest.raises(UsageError, match="no step"):
        house.run.remove_step("s9")


async def test_a_change_of_the_users_own_is_never_overwritten(house: House) -> None:
    await staged(house)
    (house.workspace / "s1.txt").write_text("mine\n")

    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses()["s1"] == "conflict"
    assert (house.workspace / "s1.txt").read_text() == "mine\n"
    with pytest.raises(UsageError, match="keep yours, take the other"):
        house.run.approve("s1")


async def test_resuming_makes_a_running_step_interrupted_with_its_work(house: House) -> None:
    house.runner.hang.add("s1")
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.go()
    await house.runner.started.wait()

    second = house.again()  # the first process is gone without a word
    await recover(second.run)

    state = second.run.views.plan.state("s1")
    assert state is not None
    assert (state.status, state.paths) == ("interrupted", ("s1.txt",))
    assert second.runner.ran == [("s1", "")]
    await house.run.cancel()


async def test_resuming_lands_what_was_approved_but_not_written(house: House) -> None:
    await staged(house)
    state = house.run.views.plan.state("s1")
    assert state is not None
    house.run.session.append(ev.StepApproved("s1", state.changes, state.changes), "user")

    second = house.again()
    await recover(second.run)

    assert second.statuses()["s1"] == "landed"
    assert (second.workspace / "s1.txt").exists()


async def test_resuming_does_not_land_twice_what_the_journal_has(house: House) -> None:
    await staged(house)
    state = house.run.views.plan.state("s1")
    assert state is not None
    changes = house.run.review.change_set(state.changes)
    house.run.session.append(ev.StepApproved("s1", state.changes, state.changes), "user")
    await house.run.footing.lander.land(changes, session_id="7f3a", step_id="s1")

    second = house.again()
    await recover(second.run)

    assert second.statuses()["s1"] == "landed"
    assert len(second.run.views.timeline.landings) == 1


async def test_accepting_one_hunk_of_a_rejected_file_leaves_the_others_rejected(
    house: House,
) -> None:
    lines = [f"line {n}\n" for n in range(60)]
    (house.workspace / "s1.txt").write_text("".join(lines))
    changed = list(lines)
    changed[2], changed[50] = "first\n", "second\n"

    class TwoHunks(WritingRunner):
        async def run(
            self, step: Step, stage: Stage, *, feedback: str, history: Views
        ) -> StepResult:
            stage.files.write("s1.txt", "".join(changed).encode())
            return StepResult(ok=True)

    two = build(house.workspace, runner=TwoHunks())
    await staged(two)

    two.run.decide_hunk("s1", "s1.txt", -1, accepted=False)
    two.run.decide_hunk("s1", "s1.txt", 1, accepted=True)
    two.run.approve("s1")
    await two.run.idle()

    expected = list(lines)
    expected[50] = "second\n"
    assert (house.workspace / "s1.txt").read_text() == "".join(expected)
