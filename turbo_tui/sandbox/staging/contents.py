"""Contents of a stage's two sides, named and kept; what files were before always is."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, cast

from turbo_tui.core.changes import FileChange, Node, NodeKind
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import BatchingBlobs, Blobs
from turbo_tui.sandbox.staging.deltas import Delta, Readable

SMALL_BYTES = 1 << 20  # read at once below this; larger ones are never held in memory


class Contents:
    """Name contents of a tree, and put them into the blob store: each version of a file once."""

    def __init__(self, tree: Readable, blobs: Blobs) -> None:
        self._tree = tree
        self._blobs = blobs
        self._known: dict[str, _Known] = {}

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what stands at `path` now; None when nothing does."""
        return self._tree.lstat(path)

    def node(self, path: str, found: os.stat_result, *, keep: bool = True) -> Node | None:
        """Describe what stands at `path`; None for FIFOs, devices, sockets.

        Args:
            path: A real one.
            found: What `lstat` says of it.
            keep: Store its content; else it is only named by its hash.

        Raises:
            OSError: It cannot be read, or is gone.
            SessionError: The blob store refuses.
        """
        mode = found.st_mode & 0o777
        if stat.S_ISDIR(found.st_mode):
            return Node("folder", mode)
        if stat.S_ISLNK(found.st_mode):
            target = os.fsencode(self._tree.read_link(path))
            return Node("symlink", 0o777, len(target), self._named(target, keep=keep))
        if not stat.S_ISREG(found.st_mode):
            return None
        version = (found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size)
        known = self._known.get(path)
        if known is not None and known.version == version and (known.kept or not keep):
            return known.node
        fd = self._tree.open_file(path)
        try:
            size, blob = self._read(fd, keep=keep)
        finally:
            os.close(fd)
        node = Node("file", mode, size, blob)
        self._known[path] = _Known(version, node, keep)
        return node

    def forget(self) -> None:
        """Know nothing of what was stored: it is put again."""
        self._known.clear()

    def _read(self, fd: int, *, keep: bool) -> tuple[int, str]:
        """Return the size and the hash of an open file."""
        size = os.fstat(fd).st_size
        if size > SMALL_BYTES:
            # By descriptor: what the path's folders are by now cannot lead elsewhere.
            by_name = Path(f"/proc/self/fd/{fd}")
            if keep:
                return size, self._blobs.put_file(by_name)
            with by_name.open("rb") as file:
                return size, hashlib.file_digest(file, "sha256").hexdigest()
        content = b""
        while more := os.read(fd, SMALL_BYTES):
            content += more
        return len(content), self._named(content, keep=keep)

    def _named(self, content: bytes, *, keep: bool) -> str:
        return self._blobs.put(content) if keep else hashlib.sha256(content).hexdigest()


class _Known(NamedTuple):
    """A version of a file that was read; while its stat is the same, it is not read again."""

    version: tuple[int, int, int, int]
    node: Node
    kept: bool


def keep_chosen(tree: Readable, changes: Iterable[FileChange], blobs: Blobs) -> None:
    """Store what a stage made of paths whose contents were only named so far.

    Args:
        tree: What the stage wrote.
        changes: As they were reviewed; their modes land so, whatever they are by now.
        blobs: Takes the contents.

    Raises:
        StageError: What lies there is not what was reviewed, or gone, or cannot be read.
        SessionError: The blob store refuses.
    """
    contents = Contents(tree, blobs)
    with together(blobs):
        for change in changes:
            if change.after is not None and change.after.blob:
                try:
                    found = tree.lstat(change.path)
                    node = contents.node(change.path, found) if found is not None else None
                except OSError as error:
                    raise StageError(f"{change.path} cannot be read: {error.strerror}") from error
                if node is None:
                    raise StageError(f"{change.path} is gone from the stage")
                if (node.kind, node.blob) != (change.after.kind, change.after.blob):
                    raise StageError(f"{change.path} is not what was reviewed any more")


def together(blobs: Blobs) -> AbstractContextManager[None]:
    """Store many contents at the cost of a few, where the store can."""
    return blobs.together() if isinstance(blobs, BatchingBlobs) else nullcontext()


class Originals:
    """The workspace's side of every change, kept before anyone alters it.

    Args:
        contents: What lies beneath the stage.
        started_ns: When the stage began; an original changed later is not what the step saw.
        file: Where what is known of originals is written, for a stage that is taken up again.
    """

    def __init__(self, contents: Contents, started_ns: int, file: Path | None = None) -> None:
        self._contents = contents
        self._started_ns = started_ns
        self._file = file
        self._kept: dict[str, Node] = {}
        self._lost: set[str] = set()
        self._unsaved: list[str] = []
        for path, node in _load(file):
            if node is not None:
                self._kept[path] = node
            else:
                self._lost.add(path)

    def keep(self, delta: Delta) -> tuple[Node | None, bool]:
        """Return the node a change starts from, and whether it is known to be that.

        Raises:
            OSError: The original cannot be read.
        """
        if delta.path in self._kept:
            return self._kept[delta.path], True
        found = delta.before
        if found is None:
            return None, delta.existed is not True
        try:
            node = self._contents.node(delta.path, found)
        except FileNotFoundError:
            return None, False
        # A folder's ctime moves with every name in it, and it has no content to lose.
        known = stat.S_ISDIR(found.st_mode) or self._is_old(delta.path)
        known = known and delta.existed is not False and delta.path not in self._lost
        if known and node is not None:
            self._kept[delta.path] = node
            self._unsaved.append(delta.path)
        elif not known and delta.path not in self._lost:
            self._lost.add(delta.path)
            self._unsaved.append(delta.path)
        return node, known

    def save(self) -> None:
        """Write down what came to be known since the last time.

        Raises:
            OSError: It cannot be written.
        """
        if self._file is None or not self._unsaved:
            return
        lines = [
            json.dumps({"path": path, "node": asdict(node) if node is not None else None})
            for path in self._unsaved
            for node in (self._kept.get(path),)
        ]
        with self._file.open("a", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))
        self._unsaved.clear()

    def started_anew(self, started_ns: int) -> None:
        """Go on for a tree that was made again later: what is known of changed paths stays so."""
        self._started_ns = started_ns

    def forget(self) -> None:
        """Know nothing of what was kept since it was saved: the store refused it."""
        for path in self._unsaved:
            self._kept.pop(path, None)
            self._lost.discard(path)
        self._unsaved.clear()
        self._contents.forget()

    def _is_old(self, path: str) -> bool:
        """Look again after the reading: a change while it was read counts as later."""
        found = self._contents.lstat(path)
        return found is not None and found.st_ctime_ns <= self._started_ns


def _load(file: Path | None) -> Iterator[tuple[str, Node | None]]:
    """Read what was saved, as far as it is whole: a crash may have cut the last line."""
    if file is None:
        return
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        for line in file.read_text("ascii").splitlines():
            value = cast("dict[str, object]", json.loads(line))
            yield str(value["path"]), _node(value["node"])


def _node(value: object) -> Node | None:
    if not isinstance(value, dict):
        return None
    node = cast("dict[str, object]", value)
    mode, size = node["mode"], node["size_bytes"]
    if not isinstance(mode, int) or not isinstance(size, int):
        raise TypeError("no node")
    return Node(cast("NodeKind", node["kind"]), mode, size, str(node["blob"]))
