"""Whose fault a failing check is, and what a step that goes on is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.engine.test_run import House, build
from tests.fakes import MemoryBlobs, ScriptedAsker, ScriptedModel
from tests.session_fakes import FolderStages
from turbo_tui.core import events as ev
from turbo_tui.core.command import Command
from turbo_tui.core.errors import ToolError
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import CommandResult, Record, Stage, ToolContext
from turbo_tui.core.views import PlanView
from turbo_tui.engine.alone import alone
from turbo_tui.engine.before import MOST_S, Before
from turbo_tui.engine.checks import Check
from turbo_tui.engine.executor import run_step
from turbo_tui.tools.catalogue import builtin_tools


def unless_there(name: str) -> tuple[str, ...]:
    """A check that fails while a file is there."""
    return (sys.executable, "-c", f"import os, sys; sys.exit(os.path.exists({name!r}))")


FAILS = (sys.executable, "-c", "import sys; sys.exit(1)")
STEP = Step("s1", "break it", checks=(unless_there("broken.txt"), FAILS))


async def staged(folder: Path, *texts: str) -> tuple[FolderStages, Stage, list[ev.Event], Before]:
    """A stage in which a step broke something, on another that did not."""
    (folder / "ws").mkdir()
    stages = FolderStages(folder / "ws", folder / "stages", MemoryBlobs())
    await stages.open("below")
    stage = await stages.open("mine", on=("below",))
    stage.files.write("broken.txt", b"")
    events: list[ev.Event] = []
    before = Before(stages, "mine", ("below",))
    model = ScriptedModel(*texts)
    await run_step(
        STEP,
        model=model,
        stage=stage,
        tools=builtin_tools(),
        context=ToolContext(stage, ScriptedAsker(), folder / "ws"),
        append=events.append,
        blobs=MemoryBlobs(),
        before=before,
        check_rounds=1,
        last_end="the window was too small",
    )
    asked = model.requests[0].messages[-1].text
    assert "An earlier attempt ended early" in asked
    assert "the window was too small" in asked
    if len(model.requests) > 1:
        assert ", as it did before this step" in model.requests[1].messages[-1].text
    return stages, stage, events, before


async def test_a_check_that_failed_before_is_told_apart_and_tried_once(tmp_path: Path) -> None:
    stages, _, events, _ = await staged(tmp_path, "done", "I cannot mend the other one")

    checks = [event for event in events if isinstance(event, ev.CheckFinished)]
    assert [(each.passed, each.failed_before) for each in checks] == [
        *((False, False), (False, True)),
        *((False, False), (False, True)),
    ]
    ran = [event.before for event in events if isinstance(event, ev.CommandRequested)]
    assert ran == [False, True, False, True, False, False], "each is told from the step's own"
    assert [name for name, on in stages.opened if on == ("below",)] == [
        *("mine", "mine-before", "mine-before")
    ]
    assert not (tmp_path / "stages" / "mine-before").exists()


async def test_a_check_that_took_long_is_not_run_again_to_tell(tmp_path: Path) -> None:
    stages = FolderStages(tmp_path, tmp_path / "stages", MemoryBlobs())
    slow = Check(FAILS, CommandResult(1, "exited", "", MOST_S + 1))
    killed = Check(FAILS, CommandResult(137, "timeout", "", 1.0))

    assert not await Before(stages, "mine", ()).failed(slow, lambda stage: stage)
    assert not await Before(stages, "mine", ()).failed(killed, lambda stage: stage)
    assert stages.opened == []


async def test_where_there_is_no_stage_to_tell_the_check_has_just_failed(tmp_path: Path) -> None:
    stages = FolderStages(tmp_path, tmp_path / "stages", MemoryBlobs())
    quick = Check(FAILS, CommandResult(1, "exited", "", 0.1))

    assert not await Before(stages, "mine", ("gone",)).failed(quick, lambda stage: stage)


async def test_a_rule_that_forbids_the_check_leaves_it_unknown(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    stages = FolderStages(tmp_path / "ws", tmp_path / "stages", MemoryBlobs())
    quick = Check(FAILS, CommandResult(1, "exited", "", 0.1))

    def forbidding(stage: Stage) -> Stage:
        async def run(command: Command, *, on_output: object = None) -> CommandResult:
            del command, on_output
            raise ToolError("not allowed")

        stage.run = run  # pyright: ignore[reportAttributeAccessIssue]
        return stage

    assert not await Before(stages, "mine", (), forbidding).failed(quick, lambda stage: stage)
    assert not (tmp_path / "stages" / "mine-before").exists()


# --- tools that act on the real workspace ----------------------------------------------


class Committing:
    """Commits, as far as a test can tell."""

    def __init__(self) -> None:
        self.spec = builtin_tools(["shell"])["shell"].spec
        self.calls = 0

    async def call(self, arguments: object, context: object) -> str:
        del arguments, context
        self.calls += 1
        return "committed"


async def test_what_acts_on_the_real_workspace_waits_for_the_reviews_below(
    tmp_path: Path,
) -> None:
    house: House = build(tmp_path / "ws")
    plan = PlanView()
    steps = (Step("s1", "one"), Step("s2", "two"))
    tool = Committing()
    tools = alone({"commit": tool, **builtin_tools(["read_file"])}, ["commit"], plan)
    context = ToolContext(await house.run.stages.open("a"), ScriptedAsker(), house.workspace)
    happened: list[ev.Event] = [
        ev.TaskGiven("t"),
        ev.PlanProposed("t", "p", steps),
        ev.StepStarted("s1", 1, "a", "overlay+bubblewrap"),
        ev.StepStaged("s1", "blob", ("x",), checks_passed=True),
        ev.StepStarted("s2", 1, "b", "overlay+bubblewrap", ("a",)),
    ]
    for seq, event in enumerate(happened, 1):
        plan.apply(Record(seq, 0.0, "t", event, "", ""))

    with pytest.raises(ToolError, match="runs ahead on s1"):
        await tools["commit"].call({}, context)
    plan.apply(Record(9, 0.0, "t", ev.StepLanded("s1", "l", ("x",)), "", ""))
    assert await tools["commit"].call({}, context) == "committed"
    assert tool.calls == 1
