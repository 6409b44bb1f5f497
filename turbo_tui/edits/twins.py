"""Tell a block that was quoted badly from its twin: one of another name, number or condition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import plain

_PROSE = re.compile(r"\s*(?:#(?:\s|$)|//|/\*|<!--|--\s|\*/)|\s+\*(?:\s|$)")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|unless|except|un\w+|non\w*)\b|n't\b|!", re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_BRANCH = re.compile(
    r"(?:case|default|else|elif|elsif|except|catch|finally|when|end|def|class|function|func|fn)\b"
    r"|@|\[[^\]]*\]$"
)
_WORDS_OF_PROSE = 3
_ENOUGH_RIGHT = 4  # rows that tell something and stand there to the letter, beside a slip
_WORDS_OF_A_ROW = 3  # of which one may be misremembered


def is_prose(row: str) -> bool:
    """Say whether a row is a comment, and no heading or name that begins like one."""
    return _PROSE.match(row) is not None


def may_be_loose(row: str) -> bool:
    """Say whether a row at the edge tells nothing: blank, a comment, or brackets alone."""
    return is_prose(row) or not any(char.isalnum() or char in "_@" for char in row)


def is_twin(
    old: Sequence[str], new: Sequence[str], found: Sequence[str], pairs: Sequence[int | None]
) -> bool:
    """Say whether rows that a block does not change are others in the place found.

    Args:
        old: The block.
        new: What takes its place.
        found: The rows of the place.
        pairs: For each row of the block its row of the place; None: it has none.
    """
    stays = _staying(old, new)
    others = [
        index
        for index, at in enumerate(pairs)
        if at is not None and index in stays and _another(old[index], found[at])
    ]
    if others and not _is_slip(old, found, pairs, others):
        return True
    if _changes_another(old, new, found, pairs):
        return True
    marks = [(-1, -1), *((i, at) for i, at in enumerate(pairs) if at is not None)]
    for (i1, j1), (i2, j2) in pairwise([*marks, (len(old), len(found))]):
        mine = {plain(row) for row in old[i1 + 1 : i2]}
        theirs = {plain(row) for row in found[j1 + 1 : j2]}
        # A row that is only further in or out is the same row.
        lacking = [
            at for at in range(i1 + 1, i2) if _is_code(old[at]) and plain(old[at]) not in theirs
        ]
        unknown = [
            at for at in range(j1 + 1, j2) if _is_code(found[at]) and plain(found[at]) not in mine
        ]
        # A row for another one is no row that was forgotten.
        if lacking and unknown:
            return True
        if any(_branches(old, index) for index in lacking):
            return True
        if any(_branches(found, at) for at in unknown):
            return True
    return False


def _is_slip(
    old: Sequence[str], found: Sequence[str], pairs: Sequence[int | None], others: Sequence[int]
) -> bool:
    """Say whether one row that names something else was misremembered, all else being right.

    It is an inner row that begins no block, one word of several off, with no other number or
    condition; and enough of the block stands there to the letter.
    """
    if len(others) > 1:
        return False
    (index,) = others
    at = pairs[index]
    told = [number for number, row in enumerate(old) if _is_code(row) and not may_be_loose(row)]
    if at is None or index in (told[0], told[-1]) or _branches(old, index) or _branches(found, at):
        return False
    mine, theirs = old[index], found[at]
    if _counts_or_negates(mine) != _counts_or_negates(theirs):
        return False
    words, other_words = Counter(_WORD.findall(mine)), Counter(_WORD.findall(theirs))
    if min(words.total(), other_words.total()) < _WORDS_OF_A_ROW:
        return False
    if max((words - other_words).total(), (other_words - words).total()) > 1:
        return False
    right = sum(pairs[each] is not None and old[each] == found[pairs[each] or 0] for each in told)
    return right >= _ENOUGH_RIGHT


def _changes_another(
    old: Sequence[str], new: Sequence[str], found: Sequence[str], pairs: Sequence[int | None]
) -> bool:
    """Say whether a word that the block takes out of a row is not in the row of the place."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        fresh = Counter(_WORD.findall(" ".join(new[j1:j2])))
        for index in range(i1, i2):
            at = pairs[index]
            if at is None or is_prose(old[index]):
                continue
            gone = Counter(_WORD.findall(old[index])) - fresh
            if gone - Counter(_WORD.findall(found[at])):
                return True
    return False


def _staying(old: Sequence[str], new: Sequence[str]) -> set[int]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return {
        index
        for block in matcher.get_matching_blocks()
        for index in range(block.a, block.a + block.size)
    }


def _is_code(row: str) -> bool:
    return bool(row.strip()) and not is_prose(row)


def _branches(rows: Sequence[str], at: int) -> bool:
    """Say whether a row begins a block, so that what follows is of another one."""
    row = rows[at].rstrip()
    if _BRANCH.match(row.strip()):
        return True
    if not row.endswith((":", "{", "=>", "->", " do", " then")):
        return False
    following = next((other for other in rows[at + 1 :] if other.strip()), "")
    return len(indent(following).expandtabs(4)) > len(indent(row).expandtabs(4))


def _another(mine: str, theirs: str) -> bool:
    """Say whether two rows differ in what they are about, not just in how they are written."""
    if plain(mine) == plain(theirs):
        return False
    if _counts_or_negates(mine) != _counts_or_negates(theirs):
        return True
    if is_prose(mine) and is_prose(theirs):
        return False
    return _without_prose(mine) != _without_prose(theirs)


def _counts_or_negates(row: str) -> tuple[list[str], list[str]]:
    return _NUMBER.findall(row), [word.lower() for word in _NEGATION.findall(row)]


def _without_prose(row: str) -> list[str]:
    """Return a row's words and signs, but for a comment at its end and sentences in strings."""
    row = _STRING.sub(_sentence, row)
    row = re.sub(r"\s(?:#|//)\s.*$", "", row)
    return re.findall(r"\w+|[^\w\s;,]", row)


def _sentence(match: re.Match[str]) -> str:
    text = match[0]
    return '""' if len(text.split()) >= _WORDS_OF_PROSE else text
