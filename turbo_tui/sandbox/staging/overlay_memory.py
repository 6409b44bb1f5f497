"""What is known of overlays over a workspace, so that a start need not try or meet it again.

That one could be mounted is believed for a day under equal circumstances, and until a mount fails.
That one met a file of another owner, which it cannot change without root, is believed for as long
as that file has that owner. A memory that cannot be read is no memory.
"""

from __future__ import annotations

import ctypes
import errno
import json
import locale
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from turbo_tui.sandbox.staging.overlay import why_not

MAX_AGE_S = 86_400.0
MOST_BYTES = 262_144
MOST = 200  # workspaces


@dataclass(frozen=True, slots=True)
class OverlayMemory:
    """A file that all workspaces of a state folder share; the last writer wins.

    Attributes:
        file: Ours alone.
        workspace: Resolved.
    """

    file: Path
    workspace: Path

    def why_no_overlay(self, stages: Path, *, believe: bool) -> str | None:
        """Return None where a stage can be an overlay, else the reason with its mend.

        Args:
            stages: Where a trial is made; it must exist.
            believe: What is remembered counts, and what is found out is remembered.

        Raises:
            OSError: Nothing can be written to `stages`.
        """
        foreign = self.foreign() if believe else ""
        if foreign:
            return foreign_words(foreign)
        held = believe and self.held()
        why = why_not(self.workspace, stages, tried=held)
        if why is None and believe and not held:
            self.keep()
        return why

    def held(self) -> bool:
        """Say whether an overlay could be mounted here under the circumstances of now."""
        known = self._load().get(os.fspath(self.workspace), {})
        tried = known.get("tried_at")
        fresh = isinstance(tried, int | float) and 0 <= time.time() - tried < MAX_AGE_S
        return fresh and known.get("circumstances") == self._circumstances()

    def foreign(self) -> str:
        """Name a file that an overlay cannot change, if it still is so; empty for none."""
        path = self._load().get(os.fspath(self.workspace), {}).get("foreign")
        return foreign_at(self.workspace, path) if isinstance(path, str) else ""

    def keep(self, *, foreign: str = "") -> None:
        """Write that one could be mounted just now, or which file it cannot change."""
        now: dict[str, object] = {"tried_at": time.time(), "circumstances": self._circumstances()}
        self._write({**now, "foreign": foreign} if foreign else now)

    def forget(self) -> None:
        """Believe nothing of this workspace any more."""
        self._write(None)

    def _circumstances(self) -> dict[str, object]:
        """Return what a mount depends on and no mount is needed to see; also what never is one."""
        kernel = os.uname()
        with suppress(OSError):
            at, state = self.workspace.stat(), self.file.parent.stat()
            return {
                "kernel": f"{kernel.release} {kernel.version}",
                "user": [os.geteuid(), os.getegid()],
                "namespace": os.fspath(Path("/proc/self/ns/user").readlink()),
                "workspace": [at.st_dev, at.st_ino],
                "state": [state.st_dev, state.st_ino],
            }
        return {"unknown": time.time()}

    def _load(self) -> dict[str, dict[str, object]]:
        try:
            fd = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                at = os.fstat(fd)
                if not stat.S_ISREG(at.st_mode) or at.st_uid != os.geteuid() or at.st_mode & 0o022:
                    return {}
                value: object = json.loads(file.read(MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(value, dict):
            return {}
        known = cast("dict[str, object]", value)
        return {
            path: cast("dict[str, object]", each)
            for path, each in known.items()
            if isinstance(each, dict)
        }

    def _write(self, fresh: dict[str, object] | None) -> None:
        known = self._load()
        known.pop(os.fspath(self.workspace), None)
        if fresh is not None:
            known[os.fspath(self.workspace)] = fresh
        newest = dict([*known.items()][-MOST:])
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):  # then it is tried again
            beside.unlink(missing_ok=True)
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump(newest, file)
            beside.replace(self.file)


def speaks_of_overflow(said: str) -> bool:
    """Say whether a program may have met EOVERFLOW, in whatever language it says so.

    No more than a hint, which is to be confirmed by the owners of files: nothing else tells what
    a call in some process of a command was answered.
    """
    folded = said.casefold()
    return any(word in folded for word in _overflow_words())


@cache
def _overflow_words() -> frozenset[str]:
    """Return the name of the error, and what the C library says of it in C and to the user."""
    words = {"eoverflow", "value too large", os.strerror(errno.EOVERFLOW).casefold()}
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.newlocale.restype = ctypes.c_void_p
        libc.strerror_l.restype = ctypes.c_char_p
        libc.strerror_l.argtypes = [ctypes.c_int, ctypes.c_void_p]
        theirs = libc.newlocale(1 << locale.LC_MESSAGES, b"", None)
        if theirs:
            said = libc.strerror_l(errno.EOVERFLOW, theirs)
            words.add(said.decode("utf-8", "replace").casefold())
    return frozenset(words)


def foreign_words(path: str) -> str:
    """Say why a workspace with this path in it is copied."""
    return (
        f"{path} belongs to another user or group, which an overlay without root cannot change; "
        "chown it to yourself"
    )


def foreign_at(workspace: Path, path: str) -> str:
    """Return the part of a path that an overlay without root cannot copy up; empty for none.

    The outermost one: what lies in a folder of another owner cannot be changed before it is.
    """
    if os.geteuid() == 0:
        return ""
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    for end in range(1, len(parts) + 1):
        with suppress(OSError):
            if _is_foreign((workspace / "/".join(parts[:end])).lstat()):
                return "/".join(parts[:end])
    return ""


def foreign_in(workspace: Path, said: str) -> str:
    """Find a path that an overlay without root cannot copy up; empty for none.

    Args:
        workspace: All of it is looked at, some 5 microseconds a name.
        said: What a command printed: a path that it names is taken before any other.
    """
    if os.geteuid() == 0:
        return ""
    first, todo = "", [""]
    while todo:
        folder = todo.pop()
        with suppress(OSError), os.scandir(workspace / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                with suppress(OSError):
                    if _is_foreign(entry.stat(follow_symlinks=False)):
                        if entry.name in said:
                            return path
                        first = first or path
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
    return first


def _is_foreign(found: os.stat_result) -> bool:
    # One user and one group are mapped into the namespace of the mount; user_namespaces(7).
    return (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid())
