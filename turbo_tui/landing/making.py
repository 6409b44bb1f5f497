"""Make new content under its hidden name: its bytes, owner, attributes and mode."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.changes import Node
from turbo_tui.core.errors import LandingError
from turbo_tui.core.ports import Blobs
from turbo_tui.landing.attributes import copy_attributes
from turbo_tui.landing.beneath import Tree
from turbo_tui.landing.operations import Operation

_IN_MEMORY_BYTES = 16_000_000


@dataclass(slots=True)
class Making:
    """What makes new files, symlinks and folders of a landing.

    Attributes:
        notes: What could not be kept; grows while writing.
    """

    tree: Tree
    blobs: Blobs
    notes: list[str]

    def write(self, operation: Operation, *, sync: bool = True) -> None:
        """Write one operation's new content under its hidden name, with owner and attributes."""
        node = wanted(operation)
        with self.tree.parent(operation.temp) as (folder, name):
            if node.kind == "symlink":
                os.symlink(os.fsdecode(self.blobs.get(node.blob)), name, dir_fd=folder)
                if os.geteuid() == 0:
                    owner = self._owner(operation)
                    os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
                return
            fd = self._new_file(folder, name, node)
        try:
            self._dress(fd, operation, node)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _new_file(self, folder: int, name: str, node: Node) -> int:
        """Create a file with a blob's content; return it open."""
        place = Path(f"/proc/self/fd/{folder}/{name}")
        if node.size_bytes > _IN_MEMORY_BYTES and place.parent.exists():
            self.blobs.copy_to(node.blob, place)
        else:
            content = self.blobs.get(node.blob)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(os.dup(fd), "rb") as file:
            written = hashlib.file_digest(file, "sha256").hexdigest()
        if written != node.blob:
            os.close(fd)
            raise LandingError(
                f"Stored content {node.blob[:12]} is not what was approved; nothing was landed. "
                "Run the step again."
            )
        return fd

    def _dress(self, fd: int, operation: Operation, node: Node) -> None:
        """Give a new file the owner, attributes and mode it should have."""
        path = operation.path
        self.give_owner(fd, operation)
        # A recovery may come when what it is like is gone already.
        if operation.like and self.tree.lstat(operation.like) is not None:
            with self.tree.file(operation.like) as old:
                lost = copy_attributes(old, fd)
                if lost:
                    self.notes.append(f"{path}: not kept: {', '.join(lost)}")
                was = os.fstat(old)
                if was.st_uid != os.fstat(fd).st_uid:
                    self.notes.append(f"{path}: belonged to user {was.st_uid}, now to you")
                elif was.st_gid != os.fstat(fd).st_gid:
                    with suppress(PermissionError):
                        os.fchown(fd, -1, was.st_gid)
        os.fchmod(fd, node.mode)

    def give_owner(self, fd: int, operation: Operation) -> None:
        """Let an open file or folder belong to who it should, when we are root."""
        if os.geteuid() == 0:
            os.fchown(fd, *self._owner(operation))

    def _owner(self, operation: Operation) -> tuple[int, int]:
        """Return who owns new content when we are root: as before, else as the workspace."""
        found = self.tree.lstat(operation.like) if operation.like else None
        if found is None:
            with self.tree.folder("") as root:
                found = os.fstat(root)
        return found.st_uid, found.st_gid

    def finish_folder(self, operation: Operation) -> None:
        """Give a new folder its owner and mode."""
        with self.tree.folder(operation.path) as fd:
            self.give_owner(fd, operation)
            os.fchmod(fd, wanted(operation).mode)


def wanted(operation: Operation) -> Node:
    """Return what an operation writes."""
    if operation.after is None:
        raise AssertionError(f"{operation.kind} of {operation.path} has nothing to write")
    return operation.after
