"""`turbo-tui search`: find places in a workspace by name, phrase or question."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import TextIO

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.telling import encodable, tell
from turbo_tui.core.errors import TurboError
from turbo_tui.core.plain import plain, plural
from turbo_tui.core.searching import Hit, IndexState
from turbo_tui.knowledge.service.client import Client, WorkerSilentError
from turbo_tui.knowledge.service.home import Home
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.places import search_home

_MINUS = re.compile(r"-(?:path|lang|kind):")


class _Command(click.Command):
    """Takes a query that begins with a filter's minus: `-kind:tests retry` is no `-k`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        queries = [each for each in args if _MINUS.match(each)]
        if queries and "--" not in args:
            args = [*(each for each in args if each not in queries), "--", *queries]
        return super().parse_args(ctx, args)


@click.command("search", cls=_Command)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@place_option()
@click.option(
    "-k",
    "limit",
    default=10,
    type=click.IntRange(1, 1000),
    show_default=True,
    help="Places at most.",
)
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@json_option()
def command(words: tuple[str, ...], *, path: str, limit: int, here: bool, as_json: bool) -> None:
    """Find the places that answer QUERY: a name, a phrase as it stands, a question.

    Best first, each file once, then further lines. Exit code 0 also when nothing is found.

    Filters are words of the query: lang:py, path:src/, kind:tests (code, docs, config), with a
    minus in front to leave out; like:FILE:LINE finds what is like a place. A phrase in double
    quotes is meant as it stands: turbo-tui search '"connection closed" -kind:tests'
    """
    query = " ".join(words)
    workspace = open_workspace(path, here=here)
    home, learns = search_home(workspace.root), workspace.settings.knowledge.learn
    with closing(Client(home, learns=learns)) as client, _waiting(home):
        hits = client.search(query, limit=limit, complete=True)
        index = client.index
        cause = "" if hits else client.cause(query)
    tell_state(index)
    if cause:
        tell(f"{plain(cause)}\n")
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
        sys.stdout.write(json.dumps({"results": results, "index": as_value(index)}) + "\n")
        return
    for hit in hits:
        sys.stdout.write(encodable(in_words(hit), sys.stdout))
    if not hits and not cause:
        tell("Nothing was found.\n")


@contextmanager
def _waiting(home: Home) -> Generator[None]:
    """Say on a terminal how far the index is, while a search waits for it."""
    if not sys.stderr.isatty():
        yield
        return
    over = Event()
    looker = Client(home, learns=False)
    telling = Thread(target=tell_progress, args=(looker.state, over, sys.stderr), daemon=True)
    telling.start()
    try:
        yield
    finally:
        over.set()
        looker.close()
        telling.join()


def tell_progress(
    ask: Callable[[], IndexState], over: Event, out: TextIO, *, each_s: float = 1.0
) -> None:
    """Write how far the index is, in one line that is taken away when it is over.

    A worker that shows no life is said once, on a line that stays.

    Args:
        ask: Says how far it is.
        over: Set when nobody waits any more.
        out: A terminal.
        each_s: So long between two looks, and before the first.
    """
    said = silent = ""
    while not over.wait(each_s):
        try:
            state = ask()
        except WorkerSilentError as error:
            if not silent:
                silent = plain(str(error))
                out.write(f"\r\x1b[K{silent}\n")
                out.flush()
            continue
        except TurboError:
            break  # the search itself says why
        said = f"Indexing: {progress(state)}" if state.pending else said
        if said and not over.is_set():
            out.write(f"\r\x1b[K{said}")
            out.flush()
    if said:
        out.write("\r\x1b[K")
        out.flush()


def progress(state: IndexState) -> str:
    """Say in a line how far an index is."""
    words = f"{plural(state.files, 'file')}, {plural(state.chunks, 'piece')}"
    if not state.pending:
        return words
    words += f" · {plural(state.pending, 'file')} left"
    if state.rate:
        words += f" · {state.rate:,.0f} files/s"
    if state.left_s is not None:
        words += f" · {state.left_s:,.0f} s left"
    return words


def as_value(index: IndexState) -> dict[str, object]:
    """Return what `--json` says of the index."""
    return {
        "files": index.files,
        "chunks": index.chunks,
        "vectors": index.vectors,
        "age_s": index.age_s,
    }


def tell_state(index: IndexState) -> None:
    """Say on stderr what the user should know of the index."""
    for each in index.given_up:
        tell(f"{plain(each)}: took too long to parse; it is found by its words alone.\n")
    if index.note:
        tell(f"{plain(index.note)}\n")


def in_words(hit: Hit) -> str:
    """Write a place for reading; its path and text are data."""
    why = plain(" · ".join(hit.why))
    place = f"{plain(hit.path)}:{hit.start_line}-{hit.end_line}"
    return f"{place}  ({why})\n    {plain(hit.text)}\n"
