"""Put a change set into a stage: exactly its bytes, modes, links, moves and deletions."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator

from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Stage, StageFiles

_NEW_MODE = 0o644  # of a file that `StageFiles.write` makes
_PERMISSIONS = 0o777
_AT_ONCE = 200  # paths given to one command: argument lists are bounded
_TIMEOUT_S = 60.0

# What a stage's files cannot do, done by a command in it: `"$@"` never becomes part of a script.
_RMDIR = 'for each; do rmdir "$each" 2>/dev/null || :; done'  # it stays if it holds something
_MKDIR = 'for each; do mkdir -p "$each" || exit; done'
_CHMOD = 'mode=$1; shift; chmod "$mode" "$@"'
_LINK = 'while [ $# -gt 0 ]; do mkdir -p "${2%/*}" && ln -s -- "$1" "$2" || exit; shift 2; done'


async def put_in(changes: ChangeSet, stage: Stage, content: Callable[[Node | None], bytes]) -> None:
    """Make a stage hold what a change set leads to; nothing else in it is touched.

    Args:
        changes: Its `files` are put in; its ignored ones are not.
        stage: Fresh, on what the change set was made on.
        content: Fetches a side's bytes; a symlink's are its target.

    Raises:
        StageError: What stands there is not what the change set starts from, or a link, folder
            or mode cannot be made.
        ToolError: A file cannot be written; or the user's rules forbid a command.
        SandboxError: The sandbox could not be started.
    """
    files = changes.files
    await asyncio.to_thread(_expect_before, files, stage.files)
    await asyncio.to_thread(_remove, files, stage.files)
    folders = (source(c) for c in files if _is(c.before, "folder") and not _is(c.after, "folder"))
    await _do(stage, _RMDIR, sorted(folders, reverse=True))
    await asyncio.to_thread(_write, files, stage.files, content)
    await _do(stage, _MKDIR, [c.path for c in files if _is(c.after, "folder")])
    for change in files:
        if change.after is not None and change.after.kind == "symlink":
            target = content(change.after).decode("utf-8", "surrogateescape")
            await _run(stage, _LINK, (target, f"./{change.path}"))
    for mode, paths in _modes(files).items():
        await _do(stage, _CHMOD, paths, f"{mode:o}")


def source(change: FileChange) -> str:
    """Return where a change's `before` stands."""
    return change.moved_from or change.path


def _is(node: Node | None, kind: str) -> bool:
    return node is not None and node.kind == kind


def _expect_before(files: Iterable[FileChange], there: StageFiles) -> None:
    for change in files:
        path, before = source(change), change.before
        found = there.entry(path)
        kind = found.kind if found is not None else None
        same = kind == (before.kind if before is not None else None)
        if same and before is not None and before.kind == "file":
            now = there.read(path, limit_bytes=before.size_bytes + 1)
            same = hashlib.sha256(now).hexdigest() == before.blob
        # A new file in a new folder of the same name is no clash: the folder is kept.
        if not same and not (before is None and _is(change.after, "folder") and kind == "folder"):
            raise StageError(
                f"{path} is not what the step started from any more: someone changed it "
                "meanwhile. Approve the step to see the merge, or run it again."
            )


def _remove(files: Iterable[FileChange], there: StageFiles) -> None:
    for change in files:
        before, after = change.before, change.after
        gone = after is None or change.moved_from or (before and before.kind != after.kind)
        linked = _is(before, "symlink") or _is(after, "symlink")
        if before is not None and before.kind != "folder" and (gone or linked):
            there.remove(source(change))


def _write(
    files: Iterable[FileChange], there: StageFiles, content: Callable[[Node | None], bytes]
) -> None:
    for change in files:
        if _is(change.after, "file"):
            there.write(change.path, content(change.after))


def _modes(files: Iterable[FileChange]) -> dict[int, list[str]]:
    """Return mode -> paths that do not have it by themselves."""
    wanted: dict[int, list[str]] = {}
    for change in files:
        before, after = change.before, change.after
        if after is None or after.kind == "symlink":
            continue
        mode = after.mode & _PERMISSIONS
        stays = before is not None and before.kind == after.kind and not change.moved_from
        has = before.mode & _PERMISSIONS if before is not None and stays else _NEW_MODE
        if mode != has or (after.kind == "folder" and not stays):
            wanted.setdefault(mode, []).append(change.path)
    return wanted


async def _do(stage: Stage, script: str, paths: list[str], *first: str) -> None:
    for some in _some(paths):
        await _run(stage, script, (*first, *(f"./{path}" for path in some)))


def _some(paths: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]


async def _run(stage: Stage, script: str, words: tuple[str, ...]) -> None:
    argv = ("sh", "-c", script, "sh", *words)
    result = await stage.run(Command(argv, timeout_s=_TIMEOUT_S))
    if result.ended != "exited" or result.exit_code != 0:
        said = result.output.strip() or f"it {result.ended} with {result.exit_code}"
        raise StageError(f"What you accepted cannot be put together for its checks: {said}")
