"""The editor that the user named, as words of a command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from turbo_tui.core.errors import UsageError

# Where +LINE is a file's name. VS Code and what is made of it: `--goto`; the others by a colon.
_GOTO = frozenset({"code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"})
_COLON = frozenset({"subl", "sublime_text", "zed", "zeditor"})


def named_editor(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return VISUAL or EDITOR, taken apart as a shell would; empty when neither is set.

    Raises:
        UsageError: It holds a quote that is not closed.
    """
    name = "VISUAL" if environ.get("VISUAL") else "EDITOR"
    try:
        return shlex.split(environ.get(name, ""))
    except ValueError as error:
        raise UsageError(f"{name} cannot be read as a command: {error}. Mend its quotes.") from None


def at_line(editor: Sequence[str], path: str, line: int) -> list[str]:
    """Return the command that opens a file at a line (1-based)."""
    name = Path(editor[0]).stem.lower()
    if name in _GOTO:
        return [*editor, "--goto", f"{path}:{line}"]
    return [*editor, f"{path}:{line}"] if name in _COLON else [*editor, f"+{line}", path]
