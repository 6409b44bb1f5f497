"""What comes of edits, and the tree they are applied to, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from turbo_tui.edits.ladder import Place

Action = Literal["add", "update", "delete", "move"]


class UnreachableError(ValueError):
    """A path that may not be read or written; `str` says why, for the user."""


@dataclass(frozen=True, slots=True)
class EditedFile:
    """What happens to one path, all edits of it taken together.

    Attributes:
        content: Its bytes afterwards; None when it is deleted.
        moved_from: The path it had.
        mode: Permission bits that were asked for; 0 when none were.
        places: Where its chunks were found, in the order of the answer.
        replaced: It took the place of another file, or was written anew as a whole.
        replaced_by: The path of the file that moved here and took its place.
        lines: How many lines were there and are now, where it was replaced as a whole by text.
        like: An existing file whose permissions a new one takes over: what it was moved from.
    """

    path: str
    action: Action
    content: bytes | None
    moved_from: str = ""
    mode: int = 0
    places: tuple[Place, ...] = ()
    replaced: bool = False
    replaced_by: str = ""
    lines: tuple[int, int] | None = None
    like: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one edit cannot be made.

    Attributes:
        at: Line (1-based) of the answer where the edit begins.
        advice: What to do about it; empty when `why` says it.
        line: Line of the file to look at, 0 when there is none.
        closest: The text there.
    """

    path: str
    at: int
    why: str
    advice: str = ""
    line: int = 0
    closest: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of an answer: files, or what failed and then no files.

    Attributes:
        notes: What the user should know of it: a name that was completed.
    """

    files: tuple[EditedFile, ...] = ()
    failures: tuple[Failure, ...] = ()
    shell: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _same(path: str) -> str:
    return path


def _none() -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The tree that edits are applied to; nothing is written.

    Attributes:
        read: Returns a file's bytes, None where nothing stands; raises UnreachableError for
            a folder or what may not be read.
        root: The workspace's absolute path, to make absolute paths relative; empty: refuse them.
        real: Returns where a path leads once its links are followed; raises UnreachableError
            when that is outside.
        paths: Lists the workspace's files, for names that are missing or cut short.
    """

    read: Callable[[str], bytes | None]
    root: str = ""
    real: Callable[[str], str] = _same
    paths: Callable[[], Iterable[str]] = _none


class RefusedError(Exception):
    """An edit that cannot be made."""

    def __init__(self, why: str, advice: str = "", *, line: int = 0, closest: str = "") -> None:
        super().__init__(why)
        self.advice, self.line, self.closest = advice, line, closest
