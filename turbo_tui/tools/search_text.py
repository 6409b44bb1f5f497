"""Search the workspace's files for text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import StageFiles, ToolContext, ToolSpec
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "search_text",
    "Search file contents. Rows are path:line:text. The query is taken literally unless "
    "`regex` is true; case matters unless `ignore_case` is true.",
    parameters(
        ("query",),
        query={"type": "string", "description": "text, or a Python regular expression"},
        path={"type": "string", "description": "folder or file; default: the whole workspace"},
        pattern={"type": "string", "description": "glob on file names, such as *.py"},
        regex={"type": "boolean"},
        ignore_case={"type": "boolean"},
        limit={"type": "integer", "description": "most rows; default 100"},
    ),
)
EXAMPLE = {"query": "def parse(", "pattern": "*.py"}
MOST = 500
MOST_BYTES = 2 * 1024 * 1024  # larger files are data or generated
LINE_CHARS = 300
MATCHED_CHARS = 2_000  # of a line: bounds what a slow regular expression can cost
TIME_LIMIT_S = 20.0


class SearchText:
    """Find lines."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return `path:line:text` rows in path order."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        query = given.text("query")
        folder = given.path("path", ".")
        pattern = given.text("pattern", "*").strip()
        limit = given.number("limit", 100, at_least=1, at_most=MOST)
        flags = re.IGNORECASE if given.flag("ignore_case") else re.NOFLAG
        try:
            wanted = re.compile(query if given.flag("regex") else re.escape(query), flags)
        except re.error as error:
            raise given.wrong(
                "query", f"is no regular expression ({error}); leave `regex` out to search it as is"
            ) from None
        files = context.stage.files
        if folder != "." and files.entry(folder) is None:
            raise ToolError(f"There is no {folder!r} to search. Call list_files to see what is.")
        rows: list[str] = []
        more, stopped_at = False, ""
        clock = asyncio.get_running_loop().time
        deadline = clock() + TIME_LIMIT_S
        for path in _paths(files, folder, pattern):
            await asyncio.sleep(0)  # a large tree must not hold up the screen
            entry = files.entry(path)
            if entry is None or entry.kind != "file" or entry.size_bytes > MOST_BYTES:
                continue
            rows += _matches(files, path, wanted, limit + 1 - len(rows))
            more = len(rows) > limit
            stopped_at = path if clock() > deadline else ""
            if more or stopped_at:
                break
        if stopped_at:
            rows.append(f"[stopped after {TIME_LIMIT_S:g} s at {stopped_at}; narrow `path`]")
        if more:
            rows[limit:] = [f"[more than {limit} rows; narrow `query`, `path` or `pattern`]"]
        return "\n".join(rows) or f"Nothing matches {query!r} below {folder!r} ({pattern})."


def _paths(files: StageFiles, folder: str, pattern: str) -> Iterator[str]:
    for path in files.walk():
        if folder not in {".", path} and not path.startswith(f"{folder}/"):
            continue
        name = path.rpartition("/")[2]
        if fnmatchcase(name, pattern) or fnmatchcase(path, pattern):
            yield path


def _matches(files: StageFiles, path: str, wanted: re.Pattern[str], most: int) -> list[str]:
    try:
        text = decode(files.read(path, limit_bytes=MOST_BYTES)).text
    except (NotTextError, ToolError):
        return []  # binary, or gone since the walk
    rows: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if wanted.search(line[:MATCHED_CHARS]):
            shown = line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]}…"
            rows.append(f"{path}:{number}:{shown}")
            if len(rows) == most:
                break
    return rows
