"""Compilers and interpreters that live in hidden folders, to be shown read-only.

The sandbox hides home folders. What tools need of them is named here one by one: never a
folder that is there for credentials (`~/.cargo` with its `credentials.toml`, `~/.m2` with its
`settings.xml`, `~/.config`). Those that lie within a tool's own folder are hidden again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from turbo_tui.sandbox.confine.hiding import below
from turbo_tui.sandbox.system import SYSTEM_PATH

# Folders in the home folder, as the tools make them; a variable of the same tool moves them, and
# tells the tool, whose home folder is another one here, where they are.
HOME_FOLDERS = (
    (".pyenv", "PYENV_ROOT"),
    (".nvm", "NVM_DIR"),
    (".volta", "VOLTA_HOME"),
    (".rustup", "RUSTUP_HOME"),
    (".cargo/bin", ""),
    ("go/bin", ""),
    ("go/pkg/mod", "GOMODCACHE"),
    ("sdk", ""),  # `go install golang.org/dl/…`
    ("bin", ""),
    (".local/bin", ""),
    (".local/lib", ""),
    (".local/go", ""),
    (".local/share/uv/python", "UV_PYTHON_INSTALL_DIR"),
    (".local/share/uv/tools", "UV_TOOL_DIR"),
    (".local/share/pipx", "PIPX_HOME"),
    (".local/pipx", ""),
    (".local/share/pypoetry", ""),
    (".local/share/mise", "MISE_DATA_DIR"),
    (".local/share/pnpm", "PNPM_HOME"),
    (".local/share/fnm", "FNM_DIR"),
    (".asdf", "ASDF_DATA_DIR"),
    (".sdkman/candidates", "SDKMAN_CANDIDATES_DIR"),
    (".jdks", ""),
    (".rbenv", "RBENV_ROOT"),
    (".gem/ruby", ""),
    (".nodenv", "NODENV_ROOT"),
    (".goenv", "GOENV_ROOT"),
    (".jenv", "JENV_ROOT"),
    (".bun/bin", ""),
    (".deno/bin", ""),
    (".ghcup", ""),
    (".opam", "OPAMROOT"),
    (".elan", "ELAN_HOME"),
    (".dotnet", "DOTNET_ROOT"),
    (".npm-global", ""),
    (".juliaup", ""),
    (".pixi/bin", ""),
    ("miniconda3", ""),
    ("miniforge3", ""),
    ("anaconda3", ""),
)
# What in those folders can hold credentials, as globs from the folder; `""` for each of them.
CREDENTIALS = {
    "": (".npmrc", "etc/npmrc", "pip.conf", ".condarc", ".netrc", ".env", "credentials*"),
    ".pyenv": ("versions/*/pip.conf", "versions/*/etc/pip.conf"),
    ".nvm": ("versions/node/*/etc/npmrc",),
    ".volta": ("tools/image/node/*/etc/npmrc",),
    ".local/share/fnm": ("node-versions/*/installation/etc/npmrc",),
    ".local/share/mise": ("installs/*/*/etc/npmrc", "installs/*/*/pip.conf"),
    ".asdf": ("installs/*/*/etc/npmrc", "installs/*/*/pip.conf"),
    ".local/share/uv/tools": ("*/pip.conf",),
    ".local/share/pipx": ("venvs/*/pip.conf", "shared/pip.conf"),
    ".sdkman/candidates": ("maven/*/conf/settings.xml", "maven/*/conf/settings-security.xml"),
    ".dotnet": ("corefx",),  # private keys of certificates
    "miniconda3": ("envs/*/.condarc", "envs/*/pip.conf"),
    "miniforge3": ("envs/*/.condarc", "envs/*/pip.conf"),
    "anaconda3": ("envs/*/.condarc", "envs/*/pip.conf"),
}
# Installations of which a variable alone says where they are, and what shows that it is one.
BY_VARIABLE = (("JAVA_HOME", "bin/java"), ("GOROOT", "bin/go"))
# Caches that let builds work without a network: source in the home folder -> place in the
# sandbox's own, where the tool may write beside them. Not npm's: every install writes into its
# cache, and one that it cannot write ends the install.
HOME_CACHES = (
    (".cargo/registry", ".cargo/registry"),
    (".cargo/git", ".cargo/git"),
    (".m2/repository", ".m2/repository"),
    (".m2/wrapper", ".m2/wrapper"),
    (".tool-versions", ".tool-versions"),  # of asdf and mise: which version of each is used
)
WRITTEN_BY_FETCHING = {below_home for _, below_home in HOME_CACHES} - {".tool-versions"}
VENV_FOLDERS = (".venv", "venv")
# What an installed Python needs of the folder it is installed in.
PYTHON_PARTS = (
    *("bin/python*", "lib/python3*", "lib/libpython3*", "lib64/python3*", "lib64/libpython3*"),
)
MOST_CFG_BYTES = 65_536  # of a pyvenv.cfg, which has five lines


@dataclass(frozen=True, slots=True)
class Toolchains:
    """What to show of hidden folders.

    Attributes:
        folders: Shown read-only at their own paths, outermost first.
        caches: (source, path below the sandbox's home), read-only.
        credentials: (path, is a folder) of what within those folders is hidden.
        path: Folders for PATH, first wins.
        env: Variables by which the tools find themselves.
    """

    folders: tuple[Path, ...]
    caches: tuple[tuple[Path, str], ...]
    credentials: tuple[tuple[Path, bool], ...]
    path: tuple[str, ...]
    env: Mapping[str, str]

    def with_network(self) -> Toolchains:
        """Return what to show of them to a command that may fetch: no cache that it cannot write.

        Cargo, Maven and Go end an install where they cannot; they make one in their own home then.
        """
        caches = tuple(each for each in self.caches if each[1] not in WRITTEN_BY_FETCHING)
        env = {name: value for name, value in self.env.items() if name != "GOMODCACHE"}
        return replace(self, caches=caches, env=env)


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
    env: dict[str, str] = {}
    wanted: dict[Path, str] = {}  # with the name in HOME_FOLDERS, if it has one
    for name, folder, variable in _home_folders(home, environ):
        wanted[folder] = name
        if variable:
            env[variable] = str(folder)
    if (home / ".local/lib") in wanted:
        env["PYTHONUSERBASE"] = str(home / ".local")
    venv = _outside_venv(environ, workspace)
    if venv is not None:
        wanted.setdefault(venv, "")
        env["VIRTUAL_ENV"] = str(venv)
    for folder in (*_interpreters(workspace, venv, home), *_by_variable(environ, home)):
        wanted.setdefault(folder, "")
    folders = tuple(
        folder
        for folder in _outermost(wanted)
        if below(folder, hidden) and not below(folder, (workspace,))
    )
    shown = {folder: name for folder, name in wanted.items() if below(folder, folders)}
    return Toolchains(
        folders=folders,
        caches=tuple((home / a, b) for a, b in HOME_CACHES if os.path.exists(home / a)),  # noqa: PTH110 - faster
        credentials=tuple(dict.fromkeys(_credentials(shown))),
        path=tuple(_search_path(workspace, venv, environ, hidden, folders)),
        env=env,
    )


def _home_folders(home: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, Path, str]]:
    """Yield (name, folder, variable) of the tools that are there."""
    real_home = os.path.realpath(home)
    for name, variable in HOME_FOLDERS:
        given = Path(environ.get(variable, "") or home / name) if variable else home / name
        folder = given if given.is_absolute() else home / name
        if _is_tool_folder(folder, real_home):
            yield name, folder, variable
    workspace_of_go = Path(environ.get("GOPATH", "").partition(":")[0])
    if workspace_of_go.is_absolute() and workspace_of_go != home / "go":
        for name, variable in (("bin", ""), ("pkg/mod", "GOMODCACHE")):
            if _is_tool_folder(workspace_of_go / name, real_home):
                yield "", workspace_of_go / name, variable


def _by_variable(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield the installations that a variable leads to."""
    real_home = os.path.realpath(home)
    for variable, program in BY_VARIABLE:
        folder = Path(environ.get(variable, ""))
        is_one = folder.is_absolute() and (folder / program).is_file()
        if is_one and _is_tool_folder(folder, real_home):
            yield folder


def _credentials(folders: Mapping[Path, str]) -> Iterator[tuple[Path, bool]]:
    """Yield (path, is a folder) of what must not be shown with the tools.

    A link is none: what it leads to outside of the tool's folder is hidden anyway.
    """
    for folder, name in folders.items():
        for pattern in (*CREDENTIALS[""], *(CREDENTIALS.get(name, ()) if name else ())):
            found = folder.glob(pattern) if "*" in pattern else (folder / pattern,)
            for path in found:
                try:
                    mode = path.lstat().st_mode
                except OSError:
                    continue
                if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                    yield path, stat.S_ISDIR(mode)


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


def _interpreters(workspace: Path, venv: Path | None, home: Path) -> Iterator[Path]:
    """Yield the installations behind virtual environments, linked to them or copied from them.

    The link or the note in the workspace may be planted. So what it alone leads to is shown as far
    as a Python needs it, and so is one that shares its folder with the user's other files. Only an
    environment that the user activated, outside of the workspace, may show all of its Python.
    """
    shared = [Path(os.path.realpath(folder)) for folder in (home, home / ".local", workspace)]
    for program in (each for name in VENV_FOLDERS for each in _programs_behind(workspace / name)):
        yield from _parts(_prefix_of(program), shared)
    for program in _programs_behind(venv) if venv is not None else ():
        prefix = _prefix_of(program)
        parts = _parts(prefix, shared)
        if prefix is None or not parts or any(below(folder, (prefix,)) for folder in shared):
            yield from parts
        else:
            yield prefix


def _prefix_of(program: Path) -> Path | None:
    """Return the folder that an interpreter is installed in; None where there is none."""
    try:
        real = program.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return real.parent.parent if real.parent.name == "bin" else None


def _parts(prefix: Path | None, kept: Iterable[Path]) -> list[Path]:
    """Return the interpreters and libraries of an installation; none of what is not one.

    Each lies, its links followed, where such a thing lies in that very installation: with
    `lib -> /usr/lib` a project is no Python, and a link to keys is no library.

    Args:
        prefix: Where it is installed, its own links followed.
        kept: Folders that no part may hold.
    """
    if prefix is None:
        return []
    parts: list[Path] = []
    is_python = False
    for pattern in PYTHON_PARTS:
        for path in prefix.glob(pattern):
            real = Path(os.path.realpath(path))
            inside = real.relative_to(prefix) if real.is_relative_to(prefix) else Path()
            own = len(inside.parts) == len(path.relative_to(prefix).parts) and any(
                map(inside.match, PYTHON_PARTS)
            )
            if own and not any(below(folder, (real,)) for folder in kept):
                parts.append(path)
                is_python = is_python or (path / "os.py").is_file()
    return parts if is_python else []


def _programs_behind(venv: Path) -> Iterator[Path]:
    """Yield where the interpreter of a virtual environment may be: its link, then what it notes.

    Source: Python's `Modules/getpath.py`, which reads `home` of `pyvenv.cfg`.
    """
    yield venv / "bin" / "python"
    for line in _small_text(venv / "pyvenv.cfg").splitlines():
        name, _, value = line.partition("=")
        folder = Path(value.strip())
        if name.strip().lower() == "home" and folder.is_absolute() and "\0" not in value:
            yield from (folder / "python3", folder / "python")


def _small_text(path: Path) -> str:
    """Return what a file says; of a device, a pipe or what a link loops at, nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        return file.read(MOST_CFG_BYTES).decode("utf-8", "replace") if regular else ""


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
        str(folder if folder.name == "bin" else folder / "bin")
        for folder in folders
        if not folder.name.startswith("python")  # of an installation, its parts
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
