"""A step as text and back."""

from __future__ import annotations

import pytest

from turbo_tui.app.step_text import StepText, step_of, text_of
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import Action, Step

STEP = Step(
    "s1",
    "Rename",
    "Rename it\neverywhere",
    depends_on=("s0",),
    checks=(("pytest", "-q", "a test"), ("bash", "-c", "make | tee log"), ("grep", "a|b", "x")),
    actions=(Action("rename_symbol", {"symbol": "größe", "n": 2}), Action("format_code", {})),
)


def test_what_was_not_touched_stays_what_it_was() -> None:
    text = text_of(STEP)

    assert text.checks == "pytest -q 'a test'\nmake | tee log\ngrep 'a|b' x"
    assert text.actions == 'rename_symbol {"symbol": "größe", "n": 2}\nformat_code'
    assert step_of(text, STEP) == STEP


def test_lines_are_added_changed_and_left_out() -> None:
    text = StepText(
        " New ", " ", "pytest -q\n\n  ls *.py && make  ", 'shell {"command": "echo \\"hi\\""}'
    )

    step = step_of(text, STEP)

    assert (step.id, step.depends_on) == ("s1", ("s0",))
    assert (step.title, step.intent) == ("New", "")
    assert step.checks == (("pytest", "-q"), ("bash", "-c", "ls *.py && make"))
    assert step.actions == (Action("shell", {"command": 'echo "hi"'}),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (StepText(" "), "needs a title"),
        (StepText("t", checks="echo 'open"), "check `echo 'open` is no command line: No closing"),
        (StepText("t", actions="shell {'command': 1}"), "arguments of shell cannot be read: Expec"),
        (StepText("t", actions="shell [1]"), "arguments of shell are no object"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_cause(text: StepText, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        step_of(text, STEP)
