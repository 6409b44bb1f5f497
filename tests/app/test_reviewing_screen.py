"""A review on screen: lines, edits, words on lines, verifying, and whose key it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.screen_kit import SMALL, Seat, seated
from tests.app.session_kit import API, PLAN, Stand, hang, want_network
from tests.session_fakes import FolderLander
from turbo_tui.app.editor import named_editor
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.core import events as ev
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.hunk_editor import HunkEditor

NOTES = "# Greeting\n\nIt takes a name now.\n"


def events_of(stand: Stand, kind: type[ev.Event]) -> list[ev.Event]:
    return [record.event for record in stand.store.records if isinstance(record.event, kind)]


async def reviewing(seat: Seat) -> None:
    """Come to the review of a step that changed api.py in two places and added notes.md."""
    await seat.to_review()
    await seat.sees("line 2 with [a name]")
    assert isinstance(seat.app.focused, DiffPane)


async def landing(seat: Seat) -> None:
    await seat.press("a")
    await seat.card("Done: 1 of 2 steps landed")


# --- lines ---------------------------------------------------------------------------


async def test_lines_left_out_by_a_range_do_not_land(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press("f", "n", "down", "shift+down")
        await seat.sees("2 changed lines chosen, space")
        await seat.press("space")
        await seat.until(lambda: "[~] partly  hunk 1/1" in seat.rows("diff"))
        await landing(seat)

    assert (stand.root / "notes.md").read_text() == "It takes a name now.\n"


async def test_the_card_says_what_lands_otherwise_and_whom_a_comment_reaches(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, SMALL) as seat:
        await reviewing(seat)
        await seat.press("n", "space")
        await seat.card("1 hunk left out.")
        await seat.press("f", "x")
        await seat.card("1 file, 1 hunk left out.")
        await seat.press("p", "p", "down", "c")
        await seat.type("why")
        await seat.press("enter")
        await seat.card("1 comment: told only if you reject (r).")


# --- edits ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 40), SMALL])
async def test_what_was_written_in_place_lands_and_the_diff_has_the_keys_again(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, size) as seat:
        await reviewing(seat)
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        assert "wants to land 2 files" in seat.bar_text
        assert "land it" not in seat.bar_text, "a key there would be text here"
        await seat.type("a")
        await seat.press("ctrl+s")
        await seat.until(lambda: "hunk 1/2  line 1  edited" in seat.rows("diff"))
        assert isinstance(seat.app.focused, DiffPane)
        assert "a land it" in seat.bar_text
        await landing(seat)

    landed = (stand.root / "api.py").read_text().splitlines()
    assert landed[:2] == ["aline 1", "line 2 with [a name]"]


async def test_an_edit_that_is_left_changes_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        await seat.type("a")
        await seat.press("escape")
        await seat.sees("esc again drops what you wrote")
        await seat.type("b")
        await seat.sees("esc leaves it")
        assert isinstance(seat.app.focused, HunkEditor)
        await seat.press("escape", "escape")
        await seat.until(lambda: isinstance(seat.app.focused, DiffPane))

    assert not events_of(stand, ev.HunkEdited)


async def test_what_does_not_fit_in_place_asks_for_an_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    async with seated(Stand(tmp_path)) as seat:
        await reviewing(seat)
        await seat.press("n", "e")  # line 31 has an escape character

        await seat.sees("api.py cannot be edited here")
        await seat.sees("EDITOR=vim")


# --- words ---------------------------------------------------------------------------


async def test_a_word_on_a_line_stands_under_it_and_goes_with_a_rejection(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press(*["down"] * 3, "c")
        await seat.type("no brackets")
        await seat.press("enter")
        await seat.until(lambda: "no brackets" in seat.rows("diff"))
        rows = [row.strip() for row in seat.rows("diff").splitlines()]
        said = rows.index("» you: no brackets")
        assert rows[said - 1].endswith("+ line 2 with [a name]")
        assert isinstance(seat.app.focused, DiffPane)

        await seat.press("r")
        await seat.sees("Your 1 comment goes with it")
        await seat.press("enter")
        await seat.until(lambda: len(stand.runner.ran) > 1)

    (rejected,) = events_of(stand, ev.StepRejected)
    assert isinstance(rejected, ev.StepRejected)
    assert "api.py:2" in rejected.feedback
    assert "> line 2 with [a name]\nno brackets" in rejected.feedback
    assert stand.runner.ran[1] == ("s1", rejected.feedback)


async def test_a_line_that_the_user_wrote_takes_no_words_to_the_step(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        await seat.type("a")
        await seat.press("ctrl+s")
        await seat.until(lambda: "hunk 1/2  line 1  edited" in seat.rows("diff"))
        await seat.press("down", "down", "down", "c")
        await seat.type("mine")
        await seat.press("enter")
        await seat.sees("This line is in")

    assert not events_of(stand, ev.LineCommented)


@pytest.mark.parametrize("key", ["C", "delete"])
async def test_a_word_is_taken_back(tmp_path: Path, key: str) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press(*["down"] * 3, "c")
        await seat.type("hm")
        await seat.press("enter")
        await seat.until(lambda: "» you: hm" in seat.rows("diff"))
        await seat.press(key)
        await seat.until(lambda: "» you" not in seat.rows("diff"))
        await seat.press("r")
        await seat.sees("Enter alone drops everything it did.")


# --- verifying -----------------------------------------------------------------------


def checked(folder: Path, *, lander: type[FolderLander] = FolderLander) -> tuple[Stand, Path]:
    """Return a stand whose step's check waits for a gate, then looks for the name."""
    gate = folder / "gate"
    check = f"while [ ! -e '{gate}' ]; do sleep 0.02; done; grep -q 'a name' api.py"
    first = replace(PLAN.steps[0], checks=(("sh", "-c", check),))
    return Stand(folder, answer=replace(PLAN, steps=(first, PLAN.steps[1])), lander=lander), gate


