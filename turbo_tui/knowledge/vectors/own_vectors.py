"""The model's own vectors for the chunks of a small project, beside those of its static table.

They are made behind by the model's process, kept by content for all workspaces, and used as soon
as they are there. Nobody waits for them: a query that is not encoded in time is answered by the
static table, and by the model the next time.

They cost 550 MB of memory and 25 CPU-seconds per 1,000 chunks, and with weights fitted on the
table they gain nothing that 480 queries can show (decision 17). Hence off unless wanted.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Condition, Thread

import numpy as np

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.indexing.index import Indexed
from turbo_tui.knowledge.vectors.chunk_vectors import Vectors
from turbo_tui.knowledge.vectors.encoder import Encoder
from turbo_tui.knowledge.vectors.likelihood import Waiting
from turbo_tui.knowledge.vectors.reading import ChunkTexts
from turbo_tui.knowledge.vectors.static_table import Floats
from turbo_tui.knowledge.vectors.vector_file import VectorFile, hash_of

MOST_CHUNKS = 1500  # of a small project: half a minute of one processor
SHARE = 0.67  # of the model's own similarity in the mixture
AT_ONCE = 8  # chunks; a query waits for so many at most
QUERY_S = 0.05  # a query waits so long for its vector
KEPT_QUERIES = 200
IDLE_S = 60.0  # after which the model's process is ended
_FEWEST = 8  # chunks with both vectors, for a common scale


class OwnVectors:
    """Encodes chunks and queries in a thread of its own.

    Attributes:
        note: Why the model cannot be used; empty when it can.
    """

    def __init__(self, model: str, kept: Path, texts: ChunkTexts) -> None:
        """Begin with nothing to encode; the model is loaded when there is something.

        Args:
            model: As `[knowledge] model` names it.
            kept: File for the vectors of all workspaces.
            texts: Reads the chunks of a file.
        """
        self.note = ""
        self._encoder = Encoder(model)
        self._kept, self._texts = kept, texts
        self._news = Condition()  # guards all below
        self._files: dict[str, Indexed] = {}
        self._waiting = Waiting()
        self._known: dict[bytes, bytes] | None = None
        self._vectors: Vectors | None = None
        self._queries: OrderedDict[str, Floats] = OrderedDict()
        self._asked: list[str] = []
        self._busy = self._over = False
        self._loaded = False  # the model answers at once
        self._thread: Thread | None = None

    @property
    def complete(self) -> bool:
        """All chunks of the project have the model's own vectors."""
        with self._news:
            return bool(self._vectors and self._files and not self._waiting and not self._busy)

    def follow(self, files: Mapping[str, Indexed]) -> None:
        """Take in which files the index holds; of a large project none is encoded."""
        small = sum(len(each.chunks) for each in files.values()) <= MOST_CHUNKS
        with self._news:
            old = self._files
            self._files = dict(files) if small else {}
            changed = [path for path, each in self._files.items() if old.get(path) is not each]
            self._waiting.remove(old.keys() - self._files.keys())
            if self._vectors is not None:
                for path in old.keys() - self._files.keys() | {*changed} & old.keys():
                    self._vectors.drop(old[path].numbers)
            self._waiting.add(path for path in changed if self._files[path].chunks)
            self._wake()

    def mixed(self, static: Floats, text: str) -> Floats:
        """Return similarities in which the model's own have their share, on the same scale.

        Args:
            static: By chunk number, from the static table.
            text: The query.
        """
        query = self._encoded(text)
        with self._news:
            vectors = self._vectors
            if query is None or vectors is None:
                return static
            numbers = np.array([n for each in self._files.values() for n in each.numbers], np.intp)
            numbers = numbers[numbers < len(static)]
            numbers = numbers[vectors.has(numbers)]
            own = vectors.similarities_of(query, numbers)
        if len(numbers) < _FEWEST:
            return static
        beside = static[numbers]
        scaled = (own - own.mean()) / (own.std() + 1e-6) * beside.std() + beside.mean()
        mixed = static.copy()
        mixed[numbers] = (1 - SHARE) * beside + SHARE * scaled
        return mixed

    def close(self) -> None:
        """End the thread after what it is at, and the model's process."""
        with self._news:
            self._over = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._encoder.close()

    def _encoded(self, text: str) -> Floats | None:
        """Return a query's vector if it is there soon; else it will be, the next time."""
        with self._news:
            if not self._files or self.note:
                return None
            if text not in self._queries:
                self._asked = [*self._asked[-3:], text]  # older ones nobody waits for
                self._wake()
                if self._loaded and not self._busy:
                    self._news.wait_for(lambda: text in self._queries, QUERY_S)
            return self._queries.get(text)

    def _wake(self) -> None:
        if (self._asked or self._waiting) and not self.note and not self._over:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="own vectors", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def _run(self) -> None:
        used = time.monotonic()
        while True:
            with self._news:
                self._news.wait_for(lambda: self._over or self._asked or self._waiting, IDLE_S / 4)
                if self._over:
                    return
                asked, self._asked = self._asked, []
                path = None if asked else self._waiting.take()
                known = self._files.get(path) if path else None
                self._busy = known is not None
            try:
                if asked:
                    self._take_queries(asked)
                elif known is not None:
                    self._take_file(known)
                elif time.monotonic() - used > IDLE_S:
                    self._loaded = False
                    self._encoder.close()
            except WeightsError as error:
                with self._news:
                    self.note, self._busy = str(error), False
                return
            if asked or known is not None:
                used = time.monotonic()
            with self._news:
                self._busy = False
                self._news.notify_all()

    def _take_queries(self, asked: list[str]) -> None:
        rows = self._encoder.encode(asked).astype(np.float32)
        with self._news:
            self._loaded = True
            self._queries.update(zip(asked, rows, strict=True))
            while len(self._queries) > KEPT_QUERIES:
                self._queries.popitem(last=False)
            self._news.notify_all()

    def _take_file(self, known: Indexed) -> None:
        """Encode what is not known of a file's chunks, and queries in between."""
        texts = self._texts(known)
        if texts is None:
            return
        if self._vectors is None or self._known is None:
            self._open()
        vectors, kept = self._vectors, self._known
        if vectors is None or kept is None:
            return
        hashes = [hash_of(text) for text in texts]
        fresh = {key: text for key, text in zip(hashes, texts, strict=True) if key not in kept}
        for first in range(0, len(fresh), AT_ONCE):
            some = dict(list(fresh.items())[first : first + AT_ONCE])
            rows = Vectors(vectors.dimensions)
            rows.put(range(len(some)), self._encoder.encode([*some.values()]))
            packed = {key: rows.packed([at]) for at, key in enumerate(some)}
            VectorFile(self._kept, vectors.dimensions).add(packed)
            kept.update(packed)
            with self._news:
                asked, self._asked = self._asked, []
                if self._over:
                    return
            if asked:
                self._take_queries(asked)
        with self._news:
            if self._files.get(known.file.path) is known:
                vectors.unpack(known.numbers, b"".join(kept[key] for key in hashes))

    def _open(self) -> None:
        """Read what is kept; how wide a vector is, the model says."""
        width = self._encoder.encode(["width"]).shape[1]
        known = VectorFile(self._kept, width).read()
        with self._news:
            self._vectors, self._known, self._loaded = Vectors(width), known, True
