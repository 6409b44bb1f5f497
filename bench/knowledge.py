"""What searching costs, each figure beside its floor, on the same files in one run.

    python bench/knowledge.py [--rounds N] [--large] [--json]

- The first useful answer in a repository of 1,000 files nobody has opened before: from the start
  of the client, worker not running, to an answer whose first place is the definition asked for.
  The floor is tree-sitter alone, in one process, over the same files. Target: at most 2 times.
- A query at 100,000 chunks, in CPU time. The floor is LanceDB's own full text query over the same
  terms. Target: at most 4 times. Names and sentences are half of the queries each.
- The memory of the worker's process at 100,000 chunks. Target: at most 400 MB.
- Opening a stored index, with the snapshot of it that a worker at rest takes and without, and its
  size on disk. The floor is LanceDB reading the same columns.

Files are those of the Python running this. Beyond the first copy of them, the terms that only one
chunk has are renamed in each copy, so that the vocabulary grows as in real code.
`--large` adds 1,000,000 chunks (some GB of memory and disk).
"""
# ruff: noqa: PLC0415  each part is measured with its own imports alone
# pyarrow and LanceDB say little of their types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from lancedb.table import LanceTable

    from turbo_tui.knowledge.indexing.digest import Digest
    from turbo_tui.knowledge.indexing.index import Index
    from turbo_tui.knowledge.indexing.tree import SourceFile

FILES = 1_000
SIZES = (10_000, 100_000)
LARGE = 1_000_000
LIMIT = 10
FIRST_TIMES, QUERY_TIMES, MEMORY_MB = 2.0, 4.0, 400
KINDS = ("names", "sentences")
QUERIES = 20  # of each kind
BATCH_FILES = 256  # that a worker writes at once
_ORIGINAL = re.compile(r"^copy\d+/")
_DOCUMENTED = re.compile(r'^def ([a-z]\w{5,})\(.*\n\s+"""([A-Z][^."\n]{25,80})\.', re.MULTILINE)


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    large: bool
    json: bool
    part: str
    tree: Path
    chunks: int
    folder: Path


def sources() -> Iterator[Path]:
    """Yield Python files that are there wherever this runs."""
    for place in ("stdlib", "purelib"):
        for file in sorted(Path(sysconfig.get_path(place)).rglob("*.py")):
            if "test" not in str(file) and 2_000 < file.stat().st_size < 60_000:
                yield file


def make_tree(root: Path) -> list[Path]:
    """Copy files into a repository that nobody has seen."""
    made: list[Path] = []
    for number, file in enumerate(sources()):
        if number == FILES:
            break
        target = root / f"part{number % 25}" / f"m{number}_{file.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        made.append(target)
    return made


