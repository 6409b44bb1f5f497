"""A change as a value: what a step did to the tree, hunk by hunk.

Paths are relative to the workspace, `/`-separated, decoded with `os.fsdecode`, so names that
are not UTF-8 survive (surrogateescape). Contents are named by their sha256 (hex) and live in
a blob store. Text is compared as lines of bytes: CRLF and any encoding pass through unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NodeKind = Literal["file", "symlink", "folder"]
ChangeAction = Literal["add", "update", "delete", "move", "mode", "retype"]


@dataclass(frozen=True, slots=True)
class Node:
    """What stands at a path on one side of a change.

    Attributes:
        mode: Permission bits, 0o7777 at most; setuid, setgid and sticky never land.
        size_bytes: Of the content; 0 for a folder.
        blob: sha256 of the content; of the target's bytes for a symlink; empty for a folder.
    """

    kind: NodeKind
    mode: int
    size_bytes: int = 0
    blob: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs from the workspace.

    Attributes:
        before: None when the path is new.
        after: None when it is gone.
        moved_from: The path it had before, when content and mode say it was moved; its
            `before` is then the node at that old path, which is gone after.
        base_known: False when the original changed under the stage before it could be kept;
            such a change is shown but a merge is not guessed.
    """

    path: str
    before: Node | None
    after: Node | None
    moved_from: str = ""
    base_known: bool = True

    @property
    def action(self) -> ChangeAction:
        """Name the change in one word."""
        if self.moved_from:
            return "move"
        if self.before is None:
            return "add"
        if self.after is None:
            return "delete"
        if self.before.kind != self.after.kind:
            return "retype"
        if self.before.blob == self.after.blob:
            return "mode"
        return "update"


@dataclass(frozen=True, slots=True)
class IgnoredFolder:
    """Files that git ignores, folded into one line; `changes` land only if switched on."""

    folder: str
    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All that a step did, in path order.

    A folder appears in `files` only when it is removed, or when it is new and empty.

    Attributes:
        notes: What never lands but must be said: `.git: 3 internal files`, a device node, …
        warnings: `path: why` of new hooks, executables, editor tasks and the like.
    """

    files: tuple[FileChange, ...] = ()
    ignored: tuple[IgnoredFolder, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
