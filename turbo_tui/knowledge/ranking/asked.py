"""A query taken apart: its terms, the names in it, and what its words may be joined to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from turbo_tui.knowledge.syntax.words import asked_terms, is_telling, joined

_WORD = re.compile(r"[^\W\d]\w*[?!]?")
_PARTS_OF_NAME = re.compile(r"::?|\.|->|#|/")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query.

    Attributes:
        text: As typed.
        terms: Stems, each once, without the words that every question has.
        pairs: What its neighbouring words are as one name: `rate limit` -> =ratelimit.
        names: What may be a symbol: how it is indexed -> as typed.
        members: Of those, the ones behind a dot or colons: `redirect` of `res.redirect`.
        is_symbol: It is one name, not a phrase.
    """

    text: str
    terms: tuple[str, ...]
    pairs: tuple[str, ...]
    names: dict[str, str]
    members: frozenset[str]
    is_symbol: bool

    @property
    def symbol(self) -> str:
        """The name that was asked for, without what it is a member of; empty for a phrase."""
        return _PARTS_OF_NAME.split(self.text.strip())[-1] if self.is_symbol else ""

    def mentions(self, word: str) -> bool:
        """Tell whether a word is in the query, in any case, alone or in another."""
        return word in self.text.lower()


def ask(text: str) -> Asked:
    """Take a query apart."""
    words = _WORD.findall(text)
    names = {joined(word): word for word in words}
    neighbours = list(pairwise(words))
    names |= {joined(a + b): f"{a} {b}" for a, b in neighbours}  # "type adapter": TypeAdapter
    telling = [word for word in words if is_telling(word)]
    joins = [joined(a + b) for a, b in pairwise(telling)]
    joins += [joined(a + b + c) for a, b, c in zip(telling, telling[1:], telling[2:], strict=False)]
    members = re.findall(r"(?<=\w)(?:::?|\.|->|#)([^\W\d]\w*[?!]?)", text)
    return Asked(
        text,
        tuple(asked_terms(text)),
        tuple(dict.fromkeys(joins)),
        names,
        frozenset(joined(member) for member in members),
        len(text.split()) == 1,
    )