def questions(files: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Return names that are defined once, and sentences."""
    found = [
        each for file in files for each in _DOCUMENTED.findall(file.read_text("utf-8", "replace"))
    ]
    names = [name for name, _ in found]
    once = [name for name in names if names.count(name) == 1]
    return once[:: max(1, len(once) // QUERIES)][:QUERIES], [said for _, said in found][
        :: max(1, len(found) // QUERIES)
    ][:QUERIES]


# --- the first answer ----------------------------------------------------------


def bare_parsing(tree: Path) -> dict[str, float]:
    """Parse all files with tree-sitter and do nothing else."""
    from tree_sitter import Parser
    from tree_sitter_language_pack import get_language

    parser = Parser(get_language("python"))
    begun, spent = time.perf_counter(), time.process_time()
    for file in sorted(tree.rglob("*.py")):
        parser.parse(file.read_bytes())
    return {"wall_s": time.perf_counter() - begun, "cpu_s": time.process_time() - spent}


def first_answer(tree: Path, folder: Path, name: str) -> dict[str, float]:
    """Ask a worker that has to be started until it gives the definition first."""
    import psutil

    from turbo_tui.knowledge.service.client import Client
    from turbo_tui.knowledge.service.home import home_of

    home = home_of(
        tree,
        cache=folder / "cache",
        state=folder / "state",
        config=folder / "config",
        model="",
        environment={},
    )
    client = Client(home)
    begun = time.perf_counter()
    while True:
        hits = client.search(name, limit=LIMIT)
        if hits and hits[0].why[:1] == (f"defines {name}",):
            break
    first = time.perf_counter() - begun
    hits = client.search(name, limit=LIMIT, complete=True)
    whole = time.perf_counter() - begun
    state = client.index
    worker = next(
        each for each in psutil.process_iter() if os.fspath(home.socket) in " ".join(words_of(each))
    )
    times = [each.cpu_times() for each in (worker, *worker.children(recursive=True))]
    begun = time.perf_counter()
    for _ in range(10):
        client.search(name, limit=LIMIT)
    again = (time.perf_counter() - begun) / 10
    client.close()
    worker.terminate()
    worker.wait(60)
    return {
        "wall_s": first,
        "whole_s": whole,
        "again_s": again,
        "cpu_s": sum(each.user + each.system for each in times),
        "chunks": state.chunks,
    }


def words_of(process: object) -> list[str]:
    import psutil

    try:
        return process.cmdline() if isinstance(process, psutil.Process) else []
    except psutil.Error:
        return []


# --- many chunks ---------------------------------------------------------------


def digests(tree: Path, chunks: int) -> Iterator[tuple[SourceFile, str, Digest, list[bytes]]]:
    """Yield as many chunks' files as are wanted: file, key, digest and its packed form.

    Raises:
        SystemExit: There is nothing to copy.
    """
    from turbo_tui.knowledge.indexing.digest import packed
    from turbo_tui.knowledge.indexing.parser import Parser
    from turbo_tui.knowledge.indexing.tree import SourceTree

    parser = Parser()
    read = list(parser.read(SourceTree(tree).files().values()))
    parser.close()
    if not any(digest is not None and len(digest.chunks) for _, _, digest, _, _ in read):
        sys.exit(f"{tree}: no text to index there. Name a folder of source files as --tree.")
    made, copy = 0, 0
    while made < chunks:
        for file, key, digest, parts, _ in read:
            if made >= chunks:
                return
            if digest is None:
                continue
            made += len(digest.chunks)
            if not copy:
                yield file, key, digest, parts
                continue
            terms = tuple(
                f"{term}{copy}" if size == 1 and len(term) > 6 else term
                for term, size in zip(digest.terms, digest.sizes.tolist(), strict=True)
            )
            defined = tuple(replace(each, name=f"{each.name}{copy}") for each in digest.defined)
            other = replace(digest, terms=terms, defined=defined)
            path = f"copy{copy}/{file.path}"
            yield replace(file, path=path, known=None), f"{copy}-{key}", other, packed(other)
        copy += 1


def our_query(tree: Path, chunks: int) -> dict[str, float]:
    """Build an index as the worker's and ask it."""
    from turbo_tui.knowledge.indexing.index import Index

    index = Index()
    begun = time.process_time()
    for file, key, digest, _ in digests(tree, chunks):
        index.add(file, key, digest)
    return {"build_s": time.process_time() - begun, **asked_of(index, tree)}


def asked_of(index: Index, tree: Path) -> dict[str, float]:
    """Ask an index: CPU milliseconds of a query by kind, and the memory of this process."""
    import psutil

    from turbo_tui.knowledge.ranking.features import prepare
    from turbo_tui.knowledge.ranking.finding import Finder
    from turbo_tui.knowledge.syntax.file_kinds import kinds_of

    names, sentences = questions(sorted(tree.rglob("*.py")))
    begun = time.process_time()
    for known in index.files.values():
        kinds_of(known.file.path, (), {})
    prepare(index, index.files.values())  # as the worker does while it has nothing else to do
    prepared = time.process_time() - begun
    finder = Finder(index)
    by_kind: dict[str, float] = {}
    for kind, asked in zip(KINDS, (names, sentences), strict=True):
        for text in asked[:3]:
            finder.find(text, limit=LIMIT)
        before = time.process_time()
        for text in asked:
            finder.find(text, limit=LIMIT)
        by_kind[kind] = 1000 * (time.process_time() - before) / len(asked)
    memory = psutil.Process().memory_info().rss / 1e6
    return {
        **by_kind,
        "memory_mb": memory,
        "prepare_s": prepared,
        "chunks": len(index.chunks),
        "files": len(index.files),
    }


def lance_query(tree: Path, chunks: int) -> dict[str, float]:
    """Ask LanceDB's full text index over the same terms."""
    import lancedb
    import pyarrow as pa
    from lancedb.index import FTS

    from turbo_tui.knowledge.syntax.words import asked_terms

    names, sentences = questions(sorted(tree.rglob("*.py")))
    with tempfile.TemporaryDirectory() as folder:
        connection = lancedb.connect(folder)
        schema = pa.schema([("text", pa.string())])
        table = cast("LanceTable", connection.create_table("chunks", schema=schema))
        texts: list[str] = []
        for _, _, digest, _ in digests(tree, chunks):
            by_chunk: list[list[str]] = [[] for _ in digest.chunks]
            at = 0
            for term, size in zip(digest.terms, digest.sizes.tolist(), strict=True):
                for word in digest.words[at : at + size].tolist():
                    by_chunk[word >> 8] += [term] * (word & 255)
                at += size
            texts += [" ".join(each) for each in by_chunk]
            if len(texts) > 20_000:
                table.add(pa.table({"text": texts}))
                texts = []
        table.add(pa.table({"text": texts}))
        table.create_index(
            "text",
            config=FTS(
                base_tokenizer="whitespace",
                stem=False,
                remove_stop_words=False,
                ascii_folding=False,
                max_token_length=None,
            ),
        )
        by_kind: dict[str, float] = {}
        for kind, asked in zip(KINDS, (names, sentences), strict=True):
            queries = [" ".join(asked_terms(text)) for text in asked]
            for text in queries[:3]:
                table.search(text, query_type="fts").limit(LIMIT).to_list()
            before = time.process_time()
            for text in queries:
                table.search(text, query_type="fts").limit(LIMIT).to_list()
            by_kind[kind] = 1000 * (time.process_time() - before) / len(queries)
        return by_kind


def written(tree: Path, chunks: int, folder: Path) -> dict[str, float]:
    """Keep an index on disk."""
    from turbo_tui.knowledge.storing import store as storing

    storing.SNAPSHOT_S = 0.0  # it is at rest at once
    store = storing.Store(folder, "bench")
    store.open()
    batch: list[tuple[SourceFile, str, list[bytes]]] = []
    begun = time.perf_counter()
    for file, key, _, parts in digests(tree, chunks):
        batch.append((file, key, parts))
        if len(batch) == BATCH_FILES:
            store.put([(k, p) for _, k, p in batch], [(f, k) for f, k, _ in batch])
            batch = []
    store.put([(k, p) for _, k, p in batch], [(f, k) for f, k, _ in batch])
    spent = time.perf_counter() - begun
    disk = size_of(folder)
    begun = time.perf_counter()
    store.take_snapshot()
    taken = time.perf_counter() - begun
    store.close()
    return {
        "write_s": spent,
        "disk_mb": disk,
        "snapshot_s": taken,
        "snapshot_mb": size_of(folder) - disk,
    }


def size_of(folder: Path) -> float:
    """Return what lies in a folder, in MB."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 1e6


def opened(tree: Path, _chunks: int, folder: Path) -> dict[str, float]:
    """Open what was written as a worker does, and ask it."""
    from threading import Lock

    from turbo_tui.knowledge.indexing.index import Index
    from turbo_tui.knowledge.indexing.tree import SourceFile
    from turbo_tui.knowledge.storing.store import Store

    index, turn = Index(), Lock()
    begun, spent = time.perf_counter(), time.process_time()
    for rows, gathered in Store(folder, "bench").snapshot():
        files = [
            (SourceFile(path, os.fspath(tree / _ORIGINAL.sub("", path)), stamp), key)
            for path, stamp, key in rows
        ]
        index.attach(files, gathered, turn)
    loaded = {
        "load_s": time.perf_counter() - begun,
        "load_cpu_s": time.process_time() - spent,
    }
    return {**loaded, **asked_of(index, tree)}


def opened_by_tables(tree: Path, _chunks: int, folder: Path) -> dict[str, float]:
    """Open what was written where there is no snapshot of it."""
    from threading import Lock

    from turbo_tui.knowledge.indexing.index import Index
    from turbo_tui.knowledge.indexing.tree import SourceFile
    from turbo_tui.knowledge.storing.store import Store

    store, index, turn = Store(folder, "bench"), Index(), Lock()
    begun, spent = time.perf_counter(), time.process_time()
    store.open()
    answered = time.perf_counter() - begun
    files = [
        (SourceFile(path, os.fspath(tree / _ORIGINAL.sub("", path)), stamp), key)
        for path, (stamp, key) in store.files.items()
    ]
    for which, gathered in store.gather([(file.path, key) for file, key in files]):
        index.attach([files[at] for at in which], gathered, turn)
    loaded = {
        "open_s": answered,
        "load_s": time.perf_counter() - begun,
        "load_cpu_s": time.process_time() - spent,
    }
    store.close()
    return loaded


def read_alone(_tree: Path, _chunks: int, folder: Path) -> dict[str, float]:
    """Read the columns that opening needs from LanceDB, and do nothing with them."""
    import lancedb

    begun, spent = time.perf_counter(), time.process_time()
    table = cast("LanceTable", lancedb.connect(folder / "tables").open_table("contents"))
    size = sum(batch.nbytes for batch in table.search().limit(2**31 - 1).to_batches())
    return {
        "read_s": time.perf_counter() - begun,
        "read_cpu_s": time.process_time() - spent,
        "read_mb": size / 1e6,
    }


BUILT = {"ours": our_query, "lance": lance_query}
KEPT = {"written": written, "opened": opened, "tables": opened_by_tables, "read": read_alone}


def apart(part: str, tree: Path, chunks: int, folder: Path | None = None) -> dict[str, float]:
    """Run a part in a process of its own, so that it has its own memory."""
    command = [sys.executable, __file__, "--part", part, "--tree", os.fspath(tree)]
    command += ["--chunks", str(chunks), *(("--folder", os.fspath(folder)) if folder else ())]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    parser.add_argument("--tree", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--chunks", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(namespace=Settings())
    if given.part == "bare":
        print(json.dumps(bare_parsing(given.tree)))
        return 0
    if given.part in KEPT:
        print(json.dumps(KEPT[given.part](given.tree, given.chunks, given.folder)))
        return 0
    if given.part:
        print(json.dumps(BUILT[given.part](given.tree, given.chunks)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(given, Path(folder))


def measure(given: Settings, folder: Path) -> int:
    """Measure all, print it, and return the exit code: 1 where a target is missed."""
    tree = folder / "tree"
    files = make_tree(tree)
    names, _ = questions(files)
    bare = [apart("bare", tree, 0)]
    first: list[dict[str, float]] = []
    for number in range(given.rounds):  # in turns: what else the machine does slows both
        first.append(first_answer(tree, folder / f"home{number}", names[number]))
        bare.append(apart("bare", tree, 0))
    report: dict[str, object] = {"files": len(files), "bare": bare, "first": first}
    if not given.json:
        size = sum(file.stat().st_size for file in files)
        print(f"{len(files):,} files, {size / 1e6:.1f} MB", flush=True)
    fine = told_first(bare, first, quiet=given.json)
    for chunks in (*SIZES, LARGE) if given.large else SIZES:
        kept = folder / f"store{chunks}"
        built = BUILT if chunks != LARGE else {}  # the same again in more time and memory
        parts = {part: apart(part, tree, chunks) for part in built}
        parts |= {part: apart(part, tree, chunks, kept) for part in KEPT}
        shutil.rmtree(kept)
        report[str(chunks)] = parts
        held = told_size(parts, quiet=given.json)
        fine = fine and (held or chunks != SIZES[-1])
    if given.json:
        print(json.dumps(report))
    elif not fine:
        print("\nA target is missed.")
    return 0 if fine else 1


def row(label: str, value: float, unit: str, more: str = "", *, quiet: bool) -> None:
    """Print a figure."""
    if not quiet:
        print(f"{label:<28} {value:10,.2f} {unit:<7} {more}", flush=True)


def told_first(
    bare: Sequence[dict[str, float]], first: Sequence[dict[str, float]], *, quiet: bool
) -> bool:
    """Print what a first answer takes; tell whether that is within the target."""

    def of(rows: Sequence[dict[str, float]], name: str) -> float:
        return median(each[name] for each in rows)

    floor, wall, whole = of(bare, "wall_s"), of(first, "wall_s"), of(first, "whole_s")
    times = wall / floor
    row("tree-sitter alone", floor, "s", f"{of(bare, 'cpu_s'):.2f} s CPU", quiet=quiet)
    said = f"{times:.2f} times that; at most {FIRST_TIMES}"
    row("first useful answer", wall, "s", said, quiet=quiet)
    said = f"{whole / floor:.2f} times; {of(first, 'cpu_s'):.2f} s CPU in all processes"
    row("all files in the index", whole, "s", said, quiet=quiet)
    row("a query, worker running", 1000 * of(first, "again_s"), "ms", quiet=quiet)
    return times <= FIRST_TIMES


def told_size(parts: dict[str, dict[str, float]], *, quiet: bool) -> bool:
    """Print what an index of some size takes; tell whether that is within the targets."""
    kept, read, wrote = parts["opened"], parts["read"], parts["written"]
    tables = parts["tables"]
    if not quiet:
        print(f"\n{kept['chunks']:,.0f} chunks in {kept['files']:,.0f} files")
    fine = True
    if "ours" in parts:
        ours, lance = parts["ours"], parts["lance"]
        for kind in KINDS:
            times = max(ours[kind], kept[kind]) / lance[kind]
            fine = fine and times <= QUERY_TIMES
            said = f"opened from disk {kept[kind]:.2f} ms; LanceDB {lance[kind]:.2f} ms; "
            said += f"{times:.2f} times that; at most {QUERY_TIMES}"
            row(f"query, {kind}", ours[kind], "ms CPU", said, quiet=quiet)
        said = f"at most {MEMORY_MB} at 100,000 chunks"
        row("memory, newly indexed", ours["memory_mb"], "MB", said, quiet=quiet)
        fine = fine and ours["memory_mb"] <= MEMORY_MB
    else:
        for kind in KINDS:
            row(f"query, {kind}", kept[kind], "ms CPU", "opened from disk", quiet=quiet)
    row("memory, opened from disk", kept["memory_mb"], "MB", quiet=quiet)
    row("on disk", wrote["disk_mb"], "MB", f"written in {wrote['write_s']:.1f} s", quiet=quiet)
    said = f"taken in {wrote['snapshot_s']:.1f} s, at rest"
    row("snapshot", wrote["snapshot_mb"], "MB", said, quiet=quiet)
    said = f"{kept['load_cpu_s']:.1f} s CPU"
    row("opened from the snapshot", kept["load_s"], "s", said, quiet=quiet)
    said = f"{tables['open_s']:.1f} s of it until LanceDB answers; "
    said += f"{tables['load_cpu_s']:.1f} s CPU here"
    row("opened without one", tables["load_s"], "s", said, quiet=quiet)
    said = f"{read['read_cpu_s']:.1f} s CPU; {read['read_mb']:.0f} MB by LanceDB alone"
    row("the same columns, read", read["read_s"], "s", said, quiet=quiet)
    return fine


if __name__ == "__main__":
    sys.exit(main())
