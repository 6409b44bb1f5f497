"""The parts of a file that a model reads: the lines found, below what they are part of."""

from __future__ import annotations

from turbo_tui.core.searching import Hit
from turbo_tui.wiring.spans import WHOLE_BYTES, excerpt, excerpts, headers, joined

LINES = [
    "import os",
    "",
    "class Store:",
    '    """Keeps things."""',
    "",
    "    def __init__(self):",
    "        self.held = {}",
    "",
    "    def put(",
    "        self, name,",
    "    ):",
    "        for each in name:",
    "            self.held[each] = 1",
    "            self.count += 1",
]
FILLER = "x = 1  # nothing to see\n" * 400


def hit(path: str, first: int, last: int) -> Hit:
    return Hit(path, first, last, 1.0, "")


def test_a_span_has_the_signatures_of_what_it_is_in() -> None:
    assert headers(LINES, 13) == [3, 9, 12]
    assert excerpt(LINES, (13, 14)).split("\n") == [
        "class Store:",
        "[… 5 lines left out]",
        "    def put(",
        "[… 2 lines left out]",
        "        for each in name:",
        "            self.held[each] = 1",
        "            self.count += 1",
    ]


def test_a_span_of_the_outermost_level_has_nothing_above() -> None:
    assert excerpt(LINES, (3, 4)) == 'class Store:\n    """Keeps things."""'


def test_a_small_file_is_whole_and_a_large_one_comes_in_spans() -> None:
    texts = {"small.py": "a = 1\n", "large.py": FILLER}

    found = excerpts([hit("large.py", 30, 60), hit("small.py", 1, 1)], texts)

    assert list(found) == ["large.py:30-60", "small.py"]
    assert found["large.py:30-60"].count("\n") == 30
    assert found["small.py"] == "a = 1\n"


def test_a_place_of_one_line_has_lines_about_it_and_places_nearby_are_one() -> None:
    hits = [hit("large.py", 50, 50), hit("large.py", 58, 58), hit("large.py", 400, 400)]
    hits.append(hit("large.py", 200, 200))  # the fourth place of a file says little more

    assert list(excerpts(hits, {"large.py": FILLER})) == ["large.py:47-61", "large.py:397-400"]
    assert joined([(20, 30), (1, 5), (10, 12)]) == [(1, 12), (20, 30)]


def test_what_does_not_fit_is_left_out_the_worst_first() -> None:
    texts = {name: f"{name}\n" * 100 for name in ("a.py", "b.py", "c.py")}

    found = excerpts([hit(name, 1, 1) for name in texts], texts, budget_bytes=1_200)

    assert list(found) == ["a.py", "b.py"]


def test_a_file_that_shrank_since_it_was_indexed_gives_what_is_left() -> None:
    text = "y" * (WHOLE_BYTES + 1)

    assert excerpts([hit("a.py", 90, 99), hit("gone.py", 1, 2)], {"a.py": text}) == {}
