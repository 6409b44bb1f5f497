"""Let a landing die, or be refused, at any single write: in a forked process, by its number."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.landing.trees import Leaf, read_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.landing import JournalLander, beneath, open_lander

Fault = Literal[
    "kill",
    "torn",
    "refuse once",
    "disk full",
    # Someone else saves the file that a rename is about, right before it and right after it:
    "save",
    "save, kill",  # … killed after that
    "save, refuse",  # … the next write is refused, so it is taken back
]
Act = Callable[[JournalLander], Coroutine[Any, Any, object]]

WRITES = (
    *("write", "fsync", "rename", "replace", "mkdir", "rmdir", "unlink", "symlink", "link"),
    *("fchmod", "chmod", "fchown", "chown", "ftruncate", "setxattr", "open"),
)
GROWING = frozenset({"write", "mkdir", "symlink", "link", "open"})
NEVER = -1
SAVED = SAVED_BEFORE, SAVED_AFTER = b"someone else's, first", b"someone else's, second"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `writes` is how many it made, or 0 when it was killed."""

    killed: bool
    writes: int
    error: str


class Place:
    """A workspace with its state, that can be set back to what was kept of it."""

    def __init__(self, base: Path) -> None:
        self.base = base / "place"
        self.root, self.state = self.base / "ws", self.base / "state"
        self._kept = base / "kept"
        self.root.mkdir(parents=True)
        self.blobs = FolderBlobs(self.state / "blobs")

    @property
    def lander(self) -> JournalLander:
        return open_lander(self.root, self.state, self.blobs)

    def keep(self) -> None:
        """Keep all of it as it is; the journal knows the workspace by its path."""
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.base, self._kept, symlinks=True)

    def set_back(self) -> None:
        shutil.rmtree(self.base)
        shutil.copytree(self._kept, self.base, symlinks=True)

    def tree(self) -> dict[str, Leaf]:
        return read_tree(self.root)

    def saved(self) -> set[bytes]:
        """Return what someone else saved in the faulty process, but for what they overwrote."""
        return _lines(self.base / "saved")

    def renames(self, act: Act) -> list[int]:
        """Do something; return which of its writes are renames and exchanges."""
        self.faulty(act, NEVER)
        return [int(line) for line in (self.base / "renames").read_text().split()]

    def act(self, act: Act) -> Any:
        """Do something to the end, in this process."""
        return asyncio.run(act(self.lander))

    def faulty(self, act: Act, at: int, fault: Fault = "kill") -> Ended:
        """Do something in another process, with a fault at its `at`-th write."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover  # the child's coverage is not written
            tell = os.write
            try:
                said = ""
                with _faults(at, fault, self.base) as count:
                    try:
                        asyncio.run(act(self.lander))
                    except Exception as error:  # noqa: BLE001  told to the parent
                        said = f"{type(error).__name__}: {error}"
                        if type(error).__name__ != "LandingError":
                            said += traceback.format_exc()
                tell(writing, f"{count()} {said}".encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Ended(killed=True, writes=0, error="")
        number, _, said = text.partition(" ")
        return Ended(killed=False, writes=int(number), error=said)


def _about(names: tuple[Any, ...]) -> Path | None:  # pragma: no cover
    """Return the visible path of a rename or an exchange: from_fd, name, to_fd, name."""
    for fd, name in (names[:2], names[2:4]):
        if not name.startswith(beneath.HIDDEN):
            path = Path(f"/proc/self/fd/{fd}").readlink() / name
            return path if not path.is_dir() or path.is_symlink() else None
    return None


def _save(
    path: Path | None, content: bytes, saved: Path, move: Callable[[Path, Path], None]
) -> None:  # pragma: no cover
    """Save as editors do, by rename, and only where a file stands; note what must not be lost."""
    if path is not None and content and path.is_file() and not path.is_symlink():
        kept = {content} if path.read_bytes() in SAVED else {content, *_lines(saved)}
        saved.write_bytes(b"\n".join(sorted(kept)))
        beside = path.with_name("saving")
        beside.write_bytes(content)
        move(beside, path)


def _lines(file: Path) -> set[bytes]:
    return set(file.read_bytes().split(b"\n")) if file.exists() else set()


@contextmanager
def _faults(  # noqa: C901  # one wrapper for every kind of fault
    at: int, fault: Fault, notes: Path
) -> Generator[Callable[[], int]]:  # pragma: no cover
    """Count every call that changes the disk; let the `at`-th go wrong. Never undone."""
    made = 0
    move = os.replace

    def guard(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal made
            if name == "open" and not (len(args) > 1 and args[1] & os.O_CREAT):
                return real(*args, **named)
            number, made = made, made + 1
            if at == NEVER and name == "renameat2":
                with (notes / "renames").open("a") as file:
                    file.write(f"{number}\n")
            if number == at and fault.startswith("save"):
                about = _about(args) if name == "renameat2" else None
                twice = number % 2
                _save(about, SAVED_BEFORE, notes / "saved", move)
                try:
                    done = real(*args, **named)
                finally:
                    _save(about, SAVED_AFTER if twice else b"", notes / "saved", move)
                if fault == "save, kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                return done
            if number == at and fault in {"kill", "torn"}:
                if fault == "torn" and name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            full = fault == "disk full" and at <= number and name in GROWING
            once = {"refuse once": at, "save, refuse": at + 1}.get(fault, NEVER)
            if full or number == once:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **named)

        return call

    for name in WRITES:
        setattr(os, name, guard(name, getattr(os, name)))
    renameat2 = "_renameat2"
    setattr(beneath, renameat2, guard("renameat2", getattr(beneath, renameat2)))
    yield lambda: made
