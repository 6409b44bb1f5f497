"""What a step did, as a value: contents stored, moves paired, what never lands told apart."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Blobs
from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.contents import Contents, Originals
from turbo_tui.sandbox.staging.deltas import Delta
from turbo_tui.sandbox.staging.gitview import is_internal
from turbo_tui.sandbox.staging.ignore import Ignores
from turbo_tui.sandbox.staging.warn import EXECUTABLE, folded, is_read, warnings_of

SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
OURS = ".turbo"
_USUAL_UMASK = 0o022


def never_lands(path: str) -> bool:
    """Say whether a path is git's own or in our settings folder: counted, never shown or kept."""
    return is_internal(path) or path.split("/", maxsplit=1)[0] == OURS


def build_change_set(
    deltas: Iterable[Delta],
    *,
    originals: Originals,
    written: Contents,
    merged: Beneath,
    ignores: Ignores,
    blobs: Blobs,
) -> ChangeSet:
    """Turn found differences into a change set; contents of both sides are stored.

    What git ignores is only named by its hash on the stage's side: it may be an installation of
    many thousand files, and lands only where the user asks for it (`contents.keep_chosen`).

    Args:
        deltas: Each path once; a folder that is new comes with what it holds.
        originals: The workspace's side.
        written: The stage's side.
        merged: The stage's whole tree, to see where links lead.
        ignores: What git ignores in the stage.
        blobs: Where `package.json` is compared from.

    Raises:
        StageError: The blob store's disk is full.
    """
    listed = sorted(deltas, key=lambda delta: delta.path)
    sorter = _Sorter(originals, written, merged, ignores, _filled_folders(listed))
    for delta in listed:
        if never_lands(delta.path):
            sorter.count_internal(delta)
        else:
            sorter.sort(delta)
    files = _pair_moves(sorter.files)
    for change in files:
        sorter.warnings.extend((change.path, why) for why in warnings_of(change, blobs))
    for change in sorter.singly_ignored():
        said = (why for why in warnings_of(change, blobs) if why != EXECUTABLE)
        sorter.warnings.extend((change.path, f"{why}; git ignores it") for why in said)
    return ChangeSet(
        tuple(files),
        tuple(IgnoredFolder(name, tuple(found)) for name, found in sorted(sorter.ignored.items())),
        (*sorter.counted(), *sorter.notes),
        tuple(folded(sorter.warnings)),
    )


