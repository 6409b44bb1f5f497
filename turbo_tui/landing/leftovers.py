"""What is under hidden names: deleted only where it is known to be kept elsewhere.

The landing's own content and what was compared before it are in the blob store. Anything else was
written by someone while the landing was under way: it goes back in place, or stays and is named.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

from turbo_tui.core.changes import Node
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Blobs
from turbo_tui.landing.beneath import Tree, aside
from turbo_tui.landing.operations import Operation, same
from turbo_tui.landing.preimages import look


@dataclass(slots=True)
class Leftovers:
    """The hidden files of a landing.

    Attributes:
        theirs: Found to be someone else's: its path, and where it is kept now; both are the same
            where it stands in its place.
    """

    tree: Tree
    blobs: Blobs
    theirs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def holds(self, path: str, node: Node | None, *, mode: bool = False) -> bool:
        """Tell whether a path can be read and is a node, by its content."""
        try:
            found = look(self.tree, None, path)
        except OSError:  # not to be read: not known to be it
            return False
        return found is not None and node is not None and same(found.node, node, mode=mode)

    def is_ours(self, operation: Operation, temp: str) -> bool:
        """Tell whether deleting a hidden file loses nothing: its content is in the blob store."""
        return (
            self.holds(temp, operation.before)
            or self.holds(temp, operation.after)
            or self._is_beginning(temp, operation.after)
        )

    def _is_beginning(self, temp: str, node: Node | None) -> bool:
        """Tell whether a file is new content whose writing was cut off."""
        if node is None or node.kind != "file":
            return False
        try:
            with self.tree.file(temp) as fd:
                if os.fstat(fd).st_size > node.size_bytes:
                    return False
                with os.fdopen(os.dup(fd), "rb") as file:
                    return self.blobs.get(node.blob).startswith(file.read())
        except (OSError, SessionError):
            return False

    def give_back(self, operation: Operation) -> bool:
        """Put what someone else wrote from under its hidden name in place, over ours alone."""
        path, temp = operation.path, operation.temp
        try:
            if self.tree.lstat(path) is None:
                self.tree.rename(temp, path)
            elif self.holds(path, operation.after) or self.holds(path, operation.before):
                self.tree.exchange(temp, path)
            else:
                return False
        except OSError:  # someone was quicker; `clear` keeps it
            return False
        return True

    def mend(self, operation: Operation) -> bool:
        """Give back what is under a hidden name though it is not what was to be taken."""
        if operation.kind not in ("put", "remove"):
            return False
        try:
            temp = operation.temp
            if self.tree.lstat(temp) is None or self.is_ours(operation, temp):
                return False
            return self.give_back(operation)
        except OSError:  # out of reach by now
            return False

    def clear(self, operation: Operation) -> bool:
        """Delete an operation's hidden files, but nothing of someone else's.

        Returns:
            Whether nothing is left that could be deleted another time.
        """
        done = True
        for temp in (operation.temp, aside(operation.temp)):
            try:
                found = self.tree.lstat(temp)
            except OSError:  # below a symlink by now: not ours to reach
                continue
            if found is None:
                continue
            if operation.kind == "rmdir":
                ours = self._is_empty(temp)
            else:
                ours = self.is_ours(operation, temp)
            if not ours:
                self._keep(operation, temp)
                continue
            try:
                self._delete(temp, folder=operation.kind == "rmdir")
            except OSError:
                done = False
        return done

    def _is_empty(self, temp: str) -> bool:
        try:
            return not self.tree.names(temp)
        except OSError:
            return False

    def _delete(self, temp: str, *, folder: bool) -> None:
        with self.tree.parent(temp) as (above, name):
            (os.rmdir if folder else os.unlink)(name, dir_fd=above)

    def _keep(self, operation: Operation, temp: str) -> None:
        where = temp
        with suppress(OSError):  # what stands at the path stays there
            self.tree.rename(temp, operation.path)
            where = operation.path
        with suppress(OSError, SessionError):  # a second copy; the file itself stays
            look(self.tree, self.blobs, where)
        self.theirs.append((operation.path, where))

    def delete_all(self, operation: Operation) -> bool:
        """Delete what was prepared for an operation before any was carried out: all is ours."""
        with suppress(OSError):
            self._delete(operation.temp, folder=False)
        try:
            return self.tree.lstat(operation.temp) is None
        except OSError:
            return True
