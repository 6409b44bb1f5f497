"""What the user does to the steps of a plan, and takes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_run import House, build, staged
from turbo_tui.core.errors import PlanError, UsageError
from turbo_tui.core.plan import Action, Plan, Step


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build(tmp_path / "ws")


async def planned(house: House) -> None:
    house.run.give_task("make two files")
    await house.run.idle()


def steps(house: House) -> list[Step]:
    return [state.step for state in house.run.views.plan.steps]


async def test_checks_and_actions_of_a_step_are_edited_with_its_words(house: House) -> None:
    await planned(house)
    check, action = ("pytest", "-q"), Action("shell", {"command": "true"})

    house.run.edit_step("s1", "one", "all", checks=(check,), actions=(action,))
    house.run.edit_step("s1", "first", "all")

    assert steps(house)[0] == Step("s1", "first", "all", checks=(check,), actions=(action,))


async def test_a_step_is_added_where_the_user_wants_it_and_runs(house: House) -> None:
    await planned(house)

    added = house.run.add_step(Step("", "between"), 1)
    with pytest.raises(PlanError, match="no title"):
        house.run.add_step(Step("", "  "), 0)

    assert [step.title for step in steps(house)] == ["one", "between", "two"]
    assert added == "3"
    house.run.remove_step(added)
    assert house.run.add_step(Step("", "another"), 0) == "4"


async def test_edits_are_taken_back_one_by_one_the_last_first(house: House) -> None:
    await planned(house)
    before = steps(house)
    house.run.edit_step("s1", "first", "")
    edited = steps(house)
    house.run.remove_step("s1")
    house.run.add_step(Step("", "more"), 1)
    house.run.set_mode("s2", "auto")

    for expected in (["two", "more"], ["two"], ["first", "two"]):
        house.run.take_back_edit()
        assert [step.title for step in steps(house)] == expected
    assert steps(house) == edited
    house.run.take_back_edit()

    assert steps(house) == before
    with pytest.raises(UsageError, match="nothing to take back"):
        house.run.take_back_edit()


async def test_a_deleted_step_comes_back_without_the_work_that_went_with_it(house: House) -> None:
    house.runner.fail["s1"] = "broke"
    await staged(house)
    assert house.statuses()["s1"] == "failed"
    house.run.remove_step("s1")
    await house.run.idle()

    house.run.take_back_edit()

    assert house.statuses() == {"s1": "proposed", "s2": "proposed"}
    house.runner.fail.clear()
    house.run.go()
    await house.run.idle()
    assert house.statuses()["s1"] == "staged"


async def test_an_edit_of_a_step_that_has_run_since_stays(house: House) -> None:
    await planned(house)
    house.run.edit_step("s1", "first", "")
    house.run.go()
    await house.run.idle()

    with pytest.raises(UsageError, match="s1 is staged"):
        house.run.take_back_edit()

    assert steps(house)[0].title == "first"


async def test_a_step_that_was_added_and_failed_goes_with_its_work_when_taken_back(
    house: House, tmp_path: Path
) -> None:
    await planned(house)
    house.runner.fail["3"] = "broke"
    house.run.add_step(Step("", "more"), 0)
    house.run.go()
    await house.run.idle()
    state = house.run.views.plan.state("3")
    assert state is not None
    assert state.status == "failed"

    house.run.take_back_edit()
    await house.run.idle()

    assert [step.id for step in steps(house)] == ["s1", "s2"]
    assert [each.name for each in (tmp_path / "stages").iterdir()] == []


async def test_what_was_edited_is_as_it_was_in_a_resumed_session(house: House) -> None:
    await planned(house)
    house.run.remove_step("s2")
    house.run.edit_step("s1", "first", "")
    house.run.take_back_edit()

    again = house.again()
    assert [state.step.title for state in again.run.views.plan.steps] == ["one"]
    again.run.take_back_edit()

    assert [state.step.title for state in again.run.views.plan.steps] == ["one", "two"]


async def test_nobody_reads_why_a_step_with_fixed_actions_is_rejected_so_it_is_not_tried_again(
    house: House,
) -> None:
    fixed = Step("s1", "one", actions=(Action("shell", {"command": "true"}),))
    house.planner.answer = Plan("t", "canned", (fixed,))
    await staged(house)

    house.run.reject("s1", "otherwise, please")
    await house.run.idle()

    assert house.statuses() == {"s1": "rejected"}
    assert house.runner.ran == [("s1", "")]
