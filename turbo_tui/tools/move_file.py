"""Move or rename a file."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "move_file",
    "Move or rename one file; `target` must not exist. Folders are made as needed. "
    "References to the old path are not changed.",
    parameters(
        ("path", "target"),
        path={"type": "string", "description": "file, relative to the workspace"},
        target={"type": "string", "description": "its new path"},
    ),
)
EXAMPLE = {"path": "src/old.py", "target": "src/new.py"}


class MoveFile:
    """Move one file."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return what was moved."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        path, target = given.path(), given.path("target")
        context.stage.files.move(path, target)
        return f"Moved {path} to {target}."
