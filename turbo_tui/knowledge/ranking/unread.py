"""Which of the files that were not read yet may answer a query: they are read before the others."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable

from turbo_tui.core.searching import parse_query
from turbo_tui.knowledge.indexing.narrowing import admits
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.ranking import exact
from turbo_tui.knowledge.syntax.file_kinds import kinds_of

MOST_FILES = 16  # a moment's work for the processes that read files
LOOK_S = 0.5  # that goes into looking for them
MOST_PLACES = 20  # of a word in a file
_NAMES = re.compile(r"[^\s/\\\"'`()\[\]{},;:]+")
_BESIDE = 0.5  # a test or a text about it
_LATER = re.compile(r"test|spec|docs?/|example|fixture")  # paths that are looked into last
_NO_DEFINITION_WORDS = """
    and as assert await case else except from if import in include is new not or raise require
    return throw use using while yield
"""
_NO_DEFINITION = frozenset(_NO_DEFINITION_WORDS.split())
_LEADING = re.compile(r"\s*(?:[\w*&<>]+\s+)+[*&]*")
_DEFINED = 2.0  # times as much as a word that is only used
_IN_PATH = 1.0  # beside it


def likely(files: Iterable[SourceFile], text: str, most: int = MOST_FILES) -> list[SourceFile]:
    """Return the files that hold most of a query's words, rare ones first of all; best first.

    Args:
        files: Not read yet; they are looked through as text, for `LOOK_S` seconds at most, and
            those whose names the query says before the others.
        text: The query as typed, with its filters.
        most: How many at most.
    """
    query = parse_query(text)
    words = dict.fromkeys((*exact.parse(query.text).wanted, query.text.strip().lower()))
    words.pop("", None)
    if not words:
        return []
    said = set(_NAMES.findall(query.text))

    def comes(file: SourceFile) -> tuple[bool, bool]:
        return file.path.rpartition("/")[2] not in said, _LATER.search(file.path) is not None

    until = time.monotonic() + LOOK_S
    found: list[tuple[SourceFile, dict[str, float]]] = []
    looked = 0
    for file in sorted(files, key=comes):
        if admits(query, file.path):
            looked += 1
            held = _held(file, words)
            if held:
                found.append((file, held))
        if time.monotonic() > until:
            break
    rarity = {
        word: math.log1p(looked / (1 + sum(word in held for _, held in found))) for word in words
    }
    scored = [
        (_standing(file) * sum(rarity[word] * weight for word, weight in held.items()), file)
        for file, held in found
    ]
    scored.sort(key=lambda each: (-each[0], each[1].path))
    return [file for _, file in scored[:most]]


def _standing(file: SourceFile) -> float:
    return _BESIDE if kinds_of(file.path, (), {}) else 1.0


def _held(file: SourceFile, words: Iterable[str]) -> dict[str, float]:
    text, path = file.lower(), file.path.lower()
    held: dict[str, float] = {}
    for word in words:
        weight = _IN_PATH * (word in path)
        if word in text:
            weight += _DEFINED if _may_define(text, word) else 1.0
        if weight:
            held[word] = weight
    return held


def _may_define(text: str, word: str) -> bool:
    """Tell whether words lead up to a name in a line, as in most languages where it is defined."""
    at = text.find(word)
    for _ in range(MOST_PLACES):
        if at < 0:
            break
        end = at + len(word)
        before = text[text.rfind("\n", 0, at) + 1 : at]
        whole = not (text[end : end + 1].isalnum() or text.startswith("_", end))
        if whole and _LEADING.fullmatch(before) and _NO_DEFINITION.isdisjoint(before.split()):
            return True
        at = text.find(word, end)
    return False
