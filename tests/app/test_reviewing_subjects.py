"""Whose changes a mark, an edit or a word is about, while other changes come on screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from tests.app.screen_kit import Seat, seated
from tests.app.session_kit import API, Doing, Stand, do_nothing, edit_two_places
from turbo_tui.app.present_changes import about
from turbo_tui.core import events as ev
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.session import Session
from turbo_tui.engine.approval import Asks
from turbo_widgets.diff_fields import LineField
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.hunk_editor import HunkEditor
from turbo_widgets.plan_pane import PlanPane

PLAN = Plan("t", "m", (Step("s1", "one", "x"), Step("s2", "two", "y")))


async def edit_on_top(stage: Stage, session: Session, asks: Asks) -> str:
    """Change the same places of api.py anew, on top of what the step before did."""
    del session, asks
    lines = API.splitlines()
    lines[1] = "line 2 of step two"
    lines[30] = "line 31 of step two"
    stage.files.write("api.py", ("\n".join(lines) + "\n").encode())
    return "two"


def two_waiting(folder: Path) -> Stand:
    doings: dict[str, Doing] = {"s1": edit_two_places, "s2": edit_on_top}
    return Stand(folder, doings, answer=PLAN, ahead=2)


def decided(stand: Stand) -> list[ev.HunkEdited | ev.LineCommented | ev.HunkDecided]:
    kinds = ev.HunkEdited, ev.LineCommented, ev.HunkDecided
    return [each.event for each in stand.store.records if isinstance(each.event, kinds)]


def kinds_of(stand: Stand) -> set[type[ev.Event]]:
    return {type(record.event) for record in stand.store.records}


async def both_reviewable(seat: Seat, stand: Stand) -> None:
    """Come to the review of s1 while s2 waits too."""
    await seat.started()
    await seat.until(lambda: all(state.reviewable for state in stand.run.views.plan.steps))
    await seat.card("Step s1")
    await seat.until(lambda: shown(seat) == "s1")
    await seat.press("2")


def shown(seat: Seat) -> str:
    """The step whose changes are on screen."""
    return about(seat.app.session_screen.furniture.diff.value.subject)[0]


async def show(seat: Seat, step_id: str) -> None:
    """Let another step's changes come on screen, as the engine does when it leads there."""
    assert seat.app.desk is not None
    seat.app.session_screen.query_one(PlanPane).select(step_id)
    seat.app.desk.feed.select(step_id)
    await seat.until(lambda: shown(seat) == step_id)


async def editing(seat: Seat) -> HunkEditor:
    await seat.press("e")
    await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
    focused = seat.app.focused
    assert isinstance(focused, HunkEditor)
    return focused


async def commenting(seat: Seat) -> LineField:
    await seat.press("c")
    await seat.until(lambda: isinstance(seat.app.focused, LineField))
    focused = seat.app.focused
    assert isinstance(focused, LineField)
    return focused


async def test_an_edit_goes_to_the_step_it_was_begun_on(tmp_path: Path) -> None:
    stand = two_waiting(tmp_path)
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        editor = await editing(seat)
        assert "hunk 1 of api.py · step s1 ·" in str(editor.border_title)
        await seat.type("mine")
        seat.app.session_screen.set_focus(seat.app.session_screen.query_one("#plan"))
        await seat.press("down")
        await seat.until(lambda: shown(seat) == "s2")
        assert editor.is_attached, "it stays open"
        seat.app.session_screen.set_focus(editor)
        await seat.press("ctrl+s")
        await seat.until(lambda: decided(stand))

    (edited,) = decided(stand)
    assert isinstance(edited, ev.HunkEdited)
    assert edited.step_id == "s1"
    assert stand.blobs.get(edited.blob).startswith(b"mineline 1\n")


async def test_a_word_goes_to_the_line_that_was_shown_even_of_a_file_that_is_gone(
    tmp_path: Path,
) -> None:
    stand = two_waiting(tmp_path)
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        await seat.press("n", "n", "down")  # in notes.md, which s2 does not change
        await commenting(seat)
        await seat.type("hm")
        await show(seat, "s2")
        assert isinstance(seat.app.focused, LineField)
        await seat.press("enter")
        await seat.until(lambda: decided(stand))

    (said,) = decided(stand)
    assert isinstance(said, ev.LineCommented)
    assert (said.step_id, said.path, said.text) == ("s1", "notes.md", "hm")


