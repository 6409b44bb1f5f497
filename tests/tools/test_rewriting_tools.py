"""Structural replace and import cleaning: files of a stage in, files of a stage out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.remove_unused_imports import RemoveUnusedImports
from turbo_tui.tools.structural_replace import StructuralReplace


def _context(root: Path, files: dict[str, str]) -> ToolContext:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return ToolContext(FolderStage(root), ScriptedAsker(), root)


async def test_a_pattern_is_replaced_across_files_and_listed(tmp_path: Path) -> None:
    context = _context(
        tmp_path, {"a.py": "x.get(1)\n", "p/b.py": "y = d.get('k')  # d.get(2)\n", "c.txt": "get"}
    )

    said = await StructuralReplace().call({"pattern": "$D.get($K)", "rewrite": "$D[$K]"}, context)

    assert (tmp_path / "a.py").read_text() == "x[1]\n"
    assert (tmp_path / "p/b.py").read_text() == "y = d['k']  # d.get(2)\n"
    assert said == (
        "Replaced $D.get($K) with $D[$K]: 2 places in 2 files (python).\n"
        "\n"
        "  a.py:1:1: x.get(1)\n"
        "  p/b.py:1:5: y = d.get('k')  # d.get(2)"
    )


async def test_a_path_narrows_it(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "f(1)\n", "p/b.py": "f(2)\n"})

    await StructuralReplace().call({"pattern": "f($X)", "rewrite": "g($X)", "path": "p"}, context)

    assert (tmp_path / "a.py").read_text() == "f(1)\n"
    assert (tmp_path / "p/b.py").read_text() == "g(2)\n"


async def test_several_languages_need_a_word(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "f(1)\n", "a.js": "f(1)\n"})
    arguments = {"pattern": "f($X)", "rewrite": "g($X)"}

    with pytest.raises(ToolError, match="matches in 2 languages: javascript, python"):
        await StructuralReplace().call(arguments, context)
    await StructuralReplace().call({**arguments, "language": "javascript"}, context)

    assert (tmp_path / "a.py").read_text() == "f(1)\n"
    assert (tmp_path / "a.js").read_text() == "g(1)\n"


async def test_a_long_list_of_places_is_cut(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "f(1)\n" * 30})

    said = await StructuralReplace().call({"pattern": "f($X)", "rewrite": "g($X)"}, context)

    assert said.endswith("  … and 10 more")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"pattern": "g($X)", "rewrite": "h"}, "Nothing in the workspace matches 'g"),
        ({"pattern": "g($X)", "rewrite": "h", "path": "a.py"}, "Nothing in a.py matches"),
        (
            {"pattern": "f($X)", "rewrite": "h", "language": "go"},
            "Nothing go in the workspace .* It does match in: python",
        ),
        ({"pattern": "$X", "rewrite": "h"}, "would match any code"),
        ({"pattern": "f($X)", "rewrite": "h", "path": "no"}, "no file or folder 'no'"),
    ],
)
async def test_what_cannot_be_replaced_says_so_and_changes_nothing(
    tmp_path: Path, arguments: dict[str, object], why: str
) -> None:
    context = _context(tmp_path, {"a.py": "f(1)\n"})

    with pytest.raises(ToolError, match=why):
        await StructuralReplace().call(arguments, context)

    assert (tmp_path / "a.py").read_text() == "f(1)\n"


async def test_unused_imports_are_removed_and_listed(tmp_path: Path) -> None:
    context = _context(
        tmp_path, {"a.py": "import os\nimport re\nre.I\n", "b.py": "import sys\n", "c.txt": "x"}
    )

    said = await RemoveUnusedImports().call({}, context)

    assert (tmp_path / "a.py").read_text() == "import re\nre.I\n"
    assert (tmp_path / "b.py").read_text() == ""
    assert said == "Removed 2 unused imports from 2 files.\n\n  a.py:1: os\n  b.py:1: sys"


async def test_only_the_named_file_is_cleaned(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "import os\n", "b.py": "import sys\n"})

    await RemoveUnusedImports().call({"path": "b.py"}, context)

    assert (tmp_path / "a.py").read_text() == "import os\n"


async def test_a_clean_tree_is_an_answer_and_no_python_an_error(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "x = 1\n", "d/c.txt": "x"})

    assert (await RemoveUnusedImports().call({}, context)).startswith("No unused imports")
    with pytest.raises(ToolError, match="no Python files at 'd'"):
        await RemoveUnusedImports().call({"path": "d"}, context)


async def test_a_long_list_of_imports_is_cut(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": "".join(f"import m{n}\n" for n in range(50))})

    assert "… and 10 more" in await RemoveUnusedImports().call({}, context)
