"""What was decided on the change sets under review."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from turbo_tui.core import events as ev
from turbo_tui.core.choosing import FileChoice
from turbo_tui.core.clashes import Clashing, Settled
from turbo_tui.core.diffs import WHOLE_FILE
from turbo_tui.core.ports import Record

K = TypeVar("K")
T = TypeVar("T")

VerifyStatus = Literal["never", "running", "passed", "failed", "stopped", "stale"]


@dataclass(frozen=True, slots=True)
class Comment:
    """A word on a line; `line` is 1-based on its side."""

    path: str
    line: int
    side: ev.Side
    text: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the user decided on one change set.

    Attributes:
        rejected: Path -> hunk indices; -1 stands for the whole file.
        ignored_on: Ignored folders whose files shall land too.
        left_out: Path -> hunk -> indices of its lines that do not happen.
        edited: Path -> hunk -> blob of what stands in the place of its new side.
        contents: Path -> blob of the whole file as it shall land.
        clashing: Path -> how the step's change meets the user's own, and what was settled.
        comments: In path order, then by line; they change nothing that lands.
    """

    changes: str
    rejected: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    ignored_on: frozenset[str] = frozenset()
    left_out: dict[str, dict[int, frozenset[int]]] = field(
        default_factory=dict[str, dict[int, frozenset[int]]]
    )
    edited: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])
    contents: dict[str, str] = field(default_factory=dict[str, str])
    clashing: dict[str, Clashing] = field(default_factory=dict[str, Clashing])
    comments: tuple[Comment, ...] = ()

    def choice(self, path: str) -> FileChoice:
        """Return what of one file lands."""
        return FileChoice(
            rejected=self.rejected.get(path, frozenset[int]()),
            left_out=self.left_out.get(path, {}),
            edited=self.edited.get(path, {}),
            content=self.contents.get(path, ""),
            clashing=self.clashing.get(path),
        )

    @property
    def open_clashes(self) -> dict[str, tuple[int, ...]]:
        """Path -> places that must be settled before anything lands."""
        return {
            path: clashing.open
            for path, clashing in self.clashing.items()
            if clashing.open
            and path not in self.contents
            and WHOLE_FILE not in self.rejected.get(path, ())
        }

    @property
    def blocked(self) -> tuple[str, ...]:
        """Paths that cannot land before what is in their way is gone."""
        return tuple(
            path
            for path, clashing in self.clashing.items()
            if clashing.blocked and WHOLE_FILE not in self.rejected.get(path, ())
        )

    @property
    def choices(self) -> dict[str, FileChoice]:
        """Path -> what of it lands, for all files that do not land as the step made them."""
        paths = {*self.rejected, *self.left_out, *self.edited, *self.contents, *self.clashing}
        return {path: self.choice(path) for path in sorted(paths)}

    @property
    def without_comments(self) -> Decisions:
        """What decides about landing: where this is equal, the same lands."""
        return replace(self, comments=())

    @property
    def words(self) -> tuple[str, ...]:
        """Say in short lines what was edited and commented on."""
        hunks = [f"{path} hunk {n + 1}" for path, own in self.edited.items() for n in sorted(own)]
        edits = [*hunks, *self.contents]
        said = [f"{c.path}:{c.line}: {c.text}" for c in self.comments]
        return (*([f"edited {', '.join(edits)}"] if edits else []), *said)

    def comment(self, path: str, line: int, side: ev.Side) -> str:
        """Return what was written on a line; empty when nothing was."""
        here = (path, line, side)
        found = (c.text for c in self.comments if (c.path, c.line, c.side) == here)
        return next(found, "")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a step's checks said of exactly what was accepted.

    Attributes:
        status: `stopped`: it came to no result; `stale`: something else was decided since.
        selected: Blob of the change set that it was about; empty when there was none.
        failures: One line for each check that failed.
        reason: Why it was stopped.
    """

    status: VerifyStatus = "never"
    selected: str = ""
    failures: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Verified:
    decided: Decisions
    stage_id: str
    result: Verification


class ReviewView:
    """Decisions per step; a decision on an older change set of the step is void."""

    def __init__(self) -> None:
        self.revision = 0
        self._decisions: dict[str, Decisions] = {}
        self._verified: dict[str, _Verified] = {}

    def decisions(self, step_id: str, changes: str) -> Decisions:
        """Return what was decided on exactly this change set."""
        known = self._decisions.get(step_id)
        return known if known is not None and known.changes == changes else Decisions(changes)

    def last(self, step_id: str) -> Decisions:
        """Return what was decided on the step's last change set that anything was decided on."""
        return self._decisions.get(step_id, Decisions(""))

    def verification(self, step_id: str, changes: str) -> Verification:
        """Return what is known of what is accepted now of this change set."""
        known = self._verified.get(step_id)
        if known is None or known.decided.changes != changes:
            return Verification()
        if known.decided != self.decisions(step_id, changes).without_comments:
            return replace(known.result, status="stale")
        return known.result

    @property
    def verifying(self) -> tuple[tuple[str, str, str], ...]:
        """Step, selected change set and stage of each verification that has not ended."""
        return tuple(
            (step_id, known.result.selected, known.stage_id)
            for step_id, known in self._verified.items()
            if known.result.status == "running"
        )

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        event = record.event
        match event:
            case (
                ev.HunkDecided(step_id, changes)
                | ev.LinesDecided(step_id, changes)
                | ev.HunkEdited(step_id, changes)
                | ev.ContentEdited(step_id, changes)
                | ev.ClashSettled(step_id, changes)
                | ev.LineCommented(step_id, changes)
                | ev.IgnoredDecided(step_id, changes)
            ):
                self._decisions[step_id] = _decided(self.decisions(step_id, changes), event)
            case ev.LandingRefused(step_id, merged=merged) | ev.TurnRefused(
                step_id, merged=merged
            ) if event.clashes or event.kept or event.reviewed:
                known, before = (self.decisions(step_id, each) for each in (merged, event.reviewed))
                self._decisions[step_id] = _refused(known, before, event)
            case ev.VerifyStarted(step_id, changes, selected, stage_id):
                decided = self.decisions(step_id, changes).without_comments
                begun = Verification("running", selected)
                self._verified[step_id] = _Verified(decided, stage_id, begun)
            case ev.VerifyFinished(step_id, selected, passed, failures, reason):
                known = self._verified.get(step_id)
                if known is None or known.result.selected != selected:
                    return
                status = "stopped" if reason else "passed" if passed else "failed"
                result = Verification(status, selected, failures, reason)
                self._verified[step_id] = replace(known, result=result)
            case _:
                return
        self.revision += 1


