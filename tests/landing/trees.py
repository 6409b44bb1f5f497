"""Trees as values: write one, read one, and say what leads from one to another."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.ports import Blobs


@dataclass(frozen=True, slots=True)
class Leaf:
    """A file, a symlink (content is its target) or a folder (no content)."""

    kind: str
    content: bytes = b""
    mode: int = 0o644


Tree = Mapping[str, Leaf]


def file(content: bytes, mode: int = 0o644) -> Leaf:
    return Leaf("file", content, mode)


def link(target: str) -> Leaf:
    return Leaf("symlink", os.fsencode(target), 0o777)


FOLDER = Leaf("folder", mode=0o755)


def read_tree(root: Path) -> dict[str, Leaf]:
    """Read everything below a folder, hidden files too."""
    tree: dict[str, Leaf] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        name = os.fspath(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            tree[name] = Leaf("symlink", os.fsencode(path.readlink()), 0o777)
        elif stat.S_ISDIR(status.st_mode):
            tree[name] = Leaf("folder", mode=mode)
        else:
            tree[name] = Leaf("file", path.read_bytes(), mode)
    return tree


def read_times(root: Path) -> dict[str, int]:
    """Read when each file below a folder was modified; folders are left out."""
    return {
        os.fspath(path.relative_to(root)): path.lstat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def write_tree(root: Path, tree: Tree) -> None:
    """Make a folder hold exactly a tree; folders above files come by themselves."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name, leaf in sorted(tree.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if leaf.kind == "folder":
            path.mkdir(exist_ok=True)
            path.chmod(leaf.mode)
        elif leaf.kind == "symlink":
            path.symlink_to(os.fsdecode(leaf.content))
        else:
            path.write_bytes(leaf.content)
            path.chmod(leaf.mode)


def whole(tree: Tree) -> dict[str, Leaf]:
    """Name the folders above files too."""
    named = dict(tree)
    for name in tree:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            named.setdefault("/".join(parts[:depth]), FOLDER)
    return named


def node(leaf: Leaf, blobs: Blobs) -> Node:
    if leaf.kind == "folder":
        return Node("folder", leaf.mode)
    kind = "symlink" if leaf.kind == "symlink" else "file"
    return Node(kind, leaf.mode, len(leaf.content), blobs.put(leaf.content))


def between(old: Tree, new: Tree, blobs: Blobs) -> ChangeSet:
    """Say what leads from one tree to another, as a stage would."""
    old, new = whole(old), whole(new)
    files: list[FileChange] = []
    for name in sorted(old.keys() | new.keys()):
        was, becomes = old.get(name), new.get(name)
        if was is not None and becomes is not None and was.kind == becomes.kind == "folder":
            continue
        filled = any(other.startswith(name + "/") for other in new)
        if becomes is not None and becomes.kind == "folder" and filled:
            becomes = None  # it comes with its files
        if was != becomes:
            before = node(was, blobs) if was else None
            after = node(becomes, blobs) if becomes else None
            files.append(FileChange(name, before, after))
    return ChangeSet(tuple(files))
