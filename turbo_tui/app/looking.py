"""Looking around: search, previews, the project, and a file in the user's own editor."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.app.editor import at_line, named_editor
from turbo_tui.app.house import House
from turbo_tui.app.opened import Opened
from turbo_tui.app.present import project_value
from turbo_tui.core.decoding import decoded
from turbo_tui.core.errors import TurboError, UsageError
from turbo_tui.core.plain import plain
from turbo_tui.core.searching import NOWHERE, Act, Context, IndexState
from turbo_widgets.knowledge_values import IndexProgress, Preview, SearchHit
from turbo_widgets.lexing import marks_near
from turbo_widgets.plan_pane import PlanPane
from turbo_widgets.prompt import Prompt

if TYPE_CHECKING:
    from turbo_tui.app.session_screen import SessionScreen
    from turbo_tui.core.searching import Knowledge

_PREVIEW_BYTES = 2_000_000
_SEARCH_PAUSE_S = 0.15
_FIRST_LOOK_S = 1.0  # the first frame and the first keys come before the index
_LOOK_S = 0.5  # while it grows
_REST_S = 5.0
_AGAIN_S = 2.0  # between answers to one query while the index grows


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
        self._pinned: list[str] = []
        self._seen = ""  # the file that was shown or opened last
        self._wanted = ""  # the newest query
        self._context = NOWHERE  # that it was asked from
        self._searching = False
        self._answered: IndexState | None = None  # what the answer that is shown was made from
        self._answered_at = 0.0

    @property
    def pinned(self) -> tuple[str, ...]:
        """Files that the next task is given with."""
        return tuple(self._pinned)

    def pin(self, path: str) -> None:
        """Give a file to the next task, or do so no longer."""
        if path in self._pinned:
            self._pinned.remove(path)
        else:
            self._pinned.append(path)
            self._learn("pinned", path)
        self._show_pins()

    def let_go(self) -> None:
        """Pin nothing: a task has taken the pinned files with it."""
        if self._pinned:
            self._pinned.clear()
            self._show_pins()

    def _show_pins(self) -> None:
        self._screen.furniture.knowledge.show_pins(self._pinned)
        with_ = f" (with {', '.join(map(plain, self._pinned))})" if self._pinned else ""
        self._screen.query_one(Prompt).placeholder = f"what do you want done?{with_}"

    @property
    def context(self) -> Context:
        """What the user is at: the file seen last, and the chosen step with what it changes."""
        selected = self._screen.query_one(PlanPane).selected
        plan = self._opened.run.views.plan
        state = plan.state(selected.step_id) if selected is not None else None
        paths = [self._seen] if self._seen else []
        if state is None:
            return Context(tuple(paths))
        paths += [*state.paths, *state.step.files]
        return Context(tuple(dict.fromkeys(paths)), f"{state.step.title}\n{state.step.intent}")

    def _learn(self, act: Act, path: str) -> None:
        if self._opened.search is not None:
            self._house.in_background(self._opened.search.learn(act, [path]), group=f"{act} {path}")

    def search(self, query: str) -> None:
        """Find places, once the user pauses."""
        self._wanted = query
        if query:
            self._house.in_background(self._search_soon(query), group="search")

    async def _search_soon(self, query: str) -> None:
        await asyncio.sleep(_SEARCH_PAUSE_S)
        if self._opened.search is None:
            pane = self._screen.furniture.knowledge
            pane.show_hits(query, (), "Search is not available in this session.")
        elif not self._searching:  # else that search goes on with the newest query
            self._house.in_background(self._search(self._opened.search), group="searching")

    async def _search(self, search: Knowledge) -> None:
        """Answer the newest query; one search at a time, as a worker that hangs would hold each."""
        self._searching = True
        asked = ""
        try:
            while asked != self._wanted:
                asked = self._wanted
                self._context = self.context
                await self._answer(search, asked)
        finally:
            self._searching = False
        if search.index.pending or not search.index.files:
            self.follow_index(after_s=_LOOK_S)

    async def _answer(self, search: Knowledge, query: str) -> None:
        pane = self._screen.furniture.knowledge
        if not query:
            return
        try:
            found = await search.search(query, context=self._context)
            state = search.index
            cause = "" if found else await search.why_nothing(query)
        except TurboError as error:
            self._answered = None
            pane.show_hits(query, (), str(error))
            return
        self._answered = _content(state)
        hits = tuple(
            SearchHit(
                hit.path,
                hit.line or hit.start_line,
                hit.text,
                hit.why,
                (hit.start_line, hit.end_line),
            )
            for hit in found
        )
        pane.show_progress(progress_of(state))
        if hits or cause or state.files:  # else no file was looked at yet
            pane.show_hits(query, hits, cause)

    def follow_index(self, after_s: float = _FIRST_LOOK_S) -> None:
        """Let the index be made ahead of the first search, and say how far it is."""
        if self._opened.search is not None:
            self._house.in_background(self._follow(self._opened.search, after_s), group="index")

    async def _follow(self, search: Knowledge, after_s: float) -> None:
        await asyncio.sleep(after_s)
        before = IndexState()
        while True:
            try:
                state = await search.state()
            except TurboError as error:
                state = IndexState(note=str(error))
            else:
                await self._answer_again(search, state)
            self._screen.furniture.knowledge.show_progress(progress_of(state))
            is_growing = state.pending or _content(state) != _content(before)
            before = state
            await asyncio.sleep(_LOOK_S if is_growing else _REST_S)

    async def _answer_again(self, search: Knowledge, state: IndexState) -> None:
        """Ask again what was answered from less than the index holds now."""
        is_older = self._answered is not None and self._answered != _content(state)
        since = time.monotonic() - self._answered_at
        if is_older and not self._searching and (since > _AGAIN_S or not state.pending):
            self._answered_at = time.monotonic()
            await self._answer(search, self._wanted)

    def preview(self, path: str, line: int, span: tuple[int, int]) -> None:
        """Show a file of the real tree at a line (1-based); `span` is the place meant."""
        self._house.in_background(self._preview(path, line, span), group="preview")

    async def _preview(self, path: str, line: int, span: tuple[int, int]) -> None:
        try:
            seen = await asyncio.to_thread(_seen, self._opened.root, path, line, span)
        except FileNotFoundError:
            self._house.tell(f"{path} is no longer there; search again.", bad=True)
            return
        except OSError as error:
            self._house.tell(f"{path} cannot be shown: {error.strerror or error}", bad=True)
            return
        self._seen = path
        self._screen.furniture.knowledge.show_preview(seen)

    def edit_file(self, path: str, line: int) -> None:
        """Open a file of the real tree in the user's editor."""
        try:
            editor = named_editor()
        except UsageError as error:
            self._house.tell(str(error), bad=True)
            return
        if not editor:
            self._house.tell("No editor is named: set EDITOR, for example EDITOR=vim.", bad=True)
        elif not (self._opened.root / path).exists():
            self._house.tell(f"{path} is no longer there; search again.", bad=True)
        elif self._opened.run.busy:
            self._house.tell("Wait until the step is done, then open the editor.", bad=True)
        else:
            self._seen = path
            self._learn("opened", path)
            target = os.fspath(self._opened.root / path)
            self._house.outside(at_line(editor, target, line))

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


def _content(state: IndexState) -> IndexState:
    """Return of a state what answers depend on."""
    return replace(state, pending=0, rate=0.0, left_s=None, age_s=0.0, note="", vectors_pending=0)


def progress_of(state: IndexState) -> IndexProgress:
    """Return what the pane says of the index."""
    given_up = state.given_up
    if given_up and not state.note:
        named = f"{plain(given_up[0])} hung its grammar"
        more = f" and {len(given_up) - 1} more" if len(given_up) > 1 else ""
        return IndexProgress(state.files, state.pending, state.rate, state.left_s, named + more)
    return IndexProgress(state.files, state.pending, state.rate, state.left_s, state.note)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return decoded(file.read(_PREVIEW_BYTES))


def _seen(root: Path, path: str, line: int, span: tuple[int, int]) -> Preview:
    text = _read(root / path)
    return Preview(path, line, text, span, marks_near(path, text.split("\n"), line))


def run_outside(command: list[str]) -> int:
    """Run a program in the user's terminal; return how it ended: its code, or minus a signal.

    Raises:
        UsageError: It cannot be started.
    """
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be started: {error.strerror}") from error
