"""The worker compares by meaning, and keeps vectors from one run to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.knowledge.tiny_table import write_tiny_table
from tests.knowledge.worker_kit import end_worker, home_in
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.vectors.weights import table_folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "net.py").write_text("def get():\n    return fetch(http)\n")
    (root / "view.py").write_text("def show():\n    draw(colour)\n")
    (root / "odd.py").write_text("def odd():\n    parse(tree)\n")
    home = home_in(tmp_path, root)
    write_tiny_table(table_folder(home.models, home.model))
    yield home
    end_worker(home)


def found(home: Home, query: str) -> tuple[list[str], str]:
    """Ask a complete index; return paths, and what chunks were compared by."""
    client = Client(home)
    for _ in client.build():
        pass
    paths = [hit.path for hit in client.search(query, limit=5)]
    vectors = client.index.vectors
    client.close()
    return paths, vectors


def test_a_file_that_shares_no_word_with_the_query_is_found(home: Home) -> None:
    assert found(home, "how to paint it") == (["view.py"], "static")
    assert found(home, "where to download it") == (["net.py"], "static")


def test_another_worker_finds_the_same(home: Home) -> None:
    before = found(home, "how to paint it")
    end_worker(home)

    assert found(home, "how to paint it") == before


def test_without_a_table_words_alone_answer(home: Home) -> None:
    bare = replace(home, model="")

    assert found(bare, "how to paint it") == ([], "none")
    assert found(bare, "where to draw it") == (["view.py"], "none")
