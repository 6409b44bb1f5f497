"""Reading what is staged, and committing it, with real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from turbo_tui.core.errors import ToolError
from turbo_tui.engine.commit_message import StagedFile
from turbo_tui.vcs.repository import CommandLineGit


def _git(folder: Path, *argv: str, check: bool = True) -> str:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    ran = subprocess.run(
        ["git", *settings, *argv], cwd=folder, check=check, capture_output=True, text=True
    )
    return ran.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, and an author in its own config."""
    _git(tmp_path, "init", "-q", "-b", "main")
    _git(tmp_path, "config", "user.name", "A")
    _git(tmp_path, "config", "user.email", "a@example.org")
    _git(tmp_path, "config", "commit.gpgsign", "false")
    (tmp_path / "a b.py").write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "gone").write_text("x\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "start")
    return tmp_path


async def test_staged_files_are_read_with_names_kinds_and_counts(repository: Path) -> None:
    _git(repository, "mv", "a b.py", "ü\tc.py")
    _git(repository, "rm", "-q", "gone")
    (repository / "new.bin").write_bytes(b"\0\1")
    _git(repository, "add", "new.bin")
    (repository / "unstaged").write_text("")

    staged = await CommandLineGit().staged(repository)

    assert set(staged.files) == {
        StagedFile("ü\tc.py", "renamed", "a b.py", 0, 0),
        StagedFile("gone", "deleted", "", 0, 1),
        StagedFile("new.bin", "added", "", None, None),
    }
    assert staged.branch == "main"


async def test_reading_runs_nothing_that_the_repository_configures(repository: Path) -> None:
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{repository}/sprung'\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv"):
        _git(repository, "config", key, str(trap))
    (repository / ".gitattributes").write_text("* diff=x\n")
    (repository / "gone").write_text("y\n")
    _git(repository, "-c", "core.fsmonitor=false", "add", "gone")

    assert (await CommandLineGit().staged(repository)).files

    assert not (repository / "sprung").exists()


async def test_a_partial_clone_cannot_have_its_own_command_fetch_what_it_lacks(
    repository: Path,
) -> None:
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{repository}/sprung'\n")
    trap.chmod(0o755)
    (repository / "a b.py").write_text("changed\n")
    _git(repository, "add", "a b.py")
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", str(repository)),
        ("remote.origin.uploadpack", str(trap)),
    ):
        _git(repository, "config", key, value)
    blob = _git(repository, "rev-parse", "HEAD:a b.py").strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(ToolError, match="cannot be read by git"):
        await CommandLineGit().staged(repository)

    assert not (repository / "sprung").exists()


async def test_a_program_of_the_workspace_is_not_taken_for_git(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = repository / "git"
    planted.write_text(f"#!/bin/sh\ntouch '{repository}/sprung'\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", f".:{repository}:{os.environ['PATH']}")

    await CommandLineGit().staged(repository)

    assert not (repository / "sprung").exists()


async def test_the_fingerprint_follows_index_and_head(repository: Path) -> None:
    git = CommandLineGit()
    (repository / "gone").write_text("y\n")
    before = (await git.staged(repository)).fingerprint
    _git(repository, "add", "gone")
    after = (await git.staged(repository)).fingerprint

    assert before != after
    assert after == (await git.staged(repository)).fingerprint


async def test_a_commit_runs_the_users_hooks(repository: Path) -> None:
    hook = repository / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho hook ran; exit 1\n")
    hook.chmod(0o755)
    (repository / "gone").write_text("y\n")
    _git(repository, "add", "gone")

    with pytest.raises(ToolError, match=r"did not commit.*\n.*hook ran"):
        await CommandLineGit().commit(repository, "no\n")

    hook.unlink()
    assert "fix: y" in await CommandLineGit().commit(repository, "fix: y\n\nbody\n")
    assert _git(repository, "log", "-1", "--format=%B").strip() == "fix: y\n\nbody"


async def test_a_repository_without_commits_is_read(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a").write_text("x\n")
    _git(tmp_path, "add", "a")

    assert (await CommandLineGit().staged(tmp_path)).files == (StagedFile("a", "added", "", 1, 0),)


async def test_no_repository_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot be read by git: .*not a git repository"):
        await CommandLineGit().staged(tmp_path)


async def test_an_unfinished_merge_is_refused(repository: Path) -> None:
    _git(repository, "switch", "-qc", "other")
    (repository / "gone").write_text("theirs\n")
    _git(repository, "commit", "-qam", "theirs")
    _git(repository, "switch", "-q", "main")
    (repository / "gone").write_text("ours\n")
    _git(repository, "commit", "-qam", "ours")
    _git(repository, "merge", "-q", "other", check=False)

    with pytest.raises(ToolError, match="merge is not finished: resolve gone"):
        await CommandLineGit().staged(repository)
