"""What the user once agreed to lies in their state, and lapses when it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from turbo_tui.core.errors import WorkspaceError
from turbo_tui.trust import MOST_BYTES, Consents, Trust, project_files


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


def test_what_a_link_leads_to_is_neither_read_nor_trusted(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, "one")
    (tmp_path / "private.toml").write_text("secret")
    (workspace / ".turbo" / "config.toml").symlink_to(tmp_path / "private.toml")
    (workspace / ".env").symlink_to("/dev/zero")

    files = project_files(workspace)

    assert dict(files.contents) == {".turbo/recipes/a.toml": b"one"}
    assert set(files.others) == {".turbo/config.toml", ".env"}


def test_pipes_and_huge_and_deep_things_do_not_hold_us_up(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, "one")
    os.mkfifo(workspace / ".turbo" / "config.toml")
    (workspace / ".env").write_bytes(b"x" * (MOST_BYTES + 1))
    (workspace / ".turbo" / "/".join("a" * 900)).mkdir(parents=True)

    files = project_files(workspace)

    assert list(files.contents) == [".turbo/recipes/a.toml"]
    assert files.others[".turbo/config.toml"] == "no regular file"
    assert "larger than" in files.others[".env"]


def test_trust_is_given_to_what_was_read_not_to_what_came_meanwhile(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path, "one")
    trust = Trust(tmp_path / "state")
    seen = project_files(workspace)
    (workspace / ".turbo" / "config.toml").write_text("[planner]\n")

    trust.give(workspace, seen)

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
