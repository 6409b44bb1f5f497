"""What the user once agreed to lies in their state, and lapses when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.core.errors import WorkspaceError
from turbo_tui.trust import Consents, Trust


def workspace_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "ws" / ".turbo" / "recipes").mkdir(parents=True)
    (tmp_path / "ws" / ".turbo" / "recipes" / "a.toml").write_text(text)
    return tmp_path / "ws"


def test_trust_lapses_when_a_file_changes(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, "one")
    trust = Trust(tmp_path / "state")
    assert trust.asked_for(workspace)

    trust.give(workspace)
    assert Trust(tmp_path / "state").has(workspace)
    assert not trust.asked_for(workspace)

    (workspace / ".turbo" / "recipes" / "a.toml").write_text("two")
    assert not trust.has(workspace)
    assert trust.asked_for(workspace)


def test_a_link_in_place_of_the_folder_is_another_content(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, "one")
    trust = Trust(tmp_path / "state")
    trust.give(workspace)

    (workspace / ".turbo").rename(tmp_path / "elsewhere")
    (workspace / ".turbo").symlink_to(tmp_path / "elsewhere")

    assert not trust.has(workspace)


def test_a_project_without_settings_asks_for_nothing(tmp_path: Path) -> None:
    assert not Trust(tmp_path / "state").asked_for(tmp_path)


def test_consent_is_remembered_by_host(tmp_path: Path) -> None:
    Consents(tmp_path).give("ollama.com", "the task")

    assert Consents(tmp_path).has("ollama.com")
    assert not Consents(tmp_path).has("example.com")


def test_an_unreadable_store_means_not_agreed(tmp_path: Path) -> None:
    (tmp_path / "consents.json").write_text("[1")
    assert not Consents(tmp_path).has("ollama.com")
    (tmp_path / "consents.json").write_text("[1]")
    assert not Consents(tmp_path).has("ollama.com")


def test_an_answer_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(WorkspaceError, match="will be asked again"):
        Consents(tmp_path / "file").give("ollama.com", "the task")
