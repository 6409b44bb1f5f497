"""A whole copy of the workspace, where no overlay can be mounted, and what changed in it.

Files share their blocks with the original where the file system can, else the kernel copies
them (`copying`). What a step changed is found by the manifest, in one walk that stats.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from turbo_tui.sandbox.staging.beneath import Beneath, walk_folders
from turbo_tui.sandbox.staging.caches import LeaveOut
from turbo_tui.sandbox.staging.copying import Copying
from turbo_tui.sandbox.staging.deltas import Delta, Readable
from turbo_tui.sandbox.staging.manifest import (
    Manifest,
    await_tick,
    digest_of,
    mapped_writes_show,
    newest_ns,
    stamp,
)


def copy_tree(
    source: Beneath,
    target: Path,
    *,
    was: Manifest | None = None,
    emptied: Collection[str] = (),
    leave_out: LeaveOut | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Make `target` a copy of a workspace: contents, modes, times, links, owners.

    FIFOs, sockets and devices are not copied, nor what we may not read: the manifest names them.
    Hard links become files of their own.

    Args:
        source: The workspace.
        target: An empty folder; or, with `was`, one that commands have worked in.
        was: What `target` held when it was copied. What is still so, here and in the workspace,
            stays; everything else is removed and copied. No process may live that can write
            there. After an error, `target` is good for nothing but to be deleted.
        emptied: Files that hold secrets: they are made without their content.
        leave_out: Says why a folder is not worth copying.
        stopped: Asked before each name; once true, the copying is given up.

    Raises:
        OSError: The disk is full, the target refuses, or `stopped` (ECANCELED).
    """
    made = Manifest(emptied=frozenset(emptied), digests=None if mapped_writes_show(target) else {})
    copied = Beneath(target, shown_at=target)
    try:
        copying = Copying(source, copied, was or Manifest(), made, stopped, leave_out)
        if was is not None:
            unreadable: list[str] = []
            copying.differing(dict(differing(copied, was, unreadable, strict=True)), unreadable)
        copying.run()
    finally:
        copied.close()
    made.emptied &= made.stamps.keys()
    await_tick(target, newest_ns(made.stamps.values()))
    return made


def read_copy(
    copied: Beneath, original: Readable, manifest: Manifest, unreadable: list[str]
) -> Iterator[Delta]:
    """Yield what differs from the manifest, folders before what they hold.

    Every file is looked at, each time. Nothing cheaper misses no change: a file that is written
    in place leaves its folder as it was, and inotify(7) does not see writes to mapped files.

    Folders that cannot be listed are appended to `unreadable`.
    """
    for path, after in differing(copied, manifest, unreadable):
        if path in manifest.emptied:
            # What the step saw is not what stands in the workspace: that may not be shown, and
            # nothing emptied may land over it. Only what a step wrote itself is of interest.
            if after is not None and not (stat.S_ISREG(after.st_mode) and after.st_size == 0):
                yield Delta(path, None, after, existed=True)
            continue
        before = original.lstat(path)
        if after is not None:
            yield Delta(path, before, after, existed=path in manifest.stamps)
        elif before is not None:
            yield Delta(path, before, None, existed=True)


def differing(
    copied: Beneath, manifest: Manifest, unreadable: list[str], *, strict: bool = False
) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield each path that is not as the manifest says, and what stands there now.

    Args:
        copied: The copy.
        manifest: What it held.
        unreadable: Takes the folders that cannot be listed.
        strict: A folder is to be as it was in all, not only in its mode.
    """
    stamps, digests = manifest.stamps, manifest.digests or {}
    seen: set[str] = set()

    def refused(folder: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):  # a tool removed it just now
            return
        if error.errno not in {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}:
            raise error
        unreadable.append(folder)

    for folder, fd, entries in walk_folders(copied, refused):
        for path, name, after in _looked_at(folder, entries, refused):
            seen.add(path)
            was = stamps.get(path)
            if was is not None and not strict and stat.S_ISDIR(after.st_mode):
                same = was[4] == after.st_mode
            else:
                same = was == stamp(after)
            if not same or (path in digests and digest_of(name, fd) != digests[path]):
                yield path, after
    hidden = tuple("" if folder == "." else f"{folder}/" for folder in unreadable)
    for path in stamps.keys() - seen:
        if not path.startswith(hidden):
            yield path, None


def _looked_at(
    folder: str, entries: list[os.DirEntry[str]], refused: Callable[[str, OSError], None]
) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield path, name and looks of what lies in a folder."""
    prefix = "" if folder == "." else f"{folder}/"
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # a tool removed it just now
            continue
        except PermissionError as error:  # names may be read, and nothing else
            refused(folder, error)
            return
        yield prefix + entry.name, entry.name, found
