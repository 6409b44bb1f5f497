"""Whatever is pressed in whatever order: tree, log and screen tell the same story."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.engine.test_run import CannedPlanner, House, WritingRunner, build
from tests.session_fakes import FolderLander, FolderStages, MemoryEventStore
from turbo_tui.core import events as ev
from turbo_tui.core.errors import PlanError, UsageError
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Record, Stage
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views, unlanded_below, without_ground
from turbo_tui.engine.resuming import recover
from turbo_tui.engine.stepping import StepResult

LINES = [f"line {n}\n" for n in range(40)]
PLAN = Plan(
    "t",
    "canned",
    (
        Step("s1", "one", checks=(("true",),)),
        Step("s2", "two", depends_on=("s1",)),
        Step("s3", "three", checks=(("true",), ("test", "-e", "s3.txt"))),
        Step("s4", "four"),
    ),
)
STEPS = ("s1", "s2", "s3", "s4", "s1.2")

ACTS = st.one_of(
    st.sampled_from(
        [
            "task",
            "go",
            "cancel",
            "replan",
            "undo",
            "tick",
            "tick",
            "idle",
            "idle",
            "user",
            "reopen",
            "crash",
        ]
    ).map(lambda act: (act, "", 0)),
    st.tuples(
        st.sampled_from(
            [
                *("approve", "approve", "approve", "reject", "feedback", "skip", "retry", "keep"),
                *("auto", "remove", "move", "edit", "hunk-", "hunk+", "hunk-"),
                *("lines-", "lines+", "rewrite", "take back", "comment", "verified", "verify"),
            ]
        ),
        st.sampled_from(STEPS),
        st.integers(-1, 2),
    ),
)


class MovingRunner(WritingRunner):
    """Changes two far apart lines of a shared file, adds one; sometimes fails."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        lines = stage.files.read("shared.txt").decode().splitlines(keepends=True)
        mark = f"{step.id} {self.chance.random()}\n"
        lines[2], lines[30] = mark, mark
        stage.files.write("shared.txt", "".join(lines).encode())
        await asyncio.sleep(0)
        stage.files.write(f"{step.id}.txt", mark.encode())
        if self.chance.random() > 0.7:
            stage.files.write(f"deps/{step.id}", mark.encode())
        await asyncio.sleep(0)
        return StepResult(ok=self.chance.random() > 0.2, summary="tried")


