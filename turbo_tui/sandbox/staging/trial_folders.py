"""Folders to try something out in; one that a killed process left is deleted by the next."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging.beneath import remove_tree


def trial_folder(parent: Path | None, prefix: str) -> Path:
    """Make a folder to try something in; those of processes that are gone are deleted first.

    Args:
        parent: Where; the system's temporary folder when None.
        prefix: Names what is tried; our process id follows it.

    Raises:
        OSError: It cannot be made.
    """
    where = Path(tempfile.gettempdir()) if parent is None else parent
    for left in where.glob(f"{prefix}-*-*"):
        owner = left.name.removeprefix(f"{prefix}-").partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            with suppress(OSError, StageError):  # another process is at it, or it is not ours
                remove_tree(left)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=where))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # someone else's
    return True
