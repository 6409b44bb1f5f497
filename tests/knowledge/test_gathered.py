"""Files that come from the store all at once are as if they had been taken in one by one."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from threading import Event, Lock

import numpy as np
import pytest

from turbo_tui.knowledge.indexing import postings
from turbo_tui.knowledge.indexing.digest import digest, key_of, packed, unpacked
from turbo_tui.knowledge.indexing.gathered import unpacked as all_of
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.parser import Parser, Read
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.ranking.asked import ask
from turbo_tui.knowledge.ranking.features import candidates
from turbo_tui.knowledge.service import intake
from turbo_tui.knowledge.service import keeper as keeper_module
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.storing.gathering import gather
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning

TEXTS = {
    "parser/line.py": "def parse_line(text):\n    return text.split()\n",
    "parser/page.py": "class Page:\n    lines = 1\n\ndef parse_page(page):\n    return Page()\n"
    * 40,
    "read me.md": "# Lines\n\nA parser reads lines.\n\n# Größe\n\nünïcode\n",
    "empty.txt": "",
}
TERMS = ("pars", "lin", "=parseline", "pag", "größ", "md", "nowhere", "")


def file(path: str) -> SourceFile:
    return SourceFile(path, f"/{path}", (1, 2, 3))


def rows() -> list[tuple[str, list[bytes]]]:
    made = (
        (path, digest(path, text.encode(), lambda _source, _grammar: None))
        for path, text in TEXTS.items()
    )
    return [(path, packed(each)) for path, each in made]


def added() -> Index:
    index = Index()
    for path, parts in rows():
        index.add(file(path), "key", unpacked(parts))
    return index


def attached(*, before: int = 0) -> Index:
    index = Index()
    several = rows()
    for path, parts in several[:before]:
        index.add(file(path), "key", unpacked(parts))
    gathered = all_of([bytes(part) for part in gather(several[before:]).packed()])
    index.attach([(file(path), "key") for path, _ in several[before:]], gathered, Lock())
    return index


def told(index: Index) -> tuple[object, ...]:
    """Return all that answers hang on."""
    return (
        {path: (each.chunks, each.first, each.defined) for path, each in index.files.items()},
        {path: (each.name_terms, each.folder_terms) for path, each in index.files.items()},
        [index.defining.get(name) for name in ("=parseline", "=page", "=nowhere")],
        index.chunks.frequencies(TERMS),
        list(index.firsts),
        [index.chunks.frequency(term) for term in TERMS],
        [sorted(index.chunks.holding(term).tolist()) for term in TERMS],
        [index.chunks.scores([term]).round(4).tolist() for term in TERMS],
        [sorted(index.chunks.spelled(letters, 99)) for letters in ("pa", "ö", "=", "zzz")],
    )


@pytest.mark.parametrize("before", [0, 1, 3])
def test_files_taken_in_at_once_are_as_if_added_one_by_one(before: int) -> None:
    assert told(attached(before=before)) == told(added())


def test_what_is_attached_is_never_looked_through_for_garbage() -> None:
    frozen = gc.get_freeze_count()

    index = attached()

    assert index.files
    assert gc.get_freeze_count() > frozen
    assert gc.isenabled()


def test_they_are_removed_replaced_and_packed_like_others() -> None:
    indexes = added(), attached()
    page = unpacked(rows()[1][1])
    for index in indexes:
        index.remove("parser/line.py")
        index.add(file("parser/page.py"), "other", page)
        index.pack(Lock())

    assert told(indexes[1])[:-1] == told(indexes[0])[:-1]  # terms that nothing holds are no harm
    assert indexes[1].chunks.frequency("=parseline") == 0


def test_a_term_of_the_path_counts_in_each_chunk_beside_those_of_the_text() -> None:
    index = attached()

    found = candidates(index, ask("page"))

    page = next(each for each in found if each.known.file.path == "parser/page.py")
    assert len(page.known.chunks) > 1
    assert np.count_nonzero(page.fits) == len(page.known.chunks)


def test_the_store_gives_every_file_of_a_content_and_none_that_it_has_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "1")
    store.open()
    path, parts = rows()[0]
    store.put([("k", parts)], [(file(path), "k"), (file("copy.py"), "k")])

    found = list(store.gather([(path, "k"), ("copy.py", "k"), ("gone.py", "other")]))

    assert [which for which, _ in found] == [[0, 1]]
    assert list(found[0][1].chunks()) == [((1, 2),)] * 2
    store.close()


def test_what_is_damaged_in_the_store_is_no_answer(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "1")
    store.open()
    store.put([("k", [b"?"] * 5)], [(file("a.py"), "k")])

    assert list(store.gather([("a.py", "k")])) == []
    store.close()


class LateParser(Parser):
    """Reads nothing before the store is open."""

    def __init__(self, there: Event, over: Event) -> None:
        super().__init__(over=over)
        self._there = there

    def read(self, files: Iterable[SourceFile]) -> Generator[Read, None, None]:
        if not self._there.is_set():
            self._there.wait(60)
            return
        yield from super().read(files)


class ToldStore(Store):
    """Says when it is open."""

    there: Event

    def open(self) -> None:
        super().open()
        self.there.set()


def test_a_workspace_that_is_opened_again_takes_its_files_in_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FEW", 0)
    monkeypatch.setattr(intake, "MANY_FILES", 3)
    root = tmp_path / "project"
    for path, text in TEXTS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    there = Event()

    def kept() -> Keeper:
        store = ToldStore(tmp_path / "store", "1")
        store.there = there
        keeper = Keeper(root, store, Meaning(tmp_path / "models", "", key_of))
        keeper.start()
        assert keeper.settled(keeper.look(), within_s=60, kept=True)
        return keeper

    first = kept()
    expected = first.finder.find("parse the page", limit=9)
    first.stop()
    (root / "parser/line.py").write_text("def parse_line(text):\n    return text.split(1)\n")
    there.clear()
    monkeypatch.setattr(keeper_module, "Parser", partial(LateParser, there))
    again = kept()

    found = again.finder.find("parse the page", limit=9)
    again.stop()
    assert again.index.chunks.blocks == 1
    assert again.index.files.keys() == first.index.files.keys()
    assert [hit.path for hit in found] == [hit.path for hit in expected]


def test_the_terms_of_many_names_are_counted_at_once_as_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = attached(before=1)
    one_by_one = [index.chunks.frequency(term) for term in TERMS]

    monkeypatch.setattr(postings, "MANY_TERMS", 1)

    assert list(index.chunks.frequencies(TERMS).values()) == one_by_one
