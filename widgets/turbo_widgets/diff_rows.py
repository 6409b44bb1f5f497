"""The rows of a change set, made when they come into view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from turbo_widgets.diff_layout import Code, CodeRow, Layout, Notice
from turbo_widgets.diff_pairs import Pair, changed_words, only_blanks_differ, pair_lines
from turbo_widgets.diff_syntax import Syntax
from turbo_widgets.diff_text import (
    Layer,
    blank_layers,
    coloured,
    filled,
    pieces,
    rows_needed,
    shown_line,
    window,
)
from turbo_widgets.diff_values import DiffFile, DiffHunk, DiffLine, DiffValue, LineKind
from turbo_widgets.row_items import Row, Span, Tone

SIDE_NEEDS = 80  # cells of the pane; with less, each side is too narrow to read

_MARKERS = re.compile(r"(?:<{7}|\|{7}|={7}|>{7})(?: |$)")
_MOST_WORDS = 4_000  # lines whose changed words are remembered


class _Look(NamedTuple):
    sign: str
    tone: Tone
    band: Tone


_LOOKS: dict[LineKind, _Look] = {
    "same": _Look(" ", "plain", "plain"),
    "added": _Look("+", "added", "added"),
    "removed": _Look("-", "removed", "removed"),
    "note": _Look("\\", "dim", "plain"),
    "marker": _Look("!", "warn", "band"),
    "ours": _Look("<", "accent", "plain"),
    "base": _Look("|", "dim", "plain"),
    "theirs": _Look(">", "good", "plain"),
}


@dataclass(frozen=True, slots=True)
class View:
    """How a change set is looked at.

    Attributes:
        room: Cells of a row.
        side: Old and new side by side.
        wrap: Long lines take several rows.
        blanks: Tabs and blanks at line ends are shown; lines where only blanks differ are dim.
        listed: The files are listed above the first.
    """

    room: int
    side: bool = False
    wrap: bool = True
    blanks: bool = False
    listed: bool = True


@dataclass(slots=True)
class Found:
    """What is searched for."""

    pattern: re.Pattern[str] | None = None
    here: tuple[int, int, int, int] | None = None  # file, hunk, line, first character


class Chosen(NamedTuple):
    """A range of items, both ends in it."""

    first: int
    last: int


class Widths(NamedTuple):
    """How a file's rows are divided: gutter and code; side by side, of the left half."""

    digits: int
    gutter: int
    code: int
    right: int = 0  # code cells of the right half


class Columns:
    """The widths of each file's rows, and the pairs of each hunk, made when needed."""

    def __init__(self, value: DiffValue, view: View) -> None:
        self.value = value
        self.view = view
        self._widths: dict[int, Widths] = {}
        self._pairs: dict[tuple[int, int], tuple[dict[int, int], list[Pair]]] = {}

    def of(self, file: int) -> Widths:
        """Return how a file's rows are divided."""
        known = self._widths.get(file)
        if known is None:
            known = self._widths[file] = self._divide(self.value.files[file])
        return known

    def _divide(self, file: DiffFile) -> Widths:
        digits = max((len(str(_last_number(hunk))) for hunk in file.hunks), default=1)
        room = self.view.room
        if not self.view.side:
            gutter = 2 * digits + 5
            return Widths(digits, gutter, max(2, room - gutter))
        gutter = digits + 4
        left = (room - 1) // 2
        return Widths(digits, gutter, max(2, left - gutter), max(2, room - 1 - left - gutter))

    def pairs(self, file: int, hunk: int) -> tuple[dict[int, int], list[Pair]]:
        """Return a hunk's pairs of lines."""
        known = self._pairs.get((file, hunk))
        if known is None:
            known = pair_lines(self.value.files[file].hunks[hunk].lines)
            self._pairs[file, hunk] = known
        return known

    def heights(self, file: int, hunk: int, pairs: Sequence[Pair]) -> list[int] | None:
        """Return how many rows each pair takes; None where it is one for all."""
        if not self.view.wrap or not pairs:
            return None
        widths, lines = self.of(file), self.value.files[file].hunks[hunk].lines
        narrow = min(widths.code, widths.right or widths.code)
        texts = [line.text for line in lines[pairs[0][0] : pairs[-1][0] + 1]]
        if self.view.side:
            texts = [line.text for line in lines]
        if max(map(len, texts)) <= narrow and _is_plain("".join(texts)):
            return None
        left, right = widths.code, widths.right
        if not right:
            return [rows_needed(text, left) for text in texts]
        return [
            max(
                rows_needed(lines[old].text, left) if old >= 0 else 1,
                rows_needed(lines[new].text, right) if new >= 0 else 1,
            )
            for old, new in pairs
        ]

    @property
    def widest(self) -> int:
        """Cells of the widest row if nothing is wrapped; looks at every line."""
        beyond = 0
        for number, file in enumerate(self.value.files):
            widths = self.of(number)
            narrow = min(widths.code, widths.right or widths.code)
            longest = max(
                (_cells(line.text) for hunk in file.hunks for line in hunk.lines), default=0
            )
            beyond = max(beyond, longest - narrow)
        return self.view.room + beyond


