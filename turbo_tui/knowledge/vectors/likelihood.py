"""Which files are likely asked for: they get their vectors first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

_LAST_NAMES = """
    test tests spec specs testing fixtures vendor vendored third_party node_modules examples docs
"""
_LAST = frozenset(_LAST_NAMES.split())
_TEST_ENDS = ("_test", ".test", "_spec", ".spec")


class Waiting:
    """Paths that wait for something, the likeliest first; any thread may say what is `near`."""

    def __init__(self) -> None:
        self._paths = set[str]()
        self._recent: tuple[str, ...] = ()
        self._order: list[str] | None = []  # likeliest last; None: to be sorted

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, paths: Iterable[str]) -> None:
        """Have paths wait."""
        self._paths.update(paths)
        self._order = None

    def remove(self, paths: Iterable[str]) -> None:
        """Have them wait no longer."""
        self._paths.difference_update(paths)

    def near(self, recent: Sequence[str]) -> None:
        """Say which files were opened or edited last: those and their neighbours come first."""
        if tuple(recent) != self._recent:
            self._recent = tuple(recent)
            self._order = None

    def take(self) -> str | None:
        """Return the likeliest path, which waits no longer; None when none does."""
        order = self._order
        if order is None:
            near = self._recent
            order = sorted(self._paths, key=lambda path: likelihood(path, near))
            self._order = order
        while order:
            path = order.pop()
            if path in self._paths:
                self._paths.discard(path)
                return path
        return None


def likelihood(path: str, recent: Sequence[str]) -> tuple[int, bool, str]:
    """Return how soon a file is likely asked for; the largest is first.

    Files come by how much of their path they share with one used lately; of the others, first
    those that are neither tests nor vendored nor examples.
    """
    parts = PurePosixPath(path).parts
    shared = max((_shared(parts, PurePosixPath(each).parts) for each in recent), default=0)
    stem = PurePosixPath(path).stem.lower()
    is_test = stem.startswith("test_") or stem.endswith(_TEST_ENDS)
    last = is_test or any(part.lower() in _LAST for part in parts)
    return shared, not last, path


def _shared(path: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    for a, b in zip(path, other, strict=False):
        if a != b:
            break
        common += 1
    return common