@dataclass(slots=True)
class _Sorter:
    """Tell apart what lands, what is folded and what is only said."""

    originals: Originals
    written: Contents
    merged: Beneath
    ignores: Ignores
    filled: set[str]
    folder_mode: int = field(default_factory=lambda: 0o777 & ~_umask())
    files: list[FileChange] = field(default_factory=list[FileChange])
    ignored: defaultdict[str, list[FileChange]] = field(
        default_factory=lambda: defaultdict[str, list[FileChange]](list)
    )
    notes: list[str] = field(default_factory=list[str])
    warnings: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _internal: Counter[str] = field(default_factory=Counter[str])
    _outside: Counter[str] = field(default_factory=Counter[str])

    def sort(self, delta: Delta) -> None:
        path, found = delta.path, delta.after
        if found is not None and _is_folder(found):
            if delta.before is not None and _is_folder(delta.before):
                self._take_folder_mode(delta.path, delta.before, found)
                return
            if path in self.filled:  # it comes with its files; what stood there before goes
                if delta.before is None:
                    self._note_new_folder_mode(path, found)
                    return
                found = None
        stands = found if found is not None else delta.before
        folder = self.ignores.folded(path, is_folder=_is_folder(stands))
        keep = folder is None or (is_read(path) and self._ignored_singly(folder))
        try:
            before, known = self.originals.keep(delta)
            after = self.written.node(path, found, keep=keep) if found is not None else None
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StageError(f"Cannot keep {path} for review: {error.strerror}.") from error
            self.notes.append(f"{path}: cannot be read ({error.strerror}); does not land")
            return
        if found is not None and after is None:
            self.notes.append(f"{path}: {_special(found)}; never lands")
            return
        self._note_special_bits(delta)
        if before != after:
            self._take(FileChange(path, before, after, base_known=known), folder)

    def count_internal(self, delta: Delta) -> None:
        if _is_folder(delta.after or delta.before):
            return
        parts = delta.path.split("/")
        at = next((i for i, part in enumerate(parts) if part.casefold() == ".git"), 0)
        self._internal["/".join(parts[: at + 1])] += 1

    def counted(self) -> Iterator[str]:
        for folder, count in sorted(self._internal.items()):
            yield f"{folder}: {count:,} internal file{'s' * (count != 1)}; never lands"
        for folder, count in sorted(self._outside.items()):
            yield f"{folder}: {count:,} link{'s' * (count != 1)} out; never lands"

    def singly_ignored(self) -> Iterator[FileChange]:
        """Yield what is ignored by itself, not with the folder it lies in."""
        for folder, found in self.ignored.items():
            if self._ignored_singly(folder):
                yield from found

    def _ignored_singly(self, folder: str) -> bool:
        """Say whether files that are folded into this folder's line are ignored one by one."""
        return folder == "." or self.ignores.folded(folder, is_folder=True) is None

    def _take(self, change: FileChange, folder: str | None) -> None:
        path = change.path
        is_link = change.after is not None and change.after.kind == "symlink"
        if is_link and _leads_out(self.merged, path):
            if folder is not None:
                self._outside[folder] += 1
            else:
                self.notes.append(f"{path}: a link that leads outside the workspace; never lands")
                self.warnings.append((path, "a link that leads outside the workspace"))
        elif folder is not None:
            self.ignored[folder].append(change)
        else:
            self.files.append(change)

    def _take_folder_mode(self, path: str, before: os.stat_result, after: os.stat_result) -> None:
        old, new = (Node("folder", stat.S_IMODE(found.st_mode)) for found in (before, after))
        if new.mode & SPECIAL_BITS & ~old.mode:
            self.notes.append(f"{path}: setuid, setgid or sticky bit of the folder; never lands")
        # What special bits it has it keeps: taking one off is not a step's to land either.
        new = replace(new, mode=new.mode & ~SPECIAL_BITS | old.mode & SPECIAL_BITS)
        if old != new:
            self._take(FileChange(path, old, new), self.ignores.folded(path, is_folder=True))

    def _note_new_folder_mode(self, path: str, found: os.stat_result) -> None:
        """Say that a folder which comes with its files is made as any other."""
        mode = stat.S_IMODE(found.st_mode) & 0o777
        if mode != self.folder_mode and self.ignores.folded(path, is_folder=True) is None:
            self.notes.append(f"{path}: a new folder of mode {mode:o}; its mode does not land")

    def _note_special_bits(self, delta: Delta) -> None:
        if delta.after is None or not stat.S_ISREG(delta.after.st_mode):
            return
        had = delta.before.st_mode & SPECIAL_BITS if delta.before is not None else 0
        if delta.after.st_mode & SPECIAL_BITS & ~had:
            self.notes.append(f"{delta.path}: setuid, setgid or sticky bit; never lands")


def _umask() -> int:
    """Read the umask; `os.umask` cannot without setting it, for all threads."""
    with suppress(OSError, ValueError), open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return _USUAL_UMASK


def _leads_out(merged: Beneath, path: str) -> bool:
    """Also a link to git's or our own files leads out: what it names is not the step's."""
    if merged.leads_outside(path):
        return True
    try:
        with merged.locate(path) as spot:
            return never_lands(spot.path)
    except OSError:
        return False


def _filled_folders(deltas: Iterable[Delta]) -> set[str]:
    filled: set[str] = set()
    for delta in deltas:
        if delta.after is None:
            continue
        folder = os.path.dirname(delta.path)  # noqa: PTH120 - str paths keep surrogates
        while folder and folder not in filled:
            filled.add(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
    return filled


def _pair_moves(changes: list[FileChange]) -> list[FileChange]:
    """Show a removed and an added file of the same content and mode as one move."""
    gone: defaultdict[Node, list[FileChange]] = defaultdict(list)
    for change in changes:
        node = change.before
        if change.after is None and node is not None and node.kind == "file" and node.size_bytes:
            gone[node].append(change)
    sources: dict[str, FileChange] = {}
    added = [change for change in changes if change.before is None and change.after is not None]
    for by_name in (True, False):  # equal files are common: one of the same name goes first
        for change in added:
            candidates = gone.get(change.after, []) if change.after is not None else []
            same = [c for c in candidates if not by_name or _name(c.path) == _name(change.path)]
            if same and change.path not in sources:
                sources[change.path] = same[0]
                candidates.remove(same[0])
    moved = {source.path for source in sources.values()}
    return [
        _moved(change, sources[change.path]) if change.path in sources else change
        for change in changes
        if change.after is not None or change.path not in moved
    ]


def _moved(change: FileChange, source: FileChange) -> FileChange:
    known = change.base_known and source.base_known
    return replace(change, before=source.before, moved_from=source.path, base_known=known)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _special(found: os.stat_result) -> str:
    if stat.S_ISFIFO(found.st_mode):
        return "a FIFO"
    if stat.S_ISSOCK(found.st_mode):
        return "a socket"
    return "a device"


def _is_folder(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISDIR(found.st_mode)
