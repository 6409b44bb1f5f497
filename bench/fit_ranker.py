"""Fit the ranker's weights to a benchmark, and say how good they are where they were not fitted.

    python bench/fit_ranker.py CHECKOUTS BENCHMARK [--vectors] [--write]

The weights minimise the softmax loss of each query's right files against its other candidates,
with a little weight decay; features count for a file, kinds against it. The figure is
out-of-fold: each repository is scored, end to end with its lines, by weights fitted on all the
others. `--vectors` fits those with the static table too; `--write` puts what was fitted on all
repositories into weights.toml, the rest of it stays.
"""

from __future__ import annotations

import math
import os
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, os.fspath(Path(__file__).parent))

from retrieval import CATEGORIES, PLACES, Labelled, Repository, Settings, repositories, settings_of

from turbo_tui.knowledge.ranking import ranker
from turbo_tui.knowledge.ranking.asked import ask
from turbo_tui.knowledge.ranking.features import candidates
from turbo_tui.knowledge.syntax.file_kinds import KINDS

WEIGHTS = Path(ranker.__file__).with_name("weights.toml")
DECAY = {True: 0.005, False: 0.0005}  # names are few: 84 queries
ROUNDS = 160
MOST_CANDIDATES = 80  # by the weights as they are: those below teach nothing
HEAD = """\
# What each feature of features.py counts for a file, and each kind of file_kinds.py against it.
# Written by bench/fit_ranker.py; [QUERY.words] where there are no vectors, [QUERY.vectors] else.
"""

Floats = NDArray[np.float32]


class FitSettings(Settings):
    """What the command line says."""

    write: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A query with its candidates.

    Attributes:
        repository: Its repository's name.
        category: Its category.
        is_symbol: Which of the weights it is scored by.
        targets: How many answers there are.
        rows: Features and kinds of the candidates, shape (candidates, names).
        bonus: What is added to their scores.
        right: Which of them are right, whatever their lines.
        places: Candidate, score below the candidate's own, and the targets that are met.
    """

    repository: str
    category: str
    is_symbol: bool
    targets: int
    rows: Floats
    bonus: Floats
    right: NDArray[np.bool_]
    places: list[tuple[int, float, frozenset[int]]]


def names_of(*, vectors: bool) -> list[str]:
    """Return the names of the columns: features, then kinds."""
    similar = ["similar_best", "similar_top"] if vectors else []
    return [
        *("best_chunk", "top_chunks", "all_chunks", "pairs", *similar),
        *("name_overlap", "name_coverage", "name_akin", "name_rarity", "folder_overlap"),
        *("defines", "defines_like", "referenced", *KINDS),
    ]


def example(repository: Repository, query: Labelled, names: list[str]) -> Example:
    """Take down a query's candidates."""
    asked = ask(query.text)
    similar = repository.similar(query.text) if repository.similar else None
    found = ranker.meant(candidates(repository.index, asked, similar), asked)
    has_vectors = similar is not None
    found.sort(key=lambda each: -ranker.score(each, asked, has_vectors=has_vectors))
    found = found[:MOST_CANDIDATES]
    paths = [
        os.path.join(repository.root, each.known.file.path)  # noqa: PTH118  # thousands
        for each in found
    ]
    rows = np.zeros((len(found), len(names)), np.float32)
    places: list[tuple[int, float, frozenset[int]]] = []
    for at, each in enumerate(found):
        values = {**each.features, **dict.fromkeys(each.kinds, 1.0)}
        rows[at] = [values.get(name, 0.0) for name in names]
        for place in ranker.places_of(each, asked, 0.0, PLACES):
            met = frozenset(
                number
                for number, target in enumerate(query.targets)
                if target["path"] == paths[at] and overlaps(place.span, target)
            )
            places.append((at, place.score, met))
    wanted = {target["path"] for target in query.targets}
    return Example(
        repository.name,
        query.category,
        asked.is_symbol,
        len(query.targets),
        rows,
        np.array([ranker.EXACT * ranker.is_exact(each, asked) for each in found], np.float32),
        np.array([path in wanted for path in paths], np.bool_),
        places,
    )


def overlaps(span: tuple[int, int], target: dict[str, object]) -> bool:
    """Tell whether lines meet a target's; one without lines is met by any."""
    start, end = target.get("start"), target.get("end")
    if not isinstance(start, int) or not isinstance(end, int):
        return True
    return span[0] <= end and span[1] >= start


