"""Tell a block that was quoted badly from its twin: one of another name, number or condition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from turbo_tui.edits.indentation import indent
from turbo_tui.edits.likeness import likeness, plain
from turbo_tui.edits.slips import STRING, WORDS_OF_PROSE, Known, slip

_PROSE = re.compile(r"\s*(?:#(?:\s|$)|//|/\*|<!--|--\s|\*/)|\s+\*(?:\s|$)")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|unless|except|un\w+|non\w*)\b|n't\b|!", re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_BRANCH = re.compile(
    r"(?:case|default|else|elif|elsif|except|catch|finally|when|end|def|class|function|func|fn)\b"
    r"|@|\[[^\]]*\]$"
)
_ALIKE = 0.85  # of 1, from which two rows could be the same one
_FEW_RIGHT = 2  # rows that tell something and stand there, for each that is misremembered


def is_prose(row: str) -> bool:
    """Say whether a row is a comment, and no heading or name that begins like one."""
    return _PROSE.match(row) is not None


def may_be_loose(row: str) -> bool:
    """Say whether a row at the edge tells nothing: blank, a comment, or brackets alone."""
    return is_prose(row) or not any(char.isalnum() or char in "_@" for char in row)


def is_twin(
    old: Sequence[str],
    new: Sequence[str],
    found: Sequence[str],
    pairs: Sequence[int | None],
    known: Known,
) -> bool:
    """Say whether rows of a block are others in the place found.

    Args:
        old: The block.
        new: What takes its place.
        found: The rows of the place.
        pairs: For each row of the block its row of the place; None: it has none.
        known: Says whether the file has a word.
    """
    stays = _staying(old, new)
    paired = [(index, at) for index, at in enumerate(pairs) if at is not None]
    slips = _Slips(old, found, paired, known)
    others = [index for index, at in paired if index in stays and _another(old[index], found[at])]
    if not slips.explain(others):
        return True
    if _changes_another(old, new, found, pairs, slips):
        return True
    marks = [(-1, -1), *paired, (len(old), len(found))]
    if _begins_twice(old, found, {at for _, at in paired}):
        return True
    return any(
        _replaces(old, found, range(i1 + 1, i2), range(j1 + 1, j2))
        for (i1, j1), (i2, j2) in pairwise(marks)
    )


def _begins_twice(old: Sequence[str], found: Sequence[str], taken: set[int]) -> bool:
    """Say whether the place has a second row like the block's first or last one.

    It reaches from one place into the next then.
    """
    unknown = [plain(row) for at, row in enumerate(found) if at not in taken and _is_code(row)]
    ends = [plain(row) for row in (old[0], old[-1]) if not may_be_loose(row)]
    return any(likeness(end, row, least=_ALIKE) for end in ends for row in unknown)


def _replaces(old: Sequence[str], found: Sequence[str], mine: range, theirs: range) -> bool:
    """Say whether rows between two that are paired make it another block.

    It is when a row stands for another one, or when one of them begins a block of its own.
    """
    # A row that is only further in or out is the same row.
    keys = {plain(old[at]) for at in mine}, {plain(found[at]) for at in theirs}
    lacking = [at for at in mine if _is_code(old[at]) and plain(old[at]) not in keys[1]]
    unknown = [at for at in theirs if _is_code(found[at]) and plain(found[at]) not in keys[0]]
    if lacking and unknown:
        return True
    if any(_branches(old, index) for index in lacking):
        return True
    return any(_branches(found, at) for at in unknown)


class _Slips:
    """Words of a block that can only be misremembered, where enough of it is right."""

    def __init__(
        self,
        old: Sequence[str],
        found: Sequence[str],
        paired: Sequence[tuple[int, int]],
        known: Known,
    ) -> None:
        self.old, self.found, self.known = old, found, known
        self.at = dict(paired)
        self.told = [at for at, row in enumerate(old) if _is_code(row) and not may_be_loose(row)]
        self.right = sum(
            at in self.at and plain(old[at]) == plain(found[self.at[at]]) for at in self.told
        )

    def word(self, index: int) -> str | None:
        """Return the word that is misremembered in a row; None where it is another row."""
        if self.right < _FEW_RIGHT or index == self.told[0]:
            return None
        return slip(self.old[index], self.found[self.at[index]], self.known)

    def explain(self, others: Sequence[int]) -> bool:
        """Say whether all rows that name something else were misremembered."""
        if not others:
            return True
        if len(others) > max(1, self.right // _FEW_RIGHT):
            return False
        return all(self.word(index) for index in others)


def _changes_another(
    old: Sequence[str],
    new: Sequence[str],
    found: Sequence[str],
    pairs: Sequence[int | None],
    slips: _Slips,
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
            if gone - Counter(_WORD.findall(found[at])) and not slips.word(index):
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
    row = STRING.sub(_sentence, row)
    row = re.sub(r"\s(?:#|//)\s.*$", "", row)
    return re.findall(r"\w+|[^\w\s;,]", row)


def _sentence(match: re.Match[str]) -> str:
    text = match[0]
    return '""' if len(text.split()) >= WORDS_OF_PROSE else text
