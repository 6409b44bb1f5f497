"""Delete a file."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "delete_file",
    "Delete one file or symbolic link.",
    parameters(
        ("path",), path={"type": "string", "description": "file, relative to the workspace"}
    ),
)
EXAMPLE = {"path": "src/old.py"}


class DeleteFile:
    """Delete one file."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return what was deleted."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        path = given.path()
        entry = context.stage.files.entry(path)
        if entry is not None and entry.kind == "folder":
            raise ToolError(f"{path!r} is a folder; delete its files one by one, or use shell.")
        context.stage.files.remove(path)
        return f"Deleted {path}."
