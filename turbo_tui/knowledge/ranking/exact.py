"""Places that hold a query as it stands: definitions, names of symbols and files, text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.words import parts_of

PER_FILE = 5  # lines shown of one file
LOOKED_AT = 200  # lines of one file, for those
SHOWN_CHARS = 300
SHORTEST_PATH = 3  # letters; fewer are in every path

EXACT, SAME_LETTERS, BEGINS, HOLDS, IN_PATH, WHOLE_WORD, TEXT = (
    1.0, 0.95, 0.8, 0.7, 0.65, 0.55, 0.5
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


@dataclass(frozen=True, slots=True)
class Query:
    """A query, taken apart.

    Attributes:
        text: What was typed, trimmed.
        names: Words in it that may be symbols, as typed.
        wanted: The same in lower case.
        parts: Parts of each of the names, in lower case.
    """

    text: str
    names: tuple[str, ...]
    wanted: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    @property
    def case_matters(self) -> bool:
        """Smart case: a capital letter means that case was meant."""
        return self.text != self.text.lower()


def parse(text: str) -> Query:
    """Take a query apart: `fix parseMatch` has the name `parseMatch`."""
    text = text.strip()
    found = _WORD.findall(text)
    single = len(found) == 1
    names = tuple(dict.fromkeys(n for n in found if single or n.lower() not in _STOP))
    wanted = tuple(each.lower() for each in names)
    return Query(text, names, wanted, tuple(tuple(parts_of(each)) for each in names))


def find(files: list[SourceFile], text: str) -> list[Hit]:
    """Return the places for a query, best first, each line once."""
    query = parse(text)
    best: dict[tuple[str, int], Hit] = {}
    for hit in _hits(files, query):
        place = hit.path, hit.start_line
        known = best.get(place)
        if known is None or hit.score > known.score:
            best[place] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.path, hit.start_line))


def lines(file: SourceFile, query: Query) -> list[Hit]:
    """Return the first few lines of a file that hold a query, as words of their own before others.

    `def permit` stands in `def permitted` too, and may do so more often.
    """
    return sorted(_by_text(file, query, LOOKED_AT), key=lambda hit: -hit.score)[:PER_FILE]


def _hits(files: list[SourceFile], query: Query) -> Iterator[Hit]:
    for file in files:
        yield from _by_definition(file, query)
        if " " in query.text:
            continue  # no name of a file; its lines were looked at before
        yield from _by_path(file, query)
        yield from _by_text(file, query)


def _by_definition(file: SourceFile, query: Query) -> Iterator[Hit]:
    if not _may_define(file, query):
        return
    scored = [(_name_score(each.name, query), each) for each in file.defined]
    matching = [(score, each) for score, each in scored if score[0] > 0]
    if not matching:
        return
    lines = file.text().split("\n", max(each.line for _, each in matching))
    for (score, why), each in matching:
        shown = lines[each.line - 1] if each.line <= len(lines) else ""
        yield _hit(file, shown, each.line, score - _detail(each), why)


def _may_define(file: SourceFile, query: Query) -> bool:
    """Tell whether a file may define what a query names: all its names are looked at as one."""
    names = "\n".join([each.name for each in file.defined]).lower()
    if len(query.wanted) != 1:
        return not set(query.wanted).isdisjoint(names.split("\n"))
    return query.wanted[0] in names or all(part in names for part in query.parts[0])


def _name_score(name: str, query: Query) -> tuple[float, str]:
    if name in query.names:
        # In a sentence a name is one word of several, so a phrase that is found comes first.
        exact = EXACT if len(query.names) == 1 else EXACT - 0.02
        return exact, f"defines {name}"
    lower, wanted = name.lower(), query.wanted
    if lower in wanted:
        return SAME_LETTERS, f"defines {name}"
    if len(wanted) != 1 or len(wanted[0]) < SHORTEST_PATH - 1:
        return 0.0, ""
    if lower.startswith(wanted[0]):
        same_case = 0.02 if name.startswith(query.names[0]) else 0.0
        return BEGINS + same_case, f"name {name}"
    if wanted[0] in lower or _has_parts(name, lower, query.parts[0]):
        return HOLDS, f"name {name}"
    return 0.0, ""


def _has_parts(name: str, lower: str, parts: tuple[str, ...]) -> bool:
    return all(part in lower for part in parts) and set(parts) <= set(parts_of(name))


def _detail(each: Definition) -> float:
    # A value that shares its name with a function or class comes after it; short names first.
    return (0.01 if each.kind == "value" else 0.0) + min(len(each.name), 60) / 10_000


def _by_path(file: SourceFile, query: Query) -> Iterator[Hit]:
    name, wanted = file.path.rpartition("/")[2].lower(), query.text.lower()
    if len(wanted) < SHORTEST_PATH or " " in wanted:
        return
    if wanted in name or ("/" in wanted and wanted in file.path.lower()):
        whole = 0.1 if wanted in {name, name.partition(".")[0]} else 0.0
        yield _hit(file, file.text().partition("\n")[0], 1, IN_PATH + whole, "file name")


def _by_text(file: SourceFile, query: Query, most: int = PER_FILE) -> Iterator[Hit]:
    text, wanted = file.lower(), query.text
    if wanted.lower() not in text:
        return
    original = file.text()
    if query.case_matters:
        text = original
    line, counted, shown = 1, 0, 0
    at = text.find(wanted)
    while at >= 0 and shown < most:
        line += text.count("\n", counted, at)
        counted = at
        end = at + len(wanted)
        whole = not (_is_word(text[at - 1 : at]) or _is_word(text[end : end + 1]))
        next_line = text.find("\n", at)
        here = original[original.rfind("\n", 0, at) + 1 : next_line if next_line >= 0 else None]
        yield _hit(file, here, line, WHOLE_WORD if whole else TEXT, "text")
        shown += 1
        at = text.find(wanted, next_line) if next_line >= 0 else -1


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _hit(file: SourceFile, line: str, number: int, score: float, why: str) -> Hit:
    return Hit(file.path, number, number, round(score, 4), line.strip()[:SHOWN_CHARS], (why,))
