"""Undo and redo as commands of a run: any landing, and what was settled where they clash."""

from __future__ import annotations

import asyncio

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import UsageError
from turbo_tui.core.landings import Landing
from turbo_tui.core.views import LandingEntry, Turn, Way
from turbo_tui.engine.driving import Drive
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.landing import Landings
from turbo_tui.engine.settling import Settling
from turbo_tui.engine.uninterrupted import ended


class Turning:
    """Take landings back and land them again."""

    def __init__(
        self, footing: Footing, drive: Drive, landings: Landings, settling: Settling
    ) -> None:
        self._footing = footing
        self._drive = drive
        self._landings = landings
        self._settling = settling

    async def undo(self, step_id: str = "", *, landing: str = "", dry_run: bool = False) -> Landing:
        """Take back a landed step, by default the last; on a conflict nothing is written.

        What conflicts is then under review (`views.turns`); `settle` writes what was made of it.

        Args:
            step_id: Its last landing that stands.
            landing: Exactly this one: a step that was run again has several.
            dry_run: Say what would be written, and write nothing.

        Raises:
            UsageError: Nothing is landed, or something is under way.
            LandingError: The disk or a permission refused.
        """
        self._drive.refuse_when_busy()
        entry = self._footing.views.timeline.standing(step_id, landing)
        if entry is None:
            what = f"Step {step_id} has not landed" if step_id else "No step has landed"
            raise UsageError(f"{what} in this session; there is nothing to undo.")
        return await self._turn(entry, "undo", dry_run=dry_run)

    async def redo(self, step_id: str = "", *, landing: str = "", dry_run: bool = False) -> Landing:
        """Land an undone step again, by default the one undone last; as `undo` in all else.

        Raises:
            UsageError: Nothing is undone, or something is under way.
            LandingError: The disk or a permission refused.
        """
        self._drive.refuse_when_busy()
        entry = self._footing.views.timeline.taken_back(step_id, landing)
        if entry is None:
            what = f"Step {step_id} is not undone" if step_id else "No step is undone"
            raise UsageError(f"{what} in this session; there is nothing to redo.")
        return await self._turn(entry, "redo", dry_run=dry_run)

    async def settle(self) -> Landing:
        """Write what was made of the undo or redo that waits, and nothing else.

        What was changed once more is a conflict, and under review then. Where nothing is left to
        write it is given up.

        Raises:
            UsageError: None waits, a conflict of it is open, or something is under way.
            LandingError: The disk or a permission refused.
            SessionError: The blob store refuses.
        """
        self._drive.refuse_when_busy()
        waiting = self._waiting()
        self._settling.refuse_when_open(waiting.state)
        timeline = self._footing.views.timeline
        find = timeline.standing if waiting.way == "undo" else timeline.taken_back
        entry = find("", waiting.landing)
        if entry is None:
            raise UsageError(f"The {waiting.name} is done already; `T` shows what stands.")
        settled = await self._landings.selected(waiting.state)
        if not settled.files:
            self.drop()
            return Landing(notes=("nothing of it was left; all stays as it is",))
        return await self._turn(entry, waiting.way, settled=settled)

    def drop(self) -> None:
        """Give up the undo or redo that waits.

        Raises:
            UsageError: None waits.
        """
        self._footing.log(ev.TurnDropped(self._waiting().key), "user")

    def _waiting(self) -> Turn:
        waiting = self._footing.views.turns.waiting
        if waiting is None:
            raise UsageError("No undo or redo waits for you.")
        return waiting

    async def _turn(
        self,
        entry: LandingEntry,
        way: Way,
        *,
        settled: ChangeSet | None = None,
        dry_run: bool = False,
    ) -> Landing:
        """Take a landing back or forth as work of its step, which goes on if nobody waits."""
        work = self._drive.turn(entry, way, settled=settled, dry_run=dry_run)
        turning = asyncio.ensure_future(work)
        beside = self._drive.carry_out(entry.step_id, _until(turning), go_on=False)
        landing = await asyncio.shield(turning)
        await asyncio.wait({beside})  # so that what comes next does not find it under way
        return landing


async def _until(task: asyncio.Future[Landing]) -> None:
    await ended(task)
