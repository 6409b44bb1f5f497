"""Take rows from the indentation that a model wrote to the one that its file has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

_TAB = 4
_SCALES = (1, 2, 0.5, 4, 0.25)  # of one indentation to another, the likeliest first
Shift = Callable[[str], str]


def indent(row: str) -> str:
    """Return the white space that a row begins with."""
    return row[: len(row) - len(row.lstrip())]


def reindent(old: Sequence[str], found: Sequence[str], new: Sequence[str], unit: str) -> list[str]:
    """Return `new` as it would stand in the file, `old` standing there as `found`.

    Rows of `new` that `old` has too show whose indentation `new` follows; a model that copied
    `old` badly may have written `new` as the file has it.

    Args:
        old: Rows as the model has them.
        found: The same rows as the file has them.
        new: The rows that take their place.
        unit: One step of indentation in the file.
    """
    seen: dict[str, Counter[str]] = {}
    for mine, theirs in zip(old, found, strict=True):
        if mine.strip() and theirs.strip():
            seen.setdefault(indent(mine), Counter())[indent(theirs)] += 1
    # One row that is off does not speak for the others, and least of all against them.
    learnt = {
        lead: max(leads, key=lambda other: (leads[other], other == lead))
        for lead, leads in seen.items()
    }
    if all(mine == theirs for mine, theirs in learnt.items()) or _follows(old, found, new):
        return list(new)
    shift = _shift(learnt, unit, _step([*old, *new]))
    return [shift(row) for row in new]


def off(old: Sequence[str], found: Sequence[str], tells: Callable[[str], bool]) -> list[str]:
    """Return the rows whose indentation differs in another way than that of most rows.

    How it differs is learnt from rows that tell something: a `}` fits any step that one likes.
    """
    told = [
        (_width(indent(mine)), _width(indent(theirs)), mine)
        for mine, theirs in zip(old, found, strict=True)
        if mine.strip()
    ]
    fits: Counter[tuple[float, float]] = Counter()
    for scale in _SCALES:
        fits.update((scale, theirs - mine * scale) for mine, theirs, row in told if tells(row))
    if not fits:
        fits[1, 0] = 1
    most = max(fits.values())
    scale, shift = next(fit for fit in fits if fits[fit] == most)
    return [row for mine, theirs, row in told if theirs - mine * scale != shift]


def file_unit(rows: Iterable[str]) -> str:
    """Return one step of indentation: a tab, or the fewest spaces that rows go in by."""
    tabs, widths = 0, dict[int, int]()
    before: int | None = None
    for row in rows:
        if not row.strip():
            continue
        lead = indent(row)
        before = len(lead) if before is None else before
        if lead.startswith("\t"):
            tabs += 1
        elif len(lead) - before > 1:
            widths[len(lead) - before] = widths.get(len(lead) - before, 0) + 1
        before = len(lead)
    spaced = sum(widths.values())
    if tabs > spaced:
        return "\t"
    return " " * max(widths, key=lambda width: widths[width], default=4)


def _follows(old: Sequence[str], found: Sequence[str], new: Sequence[str]) -> bool:
    """Say whether `new` has the file's indentation already, judged by rows that are in both."""
    theirs = {row.strip(): indent(row) for row in found if row.strip()}
    mine = {row.strip(): indent(row) for row in old if row.strip()}
    shared = [row for row in new if row.strip() in theirs and row.strip() in mine]
    differing = [row for row in shared if theirs[row.strip()] != mine[row.strip()]]
    if not differing:
        return False
    # Rows that begin as far out as `old` does follow it, though one in a new block has moved on.
    least = [min(_width(indent(row)) for row in rows if row.strip()) for rows in (new, old, found)]
    if least[0] == least[1] < least[2]:
        return False
    as_file = sum(indent(row) == theirs[row.strip()] for row in differing)
    return as_file * 2 > len(differing)


def _shift(learnt: dict[str, str], unit: str, step: int) -> Shift:
    known = sorted(learnt, key=_width)

    def shifted(row: str) -> str:
        if not row.strip():
            return row
        lead = indent(row)
        if lead in learnt:
            return learnt[lead] + row[len(lead) :]
        # The next one out is what a row hangs on; further out than all: the same way back.
        outer = [key for key in known if _width(key) < _width(lead)]
        base = outer[-1] if outer else known[0]
        target = _moved(learnt[base], _width(lead) - _width(base), unit, step)
        return target + row[len(lead) :]

    return shifted


def _moved(base: str, columns: int, unit: str, step: int) -> str:
    """Return an indentation that lies `columns` of the model's further in (or out)."""
    levels, rest = divmod(abs(columns), step)
    if columns >= 0:
        return base + unit * levels + " " * rest
    width = len(unit) * levels + rest
    return base[: max(len(base) - width, 0)]


def _width(lead: str) -> int:
    return len(lead.expandtabs(_TAB))


def _step(rows: Iterable[str]) -> int:
    unit = file_unit(rows)
    return _TAB if unit == "\t" else len(unit)
