"""Which files answer a query best, and where in them: features by name, weights as data."""

from __future__ import annotations

import math
import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.chunks import LONGEST_LINES, PROSE, Span
from turbo_tui.knowledge.definitions import Definition
from turbo_tui.knowledge.index import Index, Indexed
from turbo_tui.knowledge.words import asked_terms, joined, parts_of, terms_of

TOP = 3  # chunks
MANY_FILES = 4  # a name defined in more tells little about where it is referenced
SHOWN_CHARS = 300
_KIND_WORDS = {
    "test": "tests?|specs?|testing|fixtures?|mocks?",
    "compat": "compat|legacy|deprecated|polyfills?|shims?|vendor",
    "example": "examples?|samples?|demos?|benchmarks?|bench",
}
_KINDS = {
    kind: re.compile(rf"(?:^|[/_.-])(?:{words})(?=[/_.-]|$)", re.IGNORECASE)
    for kind, words in _KIND_WORDS.items()
}
_RANKS = {"class": 1.0, "type": 1.0, "module": 0.95, "function": 0.95, "method": 0.9, "macro": 0.9}
_WORD = re.compile(r"[^\W\d]\w*[?!]?")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query: its terms, the names in it by how they are indexed, and whether it is one name."""

    text: str
    terms: tuple[str, ...]
    names: dict[str, str]
    is_symbol: bool


@dataclass(slots=True)
class Candidate:
    """A file that may answer, with what speaks for it."""

    known: Indexed
    chunks: dict[int, float]
    features: dict[str, float]
    named: list[Definition]


def ask(text: str) -> Asked:
    """Take a query apart."""
    words = _WORD.findall(text)
    names = {joined(word): word for word in words}
    if len(words) > 1:  # "type adapter" may be TypeAdapter
        names |= {joined(a + b): f"{a} {b}" for a, b in pairwise(words)}
    return Asked(text, tuple(asked_terms(text)), names, len(text.split()) == 1)


def rank(index: Index, text: str, *, limit: int) -> list[Hit]:
    """Return the best places, best first, one for each file."""
    asked = ask(text)
    scored = [(score(each, asked), each) for each in _meant(candidates(index, asked), asked)]
    scored.sort(key=lambda each: (not is_exact(each[1], asked), -each[0], each[1].known.file.path))
    return [_hit(each, asked, total) for total, each in scored[:limit]]


def _meant(found: list[Candidate], asked: Asked) -> list[Candidate]:
    """Keep, for a single name, the files that hold it; where none does, those with all its parts.

    The parts of a name are looked for apart only when the name itself is nowhere.
    """
    if not asked.is_symbol:
        return found
    whole = asked.text.strip().lower()
    places = [(each.known.file.lower(), each.known.file.path.lower(), each) for each in found]
    holding = [e for text, path, e in places if e.named or whole in text or whole in path]
    parts = parts_of(asked.text)
    return holding or [e for text, path, e in places if all(p in text or p in path for p in parts)]


def is_exact(candidate: Candidate, asked: Asked) -> bool:
    """Tell whether a file defines the one name that was asked for, letter for letter."""
    return asked.is_symbol and any(
        each.name == asked.text.strip() and (each.kind != "value" or not each.name.islower())
        for each in candidate.named
    )


def score(candidate: Candidate, asked: Asked) -> float:
    """Mix a candidate's features; what it is lowers it, unless it was asked for."""
    weights = _weights()
    mix = weights["symbol" if asked.is_symbol else "sentence"]
    total = sum(mix[name] * value for name, value in candidate.features.items())
    for kind in kinds_of(candidate.known.file.path):
        if kind not in asked.text.lower():
            total *= weights["penalty"][kind]
    return total


def candidates(index: Index, asked: Asked) -> list[Candidate]:
    """Return the files that share anything with a query, with their features, each 0 to 1."""
    by_file = index.best_files(index.chunks.scores(asked.terms))
    named = _named(index, asked)
    best = max((max(fits.values()) for fits in by_file.values()), default=1.0)
    tops = {path: sum(sorted(fits.values())[-TOP:]) for path, fits in by_file.items()}
    top = max(tops.values(), default=1.0)
    found: list[Candidate] = []
    for path in by_file.keys() | named.keys():
        known, fits = index.files[path], by_file.get(path, {})
        features = {
            "best_chunk": max(fits.values(), default=0.0) / best,
            "top_chunks": tops.get(path, 0.0) / top,
            "name_overlap": overlap(index, asked, known.name_terms),
            "name_coverage": coverage(asked, known.name_terms),
            "folder_overlap": overlap(index, asked, known.folder_terms),
            "defines": max((value for value, _ in named.get(path, ())), default=0.0),
            "referenced": referenced(index, known),
        }
        definitions = [each for _, each in sorted(named.get(path, ()), key=lambda n: -n[0])]
        found.append(Candidate(known, fits, features, definitions))
    return found


