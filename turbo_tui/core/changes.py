"""A change as a value: what a step did to the tree, hunk by hunk.

Paths are relative to the workspace, `/`-separated, decoded with `os.fsdecode`, so names that
are not UTF-8 survive (surrogateescape). Contents are named by their sha256 (hex) and live in
a blob store. Text is compared as lines of bytes: CRLF and any encoding pass through unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, cast

from turbo_tui.core.errors import SessionError

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
    """Files that git ignores, folded into one line; `changes` land only if switched on.

    Contents of their `after` may lie in their stage alone; `ports.Stages.keep_contents` stores
    those that are to land.
    """

    folder: str
    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All that a step did, in path order.

    A folder appears in `files` only when it is removed, when it is new and empty, or when its mode
    was changed.

    Attributes:
        notes: What never lands but must be said: `.git: 3 internal files`, a device node, …
        warnings: `path: why` of new hooks, executables, editor tasks and the like.
    """

    files: tuple[FileChange, ...] = ()
    ignored: tuple[IgnoredFolder, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


# --- as bytes ----------------------------------------------------------------

_SHAPE = 1
_HASH_LENGTH = 64
_MODE_BITS = 0o7777


def to_json(changes: ChangeSet) -> bytes:
    """Write a change set as canonical JSON: equal change sets give equal bytes.

    ASCII only; names that are not UTF-8 keep their surrogates as escapes.
    """
    shape = {"v": _SHAPE, **asdict(changes)}
    return json.dumps(shape, sort_keys=True, separators=(",", ":")).encode("ascii")


def from_json(raw: bytes) -> ChangeSet:
    """Read what `to_json` wrote, and nothing else.

    Raises:
        SessionError: It is not a change set of this version, or a path in it is unsafe.
    """
    try:
        shape = _fields(json.loads(raw), "v", "files", "ignored", "notes", "warnings")
        if shape["v"] != _SHAPE:
            raise _ShapeError(f"its shape is version {shape['v']!r}, this program reads {_SHAPE}")
        changes = ChangeSet(
            files=tuple(_file_change(item) for item in _list(shape["files"])),
            ignored=tuple(_ignored(item) for item in _list(shape["ignored"])),
            notes=tuple(_text(item) for item in _list(shape["notes"])),
            warnings=tuple(_text(item) for item in _list(shape["warnings"])),
        )
    except (ValueError, RecursionError) as error:
        raise SessionError(
            f"A stored change set cannot be read: {error}. "
            "Run the step again; `turbo-tui session verify` tells whether the log is whole."
        ) from error
    return changes


def fingerprint(changes: ChangeSet) -> str:
    """Return the sha256 (hex) of the canonical JSON: what an approval binds to."""
    return hashlib.sha256(to_json(changes)).hexdigest()


class _ShapeError(ValueError):
    """JSON that is not a change set."""


def _file_change(item: object) -> FileChange:
    shape = _fields(item, "path", "before", "after", "moved_from", "base_known")
    base_known = shape["base_known"]
    if not isinstance(base_known, bool):
        raise _ShapeError("base_known is not a boolean")
    moved_from = _text(shape["moved_from"])
    change = FileChange(
        path=checked_path(_text(shape["path"])),
        before=_node(shape["before"]),
        after=_node(shape["after"]),
        moved_from=checked_path(moved_from) if moved_from else "",
        base_known=base_known,
    )
    if change.before is None and change.after is None:
        raise _ShapeError(f"{change.path!r} has neither a before nor an after")
    if moved_from and (change.before is None or change.after is None):
        raise _ShapeError(f"{change.path!r} is a move with one side missing")
    return change


def _node(item: object) -> Node | None:
    if item is None:
        return None
    shape = _fields(item, "kind", "mode", "size_bytes", "blob")
    kind, mode, size_bytes = shape["kind"], shape["mode"], shape["size_bytes"]
    blob = _text(shape["blob"])
    if kind not in ("file", "symlink", "folder"):
        raise _ShapeError(f"{kind!r} is not a kind of node")
    if type(mode) is not int or not 0 <= mode <= _MODE_BITS:
        raise _ShapeError(f"{mode!r} is not a mode")
    if type(size_bytes) is not int or size_bytes < 0:
        raise _ShapeError(f"{size_bytes!r} is not a size")
    good_blob = len(blob) == _HASH_LENGTH and not set(blob) - set("0123456789abcdef")
    if blob if kind == "folder" else not good_blob:
        raise _ShapeError(f"{blob!r} does not name the content of a {kind}")
    return Node(kind, mode, size_bytes, blob)


def _ignored(item: object) -> IgnoredFolder:
    shape = _fields(item, "folder", "changes")
    changes = tuple(_file_change(change) for change in _list(shape["changes"]))
    return IgnoredFolder(_text(shape["folder"]), changes)


def _fields(item: object, *names: str) -> dict[str, object]:
    if not isinstance(item, dict):
        raise _ShapeError("an object is missing")
    fields = cast("dict[str, object]", item)
    if set(fields) != set(names):
        raise _ShapeError(f"an object has the fields {sorted(fields)}, expected {sorted(names)}")
    return fields


def _list(item: object) -> list[object]:
    if not isinstance(item, list):
        raise _ShapeError("a list is missing")
    return cast("list[object]", item)


def _text(item: object) -> str:
    if not isinstance(item, str):
        raise _ShapeError("a text is missing")
    return item


# --- as a whole --------------------------------------------------------------


def checked_path(path: str) -> str:
    """Return a path that stays in the workspace by its form alone.

    Raises:
        ValueError: Empty, absolute, or with an empty, `.` or `..` part or a NUL in it.
    """
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is not a path inside the workspace")
    return path


def parents(path: str) -> tuple[str, ...]:
    """Return the folders above a path, the nearest first."""
    parts = path.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))


