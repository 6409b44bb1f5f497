"""What was to be written meets what changed since: what is in the way, and what can be settled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.clashes import Onto
from turbo_tui.core.landings import Landing
from turbo_tui.core.views import Decisions
from turbo_tui.engine.review import Review


@dataclass(frozen=True, slots=True)
class Refused:
    """What an event tells of it; fields as in `events.LandingRefused`."""

    conflicts: dict[str, str]
    merged: str
    clashes: dict[str, int]
    bases: dict[str, str]
    blocked: tuple[str, ...]
    reviewed: str
    kept: tuple[str, ...]


def refused(review: Review, wanted: ChangeSet, landing: Landing, decided: Decisions) -> Refused:
    """Return what stands in the way, and what can be approved or settled instead.

    Args:
        review: Reads and keeps change sets.
        wanted: What was to be written.
        landing: What came of it.
        decided: What was decided before, on what `wanted` was selected from; where nothing was
            under review, on no change set.
    """
    reviewed = review.change_set(decided.changes) if decided.changes else wanted
    whys = {conflict.path: conflict.why for conflict in landing.conflicts}
    for conflict in landing.conflicts:
        choice = decided.choice(conflict.path)
        beside = choice.clashing.left_out if choice.clashing is not None else ()
        if choice.rejected or choice.left_out or beside:
            whys[conflict.path] += "; what you left out of it stays out"
        if landing.merged is None and (moved := review.went_to(conflict, wanted)):
            whys[conflict.path] += f"; most of it is in {moved}, without your change"
    carried = Onto(landing.merged or ChangeSet())
    if landing.merged is None:
        carried = review.onto(wanted, landing.conflicts)
    clashing = carried.clashing
    shown, kept = _beside(reviewed, wanted, carried.changes, whys)
    return Refused(
        whys,
        review.keep(shown),
        {path: each.places for path, each in clashing.items()},
        {path: each.base for path, each in clashing.items() if each.base},
        tuple(path for path, each in clashing.items() if each.blocked),
        decided.changes,
        kept,
    )


def _beside(
    reviewed: ChangeSet, selected: ChangeSet, carried: ChangeSet, conflicts: Collection[str]
) -> tuple[ChangeSet, tuple[str, ...]]:
    """Return what was carried over with all else that was reviewed, and the paths of that.

    Those changes are as they were, so that what was left out of them can be taken in again.
    """
    files = {change.path: change for change in carried.files}
    there_already = {change.path for change in selected.files} - {*files, *conflicts}
    rest = [
        change
        for change in reviewed.files
        if change.path not in conflicts and change.path not in there_already
    ]
    files |= {change.path: change for change in rest}
    together = tuple(sorted(files.values(), key=lambda change: change.path))
    shown = replace(carried, files=together, notes=reviewed.notes)
    return shown, tuple(change.path for change in rest)
