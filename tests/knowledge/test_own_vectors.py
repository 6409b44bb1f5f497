from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from tests.knowledge.tiny_table import MODEL, SUBJECTS, write_tiny_table
from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.indexing.digest import key_of
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.vectors import encoder as encoder_module
from turbo_tui.knowledge.vectors import own_vectors as own_module
from turbo_tui.knowledge.vectors import vector_file as file_module
from turbo_tui.knowledge.vectors.encoder import Encoder
from turbo_tui.knowledge.vectors.meaning import Meaning
from turbo_tui.knowledge.vectors.own_vectors import OwnVectors
from turbo_tui.knowledge.vectors.reading import chunk_texts
from turbo_tui.knowledge.vectors.vector_file import VectorFile, hash_of
from turbo_tui.knowledge.vectors.weights import table_folder

WAIT_S = 60
TURN = Lock()
# Counts the words of each subject; "gold" is of the first one, which no table knows.
PROCESS = f"""
import json, struct, sys
SUBJECTS = {SUBJECTS!r}
log = open(sys.argv[1], "a")
for line in sys.stdin:
    texts = json.loads(line)
    log.write(line); log.flush()
    if "die" in texts:
        sys.exit("warning: x\\nthe model is gone")
    rows = [[sum(map(t.count, s)) + 0.01 for s in SUBJECTS] for t in texts]
    for text, row in zip(texts, rows):
        row[0] += text.count("gold")
    print(json.dumps(dict(rows=len(rows), dimensions=3)), flush=True)
    sys.stdout.buffer.write(b"".join(struct.pack("<3e", *row) for row in rows))
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small program in the place of the model's process; what it was asked is logged."""
    log = tmp_path / "asked"
    log.touch()

    command = (sys.executable, "-c", PROCESS, str(log))
    monkeypatch.setattr(encoder_module, "COMMAND", command)
    monkeypatch.setattr(own_module, "QUERY_S", WAIT_S)
    return log


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Folder]:
    root = tmp_path / "project"
    root.mkdir()
    for number in range(12):
        word = ("fetch", "draw", "parse")[number % 3]
        (root / f"file_{number}.py").write_text(f"{word}(x, {number})\n")
    (root / "odd.py").write_text("gold\n")
    folder = Folder(root)
    folder.refresh()
    yield folder
    folder.close()


def own(tmp_path: Path) -> OwnVectors:
    return OwnVectors(MODEL, tmp_path / "kept", partial(chunk_texts, key_of=key_of))


def until_complete(vectors: OwnVectors) -> None:
    until = time.monotonic() + WAIT_S
    with vectors._news:  # pyright: ignore[reportPrivateUsage]  waits as the product does
        while not vectors.note and time.monotonic() < until:
            if vectors.complete:
                return
            vectors._news.wait(1)  # pyright: ignore[reportPrivateUsage]


def asked_texts(log: Path) -> str:
    return log.read_text()


@pytest.mark.usefixtures("log")
def test_texts_go_to_the_process_and_vectors_come_back() -> None:
    encoder = Encoder(MODEL)

    rows = encoder.encode(["fetch fetch\ndraw", "ärger"])

    assert rows.dtype == np.float16
    assert np.allclose(rows, [[2.01, 1.01, 0.01], [0.01, 0.01, 0.01]], atol=0.01)
    assert encoder.encode([]).shape == (0, 3)
    encoder.close()
    encoder.close()


@pytest.mark.usefixtures("log")
def test_a_process_that_ends_says_why_and_the_next_call_starts_another() -> None:
    encoder = Encoder(MODEL)

    with pytest.raises(WeightsError, match=r"^the model is gone$"):
        encoder.encode(["die"])

    assert encoder.encode(["fetch"]).shape == (1, 3)
    encoder.close()


def test_without_the_model_the_reason_is_the_real_ones() -> None:
    encoder = Encoder("no/such-model")

    with pytest.raises(WeightsError, match="no/such-model"):
        encoder.encode(["fetch"])


@pytest.mark.usefixtures("log")
def test_what_only_the_model_knows_is_found(project: Folder, tmp_path: Path) -> None:
    write_tiny_table(table_folder(tmp_path / "models", MODEL))
    meaning = Meaning(tmp_path / "models", MODEL, key_of, own_vectors=True)
    assert meaning.open()
    meaning.follow(project.index)
    meaning.fill(TURN, within_s=WAIT_S)
    vectors = meaning._own  # pyright: ignore[reportPrivateUsage]  waited for
    assert vectors is not None
    until_complete(vectors)

    found = meaning.similarities(project.index, "download")

    assert meaning.state == "full"
    assert found is not None
    odd, draw = (project.index.files[name].first for name in ("odd.py", "file_1.py"))
    assert found[odd] > found[draw] + 0.2
    assert (tmp_path / "models").stat().st_mode & 0o777 == 0o700
    meaning.close()


