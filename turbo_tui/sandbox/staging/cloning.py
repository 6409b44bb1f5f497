"""Copy the content of one file in as few calls as the file systems allow."""

from __future__ import annotations

import errno
import os

FICLONE = 0x40049409  # ioctl_ficlone(2)
CHUNK = 1 << 26  # bytes a copy_file_range(2) call: short enough to stay interruptible
_BLOCK = 512  # unit of st_blocks, whatever the file system's own; stat(3type)
_NOT_HERE = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS})
# copy_file_range(2) fails so between file systems, and on some that cannot do it at all.
_NOT_BY_RANGE = _NOT_HERE | {errno.EINVAL, errno.EPERM}


class Cloner:
    """Share blocks where it can be done, else let the kernel copy, else copy.

    What a file system refused once is not tried again on it. Blocks are shared, never names: a
    hard link would let a command that writes in place write the workspace's file.
    """

    def __init__(self) -> None:
        self._no_sharing: set[int] = set()
        self._no_range: set[int] = set()

    def copy(self, source: int, target: int, found: os.stat_result) -> None:
        """Copy all of `source`, which looks like `found`, into the empty file `target`."""
        size = found.st_size
        if size == 0 or self._shared(source, target, found.st_dev):
            return
        if found.st_blocks * _BLOCK < size:
            self._copy_sparse(source, target, found)
            return
        self._copy_span(source, target, size, found.st_dev)

    def can_share(self, source: int, folder: int) -> bool:
        """Try whether files in `folder` can share the blocks of a file like `source`."""
        try:
            target = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError:
            return False
        try:
            return self._shared(source, target, os.fstat(source).st_dev)
        finally:
            os.close(target)

    def _shared(self, source: int, target: int, device: int) -> bool:
        import fcntl  # noqa: PLC0415 - not on every platform

        if device in self._no_sharing:
            return False
        try:
            fcntl.ioctl(target, FICLONE, source)
        except OSError as error:
            if error.errno in _NOT_HERE:
                self._no_sharing.add(device)
            return False  # with EINVAL it is this file alone that cannot be shared
        return True

    def _copy_span(self, source: int, target: int, length: int, device: int) -> None:
        """Copy `length` bytes from where both stand; a file that shrank meanwhile ends earlier."""
        while length and device not in self._no_range:
            try:
                done = os.copy_file_range(source, target, min(length, CHUNK))
            except OSError as error:
                if error.errno not in _NOT_BY_RANGE:
                    raise
                self._no_range.add(device)
                break
            if done == 0:
                break
            length -= done
        while length and (chunk := os.read(source, min(length, 1 << 20))):
            length -= len(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(target, view) :]

    def _copy_sparse(self, source: int, target: int, found: os.stat_result) -> None:
        """Copy what is not a hole; lseek(2), SEEK_DATA."""
        at, size = 0, found.st_size
        while at < size:
            try:
                start = os.lseek(source, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole is left
                    break
                raise
            at = os.lseek(source, start, os.SEEK_HOLE)
            os.lseek(source, start, os.SEEK_SET)
            os.lseek(target, start, os.SEEK_SET)
            self._copy_span(source, target, min(at, size) - start, found.st_dev)
        os.ftruncate(target, size)
