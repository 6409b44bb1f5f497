"""Ask a model for a plan, and read plans from and to JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from turbo_tui.core.errors import ModelReplyError, PlanError
from turbo_tui.core.models import Message, Model, ModelRequest, OnDelta
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Blobs
from turbo_tui.engine.asking_models import Append, Budget, LoggedModel, Spending
from turbo_tui.engine.context import (
    NOTES_SHARE,
    choose_reading,
    estimate_tokens,
    files_part,
    notes_part,
    reply_tokens,
)
from turbo_tui.engine.forgiving_json import read_json_object
from turbo_tui.engine.prompts import PLAN_REPAIR, PLAN_SCHEMA, PLANNER

MAX_REPAIRS = 2
EXCERPT_CHARS = 400


async def make_plan(
    model: Model,
    task: str,
    *,
    append: Append,
    blobs: Blobs,
    brief: str = "",
    context: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    feedback: str = "",
    on_delta: OnDelta | None = None,
    budget: Budget | None = None,
    spending: Spending | None = None,
) -> Plan:
    """Ask a model for a plan; an unreadable one is sent back at most twice.

    Args:
        model: The planner.
        task: What the user typed.
        append: Puts an event into the session's log.
        blobs: Keeps whole replies.
        brief: What the project is, in a few lines.
        context: Path -> text worth reading, most important first.
        notes: Name -> rules and notes that are the user's own word.
        feedback: What earlier attempts came to and what the user said, when planning anew.
        on_delta: Gets the reply as it streams.
        budget: Caps for this plan and the session.
        spending: What the session has used so far.

    Returns:
        A plan that holds together, every step in mode `ask`.

    Raises:
        PlanError: The task is empty.
        ModelReplyError: No reply could be read as a plan; the message quotes the last one.
        ModelError: The model did not serve us.
        BudgetError: A cap was reached.
    """
    if not task.strip():
        raise PlanError("The task is empty: say in a sentence what is to be done.")
    fixed = PLANNER + task + brief + feedback
    longest = reply_tokens(model.context_tokens)
    # Twice, as a repair sends the first reply along.
    room = max(0, model.context_tokens - estimate_tokens(fixed) - 2 * longest)
    rules = choose_reading(notes or {}, max_tokens=int(room * NOTES_SHARE))
    room -= estimate_tokens(rules.text)
    reading = choose_reading(context or {}, max_tokens=max(0, room))
    asked = LoggedModel(
        model,
        append,
        blobs,
        role="planner",
        budget=budget,
        spending=spending,
        request_context={**rules.sizes, **reading.sizes},
    )
    question = planner_question(
        task, brief=brief, notes=rules.text, reading=reading.text, feedback=feedback
    )
    messages = [Message("system", PLANNER), Message("user", question)]
    for attempt in range(MAX_REPAIRS + 1):
        request = ModelRequest(tuple(messages), schema=PLAN_SCHEMA, max_tokens=longest)
        reply = await asked.complete(request, on_delta)
        try:
            return read_plan(reply.text, task=task, planner=model.name)
        except PlanError as error:
            problem = str(error)
            if reply.finish == "length":
                problem = f"it was cut off at {longest} tokens; write fewer, shorter steps"
        if attempt == MAX_REPAIRS:
            excerpt = " ".join(reply.text.split())[:EXCERPT_CHARS] or "(nothing)"
            raise ModelReplyError(
                f"{model.name} at {model.host} gave no usable plan in {attempt + 1} tries: "
                f"{problem}. It said: {excerpt} — try again, reword the task, or choose "
                "another planner model."
            )
        messages += [
            Message("assistant", reply.text or "(empty)"),
            Message("user", PLAN_REPAIR.format(problem=problem)),
        ]
    raise AssertionError("the loop returns or raises")  # pragma: no cover


def planner_question(
    task: str, *, brief: str = "", notes: str = "", reading: str = "", feedback: str = ""
) -> str:
    """Write the request for a plan; the task comes last, where small models heed it most."""
    parts = [
        f"# Project\n{brief.strip()}" if brief.strip() else "",
        notes_part(notes),
        files_part(reading),
        f"# So far\n{feedback.strip()}" if feedback.strip() else "",
        f"# Task\n{task.strip()}",
    ]
    return "\n\n".join(part for part in parts if part)


def read_plan(text: str, *, task: str, planner: str) -> Plan:
    """Read a model's reply as a plan.

    Raises:
        PlanError: It is no plan; the message is written for the model.
    """
    from turbo_tui.engine.plan_shape import plan_of_model  # noqa: PLC0415 - pydantic loads late

    try:
        value = read_json_object(text)
    except ValueError as error:
        raise PlanError(f"the reply is not a JSON object: {error}") from None
    return plan_of_model(value, task=task, planner=planner)


def plan_from_json(value: Mapping[str, object]) -> Plan:
    """Read the plan of a file (`run --plan`, the object that `plan --json` writes).

    Steps may carry `actions: [{"tool", "arguments"}]` and `model`. Every step comes back in
    mode `ask`: `auto` in a file is a proposal.

    Raises:
        PlanError: A field is missing, unknown or of the wrong type; the message names it.
    """
    from turbo_tui.engine.plan_shape import plan_of_file  # noqa: PLC0415 - pydantic loads late

    return plan_of_file(value)


def plan_to_json(plan: Plan) -> dict[str, object]:
    """Write a plan as the object of design §11; `actions` and `model` only where set."""
    return {
        "task": plan.task,
        "planner": plan.planner,
        "steps": [_step_to_json(step) for step in plan.steps],
    }


def _step_to_json(step: Step) -> dict[str, object]:
    value: dict[str, object] = {
        "id": step.id,
        "title": step.title,
        "intent": step.intent,
        "depends_on": list(step.depends_on),
        "mode": step.mode,
        "checks": [list(argv) for argv in step.checks],
        "files": list(step.files),
    }
    if step.actions:
        value["actions"] = [asdict(action) for action in step.actions]
    if step.model:
        value["model"] = step.model
    return value
