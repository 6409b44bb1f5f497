"""Plans from models and files."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import MemoryBlobs, ScriptedModel
from turbo_tui.core.errors import BudgetError, ModelReplyError, ModelUnreachableError, PlanError
from turbo_tui.core.events import Event, ModelReplied, ModelRequested
from turbo_tui.core.models import ModelReply
from turbo_tui.core.plan import Action, Plan, Step
from turbo_tui.engine.asking_models import Budget
from turbo_tui.engine.context import message_tokens
from turbo_tui.engine.forgiving_json import read_json_object
from turbo_tui.engine.planner import make_plan, plan_from_json, plan_to_json, read_plan
from turbo_tui.engine.prompts import PLAN_SCHEMA

GOOD = {
    "steps": [
        {
            "id": "s1",
            "title": "Add a flag",
            "intent": "Add --dry-run to cli.py",
            "depends_on": [],
            "mode": "auto",
            "checks": [["pytest", "-q"]],
            "files": ["cli.py"],
        },
        {"id": "s2", "title": "Document it", "depends_on": ["s1"]},
    ]
}


async def plan_with(model: ScriptedModel, log: list[Event] | None = None, **more: object) -> Plan:
    kept: list[Event] = [] if log is None else log
    context = cast("dict[str, str] | None", more.get("context"))
    return await make_plan(
        model,
        "add a dry run",
        append=kept.append,
        blobs=MemoryBlobs(),
        brief="A small tool.",
        context=context,
        feedback=str(more.get("feedback", "")),
        budget=cast("Budget | None", more.get("budget")),
    )


# --- asking ----------------------------------------------------------------------


async def test_a_plan_is_asked_for_with_task_brief_files_and_schema() -> None:
    model = ScriptedModel(json.dumps(GOOD), name="gpt-oss:120b")
    log: list[Event] = []

    plan = await plan_with(model, log, context={"cli.py": "import sys\n"}, feedback="s0 landed")

    assert plan == Plan(
        "add a dry run",
        "gpt-oss:120b",
        (
            Step(
                "s1",
                "Add a flag",
                "Add --dry-run to cli.py",
                mode="ask",  # what a model proposes does not land by itself
                checks=(("pytest", "-q"),),
                files=("cli.py",),
            ),
            Step("s2", "Document it", depends_on=("s1",)),
        ),
    )
    request = model.requests[0]
    assert request.schema == PLAN_SCHEMA
    question = request.messages[1].text
    for part in ("A small tool.", "===== file cli.py =====\nimport sys", "s0 landed"):
        assert part in question
    assert question.endswith("# Task\nadd a dry run")
    requested, replied = log
    assert isinstance(requested, ModelRequested)
    assert isinstance(replied, ModelReplied)
    assert requested.role == "planner"
    assert requested.context == {"cli.py": 11}


async def test_a_broken_plan_is_sent_back_with_what_is_wrong_and_repaired() -> None:
    bad = json.dumps({"steps": [{"id": "s1", "title": "a", "depends_on": ["s9"]}]})
    model = ScriptedModel("I would first look around.", bad, json.dumps(GOOD))

    plan = await plan_with(model)

    assert len(plan.steps) == 2
    first, second = model.requests[1], model.requests[2]
    assert "not a JSON object: there is no JSON object in it" in first.messages[-1].text
    assert first.messages[-2].text == "I would first look around."
    assert "depends on 's9', which is not in the plan" in second.messages[-1].text


async def test_after_two_repairs_the_last_reply_is_quoted() -> None:
    model = ScriptedModel("no", "still no", "Sorry,\nI cannot.")

    with pytest.raises(ModelReplyError, match=r"in 3 tries.*It said: Sorry, I cannot\.") as caught:
        await plan_with(model)

    assert "scripted at recorded" in str(caught.value)


async def test_an_empty_reply_is_sent_back_too() -> None:
    model = ScriptedModel("", json.dumps(GOOD))

    await plan_with(model)

    assert model.requests[1].messages[-2].text == "(empty)"


async def test_a_reply_that_was_cut_off_is_told_to_be_shorter() -> None:
    model = ScriptedModel(ModelReply('{"steps": [{"ti', finish="length"), json.dumps(GOOD))

    await plan_with(model)

    assert "cut off at 4096 tokens" in model.requests[1].messages[-1].text


async def test_files_that_do_not_fit_the_window_are_left_out() -> None:
    model = ScriptedModel(json.dumps(GOOD), context_tokens=10_000)
    log: list[Event] = []

    await plan_with(model, log, context={"a": "x" * 2_000, "big": "y " * 50_000})

    requested = log[0]
    assert isinstance(requested, ModelRequested)
    assert requested.context is not None
    assert requested.context["big"] < 50_000
    request = model.requests[0]
    assert message_tokens(request.messages) + request.max_tokens <= 10_000


async def test_an_unreachable_model_and_a_cap_are_passed_on() -> None:
    with pytest.raises(ModelUnreachableError):
        await plan_with(ScriptedModel(ModelUnreachableError("no route")))
    with pytest.raises(BudgetError, match="the plan"):
        await plan_with(ScriptedModel(), budget=Budget(max_turns=0))


async def test_an_empty_task_is_refused_before_anything_is_sent() -> None:
    model = ScriptedModel()

    with pytest.raises(PlanError, match="task is empty"):
        await make_plan(model, "  ", append=print, blobs=MemoryBlobs())

    assert not model.requests


# --- reading what models write -----------------------------------------------------


def steps_of(reply: str) -> tuple[Step, ...]:
    return read_plan(reply, task="t", planner="m").steps


@pytest.mark.parametrize(
    "reply",
    [
        '{"steps": [{"title": "a"}]}',
        '```json\n{"steps": [{"title": "a"}]}\n```',
        'Here is the plan:\n\n{"steps": [{"title": "a"}]}\n\nShall I go on?',
        '<think>{"steps": []} or so</think>{"steps": [{"title": "a"}]}',
        '{"plan": {"steps": [{"title": "a"}]}}',
        '{"plan": [{"title": "a"}]}',
        '{"steps": [{"title": "a",},],}',
        "{'steps': [{'title': 'a', 'files': null}]}",
        '{"steps": [{"title": "a"}], "notes": "and more", "confidence": 0.9}',
        '{"steps": [{"title": "a", "intent": null, "depends_on": null, "checks": ""}]}',
        '{"steps": [{"title": "a", "mode": "manual", "files": ""}]}',
    ],
)
def test_plans_are_read_as_models_write_them(reply: str) -> None:
    assert steps_of(reply) == (Step("s1", "a"),)


@pytest.mark.parametrize(
    ("written", "checks"),
    [
        ("pytest -q 'a b'", (("pytest", "-q", "a b"),)),
        (["pytest", "-q"], (("pytest", "-q"),)),
        (["pytest -q", "ruff check ."], (("pytest", "-q"), ("ruff", "check", "."))),
        ([["pytest"], ["make", "lint"]], (("pytest",), ("make", "lint"))),
        ("cd web && npm test", (("bash", "-c", "cd web && npm test"),)),
        ([], ()),
        (None, ()),
    ],
)
def test_checks_are_read_as_argv_or_as_a_command_line(
    written: object, checks: tuple[tuple[str, ...], ...]
) -> None:
    assert steps_of(json.dumps({"steps": [{"title": "a", "checks": written}]}))[0].checks == checks


def test_missing_ids_are_filled_in_without_taking_one_that_is_used() -> None:
    reply = {"steps": [{"title": "a"}, {"id": "s1", "title": "b"}, {"id": 7, "title": "c"}]}

    assert [step.id for step in steps_of(json.dumps(reply))] == ["s2", "s1", "7"]


def test_ids_that_cannot_name_a_folder_are_replaced_where_they_are_needed_too() -> None:
    reply = {
        "steps": [
            {"id": "Step 1: look/around", "title": "a"},
            {"id": "x" * 60, "title": "b", "depends_on": ["Step 1: look/around"]},
        ]
    }

    first, second = steps_of(json.dumps(reply))

    assert (first.id, second.id, second.depends_on) == ("s1", "s2", ("s1",))


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ('{"steps": []}', "steps: must not be empty"),
        ("{}", "steps: is missing"),
        ("[1]", "it is a list, not an object"),
        ('{"steps": [{"title": ""}]}', r"steps\[0\]\.title: must not be empty"),
        ('{"steps": [{"title": "a", "checks": "echo \'"}]}', "is no command line"),
        ('{"steps": [{"title": "a", "checks": [[]]}]}', r"steps\[0\]\.checks\[0\]"),
        ('{"steps": [{"title": "a", "checks": 3}]}', r"steps\[0\]\.checks"),
        ('{"steps": [{"title": "a", "depends_on": {}}]}', r"steps\[0\]\.depends_on"),
        ('{"steps": [{"title": "a"}, {"title": ', "not a JSON object: "),
        ('{"steps": [{"id": "a", "title": "a", "depends_on": ["a"]}]}', "circle"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named_by_field(reply: str, problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        steps_of(reply)


# --- JSON with slips ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": "x,}", "b": [1,],}', {"a": "x,}", "b": [1]}),
        ('{"a": True, "b": None, "c": "None"}', {"a": True, "b": None, "c": "None"}),
        ("{'a': true, 'b': 'it\"s'}", {"a": True, "b": 'it"s'}),
        ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
        ('so: {"a": {"b": "}"}} and {"c": 1}', {"a": {"b": "}"}}),
        ('{"a": "\\u00e9"}', {"a": "é"}),
    ],
)
def test_small_slips_in_json_are_mended(text: str, value: object) -> None:
    assert read_json_object(text) == value


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "{'a': open('x')}", "{'a': {1}}", "{(1, 2): 3}", '{"a" 1}', '{"a": "b']
)
def test_json_beyond_a_slip_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"object|line 1|in it"):
        read_json_object(text)


@given(st.text(alphabet="{}[]\"\\',:abc1 \n`Nonetru<thik>/", max_size=60))
def test_no_text_does_worse_than_a_value_error(text: str) -> None:
    try:
        value = read_json_object(text)
    except ValueError:
        return
    assert json.dumps(value).startswith("{")


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json_object('{"a":' * 100_000)


# --- plan files --------------------------------------------------------------------


def test_a_plan_file_round_trips() -> None:
    plan = Plan(
        "t",
        "built-in",
        (
            Step("s1", "a", "i", checks=(("true",),), files=("x",)),
            Step(
                "s2",
                "b",
                depends_on=("s1",),
                actions=(Action("shell", {"command": "ls"}),),
                model="qwen",
            ),
        ),
    )

    value = json.loads(json.dumps(plan_to_json(plan)))

    assert plan_from_json(value) == plan
    assert "actions" not in value["steps"][0]
    assert set(value["steps"][0]) == {
        "id",
        "title",
        "intent",
        "depends_on",
        "mode",
        "checks",
        "files",
    }


def test_auto_in_a_plan_file_is_a_proposal() -> None:
    plan = plan_from_json({"task": "t", "steps": [{"title": "a", "mode": "auto"}]})

    assert plan.steps[0].mode == "ask"
    assert plan.planner == "file"


BROKEN_FILES: list[tuple[dict[str, object], str]] = [
    ({"steps": [{"title": "a"}]}, "task: is missing"),
    ({"task": "t"}, "steps: is missing"),
    ({"task": "t", "steps": [{"title": "a", "check": []}]}, r"steps\[0\]\.check: there is no"),
    ({"task": "t", "steps": [{"title": "a"}], "x": 1}, "x: there is no such field"),
    (
        {"task": "t", "steps": [{"title": "a", "actions": [{"arguments": {}}]}]},
        r"steps\[0\]\.actions\[0\]\.tool: is missing",
    ),
    ({"task": "t", "steps": "go"}, "steps: input should be a valid list"),
    (
        {"task": "t", "steps": [{"title": "a", "mode": "yolo"}]},
        r"steps\[0\]\.mode: input should be 'auto'",
    ),
]


@pytest.mark.parametrize(("value", "problem"), BROKEN_FILES)
def test_a_plan_file_that_does_not_fit_names_the_field(
    value: dict[str, object], problem: str
) -> None:
    with pytest.raises(PlanError, match=problem):
        plan_from_json(value)
