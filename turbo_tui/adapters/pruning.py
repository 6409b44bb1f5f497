"""Delete old sessions, and what no session refers to any more.

STATE/sessions/ID/           one session
STATE/blobs/                 content that sessions, landings and stages refer to
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.adapters.log_files import LOG, lock_holder, never_began
from turbo_tui.adapters.log_glance import peek, stored_texts
from turbo_tui.adapters.sessions import SessionSummary, sessions_folder
from turbo_tui.adapters.unkept import drop_outdated
from turbo_tui.core import events as ev
from turbo_tui.core.errors import SessionError, TurboError
from turbo_tui.core.landings import Forgotten

GRACE_S = 3600.0  # content younger than this may belong to an event that is not written yet
STAGE_GRACE_S = 86_400.0  # a stage used within may be in use, whatever became of its session
_STAGE_OF = re.compile(r"([0-9]{6}-[0-9]{6}-[0-9a-f]{4})-.+")  # named by the engine's stepping
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune deleted, or would delete.

    Attributes:
        stages: Stage ids of the sessions: their layers are of no use any more.
        texts: How many texts of the user that were put aside long ago.
        journals: How many journals of landings that nothing needs any more.
        landings: How many landings of the sessions stand, and can no longer be taken back.
    """

    sessions: tuple[str, ...]
    stages: tuple[str, ...]
    blobs: int
    size_bytes: int
    texts: int = 0
    journals: int = 0
    landings: int = 0


def _forget_nothing(_: Collection[str]) -> Forgotten:
    return Forgotten()


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
    review or was interrupted holds work that is nowhere else, and is chosen only if told. What
    another version wrote may hold such work, too.
    """
    moment = time.time() if now is None else now
    chosen: list[SessionSummary] = []
    for place, each in enumerate(sorted(summaries, key=_age_key, reverse=True)):
        if each.status == "open" or (
            each.status in {"waiting", "interrupted", "other-version"} and not also_waiting
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
    forget: Callable[[Collection[str]], Forgotten] = _forget_nothing,
    *,
    dry_run: bool = False,
    grace_s: float = GRACE_S,
) -> Pruned:
    """Delete sessions, the blobs that nothing refers to any more, and old texts put aside.

    Args:
        state: The state folder.
        chosen: Sessions to delete.
        forget: Deletes, or names, journals of landings that nothing needs when these are gone.
        dry_run: Delete nothing.
        grace_s: Content younger than this stays.

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
        forgotten = forget(sessions)
        used = _used_blobs(state, FolderBlobs(state / "blobs"), {*sessions}, {*forgotten.journals})
        count, size = _drop_unused_blobs(state, used, dry_run=dry_run, grace_s=grace_s)
        texts, texts_bytes = drop_outdated(state, dry_run=dry_run)
    except OSError as error:
        raise SessionError(
            f"{error.filename or state} cannot be deleted ({error.strerror}); mend its permissions."
        ) from error
    freed += size + texts_bytes + forgotten.size_bytes
    journals = len(forgotten.journals)
    return Pruned(sessions, stages, count, freed, texts, journals, forgotten.landings)


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
    state: Path, used: set[str], *, dry_run: bool, grace_s: float
) -> tuple[int, int]:
    blobs = FolderBlobs(state / "blobs")
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


def _used_blobs(
    state: Path, blobs: FolderBlobs, without: set[str], forgotten: set[Path]
) -> set[str]:
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
        if path in forgotten:
            continue
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
