"""Rows of the knowledge pane: results with what speaks for them, and a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from turbo_widgets.diff_text import Layer, coloured
from turbo_widgets.knowledge_query import words_of
from turbo_widgets.knowledge_values import Preview, SearchHit
from turbo_widgets.rows import Row, Span
from turbo_widgets.text import clean_line, fit, fit_path, wrap

_LEAST = 12  # cells in which a reason says something


def file_rows(preview: Preview, query: str) -> list[Row]:
    """Return a file's rows, one item each; in the place meant, the words asked for are marked."""
    lines = preview.text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    digits = len(str(len(lines)))
    wanted = words_of(query)
    first, last = preview.span if preview.span[0] else (preview.line, preview.line)
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        inside = first <= number <= last
        text = clean_line(line.rstrip("\r"))
        layers: list[Layer] = [*preview.marks.get(number, ())]
        if inside and wanted is not None:
            layers.extend((*found.span(), "match") for found in wanted.finditer(text))
        spans = coloured(text, (0, len(text)), ("plain",), layers)
        rows.append(
            Row(
                ((f"{number:>{digits}}  ", "accent" if inside else "dim"), *spans),
                item=number - 1,
                band="band" if inside else "plain",
            )
        )
    return rows or [said_row("The file is empty.")]


def hit_rows(
    hits: Sequence[SearchHit], query: str, pinned: Collection[str], room: int, *, whole: bool
) -> list[Row]:
    """Return the rows of results, an item each.

    Args:
        hits: The results.
        query: Its words are marked.
        pinned: Paths of files that go with the next task.
        room: Cells of a row.
        whole: Reasons have rows of their own, with nothing left out.
    """
    rows: list[Row] = []
    wanted = words_of(query)
    for place, hit in enumerate(hits):
        where = fit_path(clean_line(f"{hit.path}:{hit.line}"), room)
        end: list[Span] = [("pinned  ", "good")] if hit.path in pinned else []
        left = room - len(where) - sum(len(text) for text, _ in end) - 2
        why = "" if whole else _fitting(hit.why, left)
        end.extend([(why, "dim")] if why else [])
        rows.append(Row(((where, "accent"),), item=place, end=tuple(end)))
        text = f"  {clean_line(hit.text.strip())}"
        found: list[Layer] = (
            [(*match.span(), "strong") for match in wanted.finditer(text)] if wanted else []
        )
        rows.append(Row(tuple(coloured(text, (0, len(text)), ("plain",), found)), item=place))
        if whole:
            reasons = wrap(" · ".join(map(clean_line, hit.why)), room - 2)
            rows.extend(Row(((f"  {line}", "dim"),), item=place) for line in reasons)
    return rows


def said_row(line: str) -> Row:
    """Return a row of what the pane says itself."""
    return Row(((line, "dim"),))


def _fitting(reasons: Sequence[str], room: int) -> str:
    """Return as many reasons as fit, the first ones; of the first alone, what fits."""
    shown = ""
    for reason in map(clean_line, reasons):
        longer = f"{shown} · {reason}" if shown else reason
        if len(longer) > room:
            return shown or (fit(reason, room) if room >= _LEAST else "")
        shown = longer
    return shown
