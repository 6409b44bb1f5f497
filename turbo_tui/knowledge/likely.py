"""Which files may hold a query's text as it stands: found by terms, without reading any file."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.index import Index
from turbo_tui.knowledge.postings import Postings
from turbo_tui.knowledge.tree import SourceFile
from turbo_tui.knowledge.words import joined, parts_of, stem

MOST_FILES = 100  # that are read for one query
MOST_TERMS = 2000  # that hold the letters of a word
_WORD = re.compile(r"\w+")
_SHORTEST = 2


class Likely:
    """Looks for letters within the terms of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._letters = ""  # all terms, a line each
        self._made_of: tuple[Postings, int] | None = None

    def files(self, text: str, scores: NDArray[np.float32]) -> list[SourceFile]:
        """Return files that may hold a text, or part of whose path it is; the best ones.

        Args:
            text: What was typed.
            scores: How well chunks fit it, by number: the better ones are kept.
        """
        index = self._index
        held = self._chunks(text)
        names = {
            path for word in _WORD.findall(text) for path in index.defining.get(joined(word), ())
        }
        wanted = text.lower()
        if " " not in wanted:
            names.update(path for path in index.files if wanted in path.lower())
        found = {path: index.files[path].file for path in sorted(names)[:MOST_FILES]}
        # A chunk without a score holds the letters within another word: better than nothing.
        ranked = np.where(held, scores[: len(held)] + np.float32(1e-6), 0)
        for path in index.best_files(ranked.astype(np.float32), MOST_FILES):
            found[path] = index.files[path].file
        return list(found.values())

    def _chunks(self, text: str) -> NDArray[np.bool_]:
        """Tell of each chunk whether it may hold all words of a text."""
        held = np.ones(self._index.chunks.numbers, np.bool_)
        words = [word for word in _WORD.findall(text) if len(word) >= _SHORTEST]
        if not words:
            return np.zeros_like(held)
        for word in words:
            here = np.zeros_like(held)
            for term in self._terms_with(word):
                here[self._index.chunks.holding(term)] = True
            held &= here | self._with_parts(word)
        return held

    def _with_parts(self, word: str) -> NDArray[np.bool_]:
        """Tell of each chunk whether it holds all parts of a name, in any order."""
        parts = [stem(part) for part in parts_of(word)]
        held = np.full(self._index.chunks.numbers, len(parts) > 1)
        for part in parts if len(parts) > 1 else ():
            here = np.zeros_like(held)
            here[self._index.chunks.holding(part)] = True
            held &= here
        return held

    def _terms_with(self, word: str) -> list[str]:
        """Return the terms that a word, or a part of one, may have been made to."""
        letters = self._all_letters()
        whole = joined(word)[1:]
        found: list[str] = []
        for part in dict.fromkeys((whole, stem(whole))):
            if not part:
                continue
            at = letters.find(part)
            while at >= 0 and len(found) < MOST_TERMS:
                start, end = letters.rfind("\n", 0, at) + 1, letters.find("\n", at)
                found.append(letters[start:end])
                at = letters.find(part, end)
        return found

    def _all_letters(self) -> str:
        vocabulary = self._index.chunks.vocabulary
        made_of = self._index.chunks, len(vocabulary)
        if made_of != self._made_of:
            self._made_of = made_of
            self._letters = "\n" + "\n".join(vocabulary) + "\n"
        return self._letters
