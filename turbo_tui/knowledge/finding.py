"""Answer a query: a phrase as it stands, then the files that fit best, then further lines."""

from __future__ import annotations

import math
import os
from pathlib import Path

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge import exact, ranker
from turbo_tui.knowledge.index import Index
from turbo_tui.knowledge.tree import SourceFile, SourceTree


class Finder:
    """Answers queries about the files below a folder, as they are now."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tree = SourceTree(root)
        self._index = Index()
        self._files: list[SourceFile] = []
        self._pending = 0

    def find(self, text: str, *, limit: int, within_s: float = math.inf) -> list[Hit]:
        """Return the best places, best first: each file once, then further lines of text.

        Args:
            text: The query.
            limit: How many places at most.
            within_s: So long files are taken into the index before the answer; those that
                remain are found by their lines alone, until `prepare` has taken them in.
        """
        text = text.strip()
        if not text or limit <= 0:
            return []
        self._files = files = self._tree.files()
        self._pending = self._index.refresh(files, within_s=within_s)
        lines = exact.find(files, text, limit=limit)
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

    def prepare(self, *, within_s: float) -> bool:
        """Take in files that the last query left; tell whether any still remain."""
        if self._pending:
            self._pending = self._index.refresh(self._files, within_s=within_s)
        return self._pending > 0

    def state(self) -> dict[str, object]:
        """Say what the index holds; `given_up`: files that no grammar could read in time."""
        given_up = sorted(os.path.relpath(p, self._root) for p in self._index.parser.given_up)
        return {
            "files": len(self._index.files),
            "chunks": len(self._index.chunks),
            "pending": self._pending,
            "given_up": given_up,
        }

    def close(self) -> None:
        """End what was started."""
        self._index.parser.close()
