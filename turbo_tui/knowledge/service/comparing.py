"""Has the chunks of an index compared by meaning, a slice at a time, and keeps their vectors."""

from __future__ import annotations

from contextlib import closing
from threading import Lock

from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.service.saving import BATCH_FILES, Saving
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning, Row

SLICE_S = 0.1  # between looks at what else there is to do


class Comparing:
    """Brings what chunks mean up to an index; used by the thread that keeps the index."""

    def __init__(
        self, meaning: Meaning, index: Index, turn: Lock, store: Store, saving: Saving
    ) -> None:
        """Begin.

        Args:
            meaning: Changed with `turn` held.
            index: What is compared.
            turn: Whoever looks at the index holds this.
            store: Kept vectors, if anything lies there.
            saving: Opens it, and has vectors written.
        """
        self._meaning = meaning
        self._index = index
        self._turn = turn
        self._store = store
        self._unsaved: list[Row] = []
        self._saving = saving
        self._recalled = not store.exists
        self._followed = False

    def index_changed(self) -> None:
        """Have the index followed before more is compared."""
        self._followed = False

    def go_on(self) -> bool:
        """Have some chunks compared; tell whether there are more."""
        meaning = self._meaning
        if not meaning.open():
            return False
        if not self._followed:
            meaning.follow(self._index)
            self._followed = True
        if meaning.waiting and not self._recalled:
            if not self._saving.opened.wait(SLICE_S):
                return True
            self._recalled = True
            with closing(self._store.vectors(meaning.name)) as rows:
                meaning.recall(rows, self._turn)
        if meaning.waiting:
            self._unsaved += meaning.fill(self._turn, within_s=SLICE_S)
        if len(self._unsaved) >= BATCH_FILES or (self._unsaved and not meaning.waiting):
            self._saving.add_vectors(meaning.name, self._unsaved)
            self._unsaved = []
        return bool(meaning.waiting)
