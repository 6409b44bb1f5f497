"""List files of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "list_files",
    "List files below a folder, with sizes; files that git ignores are left out. "
    "`pattern` is a glob on the path (`*.py`, `tests/*`); `*` crosses folders.",
    parameters(
        (),
        path={"type": "string", "description": "folder; default: the whole workspace"},
        pattern={"type": "string", "description": "glob; default: every file"},
        limit={"type": "integer", "description": "most files to list; default 200"},
    ),
)
EXAMPLE = {"path": "src", "pattern": "*.py"}
MOST = 2_000


class ListFiles:
    """List what is there."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return one `size path` row for each file, in path order."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        folder = given.path("path", ".")
        pattern = given.text("pattern", "*").strip()
        limit = given.number("limit", 200, at_least=1, at_most=MOST)
        files = context.stage.files
        if folder != ".":
            entry = files.entry(folder)
            if entry is None:
                raise ToolError(f"There is no folder {folder!r}. Call list_files without `path`.")
            if entry.kind == "file":
                return f"{folder} is a file of {entry.size_bytes:,} bytes."
        prefix = "" if folder == "." else f"{folder}/"
        rows: list[str] = []
        total = 0
        for path in files.walk():
            below = path.removeprefix(prefix)
            if not path.startswith(prefix) or not (
                fnmatchcase(below, pattern) or fnmatchcase(path, pattern)
            ):
                continue
            total += 1
            if total <= limit:
                entry = files.entry(path)
                rows.append(f"{entry.size_bytes if entry else 0:>9,}  {path}")
        if not rows:
            return f"No file matches {pattern!r} below {folder!r}."
        if total > limit:
            rows.append(f"… {total - limit:,} more; give a narrower `path` or `pattern`.")
        return "\n".join(rows)
