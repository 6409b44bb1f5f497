"""Write a whole file."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "write_file",
    "Create a file, or replace all of one. For a change to a file that exists, edit_file is "
    "better. Folders are made as needed.",
    parameters(
        ("path", "content"),
        path={"type": "string", "description": "file, relative to the workspace"},
        content={"type": "string", "description": "all of the file"},
    ),
)
EXAMPLE = {"path": "tests/test_app.py", "content": "def test_it():\n    assert True\n"}


class WriteFile:
    """Create or replace a file; one that exists keeps its encoding and line ends."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return how many lines were written."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        path = given.path()
        text = given.text("content", empty=True)
        files = context.stage.files
        entry = files.entry(path)
        if path == "." or (entry is not None and entry.kind == "folder"):
            raise ToolError(f"{path!r} is a folder; give the path of a file.")
        content = text.encode("utf-8", "surrogatepass")
        if entry is not None and entry.kind == "file":
            content = _as_before(files.read(path), text, path)
        files.write(path, content)
        lines = text.count("\n") + (not text.endswith("\n") and bool(text))
        verb = "Created" if entry is None else "Replaced"
        return f"{verb} {path}: {lines} line{'s' * (lines != 1)}, {len(content):,} bytes."


def _as_before(before: bytes, text: str, path: str) -> bytes:
    try:
        file = decode(before)
    except NotTextError as error:
        raise ToolError(
            f"{path!r} is not a text file ({error}) and is not replaced by text. "
            "Delete it first if that is meant."
        ) from None
    try:
        return file.replaced(0, len(file.text), text).encode()
    except UnicodeEncodeError:
        # The whole content is new, so nothing old is lost by a wider encoding.
        return file.mark + text.encode("utf-8", "surrogatepass")
