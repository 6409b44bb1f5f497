"""Which folders of a workspace are not worth copying.

Only what the tool that made it calls a cache (Cache Directory Tagging, bford.info/cachedir), what
git ignores and does not track, and what is large: the tool makes it again where it is missing. So
a stage of a project with 20 GB in Cargo's `target/` neither takes minutes nor fills the disk; its
first build is a full one.

Nothing else is left out, nor linked. A link to the real `node_modules` would be refused writing,
and what is linked in it to the workspace's own packages would lead to sources that the step did
not change. The same folder shown read-only breaks `npm install` and every tool that caches in it.
Virtual environments, which carry the tag too, are copied: without one nothing runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection

from turbo_tui.sandbox.staging.beneath import Beneath, open_regular, walk_folders
from turbo_tui.sandbox.staging.ignore import Ignores

TAG = "CACHEDIR.TAG"
LARGE_BYTES = 256 << 20  # a second or two to copy
MANY_FILES = 20_000
_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
_ENVIRONMENT = "pyvenv.cfg"

# Names in a folder, its path, and whether its bytes cost anything -> why it is not copied, if not.
LeaveOut = Callable[[Collection[str], str, Callable[[], bool]], str | None]


class Caches:
    """Judge the folders of a workspace.

    Args:
        workspace: The workspace.
        ignores: What git ignores in it.
    """

    def __init__(self, workspace: Beneath, ignores: Ignores) -> None:
        self._workspace = workspace
        self._ignores = ignores

    def why_not(self, names: Collection[str], path: str, shared: Callable[[], bool]) -> str | None:
        """Say why a folder is not copied; None for one that is.

        Args:
            names: What lies in it.
            path: From the workspace.
            shared: Says whether its bytes will be shared: then only the number of files counts.
        """
        if path == "." or TAG not in names or _ENVIRONMENT in names or not self._is_tagged(path):
            return None
        if self._ignores.folded(path, is_folder=True) is None or self._ignores.is_tracked(path):
            return None
        if not self._is_large(path, sys.maxsize if shared() else LARGE_BYTES):
            return None
        return "a large cache, which the tool that made it makes again"

    def _is_tagged(self, path: str) -> bool:
        try:
            with self._workspace.folder(path) as folder:
                fd = open_regular(TAG, folder)
        except OSError:
            return False
        with os.fdopen(fd, "rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE

    def _is_large(self, path: str, most_bytes: int) -> bool:
        """Count until it is enough."""
        size = files = 0
        try:
            for _, _, entries in walk_folders(self._workspace, _pass_over, start=path):
                files += len(entries)
                size += sum(
                    entry.stat(follow_symlinks=False).st_size
                    for entry in entries
                    if entry.is_file(follow_symlinks=False)
                )
                if size > most_bytes or files > MANY_FILES:
                    return True
        except OSError:  # it is being written just now, or barred: copying it meets that again
            return False
        return False


def _pass_over(_folder: str, _error: OSError) -> None:
    """Do nothing: a folder that cannot be listed is not copied either."""
