"""Vectors are kept from one worker to the next, and nobody who looks after files waits for that."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.knowledge.tiny_table import MODEL, write_tiny_table
from tests.knowledge.worker_kit import until
from turbo_tui.knowledge.indexing.digest import key_of, version
from turbo_tui.knowledge.service import saving as saving_module
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.storing import snapshot
from turbo_tui.knowledge.storing import store as store_module
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning
from turbo_tui.knowledge.vectors.weights import table_folder

FILES = 20


class CountedMeaning(Meaning):
    """Counts the files that were compared."""

    compared = 0

    def fill(self, *given: object, **more: object) -> list[tuple[str, str, bytes]]:
        rows = super().fill(*given, **more)  # pyright: ignore[reportArgumentType]
        self.compared += len(rows)
        return rows


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_tiny_table(table_folder(tmp_path, MODEL))
    (tmp_path / "shop").mkdir()
    for number in range(FILES):
        (tmp_path / f"shop/m{number}.py").write_text(f"def fetch_{number}(): ...\n")
    return tmp_path


@contextmanager
def kept(base: Path) -> Generator[tuple[Keeper, CountedMeaning, Callable[[], None]]]:
    """Keep the shop; yield as well what waits until all of it is compared."""
    meaning = CountedMeaning(base, MODEL, key_of)
    keeper = Keeper(base / "shop", Store(base / "store", version()), meaning)
    keeper.start()

    def settle() -> None:
        wanted = keeper.look()
        assert keeper.settled(wanted, within_s=60, kept=True)
        until(lambda: keeper.filled(within_s=1))

    try:
        yield keeper, meaning, settle
    finally:
        keeper.stop()


def test_vectors_are_recalled_although_the_files_are_there_before_the_store_is(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(store_module, "FEW_FILES", 1)
    monkeypatch.setattr(saving_module, "LOOK_S", 0.01)
    with kept(base) as (keeper, meaning, settle):
        settle()
        until((base / "store" / snapshot.NAME).exists)
        vectors = keeper._saving._vectors  # pyright: ignore[reportPrivateUsage]  who ends waits 1 s
        until(lambda: not vectors)
    assert meaning.compared == FILES

    with kept(base) as (_, meaning, settle):
        settle()

    assert meaning.compared == 0


def test_a_file_is_taken_in_while_the_store_is_busy_with_the_vectors_of_another(
    base: Path,
) -> None:
    with kept(base) as (keeper, meaning, settle):
        settle()
        busy = keeper._store._process._turn  # pyright: ignore[reportPrivateUsage]
        with busy:
            for turn in range(1, 4):
                (base / "shop/m1.py").write_text(f"def zebra_{turn}(): ...\n")
                assert keeper.settled(keeper.look(), within_s=30)
                until(lambda count=FILES + turn: meaning.compared == count)
        settle()
