"""Find what a model wants to replace, strictest reading first, and replace it.

Nothing is guessed: a text that stands in several equally good places is refused with their names,
one that stands nowhere with what comes closest. Each chunk is looked for in the text as it was
before any of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate

from turbo_tui.edits.done_already import is_done
from turbo_tui.edits.left_out import marks_gap, stands_for_code
from turbo_tui.edits.match_error import MatchError, ambiguous, missing, wrong_count
from turbo_tui.edits.numbers import Numbers
from turbo_tui.edits.rows import Rows, cut
from turbo_tui.edits.rungs import (
    RUNGS,
    Candidate,
    Climb,
    Span,
    exact,
    exact_lines,
    lone_row,
    short,
)
from turbo_tui.edits.scopes import Scope, comes_later, names_code, scopes_of
from turbo_tui.edits.text_file import Part, TextFile
from turbo_tui.edits.values import Chunk, Rung

_MOST_COMPARED = 300  # rows of a span that are compared for rows that stay
_MOST_LINES = 5
_LOOSE = ("anchored", "elided")
_STRICT: tuple[Climb, ...] = (exact, RUNGS[0])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk was applied.

    Attributes:
        line: First line (1-based, of the edited text) of the text that was found.
        rung: How it was found.
        count: How often it was replaced.
        lines: The first line of each.
    """

    line: int
    rung: Rung
    count: int = 1
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """An edited file and a place for each chunk, in the order of the chunks."""

    file: TextFile
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Settled:
    """A place that was chosen: the region found, and what changes in it."""

    start: int
    end: int
    rung: Rung
    spans: tuple[Span, ...]


def replace_chunks(file: TextFile, chunks: Sequence[Chunk]) -> Replaced:
    r"""Replace each chunk's `old` by its `new`; line ends of both do not matter.

    At the end of a file that lacks its last line end, an `old` that has one matches too, and
    the file goes on lacking it.

    Raises:
        MatchError: A chunk has no place, or none that it can be told apart by; the message says
            what came closest. `chunk` says which.
    """
    return _Ladder(file, [_plain(chunk) for chunk in chunks]).replaced()


def _plain(chunk: Chunk) -> Chunk:
    old, new = chunk.old.replace("\r\n", "\n"), chunk.new.replace("\r\n", "\n")
    return replace(chunk, old=old, new=new)


