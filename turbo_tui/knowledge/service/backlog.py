"""Files that an index does not hold as they are now: what is asked for first, then the newest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from turbo_tui.knowledge.indexing.tree import SourceFile, Stamp

TELLING_FILES = 20  # read before a pace is told: the first ones wait for the readers to start


class Backlog:
    """What is to be read; one thread changes it, others may look at it and say what they `prefer`.

    Attributes:
        files: By path.
    """

    def __init__(self) -> None:
        self.files: dict[str, SourceFile] = {}
        self._waiting: deque[SourceFile] = deque()
        self._taken: dict[str, Stamp] = {}  # and not done yet
        self._asked: dict[str, Stamp] = {}
        self._preferred: Sequence[SourceFile] = ()  # set by any thread
        self._since = 0.0
        self._began_with = 0

    def set(self, files: Iterable[SourceFile]) -> None:
        """Have these files read and no others; those that were taken are not taken again."""
        if not self.files:
            self._since, self._began_with = time.monotonic(), 0
        done = self._began_with - len(self.files)
        self.files = {file.path: file for file in files}
        self._began_with = done + len(self.files)
        self._order()

    def add(self, files: Iterable[SourceFile]) -> None:
        """Have these files read before the others."""
        self.set([*{**self.files, **{file.path: file for file in files}}.values()])

    def take(self) -> Iterator[SourceFile]:
        """Yield each file once, also those that are added meanwhile; those not done, once more."""
        self._taken.clear()
        self._order()
        while self._waiting:
            file = self._next_preferred() or self._waiting.popleft()
            if file.path not in self.files or self._taken.get(file.path) == file.stamp:
                continue  # found elsewhere meanwhile, or preferred
            self._taken[file.path] = file.stamp
            yield file

    def prefer(self, files: Sequence[SourceFile]) -> None:
        """Have some of the files read before all others: somebody waits for them."""
        self._preferred = files

    def _next_preferred(self) -> SourceFile | None:
        for file in self._preferred:
            if self.files.get(file.path) is file and self._taken.get(file.path) != file.stamp:
                return file
        return None

    def unasked(self, few: int) -> list[SourceFile]:
        """Return the files that this did not return before; none where they are few."""
        fresh = [file for path, file in self.files.items() if self._asked.get(path) != file.stamp]
        if len(fresh) <= few:
            return []
        self._asked.update({file.path: file.stamp for file in fresh})
        return fresh

    def done(self, file: SourceFile) -> None:
        """Take note that a file was read as it was then."""
        if self._taken.get(file.path) == file.stamp:
            del self._taken[file.path]
        if file.path in self.files and self.files[file.path].stamp == file.stamp:
            del self.files[file.path]
            self._asked.pop(file.path, None)

    def pace(self) -> tuple[float, float | None]:
        """Return files per second and the seconds that are left; 0 and None while unknown."""
        left, spent = len(self.files), time.monotonic() - self._since
        done = self._began_with - left
        if not left or done < TELLING_FILES or spent <= 0:
            return 0.0, None
        return round(done / spent, 1), round(left * spent / done, 1)

    def _order(self) -> None:
        latest = sorted(self.files.values(), key=lambda file: -file.stamp[0])
        taken = self._taken
        self._waiting = deque(file for file in latest if taken.get(file.path) != file.stamp)
