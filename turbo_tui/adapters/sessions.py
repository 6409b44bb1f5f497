"""Sessions on disk: name a new one, list and find them.

STATE/sessions/ID/           one session; ID is `261122-160340-7f3a` (UTC, then chance)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from turbo_tui.adapters.log_files import LOG, lock_holder, never_began
from turbo_tui.adapters.log_glance import peek
from turbo_tui.adapters.log_head import HEAD
from turbo_tui.core import events as ev
from turbo_tui.core.errors import OtherVersionError, SessionError, TurboError
from turbo_tui.core.ports import Record
from turbo_tui.core.views import PlanView

SessionStatus = Literal[
    "open",
    "planned",
    "waiting",
    "interrupted",
    "failed",
    "done",
    "empty",
    "broken",
    "other-version",
]

Wanted = Literal["none", "task", "work", "landed"]

SHOWN_CANDIDATES = 8

_OF_THE_PLAN = frozenset(
    kind.__name__
    for kind in (
        ev.SessionStarted, ev.TaskGiven, ev.PlanProposed, ev.PlanFailed, ev.StepEdited,
        ev.StepAdded, ev.StepRemoved, ev.StepMoved, ev.StepModeSet, ev.PlanEditTakenBack,
        ev.StepStarted, ev.StepStaged,
        ev.StepFinished, ev.StepFailed, ev.StepInterrupted, ev.StepSkipped, ev.StepRejected,
        ev.StepApproved, ev.StepLanded, ev.LandingRefused, ev.LandingUndone, ev.LandingRedone,
        ev.LandingRecovered, ev.RunFinished,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in a list.

    Attributes:
        workspace: Absolute path; empty when the log does not say.
        task: The last task given.
        started, last: Seconds since the epoch of its first and last record; 0.0 unknown.
        status: `open`: another process writes it · `planned`: a plan was all that was asked
            for · `waiting`: for a review, or for steps to be run · `interrupted`: it was cut
            off · `failed`: a step or the planning failed ·
            `done` · `empty`: no task · `broken`: its log cannot be read · `other-version`:
            another turbo-tui wrote it, and reads it.
        size_bytes: Of its folder; blobs are shared and not counted.
    """

    session_id: str
    workspace: str
    task: str
    started: float
    last: float
    status: SessionStatus
    records: int
    size_bytes: int


def sessions_folder(state: Path) -> Path:
    """Return the folder that holds a folder for each session."""
    return state / "sessions"


def new_session_id(state: Path, *, now: float | None = None) -> str:
    """Claim an id for a new session: its folder is made, so that no other process takes it.

    Raises:
        SessionError: The state folder cannot be written.
    """
    folder = sessions_folder(state)
    now = time.time() if now is None else now
    # Ids are sorted to find the newest, so the second's 256th part comes before the random one.
    stamp = f"{time.strftime('%y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 256):02x}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            session_id = f"{stamp}{token_hex(1)}"
            try:
                (folder / session_id).mkdir(mode=0o700)
            except FileExistsError:
                continue
            return session_id
    except OSError as error:
        raise SessionError(
            f"A session cannot be made in {folder} ({error.strerror}); make room or mend its "
            "permissions, or set TURBO_TUI_HOME to another folder."
        ) from error


def list_sessions(state: Path, workspace: Path | None = None) -> list[SessionSummary]:
    """List the sessions of a workspace, or all, newest first. Broken ones of any are listed."""
    wanted = "" if workspace is None else str(workspace)
    found = [summary_of(sessions_folder(state) / name) for name in _newest_first(state)]
    return [each for each in found if not wanted or each.workspace in {wanted, ""}]


def newest_session(state: Path, workspace: Path, wanted: Wanted = "task") -> str:
    """Return the id of the newest session of a workspace that has what is wanted.

    Where none has, the newest that has a task, or else the newest: an app that was only looked
    into leaves one that is not meant.

    Args:
        state: Our state folder.
        workspace: Whose sessions.
        wanted: A task that was given; work that waits or was cut off; or something that landed,
            though it may have been taken back.

    Raises:
        SessionError: There is none.
    """
    nameless: list[str] = []
    found: dict[Wanted, str] = {}
    for session_id in _newest_first(state):
        folder = sessions_folder(state) / session_id
        where = _workspace_of(folder)
        if not where:
            nameless.append(session_id)
        if where != str(workspace):
            continue
        has = _what_it_has(folder)
        if wanted in has:
            return session_id
        for each in ("none", *has):
            found.setdefault(each, session_id)
    if found:
        return found.get("task") or found["none"]
    if nameless:
        raise SessionError(
            f"{workspace} has no session whose log can be read; broken, of this or another "
            f"workspace: {', '.join(nameless[:SHOWN_CANDIDATES])}. "
            f"See what is wrong with: turbo-tui session verify {nameless[0]}"
        )
    raise SessionError(
        f"{workspace} has no session yet. `turbo-tui session list --all` lists those of other "
        "workspaces."
    )


