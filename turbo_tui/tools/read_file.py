"""Read a text file, with line numbers."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "read_file",
    "Read a text file. Each row is a line number, a bar and the line; the number and the bar "
    "are not part of the file. At most 400 lines at a time: give `start_line` for more.",
    parameters(
        ("path",),
        path={"type": "string", "description": "file, relative to the workspace"},
        start_line={"type": "integer", "description": "first line, from 1; default 1"},
        end_line={"type": "integer", "description": "last line, inclusive"},
    ),
)
EXAMPLE = {"path": "src/app.py", "start_line": 1, "end_line": 80}
MOST_LINES = 400
MOST_CHARS = 24_000
LINE_CHARS = 1_000
MOST_BYTES = 16 * 1024 * 1024


class ReadFile:
    """Show a file, or a range of its lines."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return numbered rows and a note on what was left out."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        path = given.path()
        start = given.number("start_line", 1, at_least=0) or 1
        end = given.number("end_line", 0)
        if end and end < start:
            raise given.wrong("end_line", f"must not be before start_line ({start})")
        content = context.stage.files.read(path, limit_bytes=MOST_BYTES + 1)
        try:
            file = decode(content[:MOST_BYTES])
        except NotTextError as error:
            raise ToolError(
                f"{path!r} cannot be shown as text: {error} ({len(content):,} bytes)."
            ) from None
        lines = file.text.split("\n")
        if lines[-1] == "":
            lines.pop()
        if not lines:
            return f"{path} is empty."
        if start > len(lines):
            raise given.wrong("start_line", f"is behind the end: {path} has {len(lines)} lines")
        rows = _rows(lines, start, min(end or len(lines), start + MOST_LINES - 1))
        last = start + len(rows) - 1
        notes: list[str] = []
        if file.encoding != "utf-8" or file.newline == "\r\n":
            ends = "CRLF" if file.newline == "\r\n" else "LF"
            notes.append(f"[{file.encoding}, {ends} line ends; kept when you edit]")
        if len(content) > MOST_BYTES:
            notes.append(f"[only the first {MOST_BYTES:,} bytes were looked at]")
        if last < (end or len(lines)) and last < len(lines):
            notes.append(f"[lines {start}-{last} of {len(lines)}; go on at start_line {last + 1}]")
        return "\n".join([*rows, *notes])


def _rows(lines: list[str], start: int, end: int) -> list[str]:
    width = len(str(end))
    rows: list[str] = []
    room = MOST_CHARS
    for number, line in enumerate(lines[start - 1 : end], start=start):
        shown = line
        if len(line) > LINE_CHARS:
            shown = f"{line[:LINE_CHARS]}[… {len(line) - LINE_CHARS} more characters]"
        room -= len(shown) + width + 2
        if room < 0 and rows:
            break
        rows.append(f"{number:>{width}}| {shown}")
    return rows
