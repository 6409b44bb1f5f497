from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.ports import Record
from turbo_tui.engine.done_actions import DoneActions


def counted(*events: ev.Event) -> int:
    """Fold events; return how many of s1's actions are done."""
    done = DoneActions()
    for seq, event in enumerate(events, 1):
        done.apply(Record(seq, 0.0, "engine", event, "", ""))
    return done.count("s1")


def started(attempt: int, stage: str) -> ev.Event:
    return ev.StepStarted("s1", attempt, stage, "overlay+bubblewrap")


def called(call_id: str, tool: str = "shell") -> ev.Event:
    return ev.ToolCalled(call_id, "s1", tool, "{}")


def ended(how: ev.Ended = "exited") -> ev.Event:
    return ev.CommandFinished("command", 0, how, "", 0.1)


ONE = (called("a"), ended(), ev.ToolFinished("a", True, ""))


def test_a_call_counts_once_when_it_succeeded() -> None:
    assert counted() == 0
    assert counted(started(1, "stage"), *ONE) == 1
    assert counted(started(1, "stage"), *ONE, called("b"), ev.ToolFinished("b", False, "no")) == 1
    assert counted(started(1, "stage"), *ONE, called("b", "edit_file")) == 1


def test_a_command_that_ended_counts_though_a_crash_lost_its_answer() -> None:
    assert counted(started(1, "stage"), called("a"), ended(), started(2, "stage")) == 1
    assert counted(started(1, "stage"), called("a"), started(2, "stage")) == 0
    assert counted(started(1, "stage"), called("a"), ended("cancelled")) == 0
    assert counted(started(1, "stage"), called("a", "list_failures"), ended()) == 0


def test_a_command_whose_call_failed_does_not_count() -> None:
    assert counted(started(1, "stage"), called("a"), ended(), ev.ToolFinished("a", False, "")) == 0


def test_work_that_is_kept_keeps_the_count_and_a_fresh_stage_does_not() -> None:
    assert counted(started(1, "stage"), *ONE, started(2, "stage")) == 1
    assert counted(started(1, "stage"), *ONE, started(2, "other")) == 0
