"""A whole copy of the workspace, where no overlay can be mounted, and what changed in it.

Files are shared with the original where the file system can (reflink), else copied by the
kernel. What a step changed is found by a manifest of the copy: a file's ctime cannot be set by
a command, so a file whose stat is as it was when copied was not written.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.sandbox.beneath import Beneath, open_regular
from turbo_tui.sandbox.deltas import Delta

FICLONE = 0x40049409  # ioctl_ficlone(2)
CHUNK = 1 << 26  # bytes a copy_file_range(2) call: short enough to stay interruptible
TICK_S = 2.5  # the coarsest clock that stamps files, with some room

Stamp = tuple[int, int, int, int, int]  # mtime_ns, size, inode, ctime_ns, mode


@dataclass(slots=True)
class Manifest:
    """What was copied.

    Attributes:
        stamps: Every copied path with its stat in the copy; for folders only the mode counts.
        left_out: `path: why` of what could not be copied; it is in neither tree's changes.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    left_out: dict[str, str] = field(default_factory=dict[str, str])

    def write(self, file: Path) -> None:
        """Keep it on disk, for a stage that is taken up again."""
        value = {"stamps": self.stamps, "left_out": self.left_out}
        file.write_text(json.dumps(value), encoding="ascii")

    @classmethod
    def load(cls, file: Path) -> Manifest:
        """Read what `write` wrote.

        Raises:
            OSError, ValueError: It is not there, or not whole.
        """
        value = json.loads(file.read_text(encoding="ascii"))
        stamps = {path: tuple(stamp) for path, stamp in value["stamps"].items()}
        return cls(stamps, value["left_out"])


def copy_tree(
    source: Beneath, target: Path, *, stopped: Callable[[], bool] = lambda: False
) -> Manifest:
    """Copy a workspace into the empty folder `target`: contents, modes, times, links, owners.

    FIFOs, sockets and devices are not copied, nor what we may not read: the manifest names them.
    Hard links become files of their own.

    Args:
        source: The workspace.
        target: Must exist and be empty.
        stopped: Asked before each name; once true, the copying is given up.

    Raises:
        OSError: The disk is full, the target refuses, or `stopped` (ECANCELED).
    """
    manifest = Manifest()
    copied = Beneath(target, shown_at=target)
    folders: list[tuple[str, os.stat_result]] = []
    todo = ["."]
    try:
        while todo:
            folder = todo.pop()
            try:
                fd, entries = source.listing(folder)
            except (PermissionError, FileNotFoundError) as error:
                manifest.left_out[folder] = error.strerror or str(error)
                continue
            try:
                with copied.folder(folder) as into:
                    for entry in entries:
                        if stopped():
                            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
                        path = entry.name if folder == "." else f"{folder}/{entry.name}"
                        try:
                            found = entry.stat(follow_symlinks=False)
                            is_folder = _copy_one(
                                entry.name, found, fd, into, path=path, manifest=manifest
                            )
                        except (PermissionError, FileNotFoundError) as error:
                            manifest.left_out[path] = error.strerror or str(error)
                            continue
                        if is_folder:
                            folders.append((path, found))
                            todo.append(path)
            finally:
                os.close(fd)
        for path, found in reversed(folders):  # inner first: filling a folder changes its times
            with copied.folder(os.path.dirname(path)) as into:  # noqa: PTH120
                name = os.path.basename(path)  # noqa: PTH119
                _dress_folder(name, into, found)
                manifest.stamps[path] = stamp(os.stat(name, dir_fd=into, follow_symlinks=False))
    finally:
        copied.close()
    _await_tick(target, max((found[3] for found in manifest.stamps.values()), default=0))
    return manifest


def read_copy(
    copied: Beneath, original: Beneath, manifest: Manifest, unreadable: list[str]
) -> Iterator[Delta]:
    """Yield what differs from the manifest, folders before what they hold.

    Folders that cannot be listed are appended to `unreadable`.
    """
    seen: set[str] = set()
    todo = ["."]
    while todo:
        folder = todo.pop()
        try:
            fd, entries = copied.listing(folder)
        except PermissionError:
            unreadable.append(folder)
            continue
        try:
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                seen.add(path)
                after = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(after.st_mode):
                    todo.append(path)
                was = manifest.stamps.get(path)
                if not _same(was, after):
                    yield Delta(path, original.lstat(path), after, existed=was is not None)
        finally:
            os.close(fd)
    hidden = tuple(f"{folder}/" for folder in unreadable)
    for path in manifest.stamps.keys() - seen:
        if not path.startswith(hidden):
            before = original.lstat(path)
            if before is not None:
                yield Delta(path, before, None, existed=True)


def stamp(found: os.stat_result) -> Stamp:
    """Reduce a stat to what tells whether a file was written since."""
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns, found.st_mode)


def _await_tick(folder: Path, newest_ns: int) -> None:
    """Wait until a write gets a later ctime than every copied file: some 4 ms, rarely more.

    Within one tick a command's write would leave the stamp as it was.
    """
    limit = time.monotonic() + TICK_S
    while time.monotonic() < limit:
        folder.chmod(0o700)
        if folder.stat().st_ctime_ns > newest_ns:
            return
        time.sleep(0.001)


def _same(was: Stamp | None, found: os.stat_result) -> bool:
    if was is None:
        return False
    if stat.S_ISDIR(found.st_mode):
        return was[4] == found.st_mode
    return was == stamp(found)


def _copy_one(
    name: str, found: os.stat_result, fd: int, into: int, *, path: str, manifest: Manifest
) -> bool:
    """Copy one name; return True for a folder, which is only made."""
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        os.mkdir(name, 0o700, dir_fd=into)
        return True
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=fd), name, dir_fd=into)
        _own(name, into, found)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=into, follow_symlinks=False)
    elif kind == stat.S_IFREG:
        _copy_file(name, fd, into, found)
    else:
        manifest.left_out[path] = "neither file, folder nor link"
        return False
    manifest.stamps[path] = stamp(os.stat(name, dir_fd=into, follow_symlinks=False))
    return False


def _copy_file(name: str, fd: int, into: int, found: os.stat_result) -> None:
    source = open_regular(name, fd)
    try:
        target = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=into
        )
        try:
            copy_content(source, target)
            if os.geteuid() == 0:
                os.fchown(target, found.st_uid, found.st_gid)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        finally:
            os.close(target)
    finally:
        os.close(source)


def copy_content(source: int, target: int) -> None:
    """Copy all of a file, sharing its blocks where the file system can."""
    import fcntl  # noqa: PLC0415 - not on every platform

    size = os.fstat(source).st_size
    if size == 0:
        return
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:  # another file system, or one that cannot share
        pass
    else:
        return
    try:
        while os.copy_file_range(source, target, CHUNK):
            pass
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
            raise
    while chunk := os.read(source, 1 << 20):  # nothing is left when the kernel copied it all
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]


def _dress_folder(name: str, into: int, found: os.stat_result) -> None:
    _own(name, into, found)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=into)
    try:
        os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
    finally:
        os.close(fd)


def _own(name: str, into: int, found: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(name, found.st_uid, found.st_gid, dir_fd=into, follow_symlinks=False)
