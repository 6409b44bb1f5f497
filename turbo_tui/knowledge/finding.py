"""Answer a query: a phrase as it stands, then the files that fit best, then further lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge import exact, ranker
from turbo_tui.knowledge.index import Index
from turbo_tui.knowledge.likely import Likely
from turbo_tui.knowledge.parser import Parser
from turbo_tui.knowledge.tree import SourceFile, SourceTree
from turbo_tui.knowledge.words import asked_terms


class Finder:
    """Answers queries about what is in an index, and about files that are not in it yet."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._likely = Likely(index)

    def find(self, text: str, *, limit: int, pending: Iterable[SourceFile] = ()) -> list[Hit]:
        """Return the best places, best first: each file once, then further lines of text.

        Args:
            text: The query.
            limit: How many places at most.
            pending: Files that are found by their lines alone.
        """
        text = text.strip()
        if not text or limit <= 0:
            return []
        scores = self._index.chunks.scores(asked_terms(text))
        lines = exact.find([*self._likely.files(text, scores), *pending], text, limit=limit)
        phrase = [hit for hit in lines if hit.why == ("text",)] if " " in text else []
        found: dict[tuple[str, int], Hit] = {}
        for hit in (*phrase, *ranker.rank(self._index, text, limit=limit)):
            if not any(
                hit.path == path and hit.start_line <= line <= hit.end_line for path, line in found
            ):
                found[hit.path, hit.start_line] = hit
        for hit in lines:
            found.setdefault((hit.path, hit.start_line), hit)
        return list(found.values())[:limit]


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
