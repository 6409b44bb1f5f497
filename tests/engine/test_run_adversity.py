"""The run in the hands of a hostile model and an impatient user."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.test_run import House, WritingRunner, build, staged
from tests.session_fakes import CopyStage, FolderLander, FolderStages
from turbo_tui.commands.resume import take_up
from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import LandingError, StageError, UsageError
from turbo_tui.core.landings import Landing
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Ask, Stage, Verdict
from turbo_tui.core.redact import Redactor
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views
from turbo_tui.engine.stepping import StepResult


class NamingRunner(WritingRunner):
    """Writes two files, one under a name that looks like a key."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        stage.files.write("good.txt", b"good\n")
        stage.files.write(KEY_LIKE, b"evil\n")
        return StepResult(ok=True)


KEY_LIKE = "sk-ant-a1b2c3d4e5f6a7b8c9d0e1f2.py"


async def test_a_rejected_file_does_not_land_whatever_its_name_looks_like(tmp_path: Path) -> None:
    house = build(tmp_path / "ws", runner=NamingRunner())
    redacting(house)
    await staged(house)

    house.run.decide_hunk("s1", KEY_LIKE, -1, accepted=False)
    house.run.approve("s1")
    await house.run.idle()

    assert [path.name for path in house.workspace.iterdir()] == ["good.txt"]


def redacting(house: House) -> None:
    """Let the house's session redact, as a real one does."""
    session = Session(house.store, clock=lambda: 1.0, redact=Redactor())
    session.subscribe(house.run.views.apply)
    house.run.footing.session = session


# --- the impatient user ------------------------------------------------------------


class SlowLander(FolderLander):
    """Lands and undoes once it is let go on."""

    def __init__(self, house: House) -> None:
        super().__init__(house.workspace, house.blobs)
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.refuses = False

    async def land(self, changes: ChangeSet, *, session_id: str, step_id: str) -> Landing:
        self.begun.set()
        await self.go_on.wait()
        if self.refuses:
            raise LandingError("the disk is full")
        return await super().land(changes, session_id=session_id, step_id=step_id)


class SlowStages(FolderStages):
    """Stages whose changes are read once they are let go on."""

    reading: asyncio.Event
    go_on: asyncio.Event

    async def open(self, stage_id: str, *, on: Sequence[str] = ()) -> CopyStage:
        stage = await super().open(stage_id, on=on)
        read = stage.changes

        async def changes() -> ChangeSet:
            self.reading.set()
            await self.go_on.wait()
            return await read()

        stage.changes = changes  # pyright: ignore[reportAttributeAccessIssue]
        return stage


async def impatient(house: House, *, times: int = 3) -> list[asyncio.Task[None]]:
    """Press Ctrl+C again and again."""
    presses: list[asyncio.Task[None]] = []
    for _ in range(times):
        presses.append(asyncio.create_task(house.run.cancel()))
        for _ in range(5):
            await asyncio.sleep(0)
    return presses


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build(tmp_path / "ws")


async def test_no_number_of_interruptions_parts_a_landing_from_its_record(house: House) -> None:
    await staged(house)
    lander = house.run.footing.lander = SlowLander(house)
    house.run.approve("s1")
    await lander.begun.wait()

    presses = await impatient(house)
    lander.go_on.set()
    await asyncio.gather(*presses)

    assert (house.workspace / "s1.txt").exists()
    assert house.statuses() == {"s1": "landed", "s2": "proposed"}


async def test_a_landing_that_fails_while_interrupted_is_told_as_refused(house: House) -> None:
    await staged(house)
    lander = house.run.footing.lander = SlowLander(house)
    lander.refuses = True
    house.run.approve("s1")
    await lander.begun.wait()

    presses = await impatient(house)
    lander.go_on.set()
    await asyncio.gather(*presses)
    await house.run.idle()

    assert house.statuses()["s1"] == "conflict"


async def test_an_interrupted_step_is_never_left_running(tmp_path: Path) -> None:
    house = build(tmp_path / "ws", approve="staged")
    stages = SlowStages(house.workspace, tmp_path / "stages", house.blobs)
    stages.reading, stages.go_on = asyncio.Event(), asyncio.Event()
    house.run.footing.stages = stages
    house.run.adopt_plan(Plan("t", "file", (Step("s1", "one"),)))
    house.run.go()
    await stages.reading.wait()

    presses = await impatient(house)
    stages.go_on.set()
    await asyncio.gather(*presses)

    # Its work was done, so it waits for its review; by itself it lands no more.
    assert house.statuses() == {"s1": "staged"}
    assert list(house.workspace.iterdir()) == []