@pytest.mark.parametrize("size", [(120, 40), SMALL])
async def test_verifying_is_told_on_the_card_until_something_else_is_decided(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand, gate = checked(tmp_path)
    async with seated(stand, size) as seat:
        await reviewing(seat)
        assert "K run its checks" not in seat.bar_text, "all of it was checked when it ended"
        await seat.press("n", "space")
        await seat.card("K run its checks on that")
        await seat.press("K")
        await seat.card("Verifying what you accepted")
        gate.touch()
        await seat.card("What you accepted passes the step's checks.")
        await seat.press("p", "space")
        await seat.card("You decided something else since it was verified.")

        await seat.press("n", "space", "K")
        await seat.card("What you accepted fails 1 check")

    assert not events_of(stand, ev.StepApproved)


async def test_where_checks_cannot_be_run_the_key_says_why_and_how_one_gets_some(
    tmp_path: Path,
) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await reviewing(seat)
        await seat.press("K")
        await seat.sees("Step s1 has no checks.")

    (tmp_path / "checked").mkdir()
    async with seated(checked(tmp_path / "checked")[0]) as seat:
        await reviewing(seat)
        await seat.press("K")
        await seat.sees("checks ran on all of this as it ended")


async def test_landing_if_the_checks_pass_lands_nothing_when_they_fail(tmp_path: Path) -> None:
    stand, gate = checked(tmp_path)
    gate.touch()
    async with seated(stand) as seat:
        await reviewing(seat)
        await seat.press("space")
        await seat.card("A and land it if they pass")
        await seat.press("A")
        await seat.card("What you accepted fails 1 check")
        assert (stand.root / "api.py").read_text() == API
        assert not (stand.root / "notes.md").exists()

        await seat.press("space", "n", "space")
        await seat.card("decided something else")
        await seat.press("A")
        await seat.card("Done: 1 of 2 steps landed")

    assert "a name" in (stand.root / "api.py").read_text()
    assert "line 31\n" in (stand.root / "api.py").read_text()


# --- whose key it is -----------------------------------------------------------------


async def test_no_is_answered_to_a_question_while_the_changes_have_the_keys(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, {"s1": want_network})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("wants to use the network")
        await seat.press("2")
        assert isinstance(seat.app.focused, DiffPane)
        await seat.press("n")
        await seat.sees("Say why, if you like")
        await seat.press("enter")
        await seat.until(lambda: events_of(stand, ev.ApprovalAnswered))

    (answered,) = events_of(stand, ev.ApprovalAnswered)
    assert isinstance(answered, ev.ApprovalAnswered)
    assert answered.answer == "no"


async def test_the_card_goes_on_from_an_interrupted_step_while_the_changes_have_the_keys(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, {"s1": hang})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("is running")
        await seat.until(lambda: len(stand.runner.ran) == 1)
        await seat.press("ctrl+c")
        await seat.card("was cut off")
        await seat.press("2", "n")
        assert isinstance(seat.app.focused, DiffPane)
        await seat.guard()
        await seat.press("G")
        await seat.until(lambda: len(stand.runner.ran) > 1)


# --- the user's editor -----------------------------------------------------------------


def test_the_editor_is_visual_before_editor_and_may_have_arguments() -> None:
    assert named_editor({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert named_editor({"VISUAL": "", "EDITOR": "'my editor' -n"}) == ["my editor", "-n"]
    assert named_editor({}) == []


async def test_an_editor_whose_quotes_are_open_is_said_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", "'vim")
    async with seated(Stand(tmp_path)) as seat:
        await seat.to_review()
        await seat.press("n", "E")
        await seat.sees("EDITOR cannot be read as a command")


async def test_what_an_editor_left_that_ended_with_an_error_is_put_aside_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outside(_: TurboApp, command: list[str]) -> int:
        Path(command[-1]).write_text("half of it\n")
        return 1

    monkeypatch.setattr(TurboApp, "outside", outside)
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", "vim")
    stand = Stand(tmp_path)
    stand.opened = replace(stand.opened, aside=tmp_path / "unkept")
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("n", "E")
        await seat.sees("vim ended with 1; nothing was taken")

    (kept,) = (tmp_path / "unkept").iterdir()
    assert kept.read_text() == "half of it\n"
    assert not events_of(stand, ev.ContentEdited)


async def test_a_rewritten_file_that_is_left_out_is_taken_in_again_by_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outside(_: TurboApp, command: list[str]) -> int:
        lines = Path(command[-1]).read_text().splitlines()
        lines[10] = "mine"
        Path(command[-1]).write_text("\n".join([*lines, ""]))
        return 0

    monkeypatch.setattr(TurboApp, "outside", outside)
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", "vim")
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("n", "E")
        await seat.until(lambda: "+ mine" in seat.rows("diff"))
        await seat.press("n", "space")
        await seat.card("1 file left out")
        assert "mine" in seat.rows("diff"), "it is still what was written"
        await seat.press("space")
        await seat.until(lambda: "left out" not in seat.bar_text)
        await landing(seat)

    assert (stand.root / "api.py").read_text().splitlines()[10] == "mine"
