"""What models do to the text of an edit, by name; each takes old and new rows and a chance."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """An edit as it is meant: rows of a file and what takes their place.

    Attributes:
        old: The rows of the file.
        new: What takes their place.
        kept: Indices into `old` of rows that `new` has too, without the first and the last.
        changed: Index into `old` of the row that changes.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    kept: tuple[int, ...]
    changed: int


@dataclass(frozen=True)
class Damaged:
    """The same edit as a model wrote it.

    Attributes:
        rows: Indices of the rows of `old` that are not as they should be; a decoy may differ in
            just these.
    """

    old: str
    new: str
    rows: tuple[int, ...] = ()


Damage = Callable[[Edit, random.Random], Damaged | None]
COMMENT = re.compile(r"^\s*(#|//|\*)\s*\w+\s+\w+")


def text_of(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def everywhere(change: Callable[[str], str]) -> Damage:
    """Change each row of both."""

    def damage(edit: Edit, _: random.Random) -> Damaged | None:
        old, new = text_of([change(row) for row in edit.old]), [change(row) for row in edit.new]
        rows = tuple(at for at, row in enumerate(edit.old) if change(row) != row)
        return Damaged(old, text_of(new), rows) if rows else None

    return damage


def one_row(change: Callable[[str, random.Random], str | None]) -> Damage:
    """Change one row that is in both, and not the first or last; None: leave it out."""

    def damage(edit: Edit, chance: random.Random) -> Damaged | None:
        for at in chance.sample(edit.kept, len(edit.kept)):
            row = edit.old[at]
            if not row.strip() or edit.new.count(row) != 1 or edit.old.count(row) != 1:
                continue
            changed = change(row, chance)
            if changed == row:
                continue
            written = [] if changed is None else changed.split("\n")
            old = [*edit.old[:at], *written, *edit.old[at + 1 :]]
            place = edit.new.index(row)
            new = [*edit.new[:place], *written, *edit.new[place + 1 :]]
            return Damaged(text_of(old), text_of(new), (at,))
        return None

    return damage


def shallower(edit: Edit, _: random.Random) -> Damaged | None:
    width = min(len(row) - len(row.lstrip()) for row in (*edit.old, *edit.new) if row.strip())
    if not width:
        return None
    old, new = ([row[width:] for row in rows] for rows in (edit.old, edit.new))
    return Damaged(text_of(old), text_of(new), tuple(range(len(old))))


def first_row_bare(edit: Edit, _: random.Random) -> Damaged | None:
    if edit.old[0] != edit.new[0] or edit.old[0] == edit.old[0].lstrip():
        return None
    old, new = ([rows[0].lstrip(), *rows[1:]] for rows in (edit.old, edit.new))
    return Damaged(text_of(old), text_of(new), (0,))


def one_indentation(edit: Edit, chance: random.Random) -> Damaged | None:
    return one_row(lambda row, _: row[2:] if row.startswith("  ") else "  " + row)(edit, chance)


def tabs(row: str) -> str:
    lead = len(row) - len(row.lstrip(" "))
    return "\t" * (lead // 4) + " " * (lead % 4) + row[lead:]


def spaces(row: str) -> str:
    bare = row.lstrip("\t")
    return "    " * (len(row) - len(bare)) + bare


def smart(row: str) -> str:
    row = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", row)
    row = re.sub(r"'([^']*)'", "\u2018\\1\u2019", row)
    return row.replace("...", "\u2026").replace(" - ", " \u2013 ")


def hard_spaces(row: str) -> str:
    lead = len(row) - len(row.lstrip())
    return row[:lead] + row[lead:].replace(" ", "\u00a0")


def entities(row: str) -> str:
    return (
        row.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def quoted(row: str) -> str:
    return row.replace('"', '\\"')


def without_blanks(edit: Edit, _: random.Random) -> Damaged | None:
    rows = tuple(at for at, row in enumerate(edit.old) if not row.strip())
    old, new = ([row for row in rows if row.strip()] for rows in (edit.old, edit.new))
    return Damaged(text_of(old), text_of(new), rows) if rows else None


def one_string(edit: Edit, _: random.Random) -> Damaged | None:
    old, new = (
        text_of(rows)
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
        .replace("\t", "\\t")
        for rows in (edit.old, edit.new)
    )
    return Damaged(old + "\n", new + "\n", tuple(range(len(edit.old))))


def line_ends(edit: Edit, _: random.Random) -> Damaged | None:
    old, new = ("\\n".join(rows) + "\n" for rows in (edit.old, edit.new))
    return None if "\\" in "".join(edit.old) else Damaged(old, new, tuple(range(len(edit.old))))


def left_out(marker: str) -> Damage:
    """Leave out a run of rows that are in both."""

    def damage(edit: Edit, chance: random.Random) -> Damaged | None:
        runs = [
            (at, at + size)
            for size in (4, 3, 2)
            for at in edit.kept
            if all(row in edit.kept for row in range(at, at + size))
        ]
        for begin, stop in chance.sample(runs, len(runs)):
            run = edit.old[begin:stop]
            size = len(run)
            at = next((at for at in range(len(edit.new)) if edit.new[at : at + size] == run), None)
            lead = run[0][: len(run[0]) - len(run[0].lstrip())]
            rest = [*edit.old[:begin], *edit.old[stop:]]
            if at is None or begin < 1 or stop >= len(edit.old) or not any(map(str.strip, rest)):
                continue
            row = lead + marker
            old = [*edit.old[:begin], row, *edit.old[stop:]]
            new = [*edit.new[:at], row, *edit.new[at + size :]]
            return Damaged(text_of(old), text_of(new), tuple(range(begin, stop)))
        return None

    return damage


def paraphrased(row: str, _: random.Random) -> str:
    if not COMMENT.match(row):
        return row
    words = row.rstrip().split(" ")
    words[-1] = "things" if words[-1] != "things" else "stuff"
    return " ".join(words)


def misquoted(row: str, chance: random.Random) -> str:
    words = list(re.finditer(r"[A-Za-z_]{4,}", row))
    if not words:
        return row
    word = chance.choice(words)
    return f"{row[: word.start()]}{word[0]}s{row[word.end() :]}"


def with_extra_row(row: str, chance: random.Random) -> str:
    lead = row[: len(row) - len(row.lstrip())]
    return f"{row}\n{lead}extra_{chance.randrange(100)}(value)"


def changed_row_misquoted(edit: Edit, chance: random.Random) -> Damaged | None:
    """Misquote the very row that changes, and the same word in what takes its place."""
    at = edit.changed
    written = {"value", "first", "second", "replaced"}  # by the edits themselves
    words = [word for word in re.findall(r"[A-Za-z_]{4,}", edit.old[at]) if word not in written]
    if not words or at == len(edit.old) - 1:
        return None
    word = chance.choice(words)
    misquote = re.compile(rf"\b{word}\b")
    old = [*edit.old[:at], misquote.sub(f"{word}s", edit.old[at]), *edit.old[at + 1 :]]
    size = len(edit.new) - len(edit.old) + 1
    fresh = [misquote.sub(f"{word}s", row) for row in edit.new[at : at + size]]
    new = [*edit.new[:at], *fresh, *edit.new[at + size :]]
    return Damaged(text_of(old), text_of(new), (at,))


def row_beside_missing(edit: Edit, _: random.Random) -> Damaged | None:
    """Leave out the row before the one that changes."""
    at = edit.changed - 1
    if at < 1 or at not in edit.kept or not edit.old[at].strip():
        return None
    old, new = ([*rows[:at], *rows[at + 1 :]] for rows in (edit.old, edit.new))
    return Damaged(text_of(old), text_of(new), (at,))


def both(first: Damage, second: Damage) -> Damage:
    """Damage twice; the second sees what the first has left."""

    def damage(edit: Edit, chance: random.Random) -> Damaged | None:
        once = first(edit, chance)
        if once is None:
            return None
        old, new = (text.removesuffix("\n").split("\n") for text in (once.old, once.new))
        if len(old) != len(edit.old):
            return None
        twice = second(Edit(tuple(old), tuple(new), edit.kept, edit.changed), chance)
        return twice and Damaged(twice.old, twice.new, (*once.rows, *twice.rows))

    return damage


def edge_paraphrased(end: int) -> Damage:
    """Paraphrase the first or the last row, a comment that stays."""

    def damage(edit: Edit, chance: random.Random) -> Damaged | None:
        old, new = list(edit.old), list(edit.new)
        row = paraphrased(old[end], chance)
        if not new or old[end] != new[end] or row == old[end]:
            return None
        old[end] = new[end] = row
        return Damaged(text_of(old), text_of(new), (end % len(old),))

    return damage


MISQUOTED = one_row(misquoted)
MISSING = one_row(lambda _row, _chance: None)

DAMAGES: dict[str, Damage] = {
    "shallower": shallower,
    "deeper": everywhere(lambda row: f"    {row}" if row.strip() else row),
    "first row bare": first_row_bare,
    "one row's indentation": one_indentation,
    "spaces to tabs": everywhere(tabs),
    "tabs to spaces": everywhere(spaces),
    "trailing spaces": everywhere(lambda row: f"{row}  " if len(row) % 3 == 0 else row),
    "smart quotes": everywhere(smart),
    "hard spaces": everywhere(hard_spaces),
    "escaped quotes": everywhere(quoted),
    "escaped line ends": line_ends,
    "escaped string": one_string,
    "entities": everywhere(entities),
    "blank lines dropped": without_blanks,
    "missing row": MISSING,
    "missing row beside the change": row_beside_missing,
    "extra row": one_row(with_extra_row),
    "paraphrased comment": one_row(paraphrased),
    "misquoted row": MISQUOTED,
    "misquoted row that changes": changed_row_misquoted,
    "paraphrased first row": edge_paraphrased(0),
    "paraphrased last row": edge_paraphrased(-1),
    "shallower, misquoted row": both(MISQUOTED, shallower),
    "smart quotes, tabs": both(everywhere(smart), everywhere(tabs)),
    "trailing spaces, missing row": both(
        everywhere(lambda row: f"{row}  " if len(row) % 3 == 0 else row), MISSING
    ),
    "left out: ...": left_out("..."),
    "left out: words": left_out("# ... existing code ..."),
}
