"""A word that a model remembered nearly right, and so knows the row by that has it."""

from __future__ import annotations

import re
from collections.abc import Callable

from turbo_tui.edits.likeness import plain

Known = Callable[[str], bool]

STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
WORDS_OF_PROSE = 3
_TOKEN = re.compile(r"\w+|[^\w\s]")
_LONGER = 4  # letters, of a word that may have one more or one less
_OTHER = 6  # letters, of a word that may have another one; two may change places in less
_FEWEST_WORDS = 2  # of a row: a row of one word is known by that word alone
_LEADS_ON = re.compile(r"\}?\s*(?:if|elif|else|for|while|with|switch|match|return|await|try)\b")
_LABEL = re.compile(r"(?:case|default)\b|@|\[[^\]]*\]$|#{1,6}\s|[.#][\w-]+\s*\{$")
_OPENS = (":", "{", "=>", "->", " do", " then")


def slip(mine: str, theirs: str, known: Known) -> str | None:
    """Return the word by which a row differs, where it can only be misremembered.

    It is spelled nearly as the file's, and the file has it nowhere: not under another name. It is
    no name that the row gives to what follows, and no value in quotes.

    Args:
        mine: The row as the model has it.
        theirs: The row of the file.
        known: Says whether the file has a word.
    """
    words, others = _TOKEN.findall(plain(mine)), _TOKEN.findall(plain(theirs))
    if len(words) != len(others):
        return None
    differing = {pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]}
    if len(differing) != 1 or sum(word[0].isalnum() or word[0] == "_" for word in words) < (
        _FEWEST_WORDS
    ):
        return None
    ((word, meant),) = differing
    if not _spelled_alike(word, meant) or known(word) or _values(mine) != _values(theirs):
        return None
    return None if _names(mine, word) else word


def _spelled_alike(word: str, other: str) -> bool:
    """Say whether one letter, or how the parts of a name are joined, is all that differs."""
    if re.findall(r"\d+", word) != re.findall(r"\d+", other):
        return False
    mine, theirs = word.lower(), other.lower()
    least = min(len(mine), len(theirs))
    if least < _LONGER or mine[0] != theirs[0]:
        return False
    if mine.replace("_", "") == theirs.replace("_", ""):
        return True
    if len(mine) != len(theirs):
        longer, shorter = (mine, theirs) if len(mine) > len(theirs) else (theirs, mine)
        return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
    apart = [at for at in range(least) if mine[at] != theirs[at]]
    if len(apart) == 1:
        return least >= _OTHER
    first, last = apart[0], apart[-1] + 1
    return len(apart) == 2 and mine[first:last] == theirs[first:last][::-1] and least > _LONGER  # noqa: PLR2004


def _values(row: str) -> list[str]:
    """Return the strings of a row that are no sentences."""
    return [text for text in STRING.findall(row) if len(text.split()) < WORDS_OF_PROSE]


def _names(row: str, word: str) -> bool:
    """Say whether a word is what a row calls the block that it begins."""
    row = row.strip()
    if _LABEL.match(row):
        return True
    if _LEADS_ON.match(row):
        return False
    if row.endswith(_OPENS) or _DEFINES.match(row):
        return re.search(rf"\b{re.escape(word)}\b", row.split("(", 1)[0]) is not None
    return False


_DEFINES = re.compile(
    r"(?:(?:export|default|async|public|private|protected|static|pub)\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|type|test|it|describe)\b"
)
