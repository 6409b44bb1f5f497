"""What is known of a workspace: what kind of project, where things are, what to read for a task."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from turbo_tui.core.decoding import decoded
from turbo_tui.core.errors import TurboError
from turbo_tui.core.redact import secrets_of
from turbo_tui.core.searching import Context, Hit, Knowledge
from turbo_tui.core.secret_files import is_secret, variables
from turbo_tui.intelligence import Inspected, brief, inspect
from turbo_tui.knowledge.service.text_search import TextSearch
from turbo_tui.languages.source_files import source_files
from turbo_tui.wiring.places import search_home
from turbo_tui.wiring.spans import excerpts

READ_HITS = 40  # places asked for
READ_FILES = 8  # of those that are found
PINNED_BYTES = 256_000  # of each file that is pinned; the model's window may hold less
FOUND_BYTES = 1_000_000  # of a file, to take spans from
MOST_SECRETS_BYTES = 256_000  # of a `.env` file


class Project:
    """Look at a workspace lazily; each look happens once and off the event loop.

    Args:
        root: The workspace.
        learns: What the user does with files counts in later searches.
    """

    def __init__(self, root: Path, *, learns: bool = True) -> None:
        self._root = root
        self._text_search = TextSearch(search_home(root), learns=learns)
        self._inspected: Inspected | None = None
        self._looking = asyncio.Lock()

    @property
    def search(self) -> Knowledge:
        """Text and symbols of the workspace."""
        return self._text_search

    async def inspected(self) -> Inspected:
        """Return what kind of project this is."""
        async with self._looking:
            if self._inspected is None:
                self._inspected = await asyncio.to_thread(inspect, self._root)
            return self._inspected

    async def brief(self) -> str:
        """Describe the project to a model in a few lines."""
        return brief(await self.inspected())

    async def commands(self) -> dict[str, list[tuple[str, ...]]]:
        """Return the commands of the workspace's own part by purpose (`test`, …), best first.

        Those of parts in subfolders run there, and a recipe's checks run at the top.
        """
        found: dict[str, list[tuple[str, ...]]] = {}
        for part in (await self.inspected()).projects:
            if part.path != ".":
                continue
            for purpose, commands in part.commands.items():
                found.setdefault(purpose, []).extend(command.argv for command in commands)
        return found

    async def holding(self, patterns: frozenset[str]) -> frozenset[str]:
        """Return those patterns that a file has: `*.py` any file's name, `/go.mod` one at the top.

        Looked at anew each time: the first Python file may have come since the last task.
        """
        return await asyncio.to_thread(_holding, self._root, patterns)

    async def retrieve(self, task: str, pinned: Sequence[str]) -> Mapping[str, str]:
        """Return path -> text worth reading for a task: what was pinned, then what is found.

        Small files and pinned ones are whole; of others there are spans, as `path:first-last`.
        """
        try:
            hits = await self._text_search.search(
                task, limit=READ_HITS, context=Context(tuple(pinned))
            )
        except TurboError:
            hits = []  # a plan without context is better than none
        hits = [hit for hit in hits if hit.path not in pinned and not is_secret(hit.path)]
        return await asyncio.to_thread(self._read, pinned, hits)

    async def close(self) -> None:
        """Leave the search worker."""
        await self._text_search.close()

    def _read(self, pinned: Sequence[str], hits: Sequence[Hit]) -> dict[str, str]:
        paths = list(dict.fromkeys(hit.path for hit in hits))[:READ_FILES]
        given = self._texts(pinned, PINNED_BYTES)
        return {**given, **excerpts(hits, self._texts(paths, FOUND_BYTES))}

    def _texts(self, paths: Sequence[str], most_bytes: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in paths:
            file = self._root / path
            if not file.resolve().is_relative_to(self._root) or not file.is_file():
                continue
            with file.open("rb") as stream:
                content = stream.read(most_bytes)
            if b"\0" not in content:
                found[path] = decoded(content)
        return found


def _holding(root: Path, patterns: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for file in source_files(root):
        folder, _, name = file.path.rpartition("/")
        known_as = (name,) if folder else (name, f"/{name}")
        found |= {p for p in patterns - found if any(fnmatchcase(each, p) for each in known_as)}
        if len(found) == len(patterns):
            break
    return frozenset(found)


def secrets_in(root: Path) -> dict[str, str]:
    """Return the secrets of the workspace's own `.env` files, by variable."""
    found: dict[str, str] = {}
    for file in sorted(root.glob(".env*")):
        if is_secret(file.name) and file.is_file() and not file.is_symlink():
            with suppress(OSError), file.open("rb") as stream:
                text = stream.read(MOST_SECRETS_BYTES).decode("utf-8", "replace")
                found |= secrets_of(variables(text))
    return found
