"""Which files may hold a query's text as it stands: found by terms, without reading any file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.syntax.words import joined, parts_of, stem

MOST_FILES = 40  # that are read for one query
MOST_READ = 200  # while a phrase of words that are everywhere is found nowhere
MOST_TERMS = 500  # that hold the letters of a word
MOST_WORDS = 4  # of a phrase that somebody still types; one of more has whole words
_WORD = re.compile(r"\w+")
_SHORTEST = 2


class Likely:
    """Looks for letters within the terms of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._paths: list[str] = []
        self._lower = ""
        self._changes = -1

    def files(
        self, text: str, scores: NDArray[np.float32], part: Index
    ) -> Iterator[list[SourceFile]]:
        """Yield files that may hold a text, or part of whose path it is; the best ones first.

        Args:
            text: What was typed.
            scores: How well chunks fit it, by number: the better ones are kept.
            part: Of the index, whose files are wanted.
        """
        index = self._index
        held = self._chunks(text)
        keys = [joined(word) for word in _WORD.findall(text)]
        names = {path for key in keys for path in index.defining.paths(key)}
        if " " not in text:
            names.update(self._paths_with(text.lower()))
        found = {
            path: part.files[path].file for path in sorted(names & part.files.keys())[:MOST_FILES]
        }
        # A chunk without a score holds the letters within another word: better than nothing.
        ranked = np.where(held, scores[: len(held)] + np.float32(1e-6), 0)
        ranked = ranked.astype(np.float32)
        for path in part.best_files(ranked, MOST_FILES):
            found[path] = part.files[path].file
        yield list(found.values())
        further = part.best_files(ranked, MOST_READ)
        order = sorted(further.keys() - found.keys(), key=lambda p: (-max(further[p].values()), p))
        for at in range(0, len(order), MOST_FILES):
            yield [part.files[path].file for path in order[at : at + MOST_FILES]]

    def _chunks(self, text: str) -> NDArray[np.bool_]:
        """Tell of each chunk whether it may hold a text: its words, the outer ones in part."""
        words = [word for word in _WORD.findall(text) if len(word) >= _SHORTEST]
        held = np.full(self._index.chunks.numbers, bool(words))
        for word in words[1:-1]:
            held &= self._with_parts(word)
        in_part = len(words) <= MOST_WORDS
        for word in dict.fromkeys((*words[:1], *words[-1:])) if held.any() else ():
            here = self._with_parts(word)
            for term in self._terms_with(word) if in_part else ():
                here[self._index.chunks.holding(term)] = True
            held &= here
        return held

    def _with_parts(self, word: str) -> NDArray[np.bool_]:
        """Tell of each chunk whether it holds all parts of a name, in any order."""
        parts = [stem(part) for part in parts_of(word)]
        held = np.full(self._index.chunks.numbers, bool(parts))
        for part in parts:
            here = np.zeros_like(held)
            here[self._index.chunks.holding(part)] = True
            held &= here
        return held

    def _terms_with(self, word: str) -> list[str]:
        """Return the terms that a word, or a part of one, may have been made to."""
        whole = joined(word)[1:]
        found: list[str] = []
        short = stem(whole)
        # What holds the whole word holds its beginning as well.
        parts = (short,) if whole.startswith(short) else (whole, short)
        for part in filter(None, parts):
            found += self._index.chunks.spelled(part, MOST_TERMS)
        return found

    def _paths_with(self, letters: str) -> list[str]:
        """Return paths that hold some letters, small or not."""
        if self._changes != self._index.changes:
            self._changes = self._index.changes
            self._paths = list(self._index.files)
            self._lower = _in_lines(f"{path.lower()}\t{at}" for at, path in enumerate(self._paths))
        lines = _lines_with(self._lower, letters, MOST_FILES)
        return [self._paths[int(line.rpartition("\t")[2])] for line in lines]


def _in_lines(words: Iterable[str]) -> str:
    return "\n" + "\n".join(words) + "\n"


def _lines_with(lines: str, letters: str, most: int) -> list[str]:
    """Return lines that hold some letters; `lines` begins and ends with a line's end."""
    found: list[str] = []
    at = lines.find(letters)
    while at >= 0 and len(found) < most:
        start, end = lines.rfind("\n", 0, at) + 1, lines.find("\n", at)
        found.append(lines[start:end])
        at = lines.find(letters, end)
    return found
