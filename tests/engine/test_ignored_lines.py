"""The line of ignored files, switched on and landed: their contents come from the stage."""

from __future__ import annotations

from pathlib import Path

from tests.engine.test_run import House, WritingRunner, build, staged
from tests.stage_fakes import OpenConfiner
from turbo_tui.core import events as ev
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import Views
from turbo_tui.engine.stepping import StepResult
from turbo_tui.sandbox.staging.stages import open_stages


class InstallingRunner(WritingRunner):
    """Writes a file, and one that git ignores."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        stage.files.write("node_modules/x.js", b"installed\n")
        return await super().run(step, stage, feedback=feedback, history=history)


async def house_of(tmp_path: Path) -> House:
    """A step under review whose stage is a real one."""
    house = build(tmp_path / "ws", runner=InstallingRunner())
    (house.workspace / ".gitignore").write_text("node_modules/\n")
    house.run.footing.stages = open_stages(
        house.workspace, tmp_path / "state", house.blobs, OpenConfiner(), rung="copy"
    )
    await staged(house)
    return house


async def test_a_line_that_was_switched_on_lands_with_its_contents(tmp_path: Path) -> None:
    house = await house_of(tmp_path)

    house.run.decide_ignored("s1", "node_modules", accepted=True)
    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses()["s1"] == "landed"
    assert (house.workspace / "node_modules" / "x.js").read_text() == "installed\n"


async def test_a_line_whose_contents_are_gone_is_refused_and_the_rest_still_lands(
    tmp_path: Path,
) -> None:
    house = await house_of(tmp_path)
    (written,) = (tmp_path / "state" / "stages").glob("*/tree/node_modules/x.js")
    written.write_text("altered\n")

    house.run.decide_ignored("s1", "node_modules", accepted=True)
    house.run.approve("s1")
    await house.run.idle()
    noted = [r.event.text for r in house.store.read() if isinstance(r.event, ev.Noted)]
    refused = house.statuses()["s1"], sorted(path.name for path in house.workspace.iterdir())
    house.run.decide_ignored("s1", "node_modules", accepted=False)
    house.run.approve("s1")
    await house.run.idle()

    assert refused == ("staged", [".gitignore"])
    assert len(noted) == 1
    assert "node_modules/x.js is not what was reviewed any more. Switch their line off" in noted[0]
    assert (house.workspace / "s1.txt").exists()
    assert not (house.workspace / "node_modules").exists()
