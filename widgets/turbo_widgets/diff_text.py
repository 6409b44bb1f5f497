"""A line of code on screen: what is shown of it, where it is cut, and how it is coloured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.cells import cell_len, split_graphemes

from turbo_widgets.row_items import Span, Tone, Tones
from turbo_widgets.text import clean, clean_line

Layer = tuple[int, int, Tone]  # characters, and the tone they get over what lies below

_TAB_WIDTH = 4  # as `text.clean` has it
_BLANK_END = re.compile(r"[ ·→]+$")


def shown_line(text: str, *, blanks: bool = False) -> str:
    """Return a line as it is shown.

    Args:
        text: Any line.
        blanks: Show tabs and the spaces at its end; the text stays as wide as without.
    """
    if not blanks:
        return clean_line(text)
    if "\t" in text:
        shown = ""
        *parts, last = text.split("\t")
        for part in parts:
            shown += clean_line(part)
            pad = _TAB_WIDTH - len(shown) % _TAB_WIDTH
            shown += "→" + " " * (pad - 1)
        shown += clean(last)
    else:
        shown = clean_line(text)
    end = _BLANK_END.search(shown)
    return shown if end is None else shown[: end.start()] + end.group().replace(" ", "·")


def blank_layers(shown: str) -> list[Layer]:
    """Return where tabs and blanks at the end are shown."""
    layers: list[Layer] = [
        (match.start(), match.end(), "space") for match in re.finditer("→", shown)
    ]
    end = _BLANK_END.search(shown)
    if end is not None:
        layers.append((end.start(), end.end(), "space"))
    return layers


def pieces(text: str, width: int) -> list[tuple[int, int]]:
    """Cut a line every `width` cells, never within a character as a reader knows it."""
    width = max(2, width)
    if text.isascii():
        starts = range(0, max(1, len(text)), width)
        return [(start, min(len(text), start + width)) for start in starts]
    cuts: list[tuple[int, int]] = []
    start = cells = at = 0
    for first, last, size in split_graphemes(text)[0]:
        if cells + size > width and first > start:
            cuts.append((start, first))
            start, cells = first, 0
        cells += size
        at = last
    cuts.append((start, max(at, start)))
    return cuts


def rows_needed(text: str, width: int) -> int:
    """Return how many rows a line takes when it is wrapped."""
    if len(text) <= width and text.isascii() and text.isprintable():
        return 1
    return len(pieces(shown_line(text), width))


def window(text: str, left: int, width: int) -> tuple[int, int, int]:
    """Return the characters seen `left` cells to the right, and the blanks before them.

    A wide character cut by the left edge is left out and stands as a blank.
    """
    if text.isascii():
        return min(left, len(text)), min(len(text), left + width), 0
    cells = start = end = 0
    pad = 0
    began = False
    for first, last, size in split_graphemes(text)[0]:
        if not began and cells >= left:
            began, start, end, pad = True, first, first, cells - left
        if began and cells + size <= left + width:
            end = last
        elif began:
            break
        cells += size
    return (start, end, pad) if began else (len(text), len(text), 0)


def coloured(
    text: str, piece: tuple[int, int], base: Sequence[Tone], layers: Iterable[Layer]
) -> list[Span]:
    """Return a piece of a line as spans, later layers over earlier ones."""
    start, end = piece
    inside = [layer for layer in layers if layer[0] < end and layer[1] > start]
    if not inside:
        return [(text[start:end], tuple(base))]
    cuts = {start, end}
    for first, last, _ in inside:
        cuts.update((max(start, first), min(end, last)))
    ordered = sorted(cuts)
    spans: list[Span] = []
    for first, last in pairwise(ordered):
        over: list[Tone] = [tone for begin, stop, tone in inside if begin <= first and stop >= last]
        tones: Tones = (*base, *over)
        spans.append((text[first:last], tones))
    return spans


def filled(spans: list[Span], width: int, tone: Tones) -> list[Span]:
    """Fill spans up with blanks to a width in cells."""
    used = sum(cell_len(text) for text, _ in spans)
    return [*spans, (" " * (width - used), tone)] if used < width else spans
