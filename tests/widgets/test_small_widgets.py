"""Card, status line, prompt, tabs, project: small widgets, each with its one duty."""

from __future__ import annotations

import pytest
from textual import events

from tests.widgets.pane_kit import Bench, on_bench, shown
from turbo_widgets.approval_bar import ApprovalBar, Card, Choice
from turbo_widgets.key_words import meant_key, pressing, spoken_key
from turbo_widgets.project_pane import LanguageShare, ProjectPane, ProjectPart, ProjectValue
from turbo_widgets.prompt import Prompt
from turbo_widgets.status_line import StatusLine, StatusValue, short_count
from turbo_widgets.tab_strip import Tab, TabStrip

CARD = Card(
    "ask-1",
    "Step s1 wants to run a command:",
    ("rm -rf [build] \x1b[2J",),
    (Choice("answer_once", "y", "yes, once"), Choice("answer_no", "n", "no…")),
    "ask",
)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def until_painted(bench: Bench, bar: ApprovalBar) -> None:
    while not bar.painted:
        await bench.pilot.pause()


async def test_a_key_within_half_a_second_of_the_card_does_not_answer() -> None:
    clock = Clock()
    bar = ApprovalBar(clock=clock)
    async with on_bench(bar) as bench:
        bar.show(CARD)
        clock.now += 60
        assert not bar.choose("answer_once"), "typed while it was not painted yet"
        await until_painted(bench, bar)
        clock.now += 0.49
        assert not bar.choose("answer_once")
        clock.now += 0.02
        assert bar.choose("answer_once")
        await bench.pilot.pause()

        answered = bench.sent(ApprovalBar.Answered)

    assert [(each.card.key, each.action) for each in answered] == [("ask-1", "answer_once")]


async def test_a_key_typed_into_a_field_does_not_answer() -> None:
    clock = Clock()
    bar = ApprovalBar(clock=clock)
    async with on_bench(bar):
        bar.show(CARD)
        clock.now += 60

        assert not bar.choose("answer_once", typing=True)


async def test_another_card_starts_the_half_second_anew() -> None:
    clock = Clock()
    bar = ApprovalBar(clock=clock)
    async with on_bench(bar) as bench:
        bar.show(CARD)
        await until_painted(bench, bar)
        clock.now += 60
        bar.show(Card("ask-2", "Another", (), CARD.choices, "ask"))
        await until_painted(bench, bar)

        assert not bar.choose("answer_once")


async def test_the_same_card_shown_again_does_not_start_it_anew() -> None:
    clock = Clock()
    bar = ApprovalBar(clock=clock)
    async with on_bench(bar) as bench:
        bar.show(CARD)
        await until_painted(bench, bar)
        clock.now += 60
        bar.show(Card("ask-1", CARD.title, CARD.lines, CARD.choices[:1], "ask"))

        assert bar.choose("answer_once")


async def test_a_card_answers_only_what_it_offers() -> None:
    clock = Clock()
    bar = ApprovalBar(clock=clock)
    async with on_bench(bar) as bench:
        assert not bar.choose("answer_once")
        bar.show(CARD)
        await until_painted(bench, bar)
        clock.now += 60

        assert not bar.choose("approve")


async def test_the_card_shows_the_exact_bytes_harmless() -> None:
    bar = ApprovalBar()
    async with on_bench(bar):
        bar.show(CARD)
        text = bar.render().plain
        assert "rm -rf [build] ^[[2J" in text
        assert "y yes, once" in text
        bar.show(None)

        assert bar.render().plain == ""


STATUS = StatusValue(
    "click", "main", "gpt-oss:120b", "qwen2.5-coder", "full", "full", 12_400, 0.03, "recorded"
)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_the_status_line_fits_and_always_names_the_sandbox(width: int) -> None:
    line = StatusLine()
    async with on_bench(line, (width, 5)):
        line.show(STATUS)
        drawn = line.render()

        assert drawn.cell_length <= width - 2
        assert "sandbox: full" in drawn.plain
        assert "recorded" in drawn.plain


async def test_a_wide_status_line_says_everything() -> None:
    line = StatusLine()
    async with on_bench(line, (140, 5)):
        line.show(STATUS)

        assert line.render().plain.split() == [
            "turbo-tui", "click@main", "plan:", "gpt-oss:120b", "run:", "qwen2.5-coder",
            "recorded", "●", "sandbox:", "full", "12.4k", "tok", "$0.03",
        ]  # fmt: skip


