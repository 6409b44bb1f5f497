"""The files of a workspace that are worth searching, read once and kept while unchanged."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.core.secret_files import is_secret
from turbo_tui.knowledge.definitions import Definition, definitions
from turbo_tui.languages.source_files import source_files

LARGEST_BYTES = 1_000_000
KEPT_BYTES = 128_000_000  # of text in memory; files beyond that are read at every query
SNIFFED_BYTES = 8192


@dataclass(slots=True)
class SourceFile:
    """A text file; `path` is relative to the workspace, `/`-separated.

    Kept in memory is what most queries look at: its text in lower case.
    """

    path: str
    absolute: str
    stamp: tuple[int, int]
    defined: tuple[Definition, ...] = ()
    kept: str | None = None

    def lower(self) -> str:
        """Return its text in lower case, line for line."""
        return self.kept if self.kept is not None else self.text().lower()

    def text(self) -> str:
        """Return its text as it is now; empty when it is gone or turned binary."""
        return _read(self.absolute) or ""


@dataclass(slots=True)
class SourceTree:
    """What `files` finds below `root`; links, binaries, large and secret files are left out."""

    root: Path
    _known: dict[str, SourceFile] = field(default_factory=dict[str, SourceFile])
    _binary: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    _kept_bytes: int = 0
    _walked_at: float = 0.0
    _walk_s: float = 0.0

    def files(self) -> list[SourceFile]:
        """Return the files as they are now, in path order.

        Directly after a long walk the tree is not walked again: typing a query stays quick
        on a large tree, and a change is seen a few walks' time later.
        """
        begun = time.monotonic()
        if not self._known or begun - self._walked_at > 4 * self._walk_s:
            self._refresh()
            self._walked_at = time.monotonic()
            self._walk_s = self._walked_at - begun
        return list(self._known.values())

    def _refresh(self) -> None:
        found: dict[str, SourceFile] = {}
        for each in source_files(self.root):
            if each.size_bytes > LARGEST_BYTES or is_secret(each.path):
                continue
            stamp = each.mtime_ns, each.size_bytes
            known = self._known.get(each.path)
            if known is not None and known.stamp == stamp:
                found[each.path] = known
            elif self._binary.get(each.path) != stamp:
                fresh = self._load(each.path, each.absolute, stamp)
                if fresh is not None:
                    found[each.path] = fresh
        self._known = dict(sorted(found.items()))
        self._kept_bytes = sum(len(each.kept or "") for each in found.values())

    def _load(self, path: str, absolute: str, stamp: tuple[int, int]) -> SourceFile | None:
        text = _read(absolute)
        if text is None:
            self._binary[path] = stamp
            return None
        kept = text.lower() if self._kept_bytes + len(text) <= KEPT_BYTES else None
        self._kept_bytes += len(kept or "")
        return SourceFile(path, absolute, stamp, definitions(path, text), kept)


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # str paths, thousands of them
            content = file.read(LARGEST_BYTES + 1)
    except OSError:
        return None
    if b"\0" in content[:SNIFFED_BYTES]:
        return None
    return content.decode("utf-8", "replace")
