"""Which files of a tree are its own: what git does not ignore and nobody generated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from pathspec import GitIgnoreSpec

# Never anyone's source, ignored or not.
NEVER = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".tox", ".nox"})
DEEPEST = 100  # folders in folders
# Ignore files come with a repository, whoever wrote it: bounds on what they may cost.
MOST_RULES_BYTES = 256_000
MOST_STARS = 4  # in a pattern; each may take as many steps as all before it, times 250
_STARS = re.compile(r"\*+")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file; `path` is relative to the tree's root, `/`-separated."""

    path: str
    absolute: str
    mtime_ns: int
    size_bytes: int
    inode: int = 0


@dataclass(slots=True)
class _Rules:
    """Ignore patterns and the folder, with a slash behind, that they speak of."""

    prefix: str
    spec: GitIgnoreSpec


@dataclass(slots=True)
class Ignored:
    """Patterns beside git's own: what they name is left out whatever git says."""

    rules: list[_Rules]

    @classmethod
    def in_file(cls, file: Path) -> Ignored:
        """Read patterns, written as in `.gitignore`; none where there is no such file."""
        return cls(_rules_in(file, ""))

    def has(self, path: str) -> bool:
        """Tell whether a path, a folder's with a slash behind, is named."""
        return bool(self.rules) and _ignored(path, self.rules)


def source_files(
    root: Path, ignored: Ignored | None = None, folders: set[str] | None = None
) -> Iterator[FoundFile]:
    """Yield the files below a folder, folder by folder in name order.

    Links are not followed. Left out: what `.gitignore` files and `.git/info/exclude` name,
    Python environments, folders that are never source, folders deeper than `DEEPEST`. What cannot
    be read is passed over.

    Args:
        root: The folder.
        ignored: What else is left out.
        folders: Takes the folders that are looked into.
    """
    rules = _rules_in(root / ".git" / "info" / "exclude", "")
    looked_into = set[str]() if folders is None else folders
    yield from _walk(os.fspath(root), "", rules, ignored or Ignored([]), looked_into)


def _walk(
    folder: str, prefix: str, rules: list[_Rules], also: Ignored, folders: set[str]
) -> Iterator[FoundFile]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return  # gone, or not ours to read
    names = {entry.name for entry in entries}
    if "pyvenv.cfg" in names and prefix:
        return
    folders.add(folder)
    if ".gitignore" in names:
        rules = [*rules, *_rules_in(Path(folder, ".gitignore"), prefix)]
    for entry in entries:
        path = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                inner = path + "/"
                if _may_be_source(inner) and not _ignored(inner, rules) and not also.has(inner):
                    yield from _walk(entry.path, inner, rules, also, folders)
            elif entry.is_file(follow_symlinks=False):
                stat = entry.stat(follow_symlinks=False)
                if not _ignored(path, rules) and not also.has(path):
                    yield FoundFile(path, entry.path, stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            continue


def _may_be_source(folder: str) -> bool:
    *_, name, _ = f"/{folder}".split("/")
    return name not in NEVER and folder.count("/") <= DEEPEST


def _ignored(path: str, rules: list[_Rules]) -> bool:
    # The deepest file that has a word to say decides.
    for each in reversed(rules):
        said = each.spec.check_file(path[len(each.prefix) :]).include
        if said is not None:
            return said
    return False


def regular_bytes(path: str | Path, most: int, *, flags: int = 0) -> bytes | None:
    """Return the first bytes of a file; None where it is not there, or no regular one.

    A pipe or a device is never waited for.

    Args:
        path: The file.
        most: Bytes that are read.
        flags: More of open(2)'s.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except (OSError, ValueError):  # a name with a NUL in it is a ValueError
        return None
    try:
        if S_ISREG(os.fstat(opened).st_mode):
            with open(opened, "rb", closefd=False) as file:
                return file.read(most)
    except OSError:
        pass  # it cannot be read, after all
    finally:
        os.close(opened)
    return None


def _rules_in(file: Path, prefix: str) -> list[_Rules]:
    content = regular_bytes(file, MOST_RULES_BYTES)
    if content is None:
        return []
    lines = content.decode("utf-8", "replace").splitlines()
    spec = _spec([line for line in lines if len(_STARS.findall(line)) <= MOST_STARS])
    return [_Rules(prefix, spec)] if spec is not None else []


def _spec(lines: list[str]) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # one bad pattern: git passes over it, so do we
        good = [line for line in lines if _spec([line]) is not None] if len(lines) > 1 else []
        return GitIgnoreSpec.from_lines(good) if good else None
