"""The landing journal: what is about to be written, durable before it is.

One file per landing, `STATE/landings/WORKSPACE-KEY/NNNNNN-RANDOM.jsonl`, folders 0700. Each line
is a checksum and a JSON object; the first says all that is intended, later ones how far it got.
A torn last line is a crash while writing it and counts as not written; any other broken line is
an error. Hashes stand there in the open, so that a prune sees which contents an undo still needs.
A lock file beside them keeps two processes' landings on one workspace apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, cast

from turbo_tui.core.changes import ChangeSet, Node, from_json, to_json
from turbo_tui.core.errors import LandingError, SessionError
from turbo_tui.landing.operations import Operation, OperationKind

Progress = Literal["begun", "committed", "rolling_back", "rolled_back", "done", "cleaned"]

_VERSION = 1
_SUM_LENGTH = 16
_LOCK_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Entry:
    """One landing as the journal knows it.

    Attributes:
        at: When it began, seconds since the epoch.
        undoes: Id of the landing it takes back; empty for a step's own.
        changes: What it writes, as approved.
        operations: The same as single operations, in order.
        progress: How far it got.
        left_alone: Paths that a third party changed meanwhile, once done.
    """

    landing_id: str
    session_id: str
    step_id: str
    at: float
    workspace: str
    undoes: str
    changes: ChangeSet
    operations: tuple[Operation, ...]
    progress: Progress = "begun"
    left_alone: tuple[str, ...] = ()


class Journal:
    """The landings of one workspace, oldest first by id."""

    def __init__(self, state: Path, workspace: Path, *, key: str = "") -> None:
        key = key or hashlib.sha256(os.fsencode(workspace)).hexdigest()[:16]
        self._workspace = workspace
        self._folder = state / "landings" / key

    @classmethod
    def every(cls, state: Path) -> list[Journal]:
        """Return the journals of all workspaces; the key is all that is known of these."""
        folders = sorted(path for path in (state / "landings").glob("*") if path.is_dir())
        return [cls(state, folder, key=folder.name) for folder in folders]

    @contextmanager
    def locked(self, wait_s: float) -> Generator[None]:
        """Hold the workspace's landing lock.

        Raises:
            LandingError: Another process kept it for `wait_s`, or the state folder refuses.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._acquire(fd, wait_s)
            yield
        finally:
            os.close(fd)

    def _acquire(self, fd: int, wait_s: float) -> None:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(_LOCK_POLL_S)
                    continue
                holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
                raise LandingError(
                    f"Another turbo-tui (process {holder}) has been landing changes in "
                    f"{self._workspace} for over {wait_s:.0f} s. Nothing was landed; "
                    "try again when it is done, or end that process."
                ) from None
            with suppress(OSError):  # only tells others whom they wait for
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
            return

    def new_id(self) -> str:
        """Make an id that sorts after every other; call it under the lock."""
        last = max((path.stem for path in self._files()), default="0")
        return f"{int(last.split('-')[0]) + 1:06d}-{secrets.token_hex(4)}"

    def begin(self, entry: Entry) -> None:
        """Write down what is intended, durably."""
        shape: dict[str, object] = {
            "kind": "begun",
            "v": _VERSION,
            "landing_id": entry.landing_id,
            "session_id": entry.session_id,
            "step_id": entry.step_id,
            "at": entry.at,
            "workspace": str(entry.workspace),
            "undoes": entry.undoes,
            "changes": to_json(entry.changes).decode("ascii"),
            "operations": [asdict(operation) for operation in entry.operations],
        }
        self._append(entry.landing_id, shape)
        try:
            self._sync_folder()
        except OSError as error:
            raise self._refused(error) from error

    def mark(self, entry: Entry, progress: Progress, left_alone: tuple[str, ...] = ()) -> None:
        """Write down how far a landing got, durably."""
        self._append(entry.landing_id, {"kind": progress, "left_alone": left_alone})

    def entry(self, landing_id: str) -> Entry:
        """Return one landing.

        Raises:
            LandingError: No such landing on this workspace, or its journal is broken.
        """
        found = None
        path = self.path(landing_id)
        if path in self._files():
            found = self._read(path)
        if found is None:
            raise LandingError(
                f"No landing {landing_id!r} is known for {self._workspace}. "
                "`turbo-tui session show` lists what landed."
            )
        return found

    def entries(self) -> list[Entry]:
        """Return every landing, oldest first.

        Raises:
            LandingError: A journal is broken; the message names file and line.
        """
        read = (self._read(path) for path in self._files())
        return [entry for entry in read if entry is not None]

    def forget_unbegun(self) -> None:
        """Delete journals whose first line is torn: their landing never touched the tree."""
        for path in self._files():
            if self._read(path) is None:
                path.unlink(missing_ok=True)

    def path(self, landing_id: str) -> Path:
        """Return where a landing's journal lies."""
        return self._folder / f"{landing_id}.jsonl"

    def remove(self, landing_ids: Iterable[str]) -> None:
        """Delete landings, oldest first, so that a crash leaves the later ones; under the lock."""
        for landing_id in landing_ids:
            try:
                self.path(landing_id).unlink(missing_ok=True)
            except OSError as error:
                raise self._refused(error) from error

    def is_empty(self) -> bool:
        """Tell whether nothing was ever landed here."""
        return not self._files()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*-*.jsonl"))

    def _append(self, landing_id: str, shape: dict[str, object]) -> None:
        text = json.dumps(shape, sort_keys=True, separators=(",", ":")).encode("ascii")
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            fd = os.open(self.path(landing_id), flags, 0o600)
            try:
                start = _drop_torn_line(fd)
                try:
                    _write_all(fd, _checksum(text) + b" " + text + b"\n")
                    os.fsync(fd)
                except OSError:
                    os.ftruncate(fd, start)  # no torn line may stand before a later one
                    raise
            finally:
                os.close(fd)
        except OSError as error:
            raise self._refused(error) from error

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _refused(self, error: OSError) -> LandingError:
        return LandingError(
            f"The landing journal in {self._folder} cannot be written ({error.strerror}). "
            "Make room there or mend its permissions, then try again."
        )

    def _read(self, path: Path) -> Entry | None:
        entry: Entry | None = None
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise LandingError(
                f"The landing journal {path} cannot be read ({error.strerror}). Nothing was "
                "changed; mend its permissions and try again."
            ) from error
        for number, line in enumerate(lines, 1):
            total, _, text = line.partition(b" ")
            if total != _checksum(text):
                if number == len(lines):  # what follows the last newline: nothing, or torn
                    break
                raise self._broken(path, number, "its checksum does not fit")
            try:
                shape = cast("dict[str, object]", json.loads(text))
                entry = _begun(shape) if entry is None else _advanced(entry, shape)
            except (ValueError, KeyError, TypeError, SessionError) as error:
                raise self._broken(path, number, str(error)) from error
        return entry

    def _broken(self, path: Path, number: int, why: str) -> LandingError:
        return LandingError(
            f"The landing journal {path}, line {number}, cannot be read: {why}. Nothing was "
            f"changed. Move the file away to go on without it; the landing it describes in "
            f"{self._workspace} can then not be undone or completed."
        )


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_SUM_LENGTH].encode()


