"""The tool log: what a command could reach and what it used."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.command import CommandUsage
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Record
from turbo_tui.core.views.log import LogEntry, LogView


def last(*events: ev.Event) -> LogEntry:
    view = LogView()
    for seq, event in enumerate(events, 1):
        view.apply(Record(seq, 0.0, "engine", event, "", ""))
    return view.entries[-1]


def test_a_command_tells_what_it_used() -> None:
    entry = last(
        ev.CommandRequested("c", "1", ("make",)),
        ev.CommandFinished("c", 0, "exited", "", 2.0, usage=CommandUsage(0.8, 120_000_000, 0, 3)),
    )

    assert entry.detail == "exit 0 · 2.0 s · network: off"
    assert entry.usage == "0.8 s cpu · 120 MB · 3 procs"


def test_a_command_of_an_older_log_tells_nothing_of_it() -> None:
    entry = last(
        ev.CommandRequested("c", "1", ("make",)),
        ev.CommandFinished("c", 0, "exited", "", 2.0),
    )

    assert entry.usage == ""


def test_what_was_granted_is_told_while_it_runs_and_after() -> None:
    asked = ev.CommandRequested("c", "1", ("pip",), "hosts", ("network: pypi.org", "ptrace"))
    done = ev.CommandFinished("c", 0, "exited", "", 1.0, network="hosts")
    unheld = ev.CommandFinished("c", 0, "exited", "", 1.0, network="all")

    assert last(asked).detail == "network: pypi.org · ptrace"
    assert last(asked, done).detail == "exit 0 · 1.0 s · network: pypi.org · ptrace"
    assert last(asked, unheld).detail == "exit 0 · 1.0 s · network: all · ptrace"


def test_what_ran_without_the_steps_changes_is_told_from_its_own_check() -> None:
    entry = last(
        ev.CommandRequested("c", "s1", ("make", "test"), before=True),
        ev.CommandFinished("c", 0, "exited", "", 0.1),
    )

    assert (entry.title, entry.state) == ("before the step: make test", "ok")


def test_a_plan_is_listed_by_the_ids_that_its_steps_are_called_by() -> None:
    plan = last(ev.PlanProposed("t", "file", (Step("s1", "one"), Step("tidy", "two"))))

    assert plan.body.splitlines() == ["s1. one", "tidy. two"]
