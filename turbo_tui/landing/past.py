"""The tree as it was, beside the tree as it is."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from turbo_tui.core.changes import FileChange, Node, parents
from turbo_tui.core.ports import Blobs
from turbo_tui.landing.beneath import Tree
from turbo_tui.landing.operations import same
from turbo_tui.landing.preimages import look


def leading_to(then: Mapping[str, Node | None], tree: Tree, blobs: Blobs) -> tuple[FileChange, ...]:
    """Return what leads from the tree as it is to what stood at some paths, in path order.

    A folder that holds what is not among the paths would stay, and is left out. So is what lies
    below someone's symlink by now, which is never followed.

    Raises:
        OSError: A path cannot be read.
    """
    changes: list[FileChange] = []
    for path, wanted in sorted(then.items()):
        try:
            found = look(tree, blobs, path)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            if not any(above in then for above in parents(path)):
                continue
            found = None  # the symlink goes as well
        now = found.node if found is not None else None
        if same(now, wanted) or _stays(path, now, wanted, then, tree):
            continue
        changes.append(FileChange(path, now, wanted))
    return tuple(changes)


def _stays(
    path: str, now: Node | None, wanted: Node | None, then: Mapping[str, Node | None], tree: Tree
) -> bool:
    if wanted is not None or now is None or now.kind != "folder":
        return now is None and wanted is None  # a pipe or a device: nothing of ours
    return any(then.get(f"{path}/{name}", now) is not None for name in tree.names(path))
