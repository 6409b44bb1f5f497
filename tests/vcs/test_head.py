"""Which branch a workspace is on."""

from __future__ import annotations

import os
from pathlib import Path

from turbo_tui.vcs.head import branch_of


def test_the_branch_is_read_from_head(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    assert branch_of(tmp_path) == "feature/x"

    (tmp_path / ".git" / "HEAD").write_text("0123456789abcdef\n")
    assert branch_of(tmp_path) == "detached 01234567"


def test_a_folder_of_a_repository_is_on_its_branch(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "packages" / "one").mkdir(parents=True)

    assert branch_of(tmp_path / "packages" / "one") == "main"


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
