"""Keeps an index as the files are: in a thread of its own, while queries are answered.

Everything that changes the index happens file by file with `turn` held, for a millisecond or so.
Files whose content was seen before come from the store (`intake`), the others from the processes
that read them, a file that is saved meanwhile before all others; what is new is handed to `saving`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Condition, Event, Lock, Thread

from turbo_tui.core.searching import IndexState
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.parser import Parser
from turbo_tui.knowledge.indexing.tree import (
    MOST_FILES,
    SourceFile,
    SourceTree,
    stamp_of,
)
from turbo_tui.knowledge.ranking.features import prepare
from turbo_tui.knowledge.ranking.finding import Finder
from turbo_tui.knowledge.ranking.unread import likely
from turbo_tui.knowledge.service.backlog import Backlog
from turbo_tui.knowledge.service.comparing import Comparing
from turbo_tui.knowledge.service.intake import Intake
from turbo_tui.knowledge.service.saving import Saving
from turbo_tui.knowledge.service.watching import Watch
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.syntax.file_kinds import kinds_of
from turbo_tui.knowledge.vectors.meaning import Meaning

QUICK_WALK_S = 0.25  # a tree that is walked so quickly is walked whenever somebody asks
REST_S = 5.0  # without work, after which the processes that read files are ended
HEED_S = 0.2  # between looks at what was saved while others are read
AT_MOST = 0.1  # of the time goes into walking the tree while files are read
PREPARED_FILES = 20_000  # at once, in a second
MOST_PENDING = 40  # that are found by their lines; each may hold hundreds
PATIENCE_S = 1.0  # between looks at whether somebody still waits
STUCK_S = 45.0  # that nobody has the turn; a query holds it for less than one
SAVE_S = 1.0  # whoever ends a worker waits no longer for it
CUT = (
    f"Only the first {MOST_FILES:,} files here are searched: name folders to leave out in "
    ".turbo/ignore, or search in one of them."
)
IGNORE_FILES = ("/.gitignore", "/.turbo/ignore")

_log = logging.getLogger(__name__)


class Keeper:
    """The index of a workspace, and the thread that keeps it up.

    Attributes:
        index: Read and changed with `turn` held.
        finder: Answers queries from it.
        turn: Whoever looks at the index or changes it holds this.
    """

    def __init__(
        self, root: Path, store: Store, meaning: Meaning, notes: Path | None = None
    ) -> None:
        self.index = Index()
        self.finder = Finder(self.index, meaning)
        self._meaning = meaning
        self.turn = Lock()
        self._over = Event()
        self._root = root
        self._tree = SourceTree(root, notes)
        self._parser = Parser(over=self._over)
        self._store = store
        self._saving = Saving(store, self._over)
        self._backlog = Backlog()
        self._intake = Intake(
            self.index, self.turn, self._backlog, store, saving=self._saving, over=self._over
        )
        self._comparing = Comparing(meaning, self.index, self.turn, store, self._saving)
        self._news = Condition()
        self._touched: set[str] = set()
        self._asked = 1
        self._done = 0  # of what was asked: in the index
        self._busy, self._tries = True, False
        self._walked_at = self._heeded_at = 0.0
        self._free_at = time.monotonic()
        self._noted = ""
        self._filled = False
        self._watch = Watch(self._changed)
        self._thread = Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._saving.start()

    @property
    def trouble(self) -> str:
        """Why a new worker is better than this one, or nothing; asked now and then."""
        if not (self._thread.is_alive() and self._saving.works):
            return "a thread of it failed"
        if self._is_stuck():
            return f"a query did not come to an end within {STUCK_S:.0f} s"
        return "its index on disk was removed" if self._store.lost else ""

    def _is_stuck(self) -> bool:
        """Tell whether nobody had the turn for long: no query is answered, though `state` is."""
        now = time.monotonic()
        late = now - self._free_at > STUCK_S
        # Late it may be, too, as we were stopped: then the turn comes soon.
        if self.turn.acquire(timeout=PATIENCE_S if late else 0):
            self.turn.release()
            self._free_at = now
            late = False
        return late

    def stop(self) -> None:
        """End the threads; what is unsaved is saved, unless that takes long."""
        self._over.set()
        with self._news:
            self._news.notify_all()
        self._saving.stop()
        until = time.monotonic() + SAVE_S
        self._thread.join(SAVE_S)
        if not self._saving.join(max(0.0, until - time.monotonic())) or self._thread.is_alive():
            self._store.abandon()  # it may hang with its disk
        self._thread.join(SAVE_S)
        self._watch.stop()
        self._parser.close()
        self._meaning.close()
        if self._saving.join(SAVE_S) and not self._thread.is_alive():
            self._store.close()

    def near(self, paths: Sequence[str]) -> None:
        """Say which files the user is at: their chunks are compared by meaning first."""
        self._meaning.near(paths)

    def look(self, *, keep: bool = False) -> int:
        """Have the files looked at; return what `settled` waits for.

        Args:
            keep: Try at once whether a disk that was full is so still.
        """
        with self._news:
            self._asked += 1
            self._tries = self._tries or keep
            self._news.notify_all()
            return self._asked

    def settled(self, wanted: int, *, within_s: float, kept: bool = False) -> bool:
        """Wait until that look is over and all it found is in the index.

        Args:
            wanted: What `look` returned.
            within_s: So long at most; False when it passed.
            kept: And on disk, where there is room.
        """
        with self._news:
            self._news.wait_for(lambda: self._done >= wanted or self._over.is_set(), within_s)
            done = self._done >= wanted
        return done and (not kept or self._saving.kept(wanted, within_s=within_s))

    def filled(self, *, within_s: float) -> bool:
        """Wait until all that can be compared by meaning is; tell whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self._filled or self._over.is_set(), within_s)

    def settle(self, *, within_s: float, is_left: Callable[[], bool] = lambda: False) -> None:
        """Wait until the index is as the files are.

        Files that are watched are not looked at for that, unless it is quick.

        Args:
            within_s: So long at most.
            is_left: Tells, asked now and then, whether nobody waits any more.
        """
        until = time.monotonic() + within_s
        looks = not self._watch.works or self._tree.walk_s < QUICK_WALK_S
        wanted = self.look() if looks else 0

        def is_so() -> bool:
            there = self._done >= wanted if looks else not (self._touched or self._busy)
            return there or self._over.is_set()

        with self._news:
            while not self._news.wait_for(is_so, PATIENCE_S):
                if time.monotonic() > until or is_left():
                    return

    def ready(self, text: str, *, within_s: float) -> None:
        """Have what may answer a query read first; wait for it while the index was never complete.

        Args:
            text: The query as typed.
            within_s: So long at most.
        """
        until = time.monotonic() + within_s
        backlog, over = self._backlog, self._over
        with self._news:
            self._news.wait_for(lambda: self._done or backlog.files or over.is_set(), within_s)
        files = likely(list(backlog.files.values()), text) if backlog.files else []
        backlog.prefer(files)

        def is_read() -> bool:
            left = not files or any(backlog.files.get(file.path) is file for file in files)
            return bool(self._done or not left or over.is_set())

        with self._news:
            self._news.wait_for(is_read, max(0.0, until - time.monotonic()))

    def pending(self, text: str) -> list[SourceFile]:
        """Return files that are not in the index yet and may answer a query, the best first."""
        files = self._backlog.files
        return likely(list(files.values()), text, MOST_PENDING) if files else []

    def state(self) -> IndexState:
        """Say what the index holds."""
        rate, left_s = self._backlog.pace()
        return IndexState(
            files=len(self.index.files),
            chunks=len(self.index.chunks),
            pending=len(self._backlog.files),
            rate=rate,
            left_s=left_s,
            given_up=tuple(sorted(self._parser.given_up)),
            age_s=0.0 if self._watch.works else round(time.monotonic() - self._walked_at, 3),
            note=self._store.note or (CUT if self._tree.cut else self._meaning.note),
            vectors=self._meaning.state,
            vectors_pending=len(self._meaning.waiting),
            changes=self.index.changes,
        )

    def _changed(self, paths: Iterable[str] | None) -> None:
        """Take note of changed files, by absolute path; None: anything may have changed."""
        with self._news:
            if paths is None:
                self._asked += 1
            else:
                self._touched.update(paths)
            self._news.notify_all()

    def _run(self) -> None:
        while not self._over.is_set():
            with self._news:
                asked, touched = self._asked, self._touched
                idle = asked == self._done and not touched
                self._touched, self._busy = set(), not idle
            if idle:
                if not self._prepare() and not self._comparing.go_on() and not self._heard():
                    self._rest()
                continue
            quick = self._tree.walk_s < QUICK_WALK_S
            if asked > self._done or quick or not self._touch(touched):
                self._look()
                self._tell()
            self._take_in()
            if not (self._backlog.files or self._over.is_set()):
                self._watch.over(self._tree.folders)
            with self._news:
                self._filled = False
                self._done = max(self._done, asked)
                self._busy = False
                self._saving.whole(self._done)
                self._news.notify_all()
            self._comparing.index_changed()
            self._log_note()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()

    def _heard(self) -> bool:
        """Wait a while for something to do; tell whether there is."""
        with self._news:
            self._filled = not self._meaning.making
            self._news.notify_all()
            return self._news.wait_for(
                lambda: self._asked > self._done or bool(self._touched) or self._over.is_set(),
                REST_S,
            )

    def _prepare(self) -> bool:
        """Work out ahead what queries ask of files; tell whether there is more."""
        held = self.index.referenced
        left = [known for path, known in self.index.files.items() if path not in held]
        prepare(self.index, left[:PREPARED_FILES])  # what it looks at, this thread alone changes
        for known in left[:PREPARED_FILES]:
            kinds_of(known.file.path, (), {})
        return len(left) > PREPARED_FILES

    def _rest(self) -> None:
        self._parser.close()
        self._store.rest()
        if self._saving.opened.is_set():
            self._intake.prove(self._done)
        if self._store.behind and self._saving.opened.is_set() and self._store.recover():
            self._changed(None)
        self._log_note()
        waited = time.monotonic() - self._walked_at
        if not self._watch.works and waited > 10 * self._tree.walk_s:
            self._changed(None)

    def _log_note(self) -> None:
        """Have it known later, too, what the user was told: why a helper is done without."""
        note = self._store.note or self._meaning.note
        if note and note != self._noted:
            _log.warning("said: %s", note)
        self._noted = note

    def _touch(self, paths: set[str]) -> bool:
        """Look at known files alone; False where a look at all of them is called for."""
        by_place = {file.absolute: file for file in self._tree.known.values()}
        changed: dict[str, SourceFile] = {}
        for path in paths:
            file, stamp = by_place.get(path), stamp_of(path)
            if file is None or stamp is None or path.endswith(IGNORE_FILES):
                return False
            if stamp != file.stamp:
                changed[file.path] = SourceFile(file.path, file.absolute, stamp)
        self._tree.known.update(changed)
        self._backlog.add(changed.values())
        return True

    def _look(self) -> None:
        """Compare the index with the files."""
        files = self._tree.files()
        self._walked_at = time.monotonic()
        held = self.index.files
        lacks = self._catches_up()
        for path in [*(held.keys() - files.keys())]:
            with self.turn:
                self.index.remove(path)
        if self.index.chunks.wasteful:
            self.index.pack(self.turn)
        self._saving.keep_only(files)
        textless = self._intake.textless
        self._backlog.set(
            file
            for path, file in files.items()
            if textless.get(path) != file.stamp
            and (
                path not in held
                or held[path].file.stamp != file.stamp
                or (lacks and not self._store.has(file, held[path].key))
            )
        )

    def _catches_up(self) -> bool:
        """Tell whether the store takes again what it had no room for."""
        at_once, self._tries = self._tries, False
        if not self._saving.opened.is_set() or not self._store.behind:
            return False
        self._store.behind = not self._store.recover(at_once=at_once)
        return not self._store.behind

    def _take_in(self) -> None:
        """Take in what is pending: what the store knows from there, the rest from the files."""
        opened = self._saving.opened
        self._intake.begin()
        while self._backlog.files and not self._over.is_set():
            asked_store = opened.is_set()
            self._intake.recall()
            with closing(self._parser.read(self._backlog.take())) as reading:
                for file, key, digest, parts, plain in reading:
                    if plain:
                        _log.warning("a reader was ended: it hung at %r, or ended there", file.path)
                    if self._intake.put(file, key, digest) and digest is not None:
                        self._saving.add(file, key, parts)
                    self._tell()
                    self._heed()
                    if self._over.is_set() or asked_store != opened.is_set():
                        break  # by now the store may know the rest

    def _heed(self) -> None:
        """Put what was saved meanwhile before what is left to read."""
        now = time.monotonic()
        if not self._touched or now < self._heeded_at + HEED_S:
            return
        self._heeded_at = now
        with self._news:
            touched, self._touched = self._touched, set()
        if self._touch(touched):
            self._intake.recall()
        elif AT_MOST * (now - self._walked_at) > self._tree.walk_s:
            self._look()
            self._intake.recall()
        else:
            self._changed(touched)
