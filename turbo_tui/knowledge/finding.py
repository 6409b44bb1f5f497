"""Answer a query: a phrase as it stands, then the files that fit best, then further lines."""

from __future__ import annotations

import os
from pathlib import Path

from turbo_tui.core.ports import Hit
from turbo_tui.knowledge import exact, ranker
from turbo_tui.knowledge.index import Index
from turbo_tui.knowledge.tree import SourceTree


class Finder:
    """Answers queries about the files below a folder, as they are now."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tree = SourceTree(root)
        self._index = Index()

    def find(self, text: str, *, limit: int) -> list[Hit]:
        """Return the best places, best first: each file once, then further lines of text."""
        text = text.strip()
        if not text or limit <= 0:
            return []
        files = self._tree.files()
        self._index.refresh(files)
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

    def given_up(self) -> list[str]:
        """Return the files that no grammar could read in time; they are found by their lines."""
        return sorted(os.path.relpath(path, self._root) for path in self._index.parser.given_up)

    def close(self) -> None:
        """End what was started."""
        self._index.parser.close()
