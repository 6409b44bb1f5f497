"""Find the worker of a workspace, or start it: who comes first does, and the others wait."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, cast

from turbo_tui.core.errors import ToolError
from turbo_tui.knowledge.service import worker_log
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.service.wire import Wire

START_S = 60.0  # of a start, which takes half a second; 15 s more where another worker is ending
LOOK_S = 0.02  # between looks at whether somebody else started it


def connected(home: Home) -> Wire:
    """Return a connection to the worker, which is started where there is none; blocks.

    Raises:
        ToolError: It cannot be started, nor by who is about to, or others could listen in.
        OSError: It ended just now.
    """
    path = home.socket
    _private(path.parent)
    with suppress(FileNotFoundError, ConnectionRefusedError):
        return Wire(path)
    starting = os.open(path.with_suffix(".start"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + 2 * START_S
        while not _is_ours_to_start(starting):
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return Wire(path)  # somebody else was first
            if time.monotonic() > until:
                raise ToolError(_STUCK.format(path.with_suffix(".start")))
            time.sleep(LOOK_S)
        with suppress(FileNotFoundError, ConnectionRefusedError):
            return Wire(path)  # likewise
        _start(home)
        return Wire(path)
    finally:
        os.close(starting)


_STUCK = (
    "The search worker is being started by another turbo-tui, which does not go on: it is stopped, "
    "or hangs. End it, and search again. It holds {}"
)


def _is_ours_to_start(lock: int) -> bool:
    """Take the lock for who starts a worker, unless somebody has it; he may be stopped."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private(folder: Path) -> None:
    """Make a folder that is ours alone, or see that it is.

    Raises:
        ToolError: It is not.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ToolError(
            f"{folder}: the search worker's folder cannot be made: {error.strerror}. Make it "
            "writable, or set XDG_RUNTIME_DIR to a folder of your own."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ToolError(
            f"{folder}: others could listen in on the search there. It must be a folder of your "
            f"own that nobody else may enter: `chmod 700 {folder}`, or remove it."
        )


def _start(home: Home) -> None:
    """Start a worker and wait until it answers; one that does not in time is ended.

    Raises:
        ToolError: It does not.
    """
    fields = cast("dict[str, object]", asdict(home))
    given = {name: os.fspath(v) if isinstance(v, Path) else v for name, v in fields.items()}
    # -I: nothing of the folder we stand in, nor of PYTHONPATH, is taken for ours. An own session:
    # Ctrl+C is for the app, and the worker is not only the app's.
    command = (sys.executable, "-I", "-m", "turbo_tui.knowledge.service.worker", json.dumps(given))
    with worker_log.appended(home.log) as log:
        logged = worker_log.size_of(home.log)  # before it can say there why it fails
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
        ) as process:
            answers = cast("IO[bytes]", process.stdout)
            in_time = bool(select.select([answers], [], [], START_S)[0])
            said = answers.readline() if in_time else b""
            if not in_time:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # of a session of its own
    if not in_time:
        raise ToolError(f"The search worker did not start within {START_S:.0f} s; search again.")
    if not said:
        raise ToolError(_not_started(home, process.returncode, logged))


def _not_started(home: Home, code: int, logged: int) -> str:
    reason = worker_log.reason_in(home.log, logged, started=False)
    if reason:
        return f"The search worker cannot start: {reason}. What went before stands in {home.log}"
    return (
        f"The search worker cannot start (exit code {code}). Try `{sys.executable} -I -c "
        "'import turbo_tui.knowledge.service.serving'`, which says why."
    )
