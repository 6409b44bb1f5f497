"""Which folder is meant, where state lies, and which sandbox is asked for."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from turbo_tui.core.errors import ConfigError, WorkspaceError
from turbo_tui.wiring import git_root, open_workspace
from turbo_tui.wiring.workspace import make_state, wanted_rung


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TURBO_TUI_RUNG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "src").mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    return tmp_path / "project"


# --- the folder ---------------------------------------------------------------------


def test_a_path_means_its_enclosing_git_root(project: Path) -> None:
    assert open_workspace(project / "src").root == project
    assert git_root(project / "src") == project


def test_here_means_the_path_itself(project: Path) -> None:
    assert open_workspace(project / "src", here=True).root == project / "src"


def test_a_worktree_is_known_by_its_git_file(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: /elsewhere")

    assert git_root(tmp_path / "tree") == tmp_path / "tree"


def test_without_git_the_folder_itself_is_meant(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    assert git_root(tmp_path / "plain") == tmp_path / "plain"


def test_a_link_is_followed_to_the_folder(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)

    assert open_workspace(tmp_path / "link").root == project


@pytest.mark.parametrize("name", ["gone", "loop"])
def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    with pytest.raises(WorkspaceError, match="there is no such folder"):
        open_workspace(tmp_path / name)


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")

    with pytest.raises(WorkspaceError, match="is a file, not a folder"):
        open_workspace(tmp_path / "a.py")


def test_state_within_the_workspace_is_refused_with_a_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(project / "mine"))

    with pytest.raises(WorkspaceError, match="TURBO_TUI_HOME or XDG_STATE_HOME"):
        open_workspace(project)


def test_a_projects_settings_count_only_when_trusted(project: Path) -> None:
    (project / ".turbo").mkdir()
    (project / ".turbo" / "config.toml").write_text(
        '[executor]\nbase_url = "http://127.0.0.1:1"\nmodel = "theirs"\n'
    )
    fresh = open_workspace(project)
    assert not fresh.trusted
    assert not fresh.settings.executor.configured

    fresh.trust.give(project)

    trusted = open_workspace(project)
    assert trusted.trusted
    assert trusted.settings.executor.model == "theirs"


@pytest.mark.parametrize("inside", ["", "hooks"])
def test_a_repository_without_files_is_no_workspace(tmp_path: Path, inside: str) -> None:
    bare = tmp_path / "bare.git"
    for name in ("objects", "refs", "hooks", "tree"):
        (bare / name).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (bare / "tree" / ".git").write_text(f"gitdir: {bare}/worktrees/tree\n")

    with pytest.raises(WorkspaceError, match="Open a clone or a worktree of it"):
        open_workspace(bare / inside)
    assert open_workspace(bare / "tree").root == bare / "tree", "a worktree may lie in it"


def test_the_home_folder_is_no_project_and_the_way_to_one_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project.parent
    monkeypatch.setenv("HOME", str(home))

    with pytest.raises(WorkspaceError, match=r"is your home folder .* Go into one, or name it"):
        open_workspace(home)
    (home / ".git").mkdir()
    (home / "notes").mkdir()
    with pytest.raises(WorkspaceError, match=r"git root of .*notes: .* `--here` keeps to notes"):
        open_workspace(home / "notes")


def test_a_current_folder_that_was_deleted_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(WorkspaceError, match="The current folder is not there any more"):
        open_workspace()


# --- the state folder ----------------------------------------------------------------


def test_the_state_folder_is_for_the_users_eyes_only(tmp_path: Path) -> None:
    make_state(tmp_path / "deep" / "state")

    assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o700


def test_a_file_in_place_of_the_state_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(WorkspaceError, match=rf"{tmp_path}/state: sessions cannot be kept here"):
        make_state(tmp_path / "state")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)

    with pytest.raises(WorkspaceError, match="it is not writable"):
        make_state(tmp_path / "state")


def test_stages_are_not_made_where_state_cannot_lie(project: Path, home: Path) -> None:
    home.write_text("")

    with pytest.raises(WorkspaceError, match="TURBO_TUI_HOME"):
        asyncio.run(open_workspace(project).stages())


# --- the rung ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("auto", ("auto", "")),
        ("", ("auto", "")),
        ("overlay+bubblewrap", ("overlay", "bubblewrap")),
        ("copy+unsandboxed", ("copy", "unsandboxed")),
        ("copy", ("copy", "")),
        ("landlock", ("auto", "landlock")),
    ],
)
def test_a_rung_is_a_tree_and_a_confiner_or_one_of_them(words: str, meant: tuple[str, str]) -> None:
    assert wanted_rung(words) == meant


def test_a_word_that_is_no_rung_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="overlay, copy with one of bubblewrap, landlock"):
        wanted_rung("overlay+docker")


async def test_the_rung_of_the_environment_goes_before_the_settings(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text('[sandbox]\nrung = "overlay+bubblewrap"\n')
    monkeypatch.setenv("TURBO_TUI_RUNG", "copy+unsandboxed")
    workspace = open_workspace(project)

    stages = await workspace.stages()

    assert stages.report.rung == "copy+unsandboxed"
    assert await workspace.stages() is stages, "probed once"
