"""The knowledge pane in the app: places, and files that go with the next task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from tests.app.screen_kit import BIG, SMALL, seated
from tests.app.session_kit import Stand
from turbo_tui.app import desk
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.core import events as ev
from turbo_tui.core.searching import NOWHERE, Context, IndexState
from turbo_tui.core.traces import read_trace
from turbo_widgets.knowledge_pane import KnowledgePane


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


async def test_places_are_asked_for_again_as_the_index_grows_and_the_cursor_stays(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path)
    stand.search.index = IndexState(files=1, pending=1)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("line 3")
        await seat.sees("api.py:31")
        await seat.press("enter", "down")
        line = seat.app.session_screen.query_one(KnowledgePane).places.cursor
        (stand.root / "aaa.py").write_text("line 3\n")
        stand.search.index = IndexState(files=2, changes=1)
        await seat.sees("aaa.py:1")

        assert line == 1
        assert seat.app.session_screen.query_one(KnowledgePane).places.cursor == line + 1


async def test_nothing_is_not_said_to_be_found_before_a_file_was_looked_at(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("zebra")
        await seat.until(lambda: stand.search.asked)
        await seat.sees("Searching for “zebra” …")
        (stand.root / "new.py").write_text("zebra\n")
        stand.search.index = IndexState(files=2, changes=1)
        await seat.sees("new.py:1")


async def test_a_branch_that_is_switched_elsewhere_is_the_one_in_the_status_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "BRANCH_S", 0.01)
    stand, branches = Stand(tmp_path), ["main"]
    stand.opened = replace(stand.opened, find_branch=lambda: branches[-1])
    async with seated(stand, BIG) as seat:
        await seat.sees("demo@main")
        branches.append("other")
        await seat.sees("demo@other")


async def test_the_plain_cause_of_nothing_found_is_said(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.search.cause = "No file here is lang:rust; there are py."
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("zebra lang:rust")
        await seat.sees("No file here is lang:rust; there are py.")


async def test_a_file_that_is_gone_is_neither_shown_nor_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "vi")
    stand = Stand(tmp_path)
    (stand.root / "gone.py").write_text("zebra\n")
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("zebra")
        await seat.sees("gone.py:1")
        (stand.root / "gone.py").unlink()
        await seat.press("enter", "o")
        await seat.sees("gone.py is no longer there; search again.")

    assert stand.search.learnt == []


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_escape_leaves_the_search_field_also_where_nothing_was_searched(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with seated(Stand(tmp_path), size) as seat:
        await seat.press("escape", "4")
        await seat.sees("esc Leave field")
        await seat.press("escape")
        await seat.until(lambda: "esc Leave field" not in seat.text)
        await seat.press("i", "escape", "5")
        await seat.sees("pytest -q")
        await seat.press("4", "x", "escape")
        assert seat.app.query_one(KnowledgePane).field.value == ""
        await seat.press("escape", "question_mark")
        await seat.sees("The way through")


async def test_a_search_is_asked_from_where_the_user_is(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("line 31")
        await seat.sees("api.py:31")
        assert stand.search.contexts[-1] == NOWHERE
        await seat.press("enter")
        await seat.sees("api.py:31")
        await seat.press("i")
        await seat.to_review()
        await seat.press("escape", "4", "escape", "f")
        await seat.type("a")
        await seat.until(lambda: stand.search.contexts[-1] != NOWHERE)

    assert stand.search.contexts[-1] == Context(
        ("api.py", "notes.md"),
        "Add a name to the greeting\nChange greet() in api.py and say so in the notes",
    )


async def test_what_is_pinned_or_opened_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setenv("EDITOR", "vi")

    def outside(_: TurboApp, command: list[str]) -> None:
        ran.append(command)

    monkeypatch.setattr(TurboApp, "outside", outside)
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        await seat.type("line 31")
        await seat.sees("api.py:31")
        await seat.press("enter", "p")
        await seat.until(lambda: stand.search.learnt == [("pinned", ("api.py",))])
        await seat.press("p", "o")
        await seat.until(lambda: stand.search.learnt[1:] == [("opened", ("api.py",))])

    assert ran == [["vi", "+31", str(stand.root / "api.py")]]


async def test_a_pasted_trace_keeps_all_its_places(tmp_path: Path) -> None:
    trace = (
        "Traceback (most recent call last):\r\n"
        '  File "/app/api.py", line 31, in greet\r\n    raise ValueError\r\nValueError: no\r\n'
    )
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.press("escape", "4")
        field = seat.app.session_screen.query_one(KnowledgePane).field
        field.post_message(events.Paste(trace))
        await seat.until(lambda: stand.search.asked)
        assert read_trace(stand.search.asked[-1]) == read_trace(trace)
        field.select_all()
        field.post_message(events.Paste("INFO all is well\n" * 20_000 + trace))
        await seat.until(lambda: "all is well" in stand.search.asked[-1])
        assert read_trace(stand.search.asked[-1]).frames == read_trace(trace).frames
        assert len(field.value) < 30_000
        field.select_all()
        field.post_message(events.Paste("line 31\n"))
        await seat.sees("api.py:31")

        assert field.value == "line 31"
