"""A folder's mode is a change like any other: it is shown, lands, and is taken back."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.stage_fakes import OpenConfiner, words_of
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.landing import open_lander
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stages import open_stages


@pytest.mark.parametrize("kind", ["overlay", "copy"])
async def test_a_folder_s_mode_lands_and_is_taken_back_with_its_special_bits_kept(
    tmp_path: Path, kind: Kind
) -> None:
    folder = tmp_path / "work" / "shared"
    folder.mkdir(parents=True)
    (folder / "f").write_text("f")
    folder.chmod(0o3775)
    blobs = FolderBlobs(tmp_path / "blobs")
    try:
        stages = open_stages(tmp_path / "work", tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    except StageError as error:
        pytest.skip(f"no overlay here: {error}")
    stage = await stages.open("s1")
    await stage.run(Command(["sh", "-c", "chmod 700 shared; echo g > shared/g"]))
    changes = await stage.changes()
    await stage.close()
    lander = open_lander(tmp_path / "work", tmp_path / "s", blobs)

    landing = await lander.land(changes, session_id="s", step_id="1")
    assert not landing.conflicts, landing
    landed = stat.S_IMODE(folder.stat().st_mode)
    undone = await lander.undo(landing.landing_id)

    assert words_of(changes) == ["mode shared", "add shared/g"]
    assert not undone.conflicts
    assert f"{landed:o}" == "3700"
    assert f"{stat.S_IMODE(folder.stat().st_mode):o}" == "3775"
    assert [each.name for each in folder.iterdir()] == ["f"]


@pytest.mark.parametrize("kind", ["overlay", "copy"])
async def test_the_odd_mode_of_a_new_folder_that_holds_files_is_said(
    tmp_path: Path, kind: Kind
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / ".gitignore").write_text("out/\n")
    blobs = FolderBlobs(tmp_path / "blobs")
    try:
        stages = open_stages(work, tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    except StageError as error:
        pytest.skip(f"no overlay here: {error}")
    stage = await stages.open("s1")
    line = "mkdir -m 700 odd out; mkdir usual; touch odd/x out/x usual/x"
    await stage.run(Command(["sh", "-c", line]))
    changes = await stage.changes()
    await stage.close()

    assert words_of(changes) == ["add odd/x", "add usual/x"]
    assert changes.notes == ("odd: a new folder of mode 700; its mode does not land",)
