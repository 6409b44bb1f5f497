from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.knowledge.indexing import parser as parser_module
from turbo_tui.knowledge.indexing import tree as tree_module
from turbo_tui.knowledge.indexing.parser import Parser
from turbo_tui.knowledge.indexing.postings import Postings
from turbo_tui.knowledge.indexing.tree import SourceFile, SourceTree
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.syntax.chunks import by_lines, by_section
from turbo_tui.knowledge.syntax.words import asked_terms, stem, terms_of

HANGS = """
from turbo_tui.knowledge.indexing import digesting

def parse(source, grammar):
    while True:
        pass

digesting.parse = parse
import sys
digesting.serve(sys.stdin.buffer, sys.stdout.buffer)
"""


HANGS_WHEN_READ = """
from turbo_tui.knowledge.indexing import digesting
from turbo_tui.knowledge.indexing.tree import content_of

def hanging(path):
    while path.endswith("hangs.py"):
        pass
    return content_of(path)

digesting.content_of = hanging
import sys
digesting.serve(sys.stdin.buffer, sys.stdout.buffer)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give files up soon; but a reader's start, which counts into its first one, takes its time."""
    before = os.times()
    subprocess.run(parser_module.COMMAND, check=True, stdin=subprocess.DEVNULL)
    after = os.times()
    start_s = sum(after[2:4]) - sum(before[2:4])  # of children
    monkeypatch.setattr(parser_module, "PARSE_S", max(0.5, 4 * start_s))


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[Folder]:
    finder = Folder(tmp_path)
    yield finder
    finder.close()


@pytest.mark.usefixtures("impatient")
def test_a_file_that_cannot_be_read_at_all_is_left_out_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["hangs.py", *(f"good{number}.py" for number in range(6))]
    for name in names:
        (tmp_path / name).write_text("def fine(): ...\n")
    parser = Parser(processes=1)
    monkeypatch.setattr(parser_module, "COMMAND", (sys.executable, "-c", HANGS_WHEN_READ))

    read = {
        each.file.path: each.digest
        for each in parser.read(SourceFile(name, str(tmp_path / name), (0, 0, 0)) for name in names)
    }
    parser.close()

    assert set(read) == set(names)
    assert parser.given_up >= {"hangs.py"}
    assert read.pop("hangs.py") is None
    assert all(each is not None and each.defined[0].name == "fine" for each in read.values())


def test_a_mark_and_old_western_bytes_are_read_as_they_were_meant(
    tmp_path: Path, finder: Folder
) -> None:
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbfdef quokka(): ...\n")
    (tmp_path / "western.py").write_bytes(b"# caf\xe9 \x93quokka\x94 \x81\ndef mend():\n    pass\n")
    (tmp_path / "mixed.txt").write_bytes("quokka ☃ ".encode() + b"caf\xe9\n")

    shown = {hit.path: hit.text for hit in finder.find("quokka", limit=9)}

    assert shown == {
        "marked.py": "def quokka(): ...",
        "western.py": "# café “quokka” \x81",
        "mixed.txt": "quokka ☃ café",
    }
    assert {hit.path for hit in finder.find("café", limit=9)} == {"western.py", "mixed.txt"}


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("one.txt", "a quokka\n", 1),
        ("one.md", "# A quokka\n", 1),
        ("one.html", "<h1>quokka</h1>\n", 1),
        ("one.py", "def quokka(): ...\n", 1),
        ("one.go", "package quokka\n", 1),
        ("three.txt", "quokka\n\n\n", 3),
        ("sixty.txt", "quokka\n" * 60, 60),
        ("open.txt", "a quokka", 1),
        ("open.py", "\n\ndef quokka(): ...", 3),
    ],
)
def test_no_place_names_a_line_that_is_not_there(
    tmp_path: Path, finder: Folder, name: str, text: str, lines: int
) -> None:
    (tmp_path / name).write_text(text)

    spans = [(hit.start_line, hit.end_line) for hit in finder.find("quokka", limit=200)]

    assert spans
    assert all(1 <= first <= last <= lines for first, last in spans)
    assert finder.index.files[name].chunks[-1][1] == lines


@pytest.mark.usefixtures("impatient")
def test_a_file_that_hangs_its_grammar_is_given_up_named_and_found_by_its_words(
    tmp_path: Path,
    finder: Folder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    (tmp_path / "slow.py").write_text("def parse_slowly(): ...\n")
    hang = tmp_path_factory.mktemp("hanging") / "hang.py"
    hang.write_text(HANGS)
    monkeypatch.setattr(parser_module, "COMMAND", (sys.executable, os.fspath(hang)))

    hits = finder.find("parse_slowly", limit=5)

    assert (hits[0].path, hits[0].why[0]) == ("slow.py", "defines parse_slowly")
    assert finder.parser.given_up == {"slow.py"}


def test_a_reader_that_nobody_gives_up_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    alone = subprocess.Popen(
        (sys.executable, "-c", HANGS.replace("import sys", "import sys; digesting.LONGEST_S = 1")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    request = {"path": "a.py", "absolute": str(tmp_path / "a.py"), "plain": False}

    alone.communicate(json.dumps(request).encode() + b"\n", timeout=60)

    assert alone.returncode == -signal.SIGALRM


def test_of_a_tree_without_end_only_so_many_files_are_searched_and_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "MOST_FILES", 3)
    for number in range(3):
        (tmp_path / f"{number}.py").touch()
    found = SourceTree(tmp_path)

    assert (len(found.files()), found.cut) == (3, False)
    (tmp_path / "more.py").touch()
    assert (len(found.files()), found.cut) == (3, True)


def test_only_a_changed_file_is_parsed_again(tmp_path: Path, finder: Folder) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"def in_{name[0]}(): ...\n")
    finder.refresh()
    same = finder.index.files["a.py"]
    (tmp_path / "b.py").write_text("def renamed_there(): ...\n")

    hits = finder.find("renamed_there", limit=5)

    assert (hits[0].path, hits[0].why[0]) == ("b.py", "defines renamed_there")
    assert finder.find("in_b", limit=5) == []
    assert finder.index.files["a.py"] is same


def test_secret_files_are_not_found(tmp_path: Path, finder: Folder) -> None:
    (tmp_path / ".env").write_text("NEEDLE=1\n")
    (tmp_path / "server.key").write_text("NEEDLE\n")
    (tmp_path / ".env.example").write_text("NEEDLE=\n")

    assert [hit.path for hit in finder.find("NEEDLE", limit=9)] == [".env.example"]


def test_a_question_finds_the_file_and_the_lines_that_answer_it(
    tmp_path: Path, finder: Folder
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
    assert [bool(score) for score in postings.scores(["a", "c"])] == [True, True]

    postings.remove(first)

    assert [bool(score) for score in postings.scores(["a", "b"])] == [False, True]
    assert (len(postings), postings.numbers) == (1, 2)
    assert second == 1
