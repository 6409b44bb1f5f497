"""The way through on screen: a task, its plan, a step, its review, what lands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events

from tests.app.screen_kit import BIG, SMALL, TINY, seated
from tests.app.session_kit import API, Stand, do_nothing, hang, want_network
from turbo_tui.app.opened import Front, Opened, Option, Question
from turbo_tui.app.options import Options
from turbo_tui.app.shapes import shape_of
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.core import events as ev
from turbo_tui.core.errors import TaskError, WorkspaceError
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.plan_pane import PlanPane


def events_of(stand: Stand, kind: type[ev.Event]) -> list[ev.Event]:
    return [record.event for record in stand.store.records if isinstance(record.event, kind)]


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_only_the_hunks_left_in_land(tmp_path: Path, size: tuple[int, int]) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, size) as seat:
        await seat.to_review()
        await seat.sees("line 2 with [a name]")
        await seat.press("n", "space")
        await seat.until(lambda: "[ ] left out  hunk 2/2" in seat.rows("diff"))
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")
        await seat.press("1", "home")
        await seat.until(lambda: "Step s1 has landed." in seat.rows("diff"))
        assert "2 + line 2 with [a name]" in seat.rows("diff")
        assert "31 + line 31" not in seat.rows("diff"), "it was left out"

    landed = (stand.root / "api.py").read_text().splitlines()
    assert landed[1] == "line 2 with [a name]"
    assert landed[30] == "line 31"
    assert (stand.root / "notes.md").exists()


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_the_empty_screen_says_what_to_do(tmp_path: Path, size: tuple[int, int]) -> None:
    async with seated(Stand(tmp_path), size) as seat:
        await seat.sees("Type below what you want done")

        assert "demo@main" in seat.text
        assert "sandbox: full" in seat.text
        assert "what do you want done?" in seat.text
        assert "enter Send" in seat.text


async def test_a_terminal_too_small_says_so_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), TINY) as seat:
        assert "This terminal is 50x15." in seat.text
        assert "needs 60x20 or more" in seat.text
        await seat.pilot.resize_terminal(80, 24)
        await seat.sees("Type below what you want done")


@pytest.mark.parametrize(
    ("size", "shape"),
    [((120, 40), "wide"), ((200, 60), "wide"), ((120, 24), "short"), ((80, 24), "narrow"),
     ((60, 20), "narrow"), ((59, 40), "tiny"), ((120, 19), "tiny")],
)  # fmt: skip
def test_every_size_has_its_shape(size: tuple[int, int], shape: str) -> None:
    assert shape_of(*size) == shape


async def test_a_task_typed_before_the_session_is_open_is_not_lost(tmp_path: Path) -> None:
    stand, ready = Stand(tmp_path), asyncio.Event()

    async def open_late(front: Front) -> Opened:
        front.say("Preparing the sandbox …")
        await ready.wait()
        return stand.opened

    async with seated(open_late, wait=False) as seat:
        await seat.type("greet")
        assert seat.prompt.value == "greet"
        await seat.press("enter")
        await seat.sees("Opening the project; your task")
        assert stand.planner.asked == []
        ready.set()
        await seat.until(lambda: stand.planner.asked == ["greet"])


async def test_what_was_typed_while_opening_is_not_overwritten_by_a_suggested_task(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, wait=False) as seat:
        await seat.type("mine")
        await seat.until(lambda: seat.app.desk is not None)

        assert seat.prompt.value == "mine"


async def test_keys_in_a_field_are_text_and_answer_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("i")
        assert "esc leaves the field: " in seat.bar_text
        await seat.type("ars")
        assert seat.prompt.value == "ars"

    assert not events_of(stand, ev.StepApproved)
    assert not events_of(stand, ev.StepRejected)
    assert not events_of(stand, ev.StepSkipped)


async def test_a_key_in_the_first_half_second_of_a_review_lands_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.started()
        await seat.until(lambda: "wants to land" in seat.bar_text)
        await seat.press("a")
        assert not events_of(stand, ev.StepApproved)
        await seat.guard()
        await seat.press("a")
        await seat.until(lambda: events_of(stand, ev.StepLanded))


async def test_an_ask_shows_its_bytes_and_the_answer_reaches_the_step(tmp_path: Path) -> None:
    stand = Stand(tmp_path, {"s1": want_network})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("wants to use the network")
        assert "pip install requests" in seat.bar_text
        assert "the tests import it" in seat.bar_text
        await seat.press("n")
        await seat.sees("Say why, if you like")
        await seat.type("use urllib")
        await seat.press("enter")
        await seat.until(
            lambda: "allowed: False use urllib" in seat.rows("log") + str(stand.store.records)
        )

    answered = events_of(stand, ev.ApprovalAnswered)
    assert [(e.answer, e.feedback) for e in answered if isinstance(e, ev.ApprovalAnswered)] == [
        ("no", "use urllib")
    ]


@pytest.mark.parametrize(
    ("key", "answer"), [("y", "once"), ("S", "step"), ("L", "plan"), ("P", "project")]
)
async def test_each_yes_has_its_own_key(tmp_path: Path, key: str, answer: str) -> None:
    stand = Stand(tmp_path, {"s1": want_network})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("wants to use the network")
        await seat.press(key)
        await seat.card("Done")

    answered = events_of(stand, ev.ApprovalAnswered)
    assert [e.answer for e in answered if isinstance(e, ev.ApprovalAnswered)] == [answer]


async def test_rejecting_with_a_word_tries_again_on_top_of_the_work(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("r")
        await seat.type("shorter")
        await seat.press("enter")
        await seat.until(lambda: stand.runner.ran == [("s1", ""), ("s1", "shorter")])
        await seat.card("wants to land")

    assert (stand.root / "api.py").read_text() == API


async def test_rejecting_without_a_word_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("r", "escape")
        assert not events_of(stand, ev.StepRejected)
        await seat.press("r", "enter")
        await seat.card("was rejected; nothing of it is in your files")

    assert (stand.root / "api.py").read_text() == API
    assert not (stand.root / "notes.md").exists()


async def test_the_plan_is_edited_before_it_runs(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await seat.until(lambda: seat.app.focused is seat.app.query_one(PlanPane))
        await seat.press("m", "enter")
        await seat.sees("What the step is to achieve")
        await seat.press(*["backspace"] * len("greeting"))
        await seat.type("salute")
        await seat.press("ctrl+s")
        await seat.until(lambda: "salute" in seat.rows("plan"))
        await seat.press("down", "d")
        await seat.until(lambda: "Run the tests" not in seat.rows("plan"))

    assert stand.run.views.plan.plan.steps[0].mode == "auto"
    assert [step.title for step in stand.run.views.plan.plan.steps] == ["Add a name to the salute"]


async def test_a_refused_edit_says_why(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await seat.until(lambda: seat.app.focused is seat.app.query_one(PlanPane))
        await seat.press("J")
        await seat.sees("depends on")

    assert [step.id for step in stand.run.views.plan.plan.steps] == ["s1", "s2"]


async def test_an_empty_title_is_not_kept(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await seat.press("e")
        await seat.sees("What the step is to achieve")
        await seat.press("ctrl+u", "ctrl+s")
        await seat.sees("A step needs a title.")
        await seat.press("escape")

    assert not events_of(stand, ev.StepEdited)


async def test_interrupting_keeps_the_work_and_offers_to_go_on(tmp_path: Path) -> None:
    stand = Stand(tmp_path, {"s1": hang})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("is running")
        await seat.press("ctrl+c")
        await seat.card("was cut off; what it did to 1 file is kept")
        assert "half.txt" in seat.rows("diff")
        await seat.press("G")
        await seat.card("is running")

    assert len(stand.runner.ran) == 2


async def test_a_landed_step_is_taken_back_after_a_question(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")
        await seat.press("u")
        await seat.sees("Take back step s1?")
        assert "api.py" in seat.text
        await seat.guard()
        await seat.press("n")
        assert not events_of(stand, ev.LandingUndone)
        await seat.press("u")
        await seat.sees("Take back step s1?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: events_of(stand, ev.LandingUndone))

    assert (stand.root / "api.py").read_text() == API


async def test_no_plan_says_why_and_what_comes_close(tmp_path: Path) -> None:
    error = TaskError("No recipe fits 'dance'.", ("rename_symbol", "list_failures"))
    async with seated(Stand(tmp_path, answer=error)) as seat:
        await seat.task("dance")
        await seat.sees("No plan: No recipe fits 'dance'.")

        assert "- rename_symbol" in seat.text


async def test_a_second_task_waits_for_the_review_and_is_not_lost(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("i")
        await seat.task("something else")
        await seat.sees("still waits for your review")

        assert seat.prompt.value == "something else"
        assert stand.planner.asked == ["greet by name"]


async def test_search_opens_the_real_file_at_the_line(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), SMALL) as seat:
        await seat.press("escape", "slash")
        await seat.type("line 37")
        await seat.sees("api.py:37")
        await seat.press("enter", "enter")
        await seat.sees("Knowledge · api.py:37")

        assert "37  line 37" in seat.text


async def test_the_project_pane_is_filled_in_the_background(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.until(lambda: "Python package" in seat.rows("project"))
        await seat.press("escape", "5")
        await seat.sees("pytest -q")


async def test_tabs_show_one_pane_at_a_time_on_a_small_terminal(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), SMALL) as seat:
        await seat.press("escape")
        for key, name in (("1", "plan"), ("2", "diff"), ("3", "log"), ("5", "project")):
            await seat.press(key)
            seen = [
                pane
                for pane in ("plan", "diff", "log", "knowledge", "project")
                if seat.app.query_one(f"#{pane}").region.height
            ]
            assert seen == [name]


async def test_the_bottom_line_shows_live_keys_only(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, SMALL) as seat:
        assert "d Delete" not in seat.text
        await seat.planned()
        await seat.sees("d Delete")
        await seat.press("g")
        await seat.card("wants to land")
        await seat.sees("space In/out")

        assert "d Delete" not in seat.text
        assert "? Help" in seat.text
        assert "^q Quit" in seat.text


async def test_help_lists_the_way_and_the_live_keys(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), BIG) as seat:
        await seat.press("escape", "question_mark")
        await seat.sees("The way through")
        await seat.press("pagedown", "pagedown", "pagedown")
        await seat.sees("Keys that act right now")
        await seat.press("escape")
        await seat.sees("Type below what you want done")


async def test_a_question_before_opening_is_guarded_and_answered(tmp_path: Path) -> None:
    stand, answers = Stand(tmp_path), list[str]()
    question = Question(
        "Trust this project's configuration?",
        ("It brings [settings] \x1b[2J.",),
        (Option("trust", "t", "trust these files"), Option("no", "n", "do not trust")),
        otherwise="no",
    )

    async def open_asking(front: Front) -> Opened:
        answers.append(await front.choose(question))
        answers.append(await front.choose(question))
        return stand.opened

    async with seated(open_asking, SMALL, wait=False) as seat:
        await seat.sees("Trust this project's configuration?")
        assert "It brings [settings] ^[[2J." in seat.text
        await seat.press("t")
        assert answers == []
        seat.clock.now += 1
        await seat.press("x", "t")
        assert answers == [], "whoever types on is not reading it"
        seat.clock.now += 1
        await seat.press("t")
        await seat.until(lambda: answers == ["trust"])
        await seat.until(lambda: len(seat.app.screen_stack) == 2)
        seat.clock.now += 1
        await seat.press("escape")
        await seat.until(lambda: answers == ["trust", "no"])
        await seat.sees("Type below what you want done")


async def test_a_question_waits_for_who_types_a_task_and_swallows_none_of_it(
    tmp_path: Path,
) -> None:
    stand, answers = Stand(tmp_path), list[str]()
    question = Question("Resume?", ("It waits.",), (Option("new", "n", "start anew"),), "new")

    async def open_asking(front: Front) -> Opened:
        await typed.wait()
        answers.append(await front.choose(question))
        return stand.opened

    typed = asyncio.Event()
    async with seated(open_asking, SMALL, wait=False) as seat:
        await seat.type("do")
        typed.set()
        await seat.type(" it")
        assert "Resume?" not in seat.text
        seat.clock.now += 3
        await seat.sees("Resume?")
        await seat.type(" now in one go")
        assert answers == []
        await seat.guard()
        await seat.press("n")
        await seat.until(lambda: answers == ["new"])
        await seat.sees("do it now in one go")
        await seat.type(", on")

        assert seat.prompt.value == "do it now in one go, on"


async def test_a_project_that_cannot_be_opened_says_why_and_quits_with_its_code() -> None:
    async def refuse(front: Front) -> Opened:
        del front
        raise WorkspaceError("/nowhere: there is no such folder [x].")

    async with seated(refuse, SMALL, wait=False) as seat:
        await seat.sees("there is no such folder [x].")
        await seat.press("enter")
        await seat.until(lambda: not seat.app.is_running)

        assert seat.app.return_value == 5


async def test_a_resumed_session_shows_what_the_live_one_showed(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("n", "space")
        await seat.until(lambda: "left out" in seat.rows("diff"))
        live = [seat.rows(name) for name in ("plan", "diff", "log")]

    again = Stand(tmp_path, store=stand.store, blobs=stand.blobs)
    async with seated(again) as seat:
        await seat.card("wants to land 2 files")
        await seat.until(lambda: "left out" in seat.rows("diff"))

        assert [seat.rows(name) for name in ("plan", "diff", "log")] == live
        await seat.press("escape", "i", "up")
        assert seat.prompt.value == "greet by name"


async def test_quitting_closes_the_session_and_says_goodbye_with_zero(tmp_path: Path) -> None:
    stand = Stand(tmp_path, {"s1": hang})
    async with seated(stand) as seat:
        await seat.started()
        await seat.card("is running")
        await seat.press("ctrl+q")
        await seat.until(lambda: not seat.app.is_running)

        assert seat.app.return_value == 0
    assert stand.store.closed
    assert events_of(stand, ev.StepInterrupted)


async def test_ctrl_c_twice_with_nothing_running_quits(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        await seat.press("ctrl+c")
        await seat.sees("ctrl+c again")
        await seat.press("ctrl+c")
        await seat.until(lambda: not seat.app.is_running)


async def test_streamed_output_shows_under_its_command(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        stand.run.session.append(ev.CommandRequested("c9", "s1", ("make",)))
        await seat.until(lambda: "make" in seat.rows("log"))
        stand.live.tell("c9", "compiling \x1b[1mmain.c\n")
        await seat.until(lambda: "compiling ^[[1mmain.c" in seat.rows("log"))
        stand.run.session.append(ev.ModelRequested("m1", "executor", "qwen", "local", 10))
        await seat.until(lambda: "executor qwen" in seat.rows("log"))
        stand.live.tell("executor", "I will now")
        await seat.until(lambda: "I will now" in seat.rows("log"))


async def test_the_screen_never_holds_many_widgets(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for number in range(2_000):
        stand.run.session.append(ev.Noted("info", f"note {number}"))
    async with seated(stand) as seat:
        await seat.until(lambda: "note 1999" in seat.rows("log"))

        assert len(list(seat.app.screen.walk_children())) < 60


async def test_ascii_terminals_get_ascii_only(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), SMALL, Options(title="d", ascii_only=True)) as seat:
        await seat.planned()

        from turbo_widgets.ascii_only import AsciiOnly

        assert any(isinstance(each, AsciiOnly) for each in seat.app.get_line_filters())


async def test_focus_is_not_taken_from_somebody_who_types(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.planned()
        await seat.press("i")
        await seat.type("and then")
        stand.run.go()
        await seat.card("wants to land 2 files")

        assert seat.prompt.has_focus
        assert seat.prompt.value == "and then"
        await seat.press("escape")
        assert not seat.prompt.has_focus


async def test_a_picture_is_saved_also_where_there_is_no_folder_for_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    async with seated(Stand(tmp_path / "stand")) as seat:
        seat.app.deliver_screenshot("one.svg")
        await seat.sees("Saved screenshot to")
        (home / "Downloads").mkdir()
        seat.app.deliver_screenshot("two.svg")
        await seat.until((home / "Downloads" / "two.svg").exists)

    assert '<svg xml:space="preserve"' in (home / "one.svg").read_text(), "indentation is kept"


async def test_the_palette_offers_our_commands(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path)) as seat:
        told = {each.title: each.help for each in seat.app.get_system_commands(seat.app.screen)}

        assert told["Search the project"] == "4 or /: by name, phrase or question"
        assert told["Help and keys"].startswith("? or F1")
        assert "Keys" not in told, "a second help beside ours"


async def test_f1_helps_in_a_field_too_and_ctrl_z_suspends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended: list[TurboApp] = []

    def suspend(app: TurboApp) -> None:
        suspended.append(app)

    monkeypatch.setattr(TurboApp, "action_suspend_process", suspend)
    async with seated(Stand(tmp_path), BIG) as seat:
        await seat.press("f1")
        await seat.sees("The way through")
        await seat.press("escape")
        await seat.sees("Type below what you want done")
        await seat.press("escape", "ctrl+z")

        assert suspended == [seat.app]


async def test_skipping_and_trying_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("s")
        await seat.card("Done")
        assert "skipped" in seat.rows("plan")

    assert (stand.root / "api.py").read_text() == API


async def test_the_changes_follow_the_step_under_the_plans_cursor(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        await seat.press("1", "down")
        await seat.until(lambda: "Step s2 has not run yet." in seat.rows("diff"))
        await seat.press("up")
        await seat.until(lambda: "notes.md" in seat.rows("diff"))
        assert seat.app.query_one(DiffPane).value.title == "step s1"


async def test_keys_read_at_once_go_to_the_pane_that_the_first_of_them_opens(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, SMALL) as seat:
        await seat.to_review()
        await seat.press("3")
        for key, character in (("2", "2"), ("n", "n"), ("space", " ")):
            seat.app.post_message(events.Key(key, character))

        await seat.until(lambda: "[ ] left out  hunk 2/2" in seat.rows("diff"))


async def test_a_key_that_is_held_after_it_closed_a_window_is_not_typed_into_the_prompt(
    tmp_path: Path,
) -> None:
    question = Question("Trust?", ("It asks.",), (Option("no", "n", "no"),), otherwise="no")
    stand = Stand(tmp_path)

    async def open_run(front: Front) -> Opened:
        await front.choose(question)
        return await stand.open(front)

    async with seated(open_run, wait=False) as seat:
        await seat.sees("It asks.")
        await seat.guard()
        await seat.press("n", "n", "n")
        await seat.until(lambda: seat.app.desk is not None)
        assert not seat.prompt.value
        seat.clock.now += 1
        await seat.type("now")
        assert seat.prompt.value == "now"


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_what_a_step_found_out_is_shown_when_it_changed_nothing(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = Stand(tmp_path, doings={"s1": do_nothing})
    async with seated(stand, size) as seat:
        await seat.started()

        await seat.sees("all tests pass")
        await seat.sees("is done and changed no files")


async def test_a_review_stays_in_view_and_under_the_keys_in_every_size(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with seated(stand, BIG) as seat:
        await seat.to_review()
        for size in (SMALL, TINY, SMALL, BIG):
            await seat.pilot.resize_terminal(*size)
            await seat.pilot.pause()
            if size != TINY:
                await seat.sees("line 2 with [a name]")
        await seat.until(lambda: isinstance(seat.app.focused, DiffPane))
        await seat.press("n", "space")
        await seat.until(lambda: "[ ] left out  hunk 2/2" in seat.rows("diff"))
