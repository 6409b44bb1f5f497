"""What settles close calls between files: what the user is at, and what they opened before.

No benchmark says what somebody is at, so these weights are set by hand: so small against those of
weights.toml that they only change the order of files that fit about as well
(`bench/leaning.py` measures what a context that has nothing to do with the query costs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from turbo_tui.core.searching import Context
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.syntax.words import asked_terms

WEIGHTS = {"near": 0.2, "spoken_of": 0.1, "opened_before": 0.2}
SAME_FILE, IMPORTED, SAME_FOLDER = 1.0, 0.8, 0.5
MOST_PATHS = 8
MOST_TERMS = 30  # of the words of a step, the rarest
IMPORTING_LINES = 400
SHORTEST_NAME = 3
SAID = 0.2  # of a feature's most, from which on it is told
_IMPORT = re.compile(
    r"^\s*(?:import|from|export|require|use|using|mod|#\s*include|include|load|source|alias)\b"
    r"|\brequire\s*\(|\bimport\s*\("
)
_GO_IMPORT = re.compile(r'^\s*(?:\w+\s+)?"[^"\s]+"\s*$')
_NAME = re.compile(r"[^\W\d][\w-]*")
_FOLDERS_FILES = {"__init__", "index", "mod", "lib", "main", "init"}  # named by their folder


class Remembers(Protocol):
    """Knows how much the user had to do with a file lately, 0 to 1."""

    def of(self, path: str) -> float:
        """Return that."""
        ...


@dataclass(frozen=True, slots=True)
class Lean:
    """What a file gains, and why."""

    gain: float = 0.0
    why: tuple[str, ...] = ()


LEVEL = Lean()


class Leaning:
    """Which files a search leans to.

    Args:
        index: What is searched.
        context: What the user is at.
        habits: What they opened before; None where that does not count.
    """

    def __init__(self, index: Index, context: Context, habits: Remembers | None = None) -> None:
        paths = [path for path in context.paths if path in index.files][:MOST_PATHS]
        self._habits = habits
        self._at = frozenset(paths)
        self._folders = {PurePosixPath(path).parent for path in paths}
        self._imported = {path: imported(index.files[path].file.text()) for path in paths}
        self._spoken = spoken_of(index, context.words)

    def of(self, path: str) -> Lean:
        """Return how far a search leans to a file."""
        if not self._at and path not in self._spoken and self._habits is None:
            return LEVEL
        near, why = self.near(path)
        values = {
            "near": near,
            "spoken_of": self._spoken.get(path, 0.0),
            "opened_before": self._habits.of(path) if self._habits is not None else 0.0,
        }
        told = {
            "near": why,
            "spoken_of": "words of your step",
            "opened_before": "you worked with this before",
        }
        said = sorted((n for n, v in values.items() if v >= SAID), key=lambda n: -gain(n, values))
        return Lean(sum(gain(name, values) for name in values), tuple(told[name] for name in said))

    def near(self, path: str) -> tuple[float, str]:
        """Return how near a file is to what the user is at, 0 to 1, and in which way."""
        if path in self._at:
            return SAME_FILE, "you are at this file"
        if not self._at:
            return 0.0, ""
        pure = PurePosixPath(path)
        stem = pure.parent.name if pure.stem in _FOLDERS_FILES else pure.stem
        for at, names in self._imported.items():
            if len(stem) >= SHORTEST_NAME and stem in names:
                return IMPORTED, f"imported by {at}"
        return (SAME_FOLDER, "near what you are at") if pure.parent in self._folders else (0.0, "")


def gain(name: str, values: dict[str, float]) -> float:
    """Return what a feature adds to a file's score."""
    return WEIGHTS[name] * values[name]


def imported(text: str) -> frozenset[str]:
    """Return the names in a file's import lines, in whatever language."""
    lines = text.split("\n", IMPORTING_LINES)[:IMPORTING_LINES]
    wanted: Iterable[str] = (
        line for line in lines if _IMPORT.search(line) or _GO_IMPORT.match(line)
    )
    return frozenset(name for line in wanted for name in _NAME.findall(line))


def spoken_of(index: Index, words: str) -> dict[str, float]:
    """Return how much the files that share words with a step do so, against the most."""
    found = asked_terms(words)
    if not found:
        return {}
    rarest = sorted(found, key=index.chunks.rarity, reverse=True)[:MOST_TERMS]
    best = {
        path: max(fits.values())
        for path, fits in index.best_files(index.chunks.scores(rarest)).items()
    }
    most = max(best.values(), default=0.0)
    return {path: fit / most for path, fit in best.items()} if most else {}
