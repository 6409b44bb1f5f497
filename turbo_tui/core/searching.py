"""What is asked of the search, and what it answers.

A query is words, and may hold filters and one place to compare with:

    retry backoff lang:python path:net/ -kind:test
    "connection is closed" path:"my notes/"
    like:src/api.py:12

What stands between double quotes is meant as it stands, and holds no filters; the value of a filter
is written so where it has blanks. `path:` holds for a part of the path, or for all of it as a
pattern with `*`; `lang:` for a language or an ending (`py`); `kind:` for code, tests, docs or
config; of these two, commas part what may be. A minus leaves such files out. What looks like a
filter but has no meaning, as `kind:Deployment`, is text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal, Protocol, cast

FileKind = Literal["code", "tests", "docs", "config"]
Field = Literal["path", "lang", "kind"]

_KINDS: dict[str, FileKind] = {
    "code": "code",
    "test": "tests",
    "tests": "tests",
    "doc": "docs",
    "docs": "docs",
    "config": "config",
}
_LONG_NAMES = {"md": "markdown", "rst": "restructuredtext", "txt": "text", "yml": "yaml"}
_QUOTED = re.compile(r'(?<!\S)"[^"]+"(?!\S)')
_VALUE = r'(?:"([^"]+)"(?!\S)|(\S+))'
_FILTER = re.compile(rf"{_QUOTED.pattern}|(?<!\S)(-?)(path|lang|kind):{_VALUE}")
_LIKE = re.compile(r'(?<!\S)like:(?:"([^"]+)"|(\S+?))(?::(\d+))?(?!\S)')


@dataclass(frozen=True, slots=True)
class Hit:
    """A place found.

    Attributes:
        path: Workspace-relative, with slashes.
        start_line: 1-based; the first of the span that answers.
        end_line: The last of it.
        score: Higher is better; comparable within one answer alone.
        text: The line shown.
        why: What speaks for the place, in words, strongest first.
        line: 1-based number of `text` in the file; 0 where it is `start_line`.
    """

    path: str
    start_line: int
    end_line: int
    score: float
    text: str
    why: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the index holds.

    Attributes:
        files: Files in it.
        chunks: Pieces of files in it.
        pending: Files not in it yet; they are found by their lines alone.
        rate: Files it takes in per second while some are pending; 0 where that is unknown.
        left_s: Seconds until none is; None where that is unknown.
        vectors: Whether meaning is compared: not at all, by the static table, by the model.
        given_up: Files that hung their grammar; they are found by their lines.
        age_s: Seconds since it was last compared with the files; 0 where files are watched.
        note: What the user should know, as that the index was made anew; or nothing.
        vectors_pending: Files whose vectors are still missing.
        changes: Counts up whenever something in it changed.
    """

    files: int = 0
    chunks: int = 0
    pending: int = 0
    rate: float = 0.0
    left_s: float | None = None
    vectors: Literal["none", "static", "full"] = "none"
    given_up: tuple[str, ...] = ()
    age_s: float = 0.0
    note: str = ""
    vectors_pending: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What the user is at while they search: it settles close calls, and finds nothing by itself.

    Attributes:
        paths: Files they look at or that their step is about, workspace-relative.
        words: Of the step or the task.
    """

    paths: tuple[str, ...] = ()
    words: str = ""


NOWHERE = Context()

Act = Literal["opened", "pinned", "landed"]
"""What the user did with a file that is worth remembering for later searches."""


class Search(Protocol):
    """Find places in the workspace."""

    async def search(self, query: str, *, limit: int = 20, context: Context = NOWHERE) -> list[Hit]:
        """Return the best places for a query, best first.

        Args:
            query: Words and filters as in `parse_query`, or a stack trace: its places lead.
            limit: How many places at most.
            context: What the user is at.

        Raises:
            ToolError: No answer can be had; the next search may.
        """
        ...


class Knowledge(Search, Protocol):
    """Find places, and say how far the index is."""

    @property
    def index(self) -> IndexState:
        """What the index held when it answered last."""
        ...

    async def why_nothing(self, query: str) -> str:
        """Return the plain cause why a query finds nothing; nothing where there is none.

        Raises:
            ToolError: No answer can be had.
        """
        ...

    async def state(self) -> IndexState:
        """Return what the index holds now, without waiting for it."""
        ...

    async def learn(self, act: Act, paths: Sequence[str]) -> None:
        """Remember what the user did with files, where they let us; it never fails."""
        ...


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a file; with `out`, files that meet it are left out."""

    field: Field
    value: str
    out: bool = False

    def meets(self, path: str, language: str, kind: FileKind) -> bool:
        """Tell whether a file meets the condition, `out` aside."""
        value = self.value
        if self.field == "kind":
            return kind == _KINDS[value]
        if self.field == "lang":
            ending = PurePosixPath(path).suffix[1:].lower()
            wanted = value.lower()
            return wanted in (language.lower(), ending, _LONG_NAMES.get(ending))
        if "*" in value:
            return fnmatchcase(path, value)
        wanted = value[1:] if value.startswith("./") else value
        return wanted.lower() in f"/{path.lower()}"


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    Attributes:
        text: The words, filters left out.
        filters: Conditions on files: of one field, any that is not `out` may hold.
        like: Path and 1-based line to which places shall be similar; line 0: the whole file.
        quoted: The words stood between quotes: they are meant as they stand.
    """

    text: str
    filters: tuple[Filter, ...] = ()
    like: tuple[str, int] | None = None
    quoted: bool = False

    def admits(self, path: str, language: str, kind: FileKind) -> bool:
        """Tell whether a file may be in the answer."""
        by_field: dict[Field, bool] = {}
        for each in self.filters:
            met = each.meets(path, language, kind)
            if each.out and met:
                return False
            if not each.out:
                by_field[each.field] = by_field.get(each.field, False) or met
        return all(by_field.values())


def parse_query(text: str) -> Query:
    """Take a query apart; what has no meaning as a filter stays text."""
    filters: list[Filter] = []

    def taken(match: re.Match[str]) -> str:
        minus, name, quoted, plain = match.groups()
        value = quoted or plain
        values = value.split(",") if name in {"lang", "kind"} else [value]
        if name == "kind":
            values = [each.lower() for each in values]
        if name is None or (name == "kind" and not _KINDS.keys() >= set(values)):
            return match[0]
        field = cast("Field", name)
        filters.extend(Filter(field, each, out=bool(minus)) for each in values if each)
        return " "

    words = _FILTER.sub(taken, text)
    like: tuple[str, int] | None = None
    if not _QUOTED.fullmatch(words.strip()) and (found := _LIKE.search(words)):
        like = found[1] or found[2], int(found[3] or 0)
        words = words[: found.start()] + words[found.end() :]
    left = " ".join(words.split()) if filters or like else text.strip()
    is_quoted = _QUOTED.fullmatch(left) is not None
    return Query(left[1:-1].strip() if is_quoted else left, tuple(filters), like, is_quoted)


def in_quotes(value: str) -> str:
    """Write a filter's value as `parse_query` reads it."""
    return f'"{value}"' if any(map(str.isspace, value)) else value
