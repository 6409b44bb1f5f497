"""Let go of journals that nothing needs any more, so that a prune can delete what they name.

A landing is taken back by its session. Once that is deleted nothing takes it back; but the tree
at an earlier point of another session, and where a file was moved since, are read in all landings
after that point. So only what is older than every landing of a session that is left may go, and
nothing that a crash cut off.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile
from pathlib import Path

from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Forgotten
from turbo_tui.landing.history import History
from turbo_tui.landing.journal import Entry, Journal

_OVER = ("cleaned", "rolled_back")  # else a recovery still has hidden files to look at
_LOCK_WAIT_S = 1.0


def forget(state: Path, deleted: Collection[str], *, dry_run: bool = False) -> Forgotten:
    """Delete the journals of landings whose session is gone, where nothing else needs them.

    A workspace in which something lands right now is passed by, and one whose journal is broken.

    Args:
        state: The state folder.
        deleted: Sessions that are deleted just now, or would be.
        dry_run: Delete nothing.
    """
    journals: list[Path] = []
    size_bytes = landings = 0
    for journal in Journal.every(state):
        try:
            with journal.locked(_LOCK_WAIT_S):
                entries = journal.entries()
                gone = list(takewhile(lambda each: _is_over(each, state, deleted), entries))
                paths = [journal.path(each.landing_id) for each in gone]
                size_bytes += sum(path.stat().st_size for path in paths)
                if not dry_run:
                    journal.remove(each.landing_id for each in gone)
        except LandingError:
            continue
        journals += paths
        history = History(entries)
        landings += sum(
            each.session_id in deleted and history.state(each) in {"landed", "redone"}
            for each in entries
            if not each.undoes
        )
    return Forgotten(tuple(journals), size_bytes, landings)


def _is_over(entry: Entry, state: Path, deleted: Collection[str]) -> bool:
    # Under the lock: whoever landed since has the folder of its session already.
    left = (state / "sessions" / entry.session_id).exists()
    return entry.progress in _OVER and (entry.session_id in deleted or not left)