def test_counts_are_short() -> None:
    assert [short_count(each) for each in (7, 12_400, 3_100_000)] == ["7", "12.4k", "3.1M"]


async def test_the_prompt_hands_on_a_line_and_remembers_it() -> None:
    prompt = Prompt()
    async with on_bench(prompt) as bench:
        await bench.press(*"one", "enter", *"two", "enter", "enter", *"dra")
        assert [each.text for each in bench.sent(Prompt.Given)] == ["one", "two"]
        await bench.press("up")
        assert prompt.value == "two"
        await bench.press("up", "up")
        assert prompt.value == "one"
        await bench.press("down", "down")

        assert prompt.value == "dra"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_a_pasted_task_keeps_its_lines_and_their_indentation(end: str) -> None:
    prompt = Prompt()
    task = "mend this:\n\n    def f():\n        pass"
    async with on_bench(prompt) as bench:
        prompt.post_message(events.Paste(task.replace("\n", end) + end))
        await bench.pilot.pause()
        assert prompt.value == "mend this:␤␤    def f():␤        pass"
        await bench.press("enter", "up")
        assert prompt.value == "mend this:␤␤    def f():␤        pass"
        await bench.press("enter")

        assert [each.text for each in bench.sent(Prompt.Given)] == [task, task]


async def test_a_new_line_is_typed_with_ctrl_j_and_alone_is_no_task() -> None:
    prompt = Prompt()
    async with on_bench(prompt) as bench:
        await bench.press("ctrl+j", "enter", *"a", "ctrl+j", *"b", "space", "enter")

        assert [each.text for each in bench.sent(Prompt.Given)] == ["a\nb"]


async def test_a_task_put_into_the_prompt_shows_where_its_lines_end() -> None:
    prompt = Prompt()
    async with on_bench(prompt):
        prompt.value = "a\n  b"

        assert prompt.value == "a␤  b"


async def test_tabs_show_what_is_open_and_a_click_opens_another() -> None:
    strip = TabStrip()
    tabs = (Tab("plan", "Plan", "1"), Tab("diff", "Changes", "2", news=True))
    async with on_bench(strip) as bench:
        strip.show(tabs, "plan")
        assert strip.render().plain == " 1 Plan   2 Changes* "
        await bench.pilot.click(strip, offset=(12, 0))

        assert [each.name for each in bench.sent(TabStrip.Chosen)] == ["diff"]


async def test_the_project_pane_lists_languages_commands_and_where_they_were_read() -> None:
    pane = ProjectPane()
    value = ProjectValue(
        (LanguageShare("Python", 93.4, 12, 1804),),
        (
            ProjectPart(".", "Python package", (("test", "pytest -q"),), ("pyproject.toml",)),
            ProjectPart("web", "Node package"),
        ),
        ("1 folder was not read",),
    )
    async with on_bench(pane, (70, 24)):
        pane.show(value)

        text = shown(pane)

    assert "Python" in text
    assert "93.4 %" in text
    assert "12 files, 1,804 lines" in text
    assert "test    pytest -q" in text
    assert "read in pyproject.toml" in text
    assert "no commands found" in text
    assert "1 folder was not read" in text


async def test_the_project_pane_says_that_it_is_looking() -> None:
    pane = ProjectPane()
    async with on_bench(pane):
        assert "Looking at the project" in shown(pane)


def test_keys_are_named_as_readers_know_them() -> None:
    assert [spoken_key(key) for key in ("ctrl+q", "question_mark", "escape", "a")] == [
        "^q",
        "?",
        "esc",
        "a",
    ]


async def test_a_card_breaks_its_keys_only_between_keys() -> None:
    bar = ApprovalBar()
    words = ("try again", "go on from its work", "plan anew from here")
    choices = tuple(Choice(word, key, word) for key, word in zip("tcR", words, strict=True))
    async with on_bench(bar, (40, 10)) as bench:
        bar.show(Card("k", "It failed.", (), choices))
        await bench.pilot.pause()
        assert bar.size.height == 3
        lines = bar.render().plain.split("\n")
        assert lines[1:] == ["t try again   c go on from its work", "R plan anew from here"]


def test_a_key_is_found_again_behind_what_it_is_called() -> None:
    keys = ["ctrl+q", "question_mark", "escape", "a", "slash", "space", "plus", "R"]

    assert [meant_key(spoken_key(key)) for key in keys] == keys
    assert [meant_key(spoken) for spoken in ("n/esc", "K J", "/")] == ["n", "K", "slash"]


def test_a_key_that_was_clicked_on_is_no_text() -> None:
    assert not pressing("a").is_printable
