"""Command lines as a person types them, to argv and back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_SHELL_SIGNS = ("&&", "||", "|", ";", ">", "<", "$(", "`", "\n")
_BY_SHELL = ("bash", "-c")


def argv_of(line: str) -> tuple[str, ...]:
    """Return the argv of a command line; that of a shell where it takes one.

    Raises:
        ValueError: A quote is left open.
    """
    line = line.strip()
    if any(sign in line for sign in _SHELL_SIGNS):
        return (*_BY_SHELL, line)
    return tuple(shlex.split(line))


def line_of(argv: Sequence[str]) -> str:
    """Return an argv as a person would type it."""
    return argv[-1] if tuple(argv[:-1]) == _BY_SHELL else shlex.join(argv)
