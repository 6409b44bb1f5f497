"""What was decided on the change sets under review."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from turbo_tui.core import events as ev
from turbo_tui.core.ports import Record


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the user decided on one change set.

    Attributes:
        rejected: Path -> hunk indices; -1 stands for the whole file.
        ignored_on: Ignored folders whose files shall land too.
    """

    changes: str
    rejected: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    ignored_on: frozenset[str] = frozenset()


class ReviewView:
    """Decisions per step; a decision on an older change set of the step is void."""

    def __init__(self) -> None:
        self.revision = 0
        self._decisions: dict[str, Decisions] = {}

    def decisions(self, step_id: str, changes: str) -> Decisions:
        """Return what was decided on exactly this change set."""
        known = self._decisions.get(step_id)
        return known if known is not None and known.changes == changes else Decisions(changes)

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.HunkDecided(step_id, changes, path, hunk, accepted):
                known = self.decisions(step_id, changes)
                hunks = known.rejected.get(path, frozenset[int]())
                if hunk == -1:
                    hunks = frozenset[int]() if accepted else frozenset({-1})
                else:
                    hunks = hunks - {hunk, -1} if accepted else hunks | {hunk}
                rejected = {**known.rejected, path: hunks}
                kept = {name: chosen for name, chosen in rejected.items() if chosen}
                self._decisions[step_id] = replace(known, rejected=kept)
            case ev.IgnoredDecided(step_id, changes, folder, accepted):
                known = self.decisions(step_id, changes)
                folders = known.ignored_on | {folder} if accepted else known.ignored_on - {folder}
                self._decisions[step_id] = replace(known, ignored_on=folders)
            case _:
                return
        self.revision += 1
