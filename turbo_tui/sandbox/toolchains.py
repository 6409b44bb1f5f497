"""Compilers and interpreters that live in hidden folders, to be shown read-only.

The sandbox hides home folders. What tools need of them is named here one by one: never a
folder that also holds credentials (`~/.cargo/credentials.toml`, `~/.npmrc`, `~/.pypirc`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.sandbox.hiding import below

SYSTEM_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)

# Folders in the home folder, as the tools make them; a variable of the same tool moves them.
HOME_FOLDERS = (
    (".pyenv", "PYENV_ROOT"),
    (".nvm", "NVM_DIR"),
    (".volta", "VOLTA_HOME"),
    (".rustup", "RUSTUP_HOME"),
    (".cargo/bin", ""),
    ("go/bin", ""),
    ("go/pkg/mod", "GOMODCACHE"),
    ("sdk", ""),  # `go install golang.org/dl/…`
    (".local/bin", ""),
    (".local/lib", ""),
    (".local/share/uv", ""),
    (".local/share/pipx", "PIPX_HOME"),
    (".local/pipx", ""),
    (".local/share/mise", "MISE_DATA_DIR"),
    (".local/share/pnpm", "PNPM_HOME"),
    (".local/share/fnm", "FNM_DIR"),
    (".asdf", "ASDF_DATA_DIR"),
    (".sdkman/candidates", "SDKMAN_CANDIDATES_DIR"),
    (".rbenv", "RBENV_ROOT"),
    (".bun/bin", ""),
    (".deno/bin", ""),
    (".ghcup", ""),
    (".dotnet", "DOTNET_ROOT"),
    (".npm-global", ""),
    (".juliaup", ""),
    ("miniconda3", ""),
    ("miniforge3", ""),
    ("anaconda3", ""),
)
# Caches that let builds work without a network: source in the home folder -> place in the
# sandbox's own, where the tool may write beside them.
HOME_CACHES = (
    (".cargo/registry", ".cargo/registry"),
    (".cargo/git", ".cargo/git"),
    (".m2/repository", ".m2/repository"),
    (".npm/_cacache", ".npm/_cacache"),
)
VENV_FOLDERS = (".venv", "venv")


@dataclass(frozen=True, slots=True)
class Toolchains:
    """What to show of hidden folders.

    Attributes:
        folders: Shown read-only at their own paths, outermost first.
        caches: (source, path below the sandbox's home), read-only.
        path: Folders for PATH, first wins.
        env: Variables by which the tools find themselves.
    """

    folders: tuple[Path, ...]
    caches: tuple[tuple[Path, str], ...]
    path: tuple[str, ...]
    env: Mapping[str, str]


def detect(
    workspace: Path, home: Path, environ: Mapping[str, str], hidden: Iterable[Path]
) -> Toolchains:
    """Find the tools of this user and of this workspace.

    Args:
        workspace: Its virtual environments come first on PATH.
        home: The user's home folder.
        environ: The user's environment: PATH and the variables of the tools.
        hidden: Folders that the sandbox hides; only what lies in them needs to be shown.
    """
    hidden = tuple(hidden)
    real_home = os.path.realpath(home)
    env: dict[str, str] = {}
    wanted: list[Path] = []
    for name, variable in HOME_FOLDERS:
        given = Path(environ.get(variable, "") or home / name) if variable else home / name
        folder = given if given.is_absolute() else home / name
        if _is_tool_folder(folder, real_home):
            wanted.append(folder)
            if variable:
                env[variable] = str(folder)
    venv = _outside_venv(environ, workspace)
    if venv is not None:
        wanted.append(venv)
        env["VIRTUAL_ENV"] = str(venv)
    wanted.extend(_interpreters(workspace, venv))
    folders = tuple(
        folder
        for folder in _outermost(wanted)
        if below(folder, hidden) and not folder.is_relative_to(workspace)
    )
    return Toolchains(
        folders=folders,
        caches=tuple((home / a, b) for a, b in HOME_CACHES if (home / a).is_dir()),
        path=tuple(_search_path(workspace, venv, environ, hidden, folders)),
        env=env,
    )


def _is_tool_folder(folder: Path, real_home: str) -> bool:
    """Whether it is there and is not the home folder, nor one that holds it."""
    # Asked before each command, and most are not there: os.path is five times faster here.
    if not os.path.isdir(folder):  # noqa: PTH112 - see above
        return False
    real = os.path.realpath(folder)
    return real != "/" and not f"{real_home}/".startswith(f"{real}/")


def _outside_venv(environ: Mapping[str, str], workspace: Path) -> Path | None:
    """Return the active virtual environment, if it is one and lies outside the workspace."""
    venv = Path(environ.get("VIRTUAL_ENV", ""))
    if not venv.is_absolute() or venv.is_relative_to(workspace):
        return None
    return venv if (venv / "pyvenv.cfg").is_file() else None


def _interpreters(workspace: Path, venv: Path | None) -> Iterator[Path]:
    """Yield the installations behind virtual environments.

    The link in the workspace may be planted: only a folder that is a Python installation
    through and through counts, and so a link to `~/.ssh` shows nothing.
    """
    venvs = [workspace / name for name in VENV_FOLDERS] + ([venv] if venv is not None else [])
    for folder in venvs:
        try:
            real = (folder / "bin" / "python").resolve(strict=True)
        except (OSError, RuntimeError):
            continue
        prefix = real.parent.parent
        if real.parent.name == "bin" and any(prefix.glob("lib/python3*/os.py")):
            yield prefix


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Drop folders that lie in another; parents first."""
    kept: list[Path] = []
    for folder in sorted(set(folders), key=lambda path: len(path.parts)):
        if not below(folder, kept):
            kept.append(folder)
    return kept


def _search_path(
    workspace: Path,
    venv: Path | None,
    environ: Mapping[str, str],
    hidden: Iterable[Path],
    folders: Iterable[Path],
) -> Iterator[str]:
    """Yield PATH: the workspace's environment, the user's own order, then the system's."""
    seen: set[str] = set()
    wanted = [str(workspace / ".venv/bin")]
    if venv is not None:
        wanted.insert(0, str(venv / "bin"))
    wanted += environ.get("PATH", "").split(":")
    wanted += [
        str(folder if folder.name == "bin" else folder / "bin") for folder in folders
    ]  # for those who start us without a login shell's PATH
    wanted += SYSTEM_PATH
    for entry in wanted:
        path = Path(entry)
        if entry in seen or not path.is_absolute() or "\n" in entry:
            continue
        seen.add(entry)
        if below(path, (workspace,)) or (not below(path, hidden) or below(path, folders)):
            yield entry


def home_folder() -> Path:
    """Return the user's home folder as the system knows it."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
