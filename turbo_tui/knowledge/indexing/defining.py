"""Which files define a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.words import MARKS, joined


class Defines(Protocol):
    """A file that defines something."""

    @property
    def defined(self) -> tuple[Definition, ...]:
        """What it defines, in order."""
        ...


class Defining:
    """Paths by the names that are defined there; most names are defined in one file alone."""

    def __init__(self, files: Mapping[str, Defines]) -> None:
        """Begin with nothing; `files` are looked up by path, as they are then."""
        self._files = files
        self._paths: dict[str, str | tuple[str, ...]] = {}

    def within(self, files: Mapping[str, Defines]) -> Defining:
        """Return the same of some of the files."""
        part = Defining(files)
        part._paths = self._paths
        return part

    def add(self, path: str, defined: Iterable[Definition]) -> None:
        """Take in what a file defines."""
        paths = self._paths
        for key in {joined(each.name) for each in defined}:
            held = paths.get(key)
            if held is None:
                paths[key] = path
            else:
                paths[key] = (held, path) if isinstance(held, str) else (*held, path)

    def remove(self, path: str, defined: Iterable[Definition]) -> None:
        """Leave out what a file defined."""
        for key in {joined(each.name) for each in defined}:
            left = tuple(each for each in self._of(key) if each != path)
            if left:
                self._paths[key] = left
            else:
                self._paths.pop(key, None)

    def paths(self, key: str) -> list[str]:
        """Return the files that define a name, by how it is `joined`."""
        return [path for path in self._of(key) if path in self._files]

    def get(self, key: str) -> dict[str, list[Definition]]:
        """Return the definitions of a name by path."""
        # Few names begin like it; to look at one letter is quicker than to join them all.
        first = key[1:2]
        maybe = {first, first.upper(), *MARKS}
        return {
            path: [
                each
                for each in self._files[path].defined
                if (each.name[:1] in maybe or not each.name.isascii()) and joined(each.name) == key
            ]
            for path in self.paths(key)
        }

    def _of(self, key: str) -> tuple[str, ...]:
        held = self._paths.get(key, ())
        return (held,) if isinstance(held, str) else held
