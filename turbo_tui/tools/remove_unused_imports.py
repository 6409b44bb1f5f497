"""Take Python imports out that nothing uses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.languages.answers import places, write_edits
from turbo_tui.languages.ask import PYTHON_ENDINGS, ask_worker, files_holding
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.structural_replace import many, paths_under

NAME = "remove_unused_imports"
READ_ONLY = False
SHOWN_PLACES = 40

_SPEC = ToolSpec(
    NAME,
    "Remove Python imports that nothing uses. Kept: what __all__ or another file takes, "
    "`import x as x`, everything in __init__.py, `# noqa`, imports in a try, __future__.",
    parameters(
        (),
        path={"type": "string", "description": "a file or folder; the whole workspace if not said"},
    ),
)
_EXAMPLE = {"path": "src"}


class RemoveUnusedImports:
    """Clean the imports of Python files."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Clean in the stage; return what was taken out.

        Raises:
            ToolError: There are no Python files at the path.
        """
        path = Arguments(_SPEC, _EXAMPLE, arguments).path(default=".")
        files = context.stage.files
        under = await asyncio.to_thread(paths_under, context, path)
        clean = [found for found in under if found.endswith(".py")]
        if not clean:
            raise ToolError(f"There are no Python files at {path!r}.")
        everything = await asyncio.to_thread(paths_under, context, ".")
        python = [found for found in everything if found.endswith(PYTHON_ENDINGS)]
        contents, too_large = await asyncio.to_thread(files_holding, files, python, [b""])
        clean = [found for found in clean if b"import" in contents.get(found, b"")]
        answer = await ask_worker("imports", paths=python, files=contents, clean=clean)
        taken = places(answer["places"])
        if not taken:
            return f"No unused imports in {len(clean)} Python files; nothing was changed."
        counts = write_edits(files, contents, answer["edits"])
        lines = [
            f"Removed {many(len(taken), 'unused import')} from {many(len(counts), 'file')}.",
            "",
            *(f"  {place.path}:{place.line}: {place.note}" for place in taken[:SHOWN_PLACES]),
        ]
        if len(taken) > SHOWN_PLACES:
            lines.append(f"  … and {len(taken) - SHOWN_PLACES} more")
        lines += [f"Passed over for its size: {large}" for large in too_large]
        return "\n".join(lines)