class _Ladder:
    """The chunks of one file and the places found so far."""

    def __init__(self, file: TextFile, chunks: Sequence[Chunk]) -> None:
        self.file = file
        self.chunks = chunks
        self.rows = Rows(file.text)
        self.waiting = Counter((chunk.old, chunk.context) for chunk in chunks)
        self.settled: list[list[_Settled]] = []
        self.after = 0
        self.numbers = Numbers(chunks, lambda old: exact_lines(self.rows, old))

    def replaced(self) -> Replaced:
        for index, chunk in enumerate(self.chunks):
            try:
                found = self._settle(chunk)
            except MatchError as error:
                error.chunk = index
                raise
            self.waiting[chunk.old, chunk.context] -= 1
            self.settled.append(found)
            self.numbers.found(index, [self._line(one) for one in found])
            self.after = max((span.end for one in found for span in one.spans), default=self.after)
        return self._written()

    # --- finding one chunk's place -------------------------------------------------

    def _settle(self, chunk: Chunk) -> list[_Settled]:
        if chunk.old == chunk.new:
            return []
        self._refuse_lazy(chunk)
        try:
            scopes = scopes_of(self.rows, chunk.context)
        except MatchError:
            # A remark for a header does not matter to a text that stands in one place alone.
            with suppress(MatchError):
                remarks = not any(map(names_code, chunk.context))
                if chunk.old and remarks and (found := self._climb(chunk, _STRICT)):
                    return found
            raise
        if not chunk.old:
            return [self._insertion(chunk, scopes)]
        climbs = (exact, lone_row) if short(chunk.old) else (exact, *RUNGS)
        found = self._climb(chunk, climbs, scopes)
        if not found:
            raise self._not_found(chunk, scopes)
        return found

    def _climb(
        self,
        chunk: Chunk,
        climbs: Sequence[Climb],
        scopes: Sequence[Scope] = (),
    ) -> list[_Settled]:
        """Try one rung after the other, under the headers if there are any."""
        elsewhere = False
        for climb in climbs:
            free = self._free(list(climb(self.rows, chunk)))
            if elsewhere and free and free[0].rung in _LOOSE:
                return []  # what is nearly there must not win over what is there, elsewhere
            inside = [one for one in free if not scopes or _is_in(one, scopes)]
            elsewhere = elsewhere or (bool(free) and not inside)
            if found := self._chosen(chunk, inside):
                return found
        return []

    def _refuse_lazy(self, chunk: Chunk) -> None:
        """Refuse a text that would write `# ... existing code ...` in place of that code."""
        lazy = [row for row in cut(chunk.new) if stands_for_code(row) and row not in self.rows.text]
        if len(lazy) > sum(1 for row in cut(chunk.old) if marks_gap(row)):
            raise MatchError(
                f"the new text leaves code out ({lazy[-1].strip()}): write all of its lines", "lazy"
            )

    def _free(self, found: Sequence[Candidate]) -> list[Candidate]:
        taken = [one for several in self.settled for one in several]
        if not taken:
            return list(found)
        spans = [span for one in taken for span in one.spans]
        regions = {(one.start, one.end) for one in taken}
        kept: list[Candidate] = []
        for one in found:
            near = [span for span in spans if span.start < one.end and one.start < span.end]
            if near and any(_overlap(mine, span) for mine in self._spans(one) for span in near):
                continue
            if (one.start, one.end) not in regions:
                kept.append(one)
        return kept

    def _chosen(self, chunk: Chunk, found: Sequence[Candidate]) -> list[_Settled]:
        if chunk.at_end:
            found = [one for one in found if not self.rows.text[one.end :].strip()]
        if not found:
            return []
        if len(found) != chunk.count:
            found = self._told_apart(chunk, found)
        elif chunk.section:
            self._refuse_before(chunk, self._line(found[0]))
        for one in found:
            self._refuse_done(chunk, one)
        settled = [
            _Settled(one.start, one.end, one.rung, spans)
            for one in found
            if (spans := self._spans(one))
        ]
        written = [span for one in settled for span in one.spans]
        if all(span.new == self.rows.text[span.start : span.end] for span in written):
            return []  # loosely read, it is done already
        return settled if len(settled) == len(found) else []

    def _refuse_done(self, chunk: Chunk, one: Candidate) -> None:
        """Refuse what is done already.

        Raises:
            MatchError: It is.
        """
        line = self._done_at_number(chunk, one)
        if line or is_done(self.rows, one, chunk):
            line = line or self._line(one)
            raise MatchError(
                f"this is applied already: the file has the new text at line {line}",
                "already_applied",
                lines=[line],
            )

    def _done_at_number(self, chunk: Chunk, one: Candidate) -> int:
        """Return the line a number says, where the new text stands there and the old elsewhere."""
        meant = self.numbers.meant(len(self.settled))
        if not meant or meant == self._line(one) or short(chunk.new):
            return 0
        return meant if meant in exact_lines(self.rows, chunk.new) else 0

    def _refuse_before(self, chunk: Chunk, line: int) -> None:
        """Refuse a place before the heading of its section, which git takes from above it.

        Raises:
            MatchError: It is, and the line number is another too.
        """
        if line != chunk.line and comes_later(self.rows, chunk.section, line):
            raise MatchError(
                f"the text stands at line {line}, which is before {chunk.section!r}, the heading "
                "of its hunk",
                lines=[line],
            )

    def _told_apart(self, chunk: Chunk, found: Sequence[Candidate]) -> Sequence[Candidate]:
        """Take what the order of the chunks or an exact line number settles."""
        lines = [self._line(one) for one in found]
        if chunk.count > 1:
            raise wrong_count(lines, chunk.count)
        if (line := self.numbers.meant(len(self.settled))) in lines:
            return [found[lines.index(line)]]
        if chunk.section:
            with suppress(MatchError):
                scopes = scopes_of(self.rows, (chunk.section,))
                under = [one for one in found if _is_in(one, scopes)]
                if len(under) == 1:
                    return under
        later = [one for one in found if one.start >= self.after] if self.after else []
        if len(later) == 1:
            return later
        # As many places as chunks that say the same: one each, in order.
        if len(found) == self.waiting[chunk.old, chunk.context] > 1:
            return later[:1] or found[:1]
        raise ambiguous(self.rows.rows, lines, nearly=found[0].rung in _LOOSE)

    def _spans(self, one: Candidate) -> tuple[Span, ...]:
        text = self.rows.text
        return tuple(span for wide in one.write() or () for span in _narrowed(text, wide))

    def _line(self, one: Candidate | _Settled) -> int:
        return self.rows.at(one.start) + 1

    def _not_found(self, chunk: Chunk, scopes: Sequence[Scope] = ()) -> MatchError:
        text = self.rows.text
        strict = (exact,) if short(chunk.old) else (exact, *RUNGS[:4])
        outside = (list(climb(self.rows, chunk)) for climb in strict if scopes)
        if elsewhere := [self._line(one) for one in next(filter(None, outside), ())]:
            named = " and ".join(str(line) for line in elsewhere[:_MOST_LINES])
            return MatchError(
                f"the text does not stand under its header {chunk.context[-1].strip()!r} "
                f"(line {scopes[0].header + 1}), but at line {named}",
                lines=elsewhere,
            )
        if chunk.at_end and (inside := exact_lines(self.rows, chunk.old)):
            named = " and ".join(str(line) for line in inside[:_MOST_LINES])
            return MatchError(
                f"the text stands at line {named}, but is not the last of the file, as the end-of-"
                "file marker says",
                lines=inside,
            )
        new = chunk.new.strip("\n")
        if not short(new) and new in text and new not in chunk.old:
            line = self.rows.at(text.index(new)) + 1
            return MatchError(
                f"the text does not occur, but the new text stands at line {line}: "
                "this is applied already",
                "already_applied",
                lines=[line],
            )
        return missing(text, chunk.old)

    def _insertion(self, chunk: Chunk, scopes: Sequence[Scope]) -> _Settled:
        text = self.rows.text
        at = len(text)
        if scopes and not chunk.at_end:
            later = [scope for scope in scopes if scope.start >= self.after]
            meant = later if self.after and len(later) == 1 else scopes
            if len(meant) > 1:
                raise ambiguous(self.rows.rows, [scope.header + 1 for scope in meant])
            at = self.rows.starts[meant[0].header + 1]
        new = chunk.new
        if at == len(text) and text and not self.rows.ended:
            new = "\n" + new.removesuffix("\n")  # the file goes on without a last line end
        elif text and not new.endswith("\n"):
            new += "\n"
        return _Settled(at, at, "exact", (Span(at, at, new),))

    # --- writing -------------------------------------------------------------------

    def _written(self) -> Replaced:
        every = [(span, one) for several in self.settled for one in several for span in one.spans]
        every.sort(key=lambda pair: (pair[0].start, pair[0].end))
        file = self.file.replaced_parts(
            Part(span.start, span.end, span.new, (one.start, one.end)) for span, one in every
        )
        grown = self._growth([span for span, _ in every])
        places: list[Place] = []
        for chunk, several in zip(self.chunks, self.settled, strict=True):
            lines = tuple(self._line(one) + grown(one.start) for one in several)
            rung: Rung = several[0].rung if several else "exact"
            places.append(Place(lines[0] if lines else 0, rung, chunk.count, lines))
        return Replaced(file, tuple(places))

    def _growth(self, spans: Sequence[Span]) -> Callable[[int], int]:
        """Return how many lines the parts before an offset added, or took away if below 0."""
        text = self.rows.text
        starts = [span.start for span in spans]
        gains = accumulate(
            (span.new.count("\n") - text.count("\n", span.start, span.end) for span in spans),
            initial=0,
        )
        total = list(gains)
        return lambda offset: total[bisect_left(starts, offset)]