def _cells(text: str) -> int:
    return len(text) if _is_plain(text) else cell_len(shown_line(text))


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _last_number(hunk: DiffHunk) -> int:
    """Return a bound on the line numbers of a hunk, without looking at all of them."""
    start = max((max(line.old, line.new) for line in hunk.lines[:2]), default=1)
    return max(start + len(hunk.lines) - 1, *(max(line.old, line.new) for line in hunk.lines[-2:]))


class DiffRows(Sequence[Row]):
    """All rows of a layout; each is made when it is asked for."""

    def __init__(self, layout: Layout, columns: Columns, syntax: Syntax, found: Found) -> None:
        self._layout = layout
        self._columns = columns
        self._syntax = syntax
        self._found = found
        self._words: dict[tuple[int, int, int], list[Layer]] = {}
        self.left = 0  # cells scrolled to the right
        self.chosen: Chosen | None = None

    def __len__(self) -> int:
        return self._layout.row_count

    def __getitem__(self, at: int) -> Row:  # pyright: ignore[reportIncompatibleMethodOverride]  no slices
        item = self._layout.item_at(at)
        row = self._layout.row(at)
        if isinstance(row, Notice):
            return Row(row.spans, item, row.band)
        if self._columns.view.side:
            return self._side_row(row, item)
        return self._one_row(row, item)

    # --- unified -------------------------------------------------------------------

    def _one_row(self, row: CodeRow, item: int) -> Row:
        block, number = row.block, row.block.pairs[row.at][0]
        widths = self._columns.of(block.file)
        line, look = self._line(block, number)
        digits = widths.digits
        mark = self._mark(block, line, item)
        if row.part:
            numbers: list[Span] = [mark, (" " * (widths.gutter - 1), "dim")]
        else:
            old, new = line.old or "", line.new or ""
            numbers = [
                mark,
                (f"{old:>{digits}} {new:>{digits}} ", "dim"),
                (f"{look.sign} ", look.tone),
            ]
        spans, length = self._code(block, number, row.part, widths.code, look)
        columns = ((widths.gutter, widths.gutter + length),)
        return Row((*numbers, *spans), item, look.band, (), columns, joins=row.part > 0)

    # --- side by side ----------------------------------------------------------------

    def _side_row(self, row: CodeRow, item: int) -> Row:
        left, right = row.block.pairs[row.at]
        widths = self._columns.of(row.block.file)
        one, first = self._half(row, left, item, widths.code, old=True)
        two, second = self._half(row, right, item, widths.right, old=False)
        middle = sum(len(text) for text, _ in one) + 1
        columns = ((widths.gutter, widths.gutter + first), (middle + widths.gutter, 0))
        columns = (columns[0], (columns[1][0], columns[1][0] + second))
        return Row((*one, ("│", "dim"), *two), item, "plain", (), columns, joins=row.part > 0)

    def _half(
        self, row: CodeRow, number: int, item: int, width: int, *, old: bool
    ) -> tuple[list[Span], int]:
        block = row.block
        widths = self._columns.of(block.file)
        if number < 0:
            return [(" " * (widths.gutter + width), "plain")], 0
        line, look = self._line(block, number)
        mark = self._mark(block, line, item)
        if row.part:
            spans: list[Span] = [mark, (" " * (widths.gutter - 1), (look.band, "dim"))]
        else:
            count = (line.old if old else line.new) or line.old or line.new or ""
            spans = [
                mark,
                (f"{count:>{widths.digits}} ", (look.band, "dim")),
                (f"{look.sign} ", (look.band, look.tone)),
            ]
        code, length = self._code(block, number, row.part, width, look)
        for text, tones in code:
            over = (tones,) if isinstance(tones, str) else tones
            spans.append((text, (look.band, "plain", *over)))
        return filled(spans, widths.gutter + width, (look.band,)), length

    # --- one line ----------------------------------------------------------------------

    def _line(self, block: Code, number: int) -> tuple[DiffLine, _Look]:
        hunk = self._hunk(block)
        line = hunk.lines[number]
        look = _LOOKS[line.kind]
        out = not (hunk.accepted and line.accepted)
        blanks = self._columns.view.blanks
        if line.changed and (out or (blanks and self._only_blanks(block, number))):
            look = _Look(look.sign, "dim", "plain")
        return line, look

    def _hunk(self, block: Code) -> DiffHunk:
        return self._columns.value.files[block.file].hunks[block.hunk]

    def _mark(self, block: Code, line: DiffLine, item: int) -> Span:
        if self.chosen is not None and self.chosen.first <= item <= self.chosen.last:
            return "┃", ("chosen", "accent")
        if line.changed and not (self._hunk(block).accepted and line.accepted):
            return "○", "warn"
        return " ", "plain"

    def _code(
        self, block: Code, number: int, part: int, width: int, look: _Look
    ) -> tuple[list[Span], int]:
        """Return what is seen of a line, and how many characters that is."""
        view = self._columns.view
        text = shown_line(self._hunk(block).lines[number].text, blanks=view.blanks)
        if view.wrap:
            cuts = pieces(text, width)
            if part >= len(cuts):
                return [], 0
            piece, pad = cuts[part], 0
        else:
            first, last, pad = window(text, self.left, width)
            piece = first, last
        base, layers = self._layers(block, number, text, look)
        spans = coloured(text, piece, base, layers)
        return ([(" " * pad, "plain"), *spans] if pad else spans), pad + piece[1] - piece[0]

    def _layers(
        self, block: Code, number: int, text: str, look: _Look
    ) -> tuple[tuple[Tone, ...], list[Layer]]:
        hunk = self._hunk(block)
        line = hunk.lines[number]
        layers: list[Layer] = []
        base: tuple[Tone, ...] = (look.tone,)
        plain = line.kind in {"same", "ours", "theirs"} or look.band in {"added", "removed"}
        if plain:
            path = self._columns.value.files[block.file].path
            marks = self._syntax.marks(path, block.hunk, hunk, number)
            if marks:
                layers += marks
                base = ("plain",)
            if line.changed:
                layers += self._changed(block, number)
                if _MARKERS.match(text):
                    layers.append((0, len(text), "warn"))
        if self._columns.view.blanks:
            layers += blank_layers(text)
        if self._found.pattern is not None:
            key = (block.file, block.hunk, number)
            for match in self._found.pattern.finditer(text):
                here = self._found.here == (*key, match.start())
                layers.append((match.start(), match.end(), "match-here" if here else "match"))
        return base, layers

    # --- against its partner -------------------------------------------------------------

    def _partner(self, block: Code, number: int) -> int:
        return self._columns.pairs(block.file, block.hunk)[0].get(number, -1)

    def _only_blanks(self, block: Code, number: int) -> bool:
        lines, other = self._hunk(block).lines, self._partner(block, number)
        if other < 0:
            return not lines[number].text.strip()
        return only_blanks_differ(lines[number].text, lines[other].text)

    def _changed(self, block: Code, number: int) -> list[Layer]:
        key = (block.file, block.hunk, number)
        known = self._words.get(key)
        if known is not None:
            return known
        if len(self._words) > _MOST_WORDS:
            self._words.clear()
        other = self._partner(block, number)
        if other < 0:
            self._words[key] = []
            return []
        old, new = min(number, other), max(number, other)
        lines = self._hunk(block).lines
        olds, news = changed_words(shown_line(lines[old].text), shown_line(lines[new].text))
        self._words[block.file, block.hunk, old] = [(*each, "removed-word") for each in olds]
        self._words[block.file, block.hunk, new] = [(*each, "added-word") for each in news]
        return self._words[key]
