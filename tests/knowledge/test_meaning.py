from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from tests.knowledge.tiny_table import MODEL, write_tiny_table
from turbo_tui.knowledge.indexing.digest import key_of
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.vectors import meaning as meaning_module
from turbo_tui.knowledge.vectors.meaning import MAKING, Meaning
from turbo_tui.knowledge.vectors.weights import Weights, table_folder

TURN = Lock()
FILES = {
    "net.py": "def get():\n    return fetch(http)\n",
    "view.py": "def show():\n    draw(colour)\n",
    "trees.py": "def read():\n    parse(tree)\n",
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    write_tiny_table(table_folder(folder, MODEL))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Folder]:
    root = tmp_path / "project"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    folder = Folder(root)
    folder.refresh()
    yield folder
    folder.close()


def followed(models: Path, project: Folder) -> Meaning:
    meaning = Meaning(models, MODEL, key_of)
    assert meaning.open()
    meaning.follow(project.index)
    return meaning


def nearest(meaning: Meaning, project: Folder, text: str) -> str | None:
    found = meaning.similarities(project.index, text)
    if found is None or not found.any():
        return None
    owner = project.index.owner(int(found.argmax()))
    return owner.file.path if owner else None


def rewrite(project: Folder, path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
    project.refresh()


def test_chunks_are_found_by_words_that_they_do_not_hold(models: Path, project: Folder) -> None:
    meaning = followed(models, project)

    rows = meaning.fill(TURN, within_s=9)

    assert sorted(path for path, _, _ in rows) == sorted(FILES)
    assert meaning.state == "static"
    assert nearest(meaning, project, "download") == "net.py"
    assert nearest(meaning, project, "paint") == "view.py"
    assert nearest(meaning, project, "???") is None


def test_before_vectors_are_there_nothing_is_like_anything(models: Path, project: Folder) -> None:
    meaning = followed(models, project)

    found = meaning.similarities(project.index, "download")

    assert found is not None
    assert found.shape == (project.index.chunks.numbers,)
    assert not found.any()
    assert len(meaning.waiting) == 3


def test_a_changed_file_gets_new_vectors_and_others_keep_theirs(
    models: Path, project: Folder, tmp_path: Path
) -> None:
    meaning = followed(models, project)
    meaning.fill(TURN, within_s=9)

    rewrite(project, tmp_path / "project" / "net.py", "def get():\n    draw(colour, paint)\n")
    meaning.follow(project.index)

    assert len(meaning.waiting) == 1
    assert nearest(meaning, project, "download") is None
    assert [path for path, _, _ in meaning.fill(TURN, within_s=9)] == ["net.py"]
    assert nearest(meaning, project, "syntax") == "trees.py"


def test_a_file_that_is_gone_waits_for_nothing_and_is_found_no_more(
    models: Path, project: Folder, tmp_path: Path
) -> None:
    meaning = followed(models, project)
    meaning.fill(TURN, within_s=9)

    (tmp_path / "project" / "net.py").unlink()
    project.refresh()
    meaning.follow(project.index)

    assert nearest(meaning, project, "download") is None
    assert not meaning.waiting


def test_vectors_follow_their_chunks_when_the_index_is_packed(
    models: Path, project: Folder, tmp_path: Path
) -> None:
    meaning = followed(models, project)
    meaning.fill(TURN, within_s=9)
    rewrite(project, tmp_path / "project" / "net.py", "def get():\n    return http\n")

    project.index.pack(TURN)

    assert meaning.similarities(project.index, "paint") is None  # numbers are others now
    meaning.follow(project.index)
    assert nearest(meaning, project, "paint") == "view.py"
    assert [path for path, _, _ in meaning.fill(TURN, within_s=9)] == ["net.py"]
    assert nearest(meaning, project, "download") == "net.py"


def test_kept_vectors_are_taken_for_the_same_content_only(models: Path, project: Folder) -> None:
    rows = followed(models, project).fill(TURN, within_s=9)
    other = {path: key for path, key, _ in rows}
    meaning = followed(models, project)

    meaning.recall(
        [(path, "another key" if path == "net.py" else key, packed) for path, key, packed in rows]
        + [("gone.py", other["net.py"], b""), ("trees.py", other["trees.py"], b"short")],
        TURN,
    )

    assert nearest(meaning, project, "paint") == "view.py"
    assert len(meaning.waiting) == 1
    assert [path for path, _, _ in meaning.fill(TURN, within_s=9)] == ["net.py"]


def test_a_file_that_changed_since_it_was_indexed_is_left_until_it_is_indexed_anew(
    models: Path, project: Folder, tmp_path: Path
) -> None:
    meaning = followed(models, project)
    (tmp_path / "project" / "net.py").write_text("paint\n")

    rows = meaning.fill(TURN, within_s=9)

    assert sorted(path for path, _, _ in rows) == ["trees.py", "view.py"]
    project.refresh()
    meaning.follow(project.index)
    assert [path for path, _, _ in meaning.fill(TURN, within_s=9)] == ["net.py"]


def test_a_place_is_compared_with_all_others(models: Path, project: Folder) -> None:
    meaning = followed(models, project)
    assert meaning.similar(project.index, 0) is not None
    meaning.fill(TURN, within_s=9)
    own = project.index.files["view.py"].first

    found = meaning.similar(project.index, own)

    assert found is not None
    assert found.argmax() == own


def test_filling_stops_when_its_time_is_over(models: Path, tmp_path: Path) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(200):
        (root / f"file_{number}.py").write_text(f"fetch({number})\n")
    many = Folder(root)
    many.refresh()
    meaning = followed(models, many)
    many.close()

    rows = meaning.fill(TURN, within_s=0)

    assert 0 < len(rows) < 200
    assert len(meaning.waiting) == 200 - len(rows)


def test_what_the_user_is_at_is_embedded_first(models: Path, tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / "parts" / folder).mkdir(parents=True)
        for number in range(70):
            (tmp_path / "parts" / folder / f"{number}.py").write_text(f"fetch({number})\n")
    parts = Folder(tmp_path / "parts")
    parts.refresh()
    meaning = followed(models, parts)
    parts.close()

    meaning.near(["b/3.py"])
    first = meaning.fill(TURN, within_s=0)
    meaning.near([])
    meaning.near(["a/3.py", "c/1.py"])
    second = meaning.fill(TURN, within_s=0)

    assert first[0][0] == "b/3.py"
    assert {path[0] for path, _, _ in first} == {"b"}
    assert second[0][0] in {"a/3.py", "c/1.py"}
    assert "b" not in {path[0] for path, _, _ in second}


def test_no_model_is_no_error(tmp_path: Path, project: Folder) -> None:
    meaning = Meaning(tmp_path / "models", "", key_of)

    assert not meaning.open()
    meaning.follow(project.index)
    meaning.recall([], TURN)
    assert meaning.fill(TURN, within_s=9) == []
    assert meaning.similarities(project.index, "download") is None
    assert meaning.similar(project.index, 0) is None
    assert (meaning.state, meaning.note, meaning.name) == ("none", "", "")


def test_a_missing_model_is_named_and_words_go_on(tmp_path: Path, project: Folder) -> None:
    meaning = Meaning(tmp_path / "models", "some/model-that-is-not-here", key_of)

    assert not meaning.open()
    meaning.follow(project.index)

    assert "some/model-that-is-not-here" in meaning.note
    assert "hf download" in meaning.note
    assert meaning.state == "none"


def test_a_table_that_comes_later_is_taken_up_for_all_that_is_indexed(
    tmp_path: Path, project: Folder
) -> None:
    models = tmp_path / "models"
    meaning = Meaning(models, MODEL, key_of, make=False)
    assert not meaning.open()
    meaning.follow(project.index)

    write_tiny_table(table_folder(models, MODEL))

    assert meaning.open()
    assert len(meaning.fill(TURN, within_s=9)) == 3
    assert nearest(meaning, project, "download") == "net.py"


def weights_are_there(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    def found(name: str) -> Weights:
        return Weights(name, Path(), "key", {})

    monkeypatch.setattr(meaning_module, "find", found)
    monkeypatch.setattr(meaning_module, "_MAKE_TABLE", (sys.executable, "-c", program))


async def until_made(meaning: Meaning) -> None:
    import asyncio

    for _ in range(3000):
        if meaning.open() or meaning.note != MAKING:
            return
        await asyncio.sleep(0.01)


async def test_the_table_is_made_behind_by_another_process(
    tmp_path: Path, project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from tests.knowledge.tiny_table import write_tiny_table\n"
        "from turbo_tui.knowledge.vectors.weights import Weights, table_folder\n"
        "write_tiny_table(table_folder(Path(sys.argv[2]), sys.argv[1]))\n"
    )
    weights_are_there(monkeypatch, program)
    meaning = Meaning(tmp_path / "models", MODEL, key_of)

    assert not meaning.open()
    assert (meaning.note, meaning.state) == (MAKING, "none")
    meaning.follow(project.index)
    await until_made(meaning)

    assert (meaning.note, meaning.state) == ("", "static")
    assert len(meaning.fill(TURN, within_s=9)) == 3


async def test_why_a_table_could_not_be_made_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_are_there(monkeypatch, "import sys; sys.exit('warning: x\\nno room for the table')")
    meaning = Meaning(tmp_path / "models", MODEL, key_of)

    meaning.open()
    await until_made(meaning)

    assert meaning.note == "no room for the table"
    assert not meaning.open()
    assert meaning.note == "no room for the table"


def test_a_process_that_makes_a_table_ends_with_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_are_there(monkeypatch, "import time; time.sleep(600)")
    meaning = Meaning(tmp_path / "models", MODEL, key_of)
    meaning.open()
    maker = meaning._maker  # pyright: ignore[reportPrivateUsage]  its process is looked at
    assert maker is not None

    meaning.close()

    assert maker.returncode is not None
    meaning.close()


def test_a_damaged_table_is_made_anew(models: Path) -> None:
    table = table_folder(models, MODEL) / "table.npy"
    table.write_bytes(b"x")
    meaning = Meaning(models, MODEL, key_of, make=False)

    assert not meaning.open()
    assert "damaged" in meaning.note

    write_tiny_table(table_folder(models, MODEL))
    assert meaning.open()
    assert not meaning.note
