"""A step as text that is edited, and back: its words, its checks, its fixed actions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import cast

from turbo_tui.core.command_lines import argv_of, line_of
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import Action, Step


@dataclass(frozen=True, slots=True)
class StepText:
    """What the fields of the editor hold.

    Attributes:
        checks: A command a line.
        actions: A line `tool {"argument": value}` for each; none for a step of the executor's.
    """

    title: str = ""
    intent: str = ""
    checks: str = ""
    actions: str = ""


def text_of(step: Step) -> StepText:
    """Write a step."""
    return StepText(
        step.title,
        step.intent,
        "\n".join(line_of(argv) for argv in step.checks),
        "\n".join(_action_line(action) for action in step.actions),
    )


def step_of(text: StepText, step: Step) -> Step:
    """Return a step as its text says it; lines that were not touched stay what they were.

    Raises:
        PlanError: It has no title, or a line cannot be read: which, and why.
    """
    if not text.title.strip():
        raise PlanError("A step needs a title.")
    checks = {line_of(argv): argv for argv in step.checks}
    actions = {_action_line(action): action for action in step.actions}
    return replace(
        step,
        title=text.title.strip(),
        intent=text.intent.strip(),
        checks=tuple(checks.get(line) or _check(line) for line in _lines(text.checks)),
        actions=tuple(actions.get(line) or _action(line) for line in _lines(text.actions)),
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _check(line: str) -> tuple[str, ...]:
    try:
        return argv_of(line)
    except ValueError as error:
        raise PlanError(f"The check `{line}` is no command line: {error}.") from None


def _action_line(action: Action) -> str:
    arguments = json.dumps(action.arguments, ensure_ascii=False)
    return f"{action.tool} {arguments}" if action.arguments else action.tool


def _action(line: str) -> Action:
    tool, _, written = line.partition(" ")
    if not written.strip():
        return Action(tool, {})
    try:
        arguments = json.loads(written)
    except ValueError as error:
        raise PlanError(
            f"The arguments of {tool} cannot be read: {error}. Write a line as "
            '`tool {"argument": "value"}`, with double quotes.'
        ) from None
    if not isinstance(arguments, dict):
        raise PlanError(f'The arguments of {tool} are no object: write {{"argument": "value"}}.')
    return Action(tool, cast("dict[str, object]", arguments))
