"""Committing asks first, for exactly what is staged, and says what it did."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import Ask, ToolContext, Verdict
from turbo_tui.tools.git_commit import GitCommit
from turbo_tui.vcs.repository import CommandLineGit


def _git(folder: Path, *argv: str) -> str:
    ran = subprocess.run(["git", *argv], cwd=folder, check=True, capture_output=True, text=True)
    return ran.stdout


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a staged new file."""
    _git(tmp_path, "init", "-q", "-b", "main")
    for key, value in (("user.name", "A"), ("user.email", "a@b"), ("commit.gpgsign", "false")):
        _git(tmp_path, "config", key, value)
    (tmp_path / "parser.py").write_text("def feed():\n    pass\n")
    _git(tmp_path, "add", "parser.py")
    return tmp_path


def _context(workspace: Path, *verdicts: Verdict) -> tuple[ToolContext, ScriptedAsker]:
    asker = ScriptedAsker(*verdicts)
    return ToolContext(FolderStage(workspace), asker, workspace), asker


async def test_a_commit_is_asked_for_with_its_exact_command_and_made(workspace: Path) -> None:
    context, asker = _context(workspace, Verdict(allowed=True))

    said = await GitCommit(CommandLineGit()).call({}, context)

    assert asker.asked[0].action == "commit"
    assert asker.asked[0].subject == "git commit -m 'feat(parser): add feed'"
    assert "  A parser.py  +2 -0" in asker.asked[0].reason
    assert _git(workspace, "log", "--format=%s").strip() == "feat(parser): add feed"
    assert said.startswith("Committed on main:\n\nfeat(parser): add feed\n")


async def test_a_message_of_the_user_is_taken_as_it_is(workspace: Path) -> None:
    context, _asker = _context(workspace, Verdict(allowed=True))

    await GitCommit(CommandLineGit()).call({"message": "It's $HOME; `x`"}, context)

    assert _git(workspace, "log", "--format=%s").strip() == "It's $HOME; `x`"


async def test_a_no_commits_nothing(workspace: Path) -> None:
    context, _asker = _context(workspace, Verdict(allowed=False, feedback="not yet"))

    with pytest.raises(ToolError, match="did not allow the commit: not yet"):
        await GitCommit(CommandLineGit()).call({}, context)

    assert _git(workspace, "status", "--short").startswith("A  parser.py")


async def test_nothing_staged_is_refused_without_asking(workspace: Path) -> None:
    _git(workspace, "rm", "-q", "--cached", "parser.py")
    context, asker = _context(workspace, Verdict(allowed=True))

    with pytest.raises(ToolError, match="Nothing is staged"):
        await GitCommit(CommandLineGit()).call({}, context)

    assert asker.asked == []


async def test_an_index_that_changes_under_the_question_is_not_committed(workspace: Path) -> None:
    async def answer_late(ask: Ask) -> Verdict:
        del ask
        (workspace / "more.py").write_text("x = 1\n")
        _git(workspace, "add", "more.py")
        return Verdict(allowed=True)

    context = ToolContext(FolderStage(workspace), answer_late, workspace)

    with pytest.raises(ToolError, match="changed while the question was open"):
        await GitCommit(CommandLineGit()).call({}, context)

    assert _git(workspace, "status", "--short").count("A  ") == 2
