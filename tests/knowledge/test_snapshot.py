"""A snapshot gives what the tables would, or nothing."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from turbo_tui.knowledge.indexing.digest import digest, packed
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.tree import SourceFile, Stamp
from turbo_tui.knowledge.storing import snapshot
from turbo_tui.knowledge.storing import store as store_module
from turbo_tui.knowledge.storing.gathering import gather
from turbo_tui.knowledge.storing.snapshot import Block
from turbo_tui.knowledge.storing.store import Store

STAMP: Stamp = (1, 2, 3)


def unparsed(_source: bytes, _grammar: object) -> None:
    """Cut by lines."""


def block(*names: str) -> Block:
    rows = [(f"{name}.py", STAMP, f"key of {name}") for name in names]
    text = "def parse_{0}(text):\n    return {0}\n"
    digests = [
        digest("a.py", text.format(name).encode("utf-8", "replace"), unparsed) for name in names
    ]
    return rows, gather(
        [(path, packed(each)) for (path, _, _), each in zip(rows, digests, strict=True)]
    )


def paths(folder: Path, version: str = "1") -> list[list[str]]:
    return [[path for path, _, _ in rows] for rows, _ in snapshot.read(folder, version)]


def test_what_was_written_is_read_block_by_block(tmp_path: Path) -> None:
    snapshot.write(tmp_path, "1", [block("one", "two"), block("\udcff")])

    read = list(snapshot.read(tmp_path, "1"))

    assert [rows for rows, _ in read] == [block("one", "two")[0], block("\udcff")[0]]
    assert [each.names for _, each in read] == [
        b"parse_one\tfunction\nparse_two\tfunction",
        b"parse_\tfunction",
    ]
    assert paths(tmp_path, version="2") == []


@pytest.mark.parametrize("at", [0, 20, 200, -1])
def test_a_damaged_one_is_read_as_far_as_it_is_whole(tmp_path: Path, at: int) -> None:
    snapshot.write(tmp_path, "1", [block("one")])
    first = (tmp_path / snapshot.NAME).stat().st_size
    snapshot.write(tmp_path, "1", [block("one"), block("two")])
    file = tmp_path / snapshot.NAME
    whole = file.read_bytes()

    damaged = bytearray(whole)
    damaged[first + at if at >= 0 else at] ^= 0xFF
    file.write_bytes(damaged)
    assert paths(tmp_path) == [["one.py"]]

    file.write_bytes(whole[: first + at])
    assert paths(tmp_path) == ([["one.py"]] if at >= 0 else [])


def test_one_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    snapshot.write(tmp_path, "1", [block("one")])

    def until_it_is_full() -> Iterator[Block]:
        yield block("two")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        snapshot.write(tmp_path, "1", until_it_is_full())

    assert paths(tmp_path) == [["one.py"]]
    assert [each.name for each in tmp_path.iterdir()] == [snapshot.NAME]


def test_an_index_takes_only_the_files_of_it_that_are_wanted() -> None:
    rows, gathered = block("one", "two", "three")
    one, two, three = [(SourceFile(path, f"/{path}", stamp), key) for path, stamp, key in rows]
    index = Index()
    held = index.add(*two, digest("two.py", b"other = 1\n", unparsed))

    index.attach([one, None, three], gathered, Lock())

    assert list(index.files) == ["two.py", "one.py", "three.py"]
    assert index.files["two.py"] is held
    assert [index.owner(at) for at in range(4)] == [
        held,
        index.files["one.py"],
        None,
        index.files["three.py"],
    ]
    assert index.defining.paths("=parsetwo") == []
    assert len(index.chunks) == 3
    assert index.chunks.scores(["=parsetwo"]).tolist() == [0, 0, 0, 0]
    assert np_positive(index, "=parsethree") == [3]


def np_positive(index: Index, term: str) -> list[int]:
    return [at for at, score in enumerate(index.chunks.scores([term]).tolist()) if score]


def filled(folder: Path, *, files: int, first: int = 0) -> Store:
    store = Store(folder, "1")
    store.open()
    parts = packed(digest("a.py", b"def parse(): ...\n", unparsed))
    rows = [
        (SourceFile(f"{at}.py", f"/{at}.py", (at, 2, 3)), "k") for at in range(first, first + files)
    ]
    assert store.put([("k", parts)], rows)
    return store


def test_a_store_at_rest_takes_one_of_many_files_and_again_when_some_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(store_module, "FEW_FILES", 20)
    store = filled(tmp_path, files=40)
    store.take_snapshot()
    first = (tmp_path / snapshot.NAME).stat().st_ino
    store.take_snapshot()
    assert (tmp_path / snapshot.NAME).stat().st_ino == first
    store.close()

    store = Store(tmp_path, "1")
    rows = [row for rows, _ in store.snapshot() for row in rows]
    assert sorted(rows)[:2] == [("0.py", (0, 2, 3), "k"), ("1.py", (1, 2, 3), "k")]
    store.open()
    store.take_snapshot()
    assert (tmp_path / snapshot.NAME).stat().st_ino == first
    store.close()

    filled(tmp_path, files=3, first=100).close()
    store = Store(tmp_path, "1")
    assert len([row for rows, _ in store.snapshot() for row in rows]) == 40
    store.open()
    store.take_snapshot()
    assert len([row for rows, _ in store.snapshot() for row in rows]) == 43
    store.close()


def test_a_store_of_another_version_or_that_is_made_anew_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(store_module, "FEW_FILES", 1)
    store = filled(tmp_path, files=5)
    store.take_snapshot()
    store.close()

    other = Store(tmp_path, "2")
    assert list(other.snapshot()) == []
    other.open()
    other.close()

    assert not (tmp_path / snapshot.NAME).exists()
