"""The timeline: what landed, the tree at each point, taking back and landing again."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from tests.app.screen_kit import BIG, Seat, seated
from tests.app.session_kit import API, Stand
from turbo_tui.app.timeline_screen import TimelineScreen
from turbo_tui.core import events as ev
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.timeline_pane import TimelinePane


def listed(seat: Seat) -> str:
    rows = seat.app.screen.query_one(TimelinePane).rows
    return "\n".join(row.text for row in rows)


def shown(seat: Seat) -> str:
    pane = seat.app.screen.query_one(DiffPane)
    return f"{pane.border_title}\n" + "\n".join(row.text for row in pane.rows)


async def first_landed(seat: Seat) -> None:
    await seat.to_review()
    await seat.press("a")
    await seat.card("Done: 1 of 2 steps landed")


async def test_before_anything_landed_there_is_no_timeline(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.press("escape", "T")

        assert not isinstance(seat.app.screen, TimelineScreen)


async def test_a_landing_shows_what_it_brought_and_enter_the_tree_then(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await first_landed(seat)
        await seat.press("T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.until(lambda: "step s1 brought" in shown(seat))

        assert "✔ s1" in listed(seat)
        assert "landed · 2 files" in listed(seat)
        assert "api.py" in shown(seat)
        assert {len(line) for line in seat.text.split("\n")} == {BIG[0]}, "it stands beside nothing"
        assert "what do you want done?" not in seat.text

        await seat.press("enter")
        await seat.until(lambda: "after step s1" in shown(seat))
        assert "It is as it is now." in shown(seat)

        await seat.press("down", "enter")
        await seat.until(lambda: "- now, + before step s1" in shown(seat))
        assert "api.py" in shown(seat)

        await seat.press("enter")
        await seat.until(lambda: "Enter shows" in shown(seat))
        await seat.press("escape")
        await seat.until(lambda: not isinstance(seat.app.screen, TimelineScreen))


async def test_a_landing_is_taken_back_and_landed_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await first_landed(seat)
        made = (stand.root / "api.py").read_text()
        assert made != API
        await seat.press("T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.press("r")
        assert isinstance(seat.app.screen, TimelineScreen), "what stands cannot land again"

        await seat.press("u")
        await seat.sees("Take back step s1?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.until(lambda: "taken back" in listed(seat))
        assert (stand.root / "api.py").read_text() == API

        await seat.press("r")
        await seat.sees("Land step s1 again?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.until(lambda: "landed again" in listed(seat))

    assert (stand.root / "api.py").read_text() == made
    events = [record.event for record in stand.store.records]
    assert sum(isinstance(event, ev.LandingRedone) for event in events) == 1


async def test_of_a_step_that_landed_twice_the_chosen_landing_lands_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await first_landed(seat)
        run = stand.run
        await run.undo("s1")
        run.retry("s1")
        await seat.until(lambda: run.views.plan.state("s1") and not run.busy)
        run.approve("s1")
        await seat.until(lambda: len(run.views.timeline.landings) == 2 and not run.busy)
        await run.undo("s1")
        first, second = (each.landing for each in run.views.timeline.landings)
        await seat.press("escape", "T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.press("down", "r")  # newest first: the one below is the older
        await seat.sees("Land step s1 again?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: not run.views.timeline.landings[0].undone)

        assert [each.undone for each in run.views.timeline.landings] == [False, True]
        assert run.views.timeline.standing(landing=first) is not None
        assert run.views.timeline.standing(landing=second) is None


async def test_what_was_cut_off_between_several_is_said_in_the_timeline(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await first_landed(seat)
        (landed,) = stand.run.views.timeline.landings
        session = stand.run.session
        session.append(ev.StepLanded("s2", "landing-9", ("notes.md",)))
        session.append(ev.TurnBegan("undo", ("landing-9", landed.landing)), "user")
        session.append(ev.LandingUndone("s2", "landing-9", ("notes.md",)))
        await seat.press("T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        cut = seat.app.screen.query_one("#timeline-cut", Static)
        said = "step s2 was taken back, step s1 still stands. u at each goes on with it."
        await seat.until(lambda: said in str(cut.content))
        assert cut.display
        assert "an earlier undo of" in seat.text
        session.append(ev.LandingUndone("s1", landed.landing, ("api.py",)))
        await seat.until(lambda: not cut.display)
