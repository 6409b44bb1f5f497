"""The names of installed packages: whoever asks for one is shown the lines that define it."""

from __future__ import annotations

import ast
import importlib.util
import random
import statistics
from collections import Counter
from pathlib import Path

import pytest

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.ranking.finding import Folder

PACKAGES = ("click", "rich", "jinja2", "httpx2")
PER_PACKAGE = 70
SHORTEST = 4  # letters of a name that somebody asks for


def folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def names_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Return top-level functions and classes that one file defines once: name -> path, line."""
    places: dict[str, tuple[str, int]] = {}
    seen: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                seen[node.name] += 1
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                places[node.name] = path.relative_to(folder).as_posix(), node.lineno
    once = {name: place for name, place in places.items() if seen[name] == 1}
    return {name: place for name, place in once.items() if len(name.strip("_")) >= SHORTEST}


@pytest.fixture(scope="module")
def answers() -> list[tuple[str, tuple[str, int], list[Hit]]]:
    found: list[tuple[str, tuple[str, int], list[Hit]]] = []
    for package in PACKAGES:
        root = folder_of(package)
        if root is None:
            continue
        names = names_of(root)
        same = random.Random(package)  # noqa: S311  the same names in each run
        asked = same.sample(sorted(names), min(PER_PACKAGE, len(names)))
        folder = Folder(root)
        folder.refresh()
        found += [(name, names[name], folder.find(name, limit=10)) for name in asked]
        folder.close()
    return found


def test_the_lines_that_define_a_name_come_first(
    answers: list[tuple[str, tuple[str, int], list[Hit]]],
) -> None:
    missed = [
        f"{path}:{line} {name}: {hits[0].path if hits else ''}"
        for name, (path, line), hits in answers
        if not hits or hits[0].path != path or not hits[0].start_line <= line <= hits[0].end_line
    ]

    assert len(answers) >= 200
    assert missed == []


def test_what_is_shown_for_a_name_says_that_it_defines_it(
    answers: list[tuple[str, tuple[str, int], list[Hit]]],
) -> None:
    assert all(hits[0].why[0] == f"defines {name}" for name, _, hits in answers)
    assert all(name in hits[0].text for name, _, hits in answers)


def test_spans_are_short(answers: list[tuple[str, tuple[str, int], list[Hit]]]) -> None:
    spans = [hit.end_line - hit.start_line + 1 for _, _, hits in answers for hit in hits]

    assert statistics.fmean(spans) <= 60
    assert max(spans) < 100
