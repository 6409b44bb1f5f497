"""Sessions on disk: name a new one, list and find them, delete old ones with their content.

STATE/sessions/ID/           one session; ID is `261122-160340-7f3a` (UTC, then chance)
STATE/blobs/                 content that sessions, landings and stages refer to
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.adapters.log_files import LOG, lock_holder, never_began
from turbo_tui.adapters.log_glance import peek, stored_texts
from turbo_tui.adapters.log_head import HEAD
from turbo_tui.adapters.unkept import drop_outdated
from turbo_tui.core import events as ev
from turbo_tui.core.errors import SessionError, TurboError
from turbo_tui.core.views import PlanView

SessionStatus = Literal["open", "waiting", "interrupted", "failed", "done", "empty", "broken"]

GRACE_S = 3600.0  # content younger than this may belong to an event that is not written yet
STAGE_GRACE_S = 86_400.0  # a stage used within may be in use, whatever became of its session
SHOWN_CANDIDATES = 8

_OF_THE_PLAN = frozenset(
    kind.__name__
    for kind in (
        ev.SessionStarted, ev.TaskGiven, ev.PlanProposed, ev.PlanFailed, ev.StepEdited,
        ev.StepAdded, ev.StepRemoved, ev.StepMoved, ev.StepModeSet, ev.StepStarted, ev.StepStaged,
        ev.StepFinished, ev.StepFailed, ev.StepInterrupted, ev.StepSkipped, ev.StepRejected,
        ev.StepApproved, ev.StepLanded, ev.LandingRefused, ev.LandingUndone, ev.LandingRedone,
        ev.LandingRecovered,
    )
)  # fmt: skip
_STAGE_OF = re.compile(r"([0-9]{6}-[0-9]{6}-[0-9a-f]{4})-.+")  # named by the engine's stepping
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in a list.

    Attributes:
        workspace: Absolute path; empty when the log does not say.
        task: The last task given.
        started, last: Seconds since the epoch of its first and last record; 0.0 unknown.
        status: `open`: another process writes it · `waiting`: for a review, or for steps to
            be run · `interrupted`: it was cut off · `failed`: a step or the planning failed ·
            `done` · `empty`: no task · `broken`: its log cannot be read.
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


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune deleted, or would delete.

    Attributes:
        stages: Stage ids of the sessions: their layers are of no use any more.
        texts: How many texts of the user that were put aside long ago.
    """

    sessions: tuple[str, ...]
    stages: tuple[str, ...]
    blobs: int
    size_bytes: int
    texts: int = 0


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


def newest_session(state: Path, workspace: Path) -> str:
    """Return the id of the newest session of a workspace.

    Raises:
        SessionError: There is none.
    """
    nameless: list[str] = []
    for session_id in _newest_first(state):
        where = _workspace_of(sessions_folder(state) / session_id)
        if where == str(workspace):
            return session_id
        if not where:
            nameless.append(session_id)
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
    """Describe one session; a log that cannot be read makes it `broken`, not an error."""
    size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    try:
        glance = peek(folder, _OF_THE_PLAN)
        plan = PlanView()
        for record in glance.records:
            plan.apply(record)
    except TurboError:
        workspace = _workspace_of(folder)
        return SessionSummary(folder.name, workspace, "", 0.0, 0.0, "broken", 0, size)
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
        status="open" if lock_holder(folder) is not None else _status(plan),
        records=glance.count,
        size_bytes=size,
    )


def prunable(
    summaries: Iterable[SessionSummary],
    *,
    keep: int | None = None,
    older_than_s: float | None = None,
    also_waiting: bool = False,
    now: float | None = None,
) -> list[SessionSummary]:
    """Choose what to delete: beyond the newest `keep`, and last used `older_than_s` ago.

    Where both are given, both must hold. What is open is never chosen; what waits for a
    review or was interrupted holds work that is nowhere else, and is chosen only if told.
    """
    moment = time.time() if now is None else now
    chosen: list[SessionSummary] = []
    for place, each in enumerate(sorted(summaries, key=_age_key, reverse=True)):
        if each.status == "open" or (
            each.status in {"waiting", "interrupted"} and not also_waiting
        ):
            continue
        beyond = keep is None or place >= keep
        old = older_than_s is None or moment - each.last >= older_than_s
        if beyond and old:
            chosen.append(each)
    return chosen


def prune(
    state: Path,
    chosen: Iterable[SessionSummary],
    *,
    dry_run: bool = False,
    grace_s: float = GRACE_S,
) -> Pruned:
    """Delete sessions, the blobs that nothing refers to any more, and old texts put aside.

    Raises:
        SessionError: The state folder refuses.
    """
    sessions = tuple(each.session_id for each in chosen)
    folders = [sessions_folder(state) / name for name in sessions]
    stages = tuple(stage for folder in folders for stage in _stages_of(folder))
    freed = sum(
        path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()
    )
    try:
        if not dry_run:
            for folder in folders:
                shutil.rmtree(folder)
            _drop_unused_claims(state, grace_s)
        count, size = _drop_unused_blobs(state, set(sessions), dry_run=dry_run, grace_s=grace_s)
        texts, texts_bytes = drop_outdated(state, dry_run=dry_run)
    except OSError as error:
        raise SessionError(
            f"{error.filename or state} cannot be deleted ({error.strerror}); mend its permissions."
        ) from error
    return Pruned(sessions, stages, count, freed + size + texts_bytes, texts)


