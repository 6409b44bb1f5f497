"""Bring a folder to the state of another: all of it, or only what differs by now.

A copy that an earlier stage is done with is brought back instead of made anew: what did not
change, in it and in the workspace, is neither read nor written. The rest of a used copy was left
by commands, so nothing in it is followed, kept half or believed.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

from turbo_tui.sandbox.staging.beneath import Beneath, remove_at, walk_folders
from turbo_tui.sandbox.staging.caches import TAG, LeaveOut
from turbo_tui.sandbox.staging.cloning import Cloner
from turbo_tui.sandbox.staging.manifest import TICK_S, UNKNOWN, Manifest, digest_of, stamp

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# The workspace is the user's and lives on while it is copied: what is gone or barred is left out.
_LEAVE_OUT = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
)
# What a command can leave on a folder and what is made in it would inherit.
_INHERITED = ("user.", "system.posix_acl_")


class _LeftOutError(Exception):
    """Something of the workspace cannot be copied; the words say why."""


@dataclass(slots=True)
class Copying:
    """One copying.

    Attributes:
        source: What is copied.
        copied: Where to.
        was: What `copied` held when it was last copied; empty for an empty folder.
        made: Takes what it holds now.
        stopped: Asked before each name; once true, the copying is given up.
        leave_out: Says why a folder is not worth copying.
    """

    source: Beneath
    copied: Beneath
    was: Manifest
    made: Manifest
    stopped: Callable[[], bool]
    leave_out: LeaveOut | None = None
    _used: bool = False
    _dirty: Mapping[str, os.stat_result | None] = field(
        default_factory=dict[str, "os.stat_result | None"]
    )
    _barred: frozenset[str] = frozenset()
    _remade: set[str] = field(default_factory=set[str])
    _touched: set[str] = field(default_factory=set[str])
    _folders: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])
    _cloner: Cloner = field(default_factory=Cloner)
    _us: tuple[int, int] = field(default_factory=lambda: (os.geteuid(), os.getegid()))
    # A write that follows within a tick of its clock would leave a file's stat as we saw it.
    _settled_ns: int = field(default_factory=lambda: time.time_ns() - int(TICK_S * 1e9))

    def differing(
        self, found: Mapping[str, os.stat_result | None], unreadable: Sequence[str]
    ) -> None:
        """Say that `copied` was used, and what in it is not as `was` says.

        Raises:
            OSError: It cannot be brought back.
        """
        if "." in unreadable:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), ".")
        if (self.was.digests is None) != (self.made.digests is None):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), ".")
        self._used = True
        self._dirty = found
        self._barred = frozenset(unreadable)
        self._touched.update((".", *found, *unreadable))

    def run(self) -> None:
        """Copy, remove what does not belong, give folders their looks."""
        for folder, fd, entries in walk_folders(self.source, self._cannot_list):
            self._copy_folder(folder, fd, entries)
        self._remove_strays()
        self._dress_folders()

    def _cannot_list(self, folder: str, error: OSError) -> None:
        if error.errno not in _LEAVE_OUT:
            raise error
        self.made.left_out[folder] = error.strerror or str(error)

    def _copy_folder(self, folder: str, fd: int, entries: list[os.DirEntry[str]]) -> None:
        """Do what lies in one folder, not what lies deeper."""
        if folder != "." and folder not in self._folders:
            return  # it was left out
        if self._is_left_out(folder, fd, entries):
            entries.clear()  # what lies deeper is not walked into
            return
        prefix = "" if folder == "." else f"{folder}/"
        empty = not self._used or folder in self._remade
        into = -1
        try:
            for entry in entries:
                if self.stopped():
                    raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
                path = prefix + entry.name
                try:
                    if not empty and self._stays(entry, path):
                        continue
                    if into < 0:
                        into = self._enter(folder)
                    if not empty:
                        remove_at(into, entry.name)
                    self._copy(entry, fd, into, path)
                except _LeftOutError as error:
                    self.made.left_out[path] = str(error)
        finally:
            if into >= 0:
                os.close(into)

    def _is_left_out(self, folder: str, fd: int, entries: list[os.DirEntry[str]]) -> bool:
        if self.leave_out is None or all(entry.name != TAG for entry in entries):
            return False

        def shared() -> bool:
            with suppress(OSError), self.copied.folder(".") as top, _opened(TAG, fd) as tag:
                return self._cloner.can_share(tag, top)
            return False

        why = self.leave_out([entry.name for entry in entries], folder, shared)
        if why is None:
            return False
        self.made.left_out[folder] = why
        del self._folders[folder]
        self.made.stamps.pop(folder, None)
        self.made.origins.pop(folder, None)
        self._remove(folder)
        return True

    def _stays(self, entry: os.DirEntry[str], path: str) -> bool:
        """Say whether what stands in the copy at `path` is what a new copy would hold."""
        was = self.was.stamps.get(path)
        if was is None or path in self._barred:
            return False
        if path in self._dirty:
            now = self._dirty[path]
            kept = now is not None and stat.S_ISDIR(now.st_mode)
            if not kept or not entry.is_dir(follow_symlinks=False):
                return False
        found = _stat_of(entry)
        origin, known = stamp(found), self.was.origins[path]
        if stat.S_ISDIR(found.st_mode):
            if not stat.S_ISDIR(was[4]):
                return False
            self._folders[path] = found
            if origin == known and path not in self._touched:
                self.made.stamps[path], self.made.origins[path] = was, origin
            return True
        if origin != known or (path in self.was.emptied) != (path in self.made.emptied):
            return False
        self.made.stamps[path], self.made.origins[path] = was, origin
        if self.made.digests is not None and self.was.digests and path in self.was.digests:
            self.made.digests[path] = self.was.digests[path]
        return True

    def _copy(self, entry: os.DirEntry[str], fd: int, into: int, path: str) -> None:
        """Copy one name; of a folder only the folder."""
        name = entry.name
        if entry.is_file(follow_symlinks=False):
            found, after = self._copy_file(name, fd, into, path)
        elif entry.is_dir(follow_symlinks=False):
            self._folders[path] = _stat_of(entry)
            os.mkdir(name, 0o700, dir_fd=into)
            self._remade.add(path)
            self._touched.add(path)
            return
        elif entry.is_symlink():
            found = _stat_of(entry)
            try:
                words = os.readlink(name, dir_fd=fd)
            except OSError as error:
                _leave_out(error)
            os.symlink(words, name, dir_fd=into)
            self._own(name, into, found)
            times = (found.st_atime_ns, found.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=into, follow_symlinks=False)
            after = os.stat(name, dir_fd=into, follow_symlinks=False)
        else:
            raise _LeftOutError("neither file, folder nor link")
        self.made.stamps[path] = stamp(after)
        settled = found.st_ctime_ns <= self._settled_ns
        self.made.origins[path] = stamp(found) if settled else UNKNOWN
        if self.made.digests is not None and stat.S_ISREG(after.st_mode):
            self.made.digests[path] = digest_of(name, into)

    def _copy_file(
        self, name: str, fd: int, into: int, path: str
    ) -> tuple[os.stat_result, os.stat_result]:
        """Copy a file; return how it looked and how the copy looks."""
        try:
            source = os.open(name, _READ, dir_fd=fd)
        except OSError as error:
            _leave_out(error)
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode):  # since it was listed
                raise _LeftOutError("neither file, folder nor link")
            target = os.open(name, _NEW, stat.S_IMODE(found.st_mode) & 0o777, dir_fd=into)
            try:
                if path not in self.made.emptied:
                    self._cloner.copy(source, target, found)
                owner = (found.st_uid, found.st_gid)
                if self._us[0] == 0 and owner != self._us:
                    os.fchown(target, *owner)
                os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
                after = os.fstat(target)
                # The umask, or a folder that gives its group away, may have had a say.
                if self._us[0] == 0 and (after.st_uid, after.st_gid) != owner:
                    os.fchown(target, *owner)
                    after = os.fstat(target)
                if after.st_mode != found.st_mode:
                    os.fchmod(target, stat.S_IMODE(found.st_mode))
                    after = os.fstat(target)
            finally:
                os.close(target)
        finally:
            os.close(source)
        return found, after

    def _remove_strays(self) -> None:
        """Remove what neither stayed nor was copied: the step's own, and what the user removed."""
        there = self.was.stamps.keys() | self._dirty.keys()
        for path in sorted(there - self.made.stamps.keys() - self._folders.keys()):
            self._remove(path)

    def _remove(self, path: str) -> None:
        try:
            into = self._enter(os.path.dirname(path))  # noqa: PTH120 - str paths: surrogates
        except (FileNotFoundError, NotADirectoryError):
            return  # it went with what stood above it
        try:
            remove_at(into, os.path.basename(path))  # noqa: PTH119
        finally:
            os.close(into)

    def _enter(self, folder: str) -> int:
        """Open a folder of the copy to change what lies in it, which the user may have barred."""
        fd = self.copied.open_folder(folder)
        self._touched.add(folder or ".")
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if mode & 0o700 != 0o700:  # noqa: PLR2004 - rwx for the owner
            try:
                os.fchmod(fd, mode | 0o700)
            except OSError:
                os.close(fd)
                raise
        return fd

    def _dress_folders(self) -> None:
        """Give folders owner, mode and times; inner ones first: filling one changes its times."""
        for path, found in reversed(self._folders.items()):
            if path in self.made.stamps and path not in self._touched:
                continue
            fd = self.copied.open_folder(path)
            try:
                if path not in self._remade:
                    _forget_attributes(fd)
                if self._us[0] == 0:
                    os.fchown(fd, found.st_uid, found.st_gid)
                os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
                os.fchmod(fd, stat.S_IMODE(found.st_mode))
                self.made.stamps[path] = stamp(os.fstat(fd))
                self.made.origins[path] = stamp(found)
            finally:
                os.close(fd)
        if self._used:
            fd = self.copied.open_folder(".")
            try:
                _forget_attributes(fd)
            finally:
                os.close(fd)

    def _own(self, name: str, into: int, found: os.stat_result) -> None:
        if self._us[0] == 0:
            os.chown(name, found.st_uid, found.st_gid, dir_fd=into, follow_symlinks=False)


@contextmanager
def _opened(name: str, folder: int) -> Generator[int]:
    """Open a file for reading, not following a link."""
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _stat_of(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError as error:
        _leave_out(error)


def _leave_out(error: OSError) -> NoReturn:
    """Tell what only concerns one path of the workspace from what ends the copying."""
    if error.errno in _LEAVE_OUT:
        raise _LeftOutError(error.strerror or str(error)) from error
    raise error


def _forget_attributes(folder: int) -> None:
    for name in _attributes(folder):
        if name.startswith(_INHERITED):
            with suppress(FileNotFoundError):
                os.removexattr(folder, name)


def _attributes(folder: int) -> list[str]:
    try:
        return os.listxattr(folder)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.ENOSYS}:
            return []
        raise
