"""A query that finds nothing for a plain cause is told the cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.knowledge.ranking.causes import cause_of
from turbo_tui.knowledge.ranking.finding import Folder

FILES = {"src/a.py": "def retry():\n    pass\n", "src/b.py": "", "README.md": "# Retry\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    folder = Folder(tmp_path)
    folder.refresh()
    yield folder
    folder.close()


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("lang:rust retry", "No file here is lang:rust; there are py, md."),
        ("path:docs/ retry", "No file here is path:docs/."),
        ("lang:py kind:docs retry", "No file here meets all these filters."),
        ("lang:py", "Only filters were given: add a word to look for."),
        ("like:nowhere.py:3", "There is no file nowhere.py in the index."),
        ("like:src/a.py:999", "src/a.py has 3 lines only."),
        ("*", "There is no word in it to look for."),
        (
            "the of and",
            "Words that every text has find nothing by themselves: add one that tells more.",
        ),
        (
            'File "/app/x.py", line 3, in f\nValueError: no',
            "None of the files in this stack trace is in the workspace.",
        ),
        ("zebra", ""),
        ("zebra lang:py", ""),
    ],
)
def test_a_query_without_an_answer_has_its_plain_cause_said(
    folder: Folder, query: str, cause: str
) -> None:
    assert cause_of(folder.index, query) == cause
    assert folder.find(query, limit=10) == []


def test_a_folder_without_files_is_said_to_be_one(tmp_path: Path) -> None:
    empty = Folder(tmp_path)
    empty.refresh()

    assert cause_of(empty.index, "x").startswith("No file here is searched")
    empty.close()
