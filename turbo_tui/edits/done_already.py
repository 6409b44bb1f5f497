"""Tell an edit that was made before: applied again, it would double what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turbo_tui.edits.likeness import likeness, plain
from turbo_tui.edits.values import Chunk

_ALIKE = 0.5  # of 1, below which two rows have nothing to do with each other
_FEW_LETTERS = 8  # in a row that is added: fewer may well stand there twice


def adds_again(text: str, place: tuple[int, int], chunk: Chunk) -> bool:
    """Say whether whole rows that a chunk adds at its edge stand beside its place already."""
    start, end = place
    old, new = chunk.old.removesuffix("\n"), chunk.new.removesuffix("\n")
    if len(new) <= len(old):
        return False
    if new.startswith(f"{old}\n"):
        added = new[len(old) :]
        rest = text[end:].removeprefix("" if chunk.old.endswith("\n") else "\n")
        there = f"\n{rest}\n".startswith(f"{added}\n")
    elif new.endswith(f"\n{old}"):
        added = new[: -len(old)]
        there = f"\n{text[:start]}".endswith(f"\n{added}")
    else:
        return False
    return there and sum(char.isalnum() for char in added) >= _FEW_LETTERS


def reads_as_new(there: Sequence[str], old: Sequence[str], new: Sequence[str]) -> bool:
    """Say whether the rows of a place are what a block was to become, and not what it was."""
    now, before, after = _counted(there), _counted(old), _counted(new)
    gone, fresh = before - after, after - before
    if gone and not gone - now:
        return False
    if fresh:
        return not fresh - now
    # Rows were to go: one of them may stand there, quoted badly.
    others = now - after
    return not any(likeness(row, other, least=_ALIKE) for row in gone for other in others)


def _counted(rows: Sequence[str]) -> Counter[str]:
    return Counter(key for key in map(plain, rows) if key)
