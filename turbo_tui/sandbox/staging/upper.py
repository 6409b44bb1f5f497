"""Read what a stage wrote on an overlay: the upper folder, with its whiteouts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.deltas import Delta, Listable, gone_below


def read_upper(
    upper: Beneath, lower: Listable, unreadable: list[str], *, new: bool = True
) -> Iterator[Delta]:
    """Yield what the written layer changes, folders before what they hold.

    Folders that cannot be listed are appended to `unreadable`. Without `new`, folders that have
    nothing beneath them are not looked into.

    Source: docs.kernel.org/filesystems/overlayfs.html, "whiteouts and opaque directories".
    """
    # A folder, whether there is a lower one, and whether that shows through.
    todo: list[tuple[str, bool, bool]] = [(".", True, True)]
    while todo:
        folder, there, below = todo.pop()
        try:
            fd, entries = upper.listing(folder)
        except PermissionError:
            unreadable.append(folder)
            continue
        try:
            mark = _attribute(fd, "opaque")
            below = below and mark != b"y"
            names = {entry.name for entry in entries}
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                after = entry.stat(follow_symlinks=False)
                before = lower.lstat(path) if there else None
                if _is_whiteout(after, mark, fd, entry.name):
                    if before is not None:
                        yield from gone_below(lower, path, before)
                    continue
                yield from _one(lower, path, before, after)
                if stat.S_ISDIR(after.st_mode):
                    both = before is not None and stat.S_ISDIR(before.st_mode)
                    if new or both:
                        todo.append((path, both, below and both))
            if there and not below:
                yield from _hidden(lower, folder, names)
        finally:
            os.close(fd)


def _one(
    lower: Listable, path: str, before: os.stat_result | None, after: os.stat_result
) -> Iterator[Delta]:
    goes = before is not None and stat.S_ISDIR(before.st_mode) and not stat.S_ISDIR(after.st_mode)
    if before is not None and goes:
        yield from gone_below(lower, path, before, itself=False)
    yield Delta(path, before, after)


def _hidden(lower: Listable, folder: str, names: set[str]) -> Iterator[Delta]:
    """Yield what an opaque folder hides: all in the lower one that it does not hold itself."""
    try:
        fd, entries = lower.listing(folder)
    except OSError:
        return
    try:
        for entry in entries:
            if entry.name not in names:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                yield from gone_below(lower, path, entry.stat(follow_symlinks=False))
    finally:
        os.close(fd)


def _is_whiteout(found: os.stat_result, mark: bytes, fd: int, name: str) -> bool:
    if stat.S_ISCHR(found.st_mode):
        return found.st_rdev == 0
    if mark == b"x" and stat.S_ISREG(found.st_mode) and found.st_size == 0:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            return "whiteout" in _attribute_names(file)
        finally:
            os.close(file)
    return False


def _attribute(fd: int, name: str) -> bytes:
    """Read the overlay's own attribute, in the form of either kind of mount."""
    for kind in ("user", "trusted"):
        with suppress(OSError):
            return os.getxattr(fd, f"{kind}.overlay.{name}")
    return b""


def _attribute_names(fd: int) -> set[str]:
    with suppress(OSError):
        return {name.rpartition(".")[2] for name in os.listxattr(fd) if ".overlay." in name}
    return set()
