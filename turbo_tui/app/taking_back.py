"""Take landings back and land them again: rehearsed first, asked, then done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from turbo_tui.app.dialogs import QuestionScreen
from turbo_tui.app.house import House
from turbo_tui.app.opened import Option, Question
from turbo_tui.core.changes import files_of
from turbo_tui.core.errors import TurboError
from turbo_tui.core.landings import Landing
from turbo_tui.core.views import LandingEntry, Turn, Way
from turbo_tui.engine.run import Run

_MOST_FILES = 8
_TITLES: dict[Way, str] = {"undo": "Take back step {}?", "redo": "Land step {} again?"}
_KEYS: dict[Way, tuple[str, str]] = {
    "undo": ("take back", "leave it landed"),
    "redo": ("land it again", "leave it out"),
}
_ONE_FILE: dict[Way, str] = {
    "undo": "1 file goes back to what it was before:",
    "redo": "1 file becomes again what the step made of it:",
}
_FILES: dict[Way, str] = {
    "undo": "{} files go back to what they were before:",
    "redo": "{} files become again what the step made of them:",
}
_DONE: dict[Way, str] = {"undo": "Step {} was taken back.", "redo": "Step {} has landed again."}


class TakingBack:
    """Ask before a landing is taken back or landed again.

    Args:
        house: The app.
        run: The session's.
        refused: Shows what waits to be settled: it conflicts.
    """

    def __init__(
        self,
        house: House,
        run: Run,
        *,
        refused: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._house = house
        self._run = run
        self._refused = refused
        self._clock = clock
        self._one = asyncio.Lock()

    def ask(self, entry: LandingEntry, way: Way) -> None:
        """Rehearse it, then ask; a conflict is settled first. One under way ends before."""
        self._house.in_background(self._ask(entry, way), group="ask undo")

    async def _ask(self, entry: LandingEntry, way: Way) -> None:
        step_id = entry.step_id
        async with self._one:
            preview = await self._carried_out(entry, way, dry_run=True)
        if preview is None:
            return
        if preview.conflicts:
            self._refused()
            return
        files = files_of(preview.paths, preview.moved) or entry.files
        listed = "\n".join(f"  {file}" for file in files[:_MOST_FILES])
        more = len(files) - _MOST_FILES
        listed += f"\n  … and {more} more" if more > 0 else ""
        said = _ONE_FILE[way] if len(files) == 1 else _FILES[way].format(len(files))
        yes, no = _KEYS[way]
        question = Question(
            _TITLES[way].format(step_id),
            (said, listed, *preview.notes),
            (Option("yes", "y", yes), Option("no", "n", no)),
            otherwise="no",
        )

        def decided(answer: str | None) -> None:
            if answer == "yes":
                self._house.in_background(self._do(entry, way), group="undo")

        self._house.put_up(QuestionScreen(question, clock=self._clock), decided)

    async def _do(self, entry: LandingEntry, way: Way) -> None:
        async with self._one:
            done = await self._carried_out(entry, way, dry_run=False)
        if done is not None and done.conflicts:
            self._refused()
        elif done is not None:
            self._tell_done(entry.step_id, way, done)

    def settle(self) -> None:
        """Write what was made of the conflicts of the undo or redo that waits."""
        turn = self._run.views.turns.waiting
        if turn is not None:
            self._house.in_background(self._settle(turn), group="undo")

    async def _settle(self, turn: Turn) -> None:
        try:
            async with self._one:
                done = await self._run.settle_turn()
        except TurboError as error:
            self._house.tell(str(error), bad=True)
            return
        if not done.conflicts:  # else the card says so
            self._tell_done(turn.step_id, turn.way, done)

    def _tell_done(self, step_id: str, way: Way, done: Landing) -> None:
        said = _DONE[way].format(step_id) if done.landing_id else "Nothing was written."
        self._house.tell("\n".join((said, *done.notes)))

    async def _carried_out(self, entry: LandingEntry, way: Way, *, dry_run: bool) -> Landing | None:
        act = self._run.undo if way == "undo" else self._run.redo
        try:
            return await act(entry.step_id, landing=entry.landing, dry_run=dry_run)
        except TurboError as error:
            self._house.tell(str(error), bad=True)
            return None
