"""An answer for a project holds in the next session; secrets are shown where the user says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from turbo_tui.core import events as ev
from turbo_tui.core.command import Command
from turbo_tui.core.errors import ConfigError
from turbo_tui.core.plan import Action, Plan, Step
from turbo_tui.core.ports import Record
from turbo_tui.engine.run import Run
from turbo_tui.projects import FILE
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.running import open_run

PROJECTS = Path("home/config") / FILE


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/.env.test").write_text("TOKEN=for-the-tests\n")
    return tmp_path / "shop"


def plan_of(command: str, step: str = "s1") -> Plan:
    """Return a plan whose one step runs a command that wants the network."""
    action = Action("shell", {"command": command, "network": True, "reason": "it says so"})
    return Plan("reach out", "by hand", (Step(step, "reach out", actions=(action,)),))


@asynccontextmanager
async def run_on(root: Path) -> AsyncGenerator[Run]:
    opened = await open_run(open_workspace(root, here=True))
    try:
        yield opened.run
    finally:
        await opened.run.close()


async def asked(run: Run) -> ev.ApprovalAsked:
    """Wait until something waits for an answer."""
    came = asyncio.Event()

    def look(record: Record) -> None:
        if isinstance(record.event, ev.ApprovalAsked):
            came.set()

    run.session.subscribe(look)
    run.go()
    async with asyncio.timeout(100):
        await came.wait()
    return next(iter(run.views.asks.waiting.values()))


async def answers_to(run: Run) -> list[str]:
    """Run to the end with nobody there; return which rules answered."""
    rules: list[str] = []

    def note(record: Record) -> None:
        if isinstance(record.event, ev.ApprovalAnswered):
            rules.append(record.event.by_rule)

    run.session.subscribe(note)
    run.go()
    async with asyncio.timeout(100):
        await run.idle()
    return rules


async def test_an_answer_for_the_project_is_not_asked_again_in_the_next_session(
    shop: Path, tmp_path: Path
) -> None:
    async with run_on(shop) as run:
        run.adopt_plan(plan_of("echo first"))
        question = await asked(run)
        assert question.scopes == ("once", "step", "plan", "project", "no")
        run.answer(question.ask_id, "project")
        await run.idle()
        run.adopt_plan(plan_of("echo first", "s2"))
        assert await answers_to(run) == ["allowed for this project"]

    assert 'subject = "echo first"' in (tmp_path / PROJECTS).read_text()
    async with run_on(shop) as later:
        later.adopt_plan(plan_of("echo first"))
        assert await answers_to(later) == ["allowed for this project"]
        later.adopt_plan(plan_of("echo first; echo more", "s2"))
        question = await asked(later)
        later.answer(question.ask_id, "no")
        await later.idle()


async def test_a_plan_keeps_the_branch_that_it_began_on(shop: Path) -> None:
    (shop / ".git").mkdir()
    (shop / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    async with run_on(shop) as run:
        run.adopt_plan(plan_of("echo first"))
        (shop / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        session = run.session.session_id

    opened = await open_run(open_workspace(shop, here=True), session_id=session)
    await opened.run.close()

    assert opened.run.views.plan.branch == "feature/x"


async def test_another_project_is_asked_all_the_same(shop: Path, tmp_path: Path) -> None:
    open_workspace(shop, here=True).project.give("network", "echo first")
    (tmp_path / "other").mkdir()

    async with run_on(tmp_path / "other") as run:
        run.adopt_plan(plan_of("echo first"))
        question = await asked(run)
        run.answer(question.ask_id, "no")
        await run.idle()


async def test_an_answer_that_cannot_be_kept_leaves_the_question_open(
    shop: Path, tmp_path: Path
) -> None:
    async with run_on(shop) as run:
        run.adopt_plan(plan_of("echo first"))
        question = await asked(run)
        (tmp_path / PROJECTS).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / PROJECTS).write_text("[half")

        with pytest.raises(ConfigError, match="is not valid TOML"):
            run.answer(question.ask_id, "project")

        assert run.views.asks.waiting
        run.answer(question.ask_id, "plan")
        await run.idle()
    assert (tmp_path / PROJECTS).read_text() == "[half"


async def test_a_denying_rule_of_the_project_comes_before_its_answers(
    shop: Path, tmp_path: Path
) -> None:
    open_workspace(shop, here=True).project.give("network", "git push")
    with (tmp_path / PROJECTS).open("a") as file:
        file.write(f'\n[["{shop}".rules]]\neffect = "deny"\nkind = "command"\npattern = ["git"]\n')

    async with run_on(shop) as run:
        run.adopt_plan(plan_of("git push"))

        assert await answers_to(run) == ["deny command git"]


@pytest.mark.parametrize(("shown", "output"), [([], ""), ([".env.test"], "TOKEN=")])
async def test_secret_files_are_shown_to_commands_where_the_user_says_so(
    shown: list[str], output: str, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / PROJECTS).parent.mkdir(parents=True)
    (tmp_path / PROJECTS).write_text(f'["{shop}"]\nshow_secrets = {shown}\n')
    workspace = open_workspace(shop, here=True)
    stages = await workspace.stages()
    if stages.report.level != "full":
        pytest.skip("nothing hides secrets from commands here")
    stage = await stages.open("secrets")
    try:
        result = await stage.run(Command(("cat", ".env.test")))
    finally:
        await stage.close()
        await stages.discard("secrets")

    assert result.output[:6] == output


@pytest.mark.parametrize("shown", [False, True])
async def test_a_tool_reads_a_secret_file_only_where_the_user_says_so(
    shown: bool,  # noqa: FBT001  a table of two
    shop: Path,
    tmp_path: Path,
) -> None:
    globs = '["*.test"]' if shown else "[]"
    (tmp_path / PROJECTS).parent.mkdir(parents=True)
    (tmp_path / PROJECTS).write_text(f'["{shop}"]\nshow_secrets = {globs}\n')
    action = Action("read_file", {"path": ".env.test"})

    async with run_on(shop) as run:
        run.adopt_plan(Plan("read", "by hand", (Step("s1", "read it", actions=(action,)),)))
        run.go()
        await run.idle()
        log = "\n".join(f"{each.title} {each.body}" for each in run.views.log.entries)

    assert ("likely holds secrets" in log) is not shown
