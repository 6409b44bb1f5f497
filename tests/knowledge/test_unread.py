"""A query while files wait to be read: what may answer it is read before the others."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.knowledge.worker_kit import Log, until
from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.indexing import parser as parser_module
from turbo_tui.knowledge.indexing.digest import key_of, version
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.tree import SourceFile, SourceTree
from turbo_tui.knowledge.ranking import finding, unread
from turbo_tui.knowledge.ranking.unread import likely
from turbo_tui.knowledge.service.backlog import Backlog
from turbo_tui.knowledge.service.keeper import MOST_PENDING, Keeper
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning

MANY = 60


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all files looked into, however long that takes."""
    monkeypatch.setattr(unread, "LOOK_S", 60.0)


def files_in(root: Path, **texts: str) -> list[SourceFile]:
    """Write files, `a_py` for a.py; return them as they wait."""
    for name, text in texts.items():
        (root / name.replace("_", ".")).write_text(text)
    return list(SourceTree(root).files().values())


def paths(files: list[SourceFile]) -> list[str]:
    return [file.path for file in files]


@pytest.mark.parametrize(
    "line",
    [
        "def parse(text):",
        "    public static List<Item> parse(String text) {",
        "export async function parse(text) {",
        "func parse(text string) Tree {",
        "static char *parse(const char *text)",
    ],
)
def test_where_a_name_is_defined_comes_before_where_it_is_used(tmp_path: Path, line: str) -> None:
    waiting = files_in(
        tmp_path, a_py="x = parse(1) + parse(2)\n", b_py="reparse = 1\n", z_py=f"{line}\n"
    )

    assert paths(likely(waiting, "parse")) == ["z.py", "a.py", "b.py"]


def test_a_rare_word_counts_more_than_one_that_is_everywhere(tmp_path: Path) -> None:
    common = {f"c{number}_py": "value = cache\n" for number in range(20)}
    waiting = files_in(tmp_path, **common, rare_py="eviction\n", both_py="cache and eviction\n")

    assert paths(likely(waiting, "how does cache eviction work"))[:2] == ["both.py", "rare.py"]


def test_an_import_is_no_definition_and_a_test_comes_after_the_thing(tmp_path: Path) -> None:
    waiting = files_in(
        tmp_path,
        a_py="from shop import Basket\n",
        test_py="class Basket:\n    pass\n",
        z_py="class Basket:\n    pass\n",
    )

    assert paths(likely(waiting, "Basket"))[0] == "z.py"
    assert paths(likely(waiting, "Basket"))[-1] != "z.py"


def test_a_files_name_counts_and_a_filter_leaves_out(tmp_path: Path) -> None:
    waiting = files_in(tmp_path, session_py="a = 1\n", session_md="session\n", other_py="b\n")

    assert paths(likely(waiting, "session lang:python")) == ["session.py"]
    assert likely(waiting, "for the") == []
    assert likely(waiting, "nowhere") == []


def test_a_phrase_as_it_stands_counts_more_than_its_words(tmp_path: Path) -> None:
    apart = {f"c{number}_py": "open a file, all of it\nread it\n" for number in range(9)}
    waiting = files_in(tmp_path, **apart, z_py="they read all of a file\n", marks_py="a != b\n")

    assert paths(likely(waiting, "read all", 1)) == ["z.py"]
    assert paths(likely(waiting, "!=")) == ["marks.py"]


def test_files_that_are_named_are_looked_at_before_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = files_in(tmp_path, **{f"m{number}_py": "run()\n" for number in range(6)})
    monkeypatch.setattr(unread, "LOOK_S", -1.0)

    assert paths(likely(waiting, 'File "/src/m4.py", line 1, in run')) == ["m4.py"]


def test_no_more_lines_are_woven_into_an_answer_than_it_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {f"m{number}_py": "return items\n" * 9 for number in range(30)}
    waiting = files_in(tmp_path, **texts)
    woven: list[Hit] = []
    weave = finding._woven  # pyright: ignore[reportPrivateUsage]

    def counted(*given: Any) -> Generator[Hit]:
        for hit in weave(*given):
            woven.append(hit)
            yield hit

    monkeypatch.setattr(finding, "_woven", counted)

    hits = finding.Finder(Index()).find("return items", limit=5, pending=waiting)

    assert len(hits) == 5
    assert len(woven) <= 6  # each is compared with those before it: they may be 25,000


def test_what_is_preferred_is_taken_next_and_once() -> None:
    waiting = [SourceFile(f"m{at}.py", f"/m{at}.py", (at, 2, at)) for at in range(6)]
    backlog = Backlog()
    backlog.set(waiting)
    taking = backlog.take()
    first = next(taking)
    last = waiting[:2]

    backlog.prefer([first, *last])
    rest = paths(list(taking))

    assert rest[:2] == paths(last)
    assert sorted([first.path, *rest]) == sorted(paths(waiting))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log(tmp_path)
    monkeypatch.setattr(parser_module, "COMMAND", log.command)
    monkeypatch.setattr(parser_module, "MOST_PROCESSES", 1)  # two would overtake one another
    return log


@pytest.fixture
def keeper(tmp_path: Path, log: Log) -> Generator[Keeper]:
    root = tmp_path / "shop"
    root.mkdir()
    texts = {f"m{number}_py": f"def name_{number}(): ...\n" for number in range(MANY)}
    files_in(root, **texts)
    keeper = Keeper(root, Store(tmp_path / "store", version()), Meaning(tmp_path, "", key_of))
    keeper.start()
    yield keeper
    log.leave.touch()
    keeper.stop()


def test_a_first_query_is_answered_as_soon_as_what_it_names_was_read(
    keeper: Keeper, log: Log
) -> None:
    until(lambda: keeper.state().pending == MANY)
    waiting = keeper._backlog.files.values()  # pyright: ignore[reportPrivateUsage]
    wanted = min(waiting, key=lambda file: file.stamp)  # the last to be read
    name = f"name_{wanted.path[1:-3]}"

    assert len(keeper.pending("def")) == MOST_PENDING < MANY
    keeper.ready(name, within_s=0.2)  # nothing is read yet, and it does not wait for ever
    with keeper.turn:
        assert keeper.finder.find(name, limit=1) == []
    log.leave.touch()
    keeper.ready(name, within_s=60)

    with keeper.turn:  # it goes on to read
        assert keeper.finder.find(name, limit=1)[0].path == wanted.path
    assert keeper.settled(1, within_s=60)
    ahead = 2 * parser_module.AHEAD  # asked for before anybody searched, and once the store opened
    assert [Path(path).name for path in log.take()].index(wanted.path) <= ahead
    keeper.ready(name, within_s=0)
