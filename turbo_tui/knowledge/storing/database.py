"""Keep the index on disk in LanceDB: a process of its own, which alone imports it.

Two tables, to which rows are only ever added, so there is no moment at which a file is gone
between its old rows and its new ones:

- `contents`: a row for each content, by the hash of it: symbols, terms, postings of its chunks.
- `files`: a row each time a file came, changed or went, written after its content; the newest
  `turn` of a path counts. What it names and is not there is read again from the file.

`vectors` holds those of a file's chunks by model, path and content. Old versions and rows that
no file needs are cleared away here and nowhere else.
"""
# pyarrow and LanceDB say little of their types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import lancedb
import pyarrow as pa

from turbo_tui.knowledge.storing import snapshot
from turbo_tui.knowledge.storing.family import VERSION_FILE
from turbo_tui.knowledge.storing.frames import Head, receive, send

if TYPE_CHECKING:
    from lancedb.table import LanceTable

    from turbo_tui.knowledge.indexing.gathered import Gathered

NICE = 10
PARTS = ("symbols", "terms", "sizes", "words", "lengths")
CONTENTS = pa.schema([("key", pa.string()), *((part, pa.large_binary()) for part in PARTS)])
FILES = pa.schema(
    [
        *(("path", pa.string()), ("mtime_ns", pa.int64()), ("bytes", pa.int64())),
        *(("inode", pa.int64()), ("key", pa.string()), ("turn", pa.int64())),
    ]
)
VECTORS = pa.schema(
    [
        ("model", pa.string()),
        ("path", pa.string()),
        ("key", pa.string()),
        ("rows", pa.large_binary()),
    ]
)
TABLES = {"contents": CONTENTS, "files": FILES, "vectors": VECTORS}
LENGTHS = PARTS.index("lengths")
BATCH_ROWS = 256
GATHERED_CHUNKS = 100_000  # at once: some 500 MB while they are brought together
MOST_ROWS = 2**31 - 1
FEW = 200  # keys that are asked for by name; more are found by reading all
VERSIONS = 40  # after so many additions the table is packed

_BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError)


class OtherVersionError(Exception):
    """What lies there was made by another version."""


def _is_full(error: BaseException) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in full or any(
        words in str(error).lower() for words in ("no space left", "quota exceeded", "os error 28")
    )


def quoted(words: Sequence[str]) -> str:
    """Write words as a list of SQL strings."""
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


def as_text(path: str) -> str:
    """Write a path as Arrow takes it: a file's name need not be UTF-8."""
    return path if path.isprintable() and path[:1] != "\\" else f"\\{json.dumps(path)}"


def as_path(text: str) -> str:
    """Read what `as_text` wrote."""
    return cast("str", json.loads(text[1:])) if text[:1] == "\\" else text


