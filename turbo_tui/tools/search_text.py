"""Search the workspace's files for text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import StageFiles, ToolContext
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.regex_worker import Row, match_in_worker, match_lines

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
TIME_LIMIT_S = 20.0
_BATCH_CHARS = 8_000_000  # of text given to one worker process


class SearchText:
    """Find lines.

    Args:
        time_limit_s: Seconds after which a search stops and says so.
    """

    spec = SPEC

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return `path:line:text` rows in path order."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        query = given.text("query")
        folder = given.path("path", ".")
        pattern = given.text("pattern", "*").strip()
        limit = given.number("limit", 100, at_least=1, at_most=MOST)
        is_regex = given.flag("regex")
        flags = re.IGNORECASE if given.flag("ignore_case") else re.NOFLAG
        try:
            wanted = re.compile(query if is_regex else re.escape(query), flags)
        except re.error as error:
            raise given.wrong(
                "query", f"is no regular expression ({error}); leave `regex` out to search it as is"
            ) from None
        files = context.stage.files
        if folder != "." and files.entry(folder) is None:
            raise ToolError(f"There is no {folder!r} to search. Call list_files to see what is.")
        paths = _paths(files, folder, pattern)
        search = _Search(files, wanted, limit + 1, in_worker=is_regex)
        try:
            async with asyncio.timeout(self._time_limit_s):
                await search.run(paths)
        except TimeoutError:
            search.stopped = True
        shown = [_shown(row) for row in search.rows[:limit]]
        if len(search.rows) > limit:
            shown.append(f"[more than {limit} rows; narrow `query`, `path` or `pattern`]")
        if search.stopped:
            shown.append(
                f"[stopped after {self._time_limit_s:g} s at {search.at}; narrow `path`, or use a "
                "simpler query]"
            )
        return "\n".join(shown) or f"Nothing matches {query!r} below {folder!r} ({pattern})."


class _Search:
    """One search under way; `rows` grows until there are `most`."""

    def __init__(
        self, files: StageFiles, wanted: re.Pattern[str], most: int, *, in_worker: bool
    ) -> None:
        self.rows: list[Row] = []
        self.at = ""
        self.stopped = False
        self._files = files
        self._wanted = wanted
        self._most = most
        self._in_worker = in_worker
        self._batch: dict[str, str] = {}
        self._batch_chars = 0

    async def run(self, paths: Iterator[str]) -> None:
        for path in paths:
            await asyncio.sleep(0)  # a large tree must not hold up the screen
            text = _text(self._files, path)
            if text is None:
                continue
            if self._in_worker:
                self._batch[path] = text
                self._batch_chars += len(text)
                if self._batch_chars > _BATCH_CHARS:
                    await self._match_batch()
            else:
                self.at = path
                # Most files hold no match at all: one look at the whole spares the lines.
                if self._wanted.search(text):
                    self._add(match_lines(self._wanted, {path: text}, self._left))
            if not self._left:
                return
        await self._match_batch()

    @property
    def _left(self) -> int:
        return self._most - len(self.rows)

    def _add(self, rows: Sequence[Row]) -> None:
        self.rows += rows

    async def _match_batch(self) -> None:
        if self._batch:
            self.at = next(iter(self._batch))
            rows = await match_in_worker(self._wanted, self._batch, self._left)
            self._add(rows)
            self._batch, self._batch_chars = {}, 0


def _paths(files: StageFiles, folder: str, pattern: str) -> Iterator[str]:
    for path in files.walk():
        if folder not in {".", path} and not path.startswith(f"{folder}/"):
            continue
        name = path.rpartition("/")[2]
        if fnmatchcase(name, pattern) or fnmatchcase(path, pattern):
            yield path


def _text(files: StageFiles, path: str) -> str | None:
    """Read a file's text; None for what is large, binary, no file, or gone since the walk."""
    try:
        entry = files.entry(path)
        if entry is None or entry.kind != "file" or entry.size_bytes > MOST_BYTES:
            return None
        return decode(files.read(path, limit_bytes=MOST_BYTES)).text
    except (NotTextError, ToolError):
        return None


def _shown(row: Row) -> str:
    path, number, line = row
    return f"{path}:{number}:{line if len(line) <= LINE_CHARS else f'{line[:LINE_CHARS]}…'}"
