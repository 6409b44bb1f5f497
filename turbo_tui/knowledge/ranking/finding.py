"""Answer a query: a phrase as it stands, then the files that fit best, then further lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from turbo_tui.core.redact import Redactor
from turbo_tui.core.searching import NOWHERE, Context, Hit, Query, parse_query
from turbo_tui.core.traces import Trace, read_trace
from turbo_tui.knowledge.indexing.index import Index, Indexed
from turbo_tui.knowledge.indexing.likely import Likely
from turbo_tui.knowledge.indexing.narrowing import admits, narrowed
from turbo_tui.knowledge.indexing.parser import Parser
from turbo_tui.knowledge.indexing.tree import SourceFile, SourceTree
from turbo_tui.knowledge.ranking import exact, ranker, tracing
from turbo_tui.knowledge.ranking.leaning import Leaning, Remembers
from turbo_tui.knowledge.syntax.file_kinds import kinds_of
from turbo_tui.knowledge.syntax.words import asked_terms

LIKE_TERMS = 40  # of a place, the rarest, that say what is like it
SHOWN_CHARS = 300
LEAD = 3  # lines of a phrase before what else may be meant by its words
LONG = 4  # words of a phrase that nobody types by chance: all its lines lead
_BESIDE = {"test": 2, "prose": 3}  # when their lines of a phrase come; other kinds are before, at 1

Scores = NDArray[np.float32]
_without_secrets = Redactor()  # by their shapes


class Compares(Protocol):
    """Compares by meaning; None where that is not to be had (yet)."""

    def similarities(self, index: Index, text: str) -> Scores | None:
        """Return how close each chunk is to a text, by number."""
        ...

    def similar(self, index: Index, number: int) -> Scores | None:
        """Return how close each chunk is to another one, by number."""
        ...


class Finder:
    """Answers queries about what is in an index, and about files that are not in it yet."""

    def __init__(self, index: Index, meaning: Compares | None = None) -> None:
        self._index = index
        self._meaning = meaning
        self._likely = Likely(index)

    def find(
        self,
        text: str,
        *,
        limit: int,
        pending: Iterable[SourceFile] = (),
        context: Context = NOWHERE,
        habits: Remembers | None = None,
    ) -> list[Hit]:
        """Return the best places, best first: each file once, then further lines of text.

        Args:
            text: The query, with filters as in `core.searching.parse_query`; or a stack trace.
            limit: How many places at most.
            pending: Files that are found by their lines alone.
            context: What the user is at; it settles close calls.
            habits: What they opened before, likewise.
        """
        if limit <= 0:
            return []
        hits = self._found(text, limit, pending, Leaning(self._index, context, habits))
        return [replace(hit, text=_without_secrets(hit.text)) for hit in hits]

    def _found(
        self, text: str, limit: int, pending: Iterable[SourceFile], leaning: Leaning
    ) -> list[Hit]:
        trace = read_trace(text)
        pending = list(pending) if trace.frames else pending
        found = self._traced(trace, limit, pending, leaning) if trace.frames else []
        if found or (trace.frames and not trace.named):
            return found
        query = parse_query(text)
        if query.like is not None:
            return self._like(query, *query.like)[:limit]
        return self._ranked(query, limit, pending, leaning) if query.text else []

    def _traced(
        self, trace: Trace, limit: int, pending: Iterable[SourceFile], leaning: Leaning
    ) -> list[Hit]:
        """Return a trace's own places, then what its message finds elsewhere."""
        found = tracing.places(self._index, trace, pending)
        if trace.message:
            held = {hit.path for hit in found}
            told = self._ranked(Query(trace.message), limit, pending, leaning)
            found += [hit for hit in told if hit.path not in held]
        return found[:limit]

    def _ranked(
        self, query: Query, limit: int, pending: Iterable[SourceFile], leaning: Leaning
    ) -> list[Hit]:
        text, index = query.text, narrowed(self._index, query)
        scores = index.chunks.scores(asked_terms(text))
        likely = self._likely.files(text, scores, index)
        maybe = [*next(likely), *(each for each in pending if admits(query, each.path))]
        phrase = _phrase(index, maybe, text, scores) if " " in text else []
        while " " in text and not phrase and (more := next(likely, None)):
            phrase = _phrase(index, more, text, scores)
        is_meant = query.quoted or len(text.split()) >= LONG
        similar = self._meaning.similarities(index, text) if self._meaning else None
        found: dict[tuple[str, int], Hit] = {}
        ranked = ranker.rank(index, text, limit=limit, similar=similar, leaning=leaning)
        for hit in _woven(phrase, ranked, len(phrase) if is_meant else LEAD):
            if len(found) >= limit:
                break
            if not any(
                hit.path == path and hit.start_line <= line <= hit.end_line for path, line in found
            ):
                found[hit.path, hit.start_line] = hit
        if len(found) < limit:
            for hit in exact.find(maybe, text):
                found.setdefault((hit.path, hit.start_line), hit)
        return list(found.values())[:limit]

    def _like(self, query: Query, path: str, line: int) -> list[Hit]:
        """Return the places most like another one, a file once."""
        index = narrowed(self._index, query)
        known = self._index.files.get(path)
        if known is None or not known.chunks or line > known.file.text().count("\n") + 1:
            return []
        at = max(0, bisect_right(known.chunks, (line, line)) - 1) if line else 0
        number = known.first + at
        first, last = known.chunks[at]
        code = "\n".join(known.file.text().split("\n")[first - 1 : last])
        rarest = sorted(asked_terms(code), key=index.chunks.rarity, reverse=True)
        scores = index.chunks.scores([*asked_terms(query.text), *rarest[:LIKE_TERMS]])
        scores = scores / (float(scores.max(initial=0.0)) or 1.0)
        similar = self._meaning.similar(index, number) if self._meaning else None
        if similar is not None:
            scores = (scores + np.maximum(similar, 0)).astype(np.float32)
        scores[known.first : known.first + len(known.chunks)] = 0
        hits = [
            _place(index.files[other], fits) for other, fits in index.best_files(scores).items()
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.path))


