"""The knowledge pane in the app: places, and files that go with the next task."""

from __future__ import annotations

from pathlib import Path

from tests.app.screen_kit import BIG, seated
from tests.app.session_kit import Stand
from turbo_tui.core import events as ev
from turbo_tui.core.searching import IndexState


async def test_a_pinned_file_goes_with_the_next_task_and_with_no_later_one(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("line 31")
        await seat.sees("api.py:31")
        await seat.press("enter", "p")
        await seat.sees("what do you want done? (with api.py)")
        await seat.press("i")
        await seat.planned()
        await seat.press("i")
        await seat.task("and in Danish")
        await seat.until(lambda: len(_tasks(stand)) == 2)

    assert [each.pinned for each in _tasks(stand)] == [("api.py",), ()]


async def test_a_file_pinned_again_is_not_pinned(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("line 31")
        await seat.sees("api.py:31")
        await seat.press("enter", "p")
        await seat.sees("(with api.py)")
        await seat.press("p")
        await seat.until(lambda: "(with" not in seat.text)

        assert "pinned" not in seat.text


def _tasks(stand: Stand) -> list[ev.TaskGiven]:
    events = [record.event for record in stand.store.records]
    return [each for each in events if isinstance(each, ev.TaskGiven)]


async def test_the_pane_says_how_far_the_index_is_and_what_was_given_up(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.search.index = IndexState(files=120, pending=80, rate=40.0, left_s=2.0)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.sees("indexing 120 of 200 files, 40 a second, 2 s left")
        stand.search.index = IndexState(files=200, given_up=("deep.js", "b.js"))
        await seat.sees("deep.js hung its grammar and 1 more")