def _drop_torn_line(fd: int) -> int:
    """Cut off what a crash left after the last newline; return the size then."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        size = os.pread(fd, size, 0).rfind(b"\n") + 1
        os.ftruncate(fd, size)
    return size


def _write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _begun(shape: dict[str, object]) -> Entry:
    if shape["kind"] != "begun" or shape["v"] != _VERSION:
        raise ValueError("it does not begin a landing in a form that this version knows")
    operations = cast("list[dict[str, object]]", shape["operations"])
    return Entry(
        landing_id=str(shape["landing_id"]),
        session_id=str(shape["session_id"]),
        step_id=str(shape["step_id"]),
        at=float(cast("float", shape["at"])),
        workspace=str(shape["workspace"]),
        undoes=str(shape["undoes"]),
        changes=from_json(str(shape["changes"]).encode("ascii")),
        operations=tuple(_operation(operation) for operation in operations),
    )


def _operation(shape: dict[str, object]) -> Operation:
    return Operation(
        kind=cast("OperationKind", shape["kind"]),
        path=str(shape["path"]),
        before=_node(shape["before"]),
        after=_node(shape["after"]),
        temp=str(shape["temp"]),
        like=str(shape["like"]),
    )


def _node(shape: object) -> Node | None:
    return None if shape is None else Node(**cast("dict[str, object]", shape))  # type: ignore[arg-type]


def _advanced(entry: Entry, shape: dict[str, object]) -> Entry:
    left_alone = tuple(cast("list[str]", shape["left_alone"]))
    progress = cast("Progress", shape["kind"])
    return replace(entry, progress=progress, left_alone=left_alone or entry.left_alone)
