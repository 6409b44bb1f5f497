from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.knowledge.vectors import model_process
from turbo_tui.wiring.word_vectors import main


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path))

    def nice(more: int) -> int:
        return more

    monkeypatch.setattr(model_process.os, "nice", nice)
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    return file


def test_the_configured_models_table_is_made_in_our_cache(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, Path]] = []

    def make_table(name: str, models: Path) -> Path:
        asked.append((name, models))
        return models / "made"

    monkeypatch.setattr(model_process, "make_table", make_table)
    settings.write_text('[knowledge]\nmodel = "some/model"\n')

    assert main() == 0

    models = settings.parents[1] / "cache" / "models"
    assert asked == [("some/model", models)]
    assert str(models / "made") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('[knowledge]\nmodel = ""\n', 0, "nothing to make"),
        ('[knowledge]\nmodel = "no/such-model"\n', 4, "hf download no/such-model"),
        ("[knowledge]\nmodel = 3\n", 2, "config.toml"),
    ],
)
def test_what_stands_in_the_way_is_told(
    settings: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, words: str
) -> None:
    settings.write_text(text)

    assert main() == code

    said = capsys.readouterr()
    assert words in said.out + said.err
