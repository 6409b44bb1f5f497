"""Find the places that answer a question, by meaning and structure."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.core.searching import Hit
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "search_code",
    "Find the places that answer a question or define a name, best first, each with its lines. "
    "The query is words, not a pattern: `where are retries counted`, `parse_match`, a stack "
    "trace. search_text finds exact text instead.",
    parameters(
        ("query",),
        query={"type": "string", "description": "a question, a name, or a stack trace"},
        limit={"type": "integer", "description": "most places; default 6"},
    ),
)
EXAMPLE = {"query": "where is the config file read"}
MOST = 20
MOST_LINES = 60  # shown of one place
MOST_CHARS = 20_000  # of all places
LINE_CHARS = 300
MOST_BYTES = 2 * 1024 * 1024


class SearchCode:
    """Ask the workspace's index; lines are shown as the step has them."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return each place as `path:first-last`, why it was found, and its numbered lines."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        query = given.text("query")
        limit = given.number("limit", 6, at_least=1, at_most=MOST)
        if context.search is None:
            raise ToolError("There is no index here. Use search_text.")
        hits = await context.search.search(query, limit=limit)
        shown: list[str] = []
        room = MOST_CHARS
        for hit in hits:
            place = _place(hit, context)
            if place is None:
                continue
            room -= len(place)
            if room < 0 and shown:
                shown.append(f"[{len(hits) - len(shown)} more places left out; ask for fewer]")
                break
            shown.append(place)
        return "\n\n".join(shown) or f"Nothing was found for {query!r}. Try search_text."


def _place(hit: Hit, context: ToolContext) -> str | None:
    """Show a place as the step's own copy has it; None where it is gone or no text."""
    try:
        content = context.stage.files.read(hit.path, limit_bytes=MOST_BYTES)
        lines = decode(content).text.split("\n")
    except (NotTextError, ToolError):
        return None
    first, last = hit.start_line, min(hit.end_line, len(lines), hit.start_line + MOST_LINES - 1)
    if first > len(lines):
        return None  # the step shortened the file since it was indexed
    why = f"  ({' · '.join(hit.why)})" if hit.why else ""
    width = len(str(last))
    rows = [
        f"{number:>{width}}| {line[:LINE_CHARS]}"
        for number, line in enumerate(lines[first - 1 : last], start=first)
    ]
    return "\n".join([f"{hit.path}:{first}-{last}{why}", *rows])
