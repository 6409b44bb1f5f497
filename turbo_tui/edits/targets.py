"""Which file of the workspace an edit's name means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches

from turbo_tui.core.changes import checked_path
from turbo_tui.edits.names import slashed
from turbo_tui.edits.outcome import Reading, RefusedError, UnreachableError
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.edits.values import Chunk, FileEdit

_ELSEWHERE = re.compile(r"[A-Za-z]:[\\/]|~(?:[\w.-]*/|$)")  # a drive, or a home folder
PLACEHOLDER = "path/to/"
_CLOSED = frozenset({".git", ".turbo"})
_QUOTES = "`\"'"
_MOST_COMPARED_NAMES = 2_000
_MOST_SEARCHED_FILES = 5_000
_MOST_SEARCHED_BYTES = 1_000_000


class Targets:
    """The workspace's files, by the names that edits have for them."""

    def __init__(self, tree: Reading) -> None:
        self._tree = tree
        self._listed: list[str] | None = None

    @property
    def paths(self) -> list[str]:
        """The workspace's files."""
        if self._listed is None:
            self._listed = list(self._tree.paths())
        return self._listed

    def checked(self, path: str) -> str:
        """Return a path relative to the workspace, links followed.

        Raises:
            RefusedError: It is none in the workspace, or of git's or our own files.
            UnreachableError: A link leads outside.
        """
        try:
            path = self._plain(path)
        except ValueError as error:
            raise RefusedError(f"{error}", "Paths are relative to the workspace.") from None
        if _CLOSED & set(path.lower().split("/")):
            raise RefusedError(f"{path!r} belongs to git's or turbo-tui's own files")
        real = self._tree.real(path)
        if _CLOSED & set(real.lower().split("/")):
            raise RefusedError(f"{path!r} leads to git's or turbo-tui's own files")
        return real

    def _plain(self, path: str) -> str:
        """Return a path without what stands around it, unless a file has just this name.

        Raises:
            ValueError: It is none in the workspace.
        """
        stripped = _relative(slashed(path), self._tree.root)
        if path != stripped:
            with suppress(ValueError):  # UnreachableError is one
                if self._tree.read(self._tree.real(checked_path(path))) is not None:
                    return path
        return checked_path(stripped)

    def is_elsewhere(self, path: str) -> bool:
        """Tell whether a name is of another system, or of a folder that a shell would know."""
        return _ELSEWHERE.match(path.strip().strip(_QUOTES)) is not None

    def completed(self, checked: str, chunks: Sequence[Chunk]) -> str:
        """Return the file that a name means which no file has.

        Raises:
            RefusedError: There is none, or which one is a guess.
        """
        named = checked.rsplit("/", 1)[-1]
        fitting = [each for each in self.paths if each.rsplit("/", 1)[-1] == named]
        if chunks and all(chunk.old for chunk in chunks):
            meant = [each for each in fitting if self._may_be(checked, each)]
            if len(meant) == 1:
                return self.checked(meant[0])
        if fitting:
            listed = ", ".join(sorted(fitting)[:5])
            raise RefusedError("there is no such file", f"It could be one of: {listed}.")
        close = get_close_matches(checked, self.paths[:_MOST_COMPARED_NAMES], n=3)
        raise RefusedError(
            "there is no such file", f"Did you mean {' or '.join(close)}?" if close else ""
        )

    def _may_be(self, named: str, path: str) -> bool:
        """Say whether one of two names is the other without its first folders."""
        named = named.removeprefix(PLACEHOLDER)
        if path == named or path.endswith(f"/{named}"):
            return True
        top = named.split("/", 1)[0] + "/"
        # In a folder that is there, it is a file of that folder which is missing.
        return named.endswith(f"/{path}") and not any(each.startswith(top) for each in self.paths)

    def holding(self, edit: FileEdit, content_of: Callable[[str], bytes | None]) -> str:
        """Return the one file that holds the text of an edit without a name.

        Raises:
            RefusedError: There is none, or more than one.
        """
        wanted = [chunk.old.rstrip("\n") for chunk in edit.chunks]
        found: list[str] = []
        for path in self.paths[:_MOST_SEARCHED_FILES]:
            try:
                content = content_of(self.checked(path))
                if content is None or len(content) > _MOST_SEARCHED_BYTES:
                    continue
                text = decode(content).text
            except (RefusedError, UnreachableError, NotTextError):
                continue
            if all(text and part in text for part in wanted):
                found.append(path)
        if len(found) == 1:
            return found[0]
        why = (
            f"{len(found)} files hold its text: {', '.join(found[:5])}" if found else "none has it"
        )
        raise RefusedError(
            f"the edit names no file, and {why}", "Write the file's path on the line before it."
        )

    def refuse_link(self, path: str) -> None:
        """Refuse to delete or move what only leads to a file.

        Raises:
            RefusedError: Its last part is a link.
        """
        relative = _relative(slashed(path), self._tree.root)
        above, _, name = relative.rpartition("/")
        place = "/".join(part for part in (self._tree.real(above) if above else "", name) if part)
        real = self._tree.real(relative)
        if real != place:
            raise RefusedError(
                f"it is a symbolic link to {real}, and links are not deleted or moved",
                f"Name {real} itself, or delete the link by hand.",
            )


def _relative(path: str, root: str) -> str:
    """Return a path without what says nothing; an absolute one only inside the workspace."""
    path = path.strip()
    while len(path) > 1 and path[0] == path[-1] and path[0] in _QUOTES:
        path = path[1:-1].strip()
    if path.startswith("/") and root:
        top = root.rstrip("/") + "/"
        if not path.startswith(top):
            raise ValueError(f"{path!r} is outside the workspace")
        path = path.removeprefix(top)
    if path.startswith("/"):
        return path
    return "/".join(part for part in path.split("/") if part not in {"", "."})
