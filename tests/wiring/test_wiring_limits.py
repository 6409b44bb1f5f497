"""Limits of the settings hold the commands of a workspace's stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.core.command import GIB, Command, Limits
from turbo_tui.core.ports import CommandResult
from turbo_tui.wiring import open_workspace

GROWS = "import time; kept = b'x' * (300 << 20); time.sleep(600)"


async def run_in(folder: Path, tool: Limits) -> CommandResult:
    workspace = open_workspace(folder, here=True)
    stages = await workspace.stages()
    stage = await stages.open("limits")
    try:
        command = Command(("python3", "-c", GROWS), timeout_s=100, limits=tool)
        return await stage.run(command)
    finally:
        await stage.close()
        await stages.discard("limits")


@pytest.mark.parametrize("where", ["home/config/config.toml", "ws/.turbo/config.toml"])
async def test_a_setting_comes_before_what_a_tool_allows(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    (tmp_path / "ws").mkdir()
    file = tmp_path / where
    file.parent.mkdir(parents=True)
    file.write_text("[sandbox]\nmemory_mb = 128\n")

    result = await run_in(tmp_path / "ws", Limits(memory_bytes=2 * GIB))

    assert result.ended == "limit"
    assert "128 MiB of memory; `memory_mb` in [sandbox] of config.toml" in result.output
