"""All built-in tools, by name. A tool's module is imported when the tools are first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from turbo_tui.core.ports import Tool

if TYPE_CHECKING:
    from turbo_tui.tools.git_commit import Repository

FOR_MODELS = (
    "list_files",
    "read_file",
    "search_text",
    "search_code",
    "edit_file",
    "write_file",
    "delete_file",
    "move_file",
    "shell",
    "python",
    "run_checks",
    "find_usages",
    "rename_symbol",
)
"""What an executor model is offered: few and plain, as small models choose badly among many."""

ON_WORKSPACE = frozenset({"git_commit"})
"""What acts on the real workspace, once allowed: it does not see what waits for a review."""

BUILT_IN = {
    "list_files": "turbo_tui.tools.list_files:ListFiles",
    "read_file": "turbo_tui.tools.read_file:ReadFile",
    "search_text": "turbo_tui.tools.search_text:SearchText",
    "search_code": "turbo_tui.tools.search_code:SearchCode",
    "edit_file": "turbo_tui.tools.edit_file:EditFile",
    "write_file": "turbo_tui.tools.write_file:WriteFile",
    "delete_file": "turbo_tui.tools.delete_file:DeleteFile",
    "move_file": "turbo_tui.tools.move_file:MoveFile",
    "shell": "turbo_tui.tools.shell:Shell",
    "python": "turbo_tui.tools.python:Python",
    "run_checks": "turbo_tui.tools.run_checks:RunChecks",
    "rename_symbol": "turbo_tui.tools.rename_symbol:RenameSymbol",
    "find_usages": "turbo_tui.tools.find_usages:FindUsages",
    "structural_replace": "turbo_tui.tools.structural_replace:StructuralReplace",
    "remove_unused_imports": "turbo_tui.tools.remove_unused_imports:RemoveUnusedImports",
    "explain_symbol": "turbo_tui.tools.explain_symbol:ExplainSymbol",
    "format_code": "turbo_tui.tools.format_code:FormatCode",
    "list_failures": "turbo_tui.tools.list_failures:ListFailures",
    "add_dependency": "turbo_tui.tools.add_dependency:AddDependency",
    "bump_version": "turbo_tui.tools.bump_version:BumpVersion",
}
"""Tool name -> where its class is, written as an entry point would be."""


def builtin_tools(
    names: Iterable[str] = tuple(BUILT_IN), *, git: Repository | None = None
) -> dict[str, Tool]:
    """Return tools by name; not to be called before the first frame.

    Args:
        names: Which of `BUILT_IN`.
        git: The user's repository; `git_commit` is there only with one.
    """
    tools = {name: _tool(BUILT_IN[name]) for name in names}
    if git is not None:
        from turbo_tui.tools.git_commit import GitCommit  # noqa: PLC0415 - loaded late

        tools["git_commit"] = GitCommit(git)
    return tools


def _tool(place: str) -> Tool:
    module, _, name = place.partition(":")
    return cast("Tool", getattr(import_module(module), name)())
