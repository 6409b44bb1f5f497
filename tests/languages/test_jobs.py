"""The worker's jobs, asked in this process: JSON values in, JSON values out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from turbo_tui.languages.worker import answer

SHAPES = '''\
"""Shapes.

More.
"""


def area(side):
    """Area."""
    return side


class Box:
    def grow(self): return area(1)
    @property
    def size(self) -> int: ...
'''
FILES = {
    "pkg/__init__.py": "from .shapes import area as area\n",
    "pkg/shapes.py": SHAPES,
    "app.py": "import os\nimport pkg\n\npkg.area(1)\nx.area()\n",
}


def _asked(job: str, **arguments: object) -> dict[str, object]:
    return answer({"do": job, "paths": list(FILES), "files": FILES, **arguments})


def test_rename_gives_edits_and_what_was_left() -> None:
    said = _asked("rename", symbol="pkg.area", new_name="surface")

    assert said["ok"]
    assert said["symbol"] == "area"
    assert list(cast("dict[str, object]", said["edits"])) == [
        "app.py",
        "pkg/__init__.py",
        "pkg/shapes.py",
    ]
    assert cast("list[object]", said["left"])[0] == [
        "app.py", 5, 3, "x.area()", "not sure: what stands before the dot cannot be told",
    ]  # fmt: skip


def test_usages_give_places_with_their_roles() -> None:
    (symbol,) = cast("list[dict[str, object]]", _asked("usages", symbol="area")["symbols"])

    roles = [row[4] for row in cast("list[list[object]]", symbol["places"])]
    assert roles == ["use", "import", "import", "definition", "use"]
    assert symbol["unsure"] == [["app.py", 5, 3, "x.area()", ""]]


def test_explain_gives_signature_documentation_and_callers() -> None:
    said = _asked("explain", symbol="area")

    assert said == {
        "ok": True,
        "name": "area",
        "kind": "function",
        "module": "pkg.shapes",
        "place": ["pkg/shapes.py", 7, 5, "def area(side):", ""],
        "signature": "def area(side)",
        "docstring": "Area.",
        "module_docstring": "Shapes.\n\nMore.",
        "members": (),
        "callers": (("app", 1), ("pkg.shapes.Box.grow", 1)),
        "uses": 2,
        "files": 2,
    }
    assert _asked("explain", symbol="Box")["members"] == ("grow(self)", "size -> int")


def test_imports_gives_edits_for_the_named_files() -> None:
    said = _asked("imports", clean=["app.py"])

    assert said["edits"] == {"app.py": [[0, 10, ""]]}
    assert said["places"] == [["app.py", 1, 8, "import os", "os"]]


def test_rewrite_gives_edits_by_language() -> None:
    said = _asked("rewrite", pattern="pkg.area($X)", rewrite="f($X)")

    assert said["languages"] == {
        "python": {
            "edits": {"app.py": [[22, 33, "f(1)"]]},
            "places": [["app.py", 4, 1, "pkg.area(1)", ""]],
        }
    }


def test_identifiers_are_told_from_definitions() -> None:
    files = {"a.go": "func Walk() { Walk() }\n", "b.txt": "Walk"}

    said = answer({"do": "identifiers", "files": files, "name": "Walk"})

    rows = cast("list[list[object]]", said["places"])
    assert [(row[2], row[4]) for row in rows] == [(6, "definition"), (15, "use")]


def test_names_come_from_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class A: ...\n")
    (tmp_path / "folder.py").mkdir()

    assert answer({"do": "names", "root": str(tmp_path)})["names"] == ["A"]


@pytest.mark.parametrize(
    ("job", "arguments", "error"),
    [
        ("rename", {"symbol": "nope", "new_name": "x"}, "No Python symbol 'nope'"),
        ("usages", {"symbol": "a b"}, "not a Python name"),
        ("explain", {"symbol": "aera"}, "Closest: area"),
        ("rewrite", {"pattern": "$X", "rewrite": ""}, "would match any code"),
    ],
)
def test_a_refusal_is_an_answer(job: str, arguments: dict[str, object], error: str) -> None:
    said = _asked(job, **arguments)

    assert not said["ok"]
    assert error in str(said["error"])
