"""See to it that no sandbox outlives us, also when we are killed at any moment.

`bwrap --die-with-parent` counts only once bubblewrap has come to it. Killed before, it would run
its command to the end; killed while it makes its namespaces, its first process would wait for
ever for word from it. So a shell beside us waits for the end of a pipe that only we hold: the
kernel closes it, however we end. Then it kills what carries our mark in the environment that it
was started with. The first process of a pid namespace is a fork of bubblewrap and carries it
too; all others in the namespace die with that one.

The pipe closes when every process that we were about to start has become what we started: none
can slip through between fork(2) and execve(2).
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress

from turbo_tui.sandbox.system import SYSTEM_PATH

NAME = "TURBO_TUI_TREE"
GONE_S = 2.0

# Two looks without a find: a process that was just being forked shows in the second. A bound, for
# what cannot be killed.
_SCRIPT = """
read -r word && exit
clean=0 looks=0
while [ $clean -lt 2 ] && [ $looks -lt 100 ]; do
    clean=$((clean + 1)) looks=$((looks + 1))
    for found in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
        pid=${found#/proc/}
        kill -KILL "${pid%/environ}" 2>/dev/null
        clean=0
    done
    sleep 0.05
done
"""


def marked() -> Mapping[str, str]:
    """Return the variable to start a sandbox with; what carries it ends with us.

    The shell that sees to it is started by the first call, and again when it is gone. Each call
    is to be followed by `unmarked`, when what was started is gone.
    """
    if sys.platform != "linux":
        return {}
    _guard.watch()
    _guard.running += 1
    return {NAME: _guard.mark}


def unmarked() -> None:
    """Take note that what was started with a mark is gone."""
    _guard.running -= 1


class _Guard:
    """The shell that outlives us by a moment."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.running = 0
        self._owner = os.getpid()
        self._shell: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        if self._owner != os.getpid():  # a fork of us: it has no shell of its own yet
            self.__init__()
        if self._shell is not None and self._shell.poll() is None:
            return
        self._close()
        with suppress(OSError):  # no shell: bubblewrap's own care is what is left
            self._shell = subprocess.Popen(
                ("sh", "-c", _SCRIPT, "turbo-tui-guard", f"{NAME}={self.mark}"),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.pathsep.join(SYSTEM_PATH), "LC_ALL": "C"},
                cwd="/",
                start_new_session=True,  # a hang-up of the terminal is not for it
            )

    def end(self) -> None:
        """Let it go where nothing is left for it to do; else it does that as we end."""
        if self._shell is not None and self._owner == os.getpid() and not self.running:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._shell.communicate(b"done\n", timeout=GONE_S)
            self._close()

    def _close(self) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with suppress(OSError):
                self._shell.stdin.close()
        self._shell = None


_guard = _Guard()
atexit.register(_guard.end)
