"""The plan pane: steps with their words, and the edits it asks for."""

from __future__ import annotations

from tests.widgets.pane_kit import lines_of, on_bench, shown
from turbo_widgets.plan_pane import PlanItem, PlanPane, PlanValue

PLAN = PlanValue(
    "rename echo to say",
    "built-in",
    (
        PlanItem("s1", "find callers", "landed", editable=False),
        PlanItem("s2", "change list[int] [/oops] \x1b[2J"),
        PlanItem("s3", "run the tests", "waiting", "auto", note="for step s2"),
    ),
)


async def test_every_step_shows_id_title_mode_and_a_word_for_its_status() -> None:
    pane = PlanPane()
    async with on_bench(pane):
        pane.show(PLAN)

        text = shown(pane)

    assert "rename echo to say" in text
    assert "s1 ✔ find callers" in text
    assert "landed" in text
    assert "waits for step s2" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("s3")] == ["auto"]


async def test_titles_are_shown_never_parsed_or_obeyed() -> None:
    pane = PlanPane()
    async with on_bench(pane):
        pane.show(PLAN)

        assert "change list[int] [/oops] ^[[2J" in shown(pane)


async def test_a_long_title_wraps_and_loses_no_word() -> None:
    pane = PlanPane()
    title = "change the signature of every function that takes a path as a string"
    async with on_bench(pane, (34, 20)):
        pane.show(PlanValue("t", "p", (PlanItem("s1", title),)))

        text = " ".join(lines_of(pane)).replace("ask", "")

    assert all(word in text for word in title.split())


async def test_a_long_task_leaves_the_steps_in_sight() -> None:
    pane = PlanPane()
    task = "mend this:\n\n    def f():\n" + "\n".join(f"line {n}" for n in range(300))
    async with on_bench(pane, (34, 12)):
        pane.show(PlanValue(task, "p", (PlanItem("s1", "read it"),)))

        text = shown(pane).splitlines()

    assert text[:4] == ["mend this:", "    def f():", "line 0", "… 299 more lines: in the log"]
    assert text[4].startswith("s1 ○ read it")


async def test_a_task_of_as_many_lines_as_there_is_room_for_is_shown_whole() -> None:
    pane = PlanPane()
    async with on_bench(pane, (34, 12)):
        pane.show(PlanValue("one\ntwo\nthree\nfour", "p", (PlanItem("s1", "read it"),)))

        assert shown(pane).splitlines()[:4] == ["one", "two", "three", "four"]


async def test_the_empty_pane_says_what_to_do() -> None:
    pane = PlanPane()
    async with on_bench(pane):
        pane.show(PlanValue(message="Type a task.\n\nThen press enter."))

        assert shown(pane) == "Type a task.\nThen press enter."


async def test_keys_ask_for_edits_of_the_step_under_the_cursor() -> None:
    pane = PlanPane()
    async with on_bench(pane) as bench:
        pane.show(PLAN)
        pane.select("s2")
        await bench.press("enter", "m", "J", "K", "d")

        assert [each.step_id for each in bench.sent(PlanPane.EditWanted)] == ["s2"]
        assert [each.mode for each in bench.sent(PlanPane.ModeWanted)] == ["auto"]
        assert [each.position for each in bench.sent(PlanPane.MoveWanted)] == [2, 0]
        assert [each.step_id for each in bench.sent(PlanPane.RemoveWanted)] == ["s2"]


async def test_a_landed_step_offers_no_edit() -> None:
    pane = PlanPane()
    async with on_bench(pane) as bench:
        pane.show(PLAN)
        pane.select("s1")
        await bench.press("enter", "d", "m", "J")

        assert not bench.sent(PlanPane.StepCommand)


async def test_the_cursor_stays_on_its_step_when_the_plan_changes() -> None:
    pane = PlanPane()
    async with on_bench(pane) as bench:
        pane.show(PLAN)
        pane.select("s3")
        pane.show(PlanValue("t", "p", (PLAN.items[2], PLAN.items[0])))
        await bench.pilot.pause()

        assert pane.selected is not None
        assert pane.selected.step_id == "s3"


async def test_moving_past_the_ends_stays_on_the_list() -> None:
    pane = PlanPane()
    async with on_bench(pane) as bench:
        pane.show(PLAN)
        await bench.press("up", "k", "down", "j", "j", "down")

        assert pane.selected is not None
        assert pane.selected.step_id == "s3"

        await bench.press("home")

        assert pane.selected.step_id == "s1"


async def test_a_click_chooses_a_step() -> None:
    pane = PlanPane()
    async with on_bench(pane) as bench:
        pane.show(PLAN)
        await bench.pilot.pause()
        row = next(at for at, line in enumerate(lines_of(pane)) if line.startswith("s3"))
        await bench.pilot.click(pane, offset=(5, row + 1))

        assert pane.selected is not None
        assert pane.selected.step_id == "s3"
