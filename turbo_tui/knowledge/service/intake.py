"""How files come into an index other than by being read: their content was seen before.

First what an earlier worker left ready, before the store is open; then whatever the store knows by
its content, however that came to where it is: another branch, a move, a clone. What is taken in and
the store has otherwise is handed to `saving`; what is not known stays in the backlog, to be read.
"""

from __future__ import annotations

from contextlib import closing
from threading import Event, Lock

from turbo_tui.knowledge.indexing.digest import Digest, key_of
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.tree import SourceFile, Stamp, content_of
from turbo_tui.knowledge.service.backlog import Backlog
from turbo_tui.knowledge.service.saving import Saving
from turbo_tui.knowledge.storing.store import Store

FEW = 16  # files are parsed sooner than a store at rest is asked
MANY_FILES = 200  # that come from the store at once
MOST_BLOCKS = 50  # of such files, in which each term is looked for
WORTH = 0.5  # of a snapshot's files are as they were, or it is not taken


class Intake:
    """Takes files of a backlog into an index; used by the thread that keeps the index.

    Attributes:
        textless: Files that hold no text, by path, as they were then.
    """

    def __init__(
        self,
        index: Index,
        turn: Lock,
        backlog: Backlog,
        store: Store,
        *,
        saving: Saving,
        over: Event,
    ) -> None:
        """Begin.

        Args:
            index: Changed with `turn` held, for a millisecond or so.
            turn: Whoever looks at the index holds this.
            backlog: What is to be taken in.
            store: Knows contents.
            saving: Takes what the store does not have.
            over: Once it is set, nothing more is taken in.
        """
        self.textless: dict[str, Stamp] = {}
        self._index = index
        self._turn = turn
        self._backlog = backlog
        self._store = store
        self._saving = saving
        self._over = over
        self._begun = self._unproven = False  # with a snapshot; whose files the store may not have

    def put(self, file: SourceFile, key: str, digest: Digest | None) -> bool:
        """Take a file in; False where it went meanwhile, or what it is now was quicker."""
        if file.path not in self._backlog.files:
            return False
        with self._turn:
            if digest is None:
                self._index.remove(file.path)
                self.textless[file.path] = file.stamp
            else:
                self._index.add(file, key, digest)
            self._backlog.done(file)
        return True

    def begin(self) -> None:
        """Take in, once, what an earlier worker left ready, where the files are so still."""
        if self._begun:
            return
        self._begun = True
        for rows, gathered in self._store.snapshot():
            held = self._backlog.files
            wanted = [
                (held[path], key) if path in held and held[path].stamp == stamp else None
                for path, stamp, key in rows
            ]
            some = list(filter(None, wanted))
            if len(some) >= WORTH * len(wanted):
                self._unproven = True
                self._index.attach(wanted, gathered, self._turn)
                for file, _ in some:
                    self._backlog.done(file)
            if self._over.is_set():
                return

    def prove(self, look: int) -> None:
        """Find out, once all of a look is saved, whether the store has what `begin` took in."""
        if self._unproven and self._saving.kept(look, within_s=0):
            self._unproven = False
            held = list(self._index.files.values())
            self._store.compare((known.file, known.key) for known in held)

    def recall(self) -> None:
        """Take in files whose content the store has, however it came there."""
        if not self._store.keys or not self._saving.opened.is_set():
            return
        wanted: dict[str, list[SourceFile]] = {}
        for file in self._backlog.unasked(FEW):
            key = self._key_of(file)
            if key in self._store.keys:
                wanted.setdefault(key, []).append(file)
            if self._over.is_set():
                return
        taken: list[tuple[SourceFile, str]] = []
        if sum(map(len, wanted.values())) >= MANY_FILES and self._index.chunks.blocks < MOST_BLOCKS:
            taken += self._recall_all(wanted)
        with closing(self._store.get(list(wanted))) as found:
            for key, digest in found:
                taken += [(file, key) for file in wanted[key] if self.put(file, key, digest)]
                if self._over.is_set():
                    break
        # Not before: who saves waits for the store, which we held; and we may wait for who saves.
        for file, key in taken:
            if not self._store.has(file, key):
                self._saving.add(file, key, ())

    def _recall_all(self, wanted: dict[str, list[SourceFile]]) -> list[tuple[SourceFile, str]]:
        """Take in as many of the files as the store gives at once; leave the rest in `wanted`."""
        taken: list[tuple[SourceFile, str]] = []
        files = [(file, key) for key, several in wanted.items() for file in several]
        with closing(self._store.gather([(file.path, key) for file, key in files])) as found:
            for which, gathered in found:
                some = [files[at] for at in which]
                self._index.attach(some, gathered, self._turn)
                for file, key in some:
                    self._backlog.done(file)
                    wanted.pop(key, None)
                taken += some
                if self._over.is_set():
                    break
        return taken

    def _key_of(self, file: SourceFile) -> str:
        stamp, key = self._store.files.get(file.path, (None, ""))
        if stamp != file.stamp:
            content = content_of(file.absolute)
            key = key_of(file.path, content) if content is not None else ""
        return key
