"""A connection to a search worker, and whether there is life at its other end."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

Answer = dict[str, object]

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid; unix(7)
_STATE: Answer = {"id": 0, "do": "state"}


class Wire:
    """JSON, one line each way; who waited in vain may go on waiting later, and misses nothing.

    Args:
        path: The worker's socket.
        waits: Until the worker takes one more, where many came at once.

    Raises:
        BlockingIOError: That would have to be waited for.
        OSError: Nobody answers there.
    """

    def __init__(self, path: Path, *, waits: bool = True) -> None:
        self._heard = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(waits)
        try:
            self._socket.connect(os.fspath(path))
        except OSError:
            self._socket.close()
            raise

    def say(self, request: Answer, within_s: float) -> None:
        """Send a request.

        Raises:
            OSError: Nobody reads it, for so long.
        """
        self._socket.settimeout(within_s)
        self._socket.sendall(json.dumps(request).encode("ascii") + b"\n")

    def hear(self, within_s: float) -> Answer:
        """Return the next answer.

        Raises:
            TimeoutError: There was none for so long.
            EOFError: There will be none.
            OSError: Likewise.
        """
        until = time.monotonic() + within_s
        begin = 0
        while (end := self._heard.find(b"\n", begin)) < 0:
            begin = len(self._heard)
            self._socket.settimeout(max(0.0, until - time.monotonic()))
            try:
                some = self._socket.recv(1 << 16)
            except BlockingIOError:
                raise TimeoutError from None
            if not some:
                raise EOFError
            self._heard += some
        line = self._heard[:end]
        del self._heard[: end + 1]
        return cast("Answer", json.loads(line))

    @property
    def worker(self) -> int:
        """The worker's process, where it is the user's own; 0 where that is not known."""
        if not hasattr(socket, "SO_PEERCRED"):
            return 0
        try:
            said = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return 0
        pid, uid, _ = cast("tuple[int, int, int]", _CREDENTIALS.unpack(said))
        return pid if uid == os.getuid() and pid > 1 else 0

    def end_worker(self) -> bool:
        """Kill the worker, which says nothing; tell whether that was done."""
        worker = self.worker
        if not worker or not hasattr(os, "pidfd_open"):
            return False
        try:
            process = os.pidfd_open(worker)
        except OSError:
            return False
        try:
            # Since the connection is open, the process that we hold now is the one it leads to.
            self._socket.setblocking(False)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            with suppress(OSError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
                return True
        except OSError:
            pass
        finally:
            os.close(process)
        return False

    def close(self) -> None:
        """Leave, whoever listens included."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Pulse:
    """Asks a worker that is slow to answer, on a wire of its own, for a sign of life.

    A query, a build may take their time; what the index holds is told at once by any worker that
    runs at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wire: Wire | None = None
        self._since = time.monotonic()

    def silent_s(self) -> float:
        """Return for how many seconds it owes a sign; 0 where it just gave one. Never waits."""
        try:
            if self._wire is None:
                self._wire = Wire(self._path, waits=False)
            else:
                self._wire.hear(0)
                self._since = time.monotonic()
            self._wire.say(_STATE, 0)
        except (TimeoutError, BlockingIOError):
            pass
        except (OSError, EOFError):
            self.close()
            self._since = time.monotonic()  # it ended: whoever waits for an answer hears of it
        return time.monotonic() - self._since

    def close(self) -> None:
        """Ask no more."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