def _decided(known: Decisions, event: ev.Event) -> Decisions:  # noqa: PLR0911  one per event
    """Return decisions with one more."""
    match event:
        case ev.HunkDecided(path=path, hunk=hunk, accepted=accepted):
            return _hunk_decided(known, path, hunk, accepted=accepted)
        case ev.LinesDecided():
            return _lines_decided(known, event)
        case ev.HunkEdited(path=path, hunk=hunk, blob=blob):
            hunks = _with(known.edited.get(path, {}), hunk, blob)
            return replace(known, edited=_with(known.edited, path, hunks))
        case ev.ContentEdited(path=path, blob=blob):
            return replace(known, contents=_with(known.contents, path, blob))
        case ev.ClashSettled(path=path, place=place, take=take, blob=blob):
            was = known.clashing.get(path, Clashing())
            now = replace(was, settled={**was.settled, place: Settled(take, blob)})
            return replace(known, clashing={**known.clashing, path: now})
        case ev.LineCommented(path=path, line=line, side=side, text=text):
            here = (path, line, side)
            others = [c for c in known.comments if (c.path, c.line, c.side) != here]
            if text:
                others.append(Comment(path, line, side, text))
            others.sort(key=lambda comment: (comment.path, comment.line, comment.side != "old"))
            return replace(known, comments=tuple(others))
        case ev.IgnoredDecided(folder=folder, accepted=accepted):
            folders = known.ignored_on | {folder} if accepted else known.ignored_on - {folder}
            return replace(known, ignored_on=folders)
        case _:
            return known


