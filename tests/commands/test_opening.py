"""What opening the app reads of a strange repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from turbo_tui.commands.opening import ago, branch_of


def test_the_branch_is_read_from_head(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    assert branch_of(tmp_path) == "feature/x"

    (tmp_path / ".git" / "HEAD").write_text("0123456789abcdef\n")
    assert branch_of(tmp_path) == "01234567"


def test_the_branch_of_a_worktree_is_read_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: ../elsewhere\n")

    assert branch_of(tmp_path / "tree") == "main"


def test_a_pipe_in_place_of_head_does_not_hang_the_app(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git" / "HEAD")

    assert branch_of(tmp_path) == ""
    assert branch_of(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "just now"), (60, "1 minute ago"), (200_000, "2 days ago")]
)
def test_how_long_ago_is_said_in_words(seconds: float, words: str) -> None:
    assert ago(seconds) == words
