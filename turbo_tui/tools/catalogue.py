"""All built-in tools, by name. A tool's module is imported when the tools are first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import cast

from turbo_tui.core.ports import Tool

FOR_MODELS = (
    "list_files",
    "read_file",
    "search_text",
    "edit_file",
    "write_file",
    "delete_file",
    "move_file",
    "shell",
    "python",
    "run_checks",
)
"""What an executor model is offered: few and plain, as small models choose badly among many."""

BUILT_IN = FOR_MODELS
"""Each is a module of this package whose `TOOL` is the tool."""


def builtin_tools(names: Iterable[str] = BUILT_IN) -> dict[str, Tool]:
    """Return tools by name; not to be called before the first frame."""
    return {name: cast("Tool", import_module(f"turbo_tui.tools.{name}").TOOL) for name in names}
