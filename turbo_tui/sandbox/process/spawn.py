"""Start a process at once, on the event loop's own thread, and await its end.

The thread matters: `PR_SET_PDEATHSIG`, by which a sandbox dies with us, follows the thread that
made it (prctl(2)). The end is seen through a descriptor, where the system has them, not by a
thread for each process.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Spawned:
    """A child process of ours; `wait` can be awaited by many, and again after its end.

    Args:
        argv: Started as it is, with no shell.
        stdin: Descriptor; the caller closes it.
        output: Descriptor of standard output and error; the caller closes it.
        pass_fds: What else it inherits.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdin: int,
        output: int,
        pass_fds: Sequence[int],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._popen = subprocess.Popen(
            tuple(argv),
            stdin=stdin,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        try:
            self._fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or before 5.3
            self._fd = -1
            threading.Thread(target=self._watch, daemon=True).start()
        else:
            self._loop.add_reader(self._fd, self._reap)

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus a signal's number; None while it runs."""
        return self._popen.returncode

    @property
    def alive(self) -> bool:
        """Whether it runs now, whatever the loop has been told so far."""
        if self._popen.returncode is None and self._popen.poll() is not None:
            self._reap()
        return self._popen.returncode is None

    async def wait(self) -> int:
        """Wait for its end; return its exit code."""
        await self._ended.wait()
        return self._popen.returncode or 0

    def send(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def _reap(self) -> None:
        if self._popen.poll() is None:
            return
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._ended.set()

    def _watch(self) -> None:
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._reap)
