"""A file that meets the user's own edit, for the diff pane: both versions, or the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from turbo_tui.app.present_lines import compared_lines, line_words, shown_lines
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
from turbo_tui.core.merge import Clash
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
    """A clash with the lines around it; `line` is the first line of it all in ours, from 0."""

    clash: Clash
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
    ours = content(change.before.blob) if change.before is not None else b""
    mine = {place: Settled("mine") for place in range(clashing.places)}
    kept = replace(clashing, settled=mine)
    clean = diffs.diff(ours, settled_content(change, kept, content)).hunks
    hunks = [(hunk.old_start, _merged(hunk, sides)) for hunk in clean]
    known = clashing.base != ""
    for number, place in enumerate(_places(change, clashing, content)):
        settled = clashing.settled.get(number)
        if settled is None:
            hunk = _open(place, number, sides, known=known)
        else:
            hunk = _settled(place, number, settled, content, sides)
        hunks.append((place.line, hunk))
    hunks.sort(key=lambda each: each[0])
    outcome = replace(clashing, settled={**mine, **clashing.settled})
    added, removed = diffs.counts(diffs.diff(ours, settled_content(change, outcome, content)))
    return replace(
        file,
        hunks=tuple(hunk for _, hunk in hunks),
        added=added,
        removed=removed,
        by_hunk=False,
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
    free = diffs.CONTEXT_LINES  # lines of the part before that no clash shows yet
    for at, part in enumerate(parts):
        if isinstance(part, Clash):
            before, after = _lines(parts[at - 1]), _lines(parts[at + 1])
            room = min(free, diffs.CONTEXT_LINES, len(before))
            lead = before[len(before) - room :] if room else ()
            trail = after[: diffs.CONTEXT_LINES]
            free = len(after) - len(trail)
            found.append(_Place(part, part.ours_start - len(lead), lead, trail))
    return found


def _lines(part: tuple[bytes, ...] | Clash) -> tuple[bytes, ...]:
    return () if isinstance(part, Clash) else part


def _merged(hunk: diffs.Hunk, sides: Sides) -> DiffHunk:
    shown = diffs.display_lines(hunk, tab_size=None)
    crlf = all(line.text.endswith("␍") or line.unterminated for line in shown)
    lines = shown_lines(shown, crlf=crlf)
    return DiffHunk(f"{line_words(hunk)}  {sides.merged}", lines)


def _open(place: _Place, number: int, sides: Sides, *, known: bool) -> DiffHunk:
    clash, start = place.clash, place.line + len(place.lead) + 1
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


def _settled(
    place: _Place, number: int, settled: Settled, content: diffs.Content, sides: Sides
) -> DiffHunk:
    """Show what becomes of the user's lines."""
    made = taken(place.clash, settled, content)
    was = (*place.lead, *place.clash.ours, *place.trail)
    lines = tuple(diffs.Line(" ", each) for each in was)
    hunk = diffs.Hunk(place.line, len(was), place.line, len(was), lines)
    written = b"".join(diffs.ended([*place.lead, *made, *place.trail]))
    return DiffHunk(
        f"line {place.line + len(place.lead) + 1}",
        compared_lines(hunk, written),
        edited=settled.take == "written",
        clash=DiffClash(number, _words(settled.take, sides)),
    )
