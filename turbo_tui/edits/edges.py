"""Blank rows around a block, which models add and drop: where they tell something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import likeness, plain
from turbo_tui.edits.rows import Rows

_ALIKE = 0.5  # of 1, below which a row is another one

Edges = tuple[bool, bool]


def without_edges(old: list[str], new: list[str]) -> Iterator[tuple[list[str], list[str], Edges]]:
    """Yield the rows as they are, then without blank rows around them, and where those were."""
    yield old, new, (False, False)
    head = next((at for at, row in enumerate(old) if row.strip()), 0)
    tail = next((at for at, row in enumerate(reversed(old)) if row.strip()), 0)
    if not head and not tail:
        return
    for _ in range(head):
        if new and not new[0].strip():
            new = new[1:]
    for _ in range(tail):
        if new and not new[-1].strip():
            new = new[:-1]
    yield old[head : len(old) - tail], new, (head > 0, tail > 0)


def severed(
    rows: Rows, place: tuple[int, int], block: tuple[Sequence[str], Sequence[str]], edges: Edges
) -> bool:
    """Say whether the file goes on where a block has blank rows, and it matters.

    It does where the block changes its row beside them: what it adds there would part rows that
    the model did not know of from what they belong to.

    Args:
        rows: The text.
        place: First row of the place, and the row after its last.
        block: Old and new rows, without the blank ones around them.
        edges: Whether there were blank rows before the block, and after it.
    """
    first, stop = place
    old, new = ([plain(row) for row in side] for side in block)
    before = rows.rows[first - 1] if edges[0] and first else ""
    after = rows.rows[stop] if edges[1] and stop < len(rows.rows) else ""
    if before.strip() and _adds(old, new):
        return True
    if not after.strip():
        return False
    deeper = len(indent(after)) > len(indent(rows.rows[stop - 1]))
    return _adds(old[::-1], new[::-1]) or (deeper and old[-1:] != new[-1:])


def _adds(old: Sequence[str], new: Sequence[str]) -> bool:
    """Say whether the first row is more than written otherwise."""
    tag, i1, i2, j1, j2 = next(iter(SequenceMatcher(None, old, new, autojunk=False).get_opcodes()))
    if tag == "equal":
        return False
    return i2 - i1 != j2 - j1 or not likeness(old[0], new[0], least=_ALIKE)
