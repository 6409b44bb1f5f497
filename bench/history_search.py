"""How well places are found that nobody labelled: a commit's subject asks for what it changed.

    python bench/history_search.py REPOSITORY… [--vectors] [--commits 700] [--most 50]

REPOSITORY is a git repository; REPOSITORY:FOLDER looks at that folder alone. The tree is that of
COMMITS commits ago; each later commit that changed one or two files of it that are code, and no
test, is a question: its subject without the type, scope and number. Subjects that say nothing of
what they change (merges, releases, formatting, renames) are left out.

It is a noisy judge, since many a subject does not say where, but an independent one: none of the
weights was fitted to it, and its questions are about details where a benchmark's are about files.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parent))

from retrieval import PLACES, read_table, similarity

from turbo_tui.knowledge.ranking import ranker
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.syntax.file_kinds import is_code, kinds_of

MOST_CHANGED = 5  # files of a commit, tests and documents included
MOST_RIGHT = 2
WORDS = range(4, 17)
_SAYS_NOTHING = re.compile(
    r"\b(?:merge|bump|release|version|revert|changelog|lint|format(?:ting)?|typos?|prettier|wip"
    r"|ruff|black|copy|cleanup|refactor|rename[ds]?|upgrade|dependenc\w+|chore|style)\b",
    re.IGNORECASE,
)
_ALSO_RIGHT = {"internal", "header", "older"}
_ASIDE = re.compile(r"^\s*\w+(?:\([^)]*\))?!?:\s*|\(?#\d+\)?|\[[^\]]*\]")

Question = tuple[str, frozenset[str]]


class Settings(argparse.Namespace):
    """What the command line says."""

    repositories: list[str]
    vectors: bool
    commits: int
    most: int


def git(repository: str, *arguments: str) -> bytes:
    """Ask git; what it could read is enough, where objects are missing."""
    command = ("git", "-C", repository, *arguments)
    return subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout


def commits(repository: str, folder: str, many: int) -> list[tuple[str, str, list[list[str]]]]:
    """Return the latest commits, newest first: name, subject, and how each file changed."""
    form = "--format=%x01%H%x02%s"
    asked = ("log", "--no-merges", f"-n{many}", form, "--name-status", "HEAD")
    told = git(repository, *asked, "--", folder or ".").decode("utf-8", "replace")
    found: list[tuple[str, str, list[list[str]]]] = []
    for block in told.split("\x01")[1:]:
        head, _, rest = block.partition("\n")
        name, _, subject = head.partition("\x02")
        changed = [line.split("\t") for line in rest.split("\n") if "\t" in line]
        found.append((name, subject, changed))
    return found


def questions(
    later: list[tuple[str, str, list[list[str]]]], folder: str, known: set[str]
) -> Iterator[Question]:
    """Yield subjects with the files of the tree that they changed, relative to the folder."""
    seen: set[str] = set()
    for _, subject, changed in later:
        text = _ASIDE.sub("", subject).strip()
        paths = [(how, path.removeprefix(f"{folder}/")) for how, *_, path in changed]
        right = [
            (how, path)
            for how, path in paths
            if is_code(path) and _ALSO_RIGHT.issuperset(kinds_of(path, known, {}))
        ]
        if (
            not _SAYS_NOTHING.search(subject)
            and len(text.split()) in WORDS
            and text not in seen
            and len(changed) <= MOST_CHANGED
            and 1 <= len(right) <= MOST_RIGHT
            and all(how == "M" and path in known for how, path in right)
        ):
            seen.add(text)
            yield text, frozenset(path for _, path in right)


def gain(paths: list[str], right: frozenset[str]) -> float:
    """Return NDCG of a ranked list; a file counts where it comes first."""
    found = [at for at, path in enumerate(paths) if path in right and path not in paths[:at]]
    ideal = sum(1 / math.log2(at + 2) for at in range(len(right)))
    return sum(1 / math.log2(at + 2) for at in found) / ideal


def unpack(repository: str, commit: str, folder: str, into: Path) -> None:
    """Write out the tree of a commit."""
    packed = git(repository, "archive", commit, *([folder] if folder else []))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r|") as archive:
        try:
            archive.extractall(into, filter="data")
        except tarfile.ReadError:
            print(f"{repository}: not all of its files are there; the others count.")


def measure(place: str, settings: Settings) -> list[float]:
    """Return the gain of each question about a repository."""
    repository, _, inner = place.partition(":")
    history = commits(repository, inner, settings.commits)
    if not history:
        return []
    with tempfile.TemporaryDirectory() as tree:
        unpack(repository, history[-1][0], inner, Path(tree))
        folder = Folder(Path(tree) / inner)
        folder.refresh()
        folder.close()
        index = folder.index
        asked = list(questions(history[:-1], inner, set(index.files)))[: settings.most]
        similar = similarity(index, read_table()) if settings.vectors else None
        gains: list[float] = []
        for text, right in asked:
            close = similar(text) if similar else None
            hits = ranker.rank(index, text, limit=PLACES, similar=close)
            gains.append(gain([hit.path for hit in hits], right))
    mean = statistics.fmean(gains) if gains else 0.0
    print(f"{place:40} {mean:.3f}  {len(gains)} questions, {len(index.files)} files", flush=True)
    return gains


def main() -> None:
    """Print one line for each repository, then the mean of all questions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repositories", nargs="*")
    parser.add_argument("--vectors", action="store_true")
    parser.add_argument("--commits", type=int, default=700)
    parser.add_argument("--most", type=int, default=50, help="questions of one repository")
    settings = parser.parse_args(namespace=Settings())
    if not settings.repositories:
        print("history_search: nothing to measure; name some git repositories.")
        return
    gains = [each for place in settings.repositories for each in measure(place, settings)]
    if gains:
        error = statistics.pstdev(gains) / math.sqrt(len(gains))
        print(f"NDCG@10 {statistics.fmean(gains):.4f} ± {error:.4f} of {len(gains)} questions")


if __name__ == "__main__":
    main()
