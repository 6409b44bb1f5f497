"""A command's own home and temporary folder, where no mount can make it a private one.

Whoever uses such a folder holds a lock on it, which the kernel lets go of when that process is
gone, however it ended. So what a killed turbo-tui left is told from what another one uses.

Source: flock(2).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from turbo_tui.core.errors import SandboxError

PREFIX = "turbo-tui-scratch-"
PARTS = ("home", "tmp")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Also of a folder that its owner may not read.
_HANDLE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch_folder(owner_uid: int, owner_gid: int) -> Generator[Path]:
    """Make a scratch folder, and delete it in the end, with whatever a command made of it.

    Args:
        owner_uid: Who may write there, besides us.
        owner_gid: Their group.

    Raises:
        SandboxError: It cannot be made.
    """
    where = Path(tempfile.gettempdir())
    try:
        scratch, lock = make_locked(where)
    except OSError as error:
        raise _not_made(where, error) from error
    try:
        try:
            _furnish(scratch, owner_uid, owner_gid)
        except OSError as error:
            raise _not_made(where, error) from error
        yield scratch
    finally:
        remove(scratch)
        os.close(lock)


def make_locked(where: Path, prefix: str = PREFIX) -> tuple[Path, int]:
    """Make a folder that `delete_left` spares while the returned descriptor is open.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
        # Without a lock yet, another turbo-tui may take it for left behind and delete it.
        with suppress(FileNotFoundError):
            lock = os.open(scratch, _FOLDER)
            if _is_locked(lock):
                return scratch, lock
            os.close(lock)


@cache
def delete_left(where: Path, prefix: str = PREFIX) -> None:
    """Delete, once in the life of this process, what those that were killed left."""
    for left in where.glob(f"{prefix}*"):
        try:
            lock = os.open(left, _FOLDER)
        except OSError:  # gone, or not ours
            continue
        if _is_locked(lock, unknown=False):
            remove(left)
        os.close(lock)


def remove(scratch: Path) -> None:
    """Delete a scratch folder; what cannot be deleted stays, and so does a link in its place."""
    with suppress(RecursionError):  # nested deeper than we can; rm(1) walks without a stack
        shutil.rmtree(scratch, ignore_errors=True)
    try:
        folder = os.open(scratch, _HANDLE)
    except OSError:  # gone, or not the folder that we made
        return
    try:
        # Closed, even to its owner: Go's modules are. Opened by its descriptor, for whoever may
        # write in the temporary folder could put a link in its place meanwhile.
        here = Path(f"/proc/self/fd/{folder}")
        here = here if here.exists() else scratch  # macOS, where that folder is the user's alone
        with suppress(OSError):
            here.chmod(0o700)
            _run("/bin/chmod", "-R", "u+rwx", ".", cwd=here)
        with suppress(OSError):
            _run("/bin/rm", "-rf", "--", str(scratch), cwd=Path("/"))  # follows no link
    finally:
        os.close(folder)


def _run(*words: str, cwd: Path) -> None:
    subprocess.run(
        words,
        cwd=cwd,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _furnish(scratch: Path, owner_uid: int, owner_gid: int) -> None:
    for name in PARTS:
        (scratch / name).mkdir()
    if os.geteuid() == 0:
        for folder in (scratch, *(scratch / name for name in PARTS)):
            os.chown(folder, owner_uid, owner_gid)


def _is_locked(folder: int, *, unknown: bool = True) -> bool:
    """Take the lock of an open folder; return whether it is ours, and the folder still there.

    Args:
        folder: Its descriptor, which holds the lock until it is closed.
        unknown: What to say where the file system has no locks.
    """
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return os.fstat(folder).st_nlink > 0


def _not_made(where: Path, error: OSError) -> SandboxError:
    return SandboxError(
        f"A command's scratch folder cannot be made in {where}: {error.strerror}. Free space "
        "there, or set TMPDIR to a folder that you can write, and start again."
    )
