"""What a repository may bring about on the user's side: nothing before it is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session_fakes import MemoryEventStore
from turbo_tui.config import ModelSettings
from turbo_tui.core import events as ev
from turbo_tui.core.errors import ModelRefusedError
from turbo_tui.core.models import Message, ModelRequest
from turbo_tui.core.session import Session
from turbo_tui.engine.approval import Asks
from turbo_tui.trust import Consents
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.models import consented, model_of
from turbo_tui.wiring.reading import secrets_in
from turbo_tui.wiring.running import open_run


async def test_a_key_that_a_project_names_is_asked_for_by_name_also_at_a_known_host(
    tmp_path: Path,
) -> None:
    consents = Consents(tmp_path)
    consents.give("models.example", "the task")
    settings = ModelSettings(
        base_url="https://models.example", model="m", key_env="GITHUB_TOKEN", origin="project"
    )
    store = MemoryEventStore("s")
    asks = Asks(Session(store, clock=lambda: 0.0).append, approve="none")
    made = model_of(settings, environment={"GITHUB_TOKEN": "secret-token"})
    model = consented(made, settings, "planner", consents, asks)

    with pytest.raises(ModelRefusedError, match="Nothing was sent"):
        await model.complete(ModelRequest((Message("user", "hello"),)))

    asked = store.records[0].event
    assert isinstance(asked, ev.ApprovalAsked)
    assert asked.subject == "models.example"
    assert "$GITHUB_TOKEN" in asked.reason
    await model.close()


async def test_a_strangers_broken_settings_are_told_and_the_workspace_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    settings = tmp_path / "ws" / ".turbo" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[broken")

    opened = await open_run(open_workspace(tmp_path / "ws", here=True))
    titles = [entry.title for entry in opened.run.views.log.entries]
    await opened.run.close()

    assert any(str(settings) in title for title in titles)


def test_the_workspaces_own_secrets_are_known_by_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export API_KEY='correct-horse'\nNAME=visible-name\n")
    (tmp_path / ".env.example").write_text("API_KEY=your-key-here\n")
    (tmp_path / ".env.link").symlink_to("/dev/zero")

    assert secrets_in(tmp_path) == {"API_KEY": "correct-horse"}
