"""The files of a workspace that are worth searching, as they are now."""

from __future__ import annotations

import math
import os
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from threading import Lock

from turbo_tui.core.decoding import decoded
from turbo_tui.core.secret_files import is_secret
from turbo_tui.knowledge.syntax.definitions import Definition, definitions
from turbo_tui.knowledge.syntax.written import is_written
from turbo_tui.languages.source_files import FoundFile, Ignored, regular_bytes, source_files

MOST_FILES = 200_000  # of a tree; somebody's whole disk is no workspace
LARGEST_BYTES = 1_000_000
KEPT_BYTES = 16_000_000  # of text that queries read lately
OWN_IGNORE = Path(".turbo", "ignore")
NOTES = Path(".turbo", "knowledge")
# Written by programs for programs: nobody looks for a place in them.
_GENERATED = re.compile(
    r"(?:^|/)(?:[^/]*\.lock(?:file)?|[^/]*[-.]lock\.(?:json|ya?ml|hcl)|pylock[^/]*\.toml"
    r"|npm-shrinkwrap\.json|go\.sum)$"
    r"|\.(?:min\.js|min\.css|js\.map|css\.map|svg)$",
    re.IGNORECASE,
)

_BEGUN_BY_KEY = re.compile(rb"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
# In data a whole key is meant; in code and prose it is a test's or an example.
_DATA = (".json", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".txt", ".xml")
_WITH_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----[\s\\nr]{0,8}[A-Za-z0-9+/=]{16}"
)

Stamp = tuple[int, int, int]  # mtime in ns, bytes, inode


@dataclass(slots=True)
class SourceFile:
    """A text file, or one that was not looked into yet.

    Attributes:
        path: Relative to the workspace, `/`-separated; absolute for the user's own notes.
        absolute: Where it is read.
        stamp: Says whether it is still the same.
        known: What it defines, once it is in the index.
    """

    path: str
    absolute: str
    stamp: Stamp
    known: tuple[Definition, ...] | None = None

    @property
    def defined(self) -> tuple[Definition, ...]:
        """What it defines; found by regular expressions until it is in the index."""
        if self.known is None:
            self.known = definitions(self.path, self.text())
        return self.known

    def lower(self) -> str:
        """Return its text in lower case, line for line."""
        return _TEXTS.of(self, lower=True)

    def text(self) -> str:
        """Return its text; empty when it is gone or binary."""
        return _TEXTS.of(self)


class _Texts:
    """Texts that were read lately: somebody who types asks for the same ones again."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, Stamp, bool], str] = OrderedDict()
        self._size = 0
        self._turn = Lock()

    def of(self, file: SourceFile, *, lower: bool = False) -> str:
        key = file.absolute, file.stamp, lower
        with self._turn:
            text = self._held.get(key)
            if text is not None:
                self._held.move_to_end(key)
                return text
        text = self.of(file).lower() if lower else decoded(content_of(file.absolute) or b"")
        with self._turn:
            if key not in self._held:
                self._held[key] = text
                self._size += len(text)
            while self._size > KEPT_BYTES and len(self._held) > 1:
                _, oldest = self._held.popitem(last=False)
                self._size -= len(oldest)
        return text


_TEXTS = _Texts()


@dataclass(slots=True)
class SourceTree:
    """What `files` finds below `root`; links, large, generated and secret files are left out.

    Ignore files of the tree are read as patterns and nothing else.

    Attributes:
        root: The workspace.
        notes: The user's own folder of notes, which is searched with every workspace.
        walk_s: How long a look takes: the quicker of the last two. One may have had to wait for a
            processor, or for a cold disk.
        folders: Folders that were looked into, for whoever watches them.
        known: What `files` returned last.
        cut: Whether there are more than `MOST_FILES`; those are left out.
    """

    root: Path
    notes: Path | None = None
    walk_s: float = 0.0
    folders: set[str] = field(default_factory=set[str])
    known: dict[str, SourceFile] = field(default_factory=dict[str, SourceFile])
    cut: bool = False
    _took_s: float = math.inf

    def files(self) -> dict[str, SourceFile]:
        """Return the files as they are now, by path, in its order; those unchanged are the same."""
        begun = time.monotonic()
        found: dict[str, SourceFile] = {}
        folders: set[str] = set()
        ignored = Ignored.in_file(self.root / OWN_IGNORE)
        self.cut = False
        for each in source_files(self.root, ignored, folders):
            if len(found) >= MOST_FILES:
                self.cut = True
                break
            self._take(each, found)
        for folder, prefix in ((self.root / NOTES, f"{NOTES.as_posix()}/"), (self.notes, None)):
            for each in _notes(folder, prefix):
                self._take(each, found)
            if folder is not None and folder.is_dir():
                folders.add(str(folder))
        self.known = dict(sorted(found.items()))
        self.folders = folders
        took_s = time.monotonic() - begun
        self.walk_s, self._took_s = min(took_s, self._took_s), took_s
        return self.known

    def _take(self, each: FoundFile, found: dict[str, SourceFile]) -> None:
        if each.size_bytes > LARGEST_BYTES or is_secret(each.path) or _GENERATED.search(each.path):
            return
        stamp = each.mtime_ns, each.size_bytes, each.inode
        known = self.known.get(each.path)
        same = known is not None and known.stamp == stamp
        found[each.path] = known if known and same else SourceFile(each.path, each.absolute, stamp)


def _notes(folder: Path | None, prefix: str | None) -> list[FoundFile]:
    """Return the Markdown files of a folder of notes, ignored or not."""
    found: list[FoundFile] = []
    if prefix and folder and (folder.is_symlink() or folder.parent.is_symlink()):
        return found  # a repository's link to a folder that is not its own
    try:
        for file in sorted(folder.glob("*.md")) if folder is not None else ():
            if file.is_file() and not file.is_symlink():
                stat, path = file.stat(), str(file) if prefix is None else prefix + file.name
                found.append(
                    FoundFile(path, str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino)
                )
    except OSError:
        pass  # not ours to read
    return found


def content_of(path: str) -> bytes | None:
    """Return a text file's bytes; None when it is gone, too large, data or holds a key."""
    content = regular_bytes(path, LARGEST_BYTES + 1, flags=os.O_NOFOLLOW)
    if content is None or len(content) > LARGEST_BYTES or not is_written(path, content):
        return None
    if _BEGUN_BY_KEY.match(content):  # whatever its name
        return None
    if path.lower().endswith(_DATA) and _WITH_KEY.search(content):
        return None
    return content


def stamp_of(path: str) -> Stamp | None:
    """Return what tells whether a regular file is still the same; None for anything else."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if S_ISREG(found.st_mode) else None
