"""Texts of the user that a session could not take and put aside: how long they stay.

STATE/unkept/unkept-CHANCE-NAME     an edit or a comment whose changes were settled meanwhile

The session's log names each, and nothing reads them but the user. So they are not a session's to
take along: they stay for a month after it, and as long as there is room.
"""

from __future__ import annotations

import stat
import time
from contextlib import suppress
from pathlib import Path

AGE_S = 30 * 86_400.0
MOST_BYTES = 20_000_000


def unkept_folder(state: Path) -> Path:
    """Return the folder of texts that were put aside."""
    return state / "unkept"


def outdated(state: Path) -> dict[Path, int]:
    """Return texts that go, and their sizes: over a month old, or the oldest beyond 20 MB.

    The newest stays whatever its size.
    """
    found: list[tuple[float, Path, int]] = []
    for path in unkept_folder(state).glob("unkept-*"):
        with suppress(FileNotFoundError):  # another process prunes as well
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, path, status.st_size))
    found.sort(reverse=True)
    oldest = time.time() - AGE_S
    going: dict[Path, int] = {}
    total = 0
    for number, (modified, path, size) in enumerate(found):
        total += size
        if modified < oldest or (number > 0 and total > MOST_BYTES):
            going[path] = size
    return going


def drop_outdated(state: Path, *, dry_run: bool = False) -> tuple[int, int]:
    """Delete what `outdated` names; return how many texts and bytes.

    Raises:
        OSError: The state folder refuses.
    """
    going = outdated(state)
    if not dry_run:
        for path in going:
            path.unlink(missing_ok=True)
    return len(going), sum(going.values())
