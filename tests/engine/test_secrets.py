"""What the workspace's secrets are to a model: names at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_roles import Bench, calling
from tests.fakes import FolderStage, ScriptedModel
from turbo_tui.core import events as ev
from turbo_tui.core.plan import Step
from turbo_tui.core.redact import Redactor
from turbo_tui.core.secret_files import is_secret

SECRET = "correct-horse-battery"


@pytest.fixture
def stage(tmp_path: Path) -> FolderStage:
    (tmp_path / ".env").write_text(f"API_KEY={SECRET}\n")
    (tmp_path / "app.py").write_text("API_KEY = read()\n")
    return FolderStage(tmp_path)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read_file", {"path": ".env"}),
        ("read_file", {"path": "./.env"}),
        ("edit_file", {"path": ".env", "old": "a", "new": "b"}),
        ("move_file", {"path": ".env", "target": "x.txt"}),
        ("search_text", {"query": "API_KEY"}),
        ("shell", {"command": "cat .env"}),
        ("shell", {"command": f"printf '{SECRET[:9]}'; printf '{SECRET[9:]}\\n'"}),
    ],
)
async def test_no_tool_shows_a_model_what_is_in_a_secret_file(
    stage: FolderStage, tool: str, arguments: dict[str, str]
) -> None:
    bench = Bench()
    bench.setting.redact = Redactor({"API_KEY": SECRET})
    model = ScriptedModel(calling(tool, **arguments), "Done.")

    # The planner expects it to change: that does not make it the user's wish.
    step = Step("s1", "one", files=(".env",))
    await bench.runner(model).run(step, stage, feedback="", history=bench.views)

    answer = model.requests[-1].messages[-1].text
    assert SECRET not in answer
    assert SECRET not in "".join(m.text for m in model.requests[0].messages)


async def test_a_secret_file_that_the_user_pinned_is_read(stage: FolderStage) -> None:
    bench = Bench()
    bench.session.append(ev.TaskGiven("t", ("./.env",)))
    model = ScriptedModel(calling("read_file", path=".env"), "Done.")

    await bench.runner(model).run(Step("s1", "one"), stage, feedback="", history=bench.views)

    assert SECRET in model.requests[-1].messages[-1].text


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env.local", True), ("prod.env", True), (".env.example", False), ("a/.env.SAMPLE", False),
        ("home/.aws/credentials", True), ("x/secrets.yaml", True), ("secrets.py", False),
        (".git-credentials", True), ("docs/keys.md", False), ("environment.ts", False),
        ("prod.tfvars", True), ("service-account.json", True), ("kubeconfig", True),
    ],
)  # fmt: skip
def test_a_template_of_a_secret_is_none(path: str, *, secret: bool) -> None:
    assert is_secret(path) is secret
