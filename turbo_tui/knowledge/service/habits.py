"""What the user opened, pinned and let land in a workspace: kept on this machine, and forgotten.

A small file of its own beside the index. What was done counts half after two weeks; only so many
files are remembered. A file that cannot be read counts as none, one that cannot be written is let
be: nobody waits for this.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

from turbo_tui.core.searching import Act

WORTH: dict[Act, float] = {"opened": 1.0, "pinned": 2.0, "landed": 3.0}
HALF_LIFE_S = 14 * 86_400.0
MOST_FILES = 500
LONGEST_PATH = 1_000
LEAST = 0.05  # of worth; less is forgotten
ENOUGH = 10.0  # of worth; more counts no further
VERSION = 1


class Habits:
    """What was done with files, by path; one process writes it at a time.

    Args:
        file: Where it is kept.
        clock: Seconds since 1970.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._held = self._load()  # path -> worth and when that was so

    def learn(self, act: Act, paths: Iterable[str]) -> None:
        """Remember that the user did something with files."""
        now = self._clock()
        for path in paths:
            if len(path) <= LONGEST_PATH:
                self._held[path] = self._worth(path, now) + WORTH[act], now
        worth = {path: self._worth(path, now) for path in self._held}
        best = sorted(worth, key=lambda path: -worth[path])[:MOST_FILES]
        self._held = {path: self._held[path] for path in best if worth[path] >= LEAST}
        self._save()

    def forget(self) -> None:
        """Remember nothing of what was."""
        self._held = {}
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def of(self, path: str) -> float:
        """Return how much the user had to do with a file lately, 0 to 1."""
        worth = self._worth(path, self._clock())
        return min(1.0, math.log1p(worth) / math.log1p(ENOUGH)) if worth >= LEAST else 0.0

    def __len__(self) -> int:
        """How many files are remembered."""
        return len(self._held)

    def _worth(self, path: str, now: float) -> float:
        worth, at = self._held.get(path, (0.0, now))
        return float(worth * 0.5 ** (max(0.0, now - at) / HALF_LIFE_S))

    def _load(self) -> dict[str, tuple[float, float]]:
        try:
            value = cast("dict[str, object]", json.loads(self._file.read_text(encoding="utf-8")))
            if value["version"] != VERSION:
                return {}
            rows = cast("dict[str, list[float]]", value["files"])
            return {path: (float(worth), float(at)) for path, (worth, at) in rows.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _save(self) -> None:
        fresh = self._file.with_name(f"{self._file.name}.new")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump({"version": VERSION, "files": self._held}, file)
            fresh.replace(self._file)
