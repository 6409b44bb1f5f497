"""Files of a stage for tools that run on the host: read, write, list; never outside."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import Entry
from turbo_tui.sandbox.staging.beneath import Beneath, OutsideError, Spot, open_regular
from turbo_tui.sandbox.staging.gitview import is_internal
from turbo_tui.sandbox.staging.ignore import Ignores

NEW_MODE = 0o644
OURS = ".turbo"


def _ignore_word(_word: str) -> None:
    """Stand for a listener where there is none."""


class TreeFiles:
    """`core.ports.StageFiles` on a folder of the host.

    Args:
        tree: Returns the stage's merged tree; asked anew each time, for it may be remounted.
        ignores: Returns the rules that hold in it now.
        owner: User and group that new files belong to; None leaves them as they come.
        before_change: Told each path just before it is written, moved or removed.
        refused: Told of a path that the overlay cannot change: it is a foreign owner's.
    """

    def __init__(
        self,
        tree: Callable[[], Beneath],
        ignores: Callable[[], Ignores],
        *,
        owner: tuple[int, int] | None = None,
        before_change: Callable[[str], None] = _ignore_word,
        refused: Callable[[str], None] = _ignore_word,
    ) -> None:
        self._tree = tree
        self._ignores = ignores
        self._owner = owner
        self._before_change = before_change
        self._refused = refused

    def read(self, path: str, *, limit_bytes: int | None = None) -> bytes:
        """Return a file's content, at most `limit_bytes` of it."""
        with self._at(path, "read") as spot:
            self._expect_there(spot, path, "read")
            with os.fdopen(open_regular(spot.name, spot.parent), "rb") as file:
                return file.read(-1 if limit_bytes is None else limit_bytes)

    def write(self, path: str, content: bytes) -> None:
        """Replace or create a file, folders included; the mode of an existing file is kept."""
        with self._folders_of(path), self._at(path, "write") as spot:
            self._expect_writable(spot, path)
            if spot.stat is not None and not stat.S_ISREG(spot.stat.st_mode):
                raise ToolError(f"Cannot write {path}: it is {_kind_words(spot.stat)}.")
            self._before_change(spot.path)
            self._replace(spot, content)

    def remove(self, path: str) -> None:
        """Delete a file or symlink."""
        with self._at(path, "remove", follow=False) as spot:
            found = self._expect_there(spot, path, "remove")
            self._expect_writable(spot, path)
            if stat.S_ISDIR(found.st_mode):
                raise ToolError(f"Cannot remove {path}: it is a folder; remove its files.")
            self._before_change(spot.path)
            os.unlink(spot.name, dir_fd=spot.parent)

    def move(self, path: str, target: str) -> None:
        """Rename a file; `target` must not exist."""
        with self._at(path, "move", follow=False) as source:
            found = self._expect_there(source, path, "move")
            self._expect_writable(source, path)
            if stat.S_ISDIR(found.st_mode):
                raise ToolError(f"Cannot move {path}: it is a folder; move its files.")
            with (
                self._folders_of(target),
                self._at(target, "write", follow=False) as goal,
            ):
                self._expect_writable(goal, target)
                if goal.stat is not None:
                    raise ToolError(f"Cannot move {path} to {target}: something stands there.")
                self._before_change(source.path)
                os.rename(source.name, goal.name, src_dir_fd=source.parent, dst_dir_fd=goal.parent)

    def entries(self, path: str = ".") -> list[Entry]:
        """List a folder in name order."""
        with self._at(path, "list") as spot:
            found = self._expect_there(spot, path, "list")
            if not stat.S_ISDIR(found.st_mode):
                raise ToolError(f"Cannot list {path}: it is {_kind_words(found)}.")
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(spot.name, flags, dir_fd=spot.parent)
            try:
                with os.scandir(fd) as listing:
                    return sorted(map(_entry_of, listing), key=lambda entry: entry.name)
            finally:
                os.close(fd)

    def entry(self, path: str) -> Entry | None:
        """Describe one path without following a last symlink; None when nothing is there."""
        try:
            with self._tree().locate(_checked(path, "look at"), follow=False) as spot:
                return None if spot.stat is None else _entry(spot.name, spot.stat)
        except OutsideError as error:
            raise _tool_error(path, "look at", error) from error
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                return None
            raise _tool_error(path, "look at", error) from error

    def real(self, path: str) -> str:
        """Return where a path leads once all links are followed, as a path from the workspace."""
        with self._at(path, "look at") as spot:
            return spot.path

    def walk(self) -> Iterator[str]:
        """Yield regular files that git does not ignore, in path order; `.git` is left out."""
        yield from walk_files(self._tree(), self._ignores())

    @contextmanager
    def _at(self, path: str, doing: str, *, follow: bool = True) -> Generator[Spot]:
        with (
            self._errors(path, doing),
            self._tree().locate(_checked(path, doing), follow=follow) as spot,
        ):
            yield spot

    @contextmanager
    def _errors(self, path: str, doing: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.EOVERFLOW:
                self._refused(path)
            raise _tool_error(path, doing, error) from error

    def _expect_there(self, spot: Spot, path: str, doing: str) -> os.stat_result:
        if spot.stat is None:
            raise ToolError(f"Cannot {doing} {path}: there is no such file.")
        return spot.stat

    def _expect_writable(self, spot: Spot, path: str) -> None:
        if is_internal(spot.path):
            raise ToolError(f"Cannot write {path}: what is in .git belongs to git.")
        if spot.path.split("/")[0].casefold() == OURS:
            raise ToolError(f"Cannot write {path}: {OURS} holds the user's own settings.")

    @contextmanager
    def _folders_of(self, path: str) -> Generator[None]:
        """Make the folders above a path; take them back when what follows fails."""
        parts = [part for part in _checked(path, "write").split("/") if part not in {"", "."}]
        made: list[str] = []
        try:
            with self._errors(path, "write"):
                for end in range(1, len(parts)):
                    folder = "/".join(parts[:end])
                    with self._tree().locate(folder) as spot:
                        self._expect_writable(spot, path)
                        if spot.stat is None:
                            self._make_folder(spot)
                            made.append(folder)
            yield
        except BaseException:
            for folder in reversed(made):
                with suppress(OSError), self._tree().locate(folder) as spot:
                    os.rmdir(spot.name, dir_fd=spot.parent)
            raise

    def _make_folder(self, spot: Spot) -> None:
        os.mkdir(spot.name, 0o777, dir_fd=spot.parent)
        if self._owner is not None:
            os.chown(spot.name, *self._owner, dir_fd=spot.parent, follow_symlinks=False)

    def _replace(self, spot: Spot, content: bytes) -> None:
        """Write beside and rename: a full disk leaves the file as it was."""
        beside = f".turbo-tui-{secrets.token_hex(8)}"
        mode, owner = NEW_MODE, self._owner
        if spot.stat is not None:
            mode = stat.S_IMODE(spot.stat.st_mode)
            owner = (spot.stat.st_uid, spot.stat.st_gid) if owner is not None else None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(beside, flags, 0o600, dir_fd=spot.parent)
        try:
            with os.fdopen(fd, "wb", buffering=0) as file:
                view = memoryview(content)
                while view:
                    view = view[file.write(view) or 0 :]
                if owner is not None:
                    os.fchown(fd, *owner)
                os.fchmod(fd, mode)
            os.rename(beside, spot.name, src_dir_fd=spot.parent, dst_dir_fd=spot.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside, dir_fd=spot.parent)
            raise


def walk_files(tree: Beneath, ignores: Ignores) -> Iterator[str]:
    """Yield regular files in path order, without those that git ignores and without `.git`."""
    todo: list[tuple[str, bool, bool]] = [(".", True, False)]  # path, is a folder, tracked only
    while todo:
        path, is_folder, tracked_only = todo.pop()
        if not is_folder:
            yield path
            continue
        try:
            fd, entries = tree.listing(path)
        except OSError:  # unreadable, or gone since its parent was listed
            continue
        found: list[tuple[str, bool, bool]] = []
        try:
            for entry in entries:
                below = entry.name if path == "." else f"{path}/{entry.name}"
                folder = entry.is_dir(follow_symlinks=False)
                if entry.name == ".git" or not (folder or entry.is_file(follow_symlinks=False)):
                    continue
                ignored = tracked_only or ignores.is_ignored(below, is_folder=folder)
                if ignored and not ignores.is_tracked(below):
                    continue
                found.append((below, folder, ignored and folder))
        finally:
            os.close(fd)
        # `a-b` comes before `a/b`: a folder sorts as its name with the slash.
        found.sort(key=lambda item: item[0] + "/" * item[1], reverse=True)
        todo.extend(found)


def _checked(path: str, doing: str) -> str:
    if "\0" in path:
        raise ToolError(f"Cannot {doing} {path!r}: a path holds no NUL.")
    if path.startswith("/"):
        raise ToolError(f"Cannot {doing} {path}: paths are relative to the workspace.")
    if ".." in path.split("/"):
        raise ToolError(f"Cannot {doing} {path}: `..` is refused; name the path from the top.")
    return path


def _tool_error(path: str, doing: str, error: OSError) -> ToolError:
    match error.errno:
        case errno.EXDEV:
            why = "a link in it leads outside the workspace."
        case errno.ENOENT:
            why = "there is no such file."
        case errno.ENOTDIR:
            why = "a name before its last `/` is no folder."
        case errno.EISDIR:
            why = "it is a folder."
        case errno.ENOSPC | errno.EDQUOT:
            why = "the disk that holds the stage is full; free some space and try again."
        case errno.EOVERFLOW:
            why = (
                "it belongs to another user or group, which an overlay without root cannot "
                "change. The stage is being made a copy, where it can be: try again in a moment."
            )
        case _:
            why = f"{error.strerror}."
    return ToolError(f"Cannot {doing} {path}: {why}")


def _kind(mode: int) -> Literal["file", "symlink", "folder", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "symlink"
    return "folder" if stat.S_ISDIR(mode) else "other"


def _kind_words(found: os.stat_result) -> str:
    kind = _kind(found.st_mode)
    return "neither file nor folder" if kind == "other" else f"a {kind}"


def _entry(name: str, found: os.stat_result) -> Entry:
    kind = _kind(found.st_mode)
    size = 0 if kind in {"folder", "other"} else found.st_size
    return Entry(name, kind, size, stat.S_IMODE(found.st_mode))


def _entry_of(found: os.DirEntry[str]) -> Entry:
    return _entry(found.name, found.stat(follow_symlinks=False))
