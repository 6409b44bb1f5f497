from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.ranking.names_alike import defines_like


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.close()


def alike(folder: Folder, *paths: str, **rarity: float) -> list[float]:
    folder.refresh()
    return defines_like(folder.index, [folder.index.files[path] for path in paths], rarity)


def test_a_name_counts_by_what_it_shares_with_the_query_of_both(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "one.py").write_text("def parse_match(): ...\ndef match(): ...\n")
    (tmp_path / "two.py").write_text("def read_all(): ...\nparse_match = 1\n")
    (tmp_path / "three.py").write_text("def match_long_lines(): ...\ndef keep_lines(): ...\n")

    found = alike(folder, "two.py", "one.py", "three.py", pars=3.0, match=1.0)

    assert found == [0.0, 1.0, pytest.approx(1 / 4 / 3)]


def test_what_a_file_defines_is_asked_anew_when_it_changed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def parse_match(): ...\n")
    assert alike(folder, "one.py", match=1.0) == [0.5]

    (tmp_path / "one.py").write_text("def parse_none_of_it(): ...\n")

    assert alike(folder, "one.py", match=1.0) == [0.0]


def test_a_definition_is_found_however_its_name_begins(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "def _İstanbul(): ...\ndef İstanbul(): ...\ndef Istanbul(): ...\n"
    )
    folder.refresh()

    found = folder.index.defining

    assert [each.line for each in found.get("=i̇stanbul")["one.py"]] == [1, 2]
    assert [each.line for each in found.get("=istanbul")["one.py"]] == [3]
