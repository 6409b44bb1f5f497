"""The pipe that a command writes to: read as it comes, a flood of it in bouts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress

DRAIN_S = 0.2  # for output that is still in the pipe when the command is gone
PIPE_BYTES = 1_048_576
READ_BYTES = 262_144
# The loop has its other work between two bouts, and whoever floods waits.
FLOOD_BYTES = 4 * PIPE_BYTES
BOUT_READS = 2
PAUSE_S = 0.002
F_SETPIPE_SZ = 1031  # linux/fcntl.h


def open_pipe() -> tuple[int, int]:
    """Return the ends of a pipe for output: ours, which is read without waiting, and theirs."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not on every platform

        # A megabyte, so that a flood takes fewer turns of the loop.
        with suppress(OSError):  # above /proc/sys/fs/pipe-max-size for an ordinary user
            fcntl.fcntl(read_end, F_SETPIPE_SZ, PIPE_BYTES)
    return read_end, write_end


class OutputPipe:
    """Our end of the pipe.

    Args:
        fd: From `open_pipe`; closed with this.
        take: Gets what comes.
        ended: Called once all writers are gone.
    """

    def __init__(
        self, fd: int, *, take: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._take = take
        self._ended = ended
        self._done = asyncio.Event()
        self._read_bytes = 0
        self._resuming: asyncio.TimerHandle | None = None
        self._loop.add_reader(fd, self._read)

    async def close(self) -> None:
        """Read what is left, for a moment at the most."""
        if not self._done.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), DRAIN_S)
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        is_flood = self._read_bytes > FLOOD_BYTES
        bouts = BOUT_READS if is_flood else 1
        while bouts and self._read_some() == READ_BYTES:
            bouts -= 1
        if is_flood and not self._done.is_set():
            self._loop.remove_reader(self._fd)
            self._resuming = self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._loop.add_reader(self._fd, self._read)

    def _read_some(self) -> int:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return 0
        self._read_bytes += len(data)
        if data:
            self._take(data)
        else:
            self._loop.remove_reader(self._fd)
            self._done.set()
            self._ended()
        return len(data)
