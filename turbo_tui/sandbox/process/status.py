"""What the starter of a command says of it, in lines of JSON on a pipe of its own.

Bubblewrap's `--json-status-fd` names the first process of the new pid namespace and says when the
command has ended; our supervisor says the latter, in which session, and what was used.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import cast

from turbo_tui.sandbox.process.orphans import descriptor_of
from turbo_tui.sandbox.process.usage import Counted, counted


class Status:
    """What was said so far.

    Args:
        fd: Read end of the pipe, closed with this; None: nobody says anything.

    Attributes:
        init_pid: The first process of the command's pid namespace.
        init_fd: A descriptor of it, which whoever buries it closes; -1 where it is not known.
        command_ran: The command was started; taken for granted where nobody says so.
        session: In which the supervisor's command begins, other than the supervisor; -1 unknown.
        session_fd: A descriptor of the session's leader, closed like `init_fd`.
        counted: What the supervisor counted.
    """

    def __init__(self, fd: int | None) -> None:
        self.init_pid: int | None = None
        self.init_fd = -1
        self.session = -1
        self.session_fd = -1
        self.command_ran = fd is None
        self.counted: Counted | None = None
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._rest = b""
        if fd is not None:
            self._loop.add_reader(fd, self.read)

    def read(self) -> None:
        """Read what was said meanwhile; lines come in pieces."""
        if self._fd is None:
            return
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._fd)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in filter(None, lines):
            self._take(cast("dict[str, object]", json.loads(line)))

    def close(self) -> None:
        """Read the last of it."""
        if self._fd is not None:
            self.read()
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _take(self, fields: dict[str, object]) -> None:
        if "child-pid" in fields:
            self.init_pid = cast("int", fields["child-pid"])
            self.init_fd = descriptor_of(self.init_pid)
        if "session" in fields:
            self.session = cast("int", fields["session"])
            self.session_fd = descriptor_of(self.session)
        if "exit-code" in fields:
            self.command_ran = True
        if "usage" in fields:
            self.counted = counted(*cast("tuple[float, int, int]", fields["usage"]))
