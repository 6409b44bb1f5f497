"""Contents of a stage's two sides, put into the blob store; what files were before is kept."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import cast

from turbo_tui.core.changes import Node, NodeKind
from turbo_tui.core.ports import Blobs
from turbo_tui.sandbox.staging.deltas import Delta, Readable

SMALL_BYTES = 1 << 20  # read at once below this; larger ones are never held in memory


class Contents:
    """Put contents of a tree into the blob store, each version of a file once."""

    def __init__(self, tree: Readable, blobs: Blobs) -> None:
        self._tree = tree
        self._blobs = blobs
        self._known: dict[str, tuple[tuple[int, int, int], Node]] = {}

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what stands at `path` now; None when nothing does."""
        return self._tree.lstat(path)

    def node(self, path: str, found: os.stat_result) -> Node | None:
        """Describe what stands at `path`, its content stored; None for FIFOs, devices, sockets.

        Raises:
            OSError: It cannot be read, or is gone.
            SessionError: The blob store refuses.
        """
        mode = found.st_mode & 0o777
        if stat.S_ISDIR(found.st_mode):
            return Node("folder", mode)
        if stat.S_ISLNK(found.st_mode):
            target = os.fsencode(self._tree.read_link(path))
            return Node("symlink", 0o777, len(target), self._blobs.put(target))
        if not stat.S_ISREG(found.st_mode):
            return None
        version = (found.st_ino, found.st_ctime_ns, found.st_size)
        known = self._known.get(path)
        if known is not None and known[0] == version:
            return known[1]
        fd = self._tree.open_file(path)
        try:
            size = os.fstat(fd).st_size
            if size <= SMALL_BYTES:
                with os.fdopen(os.dup(fd), "rb") as file:
                    content = file.read()
                size, blob = len(content), self._blobs.put(content)
            else:
                # By descriptor: what the path's folders are by now cannot lead elsewhere.
                blob = self._blobs.put_file(Path(f"/proc/self/fd/{fd}"))
        finally:
            os.close(fd)
        node = Node("file", mode, size, blob)
        self._known[path] = (version, node)
        return node

    def forget(self) -> None:
        """Know nothing of what was stored: it is put again."""
        self._known.clear()


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
