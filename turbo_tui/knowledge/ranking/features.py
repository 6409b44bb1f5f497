"""What speaks for a file: one function for each feature, each value 0 to 1."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.indexing.index import Index, Indexed
from turbo_tui.knowledge.ranking.asked import Asked
from turbo_tui.knowledge.ranking.names_alike import defines_like, parts_of_names
from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.file_kinds import kinds_of, newest_versions
from turbo_tui.knowledge.syntax.grammars import grammar_of
from turbo_tui.knowledge.syntax.words import joined

MOST_FILES = 150  # that share words with the query
MOST_SIMILAR = 50  # files, by their vectors
TOP = 3  # chunks
MANY_FILES = 4  # a name defined in more tells little about where it is referenced
MANY_REFERENCES = 8  # e to the power of it: more count no further
SHORTEST_AKIN = 3  # letters that two words share from their beginning
CLOSEST = 2  # files later, being similar counts half
_RANKS = {"class": 1.0, "type": 1.0, "module": 0.95, "function": 0.95, "method": 0.9, "macro": 0.9}

Scores = NDArray[np.float32]


@dataclass(slots=True)
class Candidate:
    """A file that may answer, with what speaks for it.

    Attributes:
        known: The file.
        named: Its definitions that the query names, the surest first.
        features: Values by name, 0 to 1.
        kinds: What it is beside the thing itself.
        fits: How well each of its chunks fits, in their order.
    """

    known: Indexed
    named: list[Definition]
    features: dict[str, float] = field(default_factory=dict[str, float])
    kinds: list[str] = field(default_factory=list[str])
    fits: Scores = field(default_factory=lambda: np.zeros(0, np.float32))


def candidates(index: Index, asked: Asked, similar: Scores | None = None) -> list[Candidate]:
    """Return the files that share anything with a query, with their features.

    Args:
        index: Where to look.
        asked: The query.
        similar: How close each chunk's vector is to the query's, by chunk number; 0 where it has
            none. None: there are no vectors.
    """
    words = index.chunks.scores(asked.terms)
    pairs = index.chunks.scores(asked.pairs)
    paths = {known.file.path for known in index.top_files(words, MOST_FILES)}
    if similar is not None:
        close = index.top_files(np.maximum(similar, 0), MOST_SIMILAR)
        paths.update(known.file.path for known in close)
    named = definitions_named(index, asked)
    found = [
        Candidate(index.files[path], [each for _, each in named.get(path, ())])
        for path in sorted(paths | named.keys())
    ]
    versions = newest_versions(each.known.file.path for each in found)
    rarity = {term: index.chunks.rarity(term) for term in asked.terms}
    parts = [_parts(each.known.name_terms) for each in found]
    kin = akin({part for own in parts for part in own}, asked.terms)
    rare = {
        part: index.chunks.rarity(part)
        for own in parts
        if not rarity.keys().isdisjoint(own)
        for part in own
    }
    alike = defines_like(index, [each.known for each in found], rarity)
    query = asked.text.lower()
    for each, own, names in zip(found, parts, alike, strict=True):
        known, path = each.known, each.known.file.path
        each.kinds = kinds_of(path, index.files, versions, query=query)
        if "data" in each.kinds and known.defined and grammar_of(path) is None:
            each.kinds.remove("data")  # a script without an ending
        each.features = {
            "name_overlap": overlap(known.name_terms, rarity),
            "name_coverage": coverage(own, rarity.keys()),
            "name_akin": coverage(own, kin),
            "name_rarity": rare_coverage(own, rarity.keys(), rare),
            "folder_overlap": overlap(known.folder_terms, rarity),
            "defines": max((sure for sure, _ in named.get(path, ())), default=0.0),
            "defines_like": names,
            "referenced": referenced(index, known),
        }
    _add_fits(found, words, pairs, similar)
    return found


def overlap(place: frozenset[str], rarity: dict[str, float]) -> float:
    """How much of the query, by rarity, is in a file's name or folders; half of it is most."""
    if place.isdisjoint(rarity):
        return 0.0
    held = sum(rarity[term] for term in rarity if term in place)
    return math.sqrt(held / (sum(rarity.values()) or 1.0))


def coverage(parts: list[str], wanted: AbstractSet[str]) -> float:
    """How much of a file's name is in the query, or in what is akin to it."""
    if wanted.isdisjoint(parts):
        return 0.0
    return sum(term in wanted for term in parts) / len(parts)


def akin(parts: Iterable[str], wanted: Iterable[str]) -> set[str]:
    """Return the parts of names that begin like words of the query: `config`, configuration."""
    words = set(wanted)
    beginnings: dict[str, list[str]] = defaultdict(list)
    for word in words:
        beginnings[word[:SHORTEST_AKIN]].append(word)
    return {
        part
        for part in parts
        if part in words
        or any(_akin(part, word) for word in beginnings.get(part[:SHORTEST_AKIN], ()))
    }


def rare_coverage(parts: list[str], wanted: AbstractSet[str], rarity: dict[str, float]) -> float:
    """How much of a file's name is in the query, where rare words count more."""
    if wanted.isdisjoint(parts):
        return 0.0
    held = sum(rarity[part] for part in parts if part in wanted)
    return held / (sum(rarity[part] for part in parts) or 1.0) if held else 0.0


def referenced(index: Index, known: Indexed) -> float:
    """How often what a file defines is named in the workspace; logarithmic."""
    path = known.file.path
    if path not in index.referenced:
        prepare(index, [known])
    return index.referenced[path]


