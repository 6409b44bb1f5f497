"""Turn a change set into single operations in an order that always works. Pure.

Each path goes through a chain of states (`before` of its first operation … `after` of its
last), so that after a crash the state found at a path tells which operations are left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from turbo_tui.core.changes import FileChange, Node, checked_path, parents
from turbo_tui.core.errors import LandingError

OperationKind = Literal["put", "remove", "mkdir", "rmdir", "chmod"]
_PERMISSIONS = 0o777
_SPECIAL_BITS = 0o7000  # setuid, setgid, sticky


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a landing on one path.

    Attributes:
        kind: `put` places a file or symlink, `remove` takes one away; the rest as named.
        before: What must stand at the path; None for nothing.
        after: What stands there then.
        temp: Hidden path that holds the new content before, and the old one after; also an
            emptied folder.
        like: Path whose owner and attributes a new file takes over; empty for none.
    """

    kind: OperationKind
    path: str
    before: Node | None
    after: Node | None
    temp: str = ""
    like: str = ""


def source(change: FileChange) -> str:
    """Return the path at which a change's `before` stands."""
    return change.moved_from or change.path


def validate(files: Sequence[FileChange]) -> None:
    """Refuse what must never be written, whoever approved it.

    Raises:
        LandingError: A path leads outside or into `.git`, or is there twice.
    """
    seen: set[str] = set()
    for change in files:
        for path in {change.path, source(change)}:
            try:
                checked_path(path)
            except ValueError as error:
                raise LandingError(f"Nothing was landed: {error}.") from error
            parts = path.lower().split("/")
            if ".git" in parts or parts[0] == ".turbo":
                raise LandingError(
                    f"Nothing was landed: {path!r} belongs to git's or turbo-tui's own files, "
                    "which never land. Reject it and approve the rest."
                )
            if path in seen:
                raise LandingError(f"Nothing was landed: {path!r} is changed twice in one set.")
            seen.add(path)


def harmless(change: FileChange) -> tuple[FileChange | None, str]:
    """Take setuid, setgid and sticky off a change.

    Returns:
        The change, None when nothing of it is left; and what to tell the user, or nothing.
    """
    after = change.after
    if after is None:
        return change, ""
    mode = after.mode & _PERMISSIONS
    if after.kind == "folder" and change.before is not None:
        mode |= after.mode & change.before.mode & _SPECIAL_BITS  # what a folder has it keeps
    kept = replace(change, after=replace(after, mode=mode))
    note = ""
    if after.mode != mode and after.kind != "symlink":
        note = f"{change.path}: setuid, setgid and sticky bits never land"
    nothing_left = not change.moved_from and kept.after == change.before
    return (None if nothing_left else kept), note


def plan(
    files: Sequence[FileChange],
    is_folder: Callable[[str], bool],
    new_name: Callable[[], str],
    *,
    folder_mode: int,
    linked: Collection[str] = (),
) -> tuple[Operation, ...]:
    """Order the operations: make room, make folders, write, take away, set modes.

    Args:
        files: Valid and checked against the tree.
        is_folder: Tells of the tree as it is; the empty path is the workspace.
        new_name: Makes a hidden file name that is nowhere in the tree.
        folder_mode: For folders that only hold what is new.
        linked: Files with several hard links: changing their mode in place would reach others.
    """
    gone_folders = {
        source(change)
        for change in files
        if change.before is not None
        and change.before.kind == "folder"
        and (change.after is None or change.after.kind != "folder")
    }

    def temp_for(path: str) -> str:
        for folder in parents(path):
            if folder not in gone_folders and is_folder(folder):
                return f"{folder}/{new_name()}"
        return new_name()

    puts, removals, mkdirs, rmdirs, chmods = _sorted_out(files, temp_for, linked)
    occupied = {operation.path for operation in (*puts, *mkdirs)}
    above = {folder for path in occupied for folder in parents(path)}
    made = {operation.path for operation in mkdirs}
    removed = {operation.path for operation in (*removals, *rmdirs)}
    for folder in sorted(above - made):
        if not is_folder(folder) or folder in removed:
            mkdirs.append(Operation("mkdir", folder, None, Node("folder", folder_mode)))

    def makes_room(operation: Operation) -> bool:
        path = operation.path
        return path in occupied or path in above or any(up in occupied for up in parents(path))

    rmdirs.sort(key=lambda operation: operation.path.count("/"), reverse=True)
    mkdirs.sort(key=lambda operation: operation.path.count("/"))
    room, later = _split(removals, makes_room)
    room_folders, later_folders = _split(rmdirs, makes_room)
    return (*room, *room_folders, *mkdirs, *puts, *later, *later_folders, *chmods)


def _sorted_out(
    files: Sequence[FileChange], temp_for: Callable[[str], str], linked: Collection[str]
) -> tuple[list[Operation], list[Operation], list[Operation], list[Operation], list[Operation]]:
    puts: list[Operation] = []
    removals: list[Operation] = []
    mkdirs: list[Operation] = []
    rmdirs: list[Operation] = []
    chmods: list[Operation] = []
    for change in files:
        path, before, after = change.path, change.before, change.after
        start = source(change)
        stays = start == path
        was_folder = before is not None and before.kind == "folder"
        becomes_folder = after is not None and after.kind == "folder"
        if stays and change.action == "mode" and path not in linked:
            chmods.append(Operation("chmod", path, before, after))
            continue
        replaces = stays and before is not None and after is not None
        in_one = replaces and not was_folder and not becomes_folder
        if before is not None and not in_one:
            if was_folder:
                rmdirs.append(Operation("rmdir", start, before, None, temp_for(start)))
            else:
                removals.append(Operation("remove", start, before, None, temp_for(start)))
        if after is not None and becomes_folder:
            mkdirs.append(Operation("mkdir", path, None, after))
        elif after is not None:
            like = start if before is not None and before.kind == "file" else ""
            stands = before if in_one else None
            puts.append(Operation("put", path, stands, after, temp_for(path), like))
    return puts, removals, mkdirs, rmdirs, chmods


def _split(
    operations: Iterable[Operation], first: Callable[[Operation], bool]
) -> tuple[list[Operation], list[Operation]]:
    yes: list[Operation] = []
    no: list[Operation] = []
    for operation in operations:
        (yes if first(operation) else no).append(operation)
    return yes, no


def same(now: Node | None, wanted: Node | None, *, mode: bool = True) -> bool:
    """Compare what stands at a path with what should; a symlink has no mode to compare."""
    if now is None or wanted is None:
        return now is wanted
    if now.kind != wanted.kind or now.blob != wanted.blob:
        return False
    return not mode or now.kind == "symlink" or now.mode == wanted.mode
