"""The words of code and of questions: parts of names, each by its stem."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]\w*|_\w+|\d+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SUFFIXES = (
    ("ization", "iz"), ("izing", "iz"), ("ized", "iz"), ("izer", "iz"), ("izes", "iz"),
    ("ize", "iz"), ("ations", "at"), ("ation", "at"), ("ating", "at"), ("ated", "at"),
    ("ator", "at"), ("ators", "at"), ("ates", "at"), ("ate", "at"), ("ions", "ion"),
    ("ments", ""), ("ment", ""), ("ings", ""), ("ing", ""), ("edly", ""), ("ied", "y"),
    ("ies", "y"), ("ers", ""), ("er", ""), ("ed", ""), ("ly", ""), ("sses", "ss"), ("es", ""),
    ("s", ""), ("e", ""),
)  # fmt: skip
_SHORTEST = 3  # letters that stay of a stem
_STOP_WORDS = """
    a an and are as at be been being between by can do does each for from has have how i if in
    into is it its me of on or over such so that the their them then there these they this through
    to used uses using via was we what when where which while who why will with without you your
"""
_STOP = frozenset(_STOP_WORDS.split())
MARKS = "_-$@'"  # of names; whether they are typed or not, one is meant
_WITHOUT_MARKS = str.maketrans("", "", MARKS)


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a text, in order: every name's stemmed parts, and the name joined."""
    for word in _WORD.findall(text):
        yield from terms_of(word)


def counted(text: str) -> dict[str, int]:
    """Return how often each term is in a text: as `Counter(terms(text))`, a word once."""
    counts: dict[str, int] = {}
    for word, times in Counter(_WORD.findall(text)).items():
        for term in terms_of(word):
            counts[term] = counts.get(term, 0) + times
    return counts


def asked_terms(text: str) -> list[str]:
    """Return the terms of a query, each once, without the words that every question has."""
    words = [word for word in _WORD.findall(text) if is_telling(word)]
    return list(dict.fromkeys(term for word in words for term in terms_of(word)))


def is_telling(word: str) -> bool:
    """Tell whether a word is none that every question has."""
    return word.lower() not in _STOP


@lru_cache(maxsize=100_000)
def terms_of(word: str) -> tuple[str, ...]:
    """Return a name's terms: `parseLines` -> pars, lin, =parselines; joined ones have a mark."""
    parts = parts_of(word)
    stems = tuple(stem(part) for part in parts)
    return (*stems, joined(word)) if len(parts) > 1 else stems


def parts_of(name: str) -> list[str]:
    """Return the lower-case parts of a name: `parseHTTPLine2` -> parse, http, line, 2."""
    return [part.lower() for part in _PART.findall(name)]


def joined(name: str) -> str:
    """Return how a name is indexed as a whole: `parse_line` and `parseLine` are one."""
    return "=" + name.translate(_WITHOUT_MARKS).lower()


def joined_name(name: str) -> str:
    """Return a name's term as a whole; nothing for one that has a single part."""
    last = terms_of(name)[-1:]
    return last[0] if last and last[0].startswith("=") else ""


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Cut what English adds to a word, roughly as Porter does."""
    if len(word) <= _SHORTEST or not word.isascii():
        return word
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST:
            if suffix == "s" and word.endswith(("ss", "us", "is")):
                return word
            cut = word[: len(word) - len(suffix)] + instead
            # "stopped", "running": one of the doubled letters goes.
            doubled = suffix in {"ing", "ed", "er"} and cut[-1] == cut[-2] and cut[-1] not in "lsz"
            return cut[:-1] if doubled else cut
    return word
