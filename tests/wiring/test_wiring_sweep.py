"""What ended sessions leave behind is deleted in the background of a later one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from turbo_tui.wiring import open_workspace, running
from turbo_tui.wiring.running import open_run


async def test_stages_of_sessions_that_are_gone_are_swept_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TURBO_TUI_RUNG", "copy+unsandboxed")
    monkeypatch.setattr(running, "SWEEP_AFTER_S", 0.0)
    (tmp_path / "work").mkdir()
    place = open_workspace(tmp_path / "work", here=True)
    first = await open_run(place)
    there = first.run.session.session_id
    await first.run.close()
    stages = place.state / "stages"
    left, kept = stages / "261122-160340-ffff-1-1", stages / f"{there}-1-1"
    for folder in (left, kept):
        (folder / "upper").mkdir(parents=True)
        os.utime(folder, (1.0, 1.0))

    second = await open_run(open_workspace(tmp_path / "work", here=True))
    try:
        async with asyncio.timeout(100):
            while left.exists():  # noqa: ASYNC110 - deleted in a thread
                await asyncio.sleep(0.01)
    finally:
        await second.run.close()

    assert kept.is_dir()
