"""The rungs of the ladder: the places where a text stands, read ever more loosely."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from turbo_tui.edits.anchored import anchored_places
from turbo_tui.edits.carrying import Pairs, carried, merged_text
from turbo_tui.edits.edges import severed, without_edges
from turbo_tui.edits.elided import chains, parts, rivals
from turbo_tui.edits.escapes import UNDOING
from turbo_tui.edits.indentation import off
from turbo_tui.edits.left_out import marks_gap
from turbo_tui.edits.likeness import folded, plain, spaced, undone
from turbo_tui.edits.rows import MOST_PLACES, Reading, Rows, cut
from turbo_tui.edits.twins import is_twin, may_be_loose
from turbo_tui.edits.values import Chunk, Rung

_SHORTEST_NAME = 2  # letters, less one
_KEYWORD = re.compile(
    r"(?:begin|break|catch|continue|default|done|else|end|endif|except|finally|none|null|pass|"
    r"return|static|then|throw|true|try|yield)$",
    re.IGNORECASE,
)
_LOOSE_ROWS = 2  # of context at each end, which may not be there


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a text and what takes their place."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a chunk as a rung read them, and the first row of the place that they are for."""

    first: int
    old: Sequence[str]
    new: Sequence[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a chunk could be meant.

    Attributes:
        start: First character of it.
        end: Character after its last.
        rung: How it was found.
        write: Gives what is to be changed; None where that cannot be told.
        pieces: The rows that it was found by; none where it was found by its characters.
    """

    start: int
    end: int
    rung: Rung
    write: Callable[[], tuple[Span, ...] | None]
    pieces: tuple[Piece, ...] = ()


Climb = Callable[[Rows, Chunk], Iterator[Candidate]]


def exact(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where the very characters stand; whole rows go before parts of rows."""
    text, old = rows.text, chunk.old
    starts = _occurrences(text, old, max(MOST_PLACES, chunk.count + 1))
    ends = [(start, start + len(old), chunk.new) for start in starts]
    if old.endswith("\n") and not rows.ended and len(old) > 1 and text.endswith(old[:-1]):
        # The last row lacks its line end and goes on lacking it.
        ends.append((len(text) - len(old) + 1, len(text), chunk.new.removesuffix("\n")))
    aligned = [found for found in ends if found[0] == 0 or text[found[0] - 1] == "\n"]
    if old.endswith("\n") and (chunk.whole_lines or len(aligned) == chunk.count):
        ends = aligned
    elif chunk.whole_lines:
        ends = [found for found in aligned if found[1] == len(text) or text[found[1]] == "\n"]
    elif _lost_indentation(rows, chunk, ends):
        return
    if old.endswith("\n") and chunk.new and not chunk.new.endswith("\n") and not chunk.at_end:
        # Whole lines are replaced: the next line does not become a part of the last one.
        ends = [_with_line_end(text, found) for found in ends]
    if chunk.count > 1:
        ends = _apart(ends)
    for start, end, new in ends:
        yield Candidate(start, end, "exact", lambda span=Span(start, end, new): (span,))


def exact_lines(rows: Rows, old: str) -> list[int]:
    """Return the lines (1-based) where the very characters stand as whole rows."""
    starts = _occurrences(rows.text, old)
    return [rows.at(at) + 1 for at in starts if at in (0, rows.starts[rows.at(at)])]


def _occurrences(text: str, old: str, most: int = MOST_PLACES) -> list[int]:
    """Find all, overlapping ones too: two that overlap are two places all the same."""
    starts: list[int] = []
    at = text.find(old)
    while at >= 0 and len(starts) < most:
        starts.append(at)
        at = text.find(old, at + 1)
    return starts


def _with_line_end(text: str, found: tuple[int, int, str]) -> tuple[int, int, str]:
    start, end, new = found
    whole = start == 0 or text[start - 1] == "\n"
    return (start, end - 1, new) if whole and end < len(text) else found


def _apart(ends: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    kept: list[tuple[int, int, str]] = []
    for found in ends:
        if not kept or found[0] >= kept[-1][1]:
            kept.append(found)
    return kept


def _lost_indentation(rows: Rows, chunk: Chunk, ends: Sequence[tuple[int, int, str]]) -> bool:
    """Say whether one row without its indentation becomes several, which must get it."""
    if not chunk.old.endswith("\n") or "\n" in chunk.old[:-1] or "\n" not in chunk.new[:-1]:
        return False
    leads = [rows.text[rows.starts[rows.at(start)] : start] for start, _, _ in ends]
    return bool(leads) and all(lead and not lead.strip() for lead in leads) and not short(chunk.old)


def short(old: str) -> bool:
    """Say whether a text tells too little to be looked for in any but its exact form."""
    words = "".join(char if char.isalnum() or char == "_" else " " for char in old).split()
    return len(words) < 2 and sum(map(len, words)) < 8  # noqa: PLR2004


def _tells(row: str) -> bool:
    return not short(row)


def by_rows(rung: Rung, read: Reading) -> Climb:
    """Make the rung that compares rows one by one, each read in a certain way."""

    def climb(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
        if _stands(rows, chunk, read):
            return  # it is done already: a text elsewhere that is nearly the old one is another
        for old, new, edges in without_edges(cut(chunk.old), cut(chunk.new)):
            firsts = [
                first
                for first in rows.places([read(row) for row in old], read)
                # A `}` that is further in or out than it should be may be the next one.
                if not any(map(short, off(old, rows.rows[first : first + len(old)], _tells)))
                and not severed(rows, (first, first + len(old)), (old, new), edges)
            ]
            for first in firsts:
                place = (first, first + len(old))
                yield aligned(rows, chunk, rung, place, Meant(old, new, range(len(old))))
            if firsts:
                return

    return climb


def _stands(rows: Rows, chunk: Chunk, read: Reading) -> bool:
    """Say whether the new text stands in the file, and is no part of the old one."""
    if chunk.new in chunk.old or short(chunk.new):
        return False
    return bool(rows.places([read(row) for row in cut(chunk.new)], read))


@dataclass(frozen=True, slots=True)
class Meant:
    """What a chunk says, read by a rung.

    Attributes:
        old: The rows it has for those of the file.
        new: What takes their place.
        pairs: For each row of `old` which row of the place it stands for; None: for none.
    """

    old: Sequence[str]
    new: Sequence[str]
    pairs: Pairs


def aligned(
    rows: Rows, chunk: Chunk, rung: Rung, place: tuple[int, int], meant: Meant
) -> Candidate:
    """Make the candidate for rows that stand at `place` (first row, row after the last)."""
    first, stop = place
    ended = chunk.old.endswith("\n")
    start, end = rows.starts[first], rows.end(stop, ended=ended)

    def write() -> tuple[Span, ...] | None:
        found = rows.rows[first:stop]
        written = carried(meant.old, found, meant.pairs, meant.new, rows.unit)
        if written is None:
            return None
        text = "\n".join(written)
        if ended and written and rows.text[end - 1 : end] == "\n":
            text += "\n"
        return (Span(start, end, text),)

    return Candidate(start, end, rung, write, (Piece(first, meant.old, meant.new),))


def lone_row(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where a row of one word stands but for white space at its ends.

    Only whole rows, and no bracket or keyword, which are in many places.
    """
    old, new = cut(chunk.old), cut(chunk.new)
    if not chunk.whole_lines or len(old) != 1 or not _is_name(old[0]):
        return
    for first in rows.places([plain(old[0])], plain):
        rung: Rung = "trailing" if rows.rows[first].rstrip() == old[0].rstrip() else "indentation"
        yield aligned(rows, chunk, rung, (first, first + 1), Meant(old, new, range(1)))


def _is_name(row: str) -> bool:
    word = row.strip()
    return len(word) > _SHORTEST_NAME and word.isidentifier() and not _KEYWORD.match(word)


def part_of_row(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where a text stands that is no whole rows, look-alike characters taken as the same."""
    if chunk.whole_lines or chunk.old.endswith("\n"):
        return
    for start in _occurrences(folded(rows.text), folded(chunk.old)):
        end = start + len(chunk.old)

        def write(start: int = start, end: int = end) -> tuple[Span, ...]:
            found = rows.text[start:end]
            undo = undone([chunk.old], [found])
            return (Span(start, end, merged_text(chunk.old, found, chunk.new, undo)),)

        yield Candidate(start, end, "typographic", write)


def look_alikes(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where rows stand but for look-alike characters and the width of white space."""
    found = list(by_rows("typographic", plain)(rows, chunk)) or list(part_of_row(rows, chunk))
    # Else a formatter may have set blanks between words and signs; one word tells too little.
    yield from found or by_rows("typographic", spaced)(rows, chunk)


def escapes(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where rows stand once escapes in the chunk are undone, in `new` as in `old`."""
    seen: set[int] = set()
    for undo in UNDOING:
        old, new = undo(chunk.old.removesuffix("\n")), undo(chunk.new.removesuffix("\n"))
        if undo(chunk.old) == chunk.old or short(old):
            continue
        if chunk.old.endswith("\n") and not old.endswith("\n"):
            # Else the last line end was escaped with the rest, and the one after it is none.
            old, new = f"{old}\n", f"{new}\n" if chunk.new else ""
        plainer = replace(chunk, old=old, new=new)
        for one in by_rows("escapes", plain)(rows, plainer):
            if one.start not in seen:
                seen.add(one.start)
                yield one


def anchored(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield the one place that a block fits which differs from what is there.

    Others that it fits nearly as well come after it; nothing is ever written there.
    """
    *_, (old, new, edges) = without_edges(cut(chunk.old), cut(chunk.new))
    gaps = {row.strip() for row in new if marks_gap(row)}
    loose = (_context(old, new), _context(old[::-1], new[::-1]))
    for index, found in enumerate(anchored_places(rows, old, loose)):
        place = (found.first, found.stop)
        there = rows.rows[found.first : found.stop]
        if not index and is_twin(old, new, there, found.pairs, lambda word: word in rows.words):
            return
        if not gaps <= {row.strip() for row in there}:
            return  # what stands for code that is left out would be written
        if not index and severed(rows, place, (old, new), edges):
            return
        one = aligned(rows, chunk, "anchored", place, Meant(old, new, found.pairs))
        yield replace(one, write=_nothing) if index else one


def _context(old: Sequence[str], new: Sequence[str]) -> int:
    """Count the first rows that need not be in the file: what stays and tells nothing.

    A key or header at the edge must be there, since it tells one block from its twin.
    """
    pairs = zip(old[:_LOOSE_ROWS], new, strict=False)
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1] and may_be_loose(pair[0]), pairs)
    )


def _nothing() -> None:
    return None


def elided(rows: Rows, chunk: Chunk) -> Iterator[Candidate]:
    """Yield where the parts of a block stand that leaves out what lies between them."""
    cut_up = parts(cut(chunk.old), cut(chunk.new))
    if cut_up is None or short("\n".join(row for old, _ in cut_up for row in old)):
        return
    changed = [at for at, (old, new) in enumerate(cut_up) if old != new]
    # Parts that stay only tell where the others are.
    told = [old for old, _ in cut_up]
    ways = chains(rows, told)
    if ways:
        ways += rivals(rows, told, ways)
    for places in dict.fromkeys(tuple(way[at] for at in changed) for way in ways):
        pieces = [
            aligned(rows, chunk, "elided", (at, at + len(old)), Meant(old, new, range(len(old))))
            for at, (old, new) in zip(places, (cut_up[at] for at in changed), strict=True)
        ]
        if not pieces:
            return

        def write(pieces: Sequence[Candidate] = pieces) -> tuple[Span, ...] | None:
            written = [piece.write() for piece in pieces]
            if None in written:
                return None
            return tuple(span for spans in written for span in spans or ())

        told = tuple(piece for one in pieces for piece in one.pieces)
        yield Candidate(pieces[0].start, pieces[-1].end, "elided", write, told)


RUNGS: tuple[Climb, ...] = (
    by_rows("trailing", str.rstrip),
    by_rows("indentation", str.strip),
    look_alikes,
    escapes,
    anchored,
    elided,
)
