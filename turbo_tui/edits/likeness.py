"""Characters that look alike, and how much two rows are alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

_COMPARED_CHARS = 400  # of a row: likeness costs the square

# What looks like the plain character(s) on the left; the plain ones are what code is written in.
FAMILIES: dict[str, str] = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d",
    " ": "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
    "\u3000",
    "...": "\u2026",
    "": "\u200b\u200c\u200d\u2060\ufeff",
}
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PLAIN = {ord(char): plain for plain, chars in FAMILIES.items() for char in chars}
_ONE_FOR_ONE = {code: plain for code, plain in _PLAIN.items() if len(plain) == 1}


def plain(row: str) -> str:
    """Read a row without its indentation, with plain characters and single spaces."""
    if not row.isascii():
        row = unicodedata.normalize("NFC", row).translate(_PLAIN)
    return " ".join(row.split())


def spaced(row: str) -> str:
    """Read a row by its words and signs alone, whatever blanks are between them."""
    return " ".join(_TOKEN.findall(plain(row)))


def folded(text: str) -> str:
    """Write plain characters for those that look like one; the length stays."""
    return text if text.isascii() else text.translate(_ONE_FOR_ONE)


def undone(mine: Sequence[str], theirs: Sequence[str]) -> dict[int, str]:
    """Say which look-alikes a model wrote for plain characters, to be undone elsewhere too.

    Args:
        mine: Rows as the model has them.
        theirs: The same rows as the file has them.
    """
    written, real = "".join(mine), "".join(theirs)
    if written.isascii():
        return {}
    return {
        ord(char): meant
        for meant, chars in FAMILIES.items()
        if any(char in written for char in chars) and not any(char in real for char in chars)
        for char in chars
    }


def likeness(mine: str, theirs: str, *, least: float = 0.0) -> float:
    """Return how alike two rows are, 0 to 1; 0 where that is below `least`."""
    mine, theirs = mine[:_COMPARED_CHARS], theirs[:_COMPARED_CHARS]
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0.0