def overlap(index: Index, asked: Asked, place: frozenset[str]) -> float:
    """How much of the query, by rarity, is in a file's name or folders."""
    weights = {term: index.chunks.rarity(term) for term in asked.terms}
    return sum(weights[term] for term in asked.terms if term in place) / (
        sum(weights.values()) or 1.0
    )


def coverage(asked: Asked, name: frozenset[str]) -> float:
    """How much of a file's name is in the query."""
    parts = [term for term in name if not term.startswith("=")]
    return sum(term in asked.terms for term in parts) / len(parts) if parts else 0.0


def referenced(index: Index, known: Indexed) -> float:
    """How often what a file defines is named elsewhere: 0 to 1, logarithmic."""
    total = 0
    for name in {each.name for each in known.defined}:
        key = joined(name)
        if len(index.defining[key]) < MANY_FILES:
            last = terms_of(name)[-1:]
            if last and last[0].startswith("="):
                total += index.chunks.frequency(last[0])
    return min(1.0, math.log1p(total) / 8)


def kinds_of(path: str) -> list[str]:
    """Say what a file is beside the thing itself: test, compat, example, prose."""
    kinds = [kind for kind, pattern in _KINDS.items() if pattern.search(path)]
    return [*kinds, "prose"] if path.lower().endswith(PROSE) else kinds


def _named(index: Index, asked: Asked) -> dict[str, list[tuple[float, Definition]]]:
    """Return the definitions that a query names, by file, with how surely they are meant."""
    found: dict[str, list[tuple[float, Definition]]] = defaultdict(list)
    for key, name in asked.names.items():
        places = index.defining.get(key, {})
        # In a sentence a plain word is rarely a name; a compound or capitalised one is.
        plain = not asked.is_symbol and name.islower() and "_" not in name and " " not in name
        sure = (0.5 if plain else 1.0) / (1.0 if asked.is_symbol else math.sqrt(len(places) or 1))
        for path, definitions in places.items():
            for each in definitions:
                same = 1.0 if each.name == name else 0.9
                found[path].append((sure * same * _RANKS.get(each.kind, 0.7), each))
    return found


def _hit(candidate: Candidate, asked: Asked, total: float) -> Hit:
    lines = candidate.known.file.text().split("\n")
    first, last = _span(candidate, asked)
    named = candidate.named[0] if candidate.named and first == candidate.named[0].line else None
    shown = named.line if named else _best_line(lines, (first, last), asked)
    text = lines[shown - 1].strip()[:SHOWN_CHARS] if shown <= len(lines) else ""
    return Hit(
        candidate.known.file.path, first, last, round(total, 4), text, tuple(_why(candidate, asked))
    )


def _span(candidate: Candidate, asked: Asked) -> Span:
    """Choose the lines last: the definition that was named, else the best chunk."""
    chunks = candidate.known.chunks
    best = max(candidate.chunks.items(), key=lambda each: (each[1], -each[0]), default=(0, 0.0))[0]
    if candidate.named and (asked.is_symbol or candidate.features["defines"] > 0.5):  # noqa: PLR2004
        each = candidate.named[0]
        return each.line, min(max(each.last, each.line), each.line + LONGEST_LINES - 1)
    return chunks[best] if chunks else (1, 1)


def _best_line(lines: list[str], span: Span, asked: Asked) -> int:
    wanted = set(asked.terms)

    def held(number: int) -> int:
        words = _WORD.findall(lines[number - 1])
        return len({term for word in words for term in terms_of(word)} & wanted)

    return max(range(span[0], min(span[1], len(lines)) + 1), key=lambda n: (held(n), -n))


def _why(candidate: Candidate, asked: Asked) -> list[str]:
    features, why = candidate.features, list[str]()
    if candidate.named:
        why.append(f"defines {candidate.named[0].name}")
    if features["name_coverage"] == 1.0 or features["name_overlap"] > 0.3:  # noqa: PLR2004
        why.append("file name")
    shared = _shared(candidate, asked)
    if shared and not (asked.is_symbol and candidate.named):
        why.append(f"words: {', '.join(shared)}")
    if features["referenced"] > 0.6:  # noqa: PLR2004
        why.append("used much elsewhere")
    return why or ["folder"]


def _shared(candidate: Candidate, asked: Asked) -> list[str]:
    """Return words of the query that the file holds, rare or not, in the query's order."""
    text = candidate.known.file.lower()
    words = [word for word in dict.fromkeys(_WORD.findall(asked.text)) if asked_terms(word)]
    return [word for word in words if any(t.lstrip("=") in text for t in terms_of(word))][:5]


@cache
def _weights() -> dict[str, dict[str, float]]:
    text = (resources.files("turbo_tui.knowledge") / "weights.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
