"""What held once is believed once more, under the same circumstances only."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.sandbox.confining import needs_bubblewrap
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.probing import probe as probing
from turbo_tui.sandbox.probing.probe import probe
from turbo_tui.sandbox.probing.remembered import MAX_AGE_S, Remembered, circumstances

ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def memory(tmp_path: Path) -> Remembered:
    return Remembered(tmp_path / "cache" / "sandbox.json", tmp_path)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the trials that are made."""
    made: list[str] = []
    really = probing.trial

    async def counted(confiner: Confiner, state: Path | None = None) -> str:
        made.append(confiner.name)
        return await really(confiner, state)

    monkeypatch.setattr(probing, "trial", counted)
    return made


async def test_a_second_start_tries_nothing(
    memory: Remembered, trials: list[str], tmp_path: Path
) -> None:
    await needs_bubblewrap()

    first = await probe(tmp_path, environ=ENVIRON, memory=memory)
    second = await probe(tmp_path, environ=ENVIRON, memory=memory)

    assert (first.confiner.name, first.remembered) == ("bubblewrap", False)
    assert (second.confiner.name, second.remembered) == ("bubblewrap", True)
    assert trials == ["bubblewrap"]
    assert memory.file.stat().st_mode & 0o777 == 0o600


async def test_what_did_not_hold_is_tried_every_time(
    memory: Remembered, trials: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await needs_bubblewrap()
    good = probing.bubblewrap.PROGRAM
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", str(broken))

    lower = [await probe(tmp_path, environ=ENVIRON, memory=memory) for _ in range(2)]
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", good)
    mended = await probe(tmp_path, environ=ENVIRON, memory=memory)

    assert [each.confiner.name for each in lower] == ["landlock", "landlock"]
    assert all("bubblewrap: " in each.reasons[0] for each in lower)
    assert trials.count("bubblewrap") == 3, "each time anew"
    assert mended.confiner.name == "bubblewrap"
    assert not mended.remembered


Spoil = Callable[[Path], object]


def says(**changed: object) -> Spoil:
    """Change what the file says."""

    def spoil(file: Path) -> None:
        file.write_text(json.dumps(json.loads(file.read_bytes()) | changed))

    return spoil


def becomes(content: bytes) -> Spoil:
    """Replace all it says."""
    return lambda file: file.write_bytes(content)


def is_a_link(file: Path) -> None:
    file.rename(f"{file}.real")
    file.symlink_to(f"{file}.real")


def is_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def can_be_written_by_others(file: Path) -> None:
    file.chmod(0o666)


@pytest.mark.parametrize(
    "spoil",
    [
        becomes(b"\xff{"),
        becomes(b"[]"),
        becomes(b"{}"),
        Path.unlink,
        can_be_written_by_others,
        is_a_link,
        is_a_pipe,
        says(tried_at=time.time() - 2 * MAX_AGE_S),
        says(tried_at=time.time() + 3600),
        says(tried_at="now"),
        says(held=None),
        says(held=["landlock"]),
        says(circumstances={}),
    ],
)
def test_a_memory_that_is_not_whole_ours_or_fresh_is_not_believed(
    memory: Remembered, spoil: Spoil
) -> None:
    memory.keep("bubblewrap")
    assert memory.held("bubblewrap")

    spoil(memory.file)

    assert not memory.held("bubblewrap")


def test_another_kernel_program_or_setting_means_trying_again(
    memory: Remembered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory.keep("bubblewrap")
    (tmp_path / "bwrap").write_text("")
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", str(tmp_path / "bwrap"))

    assert not memory.held("bubblewrap")


def test_circumstances_tell_what_was_put_on_this_process() -> None:
    found = circumstances(Path("/"))

    process = cast("dict[str, str]", found["process"])
    assert set(process) >= {"Seccomp", "NoNewPrivs", "CapEff", "Uid"}
    assert found["kernel"]
    assert found["covers"]


def test_what_cannot_be_kept_is_only_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Remembered(tmp_path / "file" / "sandbox.json")

    memory.keep("bubblewrap")
    memory.forget()

    assert not memory.held("bubblewrap")


def test_a_forgotten_memory_is_gone(memory: Remembered) -> None:
    memory.keep("bubblewrap")

    memory.forget()

    assert not memory.file.exists()
