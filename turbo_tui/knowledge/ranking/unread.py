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

MOST_FILES = 16  # a moment's work for the processes that read files
LOOK_S = 0.3  # that goes into looking for them
MOST_PLACES = 20  # of a word in a file
_LEADING = re.compile(r"\s*(?:[\w*&<>]+\s+)+[*&]*")
_DEFINED = 2.0  # times as much as a word that is only used
_IN_PATH = 1.0  # beside it


def likely(files: Iterable[SourceFile], text: str) -> list[SourceFile]:
    """Return the files that hold most of a query's words, rare ones first of all; best first.

    Args:
        files: Not read yet; they are looked through as text, for `LOOK_S` seconds at most.
        text: The query as typed, with its filters.
    """
    query = parse_query(text)
    words = exact.parse(query.text).wanted
    if not words:
        return []
    until = time.monotonic() + LOOK_S
    found: list[tuple[SourceFile, dict[str, float]]] = []
    looked = 0
    for file in files:
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
        (sum(rarity[word] * weight for word, weight in held.items()), file) for file, held in found
    ]
    scored.sort(key=lambda each: (-each[0], each[1].path))
    return [file for _, file in scored[:MOST_FILES]]


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
        if whole and _LEADING.fullmatch(before):
            return True
        at = text.find(word, end)
    return False
