"""Looking around: search, previews, the project, and a file in the user's own editor."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.app.editor import named_editor
from turbo_tui.app.house import House
from turbo_tui.app.opened import Opened
from turbo_tui.app.present import project_value
from turbo_tui.core.errors import TurboError, UsageError
from turbo_widgets.knowledge_pane import Preview, SearchHit

if TYPE_CHECKING:
    from turbo_tui.app.session_screen import SessionScreen

_PREVIEW_BYTES = 2_000_000
_SEARCH_PAUSE_S = 0.15


class Looking:
    """Commands that change nothing.

    Args:
        house: The app.
        screen: Where things are shown.
        opened: The session.
    """

    def __init__(self, house: House, screen: SessionScreen, opened: Opened) -> None:
        self._house = house
        self._screen = screen
        self._opened = opened

    def search(self, query: str) -> None:
        """Find places, once the user pauses."""
        if query:
            self._house.in_background(self._search(query), group="search")

    async def _search(self, query: str) -> None:
        await asyncio.sleep(_SEARCH_PAUSE_S)
        pane = self._screen.furniture.knowledge
        search = self._opened.search
        if search is None:
            pane.show_hits(query, (), "Search is not available in this session.")
            return
        try:
            found = await search.search(query)
        except TurboError as error:
            pane.show_hits(query, (), str(error))
            return
        hits = tuple(SearchHit(hit.path, hit.start_line, hit.text, hit.why) for hit in found)
        pane.show_hits(query, hits)

    def preview(self, path: str, line: int) -> None:
        """Show a file of the real tree at a line."""
        self._house.in_background(self._preview(path, line), group="preview")

    async def _preview(self, path: str, line: int) -> None:
        try:
            text = await asyncio.to_thread(_read, self._opened.root / path)
        except OSError as error:
            self._house.tell(f"{path} cannot be shown: {error.strerror or error}", bad=True)
            return
        self._screen.furniture.knowledge.show_preview(Preview(path, line, text))

    def edit_file(self, path: str, line: int) -> None:
        """Open a file of the real tree in the user's editor."""
        try:
            editor = named_editor()
        except UsageError as error:
            self._house.tell(str(error), bad=True)
            return
        if not editor:
            self._house.tell("No editor is named: set EDITOR, for example EDITOR=vim.", bad=True)
        elif self._opened.run.busy:
            self._house.tell("Wait until the step is done, then open the editor.", bad=True)
        else:
            target = os.fspath(self._opened.root / path)
            self._house.outside([*editor, f"+{line}", target])

    async def look_at_project(self) -> None:
        """Describe the project in its pane."""
        look = self._opened.look_at_project
        pane = self._screen.furniture.project
        if look is None:
            return
        try:
            pane.show(project_value(await look()))
        except TurboError as error:
            self._house.tell(str(error), bad=True)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_PREVIEW_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def run_outside(command: list[str]) -> str:
    """Run a program in the user's terminal; return what went wrong, or nothing."""
    try:
        subprocess.run(command, check=False)
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be started: {error.strerror}") from error
    return ""
