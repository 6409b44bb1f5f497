"""The rename tool: files of a stage in, files of a stage out, a report a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.rename_symbol import RenameSymbol


def _context(root: Path, **files: str) -> ToolContext:
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text, newline="")
    return ToolContext(FolderStage(root), ScriptedAsker(), root)


async def test_it_writes_the_files_and_says_what_it_did(tmp_path: Path) -> None:
    context = _context(
        tmp_path,
        m__py="def area():\r\n    pass\r\n",
        n__py="import m\nm.area()\nx.area()\nm.area('area')  # area\n",
        README__md="Call `area`.\n",
    )

    said = await RenameSymbol().call({"symbol": "area", "new_name": "surface"}, context)

    assert (tmp_path / "m.py").read_bytes() == b"def surface():\r\n    pass\r\n"
    assert (tmp_path / "n.py").read_text() == (
        "import m\nm.surface()\nx.area()\nm.surface('area')  # area\n"
    )
    assert said == (
        "Renamed area (m.py:1) to surface: 3 places in 2 files.\n"
        "\n"
        "  m.py    1\n"
        "  n.py    2\n"
        "\n"
        "Not sure, left as they are (look at these):\n"
        "  n.py:3:3  x.area()\n"
        "\n"
        "In strings, left as they are:\n"
        "  n.py:4:9  m.area('area')  # area\n"
        "\n"
        "Mentioned in comments, docstrings and documents, left as they are:\n"
        "  README.md  1\n"
        "  n.py  1"
    )


async def test_a_refusal_changes_nothing(tmp_path: Path) -> None:
    context = _context(tmp_path, m__py="def area(): pass\nsurface = 1\n")

    with pytest.raises(ToolError, match="already taken"):
        await RenameSymbol().call({"symbol": "area", "new_name": "surface"}, context)

    assert (tmp_path / "m.py").read_text() == "def area(): pass\nsurface = 1\n"


async def test_a_misspelt_symbol_is_answered_with_the_closest(tmp_path: Path) -> None:
    context = _context(tmp_path, m__py="def area(): pass\n")

    with pytest.raises(ToolError, match=r"No Python symbol 'aera'.*Closest: area"):
        await RenameSymbol().call({"symbol": "aera", "new_name": "surface"}, context)


async def test_another_language_is_pointed_to_structural_replace(tmp_path: Path) -> None:
    context = _context(tmp_path, a__js="function area() {}\n")

    with pytest.raises(ToolError, match=r"no Python files \(most common: \.js\)"):
        await RenameSymbol().call({"symbol": "area", "new_name": "surface"}, context)


async def test_a_missing_argument_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="needs the argument 'new_name'"):
        await RenameSymbol().call({"symbol": "area"}, _context(tmp_path))