def fit(examples: Iterable[Example], names: list[str]) -> Floats:
    """Return the weights that fit best, by Adam (Kingma & Ba 2015, arXiv:1412.6980)."""
    taught = [each for each in examples if each.right.any()]
    rows = np.concatenate([each.rows for each in taught])
    bonus = np.concatenate([each.bonus for each in taught])
    sizes = np.array([len(each.rows) for each in taught])
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    owner = np.repeat(np.arange(len(taught)), sizes)
    right = np.concatenate([each.right for each in taught]).astype(np.float32)
    goal = right / np.add.reduceat(right, starts)[owner]
    against = np.array([name in KINDS for name in names])
    weights, mean, square = (np.zeros(len(names), np.float32) for _ in range(3))
    columns = np.ascontiguousarray(rows.T)
    for turn in range(1, ROUNDS + 1):
        scores = rows @ weights + bonus
        shares = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        shares /= np.add.reduceat(shares, starts)[owner]
        slope = columns @ (shares - goal) / len(taught) + DECAY[taught[0].is_symbol] * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.98 * square + 0.02 * slope**2
        rate = 0.3 if turn < ROUNDS * 0.75 else 0.05
        step = mean / (1 - 0.9**turn) / (np.sqrt(square / (1 - 0.98**turn)) + 1e-7)
        weights = (weights - rate * step).astype(np.float32)
        weights = np.where(against, np.minimum(weights, 0), np.maximum(weights, 0))
    return weights


def gain(each: Example, weights: Floats) -> float:
    """Return NDCG@10 of a query's places, as the benchmark counts it."""
    totals = each.rows @ weights + each.bonus
    order = sorted(
        range(len(each.places)), key=lambda at: -(totals[each.places[at][0]] + each.places[at][1])
    )
    met: set[int] = set()
    total = 0.0
    for rank, at in enumerate(order[:PLACES], 1):
        new = each.places[at][2] - met
        if new:
            total += 1 / math.log2(rank + 1)
            met |= new
    return total / sum(1 / math.log2(rank + 1) for rank in range(1, min(PLACES, each.targets) + 1))


def out_of_fold(examples: list[Example], names: list[str]) -> list[tuple[Example, float]]:
    """Score each repository by weights that were fitted on all the others."""
    scored: list[tuple[Example, float]] = []
    for is_symbol in (False, True):
        mine = [each for each in examples if each.is_symbol == is_symbol]
        for repository in sorted({each.repository for each in mine}):
            weights = fit((each for each in mine if each.repository != repository), names)
            scored += [
                (each, gain(each, weights)) for each in mine if each.repository == repository
            ]
    return scored


def show(scored: list[tuple[Example, float]]) -> None:
    """Print the out-of-fold figures."""
    by_repository: dict[str, list[float]] = defaultdict(list)
    for each, value in scored:
        by_repository[each.repository].append(value)
    for name, values in sorted(by_repository.items()):
        print(f"{name:20} {np.mean(values):.3f}")
    for category in CATEGORIES:
        values = [value for each, value in scored if each.category == category]
        print(f"{category:20} {np.mean(values):.3f}")
    print(f"out-of-fold NDCG@10  {np.mean([value for _, value in scored]):.4f}", flush=True)


def write(fitted: dict[str, dict[str, dict[str, float]]]) -> None:
    """Put weights into weights.toml."""
    held = tomllib.loads(WEIGHTS.read_text()) if WEIGHTS.exists() else {}
    lines = [HEAD]
    for query in ("symbol", "sentence"):
        for mode in ("words", "vectors"):
            values = fitted[query].get(mode) or held.get(query, {}).get(mode)
            if values:
                lines.append(f"[{query}.{mode}]")
                lines += [f"{name} = {value:.2f}" for name, value in values.items()]
                lines.append("")
    WEIGHTS.write_text("\n".join(lines).rstrip() + "\n")


def main() -> None:
    """Fit, tell, write."""
    parser = settings_of(__doc__)
    parser.add_argument("--write", action="store_true")
    settings = parser.parse_args(namespace=FitSettings())
    if settings.benchmark is None:
        print("fit_ranker: nothing to fit to; name the checkouts and the benchmark.")
        return
    names = names_of(vectors=settings.vectors)
    examples = [
        example(repository, query, names)
        for repository in repositories(settings)
        for query in repository.queries
    ]
    show(out_of_fold(examples, names))
    fitted: dict[str, dict[str, dict[str, float]]] = {}
    for query, is_symbol in (("symbol", True), ("sentence", False)):
        weights = fit((each for each in examples if each.is_symbol == is_symbol), names)
        values = {name: float(value) for name, value in zip(names, weights, strict=True)}
        fitted[query] = {"vectors" if settings.vectors else "words": values}
        print(query, ", ".join(f"{name} {value:.2f}" for name, value in values.items()))
    if settings.write:
        write(fitted)


if __name__ == "__main__":
    main()
