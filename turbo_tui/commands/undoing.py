"""Take landings of a session back, or land them again: all that were asked for or none."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.core import events as ev
from turbo_tui.core.errors import LandingError, TurboError, UsageError
from turbo_tui.core.landings import Checkpoints, Conflict, Lander, Landing, Recovery
from turbo_tui.core.session import Session
from turbo_tui.core.views import LandingEntry, Views
from turbo_tui.engine.taking_back import recovery_event, untold, with_outside
from turbo_tui.wiring import Workspace

ALL = "all"
Way = Literal["undo", "redo"]


@dataclass(frozen=True, slots=True)
class Turned:
    """A landing that was taken back or landed again, or would be."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; with conflicts nothing was written."""

    turned: tuple[Turned, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


async def turn(
    place: Workspace, session_id: str, step_id: str, *, way: Way, dry_run: bool
) -> Outcome:
    """Undo or redo a step's landing: the last one without `step_id`, every one with `all`.

    Raises:
        SessionError: The session is open elsewhere, or its log is broken.
        UsageError: There is nothing to undo, or to redo.
        LandingError: The disk or a permission refused, or a landing that a crash had cut off
            was brought to an end around what someone else changed meanwhile.
    """
    session = Session(SqliteEventStore(sessions_folder(place.state) / session_id), clock=time.time)
    try:
        views = Views()
        session.subscribe(views.apply, replay=True)
        recoveries = await place.lander.recover()
        for each in recoveries:
            if each.session_id == session_id:
                session.append(recovery_event(each))
        _stop_for_others(recoveries)
        for event in untold(views.timeline, place.lander.landings()):
            session.append(event)
        chosen = _chosen(views, step_id, way)
        act = place.lander.undo if way == "undo" else place.lander.redo
        if dry_run:
            return _outcome(views, way, *await _rehearsed(act, chosen))
        done, conflicts = await _carried_out(place.lander, act, chosen)
        outcome = _outcome(views, way, done, conflicts)
        kind = ev.LandingUndone if way == "undo" else ev.LandingRedone
        for each in outcome.turned:
            session.append(kind(each.step_id, each.landing, each.paths, each.notes), "user")
        for entry, landing in done:
            if place.checkpoints is not None and landing.landing_id:
                title = f"{way} of step {entry.step_id}"
                await keep_checkpoint(place.checkpoints, landing, title, session)
        return outcome
    finally:
        session.close()


async def keep_checkpoint(
    checkpoints: Checkpoints, landing: Landing, title: str, session: Session
) -> str:
    """Keep a checkpoint of what was written; return why it could not be kept, empty if it was."""
    try:
        await checkpoints.keep(
            landing.written,
            title=title,
            session_id=session.session_id,
            landing_id=landing.landing_id,
        )
    except TurboError as error:
        session.append(ev.Noted("warning", str(error)))  # what was written stands all the same
        return str(error)
    return ""


def _stop_for_others(recoveries: Sequence[Recovery]) -> None:
    """Let the user look first where a recovery left paths alone."""
    for each in recoveries:
        if each.left_alone:
            words = {"completed": "completed", "rolled_back": "rolled back"}[each.outcome]
            raise LandingError(
                f"The {each.kind} of step {each.step_id}, cut off by a crash, was {words} just "
                f"now, and these paths were left alone, because someone else changed them "
                f"meanwhile: {', '.join(each.left_alone)}. Look at them, then try again."
            )


def _chosen(views: Views, step_id: str, way: Way) -> list[LandingEntry]:
    """Return the landings to turn, in the order to do it."""
    timeline = views.timeline
    fitting = [entry for entry in timeline.landings if entry.undone == (way == "redo")]
    if not fitting and way == "undo":
        raise UsageError("No landing of this session stands; there is nothing to undo.")
    if not fitting:
        raise UsageError("Nothing that landed in this session is undone; there is nothing to redo.")
    if step_id == ALL:
        return fitting[::-1] if way == "undo" else fitting
    entry = timeline.standing(step_id) if way == "undo" else timeline.taken_back(step_id)
    if entry is None:
        named = ", ".join(dict.fromkeys(each.step_id for each in fitting))
        said = "has not landed; these have" if way == "undo" else "is not undone; these are"
        raise UsageError(f"Step {step_id!r} {said}: {named}.")
    return [entry]


Act = Callable[..., Awaitable[Landing]]
Done = list[tuple[LandingEntry, Landing]]


async def _rehearsed(act: Act, chosen: Sequence[LandingEntry]) -> tuple[Done, list[Conflict]]:
    done: Done = []
    conflicts: list[Conflict] = []
    turned: set[str] = set()
    for entry in chosen:
        landing = await act(entry.landing, dry_run=True)
        # A path that an earlier one of these changes is put right before this one's turn.
        conflicts += [each for each in landing.conflicts if each.path not in turned]
        turned.update(entry.paths)
        done.append((entry, landing))
    return done, conflicts


async def _carried_out(
    lander: Lander, act: Act, chosen: Sequence[LandingEntry]
) -> tuple[Done, tuple[Conflict, ...]]:
    done: Done = []
    try:
        for entry in chosen:
            landing = await act(entry.landing)
            if landing.conflicts:
                await _put_back(lander, done)
                return [], landing.conflicts
            done.append((entry, landing))
    except LandingError:
        await _put_back(lander, done)
        raise
    return done, ()


async def _put_back(lander: Lander, done: Done) -> None:
    """All or nothing: an undo is a landing, and undoing that lands again."""
    for _, earlier in reversed(done):
        await lander.undo(earlier.landing_id)


def _outcome(views: Views, way: Way, done: Done, conflicts: Sequence[Conflict]) -> Outcome:
    if conflicts:
        return Outcome((), tuple(conflicts))
    turned: list[Turned] = []
    for entry, landing in done:
        notes = landing.notes
        if way == "undo":
            notes = with_outside(landing, views.outside, entry.step_id).notes
        # In a rehearsal of several, one may only be clean after the one before it.
        paths = entry.paths if landing.conflicts else landing.paths
        turned.append(Turned(entry.step_id, entry.landing, paths, notes))
    return Outcome(tuple(turned))


# --- in words ------------------------------------------------------------------


def as_json(outcome: Outcome, session_id: str, way: Way, *, dry_run: bool) -> dict[str, object]:
    """Return the object of `--json`; the sides of a conflict are blobs of the state folder."""
    return {
        "session": session_id,
        "dry_run": dry_run,
        "undone" if way == "undo" else "redone": [asdict(each) for each in outcome.turned],
        "conflicts": [asdict(each) for each in outcome.conflicts],
    }


def in_words(outcome: Outcome, way: Way, *, dry_run: bool) -> list[str]:
    """Say what was turned, file by file."""
    done = "taken back" if way == "undo" else "landed again"
    lines: list[str] = []
    for each in outcome.turned:
        word = f"would be {done}" if dry_run else done
        count = f"{len(each.paths)} file{'' if len(each.paths) == 1 else 's'}"
        colon = ":" if each.paths or each.notes else ""
        lines.append(f"step {each.step_id} {word}, {count}{colon}")
        lines += [f"  {path}" for path in each.paths]
        lines += [f"  note: {note}" for note in each.notes]
    return lines


def refused_in_words(outcome: Outcome, way: Way) -> list[str]:
    """Name every file that is in the way, and say what to do."""
    if not outcome.conflicts:
        return []
    return [
        *(f"{each.path}: {each.why}" for each in outcome.conflicts),
        (
            f"nothing was written. Settle these files, or {way} a later step that changed them "
            f"first, then {way} again."
        ),
    ]
