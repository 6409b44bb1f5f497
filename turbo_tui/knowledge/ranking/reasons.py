"""Why a place was found, in a person's words; and which of its lines says so best."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turbo_tui.knowledge.ranking.asked import Asked
from turbo_tui.knowledge.ranking.features import Candidate
from turbo_tui.knowledge.syntax.chunks import Span
from turbo_tui.knowledge.syntax.words import asked_terms, is_telling, parts_of, stem, terms_of

MOST_WORDS = 5
_WORD = re.compile(r"[^\W\d]\w*[?!]?")


def reasons(candidate: Candidate, asked: Asked, span: Span) -> list[str]:
    """Return what speaks for a place, strongest first."""
    features, why = candidate.features, list[str]()
    here = [each.name for each in candidate.named if span[0] <= each.line <= span[1]]
    if here:
        why.append(f"defines {here[0]}")
    if features["name_coverage"] == 1.0 or features["name_overlap"] > 0.55:  # noqa: PLR2004
        why.append("file name")
    shared = shared_words(candidate, asked)
    if shared and not (asked.is_symbol and here):
        why.append(f"words: {', '.join(shared)}")
    if features.get("similar_best", 0.0) >= 0.5:  # noqa: PLR2004
        why.append("similar in meaning")
    if features["referenced"] > 0.6:  # noqa: PLR2004
        why.append("used much elsewhere")
    if features["folder_overlap"] > 0.55:  # noqa: PLR2004
        why.append("folder")
    return why or ["folder"]


def shared_words(candidate: Candidate, asked: Asked) -> list[str]:
    """Return words of the query that the file holds, in the query's order; else parts of them."""
    text = candidate.known.file.lower()
    words = [word for word in dict.fromkeys(_WORD.findall(asked.text)) if asked_terms(word)]
    held = dict.fromkeys(each for word in words for each in _held(word, text))
    return list(held)[:MOST_WORDS]


def _held(word: str, text: str) -> list[str]:
    """Return a word if a text (in lower case) has it in any form, else its parts that it has."""
    *stems, whole = terms_of(word) or (word,)
    if whole.lstrip("=") in text or word.lower() in text:
        return [word]
    parts = parts_of(word) if stems else []
    return [part for part in parts if is_telling(part) and stem(part) in text]


def best_line(lines: Sequence[str], span: Span, asked: Asked) -> int:
    """Return the line of a span that holds most terms of the query; the first of equals."""
    bits = {term: 1 << at for at, term in enumerate(asked.terms)}
    of_word: dict[str, int] = {}
    best, most = span[0], 0
    for number in range(span[0], min(span[1], len(lines)) + 1):
        held = 0
        for word in _WORD.findall(lines[number - 1]):
            if word not in of_word:
                of_word[word] = _bits(terms_of(word), bits)
            held |= of_word[word]
        if held.bit_count() > most:
            best, most = number, held.bit_count()
    return best


def _bits(terms: Sequence[str], bits: dict[str, int]) -> int:
    found = 0
    for term in () if bits.keys().isdisjoint(terms) else terms:
        found |= bits.get(term, 0)
    return found
