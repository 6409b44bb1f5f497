"""What of a home folder is shown: tools, never keys."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Literal

import pytest

from tests.sandbox.confining import PYTHON, needs_bubblewrap, needs_landlock, place_in
from turbo_tui.core.command import Command, Grants
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.environment import environment
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.toolchains import Toolchains, detect
from turbo_tui.sandbox.system import SYSTEM_PATH


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "user"
    for name in (
        *(".pyenv/shims", ".nvm/versions/node/v20/bin", ".cargo/bin", ".cargo/registry", ".rustup"),
        *("go/bin", ".local/bin", ".local/share/uv/python", ".sdkman/candidates", ".ssh", ".aws"),
    ):
        (folder / name).mkdir(parents=True)
    (folder / ".cargo" / "credentials.toml").write_text("token")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


def named(folder: Path, name: str) -> list[Path]:
    return list(folder.rglob(name))


def find(workspace: Path, home: Path, **environ: str) -> Toolchains:
    return detect(workspace, home, environ, (home.parent,))


def installation(prefix: Path) -> Path:
    """Make what looks like a Python installation; return its interpreter."""
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    (prefix / "lib" / "python3.12").mkdir(parents=True)
    (prefix / "lib" / "python3.12" / "os.py").touch()
    (prefix / "bin" / "python3.12").touch()
    return prefix / "bin" / "python3.12"


def library_of(interpreter: Path) -> Path:
    return interpreter.parents[1] / "lib" / interpreter.name


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
        *(".local/bin", ".local/share/uv/python", ".sdkman/candidates"),
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

    assert {interpreter, library_of(interpreter)} <= set(find(workspace, home).folders)


def test_the_interpreter_that_an_environment_was_copied_from_is_shown(
    workspace: Path, home: Path
) -> None:
    interpreter = installation(home / "builds" / "py312")
    (interpreter.parent / "python3").symlink_to(interpreter.name)
    (workspace / "venv" / "bin").mkdir(parents=True)
    (workspace / "venv" / "bin" / "python").touch()
    (workspace / "venv" / "pyvenv.cfg").write_text(f"HOME = {interpreter.parent}\nversion = 3.12\n")

    folders = set(find(workspace, home).folders)
    assert {interpreter, interpreter.parent / "python3", library_of(interpreter)} <= folders


@pytest.mark.parametrize(("prefix", "library"), [("", "lib/python3.12"), (".local", ".local/lib")])
def test_of_an_installation_among_the_users_files_the_library_alone_is_shown(
    prefix: str, library: str, workspace: Path, home: Path
) -> None:
    venv(workspace / ".venv", installation(home / prefix))

    folders = find(workspace, home).folders

    assert home / library in folders
    assert home / prefix not in folders


@pytest.mark.parametrize("prefix", ["apps", "work", ".config/tool"])
def test_a_planted_environment_shows_nothing_beside_a_python(prefix: str, home: Path) -> None:
    workspace = home / "work" / "ws"
    interpreter = installation(home / prefix)
    put(workspace, ".venv/pyvenv.cfg", f"home = {interpreter.parent}\n")
    (interpreter.parent / "python3").symlink_to(interpreter.name)
    (interpreter.parent / "python-key").symlink_to(home / ".ssh")
    (home / prefix / "lib" / "python3-key").symlink_to(home / ".ssh")
    (home / prefix / "lib64").symlink_to(home)

    folders = set(find(workspace, home).folders)

    shown = {interpreter, interpreter.parent / "python3", library_of(interpreter)}
    assert {each for each in folders if each.is_relative_to(home / prefix)} == shown


def test_a_project_with_a_link_to_a_library_is_no_installation(workspace: Path, home: Path) -> None:
    interpreter = installation(home / "real")
    put(home, "project/bin/python3", "")
    (home / "project" / "lib").symlink_to(interpreter.parents[1] / "lib")
    put(workspace, ".venv/pyvenv.cfg", f"home = {home}/project/bin\n")

    assert not [each for each in find(workspace, home).folders if "project" in each.parts]


def test_an_active_environment_does_not_show_what_is_around_the_workspace(home: Path) -> None:
    workspace = home / "work" / "ws"
    interpreter = installation(home / "work")
    active = venv(home / "envs" / "a", interpreter)

    folders = find(workspace, home, VIRTUAL_ENV=str(active)).folders

    assert {interpreter, library_of(interpreter)} <= set(folders)
    assert home / "work" not in folders


@pytest.mark.parametrize("rung", ["bubblewrap", "landlock"])
async def test_a_python_among_other_files_runs_and_they_are_not_read(
    rung: str, workspace: Path, home: Path
) -> None:
    await (needs_bubblewrap() if rung == "bubblewrap" else needs_landlock())
    interpreter = installation(home / "apps")
    interpreter.write_text(f"#!/bin/sh\ncat {home}/apps/lib/python3.12/os.py\n")
    interpreter.chmod(0o755)
    put(home, "apps/lib/python3.12/os.py", "works\n")
    put(home, "apps/notes")
    venv(workspace / ".venv", interpreter)
    confiner = Bubblewrap if rung == "bubblewrap" else Landlock
    line = f"python; cat {home}/apps/notes"

    result = await confiner(environ={"PATH": "/usr/bin:/bin"}, home=home).run(
        place_in(workspace), Command(("sh", "-c", line), timeout_s=60)
    )

    assert result.output.startswith("works\n")
    assert "the-secret" not in result.output


@pytest.mark.timeout(20)
@pytest.mark.parametrize("planted", ["keys", "device", "pipe", "loop", "no text"])
def test_a_planted_note_of_an_environment_shows_nothing(
    planted: str, workspace: Path, home: Path
) -> None:
    note = workspace / ".venv" / "pyvenv.cfg"
    note.parent.mkdir()
    (home / ".ssh" / "bin").mkdir()
    (home / ".ssh" / "bin" / "python3").touch()
    match planted:
        case "keys":
            note.write_text(f"home = {home}/.ssh/bin\nhome = \0\nhome\nhome = relative\n")
        case "device":
            note.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(note)
        case "loop":
            note.symlink_to(note)
        case _:
            note.write_bytes(b"home = /\xff\n\x80" * 100_000)

    assert not [folder for folder in find(workspace, home).folders if ".ssh" in str(folder)]


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


def put(folder: Path, name: str, content: str = "the-secret") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


IN_TOOL_FOLDERS = (
    *(".nvm/versions/node/v20/etc/npmrc", ".nvm/.npmrc", ".pyenv/versions/3.12/pip.conf"),
    *(".sdkman/candidates/maven/3.9/conf/settings.xml", ".npm-global/etc/npmrc"),
    *(".local/share/uv/tools/ruff/pip.conf", ".local/share/pipx/venvs/black/pip.conf"),
    *(".dotnet/corefx/cryptography/x509stores/my/key.pfx", "miniconda3/.condarc"),
    *(".volta/tools/image/node/20.1.0/etc/npmrc", ".asdf/installs/nodejs/20/etc/npmrc"),
)
ELSEWHERE = (
    *(".cargo/credentials.toml", ".cargo/credentials", ".m2/settings.xml", ".npmrc", ".pypirc"),
    *(".config/pip/pip.conf", ".pip/pip.conf", ".local/share/uv/credentials/credentials.toml"),
    *(".config/gh/hosts.yml", ".gem/credentials", ".gradle/gradle.properties", ".netrc"),
    *(".docker/config.json", ".aws/credentials", ".ssh/id_ed25519", ".config/go/env"),
)


def test_credentials_within_the_folders_of_tools_are_named(workspace: Path, home: Path) -> None:
    for name in IN_TOOL_FOLDERS:
        put(home, name)
    (home / ".pyenv/versions/3.13").mkdir()
    (home / ".pyenv/versions/3.13/pip.conf").symlink_to(home / ".ssh")

    tools = find(workspace, home)

    named = {str(path.relative_to(home)): is_folder for path, is_folder in tools.credentials}
    assert {name: False for name in IN_TOOL_FOLDERS if "corefx" not in name} == {
        name: is_folder for name, is_folder in named.items() if not is_folder
    }
    assert [name for name, is_folder in named.items() if is_folder] == [".dotnet/corefx"]


def test_a_moved_tool_has_its_credentials_named_too(workspace: Path, home: Path) -> None:
    put(home, "tools/nvm/versions/node/v20/etc/npmrc")

    tools = find(workspace, home, NVM_DIR=str(home / "tools" / "nvm"))

    assert [path.name for path, _ in tools.credentials] == ["npmrc"]


def test_installations_that_a_variable_names_are_shown_when_they_are_ones(
    workspace: Path, home: Path
) -> None:
    put(home, "jdk/bin/java", "")
    put(home, "gocode/bin/tool", "")
    put(home, "gocode/pkg/mod/cache/x", "")

    tools = find(
        workspace,
        home,
        JAVA_HOME=str(home / "jdk"),
        GOROOT=str(home / ".ssh"),
        GOPATH=f"{home}/gocode:/elsewhere",
    )

    shown = {str(folder.relative_to(home)) for folder in tools.folders}
    assert {"jdk", "gocode/bin", "gocode/pkg/mod"} <= shown
    assert ".ssh" not in shown
    assert tools.env["GOMODCACHE"] == f"{home}/gocode/pkg/mod"


async def test_tools_of_the_home_folder_run_and_no_credential_is_read(
    workspace: Path, home: Path
) -> None:
    await needs_bubblewrap()
    for name in (*IN_TOOL_FOLDERS, *ELSEWHERE):
        put(home, name)
    for name in (".nvm/versions/node/v20/bin/node", ".cargo/bin/cargo", ".local/bin/tool"):
        put(home, name, f"#!/bin/sh\necho {name} runs\n")
        (home / name).chmod(0o755)
    put(home, ".local/lib/python3/marker", "the-library")
    put(home, ".cargo/registry/index", "the-registry")
    put(home, ".tool-versions", "node 20")
    environ = {"PATH": f"{home}/.nvm/versions/node/v20/bin:/usr/bin:/bin"}
    npmrc = home / ".nvm/versions/node/v20/etc/npmrc"
    line = (
        "node; cargo; tool; cat ~/.cargo/registry/index ~/.tool-versions; echo $PYTHONUSERBASE; "
        f"grep -rl the-secret {home} ~; cat {npmrc} && echo readable"
    )
    granted = Grants(readable=(str(home / ".nvm"),))

    result = await Bubblewrap(environ=environ, home=home).run(
        place_in(workspace), Command(("sh", "-c", line), timeout_s=60)
    )
    more = await Bubblewrap(environ=environ, home=home).run(
        place_in(workspace), Command(("cat", str(npmrc)), grants=granted)
    )

    assert "Permission denied" in more.output
    assert result.output.splitlines() == [
        *(".nvm/versions/node/v20/bin/node runs", ".cargo/bin/cargo runs", ".local/bin/tool runs"),
        f"the-registrynode 20{home}/.local",
        "readable",
    ]


@pytest.mark.parametrize("network", ["hosts", "all"])
async def test_what_may_fetch_can_write_the_caches_of_its_tools(
    workspace: Path, home: Path, network: Literal["hosts", "all"]
) -> None:
    await needs_bubblewrap()
    put(home, ".cargo/registry/index", "the-registry")
    put(home, ".m2/repository/x", "")
    put(home, ".npm/_cacache/x", "")
    put(home, ".cache/pip/x", "")
    put(home, "go/pkg/mod/x", "")
    put(home, ".tool-versions", "node 20")
    line = (
        "cd ~; for d in .cargo/registry .cargo/git .m2/repository .npm/_cacache .cache/pip "
        '"${GOMODCACHE:-go/pkg/mod}"; do mkdir -p $d && echo x > $d/new || echo $d; done; '
        "cat .tool-versions"
    )
    grants = Grants(network=network, hosts=("pypi.org",) if network == "hosts" else ())

    result = await Bubblewrap(environ={"PATH": "/usr/bin:/bin"}, home=home).run(
        place_in(workspace), Command(("sh", "-c", line), timeout_s=60, grants=grants)
    )

    assert result.output.startswith("node 20")
    assert not named(home, "new")


async def test_landlock_shows_tools_without_their_credentials(workspace: Path, home: Path) -> None:
    await needs_landlock()
    put(home, ".nvm/versions/node/v20/etc/npmrc")
    put(home, ".nvm/versions/node/v20/bin/node", "#!/bin/sh\necho runs\n")
    (home / ".nvm/versions/node/v20/bin/node").chmod(0o755)
    environ = {"PATH": f"{home}/.nvm/versions/node/v20/bin:/usr/bin:/bin"}
    line = f"node; cat {home}/.nvm/versions/node/v20/etc/npmrc"

    result = await Landlock(environ=environ, home=home).run(
        place_in(workspace), Command(("sh", "-c", line), timeout_s=60)
    )

    assert result.output.startswith("runs\n")
    assert "the-secret" not in result.output


async def test_an_environment_outside_the_workspace_works_without_its_credentials(
    workspace: Path, home: Path
) -> None:
    await needs_bubblewrap()
    active = home / "envs" / "a"
    make = (PYTHON, "-m", "venv", "--without-pip", active)
    await asyncio.to_thread(subprocess.run, make, check=True, timeout=60)
    put(active, "pip.conf")
    environ = {"VIRTUAL_ENV": str(active), "PATH": f"{active}/bin:/usr/bin:/bin"}
    line = f"python -c 'import sys; print(sys.prefix)'; cat {active}/pip.conf; touch {active}/x"

    result = await Bubblewrap(environ=environ, home=home).run(
        place_in(workspace), Command(("sh", "-c", line), timeout_s=60)
    )

    assert result.output.startswith(f"{active}\n")
    assert "the-secret" not in result.output
    assert "Read-only file system" in result.output


def test_the_environment_is_a_list_of_what_is_kept() -> None:
    host = {
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "LC_TOKEN": "secret",
        "PYTHONPATH": "/home/user/secret",
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
    assert not alone.keys() & {"LC_TOKEN", "PYTHONPATH"}
    assert "HTTPS_PROXY" not in alone
    assert made(network=True)["HTTPS_PROXY"] == "http://user:password@proxy"
