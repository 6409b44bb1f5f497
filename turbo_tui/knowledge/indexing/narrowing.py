"""Part of an index: the files that a query's filters admit."""

from __future__ import annotations

from turbo_tui.core.searching import FileKind, Query
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.syntax.file_kinds import kinds_of
from turbo_tui.knowledge.syntax.grammars import grammar_of

_KINDS: dict[str, FileKind] = {"test": "tests", "prose": "docs", "data": "config"}


def admits(query: Query, path: str) -> bool:
    """Tell whether a file may be in the answer to a query."""
    if not query.filters:
        return True
    grammar = grammar_of(path)
    return query.admits(path, grammar.name if grammar else "", kind_of(path))


def kind_of(path: str) -> FileKind:
    """Say what `kind:` calls a file."""
    kinds = kinds_of(path, (), {})
    named: list[FileKind] = [_KINDS[kind] for kind in kinds if kind in _KINDS]
    return named[0] if named else "code"


def narrowed(index: Index, query: Query) -> Index:
    """Return the part of an index that a query's filters admit; the whole where it has none."""
    if not query.filters:
        return index
    part = Index()
    part.chunks = index.chunks
    part.files = {path: each for path, each in index.files.items() if admits(query, path)}
    part.placed = [
        each if each is not None and each.file.path in part.files else None for each in index.placed
    ]
    part.firsts, part.referenced = index.firsts, index.referenced
    part.name_parts = index.name_parts
    part.left_out = [at for at, each in enumerate(part.placed) if each is None]
    part.defining = index.defining.within(part.files)
    return part