def _refused(
    known: Decisions, before: Decisions, event: ev.LandingRefused | ev.TurnRefused
) -> Decisions:
    """Return decisions on what is to be settled; the same clash stays as it was settled.

    What was decided before on changes that are still the same is among them.
    """
    clashing = _of(event.kept, before.clashing)
    for path, places in event.clashes.items():
        was = known.clashing.get(path, Clashing())
        fresh = Clashing(places, event.bases.get(path, ""), blocked=path in event.blocked)
        clashing[path] = was if was.undecided == fresh else fresh
    said = [each for each in before.comments if each.path in event.kept]
    if event.reviewed:
        known = replace(known, ignored_on=before.ignored_on)
    return replace(
        known,
        rejected={**known.rejected, **_of(event.kept, before.rejected)},
        left_out={**known.left_out, **_of(event.kept, before.left_out)},
        edited={**known.edited, **_of(event.kept, before.edited)},
        contents={**known.contents, **_of(event.kept, before.contents)},
        clashing=clashing,
        comments=known.comments or tuple(said),
    )


def _of(paths: Collection[str], decided: Mapping[str, T]) -> dict[str, T]:
    return {path: each for path, each in decided.items() if path in paths}


def _hunk_decided(known: Decisions, path: str, hunk: int, *, accepted: bool) -> Decisions:
    """Take in or leave out a hunk or a file with all its lines; edits are kept beneath."""
    if path in known.clashing:
        known = _beside_decided(known, path, hunk, accepted=accepted)
        if hunk != WHOLE_FILE and not accepted:
            return known
    hunks = known.rejected.get(path, frozenset[int]())
    lines = known.left_out.get(path, {})
    if hunk == WHOLE_FILE:
        hunks = frozenset[int]() if accepted else frozenset({WHOLE_FILE})
        lines = {}
    else:
        hunks = hunks - {hunk, WHOLE_FILE} if accepted else hunks | {hunk}
        lines = _with(lines, hunk, frozenset[int]())
    return replace(
        known,
        rejected=_with(known.rejected, path, hunks),
        left_out=_with(known.left_out, path, lines),
    )


def _beside_decided(known: Decisions, path: str, hunk: int, *, accepted: bool) -> Decisions:
    """Take in or leave out a change beside the clashes of a file."""
    was = known.clashing[path]
    left_out = was.left_out - {hunk} if accepted else was.left_out | {hunk}
    if hunk == WHOLE_FILE:
        left_out = frozenset[int]()
    return replace(known, clashing={**known.clashing, path: replace(was, left_out=left_out)})


def _lines_decided(known: Decisions, event: ev.LinesDecided) -> Decisions:
    """Take in or leave out lines; leaving out some takes in the rest of their hunk."""
    path, hunk = event.path, event.hunk
    hunks = known.rejected.get(path, frozenset[int]())
    lines = known.left_out.get(path, {})
    if event.accepted:
        left_out = lines.get(hunk, frozenset[int]()).difference(event.lines)
    else:
        left_out = lines.get(hunk, frozenset[int]()).union(event.lines)
        hunks -= {hunk, WHOLE_FILE}
    return replace(
        known,
        rejected=_with(known.rejected, path, hunks),
        left_out=_with(known.left_out, path, _with(lines, hunk, left_out)),
    )


def _with(known: Mapping[K, T], key: K, value: T) -> dict[K, T]:
    """Return a mapping with one entry set, or without it when the value is empty."""
    entries = {**known, key: value}
    if not value:
        del entries[key]
    return entries