def test_vectors_are_kept_for_the_next_time_and_for_other_workspaces(
    log: Path, project: Folder, tmp_path: Path
) -> None:
    first = own(tmp_path)
    first.follow(project.index.files)
    until_complete(first)
    first.close()
    log.write_text("")

    second = own(tmp_path)
    second.follow(project.index.files)
    until_complete(second)
    second.close()

    assert second.complete
    assert asked_texts(log) == '["width"]\n'


def test_a_changed_file_alone_is_encoded_again(log: Path, project: Folder, tmp_path: Path) -> None:
    vectors = own(tmp_path)
    vectors.follow(project.index.files)
    until_complete(vectors)
    log.write_text("")

    (tmp_path / "project" / "odd.py").write_text("silver and copper\n")
    project.refresh()
    vectors.follow(project.index.files)
    until_complete(vectors)
    vectors.close()

    assert "silver" in asked_texts(log)
    assert "file_" not in asked_texts(log)


def test_a_large_project_is_left_to_the_table(
    log: Path, project: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_module, "MOST_CHUNKS", 5)
    vectors, static = own(tmp_path), np.ones(project.index.chunks.numbers, np.float32)

    vectors.follow(project.index.files)

    assert vectors.mixed(static, "fetch") is static
    assert not vectors.complete
    vectors.close()
    assert not asked_texts(log)


@pytest.mark.usefixtures("log")
def test_a_query_that_takes_too_long_is_answered_by_the_table_and_by_the_model_the_next_time(
    project: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = own(tmp_path)
    vectors.follow(project.index.files)
    until_complete(vectors)
    static = np.linspace(0, 1, project.index.chunks.numbers, dtype=np.float32)
    monkeypatch.setattr(own_module, "QUERY_S", 0)

    assert vectors.mixed(static, "download") is static

    monkeypatch.setattr(own_module, "QUERY_S", WAIT_S)
    assert not np.allclose(vectors.mixed(static, "download"), static)
    vectors.close()


@pytest.mark.usefixtures("log")
def test_a_model_that_fails_is_told_once_and_the_table_goes_on(
    project: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = (sys.executable, "-c", "import sys; sys.exit('torch is broken')", "x")
    monkeypatch.setattr(encoder_module, "COMMAND", failing)
    vectors, static = own(tmp_path), np.ones(project.index.chunks.numbers, np.float32)

    vectors.follow(project.index.files)
    until_complete(vectors)

    assert vectors.note == "torch is broken"
    assert vectors.mixed(static, "fetch") is static
    vectors.follow({})
    vectors.close()


@pytest.mark.usefixtures("log")
def test_an_idle_models_process_is_ended_and_started_again_when_it_is_needed(
    project: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_module, "IDLE_S", 0.01)
    vectors = own(tmp_path)
    vectors.follow(project.index.files)
    until_complete(vectors)
    encoder = vectors._encoder  # pyright: ignore[reportPrivateUsage]  its process is looked at
    until = time.monotonic() + WAIT_S
    while encoder._process is not None and time.monotonic() < until:  # pyright: ignore[reportPrivateUsage]
        with vectors._news:  # pyright: ignore[reportPrivateUsage]
            vectors._news.wait(0.01)  # pyright: ignore[reportPrivateUsage]

    assert encoder._process is None  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(own_module, "IDLE_S", WAIT_S)
    static = np.linspace(0, 1, project.index.chunks.numbers, dtype=np.float32)
    assert vectors.mixed(static, "download") is static  # nobody waits for a model to be loaded
    while vectors.mixed(static, "download") is static and time.monotonic() < until:
        with vectors._news:  # pyright: ignore[reportPrivateUsage]
            vectors._news.wait(0.1)  # pyright: ignore[reportPrivateUsage]
    assert vectors.mixed(static, "download") is not static
    vectors.close()


def test_kept_vectors_come_back_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    kept = VectorFile(tmp_path / "models" / "kept", 3)
    assert kept.read() == {}

    assert kept.add({hash_of("a"): b"abc"})
    assert kept.add({hash_of("b"): b"def"})

    assert kept.read() == {hash_of("a"): b"abc", hash_of("b"): b"def"}
    assert kept.path.stat().st_mode & 0o777 == 0o600


def test_a_record_that_was_half_written_or_damaged_costs_only_itself(tmp_path: Path) -> None:
    kept = VectorFile(tmp_path / "kept", 3)
    kept.add({hash_of(name): b"abc" for name in "abc"})
    content = bytearray(kept.path.read_bytes())
    content[30] ^= 1  # in the second record
    kept.path.write_bytes(content[:-5])

    assert set(kept.read()) == {hash_of("a")}

    kept.add({hash_of("d"): b"xyz"})
    assert set(kept.read()) == {hash_of("a"), hash_of("d")}


def test_the_older_half_goes_when_the_file_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "MOST_BYTES", 23 * 10)
    kept = VectorFile(tmp_path / "kept", 3)

    for number in range(30):
        assert kept.add({hash_of(str(number)): b"abc"})

    found = kept.read()
    assert hash_of("29") in found
    assert hash_of("0") not in found
    assert 5 <= len(found) <= 10


def test_where_nothing_can_be_kept_it_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    assert not VectorFile(tmp_path / "file" / "kept", 3).add({hash_of("a"): b"abc"})
