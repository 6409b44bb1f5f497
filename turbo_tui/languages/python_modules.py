"""The modules of a Python project, as the import system finds them from an importing file.

A module's handle is its file's path, or for a folder without `__init__` its path and a `/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from posixpath import basename, dirname, join, normpath


class PythonModules:
    """Paths as modules; no content is read."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._folders = frozenset(folder for path in self._paths for folder in _folders_above(path))
        self._roots = self._source_roots()

    def name_of(self, path: str) -> str:
        """Return the dotted name a file is imported by, as its `__init__.py` files tell."""
        parts = [basename(path).rpartition(".")[0]]
        folder = dirname(path)
        while self._has_init(folder):
            parts.insert(0, basename(folder))
            folder = dirname(folder)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        return ".".join(parts)

    def find(self, dotted: str, importer: str = "") -> str | None:
        """Return the handle of a module as an importing file writes it.

        Returns:
            Empty when the module is not of this project, None when it is not clear which one.
        """
        level = len(dotted) - len(dotted.lstrip("."))
        names = [name for name in dotted[level:].split(".") if name]
        if level:
            folder = dirname(importer)
            for _ in range(level - 1):
                folder = dirname(folder)
            return self._descend(self._as_module(folder), names)
        found = [
            handle
            for root in self._roots_for(importer)
            if (handle := self._descend(f"{root}/" if root else "/", names))
        ]
        if not found:
            return ""
        near = self._roots_for(importer)[0]
        preferred = [handle for handle in found if _under(handle, near)] or found
        return preferred[0] if len(set(preferred)) == 1 or preferred is not found else None

    def submodule(self, handle: str, name: str) -> str:
        """Return the handle of a module inside a package; empty when there is none."""
        if handle.endswith("/"):
            folder = handle.strip("/")
        elif basename(handle).startswith("__init__."):
            folder = dirname(handle)
        else:
            return ""
        below = join(folder, name) if folder else name
        for candidate in (f"{below}/__init__.py", f"{below}.py", f"{below}.pyi"):
            if candidate in self._paths:
                return candidate
        return f"{below}/" if below in self._folders else ""

    def _descend(self, handle: str, names: Sequence[str]) -> str:
        for name in names:
            handle = self.submodule(handle, name)
            if not handle:
                return ""
        return handle

    def _as_module(self, folder: str) -> str:
        init = join(folder, "__init__.py") if folder else "__init__.py"
        return init if init in self._paths else f"{folder}/"

    def _has_init(self, folder: str) -> bool:
        return bool(folder) and (
            f"{folder}/__init__.py" in self._paths or f"{folder}/__init__.pyi" in self._paths
        )

    def _source_roots(self) -> tuple[str, ...]:
        """Folders that imports start from: those above a package or a lone module."""
        roots = {"", "src"} & (self._folders | {""})
        for path in self._paths:
            folder = dirname(path)
            while self._has_init(folder):
                folder = dirname(folder)
            roots.add(folder)
        return tuple(sorted(roots, key=lambda root: (root not in {"", "src"}, root)))

    def _roots_for(self, importer: str) -> tuple[str, ...]:
        folder = dirname(importer)
        while self._has_init(folder):
            folder = dirname(folder)
        return (folder, *(root for root in self._roots if root != folder))


def _folders_above(path: str) -> list[str]:
    folders: list[str] = []
    folder = dirname(normpath(path))
    while folder:
        folders.append(folder)
        folder = dirname(folder)
    return folders


def _under(handle: str, root: str) -> bool:
    return not root or handle.startswith(f"{root}/")
