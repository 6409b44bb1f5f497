"""What is remembered of overlays over a workspace, from one start to the next."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging import overlay, overlay_memory
from turbo_tui.sandbox.staging.overlay import Holder, Layers
from turbo_tui.sandbox.staging.overlay_memory import OverlayMemory, foreign_in, speaks_of_overflow
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "theirs").mkdir(parents=True)
    (root / "theirs" / "f").write_text("f")
    (root / "mine").write_text("m")
    return root


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each trial that was made."""
    made: list[str] = []
    real = overlay.trial_folder

    def counting(parent: Path | None, prefix: str) -> Path:
        made.append(prefix)
        return real(parent, prefix)

    monkeypatch.setattr(overlay, "trial_folder", counting)
    return made


def kernel_refuses(workspace: Path, trial: Path) -> str:
    return f"the kernel refuses {workspace.name} in {trial.parent.name}"


def start(workspace: Path, tmp_path: Path) -> WorkspaceStages:
    return open_stages(workspace, tmp_path / "state", MemoryBlobs(), OpenConfiner())


def mounted(workspace: Path, tmp_path: Path) -> WorkspaceStages:
    stages = start(workspace, tmp_path)
    if stages.report.reasons:
        pytest.skip(f"no overlay here: {stages.report.reasons}")
    return stages


async def test_a_mount_that_held_is_not_tried_at_the_next_start(
    workspace: Path, tmp_path: Path, trials: list[str]
) -> None:
    mounted(workspace, tmp_path)

    again = start(workspace, tmp_path)
    stage = await again.open("s1")
    await stage.close()

    assert trials == ["trial"]
    assert again.report.rung == "overlay+bubblewrap"


@pytest.mark.parametrize("what", ["old", "elsewhere", "damaged", "writable", "no object"])
def test_a_memory_that_does_not_count_means_another_trial(
    workspace: Path, tmp_path: Path, trials: list[str], what: str
) -> None:
    mounted(workspace, tmp_path)
    file = tmp_path / "state" / "overlays.json"
    known = json.loads(file.read_text())[str(workspace)]
    if what == "old":
        known["tried_at"] -= 100_000
    if what == "elsewhere":
        known["circumstances"]["kernel"] = "another"
    file.write_text("{" if what == "damaged" else json.dumps({str(workspace): known}))
    if what == "no object":
        file.write_text("[]")
    if what == "writable":
        file.chmod(0o666)

    start(workspace, tmp_path)

    assert trials == ["trial", "trial"]


async def test_a_mount_that_fails_after_all_makes_copies(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted(workspace, tmp_path)
    again = start(workspace, tmp_path)

    async def refused(layers: Layers) -> Holder:
        raise StageError(f"Cannot mount a stage over {layers.workspace}: not permitted.")

    monkeypatch.setattr(Holder, "start", refused)
    monkeypatch.setattr(overlay, "_trial", kernel_refuses)
    stage = await again.open("s1")
    rung = stage.report.rung
    await stage.close()

    assert (rung, again.report.rung) == ("copy+bubblewrap", "copy+bubblewrap")
    assert "the kernel refuses work in stages." in again.report.reasons
    assert not OverlayMemory(tmp_path / "state" / "overlays.json", workspace).held()


async def test_a_mount_that_fails_where_a_trial_holds_is_an_error(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = mounted(workspace, tmp_path)

    async def refused(layers: Layers) -> Holder:
        raise StageError(f"Cannot mount a stage over {layers.workspace}: no memory.")

    monkeypatch.setattr(Holder, "start", refused)
    with pytest.raises(StageError, match="no memory"):
        await stages.open("s1")

    assert stages.report.rung == "overlay+bubblewrap"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_workspace_with_a_foreign_file_is_copied_until_that_is_given_back(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (workspace, *workspace.rglob("*")):
        os.chown(path, 4321, 4321)
    os.chown(workspace / "theirs", 4321, 1234)
    monkeypatch.setattr(overlay_memory.os, "geteuid", lambda: 4321)
    monkeypatch.setattr(overlay_memory.os, "getegid", lambda: 4321)
    memory = OverlayMemory(tmp_path / "overlays.json", workspace)

    memory.keep(foreign="theirs/f")
    os.chown(tmp_path / "overlays.json", 4321, 4321)
    first = memory.why_no_overlay(tmp_path, believe=True)
    os.chown(workspace / "theirs", 4321, 4321)

    assert first is not None
    assert first.startswith("theirs belongs to another user or group")
    assert memory.foreign() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_foreign_file_that_a_command_names_is_found_before_others(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (workspace / name).write_text(name)
    for path in (workspace / "theirs" / "f", workspace / "mine"):
        os.chown(path, 4321, 4321)
    monkeypatch.setattr(overlay_memory.os, "geteuid", lambda: 4321)
    monkeypatch.setattr(overlay_memory.os, "getegid", lambda: 4321)
    for path in (workspace, *workspace.rglob("*")):
        os.chown(path, 4321, 4321)
    os.chown(workspace / "b", 0, 0)
    os.chown(workspace / "theirs" / "f", 4321, 0)

    assert foreign_in(workspace, "EOVERFLOW: open 'theirs/f'") == "theirs/f"
    assert foreign_in(workspace, "EOVERFLOW") in {"b", "theirs/f"}
    os.chown(workspace / "b", 4321, 4321)
    os.chown(workspace / "theirs" / "f", 4321, 4321)
    assert foreign_in(workspace, "EOVERFLOW: open 'theirs/f'") == ""


@pytest.mark.parametrize(
    "said",
    [
        "sh: cannot create f: Value too large for defined data type",
        "Error: EOVERFLOW: value too large for defined data type, open 'f'",
        f"OSError: [Errno {errno.EOVERFLOW}] {os.strerror(errno.EOVERFLOW)}: 'f'",
    ],
)
def test_programs_speak_of_it_in_different_words(said: str) -> None:
    assert speaks_of_overflow(said)
    assert not speaks_of_overflow("Permission denied")
