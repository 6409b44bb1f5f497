"""The card's keys: what they never answer, and that no pane needs the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.binding import Binding, BindingType

from tests.app.screen_kit import BIG, seated
from tests.app.session_kit import Stand
from turbo_tui.app.session_screen import SessionScreen
from turbo_tui.core import events as ev
from turbo_widgets.approval_bar import ApprovalBar
from turbo_widgets.diff_pane import DiffPane

TINY = (50, 15)
SHARED = {
    "n",  # no / next hunk: no asks for a reason first, and a question has no hunks of its own
    "e",  # edit a step / a hunk: no card offers it while something waits for a review
}


def keys_of(bindings: Sequence[BindingType], action: str = "") -> set[str]:
    known = [each for each in bindings if isinstance(each, Binding) and action in each.action]
    return {key for binding in known for key in binding.key.split(",")}


def decided(stand: Stand) -> list[ev.Event]:
    kinds = (ev.StepApproved, ev.StepSkipped, ev.StepRejected)
    return [each.event for each in stand.store.records if isinstance(each.event, kinds)]


def test_a_key_of_the_card_means_nothing_else_in_the_diff() -> None:
    card = keys_of(SessionScreen.BINDINGS, "choose(")

    assert "a" in card
    assert card & keys_of(DiffPane.BINDINGS) == SHARED


async def test_what_is_typed_while_the_window_shrinks_answers_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("i")
        await seat.type("next ")
        await seat.pilot.resize_terminal(*TINY)
        await seat.pilot.pause()
        await seat.type("task")

    assert decided(stand) == []


async def test_a_card_that_came_unseen_takes_no_key_until_it_is_seen(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.started()
        await seat.pilot.resize_terminal(*TINY)
        await seat.until(lambda: "wants to land" in seat.bar_text)
        seat.clock.now += 60
        await seat.press("a")
        assert decided(stand) == []

        await seat.pilot.resize_terminal(*BIG)
        bar = seat.app.session_screen.query_one(ApprovalBar)
        await seat.until(lambda: bar.painted)
        await seat.press("a")
        assert decided(stand) == [], "it has been seen for no half second yet"
        await seat.guard()
        await seat.press("a")
        await seat.until(lambda: decided(stand))
