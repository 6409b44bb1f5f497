"""What a model writes reaches the terminal as text: it is shown, never obeyed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.engine.test_run import build
from turbo_tui.cli import main
from turbo_tui.commands import headless
from turbo_tui.commands.plan import in_words
from turbo_tui.commands.telling import tell
from turbo_tui.core import events as ev
from turbo_tui.core.plan import Plan, Step

EVIL = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202egnp.exe \ud800 [/red] tick\n✔ step s1 landed"
PLAN = Plan(EVIL, EVIL, (Step("s1", EVIL, EVIL, checks=((EVIL,),)),))


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


async def test_progress_shows_what_it_is_told_and_obeys_none_of_it(tmp_path: Path) -> None:
    house = build(tmp_path / "ws")
    out = io.StringIO()
    tell = headless.progress(house.run, out)
    house.run.session.subscribe(tell, replay=True)

    house.run.session.append(ev.TaskGiven(EVIL))
    house.run.session.append(ev.PlanFailed(EVIL, EVIL, (EVIL,)))
    house.run.session.append(ev.ToolCalled("c", "s1", EVIL, EVIL))
    house.run.session.append(ev.ToolFinished("c", ok=False, output=EVIL))

    shown = out.getvalue()
    assert is_harmless(shown)
    assert "tick" in shown
    assert not any(line.startswith("✔") for line in shown.splitlines()), "no line is forged"


async def test_a_task_of_several_lines_is_told_on_one(tmp_path: Path) -> None:
    house = build(tmp_path / "ws")
    out = io.StringIO()
    house.run.session.subscribe(headless.progress(house.run, out), replay=True)

    house.run.session.append(ev.TaskGiven("mend this:\n\n    def f():\n"))

    assert "· mend this: def f():\n" in out.getvalue()


async def test_an_answer_is_told_whole_and_of_the_rest_where_it_is(tmp_path: Path) -> None:
    house = build(tmp_path / "ws")
    out = io.StringIO()
    tell = headless.progress(house.run, out)
    house.run.session.subscribe(tell, replay=True)
    rows = "\n".join(f"row {number}" for number in range(200))

    house.run.session.append(ev.PlanProposed("t", "p", (Step("s1", "find"), Step("s2", "edit"))))
    house.run.session.append(ev.StepFinished("s1", rows))
    answer = out.getvalue()
    house.run.session.append(ev.StepStaged("s2", "", ("a",), checks_passed=True, summary=rows))
    staged = out.getvalue().removeprefix(answer)

    assert "row 199\n" in answer
    assert "more lines" not in answer
    assert "row 60\n" not in staged
    way = f"turbo-tui session show {house.run.session.session_id} --log"
    assert f"    … 140 more lines; all of it: {way}\n" in staged


def test_a_plan_in_words_obeys_nothing() -> None:
    assert is_harmless(in_words(PLAN))


async def test_closing_words_obey_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = build(tmp_path / "ws")
    house.run.session.append(ev.TaskGiven("t"))
    house.run.session.append(ev.PlanFailed("t", EVIL, (EVIL,)))

    tell(headless.closing_words(house.run))

    assert is_harmless(capsys.readouterr().err)


def test_an_error_that_quotes_a_file_obeys_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"task": "t", "steps": [], EVIL.replace("\ud800", ""): 1}))
    monkeypatch.setattr(sys, "argv", ["turbo-tui", "run", "--plan", str(plan)])

    with pytest.raises(SystemExit):
        main()

    said = capsys.readouterr().err
    assert is_harmless(said)
    assert "owned" in said
