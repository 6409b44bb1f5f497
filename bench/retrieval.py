"""How well places are found: NDCG@10 over a benchmark's queries, in one process.

    python bench/retrieval.py CHECKOUTS BENCHMARK [--only NAME …] [--vectors] [--misses]

CHECKOUTS holds a folder for each repository of BENCHMARK/repos.json, at its revision; BENCHMARK
holds queries.jsonl and the evaluator (evaluate.py) whose `score` counts here too. Some labels name
files by their path in the indexed folder, not in the repository; no answer can meet those. They
are read as meant, and the figure with those queries at 0 stands beside.

The time of a query is that of ranking; the floor beside it is the BM25 of its terms alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import platformdirs

from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.ranking import ranker
from turbo_tui.knowledge.ranking.asked import ask
from turbo_tui.knowledge.ranking.features import Scores
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.vectors import static_table, weights
from turbo_tui.knowledge.vectors.chunk_vectors import Vectors
from turbo_tui.knowledge.vectors.static_table import StaticTable

PLACES = 10
CATEGORIES = ("architecture", "semantic", "symbol")

Target = dict[str, object]
Score = Callable[[list[dict[str, object]], list[Target], str], tuple[float, float, float]]


class Settings(argparse.Namespace):
    """What the command line says."""

    checkouts: Path | None
    benchmark: Path | None
    only: list[str]
    vectors: bool
    misses: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A query with what answers it.

    Attributes:
        text: The query.
        category: One of `CATEGORIES`.
        targets: As the evaluator reads them.
        as_labelled: They are as they were labelled; else their paths had to be read as meant.
    """

    text: str
    category: str
    targets: list[Target]
    as_labelled: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of the benchmark, indexed.

    Attributes:
        name: Its name.
        language: What it is mostly written in.
        root: The folder that is indexed, relative to the repository.
        queries: Its queries.
        index: What is searched.
        similar: Returns a similarity for each chunk number; None where there are no vectors.
        seconds: What indexing took.
    """

    name: str
    language: str
    root: str
    queries: list[Labelled]
    index: Index
    similar: Callable[[str], Scores] | None
    seconds: float


def repositories(settings: Settings) -> Iterator[Repository]:
    """Index the repositories one by one."""
    checkouts, benchmark = settings.checkouts, settings.benchmark
    if checkouts is None or benchmark is None:
        return
    table = read_table() if settings.vectors else None
    rows = [json.loads(line) for line in (benchmark / "queries.jsonl").read_text().splitlines()]
    for each in json.loads((benchmark / "repos.json").read_text()):
        name, root = str(each["name"]), str(each["root"])
        if settings.only and name not in settings.only:
            continue
        queries = [labelled(row, checkouts / name, root) for row in rows if row["repo"] == name]
        folder = Folder(checkouts / name / root)
        begun = time.perf_counter()
        folder.refresh()
        seconds = time.perf_counter() - begun
        folder.close()
        similar = similarity(folder.index, table) if table else None
        yield Repository(name, each["language"], root, queries, folder.index, similar, seconds)


def labelled(row: dict[str, object], tree: Path, root: str) -> Labelled:
    """Read a query; a target that only the indexed folder has is put there."""
    targets: list[Target] = []
    meant = True
    for target in cast("list[Target]", row["relevant"]):
        path = str(target["path"])
        if not (tree / path).exists() and (tree / root / path).exists():
            meant = False
            targets.append({**target, "path": f"{root}/{path}"})
        else:
            targets.append(target)
    return Labelled(str(row["query"]), str(row["category"]), targets, meant)


def read_table() -> StaticTable:
    """Read the static table of the default model.

    Raises:
        SystemExit: There is none.
    """
    models = Path(platformdirs.user_cache_dir("turbo-tui")) / "models"
    table = static_table.read(weights.table_folder(models, weights.DEFAULT_MODEL))
    if table is None:
        raise SystemExit(f"{models}: no table of word vectors; make one with `make semantic`.")
    return table


def similarity(index: Index, table: StaticTable) -> Callable[[str], Scores]:
    """Embed all chunks; return what compares a query with them."""
    vectors = Vectors(table.dimensions)
    for known in index.files.values():
        path, lines = known.file.path, known.file.text().split("\n")
        texts = [
            static_table.chunk_text(path, "\n".join(lines[first - 1 : last]))
            for first, last in known.chunks
        ]
        vectors.put(known.numbers, table.embed(texts))
    return lambda text: vectors.similarities(table.embed([text])[0], index.chunks.numbers)


def evaluator(benchmark: Path) -> Score:
    """Return the benchmark's own `score`."""
    sys.path.insert(0, os.fspath(benchmark))
    return cast("Score", importlib.import_module("evaluate").score)


