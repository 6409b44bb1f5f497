"""Land or recover in a process that kills itself at one step: run by test_landing_crash."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path

from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import from_json
from turbo_tui.core.errors import LandingError
from turbo_tui.landing import JournalLander


def main(base: Path, action: str, kill_at: str, fail_at: str) -> None:
    """Act on `base/ws`.

    Args:
        base: Holds `ws`, `state` and `changes.json`.
        action: `land` or `recover`.
        kill_at: Number or name of the step at which to die by SIGKILL.
        fail_at: Name of the step at which the disk is full.
    """
    passed = 0

    def checkpoint(step: str) -> None:
        nonlocal passed
        if kill_at in (str(passed), step):
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1
        if step == fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state = base / "state"
    blobs = FolderBlobs(state / "blobs")
    lander = JournalLander(base / "ws", state, blobs, checkpoint=checkpoint)
    if action == "recover":
        asyncio.run(lander.recover())
    else:
        changes = from_json((base / "changes.json").read_bytes())
        try:
            asyncio.run(lander.land(changes, session_id="s", step_id="1"))
        except LandingError as error:
            sys.stdout.write(f"{error}\n")
    sys.stdout.write(f"{passed}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4])
