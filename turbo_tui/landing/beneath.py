"""Reach paths in a workspace without ever leaving it, whatever is swapped underneath.

Every access starts at a descriptor of the workspace and follows no symlink on the way. Linux
does this in one call (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS); elsewhere the path
is walked folder by folder with O_NOFOLLOW. Both raise OSError: ELOOP where a symlink stands in
the way (ENOTDIR on some systems), ENOENT and ENOTDIR as usual.

Source: openat2(2), renameat2(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x02, 0x04, 0x08
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
HIDDEN = ".turbo-tui-"  # how the names of a landing's own files begin
_RACES = 8  # openat2 says EAGAIN when a rename went on under it

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class Tree:
    """A workspace held by a descriptor; close it, or use it in `with`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._has_openat2 = self._tries_openat2()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root_fd)

    def _tries_openat2(self) -> bool:
        if sys.platform != "linux":
            return False
        try:
            os.close(self._openat2("."))
        except OSError:  # an old kernel, or a filter that does not know the call
            return False
        return True

    @contextmanager
    def folder(self, path: str) -> Generator[int]:
        """Open a folder of the workspace; an empty path is the workspace itself."""
        if not path:
            yield self._root_fd
            return
        fd = self._openat2(path) if self._has_openat2 else self._walk(path)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def parent(self, path: str) -> Generator[tuple[int, str]]:
        """Open the folder that holds a path; yield it with the path's last name."""
        above, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        with self.folder(above) as fd:
            yield fd, name

    @contextmanager
    def file(self, path: str) -> Generator[int]:
        """Open what stands at a path for reading; ELOOP when it is a symlink."""
        with self.parent(path) as (above, name):
            # Without O_NONBLOCK a named pipe would hang us.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(name, flags, dir_fd=above)
        try:
            yield fd
        finally:
            os.close(fd)

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what stands at a path; None where nothing does, or a file is above it."""
        try:
            with self.parent(path) as (above, name):
                return os.stat(name, dir_fd=above, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_folder(self, path: str) -> bool:
        """Tell whether a real folder stands at a path, with no symlink on the way."""
        try:
            found = self.lstat(path) if path else os.fstat(self._root_fd)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            return False
        return found is not None and stat.S_ISDIR(found.st_mode)

    def names(self, path: str) -> list[str]:
        """Return what a folder holds, sorted."""
        with self.folder(path) as fd:
            return sorted(os.listdir(fd))  # noqa: PTH208  # by descriptor

    def sync_folder(self, path: str) -> None:
        """Make a folder's names durable; nothing happens where it is no folder by now."""
        try:
            with self.folder(path) as fd:
                os.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise

    def sync_all(self) -> None:
        """Make everything in the workspace's file system durable."""
        if not hasattr(_libc, "syncfs") or _libc.syncfs(self._root_fd) != 0:
            os.sync()

    def rename(self, source: str, target: str) -> None:
        """Move a path to a free name.

        Raises:
            FileExistsError: The name is not free.
        """
        with self.parent(source) as (from_fd, name), self.parent(target) as (to_fd, new_name):
            if _renameat2(from_fd, name, to_fd, new_name, _RENAME_NOREPLACE):
                return
            if _exists(to_fd, new_name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
            # A second name is never put over another file. To a hidden name nobody else comes,
            # and what someone saves at `source` meanwhile must not be deleted there.
            if not new_name.startswith(HIDDEN) and _link(from_fd, name, to_fd, new_name):
                os.unlink(name, dir_fd=from_fd)
                return
            os.rename(name, new_name, src_dir_fd=from_fd, dst_dir_fd=to_fd)

    def exchange(self, one: str, other: str) -> None:
        """Swap two paths in one instant, or in three renames where the file system cannot."""
        with self.parent(one) as (fd, name), self.parent(other) as (other_fd, other_name):
            if _renameat2(fd, name, other_fd, other_name, _RENAME_EXCHANGE):
                return
        self.swap_in_three(one, other)

    def swap_in_three(self, one: str, other: str) -> None:
        """Swap two paths by renames; for an instant nothing stands at `other`."""
        self.rename(other, aside(one))
        try:
            self.rename(one, other)
        except OSError:
            self.rename(aside(one), other)
            raise
        try:
            self.rename(aside(one), one)
        except OSError:
            self.rename(other, one)
            self.rename(aside(one), other)
            raise

    def _openat2(self, path: str) -> int:
        how = _OpenHow(
            flags=os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC,
            mode=0,
            resolve=_RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS,
        )
        for _ in range(_RACES):
            fd = _libc.syscall(
                ctypes.c_long(_OPENAT2),
                ctypes.c_long(self._root_fd),
                ctypes.c_char_p(os.fsencode(path)),
                ctypes.byref(how),
                ctypes.c_size_t(ctypes.sizeof(how)),
            )
            if fd >= 0:
                return fd
            if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
                break
        raise _os_error(path)

    def _walk(self, path: str) -> int:
        fd = os.dup(self._root_fd)
        for part in path.split("/"):
            if part == "..":
                os.close(fd)
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            try:
                deeper = os.open(part, _FOLDER_FLAGS, dir_fd=fd)
            except NotADirectoryError:
                # O_DIRECTORY|O_NOFOLLOW on a symlink: ENOTDIR on Linux, ELOOP elsewhere.
                is_link = stat.S_ISLNK(os.stat(part, dir_fd=fd, follow_symlinks=False).st_mode)
                if is_link:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
                raise
            finally:
                os.close(fd)
            fd = deeper
        return fd


def aside(temp: str) -> str:
    """Name where a swap in three renames parks the old side; recovery looks there."""
    return f"{temp}.old"


def _exists(folder_fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _link(from_fd: int, name: str, to_fd: int, new_name: str) -> bool:
    """Give a file a second name; False for a folder, or where there are no such links."""
    try:
        os.link(name, new_name, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        return False
    return True


def _renameat2(from_fd: int, name: str, to_fd: int, new_name: str, flags: int) -> bool:
    """Return False where the system or file system does not know the call or the flag."""
    if not hasattr(_libc, "renameat2"):
        return False
    done = _libc.renameat2(
        ctypes.c_int(from_fd),
        ctypes.c_char_p(os.fsencode(name)),
        ctypes.c_int(to_fd),
        ctypes.c_char_p(os.fsencode(new_name)),
        ctypes.c_uint(flags),
    )
    if done == 0:
        return True
    if ctypes.get_errno() in _NOT_HERE:
        return False
    raise _os_error(new_name)


def _os_error(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
