"""What vectors cost: filling an index against the encoder alone, queries, memory.

    python bench/vectors.py [FOLDER] [--model] [--table]

FOLDER is the tree whose chunks are embedded, this repository by default. Both rates of a line are
measured in this run on the same chunks, by turns, in chunks a CPU-second: the encoder alone on
texts in memory, and filling as the worker does, with reading and checking the files. `--model`
measures the model's own vectors too, `--table` making the table; both need the semantic extra.
"""

from __future__ import annotations

import os

for name in ("OPENBLAS", "OMP", "MKL"):  # as in the worker, before numpy is imported
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")

# ruff: noqa: E402
import argparse
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import psutil

from turbo_tui.config import paths
from turbo_tui.knowledge.indexing.digest import key_of
from turbo_tui.knowledge.indexing.index import Index, Indexed
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.vectors import own_vectors, static_table, weights
from turbo_tui.knowledge.vectors.chunk_vectors import Vectors
from turbo_tui.knowledge.vectors.encoder import Encoder
from turbo_tui.knowledge.vectors.meaning import Meaning
from turbo_tui.knowledge.vectors.own_vectors import OwnVectors
from turbo_tui.knowledge.vectors.reading import chunk_texts
from turbo_tui.knowledge.vectors.static_table import StaticTable

ROUNDS = 5
MODEL_CHUNKS = 400
MODEL_WAIT_S = 600
QUERIES = ("where are retries configured", "parse_match", "how a landing is taken back")
MIB = 1024 * 1024


def cpu_s(of: int | None = None) -> float:
    """Return the CPU seconds of a process and all its threads; ours by default."""
    times = psutil.Process(of).cpu_times()
    return times.user + times.system


def rss_mb() -> float:
    return psutil.Process().memory_info().rss / MIB


def took_ms(do: Callable[[], object], rounds: int = 50) -> float:
    """Return the CPU milliseconds of a call, the median of some."""
    spent: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        do()
        spent.append(1000 * (time.process_time() - begun))
    return statistics.median(spent)


def fill_by_table(index: Index, models: Path) -> None:
    """Print what of the table's throughput is left when an index is filled."""
    texts = [t for each in index.files.values() for t in chunk_texts(each, key_of) or ()]
    print(f"{len(index.files)} files, {len(texts)} chunks")
    ratios: list[float] = []
    best = {"alone": 0.0, "filling": 0.0}
    for _ in range(ROUNDS):
        fresh = static_table.read(weights.table_folder(models, weights.DEFAULT_MODEL))
        if fresh is None:
            return
        begun = cpu_s()  # words are cut anew, as when filling
        fresh.embed(texts)
        alone = len(texts) / (cpu_s() - begun)
        meaning = Meaning(models, weights.DEFAULT_MODEL, key_of, make=False)
        meaning.open()
        begun = cpu_s()
        meaning.follow(index)
        meaning.fill(Lock(), within_s=math.inf)
        filling = len(texts) / (cpu_s() - begun)
        ratios.append(filling / alone)
        best = {
            "alone": max(best["alone"], alone),
            "filling": max(best["filling"], filling),
        }
    print(
        f"table: encoder alone {best['alone']:,.0f}, filling {best['filling']:,.0f} chunks a "
        f"CPU-second; ratio {statistics.median(ratios):.2f} (median of {ROUNDS})"
    )


