"""The index asked from within a step: places with their lines as the step has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.core.searching import NOWHERE, Context, Hit
from turbo_tui.tools.search_code import MOST_CHARS, MOST_LINES, SearchCode


class Finds:
    """A search that always finds the same."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = list(hits)

    async def search(self, query: str, *, limit: int = 20, context: Context = NOWHERE) -> list[Hit]:
        del query, context
        return self._hits[:limit]


def context(folder: Path, *hits: Hit) -> ToolContext:
    return ToolContext(FolderStage(folder), ScriptedAsker(), folder, search=Finds(hits))


async def test_a_place_is_shown_as_the_step_has_it_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\n\ndef parse():\n    return 'the step wrote this'\n")
    hit = Hit("a.py", 3, 4, 1.0, "def parse():", ("defines parse", "file name"))

    answer = await SearchCode().call({"query": "parse"}, context(tmp_path, hit))

    assert answer == (
        "a.py:3-4  (defines parse · file name)\n"
        "3| def parse():\n4|     return 'the step wrote this'"
    )


async def test_what_is_gone_binary_or_cut_off_in_the_step_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    (tmp_path / "short.py").write_text("a = 1\n")
    hits = (Hit(name, 9, 9, 1.0, "") for name in ("gone.py", "b.bin", "short.py"))

    answer = await SearchCode().call({"query": "parse"}, context(tmp_path, *hits))

    assert answer == "Nothing was found for 'parse'. Try search_text."


async def test_long_places_are_cut_and_many_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"{'x' * 250}\n" * 2_000)
    hits = [Hit("a.py", 1 + 100 * n, 99 + 100 * n, 1.0, "") for n in range(5)]

    answer = await SearchCode().call({"query": "x"}, context(tmp_path, *hits))

    assert answer.startswith(f"a.py:1-{MOST_LINES}\n")
    assert answer.endswith("[4 more places left out; ask for fewer]")
    assert len(answer) < MOST_CHARS + 100


async def test_without_an_index_the_model_is_told_what_works(tmp_path: Path) -> None:
    nowhere = ToolContext(FolderStage(tmp_path), ScriptedAsker(), tmp_path)

    with pytest.raises(ToolError, match="Use search_text"):
        await SearchCode().call({"query": "parse"}, nowhere)
