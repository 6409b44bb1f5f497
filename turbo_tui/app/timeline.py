"""Landings of a session as values of widgets: what each did, and the tree right after it."""

from __future__ import annotations

import asyncio
import time

from turbo_tui.app.present_changes import DiffPresenter
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.views import LandingEntry
from turbo_tui.engine.run import Run
from turbo_widgets.diff_pane import DiffValue
from turbo_widgets.timeline_pane import LandingWord, TimelineItem

BEFORE_ALL = ""


class Timeline:
    """What landed, newest first, and what there is to see of it.

    Args:
        run: The session's.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._diffs = DiffPresenter(run.review)

    @property
    def items(self) -> tuple[TimelineItem, ...]:
        """All landings, and at the end the place before the first."""
        entries = self._run.views.timeline.landings
        if not entries:
            return ()
        landed = [self._item(entry) for entry in reversed(entries)]
        return (*landed, TimelineItem(BEFORE_ALL, "", "the beginning"))

    @property
    def cut_off(self) -> str:
        """Say what of several landings was not taken back, or not landed again; empty for none."""
        half = self._run.views.timeline.half_turned
        if half is None:
            return ""
        key = "u" if half.way == "undo" else "r"
        return f"{half.words} {key} at each goes on with it."

    def entry(self, landing: str) -> LandingEntry | None:
        """Return a landing."""
        known = self._run.views.timeline.landings
        return next((each for each in known if each.landing == landing), None)

    def _item(self, entry: LandingEntry) -> TimelineItem:
        status: LandingWord = "stands"
        if entry.undone:
            status = "undone"
        elif entry.redone:
            status = "redone"
        state = self._run.views.plan.state(entry.step_id)
        return TimelineItem(
            landing=entry.landing,
            step_id=entry.step_id,
            title=state.step.title if state is not None else "",
            clock=time.strftime("%H:%M:%S", time.localtime(entry.at)),
            status=status,
            files=len(entry.files),
            outside=tuple(str(each) for each in self._run.views.outside.of(entry.step_id)),
        )

    async def did(self, landing: str) -> DiffValue:
        """Show what a landing brought.

        Raises:
            SessionError: What was approved is missing from the blob store.
        """
        entry = self.entry(landing)
        if entry is None:
            message = "Enter shows the tree as it was before this session."
            return DiffValue("the beginning", message=message, decidable=False)
        title = f"step {entry.step_id} brought"
        if not entry.selected:
            return DiffValue(title, message="\n".join(entry.files), decidable=False)
        return await asyncio.to_thread(self._kept, entry.selected, title)

    def _kept(self, blob: str, title: str) -> DiffValue:
        return self._diffs.changes(self._run.review.change_set(blob), title)

    async def then(self, landing: str) -> DiffValue:
        """Show what is different between now and right after a landing: `+` is how it was then.

        Raises:
            LandingError: The journal does not know it, or a file cannot be read.
            SessionError: A content is missing from the blob store.
        """
        entry = self.entry(landing)
        if entry is not None:
            changes = await self._run.tree_at(landing)
            return await self._compared(changes, f"after step {entry.step_id}")
        first = self._run.views.timeline.landings[0]
        changes = await self._run.tree_at(first.landing, before=True)
        return await self._compared(changes, "before step " + first.step_id)

    async def _compared(self, changes: ChangeSet, when: str) -> DiffValue:
        if not changes.files:
            return DiffValue(when, message="It is as it is now.", decidable=False)
        return await asyncio.to_thread(self._diffs.changes, changes, f"- now, + {when}")

    @property
    def revision(self) -> int:
        """Grows with every change of what is listed."""
        return self._run.views.timeline.revision