def _phrase(index: Index, files: Iterable[SourceFile], text: str, scores: Scores) -> list[Hit]:
    """Return the lines that hold a phrase: code first, of each file one first, the best first."""
    ordered: list[tuple[tuple[int, bool, int, float, str], Hit]] = []
    query = exact.parse(text)
    for file in files:
        for which, hit in enumerate(exact.lines(file, query)):  # whole words first
            known = index.files.get(file.path)
            fits = scores[known.first : known.first + len(known.chunks)] if known else scores[:0]
            beside = max((_BESIDE.get(kind, 1) for kind in kinds_of(file.path, (), {})), default=0)
            in_word = hit.score < exact.WHOLE_WORD
            order = beside, in_word, which, -float(fits.max(initial=0.0)), file.path
            ordered.append((order, hit))
    return [hit for _, hit in sorted(ordered, key=itemgetter(0))]


def _woven(phrase: Sequence[Hit], ranked: Sequence[Hit], lead: int) -> Iterator[Hit]:
    """Yield some lines of a phrase, then by turns: it may be a subject that is named everywhere."""
    yield from phrase[:lead]
    for pair in zip_longest(ranked, phrase[lead:]):
        yield from filter(None, pair)


def _place(known: Indexed, fits: dict[int, float]) -> Hit:
    which = max(fits, key=lambda each: (fits[each], -each))
    first, last = known.chunks[which]
    lines = known.file.text().split("\n")[first - 1 : last]
    at, shown = next(((n, text) for n, text in enumerate(lines) if text.strip()), (0, ""))
    return Hit(
        known.file.path,
        first,
        last,
        round(fits[which], 4),
        shown.strip()[:SHOWN_CHARS],
        ("similar",),
        first + at,
    )


class Folder:
    """A workspace that is read whole before each answer: for scripts; the app asks the worker."""

    def __init__(self, root: Path) -> None:
        self.index = Index()
        self.parser = Parser()
        self._tree = SourceTree(root)
        self._finder = Finder(self.index)

    def find(self, text: str, *, limit: int) -> list[Hit]:
        """Return the best places in the files as they are now."""
        self.refresh()
        return self._finder.find(text, limit=limit)

    def refresh(self) -> None:
        """Take in what is new or changed, leave out what is gone."""
        files = self._tree.files()
        for path in self.index.files.keys() - files.keys():
            self.index.remove(path)
        held = self.index.files
        changed = [
            file for path, file in files.items() if path not in held or held[path].file is not file
        ]
        for file, key, digest, *_ in self.parser.read(changed):
            if digest is None:
                self.index.remove(file.path)
            else:
                self.index.add(file, key, digest)

    def close(self) -> None:
        """End what was started."""
        self.parser.close()
