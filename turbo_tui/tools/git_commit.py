"""Commit what is staged in the user's real repository, after asking."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import Ask, ToolContext
from turbo_tui.engine.commit_message import Staged, compose_message
from turbo_tui.tools.arguments import Arguments, parameters

NAME = "git_commit"
READ_ONLY = False
SHOWN_FILES = 20

_SPEC = ToolSpec(
    NAME,
    "Commit what is staged in the user's git index; the user is asked before. Without a message "
    "a conventional one is made from the staged changes.",
    parameters((), message={"type": "string", "description": "the whole commit message"}),
)
_EXAMPLE = {"message": "fix(parser): read empty files"}
_SIGNS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R", "retyped": "T"}


class Repository(Protocol):
    """The user's repository, as far as a commit needs it."""

    async def staged(self, workspace: Path) -> Staged:
        """Return what the index holds against HEAD."""
        ...

    async def commit(self, workspace: Path, message: str) -> str:
        """Commit the index; return git's words."""
        ...


class GitCommit:
    """A commit of the staged changes, on the real workspace."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Ask, then commit; the approval is for exactly this index and message.

        Raises:
            ToolError: Nothing is staged, the user said no, or the index changed meanwhile.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        staged = await self._repository.staged(context.workspace)
        if not staged.files:
            raise ToolError(
                "Nothing is staged in git, so there is nothing to commit. Stage what you want "
                "with `git add` in your own shell, then ask again."
            )
        message = given.text("message", "", empty=True).strip() or compose_message(staged)
        message = f"{message.rstrip()}\n"
        branch = f" on {staged.branch}" if staged.branch else " on a detached HEAD"
        verdict = await context.ask(
            Ask(
                action="commit",
                subject=shlex.join(["git", "commit", "-m", message.rstrip()]),
                reason=f"Commits {len(staged.files)} staged files{branch}; your hooks run:\n"
                + "\n".join(_rows(staged)),
            )
        )
        if not verdict.allowed:
            said = f": {verdict.feedback}" if verdict.feedback else ""
            raise ToolError(f"The user did not allow the commit{said}. Nothing was committed.")
        now = await self._repository.staged(context.workspace)
        if now.fingerprint != staged.fingerprint:
            raise ToolError(
                "What is staged changed while the question was open, so nothing was committed. "
                "Ask again to see what would be committed now."
            )
        said = await self._repository.commit(context.workspace, message)
        return f"Committed{branch}:\n\n{message}\n{said}"


def _rows(staged: Staged) -> list[str]:
    rows: list[str] = []
    for file in staged.files[:SHOWN_FILES]:
        counts = "binary" if file.added is None else f"+{file.added} -{file.removed}"
        old = f"{file.old_path} -> " if file.old_path else ""
        rows.append(f"  {_SIGNS[file.status]} {old}{file.path}  {counts}")
    if len(staged.files) > SHOWN_FILES:
        rows.append(f"  … and {len(staged.files) - SHOWN_FILES} more")
    return rows
