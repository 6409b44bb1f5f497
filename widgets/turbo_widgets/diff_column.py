"""The files of a change set as a column beside the diff: folders, marks, counts."""

from __future__ import annotations

from rich.cells import cell_len

from turbo_widgets.diff_build import box_of
from turbo_widgets.diff_values import DiffValue
from turbo_widgets.row_items import Row, Span
from turbo_widgets.text import clean_line, fit_path

NEEDS = 76  # cells of the pane; with less, the column would leave too little for code
_WIDTH = 30
_AROUND = 6  # cells of the mark and of what stands between name and counts


def width_of(room: int) -> int:
    """Return the cells the column takes."""
    return min(_WIDTH + max(0, (room - 120) // 4), 48)


def column_rows(value: DiffValue, width: int) -> list[Row]:
    """Return the column's rows; `item` is the index of a file."""
    rows: list[Row] = []
    folder = ""
    for number, file in enumerate(value.files):
        parent, _, name = clean_line(file.path).rpartition("/")
        if parent != folder:
            folder = parent
            rows.append(Row(((fit_path(f"{parent}/" if parent else "./", width - 1), "dim"),)))
        counts: tuple[Span, ...] = ((file.action, "dim"),)
        if file.hunks:
            counts = ((f"+{file.added}", "good"), (" ", "plain"), (f"-{file.removed}", "bad"))
        said: list[Span] = []
        if file.open_clashes:
            said.append((f" !{file.open_clashes}", "bad"))
        if file.comments:
            said.append((f" »{file.comments}", "accent"))
        if file.edited or any(hunk.edited for hunk in file.hunks):
            said.append((" edited", "warn"))
        tail = (*counts, *said)
        if said and _cells(tail) + cell_len(name) + _AROUND > width:
            tail = tuple(said)  # what the user did there is worth more than how much it is
        box: Span = box_of(file) if value.decidable else ("   ", "plain")
        room = width - _cells(tail) - _AROUND
        shown: tuple[Span, ...] = (box, (f" {fit_path(name, max(6, room))}", "plain"))
        rows.append(Row(shown, number, "plain", tail))
    return rows


def _cells(spans: tuple[Span, ...]) -> int:
    return sum(cell_len(text) for text, _ in spans)
