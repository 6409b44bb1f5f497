"""What waits to be written: who keeps the index does not wait for it without need."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.service import saving as saving_module
from turbo_tui.knowledge.service.saving import Saving
from turbo_tui.knowledge.storing.store import Store

GONE = 3_000


class Counted(str):
    """A path that counts how often it is compared."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


class ListedStore(Store):
    """A store that keeps a list of files and no more; it writes when it may."""

    def __init__(self, folder: Path, paths: Iterable[str]) -> None:
        super().__init__(folder, "1")
        self.may_write = Event()
        self.files = dict.fromkeys(paths, ((0, 0, 0), ""))

    def open(self) -> None:
        """It is."""

    def put(
        self,
        contents: Sequence[tuple[str, Sequence[bytes]]],
        files: Sequence[tuple[SourceFile, str]],
        gone: Sequence[str] = (),
    ) -> bool:
        assert self.may_write.wait(60)
        del contents
        self.files.update({file.path: (file.stamp, key) for file, key in files})
        for path in gone:
            del self.files[path]
        return True


@contextmanager
def saving_to(store: ListedStore) -> Generator[Saving]:
    over = Event()
    saving = Saving(store, over)
    saving.start()
    try:
        yield saving
    finally:
        store.may_write.set()
        over.set()
        saving.stop()
        assert saving.join(60)


def test_files_that_are_gone_are_not_compared_with_each_other(tmp_path: Path) -> None:
    store = ListedStore(tmp_path, map(Counted, map(str, range(GONE))))
    store.may_write.set()
    with saving_to(store) as saving:
        saving.keep_only([])
        saving.whole(1)

        assert saving.kept(1, within_s=60)

    assert store.files == {}
    assert Counted.compared < 10 * GONE


def test_only_digests_in_memory_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_module, "MOST_UNSAVED", 3)
    store = ListedStore(tmp_path, [])
    files = [SourceFile(f"{number}.py", "", (0, 0, number)) for number in range(20)]
    with saving_to(store) as saving:

        def waited(of: Sequence[SourceFile], key: str, parts: Sequence[bytes]) -> float:
            began = monotonic()
            for file in of:
                saving.add(file, key, parts)
            return monotonic() - began

        monkeypatch.setattr(saving_module, "STUCK_S", 40.0)
        at_once = waited(files, "key", ())  # known by their content: another branch
        at_once += waited(files[:2], "other", [b"digest"])
        monkeypatch.setattr(saving_module, "STUCK_S", 0.2)
        stuck_s = waited(files[2:3], "other", [b"digest"])
        monkeypatch.setattr(saving_module, "STUCK_S", 40.0)
        store.may_write.set()
        saving.whole(1)
        assert saving.kept(1, within_s=60)
        at_once += waited(files[:2], "third", [b"digest"])

    assert stuck_s >= 0.2
    assert at_once < 40.0
