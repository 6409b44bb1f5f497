"""Which places answer a query best: exact definitions, then names, then text, then words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from turbo_tui.core.ports import Hit
from turbo_tui.knowledge.definitions import Definition
from turbo_tui.knowledge.tree import SourceFile

PER_FILE = 5  # lines shown of one file
SHOWN_CHARS = 300
SHORTEST_PATH = 3  # letters; fewer are in every path

EXACT, SAME_LETTERS, BEGINS, HOLDS, IN_PATH, WHOLE_WORD, TEXT, WORDS = (
    1.0, 0.95, 0.8, 0.7, 0.65, 0.55, 0.5, 0.45
)  # fmt: skip

# Common words, and those that tasks are made of.
_STOP_WORDS = """
    a an and are as at be by do for from how in into is it its make not of on or so that the their
    then this to use used we what when where which why with without you your all any add change
    fix find rename replace remove update function method class file files code test tests please
    should can
"""
_STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W\d_]\w*|\d{2,}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Query:
    """A query, taken apart.

    Attributes:
        text: What was typed, trimmed.
        names: Words in it that may be symbols, as typed.
        words: Lower-case words and parts of names, each once, without common ones.
    """

    text: str
    names: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def case_matters(self) -> bool:
        """Smart case: a capital letter means that case was meant."""
        return self.text != self.text.lower()


def parse(text: str) -> Query:
    """Take a query apart: `fix parseMatch` has the name `parseMatch`, the words parse, match."""
    text = text.strip()
    found = _WORD.findall(text)
    single = len(found) == 1
    names = tuple(dict.fromkeys(n for n in found if single or n.lower() not in _STOP))
    words = dict.fromkeys(
        part
        for name in names
        for part in (name.lower(), *parts_of(name))
        if len(part) > 1 and part not in _STOP
    )
    return Query(text, names, tuple(words))


def parts_of(name: str) -> list[str]:
    """Return the lower-case parts of a name: `parseHTTPLine2` -> parse, http, line, 2."""
    return [part.lower() for part in _PART.findall(name)]


def find(files: list[SourceFile], text: str, *, limit: int) -> list[Hit]:
    """Return the best places for a query, best first, each line once."""
    query = parse(text)
    if not query.text or limit <= 0:
        return []
    best: dict[tuple[str, int], Hit] = {}
    for hit in _hits(files, query, limit):
        place = hit.path, hit.start_line
        known = best.get(place)
        if known is None or hit.score > known.score:
            best[place] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.path, hit.start_line))[:limit]


def _hits(files: list[SourceFile], query: Query, limit: int) -> Iterator[Hit]:
    anything = False
    for file in files:
        for hit in (*_by_definition(file, query), *_by_path(file, query), *_by_text(file, query)):
            anything = True
            yield hit
    # The parts of one name are looked for apart only when the name itself is nowhere.
    if len(query.names) > 1 or not anything:
        yield from _by_words(files, query, limit)


def _by_definition(file: SourceFile, query: Query) -> Iterator[Hit]:
    scored = [(_name_score(each.name, query), each) for each in file.defined]
    matching = [(score, each) for score, each in scored if score[0] > 0]
    if not matching:
        return
    lines = file.text().split("\n")
    for (score, why), each in matching:
        yield _hit(file, lines, each.line, score - _detail(each), why)


def _name_score(name: str, query: Query) -> tuple[float, str]:
    if name in query.names:
        # In a sentence a name is one word of several, so a phrase that is found comes first.
        exact = EXACT if len(query.names) == 1 else EXACT - 0.02
        return exact, f"defines {name}"
    lower = name.lower()
    wanted = [each.lower() for each in query.names]
    if lower in wanted:
        return SAME_LETTERS, f"defines {name}"
    if len(wanted) != 1 or len(wanted[0]) < SHORTEST_PATH - 1:
        return 0.0, ""
    if lower.startswith(wanted[0]):
        same_case = 0.02 if name.startswith(query.names[0]) else 0.0
        return BEGINS + same_case, f"name {name}"
    if wanted[0] in lower or set(parts_of(query.names[0])) <= set(parts_of(name)):
        return HOLDS, f"name {name}"
    return 0.0, ""


def _detail(each: Definition) -> float:
    # A value that shares its name with a function or class comes after it; short names first.
    return (0.01 if each.kind == "value" else 0.0) + min(len(each.name), 60) / 10_000


def _by_path(file: SourceFile, query: Query) -> Iterator[Hit]:
    name, wanted = file.path.rpartition("/")[2].lower(), query.text.lower()
    if len(wanted) < SHORTEST_PATH or " " in wanted:
        return
    if wanted in name or ("/" in wanted and wanted in file.path.lower()):
        whole = 0.1 if wanted in {name, name.partition(".")[0]} else 0.0
        yield _hit(file, file.text().split("\n"), 1, IN_PATH + whole, "file name")


def _by_text(file: SourceFile, query: Query) -> Iterator[Hit]:
    text, wanted = file.lower(), query.text
    if wanted.lower() not in text:
        return
    original = file.text()
    if query.case_matters:
        text = original
    lines = original.split("\n")
    line, counted, shown = 1, 0, 0
    at = text.find(wanted)
    while at >= 0 and shown < PER_FILE:
        line += text.count("\n", counted, at)
        counted = at
        end = at + len(wanted)
        whole = not (_is_word(text[at - 1 : at]) or _is_word(text[end : end + 1]))
        yield _hit(file, lines, line, WHOLE_WORD if whole else TEXT, "text")
        shown += 1
        next_line = text.find("\n", at)
        at = text.find(wanted, next_line) if next_line >= 0 else -1


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _by_words(files: list[SourceFile], query: Query, limit: int) -> Iterator[Hit]:
    """Rank files by the rare words they share with the query; show each one's best line."""
    holding: list[tuple[SourceFile, frozenset[str]]] = []
    counts = dict.fromkeys(query.words, 0)
    for file in files:
        text, path = file.lower(), file.path.lower()
        held = frozenset(word for word in query.words if word in text or word in path)
        for word in held:
            counts[word] += 1
        if held:
            holding.append((file, held))
    weights = {word: math.log(1 + len(files) / count) for word, count in counts.items() if count}
    total = sum(weights.values()) or 1.0
    if len(query.names) == 1:
        whole = query.names[0].lower()
        wanted = {word for word in query.words if word != whole}
        holding = [each for each in holding if wanted and wanted <= each[1]]
    ranked = sorted(holding, key=lambda each: (-_file_score(*each, weights), each[0].path))
    for file, held in ranked[:limit]:
        lines = file.text().split("\n")
        number = _best_line(lines, held, weights)
        score = WORDS * min(1.0, _file_score(file, held, weights) / total)
        words = sorted(held, key=lambda word: (-weights[word], word))
        yield _hit(file, lines, number, score, f"words: {', '.join(words[:5])}")


def _file_score(file: SourceFile, held: frozenset[str], weights: dict[str, float]) -> float:
    path = file.path.lower()
    names = {each.name.lower() for each in file.defined}
    return sum(weights[w] * (1 + 0.3 * (w in path) + 0.3 * (w in names)) for w in sorted(held))


def _best_line(lines: list[str], held: Iterable[str], weights: dict[str, float]) -> int:
    best, number = 0.0, 1
    words = list(held)
    for at, line in enumerate(lines, 1):
        lower = line.lower()
        score = sum(weights[word] for word in words if word in lower)
        if score > best:
            best, number = score, at
    return number


def _hit(file: SourceFile, lines: list[str], number: int, score: float, why: str) -> Hit:
    shown = lines[number - 1].strip()[:SHOWN_CHARS] if number <= len(lines) else ""
    return Hit(file.path, number, number, round(score, 4), shown, (why,))
