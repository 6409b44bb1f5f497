"""Reach paths beneath a folder and never one outside, whatever links a command planted there.

Every component is opened by itself, without following, relative to a descriptor of the folder
above; links are read and walked by hand. So neither an absolute link nor `..` nor a folder that
is swapped meanwhile can lead out. The same walk serves where openat2(2) is missing or filtered.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MAX_LINKS = 40  # as the kernel: path_resolution(7)
O_PATH: int = getattr(os, "O_PATH", os.O_RDONLY)  # Linux only; reading serves elsewhere
_FOLDER = O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEEP = 100  # folders held open at once on a walk; commands can nest them without end
LONGEST = 4_096  # a longer path is of no use to any program: PATH_MAX, limits.h(0p)


class OutsideError(OSError):
    """A path or a link on the way leads out of the folder."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EXDEV, "leads outside the workspace", path)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path ends: `name` in the open folder `parent`.

    Attributes:
        path: The real path beneath the root, links resolved; `.` for the root itself.
        stat: What stands there, not followed; None when nothing does.
    """

    parent: int
    name: str
    path: str
    stat: os.stat_result | None


class Beneath:
    """A folder, held open, and what lies beneath it.

    Args:
        folder: Opened once; later renames of it do not matter.
        shown_at: Absolute links to places beneath this path count as inside.
    """

    def __init__(self, folder: Path, *, shown_at: Path) -> None:
        self._root = os.open(folder, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._shown_at = os.path.normpath(shown_at)

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    @contextmanager
    def locate(self, path: str, *, follow: bool = True) -> Generator[Spot]:
        """Walk to `path`; the folders above it stay open within the `with` block.

        Args:
            path: Relative to the root.
            follow: Also follow a link at the very end.

        Raises:
            OutsideError: The path leads out.
            OSError: A folder on the way is missing, is none, or links go in circles.
        """
        walk = _Walk(self._root, self._shown_at, path)
        try:
            yield walk.to_the_end(follow=follow)
        finally:
            walk.close()

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe `path`, not following any link; None when nothing stands there."""
        try:
            with self.folder(os.path.dirname(path)) as parent:  # noqa: PTH120 - str paths: surrogates
                name = os.path.basename(path) or "."  # noqa: PTH119
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return None
            raise

    @contextmanager
    def folder(self, path: str) -> Generator[int]:
        """Open a folder by its real path (no link is followed) and yield a descriptor."""
        fd = os.dup(self._root)
        try:
            for part in _parts(path):
                below = os.open(part, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)

    def listing(self, path: str) -> tuple[int, list[os.DirEntry[str]]]:
        """List a folder given by its real path; the caller closes the returned descriptor.

        The entries' `stat` works as long as the descriptor is open.
        """
        return _entries(self.open_folder(path))

    def open_folder(self, path: str) -> int:
        """Open a folder given by its real path so that it can be listed; the caller closes it."""
        with self.folder(os.path.dirname(path)) as parent:  # noqa: PTH120
            return os.open(os.path.basename(path) or ".", _LISTED, dir_fd=parent)  # noqa: PTH119

    def open_file(self, path: str) -> int:
        """Open a regular file given by its real path for reading.

        Raises:
            OSError: It is missing, unreadable, or not a regular file.
        """
        with self.folder(os.path.dirname(path)) as parent:  # noqa: PTH120
            return open_regular(os.path.basename(path), parent)  # noqa: PTH119

    def read_link(self, path: str) -> str:
        """Return where the link at a real path points."""
        with self.folder(os.path.dirname(path)) as parent:  # noqa: PTH120
            return os.readlink(os.path.basename(path), dir_fd=parent)  # noqa: PTH119

    def leads_outside(self, path: str) -> bool:
        """Say whether the link at a real path leads out; a dangling one is judged by its words."""
        try:
            with self.locate(path):
                return False
        except OutsideError:
            return True
        except OSError:
            target = os.path.normpath(self.read_link(path))
            if target.startswith("/"):
                return not _is_below(target, self._shown_at)
            joined = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120
            return joined == ".." or joined.startswith("../")


