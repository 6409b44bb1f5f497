"""Usages and explanations: read-only answers that a person reads as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.engine.approval import Asks, no_rules
from turbo_tui.engine.gating import GatedStage
from turbo_tui.tools.explain_symbol import ExplainSymbol
from turbo_tui.tools.find_usages import FindUsages

SHAPES = '''\
"""Shapes and their sizes.

More.
"""
import functools

__all__ = ["area"]


@functools.cache
def area(
    side: int,
    *,
    scale: float = 1.0,  # a factor
) -> float:
    """Return the area.

    In square metres.
    """
    return side * scale


class Box:
    """A box."""

    def __init__(self):
        self.size = area(2)

    @property
    def volume(self) -> float:
        return area(3) * 2

    def grow(self, by: int = 1) -> "Box":
        return self

    def _hidden(self): ...


LIMIT = area(1)
'''
APP = "from shapes import Box, area as measure\n\nmeasure(1)\nthing.area()\nBox().grow()\n"
SCRIPT = '// area\nfunction area(a) { return area.b(a, "area") }\n'


def _context(root: Path) -> ToolContext:
    (root / "shapes.py").write_text(SHAPES)
    (root / "app.py").write_text(APP)
    (root / "page.js").write_text(SCRIPT)
    (root / "data.bin").write_bytes(b"\0area")
    return ToolContext(FolderStage(root), ScriptedAsker(), root)


async def test_usages_are_grouped_and_each_is_a_place(tmp_path: Path) -> None:
    said = await FindUsages().call({"symbol": "area"}, _context(tmp_path))

    assert said == (
        "area: 4 uses in 2 files, and 1 place that is not sure.\n"
        "\n"
        "Defined\n"
        "  shapes.py:11:5: def area(\n"
        "\n"
        "Exported\n"
        '  shapes.py:7:13: __all__ = ["area"]\n'
        "\n"
        "Imported\n"
        "  app.py:1:25: from shapes import Box, area as measure\n"
        "\n"
        "Used (4)\n"
        "  app.py:3:1: measure(1)\n"
        "  shapes.py:27:21: self.size = area(2)\n"
        "  shapes.py:31:16: return area(3) * 2\n"
        "  shapes.py:39:9: LIMIT = area(1)\n"
        "\n"
        "Not sure (what stands before the dot cannot be told)\n"
        "  app.py:4:7: thing.area()\n"
        "\n"
        "area in other languages: 1 use in 1 file.\n"
        "\n"
        "Defined\n"
        '  page.js:2:10: function area(a) { return area.b(a, "area") }\n'
        "\n"
        "Used\n"
        '  page.js:2:27: function area(a) { return area.b(a, "area") }'
    )


async def test_a_file_of_secrets_is_passed_over(tmp_path: Path) -> None:
    context = _context(tmp_path)
    (tmp_path / ".envrc").write_text("export KEY=area\n")
    guarded = GatedStage(context.stage, no_rules, Asks(lambda _event, _by: None), "s1")

    said = await FindUsages().call({"symbol": "area"}, replace(context, stage=guarded))

    assert "shapes.py:11" in said
    assert ".envrc" not in said


async def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    said = await FindUsages().call({"symbol": "area", "limit": 1}, _context(tmp_path))

    assert "Used (4)\n  app.py:3:1: measure(1)\n  … and 3 more" in said


async def test_a_function_is_explained(tmp_path: Path) -> None:
    said = await ExplainSymbol().call({"symbol": "area"}, _context(tmp_path))

    assert said == (
        "area — function in shapes\n"
        "shapes.py:11\n"
        "\n"
        "  @functools.cache\n"
        "  def area(\n"
        "      side: int,\n"
        "      *,\n"
        "      scale: float = 1.0,  # a factor\n"
        "  ) -> float\n"
        "\n"
        "  Return the area.\n"
        "\n"
        "  In square metres.\n"
        "\n"
        "Used 4 times in 2 files\n"
        "  app                    1\n"
        "  shapes                 1\n"
        "  shapes.Box.__init__    1\n"
        "  shapes.Box.volume      1\n"
        "\n"
        "About shapes\n"
        "  Shapes and their sizes."
    )


async def test_a_class_shows_its_public_methods(tmp_path: Path) -> None:
    said = await ExplainSymbol().call({"symbol": "Box"}, _context(tmp_path))

    assert "Box — class in shapes\nshapes.py:23\n\n  class Box\n\n  A box.\n" in said
    assert "Public methods (2)\n  volume -> float\n  grow(self, by: int = 1)" in said


async def test_a_method_and_a_constant_are_explained(tmp_path: Path) -> None:
    context = _context(tmp_path)

    grown = await ExplainSymbol().call({"symbol": "grow"}, context)
    limit = await ExplainSymbol().call({"symbol": "shapes.LIMIT"}, context)

    assert grown.startswith("Box.grow — method in shapes\n")
    assert "(no docstring)" in grown
    assert "Used 1 time in 1 file\n  app    1" in grown
    assert "LIMIT — constant in shapes\nshapes.py:39\n\n  LIMIT = area(1)\n" in limit
    assert "Nothing in this project uses it." in limit


async def test_another_language_is_explained_by_name(tmp_path: Path) -> None:
    context = _context(tmp_path)
    (tmp_path / "main.go").write_text("package main\n\nfunc Walk() { Walk() }\n")

    said = await ExplainSymbol().call({"symbol": "Walk"}, context)

    assert said.startswith("Walk — found by name, not resolved by meaning\n\n  main.go:3:6\n")


@pytest.mark.parametrize("tool", [FindUsages(), ExplainSymbol()])
async def test_an_unknown_name_is_answered_with_the_closest(
    tool: FindUsages | ExplainSymbol, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=r"No Python symbol 'aera'.*Closest: area"):
        await tool.call({"symbol": "aera"}, _context(tmp_path))


@pytest.mark.parametrize("tool", [FindUsages(), ExplainSymbol()])
async def test_a_project_without_the_name_or_python_says_so(
    tool: FindUsages | ExplainSymbol, tmp_path: Path
) -> None:
    (tmp_path / "a.js").write_text("let b = 1\n")
    context = ToolContext(FolderStage(tmp_path), ScriptedAsker(), tmp_path)

    with pytest.raises(ToolError, match="Nothing in this project is called 'zzz'"):
        await tool.call({"symbol": "zzz"}, context)


async def test_an_ambiguous_symbol_is_listed_whole_but_not_explained(tmp_path: Path) -> None:
    context = _context(tmp_path)
    (tmp_path / "other.py").write_text("def area(): pass\n")

    usages = await FindUsages().call({"symbol": "area"}, context)

    assert "other.py:1:5: def area(): pass" in usages
    assert "shapes.py:11:5: def area(" in usages
    with pytest.raises(ToolError, match="could mean 2 things"):
        await ExplainSymbol().call({"symbol": "area"}, context)