def forsaken_stages(state: Path, *, grace_s: float = STAGE_GRACE_S) -> list[str]:
    """Return ids of stages whose session is gone, so that nothing can take them up again.

    A session that is there can be resumed, whatever became of it: its stages are never among
    them. Nor is one that is young, or whose name no session gave it.
    """
    newest = time.time() - grace_s
    found: list[str] = []
    try:
        sessions = {path.name for path in sessions_folder(state).iterdir()}
        for stage in (state / "stages").iterdir():
            named = _STAGE_OF.fullmatch(stage.name)
            if named and named[1] not in sessions and stage.stat().st_mtime <= newest:
                found.append(stage.name)
    except OSError:  # what cannot be looked at is left alone, and all after it
        return found
    return sorted(found)


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


def _workspace_of(folder: Path) -> str:
    try:
        records = peek(folder, {ev.SessionStarted.__name__}).records
    except TurboError:
        return ""
    event = records[0].event if records else None
    return event.workspace if isinstance(event, ev.SessionStarted) else ""


def _status(plan: PlanView) -> SessionStatus:
    statuses = {state.status for state in plan.steps}
    if plan.planning or statuses & {"running", "interrupted", "approved"}:
        return "interrupted"
    if statuses & {"staged", "conflict", "proposed"} or any(s.reviewable for s in plan.steps):
        return "waiting"
    if plan.failure or "failed" in statuses:
        return "failed"
    return "done" if statuses else "empty"


def _age_key(summary: SessionSummary) -> tuple[float, str]:
    return summary.started, summary.session_id


def _stages_of(folder: Path) -> list[str]:
    try:
        records = peek(folder, {ev.StepStarted.__name__}).records
    except TurboError:
        return []
    return [each.event.stage_id for each in records if isinstance(each.event, ev.StepStarted)]


def _drop_unused_claims(state: Path, grace_s: float) -> None:
    """Delete folders of sessions that never began."""
    newest = time.time() - grace_s
    for folder in sessions_folder(state).glob("*"):
        if folder.stat().st_mtime <= newest and never_began(folder) and lock_holder(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)


def _drop_unused_blobs(
    state: Path, without: set[str], *, dry_run: bool, grace_s: float
) -> tuple[int, int]:
    blobs = FolderBlobs(state / "blobs")
    used = _used_blobs(state, blobs, without)
    newest = time.time() - grace_s
    count = size = 0
    for blob in blobs:
        if blob in used or blobs.path(blob).stat().st_mtime > newest:
            continue
        count += 1
        size += blobs.size_bytes(blob)
        if not dry_run:
            blobs.remove(blob)
    for left in blobs.leftovers():
        with suppress(OSError):  # it may end while we look
            if left.stat().st_mtime <= newest and not dry_run:
                left.unlink()
    return count, size


def _used_blobs(state: Path, blobs: FolderBlobs, without: set[str]) -> set[str]:
    """Return every blob that is named anywhere, directly or in a change set that is.

    Anything that looks like a hash counts: in logs, in the landing journals, in what stages
    keep about themselves. Too much is kept rather than lost; a log that cannot be read may
    name any blob, so then all are kept.
    """
    todo: set[str] = set()
    try:
        for session in sessions_folder(state).glob("*"):
            if session.name not in without and (session / LOG).exists():
                for text in stored_texts(session):
                    todo.update(_HASH.findall(text))
    except SessionError:
        return set(blobs)
    for path in _naming_files(state):
        todo |= _hashes_in(path)
    used: set[str] = set()
    while todo:
        blob = todo.pop()
        if blob in used or blob not in blobs:
            continue
        used.add(blob)
        path = blobs.path(blob)
        with path.open("rb") as file:
            names_others = file.read(1) in {b"{", b"["}  # a change set is canonical JSON
        if names_others:
            todo |= _hashes_in(path) - used
    return used


def _naming_files(state: Path) -> Iterator[Path]:
    yield from (path for path in (state / "landings").rglob("*") if path.is_file())
    # A stage's layers are the user's files; what names blobs lies beside them.
    yield from (path for path in (state / "stages").glob("*/*") if path.is_file())


def _hashes_in(path: Path) -> set[str]:
    found: set[str] = set()
    rest = ""
    try:
        with path.open(encoding="latin-1") as file:
            while chunk := file.read(1 << 20):
                piece = rest + chunk
                found.update(_HASH.findall(piece))
                rest = piece[-80:]  # a hash may lie across the cut
    except FileNotFoundError:
        return found  # a stage or journal that ended meanwhile
    return found