def is_empty(changes: ChangeSet) -> bool:
    """Tell whether there is nothing that could land, ignored files included."""
    return not changes.files and not any(folder.changes for folder in changes.ignored)


def paths(changes: ChangeSet) -> tuple[str, ...]:
    """Return every path that landing would touch, both ends of a move, in order."""
    touched = {change.path for change in changes.files}
    touched.update(change.moved_from for change in changes.files if change.moved_from)
    return tuple(sorted(touched))


def moves(changes: ChangeSet) -> dict[str, str]:
    """Return the path that files had, by the one they have, where nothing else stands there now."""
    taken = {change.path for change in changes.files}
    return {
        change.path: change.moved_from
        for change in changes.files
        if change.moved_from and change.moved_from not in taken
    }


def files_of(paths: Collection[str], moved: Mapping[str, str]) -> tuple[str, ...]:
    """Name each file of some paths once, a moved one by both of its own: so files are counted.

    Args:
        paths: As `paths` returns them.
        moved: As `moves` returns it.
    """
    left = {old for new, old in moved.items() if new in paths}
    return tuple(
        f"{moved[path]} → {path}" if path in moved else path for path in paths if path not in left
    )


def invert(changes: ChangeSet) -> ChangeSet:
    """Return the change set that takes this one back.

    Notes and warnings speak of the way there and are dropped. Folders that adding made on the
    way are not named in a change set, so they are not in its inverse either; only where one
    took the place of a file, the inverse turns a folder (of unknown mode) into that file.
    """
    return ChangeSet(
        files=_inverted(changes.files),
        ignored=tuple(
            IgnoredFolder(folder.folder, _inverted(folder.changes)) for folder in changes.ignored
        ),
    )


def _inverted(changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
    turned: dict[str, FileChange] = {}
    folder = Node("folder", 0o755)  # stands for one that adding made
    filled = {
        above for change in changes if change.after is not None for above in parents(change.path)
    }
    replaced = {
        change.moved_from or change.path
        for change in changes
        if (change.after is None or change.moved_from)
        and (change.moved_from or change.path) in filled
    }
    # What was a file held nothing, so every folder below is new.
    for path in filled:
        if replaced.intersection(parents(path)):
            turned[path] = FileChange(path, folder, None)
    for change in changes:
        source = change.moved_from or change.path
        if source in replaced:
            turned[source] = FileChange(source, folder, change.before)
            if change.moved_from:
                turned[change.path] = FileChange(change.path, change.after, None)
            continue
        turned[source] = replace(
            change,
            path=source,
            before=change.after,
            after=change.before,
            moved_from=change.path if change.moved_from else "",
        )
    return tuple(turned[path] for path in sorted(turned))
