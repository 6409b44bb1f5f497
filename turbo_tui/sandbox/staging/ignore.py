"""What git ignores, read by ourselves: git never runs on what a step wrote.

Source: gitignore(5). Patterns of a deeper file win over those above it, the last one that
matches wins within a file, and nothing beneath an ignored folder can be taken in again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

# Always generated and never source; a project's own `!` pattern takes them in again.
GENERATED = ("__pycache__/", ".DS_Store")

_GLOB = re.compile(r"[*?\[\\]")


@dataclass(slots=True)
class _Group:
    """Neighbouring patterns of one polarity: whether any matches decides, so order is void."""

    negated: bool
    names: set[str] = field(default_factory=set[str])
    folder_names: set[str] = field(default_factory=set[str])
    patterns: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])
    for_files: re.Pattern[str] | None = None
    for_folders: re.Pattern[str] | None = None

    def compile(self) -> None:
        folders = [regex for regex, _ in self.patterns]
        files = [regex for regex, folder_only in self.patterns if not folder_only]
        self.for_folders = re.compile("|".join(folders), re.DOTALL) if folders else None
        self.for_files = re.compile("|".join(files), re.DOTALL) if files else None

    def matches(self, path: str, name: str, *, is_folder: bool) -> bool:
        if name in self.names or (is_folder and name in self.folder_names):
            return True
        regex = self.for_folders if is_folder else self.for_files
        return regex is not None and regex.fullmatch(path) is not None


class IgnoreFile:
    """The patterns of one file, ready to match paths relative to the folder it lies in."""

    def __init__(self, lines: Iterable[str]) -> None:
        groups: list[_Group] = []
        for line in lines:
            parsed = _parse(line)
            if parsed is None:
                continue
            pattern, negated, folder_only = parsed
            if not groups or groups[-1].negated != negated:
                groups.append(_Group(negated))
            if "/" in pattern or _GLOB.search(pattern):
                groups[-1].patterns.append((_regex(pattern), folder_only))
            else:
                (groups[-1].folder_names if folder_only else groups[-1].names).add(pattern)
        for group in groups:
            group.compile()
        self._groups = groups[::-1]

    def __bool__(self) -> bool:
        return bool(self._groups)

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """Say whether `path` is ignored; None when no pattern speaks of it."""
        name = path.rsplit("/", 1)[-1]
        for group in self._groups:
            if group.matches(path, name, is_folder=is_folder):
                return not group.negated
        return None


class Ignores:
    """All rules that hold in a workspace.

    Args:
        read: Returns the text of `FOLDER/.gitignore` for a folder's path (`.` for the top),
            or None. Called at most once a folder.
        above: Rules from outside that may be overruled: `(prefix, file)`, where `prefix` is
            put before a path (`sub/` when the repository's top is one folder up). Nearest first.
        tracked: Paths that git tracks; those are never ignored.
    """

    def __init__(
        self,
        read: Callable[[str], str | None],
        *,
        above: Sequence[tuple[str, IgnoreFile]] = (),
        tracked: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._read = read
        self._above = (*above, ("", IgnoreFile(GENERATED)))
        self._files: dict[str, IgnoreFile | None] = {}
        self._folders: dict[str, bool] = {".": False}
        self._read_tracked = tracked
        self._tracked: frozenset[str] | None = None
        self._tracked_folders: frozenset[str] = frozenset()

    def is_ignored(self, path: str, *, is_folder: bool) -> bool:
        """Judge one path whose parent folder is not ignored, by patterns alone."""
        folder = os.path.dirname(path)  # noqa: PTH120 - str paths keep surrogates as they are
        while True:
            rules = self._rules(folder or ".")
            if rules is not None:
                relative = path[len(folder) + 1 :] if folder else path
                said = rules.verdict(relative, is_folder=is_folder)
                if said is not None:
                    return said
            if not folder:
                break
            folder = os.path.dirname(folder)  # noqa: PTH120
        for prefix, rules in self._above:
            said = rules.verdict(prefix + path, is_folder=is_folder)
            if said is not None:
                return said
        return False

    def folded(self, path: str, *, is_folder: bool = False) -> str | None:
        """Name the topmost ignored folder that `path` lies in; None when git would show it.

        For an ignored file in a folder that is not, that folder (`.` for the top).
        """
        parts = path.split("/")
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if self._folder_is_ignored(folder):
                return None if self.is_tracked(path) else folder
        if self.is_ignored(path, is_folder=is_folder) and not self.is_tracked(path):
            return path if is_folder else "/".join(parts[:-1]) or "."
        return None

    def is_tracked(self, path: str) -> bool:
        """Say whether git tracks a file, or files in a folder, of this path."""
        if self._tracked is None:
            self._tracked = self._read_tracked()
            folders: set[str] = set()
            for file in self._tracked:
                folder = file.rpartition("/")[0]
                while folder and folder not in folders:
                    folders.add(folder)
                    folder = folder.rpartition("/")[0]
            self._tracked_folders = frozenset(folders)
        return path in self._tracked or path in self._tracked_folders

    def _folder_is_ignored(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self.is_ignored(folder, is_folder=True)
        return known

    def _rules(self, folder: str) -> IgnoreFile | None:
        if folder not in self._files:
            text = self._read(folder)
            self._files[folder] = IgnoreFile(text.split("\n")) if text else None
        return self._files[folder]


def _parse(line: str) -> tuple[str, bool, bool] | None:
    """Read one line: pattern, whether it takes in again, whether only folders match."""
    line = line.removesuffix("\r")
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line.removeprefix("!")
    if line.startswith(("\\#", "\\!")):
        line = line[1:]
    folder_only = line.endswith("/")
    line = line.removesuffix("/")
    return (line, negated, folder_only) if line else None


def _regex(pattern: str) -> str:
    anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    out = "" if anchored else "(?:.*/)?"
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("/**", at) and at + 3 == len(pattern):
            out, at = out + "/.+", at + 3
        elif pattern[at] == "*":
            while pattern.startswith("*", at):
                at += 1
            out += "[^/]*"
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[":
            piece, at = _character_class(pattern, at)
            out += piece
        else:
            if pattern[at] == "\\" and at + 1 < len(pattern):
                at += 1
            out, at = out + re.escape(pattern[at]), at + 1
    return f"(?:{out})"


_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
    "punct": r"!-/:-@\[-`{-~",
    "blank": r" \t",
}


def _character_class(pattern: str, start: int) -> tuple[str, int]:
    """Translate `[…]` at `start`; without an end it matches nothing, as in git."""
    at = start + 1
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    body, low = "", ""
    first = True
    while at < len(pattern):
        char = pattern[at]
        if char == "]" and not first:
            return (f"[^/{body}]" if negated else f"(?!/)[{body}]"), at + 1
        first = False
        posix = re.match(r"\[:(\w+):\]", pattern[at:])
        if posix and posix[1] in _POSIX:
            body, low, at = body + _POSIX[posix[1]], "", at + posix.end()
            continue
        if char == "-" and low and pattern[at + 1 : at + 2] not in {"", "]"}:
            high, at = _unescaped(pattern, at + 1)
            if low <= high:  # else only its first character counts, which is there already
                body += "-" + re.escape(high)
            low = ""
            continue
        low, at = _unescaped(pattern, at)
        body += re.escape(low)
    return "(?!)", len(pattern)


def _unescaped(pattern: str, at: int) -> tuple[str, int]:
    """Read one character that a backslash may stand before."""
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    return pattern[at], at + 1
