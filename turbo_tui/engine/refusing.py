"""What was to be written meets what changed since: what is in the way, and what can be settled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from turbo_tui.core.changes import ChangeSet, IgnoredFolder
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
    carried = Onto(landing.merged or ChangeSet())
    if landing.merged is None:
        carried = review.onto(wanted, landing.conflicts)
        for conflict in landing.conflicts:
            if moved := review.went_to(conflict, wanted):
                whys[conflict.path] += f"; most of it is in {moved}, without your change"
    clashing = carried.clashing
    for new, old in carried.followed.items():
        same = "in the same lines" if new in clashing else "that goes along"
        whys[new] = f"moved from {old}, which was changed since: {same}"
        del whys[old]
    met = {*whys, *carried.followed.values()}
    shown, kept = _beside(reviewed, wanted, carried.changes, met, decided.ignored_on)
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
    reviewed: ChangeSet,
    selected: ChangeSet,
    carried: ChangeSet,
    conflicts: Collection[str],
    ignored_on: Collection[str],
) -> tuple[ChangeSet, tuple[str, ...]]:
    """Return what was carried over with all else that was reviewed, and the paths of that.

    Those changes are as they were, so that what was left out of them can be taken in again. Of
    ignored folders that were switched on only what conflicts is listed by itself.
    """
    files = {change.path: change for change in carried.files}
    there_already = {change.path for change in selected.files} - {*files, *conflicts}
    rest = [
        change
        for change in reviewed.files
        if change.path not in conflicts and change.path not in there_already
    ]
    files |= {change.path: change for change in rest}
    ignored: list[IgnoredFolder] = []
    for folder in reviewed.ignored:
        left = folder.changes
        if folder.folder in ignored_on:
            left = tuple(change for change in left if change.path not in conflicts)
            for change in left:
                files.pop(change.path, None)
        if left:
            ignored.append(replace(folder, changes=left))
    together = tuple(sorted(files.values(), key=lambda change: change.path))
    shown = replace(carried, files=together, ignored=tuple(ignored), notes=reviewed.notes)
    return shown, tuple(change.path for change in rest)
