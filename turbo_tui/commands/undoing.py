"""Take landings of a session back, all that were asked for or none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.core import events as ev
from turbo_tui.core.errors import UsageError
from turbo_tui.core.ports import Conflict, Lander, Landing
from turbo_tui.core.session import Session
from turbo_tui.core.views import LandingEntry, TimelineView
from turbo_tui.wiring import Workspace

ALL = "all"


@dataclass(frozen=True, slots=True)
class Undone:
    """A landing that was taken back, or would be."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an undo; with conflicts nothing was written."""

    undone: tuple[Undone, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


async def undo(place: Workspace, session_id: str, step_id: str, *, dry_run: bool) -> Outcome:
    """Take back a step's landing: the last one without `step_id`, every one with `all`.

    Raises:
        SessionError: The session is open elsewhere, or its log is broken.
        UsageError: Nothing landed that could be taken back.
        LandingError: The disk or a permission refused.
    """
    session = Session(SqliteEventStore(sessions_folder(place.state) / session_id), clock=time.time)
    try:
        timeline = TimelineView()
        session.subscribe(timeline.apply, replay=True)
        for each in await place.lander.recover():
            if each.session_id == session_id:
                session.append(
                    ev.LandingRecovered(
                        each.landing_id, each.outcome, each.paths, each.left_alone, each.step_id
                    )
                )
        _tell_what_the_journal_knows(session, timeline, place.lander)
        chosen = _chosen(timeline, step_id)
        if dry_run:
            return await _rehearsed(place.lander, chosen)
        outcome = await _taken_back(place.lander, chosen)
        for each in outcome.undone:
            event = ev.LandingUndone(each.step_id, each.landing, each.paths, each.notes)
            session.append(event, "user")
        return outcome
    finally:
        session.close()


def _tell_what_the_journal_knows(session: Session, timeline: TimelineView, lander: Lander) -> None:
    """Log undos that a crash kept from being logged: the tree and its journal are right."""
    stands = {entry.landing_id: entry.landed for entry in lander.landings()}
    for entry in timeline.landings:
        if not entry.undone and not stands.get(entry.landing, True):
            session.append(ev.LandingUndone(entry.step_id, entry.landing, entry.paths))


def _chosen(timeline: TimelineView, step_id: str) -> list[LandingEntry]:
    """Return the landings to take back, newest first."""
    standing = [entry for entry in reversed(timeline.landings) if not entry.undone]
    if not standing:
        raise UsageError("No landing of this session stands; there is nothing to undo.")
    if step_id == ALL:
        return standing
    if not step_id:
        return standing[:1]
    fitting = [entry for entry in standing if entry.step_id == step_id]
    if not fitting:
        landed = ", ".join(dict.fromkeys(entry.step_id for entry in reversed(standing)))
        raise UsageError(f"Step {step_id!r} has not landed; these have: {landed}.")
    return fitting[:1]


async def _rehearsed(lander: Lander, chosen: Sequence[LandingEntry]) -> Outcome:
    undone: list[Undone] = []
    conflicts: list[Conflict] = []
    restored: set[str] = set()
    for entry in chosen:
        landing = await lander.undo(entry.landing, dry_run=True)
        # A path that a newer landing of these changed is put right before this one's turn.
        conflicts += [each for each in landing.conflicts if each.path not in restored]
        restored.update(entry.paths)
        paths = landing.paths or entry.paths
        undone.append(Undone(entry.step_id, entry.landing, paths, landing.notes))
    return Outcome((), tuple(conflicts)) if conflicts else Outcome(tuple(undone))


async def _taken_back(lander: Lander, chosen: Sequence[LandingEntry]) -> Outcome:
    done: list[tuple[LandingEntry, Landing]] = []
    for entry in chosen:
        landing = await lander.undo(entry.landing)
        if landing.conflicts:
            # All or nothing: an undo is a landing, and undoing that lands again.
            for _, earlier in reversed(done):
                if earlier.landing_id:
                    await lander.undo(earlier.landing_id)
            return Outcome((), landing.conflicts)
        done.append((entry, landing))
    return Outcome(
        tuple(
            Undone(entry.step_id, entry.landing, landing.paths, landing.notes)
            for entry, landing in done
        )
    )