def prepare(index: Index, files: Iterable[Indexed]) -> None:
    """Work out ahead what is asked of files: for many at once sooner than in turn.

    That is the parts of the names that they define, and how often those are named.
    """
    telling: dict[str, list[str]] = {}
    for known in files:
        parts_of_names(index, known)
        names = {each.name for each in known.defined if len(each.name) >= SHORTEST_AKIN}
        keys = map(joined, names)
        telling[known.file.path] = [k for k in keys if len(index.defining.paths(k)) < MANY_FILES]
    counts = index.chunks.frequencies({key for keys in telling.values() for key in keys})
    for path, keys in telling.items():
        total = sum(counts[key] for key in keys)
        index.referenced[path] = min(1.0, math.log1p(total) / MANY_REFERENCES)


def definitions_named(index: Index, asked: Asked) -> dict[str, list[tuple[float, Definition]]]:
    """Return the definitions that a query names, by path, with how surely they are meant."""
    found: dict[str, list[tuple[float, Definition]]] = defaultdict(list)
    for key, name in asked.names.items():
        places = index.defining.get(key)
        # In a sentence a plain word is rarely a name; a compound or capitalised one is.
        is_plain = name.islower() and "_" not in name and " " not in name
        sure = 0.5 if is_plain and not asked.is_symbol else 1.0
        if asked.is_symbol and name != asked.symbol:
            sure = 0.2  # what the name is a member of: `Base` is asked for in `Sinatra::Base`
        if not asked.is_symbol:
            sure /= math.sqrt(len(places) or 1)
        for path, definitions in places.items():
            for each in definitions:
                same = 1.0 if each.name == name else 0.9
                found[path].append((sure * same * _RANKS.get(each.kind, 0.7), each))
    for each in found.values():
        # Of equals the one with a body comes first: not an import, nor an overload's signature.
        each.sort(key=lambda one: (-one[0], one[1].last <= one[1].line, one[1].line))
    return found


def _add_fits(found: list[Candidate], words: Scores, pairs: Scores, similar: Scores | None) -> None:
    """Add what follows from chunks: a feature is compared with that of the best file."""
    chunks = _Chunks([each.known for each in found])
    fits = chunks.of(words) + chunks.of(pairs)
    columns = {
        "best_chunk": chunks.most(words, 1),
        "top_chunks": chunks.most(words, TOP),
        "all_chunks": chunks.total(words),
        "pairs": chunks.most(pairs, 2 * TOP - 1),
    }
    if similar is not None:
        close = np.maximum(similar, 0)
        columns |= {"similar_best": chunks.most(close, 1), "similar_top": chunks.most(close, TOP)}
        # A tenth of cosine is worth a rare word, where words leave it open.
        fits += 10 * chunks.of(close)
    for each, own, *values in zip(found, chunks.split(fits), *columns.values(), strict=True):
        each.fits = own
        each.features.update(zip(columns, values, strict=True))
        each.features["all_chunks"] = math.log1p(each.features["all_chunks"])
    for name in ("best_chunk", "top_chunks", "all_chunks", "pairs"):
        best = max((each.features[name] for each in found), default=0.0)
        for each in found if best else ():
            each.features[name] /= best
    # Cosines of short texts are all alike; which is the closest tells more than how close it is.
    for name in ("similar_best", "similar_top") if similar is not None else ():
        order = sorted(found, key=lambda each: -each.features[name])
        for place, each in enumerate(order):
            each.features[name] = CLOSEST / (CLOSEST + place)


class _Chunks:
    """The chunks of some files, one behind the other: numpy looks at all of them at once."""

    def __init__(self, files: Sequence[Indexed]) -> None:
        self._sizes = np.array([len(each.chunks) for each in files], np.intp)
        self._ends = np.cumsum(self._sizes)
        self._starts = self._ends - self._sizes
        firsts = np.array([each.first for each in files], np.intp)
        self._owners = np.repeat(np.arange(len(files)), self._sizes)
        self._numbers = np.arange(len(self._owners)) + (firsts - self._starts)[self._owners]

    def of(self, scores: Scores) -> Scores:
        """Return their part of what is given for all chunks of the index."""
        return scores[self._numbers]

    def split(self, values: Scores) -> list[Scores]:
        """Return the values of each file's chunks."""
        bounds = zip(self._starts.tolist(), self._ends.tolist(), strict=True)
        return [values[start:end] for start, end in bounds]

    def total(self, scores: Scores) -> list[float]:
        """Return the sum of each file's chunks."""
        return self._summed(self.of(scores), self._owners)

    def most(self, scores: Scores, many: int) -> list[float]:
        """Return the sum of the largest of each file's chunks."""
        values = self.of(scores)
        held = np.flatnonzero(values)
        order = held[np.lexsort((-values[held], self._owners[held]))]
        owners = self._owners[order]
        places = np.arange(len(order)) - np.searchsorted(owners, owners)
        best = order[places < many]
        return self._summed(values[best], self._owners[best])

    def _summed(self, values: Scores, owners: NDArray[np.intp]) -> list[float]:
        return np.bincount(owners, values, len(self._sizes)).tolist()


def _parts(name: Iterable[str]) -> list[str]:
    return [term for term in name if not term.startswith("=")]


def _akin(one: str, other: str) -> bool:
    return one == other or (
        min(len(one), len(other)) >= SHORTEST_AKIN
        and (one.startswith(other) or other.startswith(one))
    )
