"""Why a search worker ended: a small file beside the index, kept by the worker and its clients.

    2026-11-23T08:15:00Z 4711 started: turbo-tui 1.0.0, Python 3.11.2
    2026-11-23T08:20:41Z 4711 failed: IndexError in thread keeper: list index out of range
      File "…/keeper.py", line 219, in _run
    2026-11-23T08:20:41Z 4711 ended: a thread of it failed

Versions, ends and where our own code failed; of files and queries nothing: what an error quotes is
left out. A disk without room for it, or a folder that cannot be written, is never in the way.
"""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import re
import stat
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from turbo_tui.core.plain import plain

LARGEST_BYTES = 200_000
KEPT_BYTES = 100_000  # of one that grew larger
LONGEST_REASON = 300  # characters
FORMAT, TIME_FORMAT = "%(asctime)s %(process)d %(message)s", "%Y-%m-%dT%H:%M:%SZ"

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_REASON = re.compile(r"^(?:\S+ \d+ (?:failed|ended): |Fatal Python error: )(.+)", re.MULTILINE)
_FAILED = re.compile(r"^(?:\S+ \d+ failed: |Fatal Python error: )")

_log = logging.getLogger(__name__)


@contextmanager
def appended(file: Path) -> Generator[int]:
    """Open a worker's log to write at its end; nothing (`os.devnull`) where that cannot be."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _opened(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        keep_small(descriptor)
    except OSError:
        descriptor = os.open(os.devnull, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(file: Path, flags: int) -> int:
    """Open a file that is one: a link would lead elsewhere, a pipe is waited for.

    Raises:
        OSError: It is not, or cannot be opened.
    """
    descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fspath(file))
    return descriptor


def note(file: Path, text: str) -> None:
    """Add a line to the log of a worker that cannot do so itself."""
    now = time.strftime(TIME_FORMAT, time.gmtime())
    with appended(file) as log, suppress(OSError):
        os.write(log, f"{now} {os.getpid()} {plain(text)}\n".encode("utf-8", "replace"))


def keep_small(descriptor: int = 2) -> None:
    """Drop the older lines of a log that grew large."""
    with suppress(OSError):
        size = os.fstat(descriptor).st_size
        if size > LARGEST_BYTES:
            kept = os.pread(descriptor, KEPT_BYTES, size - KEPT_BYTES)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, kept[kept.find(b"\n") + 1 :])


def size_of(file: Path) -> int:
    """Return how much stands in a log, in bytes; 0 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def reason_in(file: Path, since: int, *, started: bool = True) -> str:
    """Return why a worker ended, as its log says; nothing where it says nothing.

    Args:
        file: The log.
        since: What was written before these bytes is not looked at.
        started: It came so far as to keep the log itself.
    """
    try:
        with open(_opened(file, os.O_RDONLY), "rb") as log:
            log.seek(since if since <= size_of(file) else 0)  # it was cut meanwhile
            text = log.read(LARGEST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    reasons = list(_REASON.finditer(text))
    failed = [each for each in reasons if _FAILED.match(each[0])]
    lines = [] if started or reasons else text.strip().splitlines()
    said = [each[1] for each in failed or reasons] or lines
    return plain(said[-1])[:LONGEST_REASON] if said else ""


def begin() -> None:
    """Have all that this process does not survive, or no thread of it, written to its stderr."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(FORMAT, TIME_FORMAT)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    ours = logging.getLogger("turbo_tui")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    with suppress(OSError, ValueError):
        faulthandler.enable(sys.stderr)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def tell_failure(error: BaseException, where: str = "") -> None:
    """Write what failed, and where in our code."""
    _log.error("failed: %s", _in_words(error, where))


def _uncaught(_kind: type[BaseException], error: BaseException, _at: TracebackType | None) -> None:
    tell_failure(error)


def _uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None:
        tell_failure(uncaught.exc_value, f" in thread {getattr(uncaught.thread, 'name', '')}")


def _in_words(error: BaseException, where: str) -> str:
    """Name an error without what it quotes, then its frames; its cause likewise."""
    said = _QUOTED.sub("'…'", str(error))  # a key, say, that is a word of a file
    line = plain(f"{type(error).__name__}{where}: {said}")[:LONGEST_REASON].rstrip(": ")
    told = f"{line}\n{''.join(traceback.format_tb(error.__traceback__))}".rstrip()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told if cause is None else f"{told}\nbecause of {_in_words(cause, '')}"