def _is_in(one: Candidate, scopes: Sequence[Scope]) -> bool:
    return any(scope.touches(one.start, one.end) for scope in scopes)


def _overlap(mine: Span, other: Span) -> bool:
    return mine.start < other.end and other.start < mine.end


def _narrowed(text: str, span: Span) -> Iterator[Span]:
    """Leave out the rows that stay as they are: at both ends, and in a small span between."""
    gone = _ended_rows(text[span.start : span.end])
    new = _ended_rows(span.new)
    head = _same(gone, new)
    tail = _same(gone[head:][::-1], new[head:][::-1])
    gone, new = gone[head : len(gone) - tail], new[head : len(new) - tail]
    start = span.start + len("".join(_ended_rows(span.new)[:head]))
    if not gone or not new or max(len(gone), len(new)) > _MOST_COMPARED:
        yield Span(start, start + len("".join(gone)), "".join(new))
        return
    starts = list(accumulate(map(len, gone), initial=start))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, gone, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Span(starts[i1], starts[i2], "".join(new[j1:j2]))


def _ended_rows(text: str) -> list[str]:
    return [row for row in re.split(r"(?<=\n)", text) if row]


def _same(rows: Sequence[str], others: Sequence[str]) -> int:
    """Count the first rows that are the same."""
    pairs = zip(rows, others, strict=False)
    return next((at for at, (row, other) in enumerate(pairs) if row != other), _fewer(rows, others))


def _fewer(rows: Sequence[str], others: Sequence[str]) -> int:
    return min(len(rows), len(others))


__all__ = ["MatchError", "Place", "Replaced", "replace_chunks"]
