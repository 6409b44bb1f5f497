from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.knowledge.tiny_table import MODEL, PIECES, tiny_table, write_tiny_table
from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors import static_table
from turbo_tui.knowledge.vectors.static_table import StaticTable, chunk_text, read, write
from turbo_tui.knowledge.vectors.wordpiece import WordPiece


def test_texts_of_one_subject_are_near_and_all_have_unit_length(tmp_path: Path) -> None:
    table = tiny_table(tmp_path / "table")

    vectors = table.embed(["fetch(http)", "download", "draw the colour", "Paint"])

    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors @ vectors[0], [1, 1, 0, 0], atol=0.01)


def test_a_text_without_a_telling_piece_is_like_nothing(tmp_path: Path) -> None:
    table = tiny_table(tmp_path / "table")

    vectors = table.embed(["", "paint", "???", "[CLS]", "xyz"])

    assert vectors[1].any()
    assert not vectors[[0, 2, 3, 4]].any()
    assert table.embed([]).shape == (0, 8)


def test_many_texts_embed_as_each_alone(tmp_path: Path) -> None:
    table = tiny_table(tmp_path / "table")
    texts = [("fetch " * (n % 5) + "draw " * (n % 3) + "x" * n).strip() for n in range(200)]

    together = table.embed(texts)

    assert np.allclose(together, np.concatenate([table.embed([text]) for text in texts]), atol=1e-6)


def test_the_path_is_part_of_what_a_chunk_means(tmp_path: Path) -> None:
    table = tiny_table(tmp_path / "table")

    by_path, code = table.embed([chunk_text("http/fetch.py", "x = 1"), "x = 1"])

    assert by_path.any()
    assert not code.any()


def test_a_table_is_for_its_owner_alone_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    folder = write_tiny_table(tmp_path / "models" / "tiny")

    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert [each.name for each in folder.parent.iterdir()] == ["tiny"]


def test_a_table_that_another_process_wrote_first_stays(tmp_path: Path) -> None:
    folder = write_tiny_table(tmp_path / "tiny")
    before = (folder / "about.json").stat().st_ino

    write_tiny_table(folder)

    assert (folder / "about.json").stat().st_ino == before
    assert [each.name for each in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["table.npy", "pieces.json", "about.json"])
def test_a_damaged_table_is_named_and_removed_and_can_be_made_anew(
    tmp_path: Path, name: str
) -> None:
    folder = write_tiny_table(tmp_path / "tiny")
    path = folder / name
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(WeightsError, match="damaged"):
        read(folder)

    assert read(folder) is None
    assert read(write_tiny_table(folder)) is not None


def test_a_table_with_a_file_missing_is_damaged(tmp_path: Path) -> None:
    folder = write_tiny_table(tmp_path / "tiny")
    (folder / "pieces.json").unlink()

    with pytest.raises(WeightsError, match=r"pieces\.json"):
        read(folder)


def test_a_table_of_another_version_is_none(tmp_path: Path) -> None:
    folder = write_tiny_table(tmp_path / "tiny")
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps(about | {"version": 0}))

    assert read(folder) is None
    assert folder.exists()


def test_where_no_table_can_be_kept_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(WeightsError, match="XDG_CACHE_HOME"):
        write_tiny_table(tmp_path / "file" / "tiny")


def test_a_table_is_used_with_numpy_alone(tmp_path: Path) -> None:
    folder = write_tiny_table(tmp_path / "tiny")
    program = (
        "import sys; from pathlib import Path\n"
        "from turbo_tui.knowledge.vectors.static_table import read\n"
        f"read(Path({str(folder)!r})).embed(['fetch'])\n"
        "heavy = {'torch', 'tokenizers', 'sentence_transformers', 'transformers', 'lancedb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert said.stdout == "[]\n", said.stderr


def test_another_vocabulary_than_berts_is_cut_by_the_library(tmp_path: Path) -> None:
    library = pytest.importorskip("tokenizers", reason="the semantic extra is not installed")
    words = {"<unk>": 0, "fetch": 1, "paint": 2}
    tokenizer = library.Tokenizer(library.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    rows = np.eye(3, 4, dtype=np.float16)
    folder = tmp_path / "other"
    write(folder, "other", rows, vocabulary=tokenizer.to_str().encode(), is_bert=False)

    table = read(folder)

    assert table is not None
    assert table.embed(["paint", "fetch fetch"]).argmax(axis=1).tolist() == [2, 1]
    assert table.tokenizer.ids("fetch paint fetch", limit=2) == [1, 2]


def test_a_missing_library_is_named_and_the_table_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other"
    write(folder, "other", np.eye(2, dtype=np.float16), vocabulary=b"{}", is_bert=False)
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(WeightsError, match="make semantic"):
        read(folder)

    assert folder.exists()


def test_only_the_first_pieces_count() -> None:
    rows = np.zeros((len(PIECES), 2), np.float32)
    rows[PIECES.index("fetch"), 0] = rows[PIECES.index("paint"), 1] = 1
    table = StaticTable(MODEL, WordPiece(PIECES), rows)

    vector = table.embed(["fetch " * (static_table.TOKENS - 2) + "paint " * 500])[0]

    assert vector.tolist() == [1, 0]
