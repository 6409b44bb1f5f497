"""Near copies of the place that an edit means, by name: what they differ in is what tells them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Decoy = Callable[[Sequence[str], Sequence[int], random.Random], list[str] | None]
Change = Callable[[str, random.Random], str]

WORD = re.compile(r"[A-Za-z_]{3,}")
SIGNS = {
    "==": "!=",
    "!=": "==",
    "<=": "<",
    ">=": ">",
    " < ": " > ",
    " + ": " - ",
    " - ": " + ",
    "True": "False",
    "False": "True",
    "true": "false",
    "false": "true",
    " and ": " or ",
    " or ": " and ",
    "&&": "||",
    "||": "&&",
    "is None": "is not None",
    "is not None": "is None",
    "if (": "if (!",
    "if ": "if not ",
    "not ": "",
}


def near_copy(
    old: Sequence[str], damaged: Sequence[int], chance: random.Random
) -> list[str] | None:
    """Copy rows with one or two of them changed, often just those that are damaged."""
    told = [at for at, row in enumerate(old) if WORD.search(row)]
    chosen = [at for at in damaged if at in told][:2] if chance.random() < 0.4 else []
    chosen = chosen or chance.sample(told, min(chance.randrange(1, 3), len(told)))
    copy = list(old)
    for at in chosen:
        copy[at] = _other_word(copy[at], chance)
    return copy if chosen else None


def one_row_other(change: Change) -> Decoy:
    """Copy rows with one of them changed, often one that is damaged."""

    def copied(
        old: Sequence[str], damaged: Sequence[int], chance: random.Random
    ) -> list[str] | None:
        fitting = [at for at, row in enumerate(old) if change(row, random.Random(1)) != row]  # noqa: S311
        preferred = [at for at in fitting if at in damaged] if chance.random() < 0.4 else []
        if not fitting:
            return None
        at = chance.choice(preferred or fitting)
        return [*old[:at], change(old[at], chance), *old[at + 1 :]]

    return copied


def _other_word(row: str, chance: random.Random) -> str:
    words = list(WORD.finditer(row))
    if not words:
        return row
    word = chance.choice(words)
    return f"{row[: word.start()]}{word[0]}_too{row[word.end() :]}"


def _plural(row: str, chance: random.Random) -> str:
    words = list(WORD.finditer(row))
    if not words:
        return row
    word = chance.choice(words)
    return f"{row[: word.start()]}{word[0]}s{row[word.end() :]}"


def _off_by_one(row: str, chance: random.Random) -> str:
    numbers = list(re.finditer(r"\b\d{1,9}\b", row))
    if not numbers:
        return row
    number = chance.choice(numbers)
    return f"{row[: number.start()]}{int(number[0]) + 1}{row[number.end() :]}"


def _other_sign(row: str, chance: random.Random) -> str:
    signs = [sign for sign in SIGNS if sign in row]
    if not signs:
        return row
    sign = chance.choice(signs)
    return row.replace(sign, SIGNS[sign], 1)


def _other_string(row: str, chance: random.Random) -> str:
    strings = list(re.finditer(r"(?<=\")[\w./-]+(?=\")|(?<=')[\w./-]+(?=')", row))
    if not strings:
        return row
    text = chance.choice(strings)
    other = text[0][:-1] if len(text[0]) > 3 and chance.random() < 0.5 else f"{text[0]}2"
    return f"{row[: text.start()]}{other}{row[text.end() :]}"


def renamed(old: Sequence[str], _: Sequence[int], chance: random.Random) -> list[str] | None:
    """Copy rows with one name another one, wherever it stands."""
    words = sorted({word for row in old for word in WORD.findall(row)})
    if not words:
        return None
    word = chance.choice(words)
    return [re.sub(rf"\b{word}\b", f"{word}_b", row) for row in old]


def row_less(old: Sequence[str], damaged: Sequence[int], chance: random.Random) -> list[str] | None:
    inner = [at for at in range(1, len(old) - 1) if WORD.search(old[at])]
    if not inner:
        return None
    preferred = [at for at in inner if at in damaged]
    at = chance.choice(preferred if preferred and chance.random() < 0.4 else inner)
    return [*old[:at], *old[at + 1 :]]


def row_more(old: Sequence[str], _: Sequence[int], chance: random.Random) -> list[str] | None:
    if len(old) < 2:
        return None
    at = chance.randrange(1, len(old))
    lead = old[at][: len(old[at]) - len(old[at].lstrip())]
    return [*old[:at], f"{lead}audit(entry)", *old[at:]]


def several(old: Sequence[str], damaged: Sequence[int], chance: random.Random) -> list[str] | None:
    """Copy rows three times, each with something else changed: boilerplate."""
    copies = [near_copy(old, damaged, chance) for _ in range(3)]
    return [row for copy in copies for row in (*(copy or old), "")][:-1]


def half_again(
    old: Sequence[str], _damaged: Sequence[int], chance: random.Random
) -> list[str] | None:
    """Copy the first or the last half, and some rows between: a window that nearly overlaps."""
    if len(old) < 4:
        return None
    half = len(old) // 2
    return [*old[half:], *old[:half]] if chance.random() < 0.5 else [*old[half:], *old[half:]]


# What tells a copy from the target even when that is gone: a name, number, sign or value.
TELLING: dict[str, Decoy] = {
    "other word": one_row_other(_other_word),
    "off by one": one_row_other(_off_by_one),
    "other sign": one_row_other(_other_sign),
    "other string": one_row_other(_other_string),
    "renamed": renamed,
}
DECOYS: dict[str, Decoy] = {
    "near copy": near_copy,
    **TELLING,
    "plural": one_row_other(_plural),
    "row less": row_less,
    "row more": row_more,
    "several": several,
    "half again": half_again,
}
