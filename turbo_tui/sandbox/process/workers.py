"""Workers: started before their one command is known, told it when it is.

A worker runs in a sandbox of its own and waits, with nothing done yet, for an order on its
standard input. It says on its output when it waits, and once more when it has become the
command; what fails in between was not the command, which can still be run from the start.
"""

from __future__ import annotations

import marshal
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from turbo_tui.core.command import Command
from turbo_tui.sandbox.process.tree import BEGUN, WAITING

Kind = Literal["shell", "python"]

SHELL = ("/bin/sh", "/dev/fd/0")
SHELL_FIRST = f"printf '\\{WAITING:03o}'\n".encode()  # what a shell is told at once
ORDER_BYTES = 60_000  # fits a pipe: giving an order never waits
INTERPRETER = "python3"
SYSTEM_VARIABLES = (("PATH", "/usr/bin:/bin"),)  # of a shell that waits; it runs nothing yet
SCRIPT = Path(__file__).with_name("python_worker.py")
# Looked at by Python, or by the C library, only as a process starts.
AT_START = re.compile(r"PYTHON|LC_|LANG|LD_|GLIBC_|MALLOC_|(HOME|PATH|TZ|VIRTUAL_ENV)$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def python_argv(program: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return what starts a Python worker with these variables: by its path, looked up nowhere."""
    started = {os.fsencode(name): os.fsencode(text) for name, text in variables.items()}
    names = {"__name__": "turbo-tui worker", "STARTED": started}
    return (program, "-c", f"exec({_script()!r}, {names!r})")


@cache
def _script() -> str:
    return SCRIPT.read_text("utf-8")


def variables_at_start(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return those that a waiting interpreter could not be given any more."""
    return tuple(sorted(each for each in variables.items() if AT_START.match(each[0])))


def shell_order(
    command: Command, folder: str, variables: Mapping[str, str], prefix: Sequence[str] = ()
) -> bytes | None:
    """Return the script that turns a shell into a command; None where no shell can.

    Args:
        command: What.
        folder: Its absolute path.
        variables: Its whole environment.
        prefix: Words before its own: a program that becomes it.
    """
    argv = command.argv
    if command.stdin or not argv or not argv[0] or argv[0].startswith("-"):
        return None
    words = (*argv, folder, *variables.values())
    if any("\0" in word for word in words) or not all(map(_NAME.fullmatch, variables)):
        return None
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    program = shlex.quote(argv[0])
    lines = (
        "{",  # read to its end before any of it is run
        f"cd -- {shlex.quote(folder)} || exit 125",
        "unset OLDPWD",
        f"export {exports}" if exports else ":",
        "exec </dev/null",
        f"printf '\\{BEGUN:03o}'",
        f"command -v {program} >/dev/null || {{ printf '%s: not found\\n' {program}; exit 127; }}",
        f"exec {' '.join(map(shlex.quote, (*prefix, *argv)))}",
        "}\n",
    )
    order = "\n".join(lines).encode("utf-8", "surrogateescape")
    return order if len(order) <= ORDER_BYTES else None


def python_order(command: Command, folder: str, variables: Mapping[str, str]) -> bytes | None:
    """Return what turns a waiting interpreter into a command; None where it could be told from one.

    Only `-c`, `-m`, a program on standard input and a plain script: no other flag of Python's.
    """
    what = _python_program(command.argv, command.stdin)
    if what is None or "PYTHONSAFEPATH" in variables:
        return None
    kind, argv, code, module = what
    words = (*command.argv, folder, *variables.values())
    if any("\0" in word for word in words) or b"\0" in code:
        return None
    env = {os.fsencode(name): os.fsencode(text) for name, text in variables.items()}
    order = {
        "kind": kind,
        "argv": [os.fsencode(word) for word in argv],
        "orig_argv": [os.fsencode(word) for word in command.argv],
        "code": code,
        "module": module,
        "cwd": os.fsencode(folder),
        "env": env | {b"PWD": os.fsencode(folder)},
    }
    dumped = marshal.dumps(order, 2)  # a form that every Python reads
    return dumped if len(dumped) <= ORDER_BYTES else None


def _python_program(
    argv: Sequence[str], stdin: bytes
) -> tuple[str, Sequence[str], bytes, str] | None:
    """Return (kind, sys.argv, source, module) of a command that is a plain Python program."""
    if not argv or argv[0] != INTERPRETER:
        return None
    match list(argv[1:]):
        case ["-c", code, *rest] if not stdin:
            return "code", ["-c", *rest], code.encode("utf-8", "surrogateescape"), ""
        case ["-m", module, *rest] if not stdin and module.isascii():
            return "module", ["-m", *rest], b"", module
        case ["-", *rest] if stdin:
            return "stdin", ["-", *rest], stdin, ""
        case [script, *rest] if not stdin and script.endswith(".py") and script[0] not in "-.":
            return "file", [script, *rest], b"", ""
        case _:
            return None


def stamps_at_start(root: Path, workspace: Path, path: str) -> tuple[tuple[str, int, int], ...]:
    """Return what an interpreter of a virtual environment reads as it starts, and when it changed.

    Args:
        root: Where the workspace is seen from here.
        workspace: What stands for it in `path`.
        path: PATH.
    """
    found: list[tuple[str, int, int]] = []
    # Pyenv's, by which it chooses a version.
    choices = [folder / ".python-version" for folder in (root, *workspace.parents)]
    for folder in map(Path, path.split(os.pathsep)):
        if folder.name == "shims":
            choices.append(folder.parent / "version")
        inside = folder.is_relative_to(workspace)
        seen = root / folder.relative_to(workspace) if inside else folder
        found += _stamp(seen / INTERPRETER)
        config = _stamp(seen.parent / "pyvenv.cfg")
        for packages in seen.parent.glob("lib/python3*/site-packages") if config else ():
            for file in (packages, packages / "sitecustomize.py", *packages.glob("*.pth")):
                found += _stamp(file)
        found += config
    return (*found, *(stamp for file in choices for stamp in _stamp(file)))


def _stamp(file: Path) -> list[tuple[str, int, int]]:
    try:
        at = file.stat()
    except OSError:
        return []
    return [(str(file), at.st_ino, at.st_mtime_ns)]