async def test_undo_pressed_twice_takes_back_once(house: House) -> None:
    await staged(house)
    house.run.approve("s1")
    await house.run.idle()
    lander = house.run.footing.lander = SlowLander(house)
    first = asyncio.create_task(house.run.undo())
    await lander.begun.wait()

    with pytest.raises(UsageError, match="under way"):
        await house.run.undo()
    with pytest.raises(UsageError, match="under way"):
        house.run.go()
    lander.go_on.set()
    await first
    await house.run.idle()

    assert [type(r.event) for r in house.store.records].count(ev.LandingUndone) == 1


async def test_closing_waits_for_an_undo_and_its_record(house: House) -> None:
    await staged(house)
    house.run.approve("s1")
    await house.run.idle()
    lander = house.run.footing.lander = SlowLander(house)
    undoing = asyncio.create_task(house.run.undo())
    await lander.begun.wait()

    closing = asyncio.create_task(house.run.close())
    lander.go_on.set()
    await asyncio.gather(undoing, closing)

    assert isinstance(house.store.records[-1].event, ev.LandingUndone)


async def test_a_hunk_switched_off_right_after_the_approval_does_not_land(house: House) -> None:
    await staged(house)

    house.run.approve("s1")
    await asyncio.sleep(0)  # the approval has read the decisions
    house.run.decide_hunk("s1", "s1.txt", -1, accepted=False)
    await house.run.idle()

    assert list(house.workspace.iterdir()) == []
    assert house.statuses()["s1"] == "rejected"


async def test_a_key_that_repeats_deletes_one_step_and_the_log_still_opens(house: House) -> None:
    house.run.give_task("make two files")
    await house.run.idle()
    house.run.remove_step("s2")

    for again in (
        lambda: house.run.remove_step("s2"),
        lambda: house.run.set_mode("s2", "auto"),
        lambda: house.run.edit_step("s2", "title", ""),
        lambda: house.run.retry("s2"),
        lambda: house.run.skip("s2"),
    ):
        with pytest.raises(UsageError, match="no longer in the plan"):
            again()
    # A log written before that was refused opens as well.
    house.run.session.append(ev.StepRemoved("s2"), "user")
    assert house.again().statuses() == {"s1": "proposed"}


async def test_what_is_not_under_review_cannot_be_decided_on(house: House) -> None:
    await staged(house)

    with pytest.raises(UsageError, match="not among the changes"):
        house.run.decide_hunk("s1", "other.txt", -1, accepted=False)
    with pytest.raises(UsageError, match="no hunk 8"):
        house.run.decide_hunk("s1", "s1.txt", 7, accepted=False)


async def test_a_stage_that_cannot_be_deleted_costs_only_room(house: House) -> None:
    await staged(house)

    class Stuck(FolderStages):
        async def discard(self, stage_id: str) -> None:
            raise StageError(f"Cannot delete {stage_id}: it is busy.")

    house.run.footing.stages = Stuck(
        house.workspace, house.workspace.parent / "stages", house.blobs
    )
    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses()["s1"] == "landed"
    assert "it is busy" in " ".join(entry.title for entry in house.run.views.log.entries)


async def asked(house: House, scopes: tuple[str, ...]) -> asyncio.Task[Verdict]:
    asking = asyncio.create_task(
        house.run.asks.ask(Ask("network", "curl x", "why", "s1", scopes=scopes))
    )
    await asyncio.sleep(0)
    return asking


async def test_a_question_takes_only_the_answers_it_offers(house: House) -> None:
    asking = await asked(house, ("once", "no"))
    (ask_id,) = house.run.views.asks.waiting

    with pytest.raises(UsageError, match="cannot be answered with 'plan'"):
        house.run.answer(ask_id, "plan")
    house.run.answer(ask_id, "no", "not now")

    assert await asking == Verdict(allowed=False, feedback="not now")


async def test_what_was_granted_for_a_plan_ends_with_its_task(house: House) -> None:
    asking = await asked(house, ("plan", "no"))
    (ask_id,) = house.run.views.asks.waiting
    house.run.answer(ask_id, "plan")
    assert (await asking).allowed
    assert (await (await asked(house, ("plan", "no")))).allowed, "remembered for this plan"

    house.run.give_task("something else")
    await house.run.idle()
    again = await asked(house, ("plan", "no"))

    assert len(house.run.views.asks.waiting) == 1
    again.cancel()


async def test_resuming_lands_nothing_whose_base_nobody_has_seen(house: House) -> None:
    await staged(house)
    state = house.run.views.plan.state("s1")
    assert state is not None
    review = house.run.review
    blind = tuple(
        replace(change, base_known=False) for change in review.change_set(state.changes).files
    )
    blob = review.keep(ChangeSet(blind))
    house.run.session.append(ev.StepStaged("s1", blob, ("s1.txt",), checks_passed=True))

    again = build(house.workspace, house.store, house.blobs, approve="staged")
    await take_up(again.run, approve="staged", go_on=False, restart=False)
    await again.run.idle()

    assert again.statuses() == {"s1": "staged", "s2": "proposed"}
    assert list(house.workspace.iterdir()) == []