async def test_a_word_begun_on_one_step_is_no_draft_for_the_same_line_of_another(
    tmp_path: Path,
) -> None:
    stand = two_waiting(tmp_path)
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        field = await commenting(seat)
        await seat.type("half")
        seat.app.session_screen.set_focus(seat.app.session_screen.furniture.diff)
        await seat.until(lambda: not field.is_attached)
        await show(seat, "s2")
        assert not (await commenting(seat)).value
        await seat.press("escape")
        await seat.until(lambda: isinstance(seat.app.focused, DiffPane))
        await show(seat, "s1")
        assert (await commenting(seat)).value == "half"


async def test_a_mark_goes_to_the_changes_still_on_screen(tmp_path: Path) -> None:
    stand = two_waiting(tmp_path)
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        await show(seat, "s2")
        assert seat.app.desk is not None
        seat.app.desk.feed.step_id = "s1"  # it is painted with the next beat, which is not yet
        seat.app.session_screen.furniture.diff.action_toggle_hunk()
        await seat.until(lambda: decided(stand))

    (mark,) = decided(stand)
    assert mark.step_id == "s2"


@pytest.mark.parametrize("what", ["c", "e"])
async def test_what_was_written_on_changes_that_are_gone_is_put_aside_and_named(
    tmp_path: Path, what: str
) -> None:
    stand = two_waiting(tmp_path)
    stand.opened = replace(stand.opened, aside=tmp_path / "unkept")
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        await show(seat, "s2")
        await seat.press(what)
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor | LineField))
        await seat.type("mine")
        stand.runner.doings["s2"] = do_nothing
        stand.run.retry("s2")
        await stand.run.idle()
        await seat.press("ctrl+s" if what == "e" else "enter")
        await seat.until(lambda: unkept(tmp_path))

    (kept,) = unkept(tmp_path)
    assert kept.read_text().startswith("mine")
    notes = [each.event for each in stand.store.records if isinstance(each.event, ev.Noted)]
    assert str(kept) in notes[-1].text
    assert not decided(stand)


@pytest.mark.parametrize("first", ["c", "e", "E", "/", "i"])
async def test_keys_typed_with_the_one_that_opens_a_field_are_text(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    stand = Stand(tmp_path, {"s1": edit_clean})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("wants to land 1 file")
        await seat.until(lambda: "a name" in seat.rows("diff"))
        await seat.press("2")
        for key in (first, "a", "s"):
            seat.app.post_message(events.Key("slash" if key == "/" else key, key))
        await seat.until(lambda: written(seat).startswith("as"))

    assert kinds_of(stand).isdisjoint({ev.StepApproved, ev.StepSkipped})


async def test_keys_typed_with_one_that_opens_no_editor_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    stand = two_waiting(tmp_path)
    async with seated(stand) as seat:
        await both_reviewable(seat, stand)
        await seat.press("n")  # a control character is in that hunk
        for key in ("e", "a", "s"):
            seat.app.post_message(events.Key(key, key))
        await seat.sees("api.py cannot be edited here")
        await seat.press("space")
        await seat.until(lambda: decided(stand))

    assert kinds_of(stand).isdisjoint({ev.StepApproved, ev.StepSkipped})


async def edit_clean(stage: Stage, session: Session, asks: Asks) -> str:
    """Change a line; nothing in the file needs another editor."""
    del session, asks
    stage.files.write("api.py", API.replace("line 2\n", "line 2 with [a name]\n").encode())
    return "greets by name"


def unkept(folder: Path) -> list[Path]:
    return list(folder.glob("unkept/*"))


def written(seat: Seat) -> str:
    """What stands in the field or editor that has the keys."""
    focused = seat.app.focused
    if isinstance(focused, HunkEditor):
        return focused.text
    return getattr(focused, "value", "") if not isinstance(focused, DiffPane) else ""
