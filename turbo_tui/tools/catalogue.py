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

BUILT_IN = {
    "list_files": "turbo_tui.tools.list_files:ListFiles",
    "read_file": "turbo_tui.tools.read_file:ReadFile",
    "search_text": "turbo_tui.tools.search_text:SearchText",
    "edit_file": "turbo_tui.tools.edit_file:EditFile",
    "write_file": "turbo_tui.tools.write_file:WriteFile",
    "delete_file": "turbo_tui.tools.delete_file:DeleteFile",
    "move_file": "turbo_tui.tools.move_file:MoveFile",
    "shell": "turbo_tui.tools.shell:Shell",
    "python": "turbo_tui.tools.python:Python",
    "run_checks": "turbo_tui.tools.run_checks:RunChecks",
}
"""Tool name -> where its class is, written as an entry point would be."""


def builtin_tools(names: Iterable[str] = tuple(BUILT_IN)) -> dict[str, Tool]:
    """Return tools by name; not to be called before the first frame."""
    return {name: _tool(BUILT_IN[name]) for name in names}


def _tool(place: str) -> Tool:
    module, _, name = place.partition(":")
    return cast("Tool", getattr(import_module(module), name)())
