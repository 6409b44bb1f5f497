"""Has what is new in an index written to disk, in a thread of its own: opening takes seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Condition, Event, Thread

from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Row

BATCH_FILES = 256  # that are written at once
MOST_UNSAVED = 8 * BATCH_FILES  # digests
STUCK_S = 30.0
LOOK_S = 5.0  # without anything to write, between looks at whether a snapshot is wanted
AGAIN_S = 1.0  # after the process that writes was ended

Unsaved = tuple[SourceFile, str, Sequence[bytes]]  # its key, and its digest unless that is kept


class Saving:
    """What is to be written to a store, and the thread that does it.

    Attributes:
        opened: Whether the store was opened; before, nothing is known of what it holds.
    """

    def __init__(self, store: Store, over: Event) -> None:
        """Begin with nothing.

        Args:
            store: Opened at once where something lies there, else when there is something to write.
            over: Once it is set, what is there is written, and the thread ends.
        """
        self.opened = Event()
        self._store = store
        self._over = over
        self._news = Condition()
        self._unsaved: list[Unsaved] = []
        self._digests = 0  # in it
        self._gone: set[str] = set()
        self._vectors: list[tuple[str, Sequence[Row]]] = []
        self._look = self._look_kept = 0
        self._rounds = self._rounds_kept = 0
        self._thread = Thread(target=self._run, name="saving", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def add(self, file: SourceFile, key: str, parts: Sequence[bytes]) -> None:
        """Have a file written, when there is time; wait where too many digests are in memory.

        Args:
            file: The file.
            key: Names its content.
            parts: The digest of that, packed; none where it is on disk.
        """
        with self._news:
            self._unsaved.append((file, key, parts))
            if len(self._unsaved) == BATCH_FILES:
                self._news.notify_all()
            if parts:
                self._digests += 1
                self._news.wait_for(
                    lambda: self._digests < MOST_UNSAVED or self._over.is_set(), STUCK_S
                )

    def add_vectors(self, model: str, rows: Sequence[Row]) -> None:
        """Have the vectors of files written, when there is time; where they cannot, they are not.

        Args:
            model: Names them.
            rows: Of each file.
        """
        with self._news:
            self._vectors.append((model, rows))
            self._news.notify_all()

    def keep_only(self, paths: Iterable[str]) -> None:
        """Have all other files forgotten."""
        held = set(paths)
        with self._news:
            self._gone = set(self._store.files) - held

    def whole(self, look: int) -> None:
        """Have all written: a round of reading is over, and nothing of that look is missing."""
        with self._news:
            self._look = look
            self._rounds += 1
            self._news.notify_all()

    def kept(self, look: int, *, within_s: float) -> bool:
        """Wait until all that was found by a look is on disk, where there is room; tell whether."""
        with self._news:
            self._news.wait_for(lambda: self._look_kept >= look or self._over.is_set(), within_s)
            return self._look_kept >= look

    def stop(self) -> None:
        """Wake the thread: it is over."""
        with self._news:
            self._news.notify_all()

    def join(self, within_s: float) -> bool:
        """Wait for the thread to end; tell whether it did."""
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._store.exists:
            self._open()
        while True:
            with self._news:
                rests = not self._news.wait_for(self._is_to_save, LOOK_S)
                over, look, rounds = self._over.is_set(), self._look, self._rounds
                some, gone = self._unsaved[:BATCH_FILES], self._gone
                vectors = list(self._vectors)
            if rests:
                self._store.take_snapshot()
                continue
            if (some or gone or vectors) and not self._saved(some, gone):
                if over or self._over.wait(AGAIN_S):
                    return
                continue
            for model, rows in vectors:
                self._store.put_vectors(model, rows)
            with self._news:
                del self._unsaved[: len(some)]
                self._digests -= sum(bool(parts) for _, _, parts in some)
                self._gone = self._gone - gone
                del self._vectors[: len(vectors)]
                if not self._unsaved and not self._gone:
                    self._look_kept, self._rounds_kept = look, rounds
                    if over:
                        return
                self._news.notify_all()

    def _is_to_save(self) -> bool:
        whole = self._rounds_kept < self._rounds or self._over.is_set()
        return whole or bool(self._vectors) or len(self._unsaved) >= BATCH_FILES

    def _saved(self, some: list[Unsaved], gone: set[str]) -> bool:
        """Write; False where it is to be tried again. Without a disk it is left for later."""
        if not self.opened.is_set():  # so late: a first answer does not wait for it
            self._open()
        fresh = [each for each in some if not self._store.has(each[0], each[1])]
        left = [path for path in gone if path in self._store.files]
        contents = [(key, parts) for _, key, parts in fresh if parts]
        files = [(file, key) for file, key, _ in fresh]
        if not files and not left:
            return True
        kept = self._store.put(contents, files, left)
        return kept or not (self._store.usable or self._over.is_set())

    def _open(self) -> None:
        self._store.open()
        self.opened.set()
