"""A file that meets the user's own edit, for the diff pane: both versions, or the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from turbo_tui.app.present_lines import compared_lines
from turbo_tui.core import diffs
from turbo_tui.core.changes import FileChange
from turbo_tui.core.clashes import (
    LANDING,
    WHOLE,
    Clashing,
    Settled,
    Sides,
    clash_parts,
    settled_content,
    taken,
)
from turbo_tui.core.events import Take
from turbo_tui.core.merge import Clash, Part, Taken
from turbo_widgets.diff_values import DiffClash, DiffFile, DiffHunk, DiffLine, conflict_lines


def _words(take: Take, sides: Sides) -> str:
    """Say what stands there."""
    return {
        "mine": "yours is kept",
        "theirs": sides.taken,
        "both": "both stand there, yours first",
        "written": "as you wrote it",
    }[take]


@dataclass(frozen=True, slots=True)
class _Place:
    """A clash, or what merges, and the lines around it; `line` is the first in ours, from 0."""

    part: Clash | Taken
    line: int
    lead: tuple[bytes, ...]
    trail: tuple[bytes, ...]


def clash_file(
    change: FileChange,
    file: DiffFile,
    clashing: Clashing,
    content: diffs.Content,
    sides: Sides = LANDING,
) -> DiffFile:
    """Show a file with its clashes; the step's other changes stand between them.

    Args:
        change: Leads from the user's side to the step's.
        file: As it is shown without clashes.
        clashing: How it clashes, and what was settled.
        content: Fetches a blob.
        sides: What they are called.
    """
    if clashing.blocked:
        return replace(file, by_hunk=False, by_line=False, editable=False)
    if not clashing.places:
        return _whole(file, clashing, sides)
    known = clashing.base != ""
    hunks: list[DiffHunk] = []
    number = beside = 0
    for place in _places(change, clashing, content):
        if isinstance(place.part, Taken):
            hunks.append(_merged(place, beside, clashing, sides))
            beside += 1
            continue
        settled = clashing.settled.get(number)
        if settled is None:
            hunks.append(_open(place, place.part, number, sides, known=known))
        else:
            hunks.append(_settled(place, place.part, number, settled, content, sides))
        number += 1
    ours = content(change.before.blob) if change.before is not None else b""
    mine = {place: Settled("mine") for place in range(clashing.places)}
    outcome = replace(clashing, settled={**mine, **clashing.settled})
    added, removed = diffs.counts(diffs.diff(ours, settled_content(change, outcome, content)))
    return replace(
        file,
        hunks=tuple(hunks),
        added=added,
        removed=removed,
        by_hunk=beside > 0,
        by_line=False,
    )


def _whole(file: DiffFile, clashing: Clashing, sides: Sides) -> DiffFile:
    settled = clashing.settled.get(WHOLE)
    kept = settled is not None and settled.take == "mine"
    words = _words(settled.take, sides) if settled is not None else ""
    return replace(
        file,
        hunks=tuple(replace(hunk, accepted=not kept) for hunk in file.hunks),
        accepted=not kept,
        by_hunk=False,
        by_line=False,
        clash=DiffClash(WHOLE, words),
    )


def _places(change: FileChange, clashing: Clashing, content: diffs.Content) -> list[_Place]:
    parts = clash_parts(change, clashing, content)
    found: list[_Place] = []
    free = diffs.CONTEXT_LINES  # lines of the part before that no place shows yet
    for at, part in enumerate(parts):
        if isinstance(part, Clash | Taken):
            before, after = _lines(parts[at - 1]), _lines(parts[at + 1])
            room = min(free, diffs.CONTEXT_LINES, len(before))
            lead = before[len(before) - room :] if room else ()
            trail = after[: diffs.CONTEXT_LINES]
            free = len(after) - len(trail)
            found.append(_Place(part, part.ours_start - len(lead), lead, trail))
    return found


def _lines(part: Part) -> tuple[bytes, ...]:
    return part if isinstance(part, tuple) else ()


def _merged(place: _Place, number: int, clashing: Clashing, sides: Sides) -> DiffHunk:
    """Show a change that goes together with the user's: it can be left out by itself."""
    made = b"".join(diffs.ended([*place.lead, *place.part.theirs, *place.trail]))
    return DiffHunk(
        f"line {place.line + len(place.lead) + 1}  {sides.merged}",
        compared_lines(_was(place), made),
        accepted=number not in clashing.left_out,
        number=number,
    )


def _was(place: _Place) -> diffs.Hunk:
    lines = tuple(diffs.Line(" ", line) for line in (*place.lead, *place.part.ours, *place.trail))
    return diffs.Hunk(place.line, len(lines), place.line, len(lines), lines)


def _open(place: _Place, clash: Clash, number: int, sides: Sides, *, known: bool) -> DiffHunk:
    start = place.line + len(place.lead) + 1
    crlf = all(
        line.endswith(b"\r\n") for line in (*place.lead, *clash.ours, *clash.theirs, *place.trail)
    )
    texts = [_texts(each, crlf=crlf) for each in (clash.ours, clash.base, clash.theirs)]
    below = start + len(clash.ours)
    names = (sides.mine, sides.base, sides.theirs)
    lines = (
        *_around(_texts(place.lead, crlf=crlf), place.line + 1),
        *conflict_lines(texts[0], texts[1] if known else None, texts[2], start=start, names=names),
        *_around(_texts(place.trail, crlf=crlf), below),
    )
    return DiffHunk(f"line {start}", lines, clash=DiffClash(number))


def _texts(lines: Sequence[bytes], *, crlf: bool) -> tuple[str, ...]:
    end = b"\r\n" if crlf else b"\n"
    return tuple(diffs.visible(line.removesuffix(end), tab_size=None) for line in lines)


def _around(texts: Sequence[str], start: int) -> list[DiffLine]:
    return [DiffLine("same", text, start + at, start + at) for at, text in enumerate(texts)]


def _settled(  # noqa: PLR0917  a place, and all that says what stands there
    place: _Place,
    clash: Clash,
    number: int,
    settled: Settled,
    content: diffs.Content,
    sides: Sides,
) -> DiffHunk:
    """Show what becomes of the user's lines."""
    made = taken(clash, settled, content)
    written = b"".join(diffs.ended([*place.lead, *made, *place.trail]))
    return DiffHunk(
        f"line {place.line + len(place.lead) + 1}",
        compared_lines(_was(place), written),
        edited=settled.take == "written",
        clash=DiffClash(number, _words(settled.take, sides)),
    )
