"""Take landings of a session back, or land them again: all that were asked for or none."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.commands.session_words import (
    half_in_words,
    went_on_in_words,
)
from turbo_tui.core import events as ev
from turbo_tui.core.changes import files_of, parents
from turbo_tui.core.errors import LandingError, TurboError, UsageError
from turbo_tui.core.landings import Checkpoints, Conflict, Lander, Landing, Recovery
from turbo_tui.core.plain import plural
from turbo_tui.core.session import Session
from turbo_tui.core.views import HalfTurned, LandingEntry, Views, named_steps
from turbo_tui.engine.taking_back import recovery_event, untold, with_outside
from turbo_tui.wiring import Workspace

ALL = "all"
Way = Literal["undo", "redo"]


@dataclass(frozen=True, slots=True)
class Turned:
    """A landing that was taken back or landed again, or would be; `files` names each file once."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; with conflicts nothing was written.

    Attributes:
        notes: What was cut off earlier.
        stuck: What could not be put back, though with conflicts all should have been.
        first: Steps that may have to be turned first: they changed the same files.
    """

    turned: tuple[Turned, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


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
        finished = [recovery_event(each) for each in recoveries if each.session_id == session_id]
        for event in finished:
            session.append(event)
        _stop_for_others(recoveries)
        for event in untold(views.timeline, place.lander.landings()):
            session.append(event)
            finished.append(event)
        half = views.timeline.half_turned
        settled = _settled(recoveries, finished)
        asked_for = _asked_for(views, finished, step_id, way)
        if asked_for and not dry_run:
            return Outcome(asked_for, notes=(*settled, *_earlier(half)))
        chosen = _chosen(views, step_id, way)
        goes_on = half is not None and half.way == way and step_id == ALL
        turning = _Turning(place.lander, session, views, way)
        if dry_run or len(chosen) > 1:
            done, conflicts = await turning.rehearse(chosen)
            if dry_run or conflicts:
                outcome = _outcome(views, way, done, conflicts)
                first = _first(views, way, chosen, conflicts)
                return replace(outcome, notes=(*settled, *_earlier(half)), first=first)
        if len(chosen) > 1 or goes_on:
            before = half.turned if half is not None and goes_on else ()
            landings = tuple(entry.landing for entry in (*before, *chosen))
            session.append(ev.TurnBegan(way, landings), "user")
        done, conflicts = await turning.carry_out(chosen)
        outcome = _outcome(views, way, done, conflicts)
        for entry, landing in done:
            if place.checkpoints is not None and landing.landing_id:
                title = f"{way} of step {entry.step_id}"
                await keep_checkpoint(place.checkpoints, landing, title, session)
        if half is not None and goes_on and not conflicts:
            notes = (went_on_in_words(half),)
        else:
            notes = _earlier(views.timeline.half_turned)
        first = _first(views, way, chosen, conflicts)
        return replace(outcome, notes=(*settled, *notes), stuck=tuple(turning.stuck), first=first)
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


def _settled(recoveries: Sequence[Recovery], finished: Sequence[ev.Event]) -> tuple[str, ...]:
    """Say what a crash had cut off, and what became of it just now."""
    notes = [
        f"the {each.kind} of step {each.step_id}, cut off by a crash, was "
        f"{each.outcome.replace('_', ' ')} just now ({plural(len(files), 'file')})"
        for each in recoveries
        for files in (files_of(each.paths, each.moved),)
    ]
    recovered = {each.of for each in recoveries}
    for event in finished:
        if (
            isinstance(event, ev.LandingUndone | ev.LandingRedone)
            and event.landing not in recovered
        ):
            kind = "undo" if isinstance(event, ev.LandingUndone) else "redo"
            notes.append(f"an earlier {kind} of step {event.step_id} was done when a crash came")
    return tuple(notes)


def _asked_for(
    views: Views, finished: Sequence[ev.Event], step_id: str, way: Way
) -> tuple[Turned, ...]:
    """Return what was finished just now, where that is what is asked for: it is not done twice."""
    kind = ev.LandingUndone if way == "undo" else ev.LandingRedone
    turned = tuple(
        Turned(
            event.step_id,
            event.landing,
            event.paths,
            event.notes,
            files_of(event.paths, event.moved),
        )
        for event in finished
        if isinstance(event, kind) and step_id in {"", ALL, event.step_id}
    )
    left = any(entry.undone == (way == "redo") for entry in views.timeline.landings)
    return () if step_id == ALL and left else turned


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


Done = list[tuple[LandingEntry, Landing]]


class _Turning:
    """Landings on their way back, or forth; each is told to the log as soon as it is done.

    Attributes:
        stuck: What could not be put back after all, in words.
    """

    def __init__(self, lander: Lander, session: Session, views: Views, way: Way) -> None:
        self._lander = lander
        self._act = lander.undo if way == "undo" else lander.redo
        self._session = session
        self._views = views
        self._way: Way = way
        self.stuck: list[str] = []

    async def rehearse(self, chosen: Sequence[LandingEntry]) -> tuple[Done, list[Conflict]]:
        """Write nothing; return what would be, and what is in the way for sure."""
        done: Done = []
        conflicts: list[Conflict] = []
        turned: set[str] = set()
        for entry in chosen:
            landing = await self._act(entry.landing, dry_run=True)
            # What an earlier one of these changes is put right before this one's turn.
            conflicts += [each for each in landing.conflicts if not _touches(turned, each.path)]
            turned.update(entry.paths)
            done.append((entry, landing))
        return done, conflicts

    async def carry_out(self, chosen: Sequence[LandingEntry]) -> tuple[Done, tuple[Conflict, ...]]:
        """Turn all of them, or put back those that were; the tree may be mixed until then."""
        done: Done = []
        try:
            for entry in chosen:
                landing = await self._act(entry.landing)
                if landing.conflicts:
                    await self._put_back(done)
                    return [], landing.conflicts
                done.append((entry, landing))
                self._tell(self._way, entry, landing)
        except LandingError as error:
            await self._put_back(done)
            if self.stuck:
                raise LandingError(" ".join([str(error), *self.stuck])) from error
            raise
        return done, ()

    async def _put_back(self, done: Done) -> None:
        """All or nothing: an undo is a landing, and undoing that lands again."""
        other: Way = "redo" if self._way == "undo" else "undo"
        for number, (entry, earlier) in reversed(list(enumerate(done))):
            try:
                landing = await self._lander.undo(earlier.landing_id)
            except LandingError as error:
                self.stuck = [_stuck(done[: number + 1], self._way, str(error))]
                return
            if landing.conflicts:
                why = "; ".join(f"{each.path}: {each.why}" for each in landing.conflicts)
                self.stuck = [_stuck(done[: number + 1], self._way, f"{why}.")]
                return
            self._tell(other, entry, landing)

    def _tell(self, way: Way, entry: LandingEntry, landing: Landing) -> None:
        kind = ev.LandingUndone if way == "undo" else ev.LandingRedone
        notes = _notes(self._views, way, entry, landing)
        event = kind(entry.step_id, entry.landing, landing.paths, notes, landing.moved)
        self._session.append(event, "user")


def _touches(turned: Collection[str], path: str) -> bool:
    """Tell whether a path, one above it or one below it is among some."""
    return any(path == each or path in parents(each) or each in parents(path) for each in turned)


def _stuck(done: Sequence[tuple[LandingEntry, Landing]], way: Way, why: str) -> str:
    word = "taken back" if way == "undo" else "landed again"
    other = "redo" if way == "undo" else "undo"
    named = named_steps([entry for entry, _ in done])
    return (
        f"{named} stayed {word}, because it could not be put back: {why} Settle that, then "
        f"{other} it."
    )


def _earlier(half: HalfTurned | None) -> tuple[str, ...]:
    return () if half is None else (half_in_words(half),)


def _first(
    views: Views, way: Way, chosen: Sequence[LandingEntry], conflicts: Sequence[Conflict]
) -> tuple[str, ...]:
    """Return steps to undo first: later ones on the same files; to redo: earlier ones."""
    clashing = {each.path for each in conflicts}
    asked = [entry.landing for entry in chosen]
    found: list[str] = []
    for entry in views.timeline.landings:  # ids of landings sort by time
        apart = entry.landing > max(asked) if way == "undo" else entry.landing < min(asked)
        fits = apart and entry.undone == (way == "redo")
        if fits and any(_touches(clashing, path) for path in entry.paths):
            found.append(entry.step_id)
    return tuple(dict.fromkeys(found[::-1] if way == "undo" else found))


def _outcome(views: Views, way: Way, done: Done, conflicts: Sequence[Conflict]) -> Outcome:
    if conflicts:
        return Outcome((), tuple(conflicts))
    turned: list[Turned] = []
    for entry, landing in done:
        notes = _notes(views, way, entry, landing)
        # In a rehearsal of several, one may only be clean after the one before it.
        paths, files = landing.paths, files_of(landing.paths, landing.moved)
        if landing.conflicts:
            paths, files = entry.paths, entry.files
        turned.append(Turned(entry.step_id, entry.landing, paths, notes, files))
    return Outcome(tuple(turned))


def _notes(views: Views, way: Way, entry: LandingEntry, landing: Landing) -> tuple[str, ...]:
    if way == "redo":
        return landing.notes
    return with_outside(landing, views.outside, entry.step_id).notes


# --- in words ------------------------------------------------------------------


def as_json(outcome: Outcome, session_id: str, way: Way, *, dry_run: bool) -> dict[str, object]:
    """Return the object of `--json`; the sides of a conflict are blobs of the state folder."""
    return {
        "session": session_id,
        "dry_run": dry_run,
        "undone" if way == "undo" else "redone": [asdict(each) for each in outcome.turned],
        "conflicts": [asdict(each) for each in outcome.conflicts],
        "notes": [*outcome.notes, *outcome.stuck],
        "first": list(outcome.first),
    }


def in_words(outcome: Outcome, way: Way, *, dry_run: bool) -> list[str]:
    """Say what was turned, file by file."""
    done = "taken back" if way == "undo" else "landed again"
    lines: list[str] = []
    for each in outcome.turned:
        word = f"would be {done}" if dry_run else done
        colon = ":" if each.files or each.notes else ""
        lines.append(f"step {each.step_id} {word}, {plural(len(each.files), 'file')}{colon}")
        lines += [f"  {file}" for file in each.files]
        lines += [f"  note: {note}" for note in each.notes]
    return lines


_BY_HAND: dict[Way, str] = {
    "undo": "make those lines as the step left them",
    "redo": "make those lines as they were before the step",
}
_TAKEN: dict[Way, str] = {
    "undo": "> takes what was there before the step",
    "redo": "> takes what the step made",
}
_KEY: dict[Way, str] = {"undo": "u", "redo": "r"}


def refused_in_words(outcome: Outcome, session_id: str, way: Way) -> list[str]:
    """Say what was cut off earlier, name every file that is in the way, and say what to do."""
    notes = list(outcome.notes)
    if not outcome.conflicts:
        return notes
    named = [f"{each.path}: {each.why}" for each in outcome.conflicts]
    if outcome.stuck:
        return [*notes, *named, *outcome.stuck]
    again = f"turbo-tui session {way} {session_id}"
    app = (
        f"in the app: `turbo-tui session resume {session_id}`, T, choose the step, {_KEY[way]}. At "
        f"each place < keeps what stands there now, {_TAKEN[way]}; then a writes it."
    )
    ways = [f"by hand: {_BY_HAND[way]}, then {way} again.", app]
    if outcome.first:
        first, *more = outcome.first
        apart = "later" if way == "undo" else "earlier"
        so_on = f", and so on with {', '.join(more)}" if more else ""
        ways = [
            f"first {way} what clashes of {apart} steps: `{again} --step {first}`{so_on}.",
            *ways,
        ]
    return [*notes, *named, "nothing was written. Go on in one of these ways:", *ways]
