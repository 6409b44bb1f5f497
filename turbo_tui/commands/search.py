"""`turbo-tui search`: find places in a workspace by name, phrase or question."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from turbo_tui.commands.headless import encodable, tell
from turbo_tui.core.plain import plain
from turbo_tui.core.searching import Hit
from turbo_tui.knowledge import TextSearch
from turbo_tui.wiring import open_workspace


@click.command("search")
@click.argument("query")
@click.option("-C", "path", default=".", metavar="PATH", help="The workspace; default: here.")
@click.option("-k", "limit", default=10, type=click.IntRange(1, 1000), help="Places at most.")
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(query: str, *, path: str, limit: int, here: bool, as_json: bool) -> None:
    """Find the places that answer QUERY: a name, a phrase as it stands, a question.

    Best first, each file once, then further lines. Exit code 0 also when nothing is found.
    """
    asyncio.run(_search(query, path, limit=limit, here=here, as_json=as_json))


async def _search(query: str, path: str, *, limit: int, here: bool, as_json: bool) -> None:
    search = TextSearch(open_workspace(path, here=here).root)
    try:
        hits = await search.search(query, limit=limit, complete=True)
    finally:
        await search.close()
    index = search.index
    for each in index.given_up:
        tell(f"{plain(each)}: took too long to parse; it is found by its lines alone.\n")
    if as_json:
        results = [
            {
                "path": hit.path,
                "start_line": hit.start_line,
                "end_line": hit.end_line,
                "score": hit.score,
                "why": list(hit.why),
            }
            for hit in hits
        ]
        state = {"files": index.files, "chunks": index.chunks, "vectors": "none"}
        sys.stdout.write(json.dumps({"results": results, "index": state}) + "\n")
        return
    for hit in hits:
        sys.stdout.write(encodable(in_words(hit), sys.stdout))
    if not hits:
        tell("Nothing was found.\n")


def in_words(hit: Hit) -> str:
    """Write a place for reading; its path and text are data."""
    why = plain(" · ".join(hit.why))
    place = f"{plain(hit.path)}:{hit.start_line}-{hit.end_line}"
    return f"{place}  ({why})\n    {plain(hit.text)}\n"
