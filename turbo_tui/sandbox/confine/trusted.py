"""Which programs may be started in a stage before anybody asked for a command.

What waits runs with no rule asked and no line in the log. So it is the system's, or the user's
own, and nothing that a command can have written takes part in its start: no program, no library,
no module that an interpreter reads as it starts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path

from turbo_tui.sandbox.confine.hiding import below

NAMES = ("python3", "python")
LINKS = 20  # on the way to an interpreter; more is a circle
ELF = b"\x7fELF"
PACKAGES = (
    "lib/python3*/site-packages",
    "lib/python3*/dist-packages",
    "local/lib/python3*/dist-packages",
)


@cache
def _system() -> tuple[Path, ...]:
    """Return where a shell, its libraries and their settings lie, links resolved."""
    names = ("bin", "sbin", "lib", "lib64", "etc", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")
    return tuple({Path(os.path.realpath(f"/{name}")) for name in names})


def has_own_system(workspace: Path) -> bool:
    """Whether a command can write programs of the system, since the workspace lies over them."""
    return below(workspace, _system()) or any(below(each, (workspace,)) for each in _system())


def waiting_interpreter(root: Path, workspace: Path, variables: Mapping[str, str]) -> str:
    """Return the program that may wait for Python's commands; empty where none may.

    A script in its place, as pyenv has one, may not: it looks up what it needs by PATH, and its
    version in the folder.

    Args:
        root: Where the workspace is seen from here.
        workspace: What stands for it in the variables.
        variables: The command's.
    """
    folders = [Path(folder) for folder in variables["PATH"].split(os.pathsep)]
    if not all(folder.is_absolute() for folder in folders):
        return ""
    for folder in folders:
        if not below(Path(os.path.normpath(folder)), (workspace,)):
            continue
        seen = root / Path(os.path.normpath(folder)).relative_to(workspace)
        # `below` a link, maybe a planted one, anything may lie.
        if _leads_on(root, seen) or any(os.path.lexists(seen / name) for name in NAMES):
            return ""
    if any(str(workspace) in text for name, text in variables.items() if name != "PATH"):
        return ""
    outside = [folder for folder in folders if not below(folder, (workspace,))]
    found = next((path for folder in outside if _is_program(path := folder / NAMES[0])), None)
    if found is None or not _is_elf(found):
        return ""
    homes = {variables["PYTHONUSERBASE"]} if "PYTHONUSERBASE" in variables else set[str]()
    for step in _links(found):
        installation = step.parent.parent
        if below(step, (workspace,)) or below(workspace, (installation,)):
            return ""
        homes.add(str(installation))
    closed = not any(_reads_from(Path(home), workspace) for home in homes)
    return str(found) if closed else ""


def _leads_on(root: Path, folder: Path) -> bool:
    """Whether a link stands on the way from the workspace to one of its folders."""
    way = takewhile(lambda each: each != root, (folder, *folder.parents))
    return any(each.is_symlink() for each in way)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_elf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(ELF)) == ELF
    except OSError:
        return False


def _links(path: Path) -> Iterator[Path]:
    """Yield a program and all that it is a link to, the folders on the way without links."""
    for _ in range(LINKS):
        yield path
        path = Path(os.path.realpath(path.parent), path.name)
        yield path
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()
    yield Path("/")


def _reads_from(home: Path, workspace: Path) -> bool:
    """Whether an installation's `.pth` files put the workspace, or what is in it, on the path.

    From there Python would take its `sitecustomize` as it starts.
    """
    for pattern in PACKAGES:
        for packages in home.glob(pattern):
            if below(Path(os.path.realpath(packages)), (workspace,)):
                return True
            if any(_names(file, workspace) for file in packages.glob("*.pth")):
                return True
    return False


def _names(file: Path, workspace: Path) -> bool:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return False
        lines = file.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return True
    for line in lines:
        if str(workspace) in line:
            return True
        if line.startswith(("import ", "import\t", "#")) or "\0" in line:
            continue
        if below(Path(os.path.realpath(file.parent / line.rstrip())), (workspace,)):
            return True
    return False
