"""What a context costs where it has nothing to do with the query, and what it gains where it has.

    python bench/leaning.py CHECKOUTS BENCHMARK [--only NAME …] [--vectors]

Arguments as for bench/retrieval.py. Each query is asked as it is; then by somebody who is at files
drawn at random, whose step is another query of the same repository and who opened ten other files
before; then by somebody at a file that lies beside one that answers.
"""

from __future__ import annotations

import random
import statistics
from pathlib import PurePosixPath

from retrieval import (
    PLACES,
    Labelled,
    Repository,
    Score,
    Settings,
    evaluator,
    repositories,
    settings_of,
)

from turbo_tui.core.searching import NOWHERE, Context
from turbo_tui.knowledge.ranking import ranker
from turbo_tui.knowledge.ranking.leaning import Leaning, Remembers

ALLOWED = 0.002  # of NDCG@10
FILES_AT, FILES_OPENED = 3, 10


class Opened:
    """Files that somebody opened a lot."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = frozenset(paths)

    def of(self, path: str) -> float:
        """Return 1 for those files."""
        return float(path in self._paths)


def value(
    repository: Repository,
    query: Labelled,
    score: Score,
    context: Context = NOWHERE,
    habits: Remembers | None = None,
) -> float:
    """Ask a query where somebody is; return its NDCG@10."""
    similar = repository.similar(query.text) if repository.similar else None
    leaning = Leaning(repository.index, context, habits)
    hits = ranker.rank(repository.index, query.text, limit=PLACES, similar=similar, leaning=leaning)
    rows: list[dict[str, object]] = [
        {"path": hit.path, "start_line": hit.start_line, "end_line": hit.end_line} for hit in hits
    ]
    return score(rows, query.targets, repository.root)[0]


def beside(repository: Repository, query: Labelled) -> str:
    """Return a file beside one that answers, itself no answer; nothing if there is none."""
    targets = [str(target["path"]).removeprefix(f"{repository.root}/") for target in query.targets]
    folders = {PurePosixPath(path).parent for path in targets}
    return next(
        (
            path
            for path in sorted(repository.index.files)
            if PurePosixPath(path).parent in folders and path not in targets
        ),
        "",
    )


def main() -> None:
    """Measure, and print the table."""
    settings = settings_of(__doc__).parse_args(namespace=Settings())
    if settings.benchmark is None:
        print("leaning: nothing to measure; name the checkouts and the benchmark.")
        return
    score = evaluator(settings.benchmark)
    draw = random.Random(5)  # noqa: S311  a sample
    plain: list[float] = []
    unrelated: list[float] = []
    related: list[float] = []
    for repository in repositories(settings):
        paths = sorted(repository.index.files)
        begun = len(plain)
        for query in repository.queries:
            elsewhere = draw.choice(repository.queries).text
            at = Context(tuple(draw.sample(paths, min(FILES_AT, len(paths)))), elsewhere)
            opened = Opened(draw.sample(paths, min(FILES_OPENED, len(paths))))
            plain.append(value(repository, query, score))
            unrelated.append(value(repository, query, score, at, opened))
            near = Context((beside(repository, query),))
            related.append(value(repository, query, score, near))
        means = (statistics.fmean(each[begun:]) for each in (plain, unrelated, related))
        print(f"{repository.name:18}", *(f"{mean:.4f}" for mean in means), flush=True)
    means = [statistics.fmean(each) for each in (plain, unrelated, related)]
    print(
        f"{len(plain)} queries: {means[0]:.4f} as they are, {means[1]:.4f} from elsewhere "
        f"({means[1] - means[0]:+.4f}, {-ALLOWED} allowed), {means[2]:.4f} from beside the answer"
    )


if __name__ == "__main__":
    main()