def found(repository: Repository, text: str) -> list[dict[str, object]]:
    """Answer a query as the evaluator reads answers."""
    similar = repository.similar(text) if repository.similar else None
    hits = ranker.rank(repository.index, text, limit=PLACES, similar=similar)
    return [
        {"path": hit.path, "start_line": hit.start_line, "end_line": hit.end_line} for hit in hits
    ]


class Table:
    """Scores by repository, language and category."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Labelled, float]] = []
        self.spans: list[int] = []
        self.query_ms: list[float] = []
        self.floor_ms: list[float] = []

    def add(self, repository: Repository, score: Score, *, misses: bool) -> None:
        """Ask a repository's queries."""
        for query in repository.queries:
            begun = time.process_time()
            hits = found(repository, query.text)
            self.query_ms.append(1000 * (time.process_time() - begun))
            begun = time.process_time()
            np.argmax(repository.index.chunks.scores(ask(query.text).terms))
            self.floor_ms.append(1000 * (time.process_time() - begun))
            self.spans += [
                cast("int", hit["end_line"]) - cast("int", hit["start_line"]) + 1 for hit in hits
            ]
            value = score(hits, query.targets, repository.root)[0]
            self.rows.append((repository.name, repository.language, query, value))
            if misses and value < 0.9:
                wanted = [target["path"] for target in query.targets]
                got = [f"{hit['path']}:{hit['start_line']}" for hit in hits[:4]]
                print(f"    {value:.2f} {query.text!r} wanted {wanted} got {got}")

    def mean(self, *, name: str = "", language: str = "", category: str = "") -> float:
        """Return the mean of what fits."""
        return statistics.fmean(
            value
            for repository, spoken, query, value in self.rows
            if name in ("", repository)
            and language in ("", spoken)
            and category in ("", query.category)
        )

    def show(self) -> None:
        """Print the summary."""
        by_language: dict[str, list[float]] = defaultdict(list)
        for _, language, _, value in self.rows:
            by_language[language].append(value)
        for language, values in sorted(by_language.items()):
            print(f"{language:20} {statistics.fmean(values):.3f}  {len(values)} queries")
        for category in CATEGORIES:
            if any(query.category == category for _, _, query, _ in self.rows):
                print(f"{category:20} {self.mean(category=category):.3f}")
        values = [value for *_, value in self.rows]
        strict = [value if query.as_labelled else 0.0 for _, _, query, value in self.rows]
        query_ms, floor_ms = statistics.median(self.query_ms), statistics.median(self.floor_ms)
        print(
            f"NDCG@10 {statistics.fmean(values):.4f}, with labels that nothing can meet at 0 "
            f"{statistics.fmean(strict):.4f}; {len(values)} queries, mean span "
            f"{statistics.fmean(self.spans):.0f} lines; a query {query_ms:.1f} ms, "
            f"its BM25 alone {floor_ms:.1f} ms of CPU"
        )


def settings_of(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of what the scripts about retrieval have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", type=Path, nargs="?")
    parser.add_argument("benchmark", type=Path, nargs="?")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--vectors", action="store_true")
    parser.add_argument("--misses", action="store_true")
    return parser


def main() -> None:
    """Print one line for each repository, then the summary."""
    settings = settings_of(__doc__).parse_args(namespace=Settings())
    if settings.benchmark is None:
        print("retrieval: nothing to measure; name the checkouts and the benchmark.")
        return
    table, score = Table(), evaluator(settings.benchmark)
    for repository in repositories(settings):
        table.add(repository, score, misses=settings.misses)
        print(
            f"{repository.name:20} {table.mean(name=repository.name):.3f}  "
            f"{len(repository.index.files)} files, {len(repository.index.chunks)} chunks, "
            f"indexed in {repository.seconds:.1f} s",
            flush=True,
        )
    table.show()


if __name__ == "__main__":
    main()
