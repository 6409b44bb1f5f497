"""What of a home folder is shown: tools, never keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.sandbox.environment import environment
from turbo_tui.sandbox.toolchains import SYSTEM_PATH, Toolchains, detect


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "user"
    for name in (
        *(".pyenv/shims", ".nvm/versions/node/v20/bin", ".cargo/bin", ".cargo/registry", ".rustup"),
        *("go/bin", ".local/bin", ".local/share/uv", ".sdkman/candidates", ".ssh", ".aws"),
    ):
        (folder / name).mkdir(parents=True)
    (folder / ".cargo" / "credentials.toml").write_text("token")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


def find(workspace: Path, home: Path, **environ: str) -> Toolchains:
    return detect(workspace, home, environ, (home.parent,))


def installation(prefix: Path) -> Path:
    """Make what looks like a Python installation; return its interpreter."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib" / "python3.12").mkdir(parents=True)
    (prefix / "lib" / "python3.12" / "os.py").touch()
    (prefix / "bin" / "python3.12").touch()
    return prefix / "bin" / "python3.12"


def venv(folder: Path, interpreter: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(interpreter)
    (folder / "pyvenv.cfg").touch()
    return folder


def test_tools_are_shown_and_keys_are_not(workspace: Path, home: Path) -> None:
    tools = find(workspace, home)

    shown = {str(folder.relative_to(home)) for folder in tools.folders}
    assert shown == {
        *(".pyenv", ".nvm", ".cargo/bin", ".rustup", "go/bin"),
        *(".local/bin", ".local/share/uv", ".sdkman/candidates"),
    }
    assert tools.caches == ((home / ".cargo/registry", ".cargo/registry"),)
    assert tools.env["PYENV_ROOT"] == str(home / ".pyenv")
    assert "CARGO_HOME" not in tools.env


def test_the_workspaces_environment_is_first_then_the_users_order(
    workspace: Path, home: Path
) -> None:
    path = f"{home}/.cargo/bin:{home}/.ssh:relative::/usr/bin:{home}/.pyenv/shims"

    tools = find(workspace, home, PATH=path)

    assert tools.path[:4] == (
        *(f"{workspace}/.venv/bin", f"{home}/.cargo/bin", "/usr/bin", f"{home}/.pyenv/shims"),
    )
    assert set(SYSTEM_PATH) <= set(tools.path)
    assert len(set(tools.path)) == len(tools.path)
    assert not [entry for entry in tools.path if ".ssh" in entry]


def test_the_interpreter_behind_a_virtual_environment_is_shown(workspace: Path, home: Path) -> None:
    interpreter = installation(home / "builds" / "py312")
    venv(workspace / ".venv", interpreter)

    assert home / "builds" / "py312" in find(workspace, home).folders


def test_a_planted_link_shows_nothing(workspace: Path, home: Path) -> None:
    (home / ".ssh" / "bin").mkdir()
    (home / ".ssh" / "bin" / "python").touch()
    venv(workspace / ".venv", home / ".ssh" / "bin" / "python")
    venv(workspace / "venv", workspace / "venv" / "bin" / "python")

    assert not [folder for folder in find(workspace, home).folders if ".ssh" in str(folder)]


def test_an_active_environment_outside_the_workspace_is_shown(workspace: Path, home: Path) -> None:
    active = venv(home / "envs" / "a", installation(home / "builds" / "py312"))

    tools = find(workspace, home, VIRTUAL_ENV=str(active))

    assert active in tools.folders
    assert home / "builds" / "py312" in tools.folders
    assert tools.env["VIRTUAL_ENV"] == str(active)
    assert tools.path[0] == f"{active}/bin"
    assert "VIRTUAL_ENV" not in find(workspace, home, VIRTUAL_ENV=str(home / ".ssh")).env


def test_a_variable_can_move_a_tool_but_not_show_the_home_folder(
    workspace: Path, home: Path
) -> None:
    (home / "tools" / "nvm").mkdir(parents=True)

    moved = find(workspace, home, NVM_DIR=str(home / "tools" / "nvm"))
    broad = find(workspace, home, NVM_DIR=str(home), PYENV_ROOT="/", RUSTUP_HOME="rel")

    assert home / "tools" / "nvm" in moved.folders
    assert home not in broad.folders
    assert Path("/") not in broad.folders


def test_tools_in_the_workspace_or_in_the_open_need_not_be_shown(tmp_path: Path) -> None:
    (tmp_path / ".pyenv").mkdir()

    assert detect(tmp_path, tmp_path, {}, (Path("/"),)).folders == ()
    assert detect(tmp_path / "ws", tmp_path, {}, ()).folders == ()


def test_the_environment_is_a_list_of_what_is_kept() -> None:
    host = {
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "SSH_AUTH_SOCK": "/run/agent",
        "LD_PRELOAD": "/evil.so",
        "HTTPS_PROXY": "http://user:password@proxy",
    }

    def made(*, network: bool, **extra: str) -> dict[str, str]:
        return environment(
            host,
            path=("/a", "/b"),
            home="/h",
            scratch="/s",
            tools={"T": "1"},
            network=network,
            extra=extra,
        )

    alone = made(network=False, MODE="x", BAD="a\0b")
    assert alone["LANG"] == "de_DE.UTF-8"
    assert alone["LC_TIME"] == "C"
    assert (alone["PATH"], alone["HOME"], alone["TMPDIR"], alone["T"]) == ("/a:/b", "/h", "/s", "1")
    assert alone["MODE"] == "x"
    assert not alone.keys() & {"AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "LD_PRELOAD", "BAD"}
    assert "HTTPS_PROXY" not in alone
    assert made(network=True)["HTTPS_PROXY"] == "http://user:password@proxy"