@dataclass(slots=True)
class Database:
    """The tables of one workspace."""

    folder: Path
    turn: int = 0
    added: int = 0
    tidied: int = 0  # when so many were added: each time all is written, so it comes ever rarer
    tables: dict[str, LanceTable] = field(default_factory=dict[str, "LanceTable"])

    def open(self, version: str) -> tuple[dict[str, Row], list[str]]:
        """Return the newest row of each file, and the keys of all contents.

        Raises:
            OtherVersionError: It was made by another version.
        """
        said = self.folder / VERSION_FILE
        if said.exists() and json.loads(said.read_text(encoding="ascii")) != version:
            raise OtherVersionError
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = lancedb.connect(self.folder / "tables")
        for name, schema in TABLES.items():
            table = connection.create_table(name, schema=schema, exist_ok=True)
            self.tables[name] = cast("LanceTable", table)
        # Last: tables without it are whatever was left by a start that did not come this far.
        if not said.exists():
            fresh = said.with_suffix(".new")
            fresh.write_text(json.dumps(version), encoding="ascii")
            fresh.replace(said)
        keys = [
            key
            for batch in self._batches("contents", ["key"])
            for key in cast("list[str]", batch.column(0).to_pylist())
        ]
        return self.files(), keys

    def files(self) -> dict[str, Row]:
        """Return the newest row of each file that is there."""
        newest: dict[str, tuple[int, Row]] = {}
        names = [each.name for each in FILES]
        for batch in self._batches("files", names):
            columns = [batch.column(name).to_pylist() for name in names]
            for path, mtime_ns, size, inode, key, turn in zip(*columns, strict=True):
                if path not in newest or newest[path][0] < turn:
                    newest[path] = turn, (path, mtime_ns, size, inode, key)
                self.turn = max(self.turn, turn)
        rows = ((as_path(text), row) for text, (_, row) in newest.items() if row[-1])
        return {path: (path, *row[1:]) for path, row in rows}

    def put(self, contents: list[tuple[str, list[bytes]]], rows: list[Row]) -> None:
        """Add contents, then what files hold them; files without a key are gone."""
        if contents:
            columns: dict[str, list[object]] = {"key": [key for key, _ in contents]}
            for at, name in enumerate(PARTS):
                columns[name] = [parts[at] for _, parts in contents]
            self.tables["contents"].add(pa.table(columns, schema=CONTENTS))
        if rows:
            self.turn += 1
            self.tables["files"].add(self._file_rows(rows))
        self.added += 1
        if self.added >= self.tidied + max(VERSIONS, self.tidied // 2):
            self.tidy()
            self.tidied = self.added

    def _file_rows(self, rows: Sequence[Row]) -> pa.Table:
        names = [each.name for each in FILES][:-1]
        columns: dict[str, list[object]] = {
            name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
        } or {name: [] for name in names}
        columns["path"] = [as_text(row[0]) for row in rows]
        columns["turn"] = [self.turn] * len(rows)
        return pa.table(columns, schema=FILES)

    def contents(self, keys: Sequence[str]) -> Iterator[list[tuple[str, list[bytes]]]]:
        """Yield contents, some at a time; a key that is not there is passed over."""
        where = f"key IN ({quoted(keys)})" if len(keys) <= FEW else None
        wanted = set(keys)
        for batch in self._batches("contents", ["key", *PARTS], where):
            found: list[tuple[str, list[bytes]]] = []
            columns = [batch.column(at) for at in range(batch.num_columns)]
            for row, key in enumerate(cast("list[str]", columns[0].to_pylist())):
                if key in wanted:
                    wanted.remove(key)
                    found.append((key, [cast("bytes", col[row].as_py()) for col in columns[1:]]))
            if found:
                yield found

    def put_vectors(self, model: str, rows: Sequence[tuple[str, str, bytes]]) -> None:
        """Add the vectors of files: path, key of the content, bytes."""
        paths, keys, vectors = zip(*rows, strict=True)
        texts = [as_text(path) for path in paths]
        columns = {"model": [model] * len(rows), "path": texts, "key": keys, "rows": vectors}
        self.tables["vectors"].add(pa.table(columns, schema=VECTORS))
        self.added += 1

    def vectors(self, model: str) -> Iterator[list[tuple[str, str, bytes]]]:
        """Yield the vectors of a model."""
        where = f"model IN ({quoted([model])})"
        for batch in self._batches("vectors", ["path", "key", "rows"], where):
            texts, *others = (batch.column(at).to_pylist() for at in range(3))
            yield list(zip(map(as_path, texts), *others, strict=True))

    def borrow(self, other: Path) -> list[str]:
        """Take over the contents and vectors of a clone's store; return the keys."""
        connection = lancedb.connect(other / "tables")
        keys: list[str] = []
        for name in ("contents", "vectors"):
            source = cast("LanceTable", connection.open_table(name))
            for batch in source.search().limit(MOST_ROWS).to_batches(batch_size=8 * BATCH_ROWS):
                if batch.num_rows:
                    rows = pa.Table.from_batches([batch]).select(TABLES[name].names)
                    self.tables[name].add(rows.cast(TABLES[name]))
                    if name == "contents":
                        keys += cast("list[str]", batch.column("key").to_pylist())
        return keys

    def tidy(self) -> None:
        """Write tables of many pieces as one; forget what no file needs any more."""
        rows = self.files()
        if self.tables["files"].count_rows() > 2 * len(rows) + 1000:
            self.turn += 1
            self.tables["files"].add(self._file_rows(list(rows.values())), mode="overwrite")
        self._forget({row[-1] for row in rows.values()})
        for table in self.tables.values():
            table.optimize(cleanup_older_than=timedelta(0))

    def _forget(self, needed: set[str]) -> None:
        """Drop contents that no file has, once they are more than those that some file has.

        Until then they are kept: another branch may bring them back.
        """
        held = [
            key
            for batch in self._batches("contents", ["key"])
            for key in cast("list[str]", batch.column(0).to_pylist())
        ]
        dead = [key for key in held if key not in needed]
        if len(dead) > len(needed) + 1000:
            for first in range(0, len(dead), 2000):
                some = quoted(dead[first : first + 2000])
                self.tables["contents"].delete(f"key IN ({some})")
                self.tables["vectors"].delete(f"key IN ({some})")

    def _batches(
        self, name: str, columns: list[str], where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        query = self.tables[name].search().select(columns)
        if where:
            query = query.where(where)
        # A query without a limit returns ten rows.
        yield from query.limit(MOST_ROWS).to_batches(batch_size=BATCH_ROWS)


Row = tuple[str, int, int, int, str]  # path, mtime in ns, bytes, inode, key of the content


def serve(folder: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more; the answer to one that failed says so."""
    database = Database(folder)
    with contextlib.suppress(EOFError):
        while True:
            head, parts = receive(requests)
            try:
                _answer(database, head, parts, answers)
            except OtherVersionError:
                send(answers, {"error": "version"})
            except _BROKEN as error:
                send(answers, {"error": "full" if _is_full(error) else "broken", "why": str(error)})


def _answer(database: Database, head: Head, parts: list[bytes], answers: BinaryIO) -> None:
    match head["do"]:
        case "open":
            files, keys = database.open(str(head["version"]))
            send(answers, {"files": list(files.values()), "keys": keys})
        case "borrow":
            send(answers, {"keys": database.borrow(Path(str(head["folder"])))})
        case "wipe":
            database.tables.clear()
            snapshot.remove(database.folder)
            shutil.rmtree(database.folder / "tables", ignore_errors=True)
            (database.folder / VERSION_FILE).unlink(missing_ok=True)
            send(answers, {})
        case "put":
            keys = cast("list[str]", head["keys"])
            each = len(PARTS)
            contents = [(key, parts[at * each : (at + 1) * each]) for at, key in enumerate(keys)]
            rows = [cast("Row", tuple(row)) for row in cast("list[list[object]]", head["rows"])]
            database.put(contents, rows)
            send(answers, {})
        case "gather" | "get" | "get_vectors":
            _give(database, head, answers)
        case "snapshot":
            _take_snapshot(database, str(head["version"]))
            send(answers, {})
        case "put_vectors":
            places = cast("list[tuple[str, str]]", head["places"])
            rows_of = [(path, key, part) for (path, key), part in zip(places, parts, strict=True)]
            database.put_vectors(str(head["model"]), rows_of)
            send(answers, {})
        case _:
            database.tidy()
            send(answers, {})


def _give(database: Database, head: Head, answers: BinaryIO) -> None:
    """Answer in several messages; the last one is empty."""
    match head["do"]:
        case "gather":
            files = cast("list[tuple[str, str]]", head["files"])
            for which, gathered in _gathered(database, files):
                send(answers, {"files": which}, gathered.packed())
            send(answers, {"files": []})
        case "get":
            for found in database.contents(cast("list[str]", head["keys"])):
                send(
                    answers,
                    {"keys": [key for key, _ in found]},
                    [part for _, held in found for part in held],
                )
            send(answers, {"keys": []})
        case _:
            for found in database.vectors(str(head["model"])):
                places = [(path, key) for path, key, _ in found]
                send(answers, {"places": places}, [rows for _, _, rows in found])
            send(answers, {"places": []})


def _gathered(
    database: Database, files: Sequence[tuple[str, str]]
) -> Iterator[tuple[list[int], Gathered]]:
    """Yield the files whose contents are there, as many at once as are worth it."""
    from turbo_tui.knowledge.storing.gathering import gather  # noqa: PLC0415  opening does without

    places: dict[str, list[int]] = {}
    for at, (_, key) in enumerate(files):
        places.setdefault(key, []).append(at)
    some: list[tuple[int, list[bytes]]] = []
    size = 0
    for found in chain(database.contents(list(places)), (None,)):
        for key, parts in found or ():
            some += [(at, parts) for at in places[key]]
            size += len(places[key]) * (len(parts[LENGTHS]) // 4)
        if some and (found is None or size >= GATHERED_CHUNKS):
            paths = [(files[at][0], parts) for at, parts in some]
            yield [at for at, _ in some], gather(paths)
            some, size = [], 0


def _take_snapshot(database: Database, version: str) -> None:
    rows = [
        (path, (at, size, node), key) for path, at, size, node, key in database.files().values()
    ]
    blocks = _gathered(database, [(path, key) for path, _, key in rows])
    some = (([rows[at] for at in which], gathered) for which, gathered in blocks)
    snapshot.write(database.folder, version, some)


if __name__ == "__main__":
    os.nice(NICE)
    # The helper of a worker that was killed may still be at its last request.
    alone = (Path(sys.argv[1]) / "writing").open("w")
    fcntl.flock(alone, fcntl.LOCK_EX)
    serve(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
