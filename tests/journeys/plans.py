"""Plans whose every tool call is fixed, written to a file for `run --plan`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from tests.journeys.turbo import Ended, Turbo

Action = dict[str, object]


def tool(name: str, **arguments: object) -> Action:
    """Return one tool call."""
    return {"tool": name, "arguments": arguments}


def shell(command: str) -> Action:
    """Return a call of the shell tool."""
    return tool("shell", command=command)


def plan_of(*steps: Sequence[Action]) -> dict[str, object]:
    """Return a plan with the steps s1, s2, … of these actions."""
    return {
        "task": "odd things",
        "planner": "file",
        "steps": [
            {"id": f"s{number}", "title": f"step {number}", "actions": list(actions)}
            for number, actions in enumerate(steps, 1)
        ],
    }


def plan_file(turbo: Turbo, *steps: Sequence[Action]) -> Path:
    """Write a plan beside the user's workspace and return where."""
    file = turbo.home / "plan.json"
    file.write_text(json.dumps(plan_of(*steps)))
    return file


def run_steps(turbo: Turbo, *steps: Sequence[Action], approve: str = "staged") -> Ended:
    """Run steps headless to their end."""
    plan = str(plan_file(turbo, *steps))
    return turbo("run", "--plan", plan, "--approve", approve, "--json")


def python_of(program: str) -> Action:
    """Return a call of the python tool."""
    return tool("python", code=program)


def wait_for_file(folder: Path, name: str) -> None:
    """Wait until a file of that name stands below a folder (the test's timeout ends it)."""
    while not _stands(folder, name):
        time.sleep(0.02)  # nothing tells of a file in a stage


def _stands(folder: Path, name: str) -> bool:
    """Tell whether a file of that name stands below a folder that changes as we look."""
    try:
        return any(folder.rglob(name))
    except FileNotFoundError:
        return False
