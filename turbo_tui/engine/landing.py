"""From an approval to the workspace: select, land, tell the log; and take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import LandingError
from turbo_tui.core.ports import Landing
from turbo_tui.core.views import LandingEntry, StepState
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.uninterrupted import whole


class Landings:
    """Land what was approved, and take landings back.

    Attributes:
        error: Why the disk or a permission refused the last landing; empty when not.
    """

    def __init__(self, footing: Footing) -> None:
        self.error = ""
        self._footing = footing

    def bases_known(self, state: StepState) -> bool:
        """Tell whether all that a staged step replaces was seen: else only a person lands it."""
        changes = self._footing.review.change_set(state.changes)
        return all(change.base_known for change in changes.files)

    def lands_by_itself(self, state: StepState) -> bool:
        """Tell whether a step lands without a person looking at it."""
        footing = self._footing
        if state.status != "staged" or not state.checks_passed:
            return False
        if not self.bases_known(state):
            # Someone changed the original meanwhile: only a person sees what would be lost.
            return False
        if footing.approve != "ask":
            return footing.approve in {"staged", "all"}
        # `auto` is: land if the checks pass and nothing had to be asked.
        if state.step.mode != "auto" or state.step.id in footing.views.asks.asked_by:
            return False
        if not state.rung.endswith("+bubblewrap"):
            # What a step did beside its stage cannot be ruled out there: a person looks at it.
            footing.log(ev.Noted("warning", _not_by_itself(state)))
            return False
        return True

    async def land(self, state: StepState, *, by: str) -> bool:
        """Land what is selected of a step; return whether it stands in the workspace."""
        footing = self._footing
        step_id = state.step.id
        changes = footing.review.change_set(state.shown)
        while True:
            decisions = footing.views.review.decisions(step_id, state.shown)
            selected = await asyncio.to_thread(footing.review.selected, changes, decisions)
            if decisions == footing.views.review.decisions(step_id, state.shown):
                break  # else a hunk was switched meanwhile: what was approved is what is shown
        if not (selected.files or selected.ignored):
            footing.log(ev.StepRejected(step_id, ""), by)
            await footing.discard(state.stage_id)
            return False
        blob = footing.review.keep(selected)
        footing.log(ev.StepApproved(step_id, state.shown, blob), by)
        return await self.land_approved(step_id, selected, stage_id=state.stage_id)

    async def land_approved(self, step_id: str, selected: ChangeSet, *, stage_id: str) -> bool:
        """Write an approved change set; log that it landed, or why it was refused."""
        footing = self._footing
        self.error = ""
        writing = footing.lander.land(
            selected, session_id=footing.session.session_id, step_id=step_id
        )
        try:
            landing, _interrupted = await whole(writing)
        except LandingError as error:
            # Nothing is to be merged: the same bytes may be approved again, once it is mended.
            self.error = str(error)
            same = footing.review.keep(selected)
            footing.log(ev.LandingRefused(step_id, {"workspace": str(error)}, same))
            return False
        if landing.conflicts:
            why: Mapping[str, str] = {c.path: c.why for c in landing.conflicts}
            merged = "" if landing.merged is None else footing.review.keep(landing.merged)
            footing.log(ev.LandingRefused(step_id, dict(why), merged))
            return False
        notes = (*landing.notes, *(f"left alone: {path}" for path in landing.left_alone))
        footing.log(ev.StepLanded(step_id, landing.landing_id, landing.paths, notes))
        await footing.discard(stage_id)
        return True

    async def take_back(self, entry: LandingEntry, *, dry_run: bool) -> Landing:
        """Take a landing back; on a conflict nothing is written."""
        undone = await self._footing.lander.undo(entry.landing, dry_run=dry_run)
        if not dry_run and not undone.conflicts:
            event = ev.LandingUndone(entry.step_id, entry.landing, undone.paths, undone.notes)
            self._footing.log(event, "user")
        return undone


def _not_by_itself(state: StepState) -> str:
    return (
        f"{state.step.title}: set to auto, and asks all the same, because {state.rung} does not "
        "hold everything; `turbo-tui doctor` says what is missing"
    )
