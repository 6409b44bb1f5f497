"""A sandbox that fails is tried again before it is given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.confining import place_in
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, OnOutput
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.probing import watched
from turbo_tui.sandbox.probing.watched import Watched


class Failing(OpenConfiner):
    """Cannot start a command for so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def run(
        self, place: Place, command: Command, *, on_output: OnOutput | None = None
    ) -> CommandResult:
        """Fail, or run."""
        if self.times:
            self.times -= 1
            raise SandboxError("no process could be made")
        return await super().run(place, command, on_output=on_output)


@pytest.mark.parametrize(("trials", "lost"), [((True,), 0), ((False, True), 0), ((False,) * 2, 1)])
async def test_only_a_sandbox_that_fails_twice_in_a_row_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: tuple[bool, ...], lost: int
) -> None:
    told: list[str] = []
    left = list(trials)

    async def trial(_confiner: Confiner, _state: Path | None) -> str:
        return "" if left.pop(0) else "busy"

    async def on_lost(fault: str) -> str:
        told.append(fault)
        return f"lost: {fault}"

    monkeypatch.setattr(watched, "trial", trial)
    monkeypatch.setattr(watched, "PAUSE_S", 0.0)
    one = Watched(Failing(1), None, on_lost)
    place = place_in(tmp_path / "work")

    with pytest.raises(SandboxError, match="lost: busy" if lost else "no process could be made"):
        await one.run(place, Command(("true",)))

    assert (len(told), left) == (lost, [])
    assert any(each.held for each in one.guarantees) != bool(lost), "what is lost holds nothing"
    if not lost:
        assert (await one.run(place, Command(("true",)))).exit_code == 0
