"""The plan under the user's hands: steps written anew, added, deleted, and all that taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.app.screen_kit import SMALL, Seat, seated
from tests.app.session_kit import PLAN, Stand, edit_two_places, hang
from turbo_tui.app.step_editor import StepEditor
from turbo_tui.core.plan import Action, Step
from turbo_widgets.plan_pane import PlanPane

RENAME = Step("s1", "Rename it", "all of it", actions=(Action("rename_symbol", {"symbol": "a"}),))
FIXED = replace(PLAN, steps=(RENAME, PLAN.steps[1]))


def steps(stand: Stand) -> list[Step]:
    return [state.step for state in stand.run.views.plan.steps]


async def opened(seat: Seat, key: str) -> StepEditor:
    """Have the editor opened by a key of the plan."""
    await seat.until(lambda: seat.app.focused is seat.app.query_one(PlanPane))
    await seat.press(key)
    await seat.sees("Checks, a command a line")
    editor = seat.app.screen
    assert isinstance(editor, StepEditor)
    return editor


async def test_checks_and_actions_are_edited_beside_the_words(tmp_path: Path) -> None:
    stand = Stand(tmp_path, answer=FIXED)
    async with seated(stand, SMALL) as seat:
        await seat.planned()
        await opened(seat, "enter")
        await seat.press("tab", "tab")
        await seat.type("make test")
        await seat.press("tab", "end")
        await seat.press(*["backspace"] * 2)
        await seat.press("ctrl+s")
        await seat.sees("arguments of rename_symbol cannot be read")
        await seat.type('b"}')
        await seat.press("ctrl+s")
        await seat.until(lambda: steps(stand)[0] != RENAME)

    assert steps(stand)[0].checks == (("make", "test"),)
    assert steps(stand)[0].actions == (Action("rename_symbol", {"symbol": "ab"}),)


async def test_words_alone_change_nothing_of_what_is_fixed_and_that_is_said(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, answer=FIXED)
    async with seated(stand) as seat:
        await seat.planned()
        await opened(seat, "enter")
        await seat.type("!")
        await seat.press("enter")
        await seat.sees("it does what its fixed actions say")

    assert steps(stand)[0] == replace(RENAME, title="Rename it!")


async def test_what_was_typed_is_not_lost_by_one_escape(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        editor = await opened(seat, "enter")
        await seat.type("x")
        await seat.press("escape")
        await seat.sees("escape once more lets it go")
        assert seat.app.screen is editor
        await seat.press("escape")
        await seat.until(lambda: seat.app.screen is not editor)

    assert steps(stand) == list(PLAN.steps)


async def test_a_step_is_added_below_the_cursor_and_taken_back(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await opened(seat, "o")
        await seat.press("ctrl+s")
        await seat.sees("A step needs a title.")
        await seat.type("Look at it")
        await seat.press("tab", "tab")
        await seat.type("ls")
        await seat.press("ctrl+s")
        await seat.until(lambda: "Look at it" in seat.rows("plan"))
        assert [step.title for step in steps(stand)][1] == "Look at it"
        assert steps(stand)[1].checks == (("ls",),)
        selected = seat.app.query_one(PlanPane).selected
        assert selected is not None
        assert selected.title == "Look at it"
        await seat.press("z")
        await seat.until(lambda: "Look at it" not in seat.rows("plan"))

    assert steps(stand) == list(PLAN.steps)


async def test_a_deleted_step_comes_back_and_another_has_the_cursor_meanwhile(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await seat.until(lambda: seat.app.focused is seat.app.query_one(PlanPane))
        await seat.press("d")
        await seat.sees("Deleted: Add a name to the greeting. z in the plan takes that back.")
        desk = seat.app.desk
        assert desk is not None
        await seat.until(lambda: desk.feed.step_id == "s2")
        await seat.press("z")
        await seat.until(lambda: "Add a name" in seat.rows("plan"))

    assert steps(stand) == list(PLAN.steps)


async def test_a_step_whose_work_would_go_is_deleted_after_a_question(tmp_path: Path) -> None:
    stand = Stand(tmp_path, {"s1": hang})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("is running")
        await seat.press("ctrl+c")
        await seat.card("was cut off; what it did to 1 file is kept")
        await seat.press("1", "d")
        await seat.sees("What it did to 1 file is kept, and would go with it.")
        await seat.guard()
        await seat.press("n")
        await seat.until(lambda: seat.app.query_one(PlanPane).is_on_screen)
        assert steps(stand) == list(PLAN.steps)
        await seat.press("d")
        await seat.sees("Delete step s1?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: len(steps(stand)) == 1)


async def test_rejecting_a_step_of_fixed_actions_says_that_no_model_reads_why(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, {"s1": edit_two_places}, answer=FIXED)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("r")
        await seat.sees("no model reads what you say here")
        await seat.type("use b")
        await seat.press("enter")
        await seat.card("was rejected")

    assert stand.run.views.plan.steps[0].feedback == "use b"
    assert stand.run.views.plan.steps[0].attempt == 1


async def test_a_step_that_did_not_end_well_lands_after_a_question_and_says_so_for_good(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, {"s1": hang})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("is running")
        await seat.press("ctrl+c")
        await seat.card("was cut off; what it did to 1 file is kept")
        for answer in ("n", "y"):
            await seat.guard()
            await seat.press("a")
            await seat.sees("Land step s1 although it was cut off?")
            assert not (stand.root / "half.txt").exists()
            await seat.guard()
            await seat.press(answer)
        await seat.until((stand.root / "half.txt").exists)
        await seat.until(lambda: "landed · in spite of:" in seat.rows("plan"))
