"""A phrase that stands in the files is found, whatever else its words may mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turbo_tui.knowledge.ranking.finding import Folder

MESSAGE = "Connection closed"
Put = Callable[[dict[str, str]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.close()


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(files: dict[str, str]) -> None:
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)

    return write


def places(folder: Folder, query: str, limit: int = 10) -> list[str]:
    return [f"{hit.path}:{hit.start_line}" for hit in folder.find(query, limit=limit)]


def test_a_message_is_found_however_many_definitions_share_a_word_and_however_few_are_asked_for(
    folder: Folder, put: Put
) -> None:
    put({f"m{n}.py": "class Connection:\n    closed = False\n" for n in range(30)})
    put({"wire.py": f'def read(sock):\n    raise OSError("{MESSAGE}")\n'})

    by_limit = [places(folder, MESSAGE, limit) for limit in (1, 3, 10, 40)]

    assert by_limit[0] == ["wire.py:2"]
    assert all(longer[: len(each)] == each for each in by_limit for longer in by_limit[-1:])


def test_a_phrase_in_code_comes_before_one_in_tests_and_in_prose_and_files_take_turns(
    folder: Folder, put: Put
) -> None:
    said = "the channel is closed for good"
    put(
        {
            "CHANGES.md": f"- {said}\n- {said} again\n",
            "tests/test_a.py": f"# {said}\n",
            "a.py": f"# {said}\n\n# {said}\n",
            "b.py": f"# {said}\n",
        }
    )

    found = places(folder, said)

    assert sorted(found[:2]) == ["a.py:1", "b.py:1"]
    assert found[2:5] == ["a.py:3", "tests/test_a.py:1", "CHANGES.md:1"]


def test_a_line_that_holds_a_phrase_in_whole_words_comes_before_longer_words(
    folder: Folder, put: Put
) -> None:
    longer = "".join(f"  def permitted_{n}\n  end\n" for n in range(9))
    put({f"lib/a{n}.rb": "def permit_all\nend\n" for n in range(5)})
    put({"lib/parameters.rb": f"class Parameters\n{longer}  def permit(*filters)\n  end\nend\n"})

    assert places(folder, "def permit")[0] == "lib/parameters.rb:20"


def test_two_words_that_stand_together_everywhere_do_not_hide_what_they_are_about(
    folder: Folder, put: Put
) -> None:
    body = "    reuse = connection\n    return reuse\n"
    put({"lib/connection_reuse.py": f"def can_reuse_connection(connection):\n{body}"})
    put({f"docs/d{n}.md": "On connection reuse.\n" for n in range(20)})
    put({f"lib/n{n}.py": "# see connection reuse\nx = 1\n" for n in range(20)})

    asked = places(folder, "connection reuse")
    quoted = places(folder, '"connection reuse"')

    assert "lib/connection_reuse.py:1" in asked[:5]
    assert asked[0].startswith("lib/n")
    assert all(each.startswith("lib/n") for each in quoted)


@pytest.mark.parametrize("query", [f'"{MESSAGE}"', f' "{MESSAGE}"  lang:py', '"Connection"'])
def test_quotes_around_it_all_are_not_looked_for(folder: Folder, put: Put, query: str) -> None:
    put({"wire.py": f"def read(sock):\n    # {MESSAGE}, so wait\n    sock.wait()\n"})

    assert places(folder, query)[0].startswith("wire.py:")


def test_a_phrase_of_words_that_are_everywhere_is_found_within_one_folder_too(
    folder: Folder, put: Put
) -> None:
    put({f"m{n:03}.py": "# a type, unexpected\n# unexpected, this type\n" for n in range(120)})
    filler = "".join(f"# filler number {n}\n" for n in range(40))
    put({"rare/deep.py": f"{filler}# Unexpected type here\n{filler}"})

    assert places(folder, "Unexpected type")[0] == "rare/deep.py:41"
    assert places(folder, "Unexpected type path:rare/")[0] == "rare/deep.py:41"
