"""Compare a change set with the tree it is to land on: go, already there, or conflict."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from turbo_tui.core.changes import ChangeSet, FileChange, Node, parents
from turbo_tui.core.diffs import MOST_TEXT_BYTES, is_binary
from turbo_tui.core.landings import Conflict
from turbo_tui.core.merge import merge
from turbo_tui.core.ports import Blobs
from turbo_tui.landing.beneath import Tree
from turbo_tui.landing.operations import harmless, same, source
from turbo_tui.landing.wording import Wording

_IN_MEMORY_BYTES = 16_000_000
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path; `node` is None for a device, a socket or a pipe."""

    node: Node | None
    status: os.stat_result


@dataclass(slots=True)
class Checked:
    """What came of the comparison.

    Attributes:
        files: What is left to write, harmless and as it will be journalled.
        linked: Paths whose file has other names too.
        there: Paths that are already as the change would make them.
        merged: As in `landings.Landing`.
    """

    files: list[FileChange] = field(default_factory=list[FileChange])
    linked: set[str] = field(default_factory=set[str])
    there: set[str] = field(default_factory=set[str])
    conflicts: list[Conflict] = field(default_factory=list[Conflict])
    merged: ChangeSet | None = None
    notes: list[str] = field(default_factory=list[str])


class Refusal(Exception):  # noqa: N818  # not an error: an answer
    """A path is not what the change started from; `str` says how, for the user.

    Attributes:
        lines: Where both sides clash, as in `landings.Conflict`.
        onto: The change could be made on what stands there now, if the user says so.
    """

    def __init__(self, why: str, lines: tuple[int, ...] = (), *, onto: bool = False) -> None:
        super().__init__(why)
        self.lines = lines
        self.onto = onto


def look(tree: Tree, blobs: Blobs | None, path: str) -> Found | None:
    """Describe what stands at a path; None where nothing does.

    Its content is kept in `blobs`; without them only its hash is taken.

    Raises:
        OSError: ELOOP when a folder above it is a symlink, or it cannot be read.
    """
    status = tree.lstat(path)
    if status is None:
        return None
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Found(Node("folder", mode), status)
    if stat.S_ISLNK(status.st_mode):
        with tree.parent(path) as (above, name):
            target = os.fsencode(os.readlink(name, dir_fd=above))
        blob = blobs.put(target) if blobs is not None else hashlib.sha256(target).hexdigest()
        return Found(Node("symlink", mode, len(target), blob), status)
    if not stat.S_ISREG(status.st_mode):
        return Found(None, status)
    try:
        with tree.file(path) as fd:
            # Taken before reading: what is written during it then shows as a change.
            status = os.fstat(fd)
            blob = _hash(fd) if blobs is None else keep_open_file(blobs, fd)
    except OSError as error:
        error.filename = path
        raise
    return Found(Node("file", mode, status.st_size, blob), status)


