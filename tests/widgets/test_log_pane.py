"""The log: one line an entry, folded output, a filter, and the end that it follows."""

from __future__ import annotations

from dataclasses import replace

from tests.widgets.pane_kit import on_bench, shown
from turbo_widgets.log_pane import LogItem, LogPane

TASK = LogItem("1", "12:00:01", "task", "info", "rename echo")
COMMAND = LogItem(
    "c1", "12:00:02", "command", "ok", "pytest -q", "exit 0 · network: off", "3 passed\n\x1b[2J"
)
FAILED = LogItem(
    "c2", "12:00:03", "command", "failed", "curl x", "exit 7 · network: off", "no route"
)


async def test_commands_show_exit_code_and_network_on_their_line() -> None:
    pane = LogPane()
    async with on_bench(pane):
        pane.show([TASK, COMMAND])

        text = shown(pane.lines)

    assert "12:00:02" in text
    assert "✔ pytest -q" in text
    assert "exit 0 · network: off" in text
    assert "3 passed" not in text


async def test_a_note_has_a_line_of_its_own_and_is_found_by_the_filter() -> None:
    pane = LogPane()
    async with on_bench(pane, (60, 20)):
        pane.show([replace(COMMAND, note="0.8 s cpu · 120 MB · 3 procs"), FAILED])
        lines = shown(pane.lines).split("\n")
        at = next(number for number, line in enumerate(lines) if "pytest -q" in line)
        assert lines[at + 1].strip(" │") == "0.8 s cpu · 120 MB · 3 procs"

        pane.lines.narrow("120 mb")

        assert "curl x" not in shown(pane.lines)


async def test_enter_unfolds_the_output_and_folds_it_again() -> None:
    pane = LogPane()
    async with on_bench(pane) as bench:
        pane.show([TASK, COMMAND])
        pane.lines.focus()
        await bench.press("enter")
        assert "│ 3 passed" in shown(pane.lines)
        assert "│ ^[[2J" in shown(pane.lines)
        await bench.press("enter")

        assert "3 passed" not in shown(pane.lines)


async def test_a_failure_opens_by_itself_and_can_be_closed() -> None:
    pane = LogPane()
    async with on_bench(pane) as bench:
        pane.show([TASK, FAILED])
        assert "│ no route" in shown(pane.lines)
        pane.lines.focus()
        await bench.press("enter")

        assert "no route" not in shown(pane.lines)


async def test_long_output_that_opened_by_itself_shows_its_end_first() -> None:
    pane = LogPane()
    long = replace(FAILED, body="\n".join(f"out {number}" for number in range(40)))
    async with on_bench(pane, (60, 60)) as bench:
        pane.show([long])
        assert "… 28 lines above; enter opens all" in shown(pane.lines)
        assert "out 39" in shown(pane.lines)
        assert "out 5\n" not in shown(pane.lines)
        pane.lines.focus()
        await bench.press("enter")
        assert "out 5\n" in shown(pane.lines)
        await bench.press("enter")

        assert "out 39" not in shown(pane.lines)


async def test_output_streams_under_a_running_command_until_the_log_has_it() -> None:
    pane = LogPane()
    running = replace(COMMAND, state="running", body="", detail="network: off")
    async with on_bench(pane):
        pane.show([TASK, running])
        pane.stream("c1", "collecting ")
        pane.stream("c1", "3 items\n")
        assert "│ collecting 3 items" in shown(pane.lines)
        pane.show([TASK, COMMAND])

        assert "collecting" not in shown(pane.lines)
        assert "✔ pytest -q" in shown(pane.lines)


async def test_the_end_is_followed_until_the_user_looks_back() -> None:
    pane = LogPane()
    entries = [replace(TASK, key=str(number), title=f"entry {number}") for number in range(50)]
    async with on_bench(pane, (60, 12)) as bench:
        pane.show(entries)
        assert "entry 49" in shown(pane.lines)
        pane.lines.focus()
        await bench.press("home")
        pane.show([*entries, replace(TASK, key="last", title="the last")])
        await bench.pilot.pause()
        assert "entry 0" in shown(pane.lines)
        assert "the last" not in shown(pane.lines)
        await bench.press("end")

        assert "the last" in shown(pane.lines)


async def test_the_filter_narrows_as_typed_and_escape_shows_all_again() -> None:
    pane = LogPane()
    async with on_bench(pane) as bench:
        pane.show([TASK, COMMAND, FAILED])
        pane.lines.focus()
        await bench.press("f", *"curl")
        assert "pytest" not in shown(pane.lines)
        assert "curl x" in shown(pane.lines)
        assert pane.lines.border_title == "Log · 1 of 3"
        await bench.press("enter", "escape")

        assert "pytest" in shown(pane.lines)
        assert pane.lines.has_focus


async def test_a_filter_that_matches_nothing_says_how_to_leave_it() -> None:
    pane = LogPane()
    async with on_bench(pane) as bench:
        pane.show([TASK])
        pane.lines.focus()
        await bench.press("f", *"zzz")

        assert "escape clears it" in shown(pane.lines)


async def test_all_entries_open_and_close_at_once() -> None:
    pane = LogPane()
    async with on_bench(pane, (60, 30)) as bench:
        pane.show([COMMAND, FAILED])
        pane.lines.focus()
        await bench.press("o")
        assert "3 passed" in shown(pane.lines)
        await bench.press("o")

        assert "3 passed" not in shown(pane.lines)


async def test_a_detail_too_long_for_the_line_goes_below_it() -> None:
    pane = LogPane()
    long = replace(TASK, detail="exit 1 · a reason that is far too long to stand beside the title")
    async with on_bench(pane, (40, 20)):
        pane.show([long])

        text = shown(pane.lines)

    assert "beside the title" in text.replace("\n", " ").replace("  ", "")


async def test_ten_thousand_entries_cost_one_widget() -> None:
    pane = LogPane()
    entries = [replace(TASK, key=str(number), title=f"entry {number}") for number in range(10_000)]
    async with on_bench(pane):
        pane.show(entries)

        assert "entry 9999" in shown(pane.lines)
        assert len(list(pane.walk_children())) <= 4


async def test_the_end_stays_in_sight_when_the_pane_becomes_lower() -> None:
    pane = LogPane()
    async with on_bench(pane, (60, 20)) as bench:
        pane.show([replace(TASK, key=str(at), title=f"task {at}") for at in range(40)])
        await bench.pilot.pause()
        lines = pane.lines

        await bench.pilot.resize_terminal(60, 12)
        await bench.pilot.pause()

        assert lines.scroll_offset.y + lines.scrollable_content_region.height == 40
        lines.move_to(3)
        await bench.pilot.resize_terminal(60, 10)
        await bench.pilot.pause()
        assert lines.scroll_offset.y <= 3
