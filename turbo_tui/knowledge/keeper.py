"""Keeps an index as the files are: in a thread of its own, while queries are answered.

Everything that changes the index happens file by file with `turn` held, for a millisecond or so.
Files come from the store where their content was seen before, else from the processes that read
them; what is new is handed to the store some files at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Condition, Event, Lock, Thread

from turbo_tui.core.searching import IndexState
from turbo_tui.knowledge.digest import Digest, key_of
from turbo_tui.knowledge.finding import Finder
from turbo_tui.knowledge.index import Index
from turbo_tui.knowledge.meaning import Meaning, Row
from turbo_tui.knowledge.parser import Parser
from turbo_tui.knowledge.store import Store
from turbo_tui.knowledge.tree import SourceFile, SourceTree, Stamp, content_of, stamp_of
from turbo_tui.knowledge.watching import Watch

BATCH_FILES = 256  # that are written to the store at once
QUICK_WALK_S = 0.25  # a tree that is walked so quickly is walked whenever somebody asks
SLICE_S = 0.1  # of comparing by meaning, between looks at what else there is to do
REST_S = 5.0  # without work, after which the processes that read files are ended
IGNORE_FILES = ("/.gitignore", "/.turbo/ignore")


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
        self._vectors: list[Row] = []  # that are not in the store yet
        self._recalled = self._followed = False
        self.turn = Lock()
        self._root = root
        self._tree = SourceTree(root, notes)
        self._parser = Parser()
        self._store = store
        self._pending: dict[str, SourceFile] = {}
        self._no_text: dict[str, Stamp] = {}
        self._unsaved: list[tuple[SourceFile, str, Sequence[bytes]]] = []
        self._gone: list[str] = []
        self._news = Condition()
        self._touched: set[str] = set()
        self._asked = 1
        self._done = 0
        self._over = Event()
        self._walked_at = 0.0
        self._began = 0.0
        self._began_with = 0
        self._opened = False
        self._filled = False
        self._watch = Watch(self._changed)
        self._thread = Thread(target=self._run, name="keeper")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once the file at hand is done; what is unsaved is saved."""
        self._over.set()
        with self._news:
            self._news.notify_all()
        self._watch.stop()
        self._thread.join()
        self._parser.close()
        self._meaning.close()
        self._store.close()

    def look(self) -> int:
        """Have the files looked at; return what `settled` waits for."""
        with self._news:
            self._asked += 1
            self._news.notify_all()
            return self._asked

    def settled(self, wanted: int, *, within_s: float) -> bool:
        """Wait until that look is over and all it found is in the index and on disk.

        Args:
            wanted: What `look` returned.
            within_s: So long at most; False when it passed.
        """
        until = time.monotonic() + within_s
        with self._news:
            while self._done < wanted:
                left = until - time.monotonic()
                if left <= 0 or self._over.is_set():
                    return False
                self._news.wait(left)
        return True

    def filled(self, *, within_s: float) -> bool:
        """Wait until all that can be compared by meaning is; tell whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self._filled or self._over.is_set(), within_s)

    def settle(self, *, within_s: float) -> bool:
        """Wait until the index is as the files are; tell whether it is.

        Files that are watched are not looked at for that, unless it is quick.
        """
        if not self._watch.works or self._tree.walk_s < QUICK_WALK_S:
            return self.settled(self.look(), within_s=within_s)
        with self._news:
            self._news.wait_for(lambda: not self._touched or self._over.is_set(), within_s)
            wanted = self._asked
        return self.settled(wanted, within_s=within_s)

    def first_look(self, *, within_s: float) -> None:
        """Wait until the index was complete once; afterwards, it is nearly so."""
        self.settled(1, within_s=within_s)

    def pending(self) -> list[SourceFile]:
        """Return files that are not in the index yet."""
        return list(self._pending.values())

    def state(self) -> IndexState:
        """Say what the index holds."""
        pending = len(self._pending)
        spent = time.monotonic() - self._began
        done = self._began_with - pending
        rate = done / spent if pending and done > 0 and spent > 0 else 0.0
        return IndexState(
            files=len(self.index.files),
            chunks=len(self.index.chunks),
            pending=pending,
            rate=round(rate, 1),
            left_s=round(pending / rate, 1) if rate else None,
            given_up=tuple(sorted(self._parser.given_up)),
            age_s=0.0 if self._watch.works else round(time.monotonic() - self._walked_at, 3),
            note=self._store.note or self._meaning.note,
            vectors=self._meaning.state,
            vectors_pending=len(self._meaning.waiting),
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
        if self._store.exists:
            self._open()
        while not self._over.is_set():
            with self._news:
                asked, touched = self._asked, self._touched
                idle = asked == self._done and not touched
                self._touched = set()
            if idle:
                if not self._compare() and not self._heard():
                    self._rest()
                continue
            if asked > self._done or not self._touch(touched):
                self._look()
            self._take_in()
            if not self._pending:
                self._watch.over(self._tree.folders)
            if not self._over.is_set():
                self._save(everything=True)
            with self._news:
                self._filled = self._followed = False
                self._done = max(self._done, asked)
                self._news.notify_all()
        self._save(everything=True)

    def _heard(self) -> bool:
        """Wait a while for something to do; tell whether there is."""
        with self._news:
            self._filled = not self._meaning.making
            self._news.notify_all()
            return self._news.wait_for(
                lambda: self._asked > self._done or bool(self._touched) or self._over.is_set(),
                REST_S,
            )

    def _compare(self) -> bool:
        """Have some chunks compared by meaning; tell whether there are more."""
        meaning = self._meaning
        if not meaning.open():
            return False
        if not self._followed:
            meaning.follow(self.index)
            self._followed = True
        if not self._recalled:
            self._recalled = True
            with closing(self._store.vectors(meaning.name)) as rows:
                meaning.recall(rows, self.turn)
        if meaning.waiting:
            self._vectors += meaning.fill(self.turn, within_s=SLICE_S)
        if len(self._vectors) >= BATCH_FILES or (self._vectors and not meaning.waiting):
            self._store.put_vectors(meaning.name, self._vectors)
            self._vectors = []
        return bool(meaning.waiting)

    def _open(self) -> None:
        self._opened = True
        self._store.open()

    def _rest(self) -> None:
        self._parser.close()
        self._store.rest()
        waited = time.monotonic() - self._walked_at
        if not self._watch.works and waited > 10 * self._tree.walk_s:
            self._changed(None)

    def _touch(self, paths: set[str]) -> bool:
        """Look at known files alone; False where a look at all of them is called for."""
        if self._tree.walk_s < QUICK_WALK_S:
            return False
        by_place = {file.absolute: file for file in self._tree.known.values()}
        changed: dict[str, SourceFile] = {}
        for path in paths:
            file, stamp = by_place.get(path), stamp_of(path)
            if file is None or stamp is None or path.endswith(IGNORE_FILES):
                return False
            if stamp != file.stamp:
                changed[file.path] = SourceFile(file.path, file.absolute, stamp)
        self._tree.known.update(changed)
        self._begin(changed)
        return True

    def _look(self) -> None:
        """Compare the index with the files."""
        files = self._tree.files()
        self._walked_at = time.monotonic()
        held = self.index.files
        for path in [*(held.keys() - files.keys())]:
            with self.turn:
                self.index.remove(path)
        if self.index.chunks.wasteful:
            self.index.pack(self.turn)
        self._gone = [path for path in self._store.files if path not in files]
        self._begin(
            {
                path: file
                for path, file in files.items()
                if path not in held or held[path].file.stamp != file.stamp
            }
        )

    def _begin(self, changed: dict[str, SourceFile]) -> None:
        known = self._no_text
        self._pending = {
            path: file for path, file in changed.items() if known.get(path) != file.stamp
        }
        self._began, self._began_with = time.monotonic(), len(self._pending)

    def _take_in(self) -> None:
        """Take in what is pending: first what the store knows, then the rest."""
        if self._store.keys:
            self._recall()
        with closing(self._parser.read(list(self._pending.values()))) as reading:
            for file, key, digest, parts, _ in reading:
                self._put(file, key, digest)
                if digest is not None:
                    self._unsaved.append((file, key, parts))
                self._save()
                if self._over.is_set():
                    return

    def _recall(self) -> None:
        """Take in files whose content the store has, however it came there."""
        wanted: dict[str, list[SourceFile]] = {}
        for file in list(self._pending.values()):
            stamp, key = self._store.files.get(file.path, (None, ""))
            if stamp != file.stamp:
                content = content_of(file.absolute)
                key = key_of(file.path, content) if content is not None else ""
            if key in self._store.keys:
                wanted.setdefault(key, []).append(file)
            if self._over.is_set():
                return
        with closing(self._store.get(list(wanted))) as found:
            for key, digest in found:
                for file in wanted[key]:
                    self._put(file, key, digest)
                    if self._store.files.get(file.path) != (file.stamp, key):
                        self._unsaved.append((file, key, ()))
                if self._over.is_set():
                    return

    def _put(self, file: SourceFile, key: str, digest: Digest | None) -> None:
        with self.turn:
            if digest is None:
                self.index.remove(file.path)
                self._no_text[file.path] = file.stamp
            else:
                self.index.add(file, key, digest)
            self._pending.pop(file.path, None)

    def _save(self, *, everything: bool = False) -> None:
        """Hand what is new to the store, now and then or at the end."""
        if not self._unsaved and not self._gone:
            return
        if not everything and len(self._unsaved) < BATCH_FILES:
            return
        if not self._opened:  # so late: a first answer does not wait for an empty store
            self._open()
        while self._unsaved or self._gone:
            some = self._unsaved[:BATCH_FILES]
            contents = [(key, parts) for _, key, parts in some if parts]
            files = [(file, key) for file, key, _ in some]
            saved = self._store.put(contents, files, self._gone)
            if not saved and self._store.usable:
                return  # its helper was ended: once more, the next time
            del self._unsaved[: len(some)]
            self._gone = []