class Ledger:
    """The tree as the log tells it: approved change sets that landed, and the user's own hand."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.tree = tree_of(house.workspace)
        self.approved: dict[str, str] = {}
        self.landed: dict[str, dict[str, tuple[bytes | None, bytes | None]]] = {}
        self.by_hand: set[str] = set()

    def apply(self, record: Record) -> None:
        match record.event:
            case ev.StepModeSet(step_id=step_id):
                assert record.by == "user"
                self.by_hand.add(step_id)
            case ev.StepApproved(step_id, changes, selected):
                state = self.house.run.views.plan.state(step_id)
                assert state is not None
                assert not unlanded_below(self.house.run.views.plan, state)
                assert record.by == "user" or not state.moved
                assert record.by == "user" or step_id in self.by_hand
                review, views = self.house.run.review, self.house.run.views
                wanted = review.selected(
                    review.change_set(changes), views.review.decisions(step_id, changes)
                )
                assert review.keep(wanted) == selected, "what is approved is what was selected"
                self.approved[step_id] = selected
            case ev.StepLanded(step_id, landing):
                review = self.house.run.review
                chosen = review.change_set(self.approved.pop(step_id))
                self.landed[landing] = {
                    change.path: (
                        review.content(change.before) if change.before else None,
                        review.content(change.after) if change.after else None,
                    )
                    for change in chosen.files
                }
                self.put({path: after for path, (_, after) in self.landed[landing].items()})
            case ev.LandingUndone(landing=landing):
                self.put({path: old for path, (old, _) in self.landed.pop(landing).items()})
            case _:
                pass

    def put(self, contents: dict[str, bytes | None]) -> None:
        for path, content in contents.items():
            if content is None:
                self.tree.pop(path, None)
            else:
                self.tree[path] = content


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def same(one: Views, other: Views) -> None:
    assert one.plan.steps == other.plan.steps
    assert one.plan.plan == other.plan.plan
    assert one.log.entries == other.log.entries
    assert one.timeline.landings == other.timeline.landings
    assert one.asks.waiting == other.asks.waiting
    assert one.last_seq == other.last_seq
    for state in one.plan.steps:
        mine = one.review.decisions(state.step.id, state.shown)
        assert mine == other.review.decisions(state.step.id, state.shown)
        told = one.review.verification(state.step.id, state.shown)
        assert told == other.review.verification(state.step.id, state.shown)


def act_on(house: House, act: str, step: str, number: int) -> None:
    run = house.run
    acts: dict[str, Callable[[], object]] = {
        "task": lambda: run.give_task("t"),
        "go": run.go,
        "replan": run.replan,
        "approve": lambda: run.approve(step),
        "reject": lambda: run.reject(step),
        "feedback": lambda: run.reject(step, "again"),
        "skip": lambda: run.skip(step),
        "retry": lambda: run.retry(step),
        "keep": lambda: run.retry(step, keep_work=True),
        "auto": lambda: run.set_mode(step, "auto"),
        "remove": lambda: run.remove_step(step),
        "move": lambda: run.move_step(step, number),
        "edit": lambda: run.edit_step(step, f"title {number}", ""),
        "hunk-": lambda: run.decide_hunk(step, "shared.txt", number, accepted=False),
        "hunk+": lambda: run.decide_hunk(step, "shared.txt", number, accepted=True),
        "lines-": lambda: run.decide_lines(step, "shared.txt", number, [3, 4], accepted=False),
        "lines+": lambda: run.decide_lines(step, "shared.txt", number, [3], accepted=True),
        "rewrite": lambda: run.edit_hunk(step, "shared.txt", number, b"mine\n"),
        "take back": lambda: run.edit_hunk(step, "shared.txt", number, None),
        "comment": lambda: run.comment(step, "shared.txt", 3, "new", "hm"),
        "verified": lambda: run.approve(step, verify=True),
    }
    acts[act]()


async def live(  # noqa: C901  one arm per act
    acts: list[tuple[str, str, int]], chance: random.Random, folder: Path, ahead: int
) -> None:
    (folder / "ws").mkdir()
    (folder / "ws" / "shared.txt").write_text("".join(LINES))
    (folder / "ws" / ".gitignore").write_text("deps/\n")
    runner = MovingRunner(chance)
    house = build(folder / "ws", planner=CannedPlanner(PLAN), runner=runner, ahead=ahead)
    ledger = Ledger(house)
    house.run.session.subscribe(ledger.apply)
    await settled(house, ledger)
    for act, step, number in [("task", "", 0), ("idle", "", 0), ("go", "", 0), *acts]:
        try:
            match act:
                case "tick":
                    for _ in range(3):
                        await asyncio.sleep(0)
                case "idle":
                    await settled(house, ledger)
                case "cancel":
                    await house.run.cancel()
                    await settled(house, ledger)
                case "undo":
                    await house.run.undo()
                case "verify":
                    await house.run.verify(step)
                case "user":
                    await settled(house, ledger)
                    mine = f"mine {chance.random()}\n".encode()
                    (house.workspace / "mine.txt").write_bytes(mine)
                    ledger.tree["mine.txt"] = mine
                case "reopen":
                    same(house.run.views, replayed(house))
                case "crash":
                    house = await crashed(house, ledger, ahead)
                case _:
                    act_on(house, act, step, number)
        except (UsageError, PlanError):
            continue  # refused with a word, as it should be
    await house.run.cancel()
    await settled(house, ledger)
    same(house.run.views, replayed(house))
    await decided(house, ledger)


def replayed(house: House) -> Views:
    views = Views()
    for record in house.store.records:
        views.apply(record)
    return views


async def crashed(house: House, ledger: Ledger, ahead: int) -> House:
    """Let a second process take the log up where the first one stands."""
    await house.run.footing.tree.acquire()  # a landing is whole, or it is the lander's to recover
    store = MemoryEventStore("7f3a")
    store.records = list(house.store.records)
    house.run.footing.session = Session(MemoryEventStore("dead"), clock=lambda: 0.0)
    elsewhere = house.workspace.parent / "of-the-dead"
    house.run.footing.stages = FolderStages(house.workspace, elsewhere, house.blobs)
    house.run.footing.lander = FolderLander(elsewhere, house.blobs)  # what waited for the lock
    house.run.footing.tree.release()
    await house.run.cancel()
    again = build(house.workspace, store, house.blobs, house.planner, house.runner, ahead=ahead)
    ledger.house = again
    again.run.session.subscribe(ledger.apply)
    await recover(again.run)
    await settled(again, ledger)
    return again


async def decided(house: House, ledger: Ledger) -> None:
    """Decide all that waits: then no stage is left but what later steps may need."""
    for state in reversed(house.run.views.plan.steps):
        if state.status != "landed":
            house.run.skip(state.step.id)
            await settled(house, ledger)
    assert stages_of(house) == set(house.run.views.plan.layers)


def stages_of(house: House) -> set[str]:
    folder = house.workspace.parent / "stages"
    return {each.name for each in folder.iterdir()} if folder.exists() else set()


async def settled(house: House, ledger: Ledger) -> None:
    await house.run.idle()
    plan = house.run.views.plan
    assert tree_of(house.workspace) == ledger.tree
    assert plan.running is None
    assert "approved" not in {state.status for state in plan.steps}
    assert not without_ground(plan)
    kept = {state.stage_id for state in plan.steps if not state.settled}
    assert stages_of(house) <= kept | set(plan.layers)


@example(  # the first of two that run again is the ground of the other
    acts=[("idle", "", 0), ("cancel", "", 0), ("feedback", "s3", 0), ("retry", "s1", 0)],
    seed=0,
    ahead=2,
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
@given(st.lists(ACTS, min_size=5, max_size=30), st.integers(0, 2**16), st.integers(0, 3))
def test_no_order_of_commands_parts_tree_log_and_views(
    acts: list[tuple[str, str, int]], seed: int, ahead: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chance = random.Random(seed)  # noqa: S311  no secret hangs on it
        asyncio.run(live(acts, chance, Path(folder), ahead))
