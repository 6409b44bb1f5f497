"""A worker killed at any moment of indexing and updating opens again and loses nothing.

What a build acknowledged is on disk after each kill, as is what was learnt; the next worker repairs
the rest without a word, and answers at the end as one does that read everything anew.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.knowledge.worker_kit import end_worker, helpers, home_in, named, until, workers
from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import IndexState
from turbo_tui.knowledge.indexing.digest import key_of, unpacked, version
from turbo_tui.knowledge.indexing.tree import stamp_of
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.habits import Habits
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.storing import store as store_module
from turbo_tui.knowledge.storing.database import Database
from turbo_tui.knowledge.storing.family import VERSION_FILE
from turbo_tui.knowledge.storing.store import Store

FILES = 40
CHANGED = 5  # files, before each kill; one goes, one comes, one moves besides
SEED = os.environ.get("TURBO_TUI_SEED", "kills")
FROM_NOTHING = 0.2  # of all times, the index is begun anew
WITH_HELPERS = 0.3  # of all times, what the worker started is killed with it
LATEST = 1.3  # kills, as a share of the time that a build takes


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "shop").mkdir()
    home = replace(home_in(tmp_path, tmp_path / "shop"), model="")
    yield home
    end_worker(home)


@dataclass
class Work:
    """Someone who works on files and has them indexed, and what he was told is on disk."""

    home: Home
    chance: random.Random
    turn: int = 0
    builds_s: list[float] = field(default_factory=list[float])
    acknowledged: dict[str, str] = field(default_factory=dict[str, str])  # path -> key
    learnt: set[str] = field(default_factory=set[str])
    notes: set[str] = field(default_factory=set[str])

    def write(self, name: str) -> None:
        function = f"{Path(name).stem}_in_{self.turn}"
        text = f"def {function}():\n    return {self.turn}\n\n\n" * 30
        (self.home.root / name).write_text(text)
        self.acknowledged.pop(name, None)

    def files(self) -> list[Path]:
        return sorted(self.home.root.glob("*.py"))

    def change(self) -> None:
        self.turn += 1
        gone, moved, *changed = self.chance.sample(self.files(), CHANGED + 2)
        for each in changed:
            self.write(each.name)
        gone.unlink()
        moved.rename(moved.with_name(f"moved{self.turn}.py"))
        for each in (gone, moved):
            self.acknowledged.pop(each.name, None)
        self.write(f"new{self.turn}.py")

    def build(self, client: Client) -> None:
        """Learn something and have everything indexed; take note of what is acknowledged."""
        began = time.monotonic()
        files = self.files()
        client.learn("opened", [files[0].name])
        self.learnt.add(files[0].name)
        for state in client.build():
            self.notes.add(state.note)
        self.acknowledged = {each.name: key_of(each.name, each.read_bytes()) for each in files}
        self.builds_s.append(time.monotonic() - began)

    def build_and_kill(self) -> None:
        typical_s = sum(self.builds_s[-3:]) / len(self.builds_s[-3:])
        client = Client(self.home)

        def build() -> None:
            with suppress(ToolError):
                self.build(client)

        thread = Thread(target=build)
        thread.start()
        thread.join(self.chance.uniform(0, LATEST * typical_s))
        client.close()
        self.kill()
        thread.join()
        self.kill()  # the client was quicker, and had it started anew

    def kill(self) -> None:
        for worker in workers(self.home):
            with suppress(psutil.Error):
                family = helpers(worker) if self.chance.random() < WITH_HELPERS else []
                for each in (worker, *family):
                    each.kill()
                worker.wait(60)

    def begin_anew(self) -> None:
        # A helper that was started just before the kill may not even hold its lock yet.
        until(lambda: not named(os.fspath(self.home.store), psutil.process_iter()))
        shutil.rmtree(self.home.store)
        self.acknowledged = {}

    def check(self) -> None:
        """See that what was acknowledged lies on disk, whole."""
        if not (self.home.store / VERSION_FILE).exists():  # reading must not make it whole
            assert not self.acknowledged
            return
        with (self.home.store / "writing").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the helper may still be at its last request
            database = Database(self.home.store)
            files, keys = database.open(version())
            found = dict(pair for some in database.contents(keys or [""]) for pair in some)
        assert {row[-1] for row in files.values()} <= found.keys()
        assert all(unpacked(parts).chunks for parts in found.values())
        for name, key in self.acknowledged.items():
            assert files[name] == (name, *(stamp_of(str(self.home.root / name)) or ()), key)
        assert all(Habits(self.home.habits).of(name) for name in self.learnt)


def answers(home: Home, queries: list[str]) -> tuple[IndexState, list[list[tuple[object, ...]]]]:
    """Ask a complete index; the last is what it says of itself."""
    client = Client(home, learns=False)
    found = [
        [
            (hit.path, hit.start_line, hit.end_line, round(hit.score, 4), hit.why)
            for hit in client.search(query, limit=20, complete=True)
        ]
        for query in queries
    ]
    client.close()
    return replace(client.index, age_s=0.0), [sorted(each) for each in found]


def prove(home: Home, kills: int, seed: str = SEED) -> None:
    work = Work(home, random.Random(seed))  # noqa: S311
    for number in range(FILES):
        work.write(f"m{number}.py")
    client = Client(home)
    for _ in range(2):  # from nothing, and once that is done
        work.build(client)
        work.change()
    client.close()
    end_worker(home)

    for _ in range(kills):
        if work.chance.random() < FROM_NOTHING and home.store.exists():
            work.begin_anew()
        work.change()
        work.build_and_kill()
        work.check()

    names = [each.read_text().partition("(")[0].removeprefix("def ") for each in work.files()]
    queries = [*names[::5], "return", "moved", f"what is new in {work.turn}"]
    found = answers(home, queries)
    fresh = replace(home_in(home.root.parent / "fresh", home.root), model="")
    assert found == answers(fresh, queries)
    end_worker(fresh)
    assert (found[0].files, found[0].pending, found[0].note) == (FILES, 0, "")
    assert work.notes == {""}

    client = Client(home)
    work.build(client)
    client.close()
    end_worker(home)
    work.check()
    assert len(work.acknowledged) == FILES


def test_a_worker_killed_at_some_moments_loses_nothing_that_was_acknowledged(home: Home) -> None:
    prove(home, 4)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("half", ["first", "second"])
def test_a_worker_killed_at_a_hundred_moments_loses_nothing_that_was_acknowledged(
    home: Home, half: str
) -> None:
    prove(home, 50, f"{SEED} {half}")


def test_an_index_of_another_version_is_built_anew_and_said(home: Home) -> None:
    (home.root / "a.py").write_text("def here(): ...\n")
    old = Store(home.store, "of long ago")
    old.open()
    assert old.put([("k", [b""] * 5)], [])
    old.close()
    client = Client(home)

    last = list(client.build())[-1]
    client.close()

    assert last.note == store_module.OTHER_VERSION
    assert last.files == 1
