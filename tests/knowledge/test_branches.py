"""Branches and clones: what was read once is known by its content, and is not read again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import psutil
import pytest

from tests.knowledge.worker_kit import Log, named, until
from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.indexing import parser as parser_module
from turbo_tui.knowledge.indexing.digest import key_of, version
from turbo_tui.knowledge.service import intake
from turbo_tui.knowledge.service import saving as saving_module
from turbo_tui.knowledge.service.intake import FEW
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.storing import snapshot, store_process
from turbo_tui.knowledge.storing import store as store_module
from turbo_tui.knowledge.storing.family import family_of
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning

FILES = 5 * FEW
GIT = ("git", "-c", "user.name=me", "-c", "user.email=me@example.org")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log(tmp_path)
    monkeypatch.setattr(parser_module, "COMMAND", log.command)
    return log


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a repository whose two branches have no file in common."""
    root = tmp_path / "shop"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for branch in ("main", "other"):
        for number in range(FILES):
            (root / f"m{number}.py").write_text(f"def {branch}_{number}(): ...\n")
        if branch != "main":
            git(root, "checkout", "-q", "-b", branch)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", branch)
    git(root, "checkout", "-q", "main")
    return root


def git(root: Path, *words: str) -> None:
    subprocess.run((*GIT, *words), cwd=root, check=True, capture_output=True)


@contextmanager
def kept(root: Path) -> Generator[Keeper]:
    store = Store(root.parent / "stores" / root.name, version(), family_of(root))
    keeper = Keeper(root, store, Meaning(root.parent, "", key_of))
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def settle(keeper: Keeper, name: str) -> list[str]:
    """Have the files looked at; return where a name is defined then."""
    wanted = keeper.look()
    until(lambda: keeper.settled(wanted, within_s=1, kept=True))
    return [hit.path for hit in found(keeper, name)[:1]]


def found(keeper: Keeper, query: str) -> list[Hit]:
    """Search as the worker does: what is noticed late is not taken in meanwhile."""
    with keeper.turn:
        return keeper.finder.find(query, limit=9)


def test_a_branch_that_was_read_once_is_not_read_again(
    shop: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FEW", 0)  # a look amid a checkout finds few of its files
    log.leave.touch()
    with kept(shop) as keeper:
        assert settle(keeper, "main_7") == ["m7.py"]
        assert len(log.take()) == FILES
        git(shop, "checkout", "-q", "other")
        assert settle(keeper, "other_7") == ["m7.py"]
        log.take()

        for branch in ("main", "other"):
            git(shop, "checkout", "-q", branch)
            assert settle(keeper, f"{branch}_7") == ["m7.py"]
            assert found(keeper, "main_7 other_7")[0].why[0] == f"defines {branch}_7"

        assert len(log.take()) < FEW  # of twice all: what git was writing as it was looked at


@pytest.mark.parametrize("at_once", [1, 10 * FILES])
def test_a_switch_of_more_files_than_wait_to_be_saved_does_not_wait_for_itself(
    shop: Path, log: Log, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    log.leave.touch()
    for module, name, value in (
        (intake, "MANY_FILES", at_once),
        (saving_module, "BATCH_FILES", 4),
        (saving_module, "MOST_UNSAVED", 8),
        (saving_module, "STUCK_S", 600.0),
    ):
        monkeypatch.setattr(module, name, value)

    with kept(shop) as keeper:
        for branch in ("main", "other", "main"):
            git(shop, "checkout", "-q", branch)
            assert settle(keeper, f"{branch}_7") == ["m7.py"]


def test_files_are_read_while_the_store_that_knows_them_hangs(
    shop: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.leave.touch()
    with kept(shop) as keeper:
        for branch in ("main", "other"):
            git(shop, "checkout", "-q", branch)
            settle(keeper, f"{branch}_7")
        log.take()
        monkeypatch.setattr(store_process, "READING", store_process.Limits(0.5, 60.0))
        place = str(shop.parent / "stores" / shop.name)
        (helper,) = named(place, psutil.Process().children())
        helper.suspend()

        git(shop, "checkout", "-q", "main")

        assert settle(keeper, "main_7") == ["m7.py"]
        assert len(set(log.take())) == FILES  # one that was half written at first is read again


def test_a_clone_does_not_read_what_another_one_did(shop: Path, log: Log, tmp_path: Path) -> None:
    for name in ("one", "two"):
        git(tmp_path, "clone", "-q", str(shop), name)
    log.leave.touch()
    with kept(tmp_path / "one") as keeper:
        settle(keeper, "main_7")
    log.take()
    log.leave.unlink()

    with kept(tmp_path / "two") as keeper:
        saving = keeper._saving  # pyright: ignore[reportPrivateUsage]
        until(saving.opened.is_set)
        log.leave.touch()
        assert settle(keeper, "main_7") == ["m7.py"]

    ahead = parser_module.AHEAD * parser_module.MOST_PROCESSES  # asked for before it was opened
    assert len(log.take()) <= ahead


class WaitingStore(Store):
    """A store whose tables take their time to be opened."""

    leave: Event

    def open(self) -> None:
        assert self.leave.wait(60)
        super().open()


@pytest.fixture
def left_ready(shop: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store of a worker that had nothing to do for a while before it ended."""
    monkeypatch.setattr(store_module, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(store_module, "FEW_FILES", FEW)
    monkeypatch.setattr(saving_module, "LOOK_S", 0.01)
    log.leave.touch()
    store = shop.parent / "stores" / shop.name
    with kept(shop) as keeper:
        settle(keeper, "main_7")
        until((store / snapshot.NAME).exists)
    log.take()
    return store


def test_what_a_worker_left_ready_is_there_before_the_tables_are(
    shop: Path, log: Log, left_ready: Path
) -> None:
    (shop / "m7.py").write_text("def main_8(): ...\n")
    (shop / "m8.py").unlink()
    store = WaitingStore(left_ready, version())
    store.leave = Event()
    keeper = Keeper(shop, store, Meaning(shop.parent, "", key_of))
    keeper.start()

    assert keeper.settled(1, within_s=60)
    places = [found(keeper, name)[0].path for name in ("main_8", "main_9")]
    held = set(keeper.index.files)
    store.leave.set()
    assert settle(keeper, "main_8") == ["m7.py"]
    keeper.stop()

    assert places == ["m7.py", "m9.py"]
    assert held == {f"m{number}.py" for number in range(FILES)} - {"m8.py"}
    assert log.take() == [str(shop / "m7.py")]


def test_tables_that_are_gone_are_filled_again_behind_what_was_left_ready(
    shop: Path, left_ready: Path
) -> None:
    shutil.rmtree(left_ready / "tables")

    with kept(shop) as keeper:
        assert settle(keeper, "main_7") == ["m7.py"]
        until(lambda: len(keeper._store.files) == FILES)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.usefixtures("left_ready")
def test_what_was_left_ready_on_a_quite_other_branch_is_not_taken(shop: Path) -> None:
    git(shop, "checkout", "-q", "other")

    with kept(shop) as keeper:
        assert settle(keeper, "other_7") == ["m7.py"]

        assert keeper.index.chunks.numbers == len(keeper.index.chunks) == FILES