def fill_by_model(index: Index) -> None:
    """Print the same for the model's own vectors; its process counts, ours too."""
    files: dict[str, Indexed] = {}
    count = 0
    for path, each in sorted(index.files.items()):
        if count + len(each.chunks) <= MODEL_CHUNKS:
            files[path] = each
            count += len(each.chunks)
    texts = [text for each in files.values() for text in chunk_texts(each, key_of) or ()]
    encoder = Encoder(weights.DEFAULT_MODEL)
    begun = time.perf_counter()
    encoder.encode(["warm"])
    loaded = time.perf_counter() - begun
    (child,) = psutil.Process().children()
    with tempfile.TemporaryDirectory() as folder:
        own = OwnVectors(
            weights.DEFAULT_MODEL, Path(folder, "kept"), partial(chunk_texts, key_of=key_of)
        )
        begun = cpu_s(child.pid)
        encoder.encode(texts[: len(texts) // 2])
        alone = cpu_s(child.pid) - begun
        own.follow(dict(list(files.items())[:1]))  # its process is started
        wait_for(own)
        own.follow({})
        (other,) = (each for each in psutil.Process().children() if each.pid != child.pid)
        begun = cpu_s() + cpu_s(other.pid)
        own.follow(files)
        wait_for(own)
        filling = cpu_s() + cpu_s(other.pid) - begun
        begun = cpu_s(child.pid)
        encoder.encode(texts[len(texts) // 2 :])
        alone += cpu_s(child.pid) - begun
        memory = child.memory_info().rss / MIB
        own.close()
    query_ms: list[float] = []
    for number in range(20):
        begun = time.perf_counter()
        encoder.encode([f"{QUERIES[number % 3]} {number}"])
        query_ms.append(1000 * (time.perf_counter() - begun))
    encoder.close()
    print(
        f"model: encoder alone {len(texts) / alone:.1f}, filling {len(texts) / filling:.1f} "
        f"chunks a CPU-second; ratio {alone / filling:.2f}; {len(texts)} chunks"
    )
    print(
        f"model: loaded in {loaded:.1f} s, {memory:.0f} MB in its own process; a query "
        f"{statistics.median(query_ms):.0f} ms"
    )


def wait_for(own: OwnVectors) -> None:
    until = time.monotonic() + MODEL_WAIT_S
    while not own.complete and time.monotonic() < until:
        time.sleep(0.05)


def queries(table: StaticTable) -> None:
    """Print what a query costs, and what vectors take in memory."""
    asked = [table.embed([query])[0] for query in QUERIES]
    print(f"query: {took_ms(lambda: table.embed([QUERIES[0]])):.2f} ms to embed")
    for count in (10_000, 100_000, 1_000_000):
        before = rss_mb()
        vectors = Vectors(table.dimensions)
        rows = np.random.default_rng(1).normal(size=(10_000, table.dimensions))
        vectors.put([count - 1], rows[:1])  # all the room at once
        for first in range(0, count, len(rows)):
            vectors.put(range(first, first + len(rows)), rows)
        taken = rss_mb() - before
        spent = took_ms(partial(vectors.similarities, asked[0], count), 15)
        print(f"query: {spent:.1f} ms of CPU over {count:,} chunks, which take {taken:.0f} MB")


def make_table() -> None:
    """Print how long the table takes to make."""
    from turbo_tui.knowledge.vectors.model_process import make_table as make  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        begun, spent = time.perf_counter(), cpu_s()
        made = make(weights.DEFAULT_MODEL, Path(folder))
        size = sum(each.stat().st_size for each in made.iterdir()) / MIB
        print(
            f"table: made in {time.perf_counter() - begun:.0f} s, {cpu_s() - spent:.0f} "
            f"CPU-seconds, {size:.0f} MB; at most {peak_mb():.0f} MB in that process"
        )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parents[1])
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    models = paths().cache / "models"
    before, begun = rss_mb(), time.perf_counter()
    table = static_table.read(weights.table_folder(models, weights.DEFAULT_MODEL))
    if table is None:
        print("vectors: no table of word vectors here; `make vectors` makes one.")
        return
    print(
        f"table: read in {1000 * (time.perf_counter() - begun):.0f} ms, "
        f"{rss_mb() - before:.0f} MB in memory"
    )
    queries(table)
    folder = Folder(options.folder)
    folder.refresh()
    folder.close()
    fill_by_table(folder.index, models)
    if options.model:
        own_vectors.MOST_CHUNKS = MODEL_CHUNKS
        fill_by_model(folder.index)
    if options.table:
        make_table()


if __name__ == "__main__":
    main()
