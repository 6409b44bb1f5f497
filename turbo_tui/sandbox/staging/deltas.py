"""One path where a stage differs from the workspace, as either kind of stage finds it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Readable(Protocol):
    """A tree that changes are read from; paths are real ones, no link is followed."""

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what stands at a path; None when nothing does."""
        ...

    def open_file(self, path: str) -> int:
        """Open a regular file for reading.

        Raises:
            OSError: It is missing, unreadable, or not a regular file.
        """
        ...

    def read_link(self, path: str) -> str:
        """Return where a link points."""
        ...


class Listable(Readable, Protocol):
    """One whose folders can be listed."""

    def listing(self, path: str) -> tuple[int, list[os.DirEntry[str]]]:
        """List a folder; the caller closes the descriptor, as long the entries' `stat` works."""
        ...


@dataclass(frozen=True, slots=True)
class Delta:
    """A path that may differ; contents are still to be compared.

    Attributes:
        before: What stands there now beneath the stage; None when nothing does.
        after: What stands there in the stage; None when it was removed.
        existed: It stood there when the stage began; None when that is not known.
    """

    path: str
    before: os.stat_result | None
    after: os.stat_result | None
    existed: bool | None = None


def gone_below(
    lower: Listable, path: str, before: os.stat_result, *, itself: bool = True
) -> Iterator[Delta]:
    """Yield the removal of `path` and of everything beneath it."""
    if itself:
        yield Delta(path, before, None)
    todo = [path] if stat.S_ISDIR(before.st_mode) else []
    while todo:
        folder = todo.pop()
        try:
            fd, entries = lower.listing(folder)
        except OSError:  # gone meanwhile, or not ours to read: then there is nothing to show
            continue
        try:
            for entry in entries:
                below = f"{folder}/{entry.name}"
                yield Delta(below, entry.stat(follow_symlinks=False), None)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(below)
        finally:
            os.close(fd)
