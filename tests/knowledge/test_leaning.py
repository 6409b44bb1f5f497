"""What settles close calls: where the user is, what they did before, a trace they paste."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.knowledge.worker_kit import end_worker, home_in
from turbo_tui.core.searching import NOWHERE, Context
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.ranking.leaning import Leaning, imported
from turbo_tui.knowledge.service.habits import HALF_LIFE_S, MOST_FILES, Habits
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.service.text_search import TextSearch

BODY = "def connect(address):\n    '''Open a connection to a server.'''\n    return address\n"
FILES = {
    "mail/session.py": BODY,
    "news/session.py": BODY,
    "news/reader.py": "import os\n\n\ndef read_article(number):\n    return number\n",
    "shop/orders.py": (
        "from mail.session import connect\n\n\ndef place_order():\n    return connect(1)\n"
    ),
    "shop/billing/invoice.py": "def invoice():\n    total = 1\n    return total / 0\n",
    "java/src/com/example/Store.java": (
        "class Store {\n  void open() {\n    throw new Error();\n  }\n}\n"
    ),
}
QUESTION = "how is a connection to a server opened"


def put(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "project", FILES)
    return tmp_path / "project"


@pytest.fixture
def folder(root: Path) -> Iterator[Folder]:
    folder = Folder(root)
    folder.refresh()
    yield folder
    folder.close()


@pytest.fixture
def home(tmp_path: Path, root: Path) -> Iterator[Home]:
    home = home_in(tmp_path, root)
    yield home
    end_worker(home)


@pytest.fixture
async def search(home: Home) -> AsyncIterator[TextSearch]:
    search = TextSearch(home)
    await search.search(QUESTION, complete=True)
    yield search
    await search.close()


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def leaning(folder: Folder, *paths: str, words: str = "") -> Leaning:
    return Leaning(folder.index, Context(paths, words))


def test_a_file_gains_by_how_near_it_is_to_where_the_user_is(folder: Folder) -> None:
    lean = leaning(folder, "shop/orders.py")

    same, imports = lean.of("shop/orders.py"), lean.of("mail/session.py")
    assert (
        same.gain > imports.gain > leaning(folder, "news/reader.py").of("news/session.py").gain > 0
    )
    assert same.why == ("you are at this file",)
    assert imports.why == ("imported by shop/orders.py",)
    assert lean.of("shop/billing/invoice.py").gain == 0


def test_nothing_is_gained_where_the_user_is_nowhere_or_at_an_unknown_file(folder: Folder) -> None:
    for paths in ((), ("gone.py",)):
        assert leaning(folder, *paths).of("mail/session.py").gain == 0


def test_words_of_the_step_speak_for_the_files_that_hold_them(folder: Folder) -> None:
    lean = leaning(folder, words="Count the total of the invoice anew")

    assert lean.of("shop/billing/invoice.py").why == ("words of your step",)
    assert lean.of("java/src/com/example/Store.java").gain == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import { a } from './views/table'\n", "table"),
        ("const b = require('../lib/parser')\n", "parser"),
        ('import (\n\t"example.com/app/store"\n)\n', "store"),
        ("use crate::net::socket;\n", "socket"),
        ('#include "frame.h"\n', "frame"),
        ("require_relative 'x'\nrequire 'rack/utils'\n", "utils"),
    ],
)
def test_import_lines_are_read_in_any_language(text: str, name: str) -> None:
    assert name in imported(text)
    assert "nothing" not in imported(f"{text}nothing = 1\n")


@pytest.mark.parametrize("near", ["mail", "news"])
async def test_of_two_files_alike_the_one_near_the_user_comes_first(
    search: TextSearch, near: str
) -> None:
    context = Context((f"{near}/session.py",))

    first = (await search.search(QUESTION, context=context))[0]

    assert first.path == f"{near}/session.py"
    assert "you are at this file" in first.why


async def test_a_file_that_was_opened_before_comes_first_until_that_is_forgotten(
    search: TextSearch, home: Home
) -> None:
    usual = (await search.search(QUESTION))[0].path
    other = next(p for p in ("mail/session.py", "news/session.py") if p != usual)

    await search.learn("opened", [other, "not/there.py"])
    learnt = (await search.search(QUESTION))[0]

    assert learnt.path == other
    assert "you worked with this before" in learnt.why
    assert list(Habits(home.habits)._held) == [other]  # pyright: ignore[reportPrivateUsage]
    assert home.habits.stat().st_mode & 0o077 == 0
    await search.forget()
    assert not home.habits.exists()
    assert (await search.search(QUESTION))[0].path == usual


async def test_what_was_learnt_outlives_the_worker_and_counts_for_nobody_who_does_not_want_it(
    search: TextSearch, home: Home
) -> None:
    usual = (await search.search(QUESTION))[0].path
    other = next(p for p in ("mail/session.py", "news/session.py") if p != usual)
    await search.learn("landed", [other])
    end_worker(home)
    unlearned = TextSearch(home, learns=False)

    assert (await search.search(QUESTION, complete=True))[0].path == other
    assert (await unlearned.search(QUESTION))[0].path == usual
    await unlearned.learn("landed", [usual])
    assert len(Habits(home.habits)) == 1
    await unlearned.close()


async def test_nothing_is_learnt_and_nothing_fails_where_the_worker_is_not_to_be_had(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    search = TextSearch(replace(home, socket=tmp_path / "file" / "x.sock"))

    await search.learn("opened", ["mail/session.py"])

    await search.close()
    assert not home.habits.exists()


def test_what_was_done_counts_half_after_two_weeks_and_is_forgotten_in_the_end(
    tmp_path: Path,
) -> None:
    clock = Clock()
    habits = Habits(tmp_path / "habits.json", clock)
    habits.learn("landed", ["a.py"])
    habits.learn("opened", ["b.py"])
    begun = habits.of("a.py")

    assert begun > habits.of("b.py") > 0
    clock.now += HALF_LIFE_S
    assert 0 < habits.of("a.py") < begun
    clock.now += 10 * HALF_LIFE_S
    assert habits.of("a.py") == 0
    habits.learn("opened", ["c.py"])
    assert len(habits) == 1


def test_only_so_many_files_are_remembered_those_that_count_most(tmp_path: Path) -> None:
    habits = Habits(tmp_path / "deep" / "habits.json", Clock())
    habits.learn("landed", ["a.py"])
    habits.learn("opened", [f"{number}.py" for number in range(MOST_FILES)])

    assert len(habits) == len(Habits(tmp_path / "deep" / "habits.json", Clock())) == MOST_FILES
    assert habits.of("a.py") > 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "files": {"a": 1}}']
)
def test_a_file_of_habits_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "habits.json"
    file.write_text(text)

    habits = Habits(file)

    assert len(habits) == 0
    habits.learn("opened", ["a.py"])
    assert len(Habits(file)) == 1


def test_habits_that_cannot_be_written_are_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    habits = Habits(tmp_path / "file" / "habits.json")

    habits.learn("pinned", ["a.py"])

    assert habits.of("a.py") > 0


# --- traces -----------------------------------------------------------------------


def test_places_of_a_trace_lead_and_what_its_message_finds_follows(folder: Folder) -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/shop/orders.py", line 5, in place_order\n    return connect(1)\n'
        '  File "/srv/app/shop/billing/invoice.py", line 3, in invoice\n    return total / 0\n'
        '  File "/usr/lib/python3.11/news/reader.py", line 4, in read\n'
        "ConnectionError: the connection to the server cannot be opened\n"
    )

    hits = folder.find(trace, limit=9)

    assert [(hit.path, hit.start_line, hit.end_line, hit.line) for hit in hits[:2]] == [
        ("shop/billing/invoice.py", 1, 3, 3),
        ("shop/orders.py", 4, 5, 5),
    ]
    assert hits[0].why == ("stack trace", "in invoice")
    assert hits[0].text == "return total / 0"
    assert {"mail/session.py", "news/session.py"} <= {hit.path for hit in hits[2:]}


def test_a_class_of_java_is_found_by_its_package(folder: Folder) -> None:
    hit = folder.find("\tat com.example.Store.open(Store.java:3)", limit=1)[0]

    assert (hit.path, hit.line) == ("java/src/com/example/Store.java", 3)


@pytest.mark.parametrize(
    "line",
    [
        'File "/venv/lib/site-packages/session.py", line 1, in connect',
        'File "/venv/lib/site-packages/other/session.py", line 1, in connect',
        'File "/venv/lib/site-packages/py/mail/session.py", line 1, in connect',
        'File "/srv/app/mail/session.py", line 99, in connect',
        'File "/srv/app/other/session.py", line 1, in connect',
        'File "<string>", line 1, in <module>',
    ],
)
def test_a_place_that_is_not_in_the_workspace_is_none(folder: Folder, line: str) -> None:
    assert not [hit for hit in folder.find(line, limit=9) if "stack trace" in hit.why]


@pytest.mark.parametrize(
    ("installed", "ours"),
    [
        ("/usr/lib/python3.11/site-packages/mail/session.py", "mail/session.py"),
        ("/app/node_modules/@news/reader/lib/wire.ts", "packages/reader/lib/wire.ts"),
        ("node_modules/reader/lib/wire.ts", "packages/reader/lib/wire.ts"),
    ],
)
def test_a_trace_of_an_installed_copy_leads_to_ours_after_places_that_are_ours(
    folder: Folder, root: Path, installed: str, ours: str
) -> None:
    put(root, {"packages/reader/lib/wire.ts": "export const a = 1\n"})
    trace = (
        f'  File "{installed}", line 1, in connect\n'
        '  File "/srv/app/shop/orders.py", line 5, in place_order\n'
        f'  File "{installed}", line 1, in connect\nOSError: no\n'
    )

    hits = [hit for hit in folder.find(trace, limit=9) if hit.why[0].startswith("stack trace")]

    assert [hit.path for hit in hits] == ["shop/orders.py", ours]
    assert hits[1].why == ("stack trace of a copy", "in connect")


def test_an_absolute_path_means_that_very_file(folder: Folder, root: Path) -> None:
    hits = folder.find(f'File "{root}/news/session.py", line 2, in connect', limit=1)

    assert [(hit.path, hit.line) for hit in hits] == [("news/session.py", 2)]


def test_a_file_that_is_not_indexed_yet_is_shown_around_the_line(
    folder: Folder, root: Path
) -> None:
    put(root, {"late.py": "a = 1\n" * 60})
    late = folder._tree.files()["late.py"]  # pyright: ignore[reportPrivateUsage]

    hit = folder._finder.find(  # pyright: ignore[reportPrivateUsage]
        'File "/x/late.py", line 30, in f', limit=1, pending=[late], context=NOWHERE
    )[0]

    assert (hit.path, hit.start_line, hit.end_line) == ("late.py", 20, 40)


@pytest.mark.parametrize("query", ["shop/orders.py:5", "orders.py:5:9: error: no such order"])
def test_a_path_with_a_line_leads_there(folder: Folder, query: str) -> None:
    first = folder.find(query, limit=3)[0]

    assert (first.path, first.line) == ("shop/orders.py", 5)
    assert first.why[0] == "the line you named"


def test_what_only_looks_like_a_place_is_searched_as_words(folder: Folder, root: Path) -> None:
    put(root, {"net.py": "HOST = '127.0.0.1:8080'\n"})

    assert [hit.path for hit in folder.find("127.0.0.1:8080", limit=3)] == ["net.py"]


@pytest.mark.parametrize("query", ["mail/long.py", "./mail/long.py", "long.py"])
def test_the_path_of_a_file_leads_to_its_begin(folder: Folder, root: Path, query: str) -> None:
    put(root, {"mail/long.py": "import os\n" + "\n\ndef long(): return 'mail long py'\n" * 90})

    first = folder.find(query, limit=3)[0]

    assert (first.path, first.start_line) == ("mail/long.py", 1)