def find_session(state: Path, text: str) -> str:
    """Return the id that `text` means: a whole id, or the beginning of it or of its last part.

    Raises:
        SessionError: None or several fit; the message names candidates.
    """
    names = list(_newest_first(state))
    if text in names:
        return text
    fitting = [
        name for name in names if text and (name.startswith(text) or _tail(name).startswith(text))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        shown = ", ".join(fitting[:SHOWN_CANDIDATES])
        more = f" and {len(fitting) - SHOWN_CANDIDATES} more" * (len(fitting) > SHOWN_CANDIDATES)
        raise SessionError(
            f"{text!r} fits {len(fitting)} sessions: {shown}{more}. Give more of it."
        )
    raise SessionError(
        f"There is no session {text!r}; `turbo-tui session list --all` lists those there are."
    )


def summary_of(folder: Path) -> SessionSummary:
    """Describe one session; a log that cannot be read is a status, not an error."""
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    try:
        glance = peek(folder, _OF_THE_PLAN)
        plan = PlanView()
        for record in glance.records:
            plan.apply(record)
    except TurboError as error:
        workspace = _workspace_of(folder)
        status = "other-version" if isinstance(error, OtherVersionError) else "broken"
        return SessionSummary(folder.name, workspace, "", 0.0, 0.0, status, 0, size)
    started = glance.records[0] if glance.records else None
    where = (
        started.event.workspace if started and isinstance(started.event, ev.SessionStarted) else ""
    )
    return SessionSummary(
        session_id=folder.name,
        workspace=where,
        task=plan.task,
        started=started.at if started else 0.0,
        last=glance.last_at,
        status="open" if lock_holder(folder) is not None else _status(plan, glance.records),
        records=glance.count,
        size_bytes=size,
    )


# --- inside ------------------------------------------------------------------


def _newest_first(state: Path) -> Iterator[str]:
    folder = sessions_folder(state)
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir(), reverse=True):
        # A folder that was only claimed holds no log yet, or one cut off before its beginning.
        if ((path / LOG).exists() or (path / HEAD).exists()) and not never_began(path):
            yield path.name


def _tail(session_id: str) -> str:
    return session_id.rpartition("-")[2]


def _what_it_has(folder: Path) -> tuple[Wanted, ...]:
    plan = PlanView()
    landed = False
    try:
        records = peek(folder, _OF_THE_PLAN).records
        for record in records:
            plan.apply(record)
            # An approval alone may be of a landing that a crash cut off.
            landed |= isinstance(
                record.event, ev.StepApproved | ev.StepLanded | ev.LandingRecovered
            )
    except TurboError:
        return ("task", "work", "landed")  # what is wrong with the newest is told, not passed over
    works = _status(plan, records) in {"waiting", "interrupted"} or any(
        state.status == "failed" for state in plan.steps
    )
    given: list[tuple[Wanted, bool]] = [
        ("task", bool(plan.task) or landed),
        ("work", works),
        ("landed", landed),
    ]
    return tuple(what for what, has in given if has)


def _workspace_of(folder: Path) -> str:
    try:
        records = peek(folder, {ev.SessionStarted.__name__}).records
    except TurboError:
        return ""
    event = records[0].event if records else None
    return event.workspace if isinstance(event, ev.SessionStarted) else ""


def _status(plan: PlanView, records: Sequence[Record]) -> SessionStatus:
    statuses = {state.status for state in plan.steps}
    last = records[-1].event if records else None
    if statuses == {"proposed"} and isinstance(last, ev.RunFinished) and last.status == "done":
        return "planned"
    if plan.planning or statuses & {"running", "interrupted", "approved"}:
        return "interrupted"
    if statuses & {"staged", "conflict", "proposed"} or any(s.reviewable for s in plan.steps):
        return "waiting"
    if plan.failure or "failed" in statuses:
        return "failed"
    return "done" if statuses else "empty"
