"""Secrets of a stage are not read for a model, whatever name leads to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderFiles
from turbo_tui.core.errors import ToolError
from turbo_tui.engine.gating import GuardedFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("TOKEN=1")
    (tmp_path / "plain.txt").write_text("plain")
    (tmp_path / "a.txt").symlink_to(".env")
    (tmp_path / "b.txt").symlink_to("plain.txt")
    (tmp_path / "up").symlink_to(".")
    return tmp_path


@pytest.mark.parametrize("path", [".env", "./.env", "a.txt", "up/a.txt", "up/up/.env"])
def test_a_secret_is_read_by_no_name(root: Path, path: str) -> None:
    files = GuardedFiles(FolderFiles(root), ())

    with pytest.raises(ToolError, match="likely holds secrets"):
        files.read(path)
    with pytest.raises(ToolError, match="likely holds secrets"):
        files.move(path, "shown.txt")


def test_what_leads_to_no_secret_is_read(root: Path) -> None:
    files = GuardedFiles(FolderFiles(root), ())

    assert files.read("b.txt") == b"plain"
    assert files.real("up/b.txt") == "plain.txt"
    with pytest.raises(ToolError, match="no file"):
        files.read("missing.txt")


def test_a_pinned_secret_is_read_by_any_name_and_a_pinned_link_shows_no_secret(root: Path) -> None:
    assert GuardedFiles(FolderFiles(root), [".env"]).read("a.txt") == b"TOKEN=1"
    with pytest.raises(ToolError, match="likely holds secrets"):
        GuardedFiles(FolderFiles(root), ["a.txt"]).read("a.txt")
