"""The checks run on exactly what was accepted, in a stage that is gone afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import pytest

from tests.engine.test_reviewing import MakingRunner
from tests.engine.test_run import CannedPlanner, House, build
from tests.engine.test_run_ahead import stages_of, until
from turbo_tui.core import events as ev
from turbo_tui.core.errors import SandboxError, UsageError
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import Verification, Views
from turbo_tui.engine.resuming import recover
from turbo_tui.engine.verifying import OnRecord

GOOD = ("sh", "-c", "grep -q good a.txt && grep -q step b.txt")
MISSING = ("sh", "-c", "test ! -e gone.txt && test ! -e long.txt")


class Broken:
    """A sandbox that does not start."""

    def on_record(self, step_id: str, stage: Stage, history: Views) -> Stage:
        raise SandboxError("bwrap: no user namespaces here; see `turbo-tui doctor`")


def house_of(tmp_path: Path, *checks: tuple[str, ...], commands: OnRecord | None = None) -> House:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "gone.txt").write_text("gone\n")
    plan = Plan("t", "canned", (Step("s1", "one", checks=checks), Step("s2", "two")))
    files: dict[str, bytes | None] = {
        "a.txt": b"good\nbad\n",
        "b.txt": b"by the step\n",
        "gone.txt": None,
    }
    runner = MakingRunner(files=files)
    return build(workspace, planner=CannedPlanner(plan), runner=runner, commands=commands)


async def staged(house: House) -> House:
    house.run.give_task("t")
    await house.run.idle()
    house.run.go()
    await house.run.idle()
    return house


def verification(house: House) -> Verification:
    state = house.run.views.plan.state("s1")
    assert state is not None
    return house.run.views.review.verification("s1", state.shown)


E = TypeVar("E", bound=ev.Event)


def events(house: House, kind: type[E]) -> list[E]:
    return [r.event for r in house.store.records if isinstance(r.event, kind)]


async def test_checks_that_pass_on_what_is_accepted_are_told(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD, MISSING))
    assert verification(house).status == "never"
    kept = stages_of(house)

    result = await house.run.verify("s1")

    (finished,) = events(house, ev.VerifyFinished)
    assert result == verification(house) == Verification("passed", finished.selected)
    assert [(c.argv, c.passed) for c in events(house, ev.CheckFinished)] == [
        (GOOD, True),
        (MISSING, True),
    ]
    assert {c.selected for c in events(house, ev.CheckFinished)} == {finished.selected}
    assert GOOD in [command.argv for command in events(house, ev.CommandRequested)]
    assert stages_of(house) == kept
    assert house.statuses()["s1"] == "staged"
    assert sorted(path.name for path in house.workspace.iterdir()) == ["gone.txt"]


async def test_what_was_left_out_is_missing_in_the_checks(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD))
    house.run.decide_lines("s1", "a.txt", 0, [0], accepted=False)

    result = await house.run.verify("s1")

    assert result.status == "failed"
    assert len(result.failures) == 1
    assert "failed (exit 1)" in result.failures[0]


async def test_a_deletion_left_out_and_an_edit_are_in_the_checks(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, ("sh", "-c", "cat a.txt gone.txt")))
    house.run.decide_hunk("s1", "gone.txt", -1, accepted=False)
    house.run.edit_content("s1", "a.txt", b"mine\n")

    assert (await house.run.verify("s1")).status == "passed"
    assert events(house, ev.CommandFinished)[-1].output == "mine\ngone\n"


async def test_a_result_is_stale_once_something_else_is_decided(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD))
    await house.run.verify("s1")

    house.run.comment("s1", "a.txt", 1, "new", "nice")
    assert verification(house).status == "passed"  # a comment lands nothing
    house.run.decide_hunk("s1", "b.txt", -1, accepted=False)
    assert verification(house).status == "stale"
    house.run.decide_hunk("s1", "b.txt", -1, accepted=True)
    assert verification(house).status == "passed"


async def test_a_step_may_land_whatever_its_verification_said(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, ("false",)))
    assert (await house.run.verify("s1")).status == "failed"

    house.run.approve("s1")
    await house.run.idle()

    assert house.statuses()["s1"] == "landed"


@pytest.mark.parametrize(("check", "status"), [("true", "landed"), ("false", "staged")])
async def test_approved_to_be_verified_it_lands_only_if_it_passes(
    tmp_path: Path, check: str, status: str
) -> None:
    house = await staged(house_of(tmp_path, (check,)))

    house.run.approve("s1", verify=True)
    await house.run.idle()

    assert house.statuses()["s1"] == status
    assert house.statuses()["s2"] == ("done" if status == "landed" else "proposed")


async def test_what_was_decided_while_it_was_verified_does_not_land_unverified(
    tmp_path: Path,
) -> None:
    waiting = ("sh", "-c", "until test -e go; do sleep 0.05; done")
    house = await staged(house_of(tmp_path, waiting))
    house.run.approve("s1", verify=True)
    await until(house, lambda: bool(events(house, ev.CommandRequested)))

    house.run.decide_hunk("s1", "b.txt", -1, accepted=False)
    (tmp_path / "stages" / "7f3a-s1-1-verify" / "go").touch()
    await house.run.idle()

    assert house.statuses()["s1"] == "staged"
    assert verification(house).status == "stale"


@pytest.mark.parametrize("by", ["caller", "run"])
async def test_an_interrupted_verification_leaves_no_stage(tmp_path: Path, by: str) -> None:
    house = await staged(house_of(tmp_path, ("sleep", "600")))
    kept = stages_of(house)
    task = asyncio.create_task(house.run.verify("s1"))
    await until(house, lambda: bool(events(house, ev.CommandRequested)))
    assert verification(house).status == "running"
    with pytest.raises(UsageError, match="is being verified"):
        await house.run.verify("s1")

    if by == "caller":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await house.run.cancel()
        assert (await task).status == "stopped"

    assert verification(house).status == "stopped"
    assert verification(house).reason == "interrupted by you"
    assert stages_of(house) == kept
    assert house.statuses()["s1"] == "staged"


async def test_an_interruption_comes_before_what_was_only_about_to_be_verified(
    tmp_path: Path,
) -> None:
    house = await staged(house_of(tmp_path, ("sleep", "600")))

    house.run.approve("s1", verify=True)
    await house.run.cancel()

    assert house.statuses()["s1"] == "staged"
    assert events(house, ev.VerifyStarted) == []
    assert "was interrupted by you" in events(house, ev.Noted)[-1].text
    assert not house.run.busy


async def test_closing_ends_what_is_verified_before_it_lands(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, ("sleep", "600")))
    house.run.approve("s1", verify=True)
    await until(house, lambda: bool(events(house, ev.CommandRequested)))

    await house.run.close()

    assert house.statuses()["s1"] == "staged"
    assert verification(house).status == "stopped"
    assert "7f3a-s1-1-verify" not in stages_of(house)


async def test_a_sandbox_that_does_not_start_is_a_clear_word(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD, commands=Broken()))

    result = await house.run.verify("s1")

    assert (result.status, result.reason) == (
        "stopped",
        "bwrap: no user namespaces here; see `turbo-tui doctor`",
    )
    assert "7f3a-s1-1-verify" not in stages_of(house)


async def test_a_file_that_the_user_changed_meanwhile_is_named(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD))
    (house.workspace / "gone.txt").write_text("mine\n")

    result = await house.run.verify("s1")

    assert result.status == "stopped"
    assert "gone.txt is not what the step started from any more" in result.reason


async def test_what_cannot_be_verified_is_refused(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path))
    with pytest.raises(UsageError, match="has no checks"):
        await house.run.verify("s1")
    with pytest.raises(UsageError, match="has no checks"):
        house.run.approve("s1", verify=True)
    with pytest.raises(UsageError, match="nothing to review"):
        await house.run.verify("s2")


async def test_nothing_accepted_is_nothing_to_verify(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD))
    for path in ("a.txt", "b.txt", "gone.txt"):
        house.run.decide_hunk("s1", path, -1, accepted=False)

    with pytest.raises(UsageError, match="Nothing of step s1 is accepted"):
        await house.run.verify("s1")


async def test_a_verification_that_a_crash_cut_off_is_over_on_resume(tmp_path: Path) -> None:
    house = await staged(house_of(tmp_path, GOOD))
    state = house.run.views.plan.state("s1")
    assert state is not None
    started = ev.VerifyStarted("s1", state.shown, "ab", "7f3a-s1-1-verify")
    house.run.session.append(started, "user")
    await house.run.stages.open("7f3a-s1-1-verify")

    again = house.again()
    await recover(again.run)

    assert verification(again) == Verification("stopped", "ab", reason="the app ended while it ran")
    assert "7f3a-s1-1-verify" not in stages_of(again)
    assert again.statuses()["s1"] == "staged"


async def test_it_lies_on_what_the_step_was_made_on(tmp_path: Path) -> None:
    plan = Plan("t", "canned", (Step("s1", "one"), Step("s2", "two", checks=(("true",),))))
    house = build(tmp_path / "ws", planner=CannedPlanner(plan), ahead=1)
    await staged(house)
    assert house.statuses() == {"s1": "staged", "s2": "staged"}

    assert (await house.run.verify("s2")).status == "passed"
    house.run.approve("s1")
    await house.run.idle()
    assert (await house.run.verify("s2")).status == "passed"  # now that is in the workspace
