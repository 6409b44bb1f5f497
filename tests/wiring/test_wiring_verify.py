"""What was accepted is verified in a real stage of the best rung there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from turbo_tui.core.plan import Action, Plan, Step
from turbo_tui.engine.run import Run
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.running import open_run

WORK = (
    "printf 'one\\ntwo\\n' > a.txt; printf '#!/bin/sh\\nexit 0\\n' > ok.sh; chmod 755 ok.sh; "
    "ln -s a.txt link; mkdir empty"
)
CHECK = ("sh", "-c", './ok.sh && test -d empty && test "$(cat link)" = one && ! test -e b.txt')


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/kept.txt").write_text("kept\n")
    return tmp_path / "shop"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def verified(run: Run) -> str:
    action = Action("shell", {"command": WORK})
    step = Step("s1", "make files", actions=(action,), checks=(("true",), CHECK))
    run.adopt_plan(Plan("make files", "by hand", (step,)))
    run.go()
    await run.idle()
    state = run.views.plan.steps[0]
    assert state.status == "failed"  # the check wants less than the step made
    assert (await run.verify("s1")).status == "failed"
    run.decide_lines("s1", "a.txt", 0, [1], accepted=False)
    return (await run.verify("s1")).status


async def test_a_failed_step_passes_once_the_wrong_line_is_left_out(shop: Path) -> None:
    opened = await open_run(open_workspace(shop, here=True))
    try:
        async with asyncio.timeout(120):
            assert await verified(opened.run) == "passed"
            assert names_in(shop) == ["kept.txt"]
            opened.run.approve("s1", verify=True)
            await opened.run.idle()
    finally:
        await opened.run.close()

    assert opened.run.views.plan.steps[0].status == "landed"
    assert (shop / "a.txt").read_text() == "one\n"
    checks = [e for e in opened.run.views.log.entries if e.detail == "on what you accepted"]
    assert len(checks) == 6
    verifying = [e for e in opened.run.views.log.entries if e.title.startswith("verifying")]
    assert [entry.detail for entry in verifying] == ["failed", "passed", "passed"]
    assert not list((shop.parent / "home").rglob("*-verify"))
