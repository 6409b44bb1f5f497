"""A worker killed at any moment of indexing and updating opens again and loses nothing."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.knowledge.worker_kit import end_worker, helpers, home_in, workers
from turbo_tui.core.errors import ToolError
from turbo_tui.knowledge import store as store_module
from turbo_tui.knowledge.client import Client
from turbo_tui.knowledge.digest import version
from turbo_tui.knowledge.home import Home
from turbo_tui.knowledge.store import Store

FILES = 40
CHANGED = 6  # files, before each kill
LONGEST_S = 2.5  # of work before a kill
SEED = os.environ.get("TURBO_TUI_SEED", "kills")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "shop").mkdir()
    home = replace(home_in(tmp_path, tmp_path / "shop"), model="")
    yield home
    end_worker(home)


def write(home: Home, number: int, turn: int) -> None:
    text = f"def in_{number}_since_{turn}():\n    return {turn}\n\n\n" * 30
    (home.root / f"m{number}.py").write_text(text)


def build_and_kill(home: Home, after_s: float) -> None:
    """Have the index brought up to date, and kill the worker and what it started meanwhile."""
    client = Client(home)

    def build() -> None:
        with suppress(ToolError):
            for _ in client.build():
                pass

    thread = threading.Thread(target=build)
    thread.start()
    thread.join(after_s)
    with suppress(ToolError):
        client.close()
    for worker in workers(home):
        with suppress(psutil.Error):
            family = helpers(worker)
            worker.kill()
            psutil.wait_procs([worker, *family], timeout=60)
    thread.join()
    for worker in workers(home):  # the client was quicker, and had it started anew
        with suppress(psutil.Error):
            worker.kill()
            worker.wait(60)


def kept(home: Home) -> Store:
    store = Store(home.store, version())
    store.open()
    assert store.note == ""
    return store


def prove(home: Home, kills: int) -> None:
    chance = random.Random(SEED)  # noqa: S311
    for number in range(FILES):
        write(home, number, 0)
    acknowledged = Client(home)
    assert [state.files for state in acknowledged.build()][-1] == FILES
    acknowledged.close()
    end_worker(home)
    touched: set[int] = set()

    for turn in range(1, kills + 1):
        for number in chance.sample(range(FILES // 2), CHANGED):
            write(home, number, turn)
            touched.add(number)
        build_and_kill(home, chance.uniform(0, LONGEST_S))

    store = kept(home)
    whole = {key for key, _ in store.get(list(store.keys))}
    for number in set(range(FILES)) - touched:
        stamp, key = store.files[f"m{number}.py"]
        assert stamp[0] == (home.root / f"m{number}.py").stat().st_mtime_ns
        assert key in whole
    store.close()

    client = Client(home)
    last = list(client.build())[-1]
    assert (last.files, last.pending, last.note) == (FILES, 0, "")
    for number in range(FILES):
        name = (home.root / f"m{number}.py").read_text().partition("(")[0].removeprefix("def ")
        assert client.search(name, limit=1)[0].path == f"m{number}.py"
    client.close()
    end_worker(home)
    store = kept(home)
    whole = {key for key, _ in store.get(list(store.keys))}
    assert {key for _, key in store.files.values()} <= whole
    assert len(store.files) == FILES
    store.close()


@pytest.mark.timeout(600)
def test_a_worker_killed_at_some_moments_loses_nothing_that_was_acknowledged(home: Home) -> None:
    prove(home, 8)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_worker_killed_at_a_hundred_moments_loses_nothing_that_was_acknowledged(
    home: Home,
) -> None:
    prove(home, 100)


def test_an_index_of_another_version_is_built_anew_and_said(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    write(home, 1, 0)
    old = Store(home.store, "of long ago")
    old.open()
    assert old.put([("k", [b""] * 5)], [])
    old.close()
    client = Client(home)

    last = list(client.build())[-1]
    client.close()

    assert last.note == store_module.OTHER_VERSION
    assert last.files == 1