def _hash(fd: int) -> str:
    with os.fdopen(os.dup(fd), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_open_file(blobs: Blobs, fd: int) -> str:
    """Put an open file's content into the store; large ones are not held in memory."""
    by_name = Path(f"/proc/self/fd/{fd}")
    if os.fstat(fd).st_size > _IN_MEMORY_BYTES and by_name.exists():
        return blobs.put_file(by_name)
    with os.fdopen(os.dup(fd), "rb") as file:
        return blobs.put(file.read())


def check(
    tree: Tree, blobs: Blobs, files: Sequence[FileChange], wording: Wording | None = None
) -> Checked:
    """Compare each change with the tree; nothing is written but blobs."""
    checker = _Checker(tree, blobs, files, wording or Wording())
    for change in files:
        checker.take(change)
    checker.settle_folders()
    return checker.result()


class _Checker:
    def __init__(
        self, tree: Tree, blobs: Blobs, files: Sequence[FileChange], wording: Wording
    ) -> None:
        self._tree, self._blobs, self._wording = tree, blobs, wording
        self._checked = Checked()
        self._merged: list[FileChange] | None = []
        # Where a file or symlink makes room for a folder, nothing stands below yet.
        self._cleared = {
            source(change)
            for change in files
            if change.before is not None
            and change.before.kind != "folder"
            and (change.after is None or change.after.kind == "folder" or change.moved_from)
        }

    def take(self, change: FileChange) -> None:
        """Sort one change into what goes, what is there already, and what conflicts."""
        safe, note = harmless(change)
        if note:
            self._checked.notes.append(note)
        if safe is None:
            return
        now: Found | None = None
        try:
            now = self._look(source(safe))
            target = self._look(safe.path) if safe.moved_from else None
            self._refuse_parents(safe)
            if self._is_there_already(safe, now, target):
                self._checked.notes.append(f"{safe.path}: was so already")
                self._checked.there.add(safe.path)
                return
            _refuse_difference(safe, now, target, self._wording)
        except Refusal as refusal:
            self._conflict(safe, str(refusal), now, onto=refusal.onto)
            return
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EXDEV):
                raise
            why = "a folder above it has become a symlink, which is never followed"
            self._conflict(safe, why, now)
            return
        if now is not None and not same(now.node, safe.before, mode=_mode_matters(safe)):
            self._differs(safe, now)
            return
        self._goes(safe, now)

    def settle_folders(self) -> None:
        """Keep removed folders that hold something else, deepest first."""
        gone = {source(c) for c in self._checked.files if c.after is None or c.moved_from}
        leaving = [c for c in self._checked.files if c.before and c.before.kind == "folder"]
        for change in sorted(leaving, key=lambda c: c.path.count("/"), reverse=True):
            if change.after is not None and change.after.kind == "folder":
                continue
            path = source(change)
            others = [n for n in self._tree.names(path) if f"{path}/{n}" not in gone]
            if not others:
                continue
            self._checked.files.remove(change)
            gone.discard(path)
            named = ", ".join(others[:_MOST_NAMED]) + (" …" if len(others) > _MOST_NAMED else "")
            if change.after is None:
                self._checked.notes.append(f"{path}: the folder stays, it also holds {named}")
                if self._merged is not None:
                    self._merged.remove(change)
            else:
                self._conflict(change, f"the folder also holds {named}", None)

    def result(self) -> Checked:
        """Return all of it; `merged` only when there are conflicts and all of them merge."""
        checked = self._checked
        if checked.conflicts and self._merged is not None:
            files = tuple(sorted(self._merged, key=lambda change: change.path))
            checked.merged = ChangeSet(files, notes=tuple(checked.notes))
        return checked

    def _look(self, path: str) -> Found | None:
        if any(folder in self._cleared for folder in parents(path)):
            return None
        return look(self._tree, self._blobs, path)

    def _refuse_parents(self, change: FileChange) -> None:
        """Refuse to write below something that is not a folder and will not become one."""
        if change.after is None:
            return
        for folder in reversed(parents(change.path)):
            if folder in self._cleared:
                return
            status = self._tree.lstat(folder)
            if status is None:
                return
            if stat.S_ISLNK(status.st_mode):
                raise Refusal(f"{folder} has become a symlink, which is never followed")
            if not stat.S_ISDIR(status.st_mode):
                raise Refusal(f"{folder} is a file now, not a folder")

    def _is_there_already(
        self, change: FileChange, now: Found | None, target: Found | None
    ) -> bool:
        if change.moved_from:
            return now is None and target is not None and same(target.node, change.after)
        if change.after is None:
            return now is None
        if now is None or (change.before is not None and same(now.node, change.before)):
            return False
        return same(now.node, change.after, mode=change.after.kind != "folder")

    def _goes(self, change: FileChange, now: Found | None) -> None:
        if now is not None:
            path = source(change)
            links = now.status.st_nlink
            if stat.S_ISREG(now.status.st_mode) and links > 1 and change.after is not None:
                self._checked.linked.add(path)
                self._checked.notes.append(
                    f"{path}: was one of {links} hard links; the others stay as they were"
                )
        self._checked.files.append(change)
        if self._merged is not None:
            self._merged.append(change)

    def _differs(self, change: FileChange, now: Found) -> None:
        """Report a file that was changed since the step began; try to bring both together."""
        try:
            made = _merged_change(change, now, self._blobs, self._wording)
        except Refusal as refusal:
            self._conflict(change, str(refusal), now, lines=refusal.lines, onto=True)
            return
        why = f"it was changed since {self._wording.since}; the two changes go together"
        self._conflict(change, why, now, made)

    def _conflict(
        self,
        change: FileChange,
        why: str,
        now: Found | None,
        made: FileChange | None = None,
        *,
        lines: tuple[int, ...] = (),
        onto: bool = False,
    ) -> None:
        self._checked.conflicts.append(
            Conflict(
                change.path,
                why,
                merged=_blob(made.after) if made is not None else "",
                base=_blob(change.before) if change.base_known else "",
                ours=_blob(now.node) if now is not None else "",
                theirs=_blob(change.after),
                marked="" if made is not None else self._marked(change, now),
                lines=lines,
                change=made if made is not None else _onto(change, now) if onto else None,
            )
        )
        if made is None:
            self._merged = None
        elif self._merged is not None and (made.moved_from or made.before != made.after):
            self._merged.append(made)

    def _marked(self, change: FileChange, now: Found | None) -> str:
        """Return the blob of both sides in one text; nothing where they are no texts."""
        nodes = (change.before, now.node if now is not None else None, change.after)
        base, ours, theirs = nodes
        if ours is None or theirs is None or not change.base_known or ours.blob == theirs.blob:
            return ""
        if any(
            n is not None and (n.kind != "file" or n.size_bytes > MOST_TEXT_BYTES) for n in nodes
        ):
            return ""
        texts = [b"" if node is None else self._blobs.get(node.blob) for node in nodes]
        if any(is_binary(text) for text in texts) or (base is not None and ours.blob == base.blob):
            return ""
        names = self._wording
        merged = merge(*texts, our_name=names.ours, their_name=names.theirs)
        return self._blobs.put(merged.content)


