"""Carry a landing's operations out, one by one, so that each can be taken back without disk space.

New content waits in a hidden file near its target; a swap puts it in place and leaves the old
side under the hidden name until the landing is done. So rolling back is only renames.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from turbo_tui.core.ports import Blobs
from turbo_tui.landing.beneath import Tree, aside
from turbo_tui.landing.leftovers import Leftovers
from turbo_tui.landing.making import Making, wanted
from turbo_tui.landing.operations import Operation, same
from turbo_tui.landing.preimages import look

Checkpoint = Callable[[str], None]

# A path is not what it was, or not where it was, when it was compared.
_OTHERS_DOING = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_MANY_FILES = 64  # from here one sync of the file system is cheaper than one of each file
_UNFINISHED_FOLDER_MODE = 0o700


class ChangedMeanwhileError(Exception):
    """Someone changed a path between the comparison and the write; theirs stands there.

    Attributes:
        why: What happened, in words for the user, as `landings.Conflict.why`.
    """

    def __init__(self, path: str, error: OSError | None = None) -> None:
        super().__init__(path)
        self.path = path
        self.why = "it was changed while the landing was under way"
        if error is not None and error.errno == errno.ELOOP:
            self.why = "a folder above it became a symlink meanwhile, which is never followed"


@dataclass(slots=True)
class Writer:
    """Everything needed to carry operations out on one tree.

    Attributes:
        notes: What could not be kept; grows while writing.
        theirs: What someone else wrote meanwhile: its path, and where it is kept.
        started: Whether an operation was begun, so that a hidden file may hold the old side.
        checkpoint: Called with the name of every step before it is taken; for tests.
    """

    tree: Tree
    blobs: Blobs
    operations: Sequence[Operation]
    checkpoint: Checkpoint
    notes: list[str] = field(default_factory=list[str])
    theirs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    started: bool = False

    def prepare(self) -> None:
        """Write all new content beside its targets and make it durable.

        Raises:
            ChangedMeanwhileError: A folder above a path is gone or is none any more.
            OSError: The disk or a permission refused; call `clean`.
            LandingError: The blob store gave something else than was approved.
        """
        puts = [operation for operation in self.operations if operation.kind == "put"]
        one_by_one = len(puts) < _MANY_FILES
        for number, operation in enumerate(puts):
            self.checkpoint(f"write {number}")
            try:
                self.making.write(operation, sync=one_by_one)
            except OSError as error:
                raise self._understood(error, operation) from error
        if not one_by_one:
            self.tree.sync_all()

    # --- there -----------------------------------------------------------------

    def perform(self, operation: Operation) -> None:
        """Carry one operation out.

        Raises:
            ChangedMeanwhileError: The path is not what was compared; it is left as it is.
            OSError: The disk or a permission refused; the path is as it was.
        """
        self.started = True
        try:
            match operation.kind:
                case "put":
                    self._put(operation)
                case "remove":
                    self.tree.rename(operation.path, operation.temp)
                    self._verify_taken(operation)
                case "mkdir":
                    self._mkdir(operation)
                case "rmdir":
                    self._rmdir(operation)
                case "chmod":
                    self._chmod(operation)
        except OSError as error:
            raise self._understood(error, operation) from error

    def _understood(self, error: OSError, operation: Operation) -> Exception:
        """Tell what someone else did to the path from what the disk or a permission refused."""
        if error.errno in _OTHERS_DOING:
            return ChangedMeanwhileError(operation.path, error)
        error.filename = operation.path
        return error

    def _put(self, operation: Operation) -> None:
        if operation.before is None:
            self.tree.rename(operation.temp, operation.path)
        else:
            self.tree.exchange(operation.temp, operation.path)
            self._verify_taken(operation)

    def _verify_taken(self, operation: Operation) -> None:
        """See that what is now under the hidden name is what was compared; else put it back.

        Its content is read again: a save within one tick of the clock, of the same size and into
        the same file, shows in nothing else.
        """
        self.checkpoint(f"taken {operation.path}")
        if self.leftovers.holds(operation.temp, operation.before, mode=True):
            return
        self.leftovers.give_back(operation)
        raise ChangedMeanwhileError(operation.path)

    def _mkdir(self, operation: Operation) -> None:
        with self.tree.parent(operation.path) as (above, name):
            os.mkdir(name, _UNFINISHED_FOLDER_MODE, dir_fd=above)
            try:
                self.making.finish_folder(operation)
            except OSError:
                os.rmdir(name, dir_fd=above)
                raise

    def _rmdir(self, operation: Operation) -> None:
        """Take an empty folder away, aside if that can be: to make it again takes disk space."""
        path, temp = operation.path, operation.temp
        if not self.tree.is_folder(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if self._leaves(path, temp):
            return
        if any(self._needs_room(other, operation) for other in self.operations):
            raise ChangedMeanwhileError(path)
        self.notes.append(f"{path}: the folder stays, something new is in it")

    def _leaves(self, path: str, temp: str) -> bool:
        if self.tree.names(path):
            return False
        try:
            if temp:
                self.tree.rename(path, temp)
        except OSError as error:
            # A folder that may not be written does not change its parent, nor one of an overlay.
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EXDEV):
                raise
            temp = ""
        if not temp:
            with self.tree.parent(path) as (above, name):
                try:
                    os.rmdir(name, dir_fd=above)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    return False
        elif self.tree.names(temp):  # someone was quicker
            self.tree.rename(temp, path)
            return False
        return True

    def _needs_room(self, other: Operation, removal: Operation) -> bool:
        return other is not removal and other.path == removal.path and other.after is not None

    def _chmod(self, operation: Operation) -> None:
        found = look(self.tree, None, operation.path)
        if found is None or not same(found.node, operation.before):
            raise ChangedMeanwhileError(operation.path)
        self.checkpoint(f"looked at {operation.path}")
        self._set_mode(operation.path, found.status, wanted(operation).mode)

    def _set_mode(self, path: str, stood: os.stat_result, mode: int) -> None:
        """Set a mode in place, of the very file that stood there; a swap for modes there is none.

        What is saved into the file in that instant stays: only its mode is ours.
        """
        with self.tree.parent(path) as (above, name):
            # O_PATH needs no permission on the file, which may be unreadable.
            flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=above)
        try:
            now = os.fstat(fd)
            if not os.path.samestat(now, stood) or now.st_mode != stood.st_mode:
                raise ChangedMeanwhileError(path)
            if hasattr(os, "O_PATH"):
                os.chmod(f"/proc/self/fd/{fd}", mode)  # noqa: PTH101  # a descriptor
            else:
                os.fchmod(fd, mode)
        finally:
            os.close(fd)

    # --- and back ----------------------------------------------------------------

    def revert(self, operation: Operation) -> None:
        """Take one performed operation back.

        Raises:
            ChangedMeanwhileError: Someone else changed the path; what is theirs stays there.
            OSError: It cannot be now: nothing stands at the path, or the disk refuses.
        """
        try:
            match operation.kind:
                case "put":
                    self._take_back(operation)
                case "remove":
                    self.tree.rename(operation.temp, operation.path)
                case "mkdir":
                    with self.tree.parent(operation.path) as (above, name):
                        os.rmdir(name, dir_fd=above)
                case "rmdir":
                    self._remake(operation)
                case "chmod":
                    self._chmod_back(operation)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            raise ChangedMeanwhileError(operation.path) from error

    def _take_back(self, operation: Operation) -> None:
        path, temp = operation.path, operation.temp
        if self.tree.lstat(path) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not self.leftovers.holds(path, operation.after):
            raise ChangedMeanwhileError(path)
        self.checkpoint(f"take back {path}")
        if operation.before is None:
            self.tree.rename(path, temp)
        else:
            self.tree.exchange(temp, path)
        self.checkpoint(f"taken back {path}")
        if not self.leftovers.holds(temp, operation.after):  # saved in between
            self.leftovers.give_back(operation)
            raise ChangedMeanwhileError(path)

    def _chmod_back(self, operation: Operation) -> None:
        found = self.tree.lstat(operation.path)
        if found is None or operation.before is None:
            return
        if stat.S_IMODE(found.st_mode) != wanted(operation).mode:
            raise ChangedMeanwhileError(operation.path)
        self._set_mode(operation.path, found, operation.before.mode)

    def _remake(self, operation: Operation) -> None:
        if self.tree.is_folder(operation.path):
            return
        if operation.temp and self.tree.lstat(operation.temp) is not None:
            self.tree.rename(operation.temp, operation.path)
            return
        with self.tree.parent(operation.path) as (above, name):
            os.mkdir(name, _UNFINISHED_FOLDER_MODE, dir_fd=above)
        with self.tree.folder(operation.path) as fd:
            self.making.give_owner(fd, operation)
            os.fchmod(fd, operation.before.mode if operation.before else 0o755)

    # --- afterwards ----------------------------------------------------------------

    def sync_folders(self) -> None:
        """Make all names durable."""
        touched = {
            path.rpartition("/")[0]
            for operation in self.operations
            for path in (operation.path, operation.temp)
            if path
        }
        for folder in sorted(touched):
            self.tree.sync_folder(folder)

    def clean(self, *, untouched: bool = False) -> bool:
        """Delete what is left under hidden names, but nothing of someone else's.

        Args:
            untouched: No operation was carried out, so all of it is ours.

        Returns:
            Whether nothing is left to delete.
        """
        left = [operation for operation in self.operations if operation.temp]
        if untouched:
            cleared = [self.leftovers.delete_all(operation) for operation in left]
        else:
            cleared = [self.leftovers.clear(operation) for operation in left]
        return all(cleared)

    @property
    def making(self) -> Making:
        """What makes new content."""
        return Making(self.tree, self.blobs, self.notes)

    @property
    def left_alone(self) -> tuple[str, ...]:
        """Where what someone else wrote meanwhile is kept."""
        return tuple(sorted({where for _, where in self.theirs}))

    @property
    def leftovers(self) -> Leftovers:
        """What is under hidden names."""
        return Leftovers(self.tree, self.blobs, self.theirs)

    def mend_swap(self, operation: Operation) -> None:
        """Finish a swap in three renames that a crash cut off: put the old side back first."""
        if operation.kind != "put" or operation.before is None:
            return
        parked = aside(operation.temp)
        if self.tree.lstat(parked) is None:
            return
        if self.tree.lstat(operation.path) is None:
            self.tree.rename(parked, operation.path)
        elif self.tree.lstat(operation.temp) is None:
            self.tree.rename(parked, operation.temp)
