from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.knowledge import parser as parser_module
from turbo_tui.knowledge.chunks import by_lines, by_section
from turbo_tui.knowledge.finding import Finder
from turbo_tui.knowledge.grammars import grammar_of
from turbo_tui.knowledge.parser import Parser
from turbo_tui.knowledge.postings import Postings
from turbo_tui.knowledge.words import asked_terms, stem, terms_of


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[Finder]:
    finder = Finder(tmp_path)
    yield finder
    finder.close()


def test_a_file_that_hangs_its_grammar_is_given_up_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.py").write_text("def fine(): ...\n")
    os.mkfifo(tmp_path / "hangs")  # reading it waits for ever, as such a grammar would
    parser = Parser()
    grammar = grammar_of("a.py")
    assert grammar is not None
    monkeypatch.setattr(parser_module, "PARSE_S", 0.2)

    assert parser.parse(str(tmp_path / "hangs"), grammar) is None
    assert parser.given_up == {str(tmp_path / "hangs")}
    monkeypatch.undo()
    parsed = parser.parse(str(tmp_path / "good.py"), grammar)
    parser.close()

    assert parsed is not None
    assert [each.name for each in parsed[1]] == ["fine"]


def test_what_is_given_up_is_found_by_its_lines(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_module, "PARSE_S", 0.0)
    (tmp_path / "slow.py").write_text("def parse_slowly(): ...\n")

    hits = finder.find("parse_slowly", limit=5)

    assert [hit.path for hit in hits] == ["slow.py"]
    assert finder.state()["given_up"] == ["slow.py"]


def test_only_a_changed_file_is_parsed_again(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"def in_{name[0]}(): ...\n")
    finder.find("in_a", limit=5)
    parsed: list[str] = []
    parse = Parser.parse

    def counted(self: Parser, path: str, grammar: object) -> object:
        parsed.append(Path(path).name)
        return parse(self, path, grammar)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Parser, "parse", counted)
    (tmp_path / "b.py").write_text("def renamed_there(): ...\n")
    while not (hits := finder.find("renamed_there", limit=5)):
        pass  # within a few times what the last walk took

    assert parsed == ["b.py"]
    assert (hits[0].path, hits[0].why[0]) == ("b.py", "defines renamed_there")
    assert finder.find("in_b", limit=5) == []


def test_files_left_for_later_are_found_by_their_lines_until_they_are_taken_in(
    tmp_path: Path, finder: Finder
) -> None:
    for number in range(5):
        (tmp_path / f"m{number}.py").write_text(f"def here_{number}(): ...\n")

    assert finder.find("here_4", limit=5, within_s=-1.0)[0].path == "m4.py"
    assert finder.state()["pending"] == 5
    while finder.prepare(within_s=0.05):
        pass

    assert (finder.state()["pending"], finder.state()["files"]) == (0, 5)
    assert finder.find("here_4", limit=5)[0].why[0] == "defines here_4"


def test_secret_files_are_not_found(tmp_path: Path, finder: Finder) -> None:
    (tmp_path / ".env").write_text("NEEDLE=1\n")
    (tmp_path / "server.key").write_text("NEEDLE\n")
    (tmp_path / ".env.example").write_text("NEEDLE=\n")

    assert [hit.path for hit in finder.find("NEEDLE", limit=9)] == [".env.example"]


def test_a_question_finds_the_file_and_the_lines_that_answer_it(
    tmp_path: Path, finder: Finder
) -> None:
    body = "\n".join(f"def helper_{n}(value):\n    return value + {n}\n" for n in range(80))
    answer = 'def retry_request(client):\n    """Back off before asking again."""\n    wait()\n'
    (tmp_path / "tests").mkdir()
    (tmp_path / "client.py").write_text(f"{body}\n{answer}\n{body}\n")
    (tmp_path / "tests/test_client.py").write_text(f"{answer}\n")
    (tmp_path / "other.py").write_text(body)

    hits = finder.find("how are requests retried with back off", limit=5)

    assert [hit.path for hit in hits[:2]] == ["client.py", "tests/test_client.py"]
    assert hits[0].start_line <= 242 <= hits[0].end_line
    assert hits[0].end_line - hits[0].start_line < 80


def test_words_have_stems_and_names_have_parts() -> None:
    assert terms_of("parseHTTPLines") == ("pars", "http", "lin", "=parsehttplines")
    assert terms_of("parse_http_lines") == terms_of("parseHTTPLines")
    assert stem("retrying") == stem("retries") == stem("retry")
    assert stem("stopped") == stem("stops") == "stop"
    assert stem("validation") == stem("validate") == stem("validating")
    assert asked_terms("how is the parser used in it") == ["pars"]


def test_prose_is_cut_at_its_headings_and_long_files_into_windows() -> None:
    assert by_section(["# A", "", "x", "## B", "y", "```", "# no", "```"]) == [(1, 3), (4, 8)]
    assert by_section(["A", "===", "", "x", "", "B", "---", "y"]) == [(1, 5), (6, 8)]
    assert by_lines(["x"] * 130) == [(1, 60), (61, 120), (121, 130)]
    assert by_lines(["x" * 800] * 3) == [(1, 2), (3, 3)]


def test_a_removed_document_has_no_score() -> None:
    postings = Postings()
    first, second = postings.add(["a", "a", "b"]), postings.add(["a"])
    assert set(postings.scores(["a", "c"])) == {first, second}

    postings.remove(first)

    assert set(postings.scores(["a"])) == {second}
    assert len(postings) == 1
