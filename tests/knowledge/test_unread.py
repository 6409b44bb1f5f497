"""A query while files wait to be read: what may answer it is read before the others."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.knowledge.worker_kit import Log, until
from turbo_tui.knowledge.indexing import parser as parser_module
from turbo_tui.knowledge.indexing.digest import key_of, version
from turbo_tui.knowledge.indexing.tree import SourceFile, SourceTree
from turbo_tui.knowledge.ranking.unread import likely
from turbo_tui.knowledge.service.backlog import Backlog
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning

MANY = 60


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


def test_a_files_name_counts_and_a_filter_leaves_out(tmp_path: Path) -> None:
    waiting = files_in(tmp_path, session_py="a = 1\n", session_md="session\n", other_py="b\n")

    assert paths(likely(waiting, "session lang:python")) == ["session.py"]
    assert likely(waiting, "for the") == []
    assert likely(waiting, "nowhere") == []


def test_what_is_preferred_is_taken_next_and_once(tmp_path: Path) -> None:
    waiting = files_in(tmp_path, **{f"m{number}_py": "x\n" for number in range(6)})
    backlog = Backlog()
    backlog.set(waiting)
    taking = backlog.take()
    first = next(taking)
    last = sorted(waiting, key=lambda file: file.stamp)[:2]

    backlog.prefer([first, *last])
    rest = paths(list(taking))

    assert rest[:2] == paths(last)
    assert sorted([first.path, *rest]) == sorted(paths(waiting))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log(tmp_path)
    monkeypatch.setattr(parser_module, "COMMAND", log.command)
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
    wanted = min(keeper.pending(within_s=60), key=lambda file: file.stamp)  # the last to be read
    name = f"name_{wanted.path[1:-3]}"

    keeper.ready(name, within_s=0.2)  # nothing is read yet, and it does not wait for ever
    assert keeper.finder.find(name, limit=1) == []
    log.leave.touch()
    keeper.ready(name, within_s=60)

    assert keeper.finder.find(name, limit=1)[0].path == wanted.path
    assert keeper.settled(1, within_s=60)
    ahead = parser_module.AHEAD * parser_module.MOST_PROCESSES  # asked for before anybody searched
    assert [Path(path).name for path in log.take()].index(wanted.path) <= ahead
    keeper.ready(name, within_s=0)
