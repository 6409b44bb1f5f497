"""The demo: its project, its recording, and the whole way through the real parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.turbo import differences, whole_tree
from turbo_tui.adapters.recorded import RecordedModel, Recording, read_recording
from turbo_tui.core.errors import TaskError
from turbo_tui.core.models import Message, ModelRequest
from turbo_tui.demo import SESSION, prepare_demo
from turbo_tui.engine.planner import plan_from_json
from turbo_tui.engine.run import Run
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.minds import Recorded
from turbo_tui.wiring.running import open_run

REPORT = "tally/report.py"
UNWANTED = b"WIDTH = 32  # wide enough for any currency\n"


@pytest.fixture
def recording() -> Recording:
    return read_recording(SESSION)


@dataclass
class Demo:
    """The demo as `turbo-tui --demo` opens it, without the screen."""

    project: Path
    run: Run
    session_id: str

    async def to(self, step_id: str, status: str) -> None:
        """Wait until nothing runs; the step must then have come to a status."""
        await self.run.idle()
        state = self.run.views.plan.state(step_id)
        assert state is not None
        assert state.status == status, (state.status, state.reason)

    def unwanted(self) -> int:
        """Return the position of the hunk that widens the report."""
        change = next(c for c in self.run.change_set("s2").files if c.path == REPORT)
        shown = self.run.review.diff(change)
        assert shown is not None
        changed = [
            [line.content for line in hunk.lines if line.kind != " "] for hunk in shown.hunks
        ]
        (position,) = (at for at, lines in enumerate(changed) if UNWANTED in lines)
        assert len(changed[position]) == 2, "a hunk of its own"
        return position


@asynccontextmanager
async def demo(project: Path, recording: Recording, session_id: str = "") -> AsyncGenerator[Demo]:
    models = (RecordedModel(role, recording, pause_s=0) for role in ("planner", "executor"))
    opened = await open_run(
        open_workspace(project, here=True), session_id=session_id, recorded=Recorded(*models)
    )
    try:
        yield Demo(project, opened.run, opened.run.session.session_id)
    finally:
        await opened.run.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    return prepare_demo(tmp_path / "tally")


def output_of(project: Path, *module: str) -> str:
    ended = subprocess.run(
        (sys.executable, "-m", *module),
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


def unittest_in(project: Path) -> str:
    return output_of(project, "unittest").splitlines()[-1]


def test_the_projects_own_tests_pass_from_a_clean_repository(project: Path) -> None:
    status = subprocess.run(
        ("git", "status", "--porcelain"), cwd=project, capture_output=True, text=True, check=True
    )

    assert status.stdout == ""
    assert unittest_in(project) == "OK"


def test_without_git_the_demo_is_a_plain_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    project = prepare_demo(tmp_path / "tally")

    assert (project / REPORT).is_file()
    assert not (project / ".git").exists()


async def test_the_whole_way_lands_all_but_the_rejected_hunk(
    project: Path, recording: Recording
) -> None:
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        assert [state.step.id for state in it.run.views.plan.steps] == ["s1", "s2", "s3"]
        it.run.go()
        await it.to("s1", "staged")
        it.run.approve("s1")
        await it.to("s2", "staged")
        it.run.decide_hunk("s2", REPORT, it.unwanted(), accepted=False)
        it.run.approve("s2")
        await it.to("s3", "staged")
        it.run.approve("s3")
        await it.to("s3", "landed")

    report = (project / REPORT).read_text()
    assert "WIDTH = 24" in report
    assert 'def report(sales, currency=""):' in report
    assert unittest_in(project) == "OK"
    printed = output_of(project, "tally", "sales.csv", "EUR")
    assert printed.splitlines()[0] == "bread".ljust(16) + "3.20 EUR"
    assert "sales.csv EUR" in (project / "README.md").read_text()


async def test_with_the_hunk_the_tests_pass_as_well(project: Path, recording: Recording) -> None:
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        it.run.go()
        await it.to("s1", "staged")
        it.run.approve("s1")
        await it.to("s2", "staged")
        it.run.approve("s2")
        await it.run.idle()

    assert "WIDTH = 32" in (project / REPORT).read_text()
    assert unittest_in(project) == "OK"


async def test_nothing_is_written_before_approval(project: Path, recording: Recording) -> None:
    before = whole_tree(project)
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        it.run.go()
        await it.to("s1", "staged")
        it.run.reject("s1")
        await it.to("s1", "rejected")

    assert differences(before, whole_tree(project)) == []


async def test_a_retry_replays_the_step_from_its_start(project: Path, recording: Recording) -> None:
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        it.run.go()
        await it.to("s1", "staged")
        first = it.run.change_set("s1")
        it.run.retry("s1")
        await it.to("s1", "staged")

        again = it.run.change_set("s1")
        assert [(c.path, c.after and c.after.blob) for c in again.files] == [
            (c.path, c.after and c.after.blob) for c in first.files
        ]


async def test_feedback_is_answered_with_what_a_recording_cannot_do(
    project: Path, recording: Recording
) -> None:
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        it.run.go()
        await it.to("s1", "staged")
        it.run.reject("s1", "call it unit")
        await it.to("s1", "staged")

        said = [f"{entry.title} {entry.body}" for entry in it.run.views.log.entries]
        assert any("cannot act on feedback" in words for words in said)
        assert [c.path for c in it.run.change_set("s1").files] == [
            "tally/amounts.py",
            "tests/test_amounts.py",
        ]


async def test_a_resumed_demo_goes_on_where_it_was(project: Path, recording: Recording) -> None:
    async with demo(project, recording) as it:
        it.run.give_task(recording.task)
        await it.run.idle()
        it.run.go()
        await it.to("s1", "staged")
    async with demo(project, recording, it.session_id) as it:
        it.run.approve("s1")
        await it.to("s2", "staged")


async def test_another_task_is_refused_and_the_recorded_one_named(
    project: Path, recording: Recording
) -> None:
    async with demo(project, recording) as it:
        it.run.give_task("write a game")
        await it.run.idle()

        assert "recorded session" in it.run.views.plan.failure
        assert it.run.views.plan.nearest == (recording.task,)


async def test_words_stream_and_an_unknown_step_is_answered(recording: Recording) -> None:
    model = RecordedModel("executor", recording, pause_s=0)
    told: list[str] = []

    reply = await model.complete(
        ModelRequest((Message("user", "# Step\nSomething else\n\nDo it."),)), told.append
    )

    assert "only the steps of its own plan" in reply.text
    assert "".join(told).strip() == reply.text
    await model.close()


async def test_the_planner_refuses_by_error(recording: Recording) -> None:
    planner = RecordedModel("planner", recording)

    with pytest.raises(TaskError, match="its own task"):
        await planner.complete(ModelRequest((Message("user", "write a game"),)))


def test_every_step_of_the_recorded_plan_has_its_replies(recording: Recording) -> None:
    plan = plan_from_json({"task": recording.task, **recording.plan})

    assert [step.title for step in plan.steps] == list(recording.steps)
