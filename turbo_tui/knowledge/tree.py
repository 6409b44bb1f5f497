"""The files of a workspace that are worth searching, read once and kept while unchanged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from turbo_tui.knowledge.definitions import Definition, definitions

LARGEST_BYTES = 1_000_000
KEPT_BYTES = 128_000_000  # of text in memory; files beyond that are read at every query
SNIFFED_BYTES = 8192

NEVER = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".tox", ".nox"})


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
class _Rules:
    """Ignore patterns and the folder, with a slash behind, that they speak of."""

    prefix: str
    spec: GitIgnoreSpec


@dataclass(slots=True)
class SourceTree:
    """What `files` finds below `root`; symlinks, binaries and large files are left out."""

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
        top = self.root / ".git" / "info" / "exclude"
        rules = _rules_in(top, "")
        for path, absolute, stamp in _walk(os.fspath(self.root), "", rules):
            known = self._known.get(path)
            if known is not None and known.stamp == stamp:
                found[path] = known
            elif self._binary.get(path) != stamp:
                fresh = self._load(path, absolute, stamp)
                if fresh is not None:
                    found[path] = fresh
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


def _walk(
    folder: str, prefix: str, rules: list[_Rules]
) -> Iterator[tuple[str, str, tuple[int, int]]]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return  # gone, or not ours to read
    names = {entry.name for entry in entries}
    if "pyvenv.cfg" in names and prefix:
        return
    if ".gitignore" in names:
        rules = [*rules, *_rules_in(Path(folder, ".gitignore"), prefix)]
    for entry in entries:
        path = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in NEVER and not _ignored(path + "/", rules):
                    yield from _walk(entry.path, path + "/", rules)
            elif entry.is_file(follow_symlinks=False):
                stat = entry.stat(follow_symlinks=False)
                if stat.st_size <= LARGEST_BYTES and not _ignored(path, rules):
                    yield path, entry.path, (stat.st_mtime_ns, stat.st_size)
        except OSError:
            continue


def _ignored(path: str, rules: list[_Rules]) -> bool:
    # The deepest file that has a word to say decides.
    for each in reversed(rules):
        said = each.spec.check_file(path[len(each.prefix) :]).include
        if said is not None:
            return said
    return False


def _rules_in(file: Path, prefix: str) -> list[_Rules]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    spec = _spec(lines)
    return [_Rules(prefix, spec)] if spec is not None else []


def _spec(lines: list[str]) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # one bad pattern: git passes over it, so do we
        good = [line for line in lines if _spec([line]) is not None] if len(lines) > 1 else []
        return GitIgnoreSpec.from_lines(good) if good else None


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # str paths, thousands of them
            content = file.read(LARGEST_BYTES + 1)
    except OSError:
        return None
    if b"\0" in content[:SNIFFED_BYTES]:
        return None
    return content.decode("utf-8", "replace")
