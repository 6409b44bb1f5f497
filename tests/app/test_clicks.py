"""The mouse: what a key is shown to do, a click on it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.screen_kit import BIG, SMALL, seated
from tests.app.session_kit import API, Stand
from turbo_tui.app.dialogs import FieldScreen, HelpScreen, QuestionScreen
from turbo_widgets.approval_bar import ApprovalBar
from turbo_widgets.prompt import Prompt


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_a_step_is_started_decided_and_landed_by_clicks(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, size) as seat:
        await seat.planned()
        await seat.click("g start")
        await seat.card("wants to land 2 files")
        await seat.sees("[x] hunk 1/2")
        await seat.click("[x] hunk 1/2")
        await seat.sees("[ ] left out  hunk 1/2")
        await seat.click("a land it")
        await seat.card("Done: 1 of 2 steps landed")

    landed = (stand.root / "api.py").read_text().splitlines()
    assert landed[1] == "line 2"
    assert landed[30] != API.splitlines()[30]


async def test_a_click_on_a_card_that_has_just_come_does_nothing(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.started()
        await seat.sees("wants to land 2 files")
        bar = seat.app.session_screen.query_one(ApprovalBar)
        await seat.until(lambda: bar.painted)
        await seat.click("r reject")
        await seat.click("a land it")

        assert seat.app.screen is seat.app.session_screen
        assert "wants to land 2 files" in seat.bar_text

        seat.clock.now += 1
        await seat.click("r reject")
        assert isinstance(seat.app.screen, FieldScreen)


async def test_a_click_on_the_card_acts_from_within_a_field_whose_text_stays(
    tmp_path: Path,
) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.to_review()
        await seat.click("i Task")
        assert isinstance(seat.app.focused, Prompt)
        await seat.type("and then")
        await seat.sees("esc leaves the field:   a land it")
        await seat.click("a land it")
        await seat.card("Done: 1 of 2 steps landed")

        assert seat.prompt.value == "and then"


async def test_keys_below_and_in_windows_can_be_clicked_on(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.to_review()
        await seat.click("? Help")
        assert isinstance(seat.app.screen, HelpScreen)
        await seat.click("esc close")
        assert seat.app.screen is seat.app.session_screen

        await seat.click("a land it")
        await seat.card("Done: 1 of 2 steps landed")
        await seat.click("u take back")
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        await seat.click("y take")
        assert isinstance(seat.app.screen, QuestionScreen), "clicked before it could be read"
        await seat.guard()
        await seat.click("y take")
        await seat.card("was taken back")
