"""The process that keeps an index on disk: started when it is asked, ended when it is not.

It may end at any time, killed for want of memory say, and may hang with its disk: neither is ever
more than an error to whoever waits for it. It hangs where it uses no processor while somebody
waits, so that one which packs large tables is left to it. Who reads waits a few seconds: the files
are there to be read instead.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import BinaryIO, Literal, NamedTuple, cast

from turbo_tui.knowledge.storing.frames import Head, Parts, receive, send

# What it says goes where the worker says why it ended: no warnings of libraries.
COMMAND = (sys.executable, "-I", "-W", "ignore", "-m", "turbo_tui.knowledge.storing.database")
IDLE_S = 30.0  # it holds 150 MB; nobody needs it while nothing changes
TURN_S = 5.0  # that who reads waits for others to be done
LOOK_S = 0.25  # between looks at whether it still works
ENDED_S = 1.0  # a killed process may wait for its disk: that is not waited for

Why = Literal["version", "full", "broken", "ended", "hung"]


class Limits(NamedTuple):
    """How long one answer is waited for.

    Attributes:
        still_s: While the process does nothing.
        whole_s: Whatever it does.
    """

    still_s: float
    whole_s: float


READING = Limits(5.0, 60.0)
WRITING = Limits(30.0, 300.0)  # the tables of a million chunks are packed in less

_log = logging.getLogger(__name__)


class RequestFailedError(Exception):
    """A request was not done.

    Attributes:
        why: Another version made the store, the disk is full, the store cannot be read or written,
            the process ended, or it did not come to an end with this or what was asked before.
    """

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class StoreProcess:
    """The one process of a store; whoever asks it waits for his turn."""

    def __init__(self, folder: Path, version: str) -> None:
        """Begin without a process.

        Args:
            folder: Of the store.
            version: Of all that is in it.
        """
        self._folder = folder
        self._version = version
        self._turn = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0.0
        self._over = False
        self._limits = WRITING
        self._hung = False

    def ask(self, head: Head, parts: Parts = (), limits: Limits | None = None) -> Head:
        """Have something done, by default within the limits of writing; return the answer.

        Raises:
            RequestFailedError: It was not done.
        """
        with self._turn:
            self._limits = limits or WRITING
            self._send(head, parts)
            return self._receive()[0]

    def follow(self, head: Head, until: str) -> Generator[tuple[Head, list[bytes]], None, None]:
        """Yield what is read, until there is an answer whose field `until` is empty.

        Raises:
            RequestFailedError: The rest will not come.
        """
        if not self._turn.acquire(timeout=TURN_S):
            raise RequestFailedError("hung")
        try:
            self._limits = READING
            self._send(head)
            while (answer := self._receive())[0][until]:
                yield answer
        except GeneratorExit:
            self._end()  # the rest of its answer is for nobody
            raise
        finally:
            self._turn.release()

    def rest(self) -> None:
        """End it when it had nothing to do for a while."""
        if self._turn.acquire(blocking=False):
            try:
                if time.monotonic() - self._used > IDLE_S:
                    self._end()
            finally:
                self._turn.release()

    def restart(self) -> None:
        """End it; the next request starts it anew."""
        with self._turn:
            self._end()

    def abandon(self) -> None:
        """End it for good, whoever waits for it: he is told that it ended."""
        self._over = True
        process = self._process
        if process is not None:
            process.kill()

    def _send(self, head: Head, parts: Parts = ()) -> None:
        if self._process is None:
            self._start()
            if head["do"] not in {"open", "wipe"}:  # the one before rested, or was killed
                self._send({"do": "open", "version": self._version})
                self._receive()
        self._used = time.monotonic()
        out = self._process.stdin if self._process is not None else None
        try:
            if out is not None:
                with self._watched():
                    send(cast("BinaryIO", out), head, parts)
        except OSError as error:
            raise self._lost() from error

    def _receive(self) -> tuple[Head, list[bytes]]:
        process = self._process
        try:
            if process is None or process.stdout is None:
                raise RequestFailedError("ended")
            with self._watched():
                head, parts = receive(cast("BinaryIO", process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise self._lost() from error
        if "error" in head:
            _log.warning("the store's process refused: %s, %.200s", head["error"], head.get("why"))
            raise RequestFailedError(cast("Why", head["error"]))
        self._used = time.monotonic()
        return head, parts

    def _start(self) -> None:
        process = subprocess.Popen(
            (*COMMAND, os.fspath(self._folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._process, self._hung = process, False
        if self._over:  # since when, nobody knows: `abandon` may have found none
            process.kill()

    @contextmanager
    def _watched(self) -> Generator[None]:
        """Kill the process where it hangs meanwhile."""
        over = Event()
        if self._process is not None:
            Thread(target=self._watch, args=(self._process, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _watch(self, process: subprocess.Popen[bytes], over: Event) -> None:
        began = moved = time.monotonic()
        spent = -1.0
        while not over.wait(LOOK_S):
            now, spent_now = time.monotonic(), _spent_s(process.pid)
            if spent_now != spent:
                spent, moved = spent_now, now
            if now - moved > self._limits.still_s or now - began > self._limits.whole_s:
                self._hung = True
                process.kill()
                return

    def _lost(self) -> RequestFailedError:
        """Take note that the process ended, or speaks no more as it should."""
        process = self._process
        self._end()
        why: Why = "hung" if self._hung else "ended"
        if process is not None and not self._over:
            _log.warning("the store's process %s, exit code %s", why, process.poll())
        return RequestFailedError(why)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not sent yet is for nobody
                if stream is not None:
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_S)


def _spent_s(pid: int) -> float:
    """Return how much processor time a process used."""
    import psutil  # noqa: PLC0415  only where something is slow

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
