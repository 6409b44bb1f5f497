"""The run in the hands of a hostile model and an impatient user."""

from __future__ import annotations

from pathlib import Path

from tests.engine.test_run import House, WritingRunner, build, staged
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.redact import Redactor
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views
from turbo_tui.engine.run import StepResult


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
    house.run.session = session
