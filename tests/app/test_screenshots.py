"""The README's pictures can be made at any time, and show what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.screenshots import take


async def test_the_pictures_are_made_from_the_running_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))

    plan, review = await take(tmp_path)

    assert "recorded" in plan.read_text()
    assert "hunk" in review.read_text()
