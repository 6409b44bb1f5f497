"""Which file a diff is of: prefixes, quotes, timestamps and halves that are missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from turbo_tui.edits.found import Exists

NOWHERE = "/dev/null"

_STAMP = re.compile(
    r"[ \t]+(?:\d{4}-\d\d-\d\d|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} )[ T]?[\d:.+\-Z ]*.*$"
)
_REVISION = re.compile(r"[ \t]*\((?:revision \d+|working copy|nonexistent)\)$")  # of Subversion
_DATED = re.compile(r"[ \t](\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.0+)? ?([-+]\d{4})?$")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
}
_PREFIXES = frozenset("abciow12")  # of git, with diff.mnemonicPrefix too
_SIDES = frozenset(
    ("original", "modified", "updated", "changed", "old", "new", "before", "after", "a", "b")
)
_LONGEST = 4_200  # more than a path may have
_GIT = "diff --git "


def name_of(text: str) -> str:
    """Read a name as a header has it: perhaps quoted, perhaps with a timestamp after it."""
    text = text.strip()
    if text.startswith('"'):
        end = _end_of_quoted(text)
        if end:
            return _unquoted(text[1 : end - 1])
    text = text.split("\t")[0][:_LONGEST]
    return _STAMP.sub("", _REVISION.sub("", text)).strip().strip("`")


def _end_of_quoted(text: str) -> int:
    index = 1
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == '"':
            return index + 1
        index += 1
    return 0


def _unquoted(text: str) -> str:
    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1].isdigit():
            return bytes([int(code, 8) & 0xFF])
        return _LETTERS.get(code, code)

    raw = _ESCAPE.sub(byte, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def from_git_line(line: str) -> tuple[str, str] | None:
    """Read both names of a `diff --git` line; None when they cannot be told apart."""
    rest = line.removeprefix(_GIT).strip()
    if rest.startswith('"'):
        end = _end_of_quoted(rest)
        if end and rest[end:].strip():
            return name_of(rest[:end]), name_of(rest[end:])
        return None
    if rest.endswith('"') and ' "' in rest:
        first, _, second = rest.partition(' "')
        return first, name_of(f'"{second}')
    words = rest.split(" ")
    if len(words) == 2:  # noqa: PLR2004  a pair
        return words[0], words[1]
    # Names with spaces: unless it is a rename both halves are the same but for the prefix.
    middle = len(words) // 2
    first, second = " ".join(words[:middle]), " ".join(words[middle:])
    if len(words) % 2 == 0 and _bare(first) == _bare(second):
        return first, second
    return None


def _bare(name: str) -> str:
    prefix, sign, rest = name.partition("/")
    return rest if sign and prefix in _PREFIXES else name


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a file's part of a diff has, as written."""

    git: tuple[str, str] | None
    old_line: str
    new_line: str
    exists: Exists

    @property
    def added(self) -> bool:
        """Tell whether the old side is nothing."""
        return name_of(self.old_line) == NOWHERE

    @property
    def deleted(self) -> bool:
        """Tell whether the new side is nothing."""
        return name_of(self.new_line) == NOWHERE

    @property
    def are_placeholders(self) -> bool:
        """Tell whether the two sides are called before and after, and not by a file's name."""
        old, new = name_of(self.old_line), name_of(self.new_line)
        stems = {name.partition(".")[0].lower() for name in (old, new)}
        return self.git is None and len(stems) > 1 and stems <= _SIDES

    @property
    def dated_away(self) -> bool:
        """Tell whether the new side has the date of a file that is not there: diff(1), -N."""
        match = _DATED.search(self.new_line.rstrip())
        if match is None:
            return False
        try:
            date = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or '+0000'}")
        except ValueError:
            return False
        return date.timestamp() == 0

    def path(self) -> str:
        """Return the path that is meant; empty when there is none."""
        old, new = name_of(self.old_line), name_of(self.new_line)
        if self.git is not None:
            old = old or self.git[0]
            new = new or self.git[1]
        old = "" if old == NOWHERE else old
        new = "" if new == NOWHERE else new
        if not old or not new:
            return self._one(old or new)
        pair = self._pair(old, new)
        return next((name for name in reversed(pair) if self.exists(name)), pair[1])

    def _one(self, name: str) -> str:
        bare = _bare(name)
        twice = self.git is not None and self.git[0] == self.git[1]
        if twice and (self.exists(name) or not self.exists(bare)):
            return name
        if bare == name or (self.exists(name) and not self.exists(bare)):
            return name
        # A lone name's letter is a prefix, unless that folder is what exists.
        return bare

    def _pair(self, old: str, new: str) -> tuple[str, str]:
        old_bare, new_bare = _bare(old), _bare(new)
        if old_bare == old or new_bare == new:
            return self._below_two_folders(old, new)
        if old == new and (self.exists(old) or not self.exists(old_bare)):
            return old, new  # a prefix differs from side to side: this is a folder's name
        if self.exists(new) and not self.exists(new_bare):
            return old, new
        return old_bare, new_bare

    def _below_two_folders(self, old: str, new: str) -> tuple[str, str]:
        """Take `old/x` and `new/x` for `x`: two folders were compared, and neither is here."""
        _, _, below = old.partition("/")
        _, _, below_new = new.partition("/")
        if old == new or below != below_new or not below or self.exists(old) or self.exists(new):
            return old, new
        return below, below
