"""Read a workspace for edits that the user applies, and land them as a session of its own."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from turbo_tui import __version__
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.sessions import new_session_id, sessions_folder
from turbo_tui.commands.undoing import keep_checkpoint
from turbo_tui.core import changes as ch
from turbo_tui.core import events as ev
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Conflict
from turbo_tui.core.plan import Step
from turbo_tui.core.redact import Redactor, secrets_of
from turbo_tui.core.session import Session
from turbo_tui.edits.outcome import EditedFile, UnreachableError
from turbo_tui.wiring import Workspace
from turbo_tui.wiring.workspace import make_state

_STEP = "s1"
_NEW_FILE = 0o666
_EXECUTE = 0o111
_WRITE = 0o222
_MOST_BYTES = 64_000_000
_MOST_LISTED = 200_000
_SKIPPED_FOLDERS = frozenset({".git", ".turbo", "node_modules", "__pycache__", ".venv", ".tox"})


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of a landing; with conflicts nothing was written."""

    session: str = ""
    notes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


class Ground:
    """A workspace as edits find it, and where they land."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._root = workspace.root
        self._read: dict[str, bytes] = {}

    # --- reading -----------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Tell whether a file of the workspace has this name."""
        try:
            return (self._root / ch.checked_path(path)).is_file()
        except (ValueError, OSError):
            return False

    def real(self, path: str) -> str:
        """Return where a path leads, links followed.

        Raises:
            UnreachableError: Outside the workspace, or in a circle.
        """
        place = os.fspath(self._root / path)
        try:
            real = os.path.realpath(place)
            circle = Path(real).is_symlink()  # realpath gives up at one and returns the link
        except OSError as error:
            raise UnreachableError(_unreadable(error)) from error
        if circle:
            raise UnreachableError("its symbolic link leads in a circle")
        if not Path(real).is_relative_to(self._root):
            raise UnreachableError(
                f"a symbolic link leads outside the workspace, to {real}; that is not followed"
            )
        return os.path.relpath(real, self._root)

    def read(self, path: str) -> bytes | None:
        """Return a file's content; None where nothing stands.

        Raises:
            UnreachableError: It is no file, or may not be read.
        """
        place = self._root / path
        try:
            # Without O_NONBLOCK a named pipe would hang us.
            fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise UnreachableError(_unreadable(error)) from error
        try:
            _refuse_others(os.fstat(fd))
            with os.fdopen(os.dup(fd), "rb") as file:
                content = file.read()
        finally:
            os.close(fd)
        self._read[path] = content
        return content

    def paths(self) -> Iterator[str]:
        """List the workspace's files, without those of tools and packages."""
        listed = 0
        for folder, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
            for name in sorted(files):
                yield os.path.relpath(os.path.join(folder, name), self._root)  # noqa: PTH118  many
                listed += 1
                if listed >= _MOST_LISTED:
                    return

    def doubts(self, files: Sequence[EditedFile]) -> Iterator[str]:
        """Say what permissions have against edits: a file's own stop nothing, its folder's do."""
        for file in files:
            place = self._root / file.path
            if place.exists() and not place.stat().st_mode & _WRITE:
                yield f"{file.path} is read-only: it changes all the same, and stays read-only"
            folder = next(each for each in place.parents if each.is_dir())
            if not os.access(folder, os.W_OK | os.X_OK):
                yield f"{file.path} cannot land: you may not write in {folder}"

    # --- landing -----------------------------------------------------------------

    async def land(self, files: Sequence[EditedFile]) -> Landed:
        """Write the files through the journal, and log it as a session that can be undone.

        Raises:
            WorkspaceError: The state cannot be written, or the disk or a permission refused.
        """
        workspace = self._workspace
        make_state(workspace.state)
        every = [self._change(file) for file in files]
        # A mode that a diff asks for may be what the file has.
        changes = ch.ChangeSet(
            tuple(one for one in every if one.moved_from or one.before != one.after)
        )
        if not changes.files:
            return Landed()
        blob = workspace.blobs.put(ch.to_json(changes))
        identity = new_session_id(workspace.state)
        paths = tuple(change.path for change in changes.files)
        title = f"apply edits to {_counted(paths)}"
        store = SqliteEventStore(sessions_folder(workspace.state) / identity)
        session = Session(store, clock=time.time, redact=Redactor(secrets_of(os.environ)))
        program = f"turbo-tui {__version__}"
        try:
            for event in (
                ev.SessionStarted(identity, os.fspath(workspace.root), program),
                ev.TaskGiven(title),
                ev.PlanProposed(title, "user", (Step(_STEP, title, "Edits you applied."),)),
                ev.StepStarted(_STEP, 1, "", "none"),
                ev.StepStaged(_STEP, blob, paths, checks_passed=True),
                # Durable before the landing: a crash then leaves a session that can be undone.
                ev.StepApproved(_STEP, blob, blob),
            ):
                session.append(event, "user")
            return await self._written(session, changes, title)
        finally:
            session.close()

    async def _written(self, session: Session, changes: ch.ChangeSet, title: str) -> Landed:
        identity = session.session_id
        try:
            landing = await self._workspace.lander.land(changes, session_id=identity, step_id=_STEP)
        except LandingError as error:
            session.append(ev.LandingRefused(_STEP, {"workspace": str(error)}))
            raise
        if landing.conflicts:
            why = {conflict.path: conflict.why for conflict in landing.conflicts}
            session.append(ev.LandingRefused(_STEP, why))
            return Landed(conflicts=landing.conflicts, notes=landing.notes)
        told = landing.landing_id, landing.paths, landing.notes
        session.append(ev.StepLanded(_STEP, *told, moved=landing.moved))
        checkpoints = self._workspace.checkpoints
        if checkpoints is None:
            return Landed(identity, landing.notes)
        missing = await keep_checkpoint(checkpoints, landing, title, session)
        return Landed(identity, (*landing.notes, *filter(None, (missing,))))

    def _change(self, file: EditedFile) -> ch.FileChange:
        source = file.moved_from or file.path
        before = None if file.action == "add" else self._before(source)
        like = before or (self._before(file.like) if file.like else None)
        after = None
        if file.content is not None:
            mode = like.mode if like is not None else _NEW_FILE & ~_umask()
            if file.mode:
                mode = mode | _EXECUTE & ~_umask() if file.mode & _EXECUTE else mode & ~_EXECUTE
            after = ch.Node(
                "file", mode, len(file.content), self._workspace.blobs.put(file.content)
            )
        return ch.FileChange(file.path, before, after, file.moved_from)

    def _before(self, path: str) -> ch.Node:
        """Describe a file as it was read: the landing refuses if it is another by then."""
        content = self._read[path]
        mode = stat.S_IMODE((self._root / path).stat().st_mode)
        return ch.Node("file", mode, len(content), self._workspace.blobs.put(content))


def _refuse_others(status: os.stat_result) -> None:
    """Refuse what is no file of a size that can be edited.

    Raises:
        UnreachableError: It is none.
    """
    if stat.S_ISDIR(status.st_mode):
        raise UnreachableError("it is a folder; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise UnreachableError("it is no regular file")
    if status.st_size > _MOST_BYTES:
        raise UnreachableError(
            f"it has {status.st_size:,} bytes; files of up to {_MOST_BYTES:,} are edited"
        )


def _unreadable(error: OSError) -> str:
    if error.errno == errno.ENOTDIR:
        return "a file stands where its folder would be"
    if error.errno == errno.ENAMETOOLONG:
        return "its path is longer than the file system takes"
    if error.errno == errno.ENXIO:
        return "it is no regular file"
    return f"it cannot be read ({error.strerror})"


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _counted(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} files"