def _onto(change: FileChange, now: Found | None) -> FileChange | None:
    """Return a change as one of what stands there now; None where that is no file or link."""
    before, after = change.before, change.after
    if now is None:
        gone = replace(change, before=None, moved_from="", base_known=True)
        return gone if after is not None else None
    here = now.node
    if here is None or here.kind == "folder":
        return None
    if before is not None and after is not None and before.kind == after.kind == here.kind:
        after = replace(after, mode=here.mode if after.mode == before.mode else after.mode)
    return replace(change, before=here, after=after, base_known=True)


def _blob(node: Node | None) -> str:
    return node.blob if node is not None else ""


def _mode_matters(change: FileChange) -> bool:
    return not (
        change.before is not None
        and change.before.kind == "folder"
        and (change.after is None or change.after.kind != "folder")
    )


def _refuse_difference(
    change: FileChange, now: Found | None, target: Found | None, wording: Wording
) -> None:
    since = wording.since
    if target is not None:
        raise Refusal(f"{change.path} is taken by {_word(target)} that was not there")
    if change.before is None:
        if now is not None:
            raise Refusal(f"{_word(now)} stands there that was not there when {since}", onto=True)
        return
    if now is None:
        raise Refusal(f"it was deleted since {since}", onto=True)
    if now.node is None or now.node.kind != change.before.kind:
        why = f"it was a {change.before.kind} when {since} and is {_word(now)} now"
        raise Refusal(why, onto=True)


def _merged_change(change: FileChange, now: Found, blobs: Blobs, wording: Wording) -> FileChange:
    """Carry a change over to what stands there now.

    Raises:
        Refusal: It cannot be done without guessing.
    """
    before, after, here = change.before, change.after, now.node
    changed = f"it was changed since {wording.since}"
    if before is None or here is None or after is None:
        raise Refusal(f"{changed}, and {wording.deletes}")
    if before.kind != "file" or after.kind != "file":
        if here.blob == before.blob:
            raise Refusal(f"its permissions changed to {here.mode:o} since {wording.since}")
        raise Refusal(changed)
    if not change.base_known:
        raise Refusal(f"{changed}, and what it was then is not known, so nothing is guessed")
    if here.mode not in (before.mode, after.mode) and after.mode != before.mode:
        raise Refusal(
            f"its permissions changed to {here.mode:o} since {wording.since}, and {wording.changes}"
        )
    mode = here.mode if after.mode == before.mode else after.mode
    if here.blob == before.blob:
        return replace(change, before=here, after=replace(after, mode=mode))
    if max(node.size_bytes for node in (before, here, after)) > MOST_TEXT_BYTES:
        raise Refusal(f"{changed}, and it is too large to merge")
    base, ours, theirs = (blobs.get(node.blob) for node in (before, here, after))
    if any(is_binary(content) for content in (base, ours, theirs)):
        raise Refusal(f"{changed}, and it is binary, so nothing can be merged")
    merged = merge(base, ours, theirs)
    if not merged.clean:
        lines = tuple(clash.ours_start + 1 for clash in merged.conflicts)
        raise Refusal(f"{changed} where {wording.changes} ({_lines(lines)} as it is now)", lines)
    node = Node("file", mode, len(merged.content), blobs.put(merged.content))
    return replace(change, before=here, after=node)


def _lines(lines: Sequence[int]) -> str:
    named = ", ".join(str(line) for line in lines[:_MOST_NAMED])
    more = " …" if len(lines) > _MOST_NAMED else ""
    return f"line{'s' * (len(lines) > 1)} {named}{more}"


def _word(found: Found) -> str:
    return "something else" if found.node is None else f"a {found.node.kind}"
