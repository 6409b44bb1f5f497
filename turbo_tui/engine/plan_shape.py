"""The plan as JSON (design §11), checked by pydantic. Import late: pydantic is slow to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from turbo_tui.core.command_lines import argv_of
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import Action, Mode, Plan, Step, validate

_PLAINLY = {  # pydantic's names of problems
    "extra_forbidden": "there is no such field here",
    "missing": "is missing",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def _command(value: object) -> object:
    """Read one check: argv, or a command line as a person would type it."""
    if not isinstance(value, str):
        return value
    try:
        return list(argv_of(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no command line: {error}") from None


def _commands(value: object) -> object:
    """Read checks: a list of argv; one command line, one argv or a list of lines also do."""
    if value is None:
        return []
    if isinstance(value, str):
        return [_command(value)] if value.strip() else []
    if not isinstance(value, list):
        return value
    items = cast("list[object]", value)
    words = [item for item in items if isinstance(item, str)]
    if items and len(words) == len(items) and not any(" " in word.strip() for word in words):
        return [items]  # ["pytest", "-q"] is one command
    return [_command(item) for item in items]


def _texts(value: object) -> object:
    """Read a list of strings; one string, numbers and null also do."""
    if value is None or value == "":
        return []
    if isinstance(value, str | int):
        return [str(value)]
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [str(item) if isinstance(item, int) else item for item in items]
    return value


def _text(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int) else value


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
Argv = Annotated[list[str], Field(min_length=1)]
Commands = Annotated[list[Argv], BeforeValidator(_commands)]


class ActionShape(BaseModel):
    """A tool call fixed in advance."""

    model_config = ConfigDict(extra="forbid")

    tool: Annotated[str, Field(min_length=1)]
    arguments: dict[str, object] = Field(default_factory=dict)


class StepShape(BaseModel):
    """A step as a model writes it; what it does not say has a default.

    `mode` is not read: `auto` from a model is a proposal, and only the user sets it.
    """

    id: Text = ""
    title: Annotated[str, Field(min_length=1)]
    intent: Text = ""
    depends_on: Texts = Field(default_factory=list)
    checks: Commands = Field(default_factory=list[Argv])
    files: Texts = Field(default_factory=list)


class PlanShape(BaseModel):
    """A plan as a model writes it; more fields than these are ignored."""

    steps: Annotated[list[StepShape], Field(min_length=1)]


class FileStepShape(StepShape):
    """A step of a plan file: a field that is not known is a slip that must not pass."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = "ask"
    actions: list[ActionShape] = Field(default_factory=list[ActionShape])
    model: Text = ""


class FilePlanShape(BaseModel):
    """A plan file, as `turbo-tui plan --json` writes it."""

    model_config = ConfigDict(extra="forbid")

    task: str
    planner: Text = "file"
    steps: Annotated[list[FileStepShape], Field(min_length=1)]


def plan_of_model(value: Mapping[str, object], *, task: str, planner: str) -> Plan:
    """Read the plan a model wrote.

    Raises:
        PlanError: It is not of the shape; the message names each field, for the model.
    """
    # Models wrap: {"plan": {"steps": […]}} is as clear as the plan itself.
    inner = value.get("plan")
    if "steps" not in value and isinstance(inner, Mapping):
        value = cast("Mapping[str, object]", inner)
    elif "steps" not in value and isinstance(inner, list):
        value = {"steps": cast("list[object]", inner)}
    try:
        shape = PlanShape.model_validate(dict(value))
    except ValidationError as error:
        raise PlanError(_explained(error)) from None
    return _plan(task, planner, shape.steps)


def plan_of_file(value: Mapping[str, object]) -> Plan:
    """Read the plan of a file.

    Raises:
        PlanError: It is not of the shape; the message names each field.
    """
    try:
        shape = FilePlanShape.model_validate(dict(value))
    except ValidationError as error:
        raise PlanError(_explained(error)) from None
    return _plan(shape.task, shape.planner or "file", shape.steps)


def _plan(task: str, planner: str, shapes: list[StepShape] | list[FileStepShape]) -> Plan:
    ids = _fitting_ids([shape.id.strip() for shape in shapes])
    renamed = {shape.id.strip(): fitting for shape, fitting in zip(shapes, ids, strict=True)}
    steps: list[Step] = []
    for shape, step_id in zip(shapes, ids, strict=True):
        actions = shape.actions if isinstance(shape, FileStepShape) else []
        steps.append(
            Step(
                id=step_id,
                title=" ".join(shape.title.split()),
                intent=shape.intent.strip(),
                depends_on=tuple(renamed.get(need, need) for need in shape.depends_on),
                mode="ask",  # `auto` in a file is a proposal as well
                checks=tuple(tuple(argv) for argv in shape.checks),
                files=tuple(shape.files),
                actions=tuple(Action(each.tool, each.arguments) for each in actions),
                model=shape.model if isinstance(shape, FileStepShape) else "",
            )
        )
    return validate(Plan(task, planner, tuple(steps)))


def _fitting_ids(written: list[str]) -> list[str]:
    """Fill in missing ids, and replace those that cannot name a stage's folder."""
    taken = set(written)
    ids: list[str] = []
    for number, step_id in enumerate(written, start=1):
        if _ID.fullmatch(step_id):
            ids.append(step_id)
            continue
        fitting = next(f"s{free}" for free in count(number) if f"s{free}" not in taken)
        taken.add(fitting)
        ids.append(fitting)
    return ids


def _explained(error: ValidationError, most: int = 6) -> str:
    """Say each problem as `field: what is wrong`."""
    lines: list[str] = []
    for problem in error.errors(include_url=False)[:most]:
        message = problem["msg"].removeprefix("Value error, ")
        message = _PLAINLY.get(problem["type"], message)
        lines.append(f"{_field(problem['loc'])}: {message[:1].lower()}{message[1:]}")
    return "; ".join(lines)


def _field(place: tuple[int | str, ...]) -> str:
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".") or "plan"
