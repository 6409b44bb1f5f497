"""Take any landing back, and land it again: tell the log, and what it means for other steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.landings import LandedEntry, Landing, Recovery
from turbo_tui.core.views import (
    LandingEntry,
    OutsideView,
    TimelineView,
    Way,
    lying_on,
    turn_key,
)
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.refusing import refused

LEFT_ALONE = "left alone: "


async def take_back(
    footing: Footing, entry: LandingEntry, *, settled: ChangeSet | None, dry_run: bool
) -> Landing:
    """Undo a landing; on a conflict nothing is written, and the log says what is to be settled.

    The notes name what of the step lies outside the tree, where no undo reaches.
    """
    undone = await footing.lander.undo(entry.landing, settled=settled, dry_run=dry_run)
    if undone.conflicts:
        return _refused(footing, entry, "undo", undone, settled)
    undone = with_outside(undone, footing.views.outside, entry.step_id)
    if not dry_run:
        event = ev.LandingUndone(
            entry.step_id, entry.landing, undone.paths, undone.notes, undone.moved
        )
        footing.log(event, "user")
        await footing.checkpoint(undone, f"undo of step {entry.step_id}")
        await _forget(footing, entry, undone)
    return undone


async def bring_back(
    footing: Footing, entry: LandingEntry, *, settled: ChangeSet | None, dry_run: bool
) -> Landing:
    """Redo a landing that was taken back; a conflict is as with `take_back`."""
    redone = await footing.lander.redo(entry.landing, settled=settled, dry_run=dry_run)
    if redone.conflicts:
        return _refused(footing, entry, "redo", redone, settled)
    if not dry_run:
        event = ev.LandingRedone(
            entry.step_id, entry.landing, redone.paths, redone.notes, redone.moved
        )
        footing.log(event, "user")
        await footing.checkpoint(redone, f"redo of step {entry.step_id}")
    return redone


def _refused(
    footing: Footing, entry: LandingEntry, way: Way, landing: Landing, settled: ChangeSet | None
) -> Landing:
    """Put under review what conflicts, unless it is already and nothing of it is new."""
    key = turn_key(way, entry.landing)
    waiting = footing.views.turns.state(key)
    before = waiting.shown if waiting is not None and settled is not None else ""
    decided = footing.views.review.decisions(key, before)
    found = refused(footing.review, settled or landing.wanted, landing, decided)
    if settled is None and waiting is not None and waiting.shown == found.merged:
        return landing
    footing.log(
        ev.TurnRefused(
            key,
            way,
            entry.step_id,
            entry.landing,
            found.conflicts,
            found.merged,
            found.clashes,
            found.bases,
            found.blocked,
            found.reviewed,
            found.kept,
        )
    )
    return landing


def with_outside(undone: Landing, outside: OutsideView, step_id: str) -> Landing:
    """Return an undo with what it does not take back among its notes."""
    stays = tuple(f"not taken back: {effect}" for effect in outside.of(step_id))
    return replace(undone, notes=(*undone.notes, *stays))


def recovery_event(recovery: Recovery, layer: str = "") -> ev.Event:
    """Return what the log says of a landing, an undo or a redo that a crash had cut off."""
    done = recovery.outcome == "completed"
    if recovery.kind == "landing" or not done:
        # Of an undo that was rolled back no step is named: for it nothing has changed.
        step_id = recovery.step_id if recovery.kind == "landing" else ""
        return ev.LandingRecovered(
            recovery.landing_id,
            recovery.outcome,
            recovery.paths,
            recovery.left_alone,
            step_id,
            layer,
            recovery.moved,
        )
    kind = ev.LandingUndone if recovery.kind == "undo" else ev.LandingRedone
    notes = (
        f"the {recovery.kind} was cut off by a crash and completed at the next start",
        *(f"{LEFT_ALONE}{path}" for path in recovery.left_alone),
    )
    return kind(recovery.step_id, recovery.of, recovery.paths, notes, recovery.moved)


def untold(timeline: TimelineView, landings: Iterable[LandedEntry]) -> list[ev.Event]:
    """Return undos and redos that a crash kept from the log: the tree and its journal are right."""
    stands = {entry.landing_id: entry.landed for entry in landings}
    return [
        (ev.LandingRedone if entry.undone else ev.LandingUndone)(
            entry.step_id, entry.landing, entry.paths
        )
        for entry in timeline.landings
        if entry.landing in stands and stands[entry.landing] == entry.undone
    ]


async def _forget(footing: Footing, entry: LandingEntry, undone: Landing) -> None:
    state = footing.views.plan.state(entry.step_id)
    if state is None or not state.undone:
        return  # it landed once more since
    for above in lying_on(footing.views.plan, state.stage_id):
        if not above.settled and state.stage_id in above.on:
            footing.log(
                ev.StepGroundMoved(above.step.id, entry.step_id, undone.paths, "it was taken back")
            )
    await footing.discard(state.stage_id)