class _Walk:
    """One walk from the root to where a path ends."""

    def __init__(self, root: int, shown_at: str, path: str) -> None:
        self._stack = [os.dup(root)]
        self._names: list[str] = []
        self._shown_at = shown_at
        self._path = path
        self._left = deque(_parts(path))
        self._links = 0
        if path.startswith("/"):
            self.close()
            raise OutsideError(path)

    def to_the_end(self, *, follow: bool) -> Spot:
        while self._left:
            part = self._left.popleft()
            if part == "..":
                self._up()
                continue
            try:
                found = os.stat(part, dir_fd=self._stack[-1], follow_symlinks=False)
            except FileNotFoundError:
                if self._left:
                    raise
                return Spot(self._stack[-1], part, "/".join((*self._names, part)), None)
            if stat.S_ISLNK(found.st_mode) and (self._left or follow):
                self._link(part)
            elif self._left:
                self._stack.append(os.open(part, _FOLDER, dir_fd=self._stack[-1]))
                self._names.append(part)
            else:
                return Spot(self._stack[-1], part, "/".join((*self._names, part)), found)
        return Spot(self._stack[-1], ".", "/".join(self._names) or ".", os.fstat(self._stack[-1]))

    def close(self) -> None:
        while self._stack:
            os.close(self._stack.pop())

    def _up(self) -> None:
        if len(self._stack) == 1:
            raise OutsideError(self._path)
        os.close(self._stack.pop())
        self._names.pop()

    def _link(self, part: str) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        target = os.readlink(part, dir_fd=self._stack[-1])
        if target.startswith("/"):
            if not _is_below(target, self._shown_at):
                raise OutsideError(self._path)
            target = target[len(self._shown_at) :]
            while len(self._stack) > 1:
                self._up()
        self._left.extendleft(reversed(_parts(target)))


def walk_folders(
    tree: Beneath, refused: Callable[[str, OSError], None], *, start: str = "."
) -> Generator[tuple[str, int, list[os.DirEntry[str]]]]:
    """Yield each folder, `.` first and outer before inner, open, with what lies in it.

    Each is opened from the one above, so a deep tree costs no walk from the top per folder. The
    descriptor is closed when the walk is done with what lies below. A name that is taken off the
    list is not walked into.

    Args:
        tree: What is walked.
        refused: Told of each folder that cannot be listed, and why; may raise.
        start: The outermost folder, by its real path.
    """
    walk = _FolderWalk(tree)
    todo = [start]
    try:
        while todo:
            path = todo.pop()
            try:
                fd, entries = walk.enter(path)
            except OSError as error:
                refused(path, error)
                continue
            yield path, fd, entries
            prefix = "" if path == "." else f"{path}/"
            todo += [prefix + e.name for e in entries if e.is_dir(follow_symlinks=False)]
    finally:
        walk.close()


class _FolderWalk:
    """Open folders one after the other, each from the one above it, which was opened before."""

    def __init__(self, tree: Beneath) -> None:
        self._tree = tree
        self._open: list[tuple[str, int]] = []  # each lies in the one before

    def enter(self, path: str) -> tuple[int, list[os.DirEntry[str]]]:
        if len(path) > LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
        above, name = os.path.split(path)
        while self._open and self._open[-1][0] != above:
            os.close(self._open.pop()[1])
        if self._open:
            found = _entries(os.open(name, _LISTED, dir_fd=self._open[-1][1]))
        else:
            found = self._tree.listing(path)
        self._open.append(("" if path == "." else path, found[0]))
        if len(self._open) > DEEP:
            os.close(self._open.pop(0)[1])
        return found

    def close(self) -> None:
        while self._open:
            os.close(self._open.pop()[1])


def _entries(fd: int) -> tuple[int, list[os.DirEntry[str]]]:
    """List an open folder; the descriptor is closed when that fails."""
    try:
        with os.scandir(fd) as entries:
            return fd, list(entries)
    except BaseException:
        os.close(fd)
        raise


def open_regular(name: str, parent: int) -> int:
    """Open a regular file for reading; a FIFO or a device is refused, never waited for."""
    # O_NONBLOCK: opening a FIFO without a writer would wait for ever; fifo(7).
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=parent)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, "is a folder" if stat.S_ISDIR(mode) else "is no regular file", name)
    return fd


def remove_tree(folder: Path) -> None:
    """Delete a folder that commands wrote into: also what they made unreadable.

    Raises:
        OSError: Something in it cannot be deleted.
    """
    with suppress(FileNotFoundError):
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _remove_folder(parent, folder.name)
        finally:
            os.close(parent)


def remove_at(parent: int, name: str) -> None:
    """Delete what stands at `name` in an open folder, whatever it is; nothing may stand there.

    Raises:
        OSError: Something in it cannot be deleted.
    """
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            raise
        _remove_folder(parent, name)


def _remove_folder(parent: int, name: str) -> None:
    try:
        _remove_below(parent, name)
    except RecursionError:
        # A command nested folders deeper than we can; rm(1) walks without a stack.
        subprocess.run(
            ["/bin/rm", "-rf", "--", f"/proc/self/fd/{parent}/{name}"],
            check=True,
            stdin=subprocess.DEVNULL,
            pass_fds=(parent,),
        )


def _remove_below(parent: int, name: str) -> None:
    try:
        fd = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent
        )
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)  # our own stage: a command took the bits away
        fd = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent
        )
    try:
        if os.fstat(fd).st_mode & 0o700 != 0o700:  # noqa: PLR2004 - rwx for the owner
            os.fchmod(fd, 0o700)
        with os.scandir(fd) as entries:
            names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_folder in names:
            if is_folder:
                _remove_below(fd, child)
            else:
                os.unlink(child, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _is_below(path: str, folder: str) -> bool:
    """Judge by words alone; what `..` does after the prefix is for the walk to see."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
