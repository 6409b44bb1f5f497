"""What chunks mean, beside an index that knows their words: vectors that fill in behind.

    meaning.open()                      # now and then: reads the table, or has it made
    meaning.follow(index)               # after files changed
    meaning.fill(turn, within_s=0.1)    # while there is nothing better to do
    meaning.similarities(index, "parse a line")

All but `similarities`, `similar` and `near` are called by one thread, which keeps the index;
`turn` is what queries hold.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, Literal

import numpy as np

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.indexing.index import Index, Indexed
from turbo_tui.knowledge.indexing.postings import Postings
from turbo_tui.knowledge.vectors.chunk_vectors import Vectors
from turbo_tui.knowledge.vectors.likelihood import Waiting
from turbo_tui.knowledge.vectors.own_vectors import OwnVectors
from turbo_tui.knowledge.vectors.reading import chunk_texts
from turbo_tui.knowledge.vectors.static_table import Floats, StaticTable, read
from turbo_tui.knowledge.vectors.weights import find, table_folder

State = Literal["none", "static", "full"]
Row = tuple[str, str, bytes]  # a file's path, the key of its content, the vectors of its chunks
MAKING = "search by meaning is being prepared; until then words and structure answer"
_CHUNKS_AT_ONCE = 64
_MAKE_TABLE = (sys.executable, "-I", "-m", "turbo_tui.knowledge.vectors.model_process", "table")


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    numbers: range


class Meaning:
    """Vectors of an index's chunks by the static table of a model.

    Attributes:
        note: Why nothing can be compared by meaning, or not yet; empty when all is well.
        waiting: Files that still lack vectors, the likeliest first.
    """

    def __init__(
        self,
        models: Path,
        model: str,
        key_of: Callable[[str, bytes], str],
        *,
        make: bool = True,
        own_vectors: bool = False,
    ) -> None:
        """Begin with no table and no chunks.

        Args:
            models: The folder of all tables, such as `~/.cache/turbo-tui/models`.
            model: As `[knowledge] model` names it; nothing means that none is wanted.
            key_of: Names a path's content, as the index does.
            make: Have the table made if there is none; takes some 40 CPU-seconds, behind.
            own_vectors: Have a small project's chunks encoded by the model itself as well.
        """
        self.note = ""
        self.waiting = Waiting()
        self._models, self._model = models, model
        self._texts = partial(chunk_texts, key_of=key_of)
        self._make = make
        self._maker: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._table: StaticTable | None = None
        self._vectors: Vectors | None = None
        self._known: dict[str, _Known] = {}
        self._files: dict[str, Indexed] = {}
        self._postings: Postings | None = None  # what the numbers belong to
        self._own: OwnVectors | None = None
        if own_vectors and self.name:
            kept = models / f"{self.name}.vectors"
            self._own = OwnVectors(model, kept, self._texts)

    @property
    def state(self) -> State:
        """What chunks are compared by."""
        if self._vectors is None:
            return "none"
        return "full" if self._own is not None and self._own.complete else "static"

    @property
    def making(self) -> bool:
        """Whether the table is being made."""
        return self._maker is not None

    @property
    def name(self) -> str:
        """Name the vectors: those of another name do not fit."""
        with contextlib.suppress(WeightsError):
            return table_folder(self._models, self._model).name
        return ""

    def open(self) -> bool:
        """Read the table, or have it made; tell whether it is there now. Never waits."""
        if self._table is not None or not self._model:
            return self._table is not None
        if self._maker is not None and not self._is_made():
            return False
        try:
            folder = table_folder(self._models, self._model)
            self._table = read(folder)
            if self._table is None and self._make:
                self._start_making()
        except WeightsError as error:
            self.note = str(error)
        if self._table is not None:
            self.note = ""
            self._vectors = Vectors(self._table.dimensions)
            self.waiting.add(self._files)
        return self._table is not None

    def near(self, recent: Sequence[str]) -> None:
        """Say which files the user is at, the newest first: these and their neighbours are next.

        Any thread may.
        """
        if recent:
            self.waiting.near(recent)

    def follow(self, index: Index) -> None:
        """Take in which files the index holds, and under which numbers."""
        files = dict(index.files)
        fresh = {path: _Known(each.key, each.numbers) for path, each in files.items()}
        old = self._known
        changed = [path for path, each in fresh.items() if path not in old or old[path] != each]
        gone = old.keys() - fresh.keys()
        self._files = files
        self.waiting.remove(gone)
        if self._vectors is not None:
            if self._postings is not None and self._postings is not index.chunks:
                self._renumber(fresh)
                changed = [path for path in changed if not self._has(fresh[path])]
            else:
                for path in gone.union(changed) & old.keys():
                    self._vectors.drop(old[path].numbers)
        self.waiting.add(path for path in changed if fresh[path].numbers)
        self._known = fresh
        if self._own is not None:
            self._own.follow(files)
            self.note = self.note or self._own.note
        self._postings = index.chunks

    def recall(self, rows: Iterable[Row], turn: Lock) -> None:
        """Take in vectors that were kept, of files whose content is still the same."""
        if self._vectors is None:
            return
        for path, key, packed in rows:
            known = self._known.get(path)
            if known is not None and known.key == key:
                with turn:
                    fits = self._vectors.unpack(known.numbers, packed)
                if fits:
                    self.waiting.remove((path,))

    def fill(self, turn: Lock, *, within_s: float) -> list[Row]:
        """Embed files for so long, one batch at least; return their vectors, to be kept."""
        if self._table is None or self._vectors is None:
            return []
        until = time.monotonic() + within_s
        rows: list[Row] = []
        while True:
            places, texts = self._batch()
            vectors = self._table.embed(texts)
            numbers = [number for each in places for number in self._known[each].numbers]
            with turn:
                self._vectors.put(numbers, vectors)
            for path in places:
                known = self._known[path]
                rows.append((path, known.key, self._vectors.packed(known.numbers)))
            if not self.waiting or time.monotonic() >= until:
                return rows

    def similarities(self, index: Index, text: str) -> Floats | None:
        """Compare a query with all chunks.

        Returns:
            Cosines by chunk number, shape (index.chunks.numbers,), 0 where there is no vector
            yet; None where nothing can be compared.
        """
        if self._table is None or self._vectors is None or self._postings is not index.chunks:
            return None
        query = self._table.embed([text])[0]
        if not query.any():
            return None
        found = self._vectors.similarities(query, index.chunks.numbers)
        return self._own.mixed(found, text) if self._own is not None else found

    def similar(self, index: Index, number: int) -> Floats | None:
        """Compare a chunk with all chunks, as `similarities`."""
        if self._vectors is None or self._postings is not index.chunks:
            return None
        return self._vectors.similar(number, index.chunks.numbers)

    def close(self) -> None:
        """End what was started."""
        if self._maker is not None:
            self._maker.kill()
            self._maker.wait()
            self._ended()
        if self._own is not None:
            self._own.close()

    def _batch(self) -> tuple[list[str], list[str]]:
        """Take the next files, as many as make a batch, and their chunks' texts."""
        paths: list[str] = []
        texts: list[str] = []
        while len(texts) < _CHUNKS_AT_ONCE and (path := self.waiting.take()) is not None:
            own = self._texts(self._files[path])
            if own is not None:
                paths.append(path)
                texts += own
        return paths, texts

    def _has(self, known: _Known) -> bool:
        return self._vectors is not None and bool(self._vectors.has(known.numbers).all())

    def _renumber(self, fresh: dict[str, _Known]) -> None:
        """Move vectors to the numbers that files have after the index was packed."""
        pairs = [
            (self._known[path].numbers, each.numbers)
            for path, each in fresh.items()
            if path in self._known and self._known[path].key == each.key
        ]
        old = np.array([number for before, _ in pairs for number in before], np.intp)
        new = np.array([number for _, after in pairs for number in after], np.intp)
        if self._vectors is not None:
            self._vectors = self._vectors.renumbered(old, new)

    def _start_making(self) -> None:
        find(self._model)  # says at once what is missing
        self._models.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  read when it has ended
        self._maker = subprocess.Popen(
            (*_MAKE_TABLE, self._model, os.fspath(self._models)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )
        self.note = MAKING

    def _is_made(self) -> bool:
        """Tell whether the process that makes the table has ended well."""
        code = self._maker.poll() if self._maker is not None else None
        if code is None:
            return False
        said = self._ended()
        if code:
            self._make = False  # once is enough: the reason stays the same
            self.note = said or f"Making the table of word vectors ended with code {code}."
        return not code

    def _ended(self) -> str:
        """Leave the process that made the table; return the last line that it wrote."""
        said, self._maker, self._said = self._said, None, None
        if said is None:
            return ""
        with said:
            said.seek(0)
            return "".join(said.read().decode("utf-8", "replace").strip().splitlines()[-1:])
