"""Why a query finds nothing, where there is a plain cause."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from turbo_tui.core.searching import Filter, Query, parse_query
from turbo_tui.core.traces import read_trace
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.narrowing import admits
from turbo_tui.knowledge.syntax.words import asked_terms

MOST_ENDINGS = 6


def cause_of(index: Index, text: str) -> str:
    """Say in one sentence why a query finds nothing; nothing where it could well have."""
    if not index.files:
        return "No file here is searched: there is none, or .gitignore or .turbo/ignore names all."
    trace = read_trace(text)
    if trace.frames:
        where = "you named" if trace.named else "in this stack trace"
        return f"None of the files {where} is in the workspace."
    query = parse_query(text)
    return _of_filters(index, query) or _of_like(index, query) or _of_words(query)


def _of_filters(index: Index, query: Query) -> str:
    if not query.filters or any(admits(query, path) for path in index.files):
        return ""
    for each in query.filters:
        if not each.out and not any(admits(Query("", (each,)), path) for path in index.files):
            return f"No file here is {each.field}:{each.value}{_instead(index, each)}."
    return "No file here meets all these filters."


def _instead(index: Index, each: Filter) -> str:
    if each.field != "lang":
        return ""
    endings = Counter(PurePosixPath(path).suffix[1:] for path in index.files)
    named = sorted(filter(None, endings), key=lambda ending: (-endings[ending], ending))
    return f"; there are {', '.join(named[:MOST_ENDINGS])}" if named else ""


def _of_like(index: Index, query: Query) -> str:
    if query.like is None:
        return ""
    path, line = query.like
    known = index.files.get(path)
    if known is None:
        return f"There is no file {path} in the index."
    lines = known.file.text().count("\n") + 1
    return f"{path} has {lines:,} lines only." if line > lines else ""


def _of_words(query: Query) -> str:
    if query.like is not None or asked_terms(query.text):
        return ""
    if not query.text:
        return "Only filters were given: add a word to look for."
    if re.search(r"\w", query.text):
        return "Words that every text has find nothing by themselves: add one that tells more."
    return "There is no word in it to look for."
