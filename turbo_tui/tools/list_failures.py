"""Run a test command and list what fails as file:line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.engine.checks import run_check
from turbo_tui.tools.arguments import Arguments, parameters

NAME = "list_failures"
READ_ONLY = False  # tests write caches and the like
TAIL_LINES = 25
_SUMMARY = re.compile(
    r"^(?:FAILED|ERROR) \S|^=*.*\d+ (?:passed|failed)|^not ok |^test \S+ \.\.\. FAILED"
    r"|^--- FAIL|^Ran \d+ tests"
)

_SPEC = ToolSpec(
    NAME,
    "Run the project's tests and list each failure as file:line.",
    parameters(
        ("command",),
        command={
            "type": "array",
            "items": {"type": "string"},
            "description": "the test command, as a list of words",
        },
        timeout_s={
            "type": "integer",
            "description": "stop it after so many seconds, 600 if not said",
        },
    ),
)
_EXAMPLE = {"command": ["pytest", "-q"]}


class ListFailures:
    """Tests run, failures as places."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Run the tests in the stage; failing tests are an answer for a model, not an error.

        Raises:
            ToolError: The command cannot be run at all, it was stopped, or tests fail and there is
                no model that would read which.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        command = given.texts("command")
        if len(command) == 1:
            command = shlex.split(command[0])
        if not command:
            given.text("command")
        timeout_s = given.number("timeout_s", 600, at_least=1)
        check = await run_check(
            context.stage, command, root=str(context.workspace), timeout_s=timeout_s
        )
        shown = shlex.join(command)
        took = f"{check.result.duration_s:.1f} s"
        rows = check.result.output.rstrip().splitlines()
        summary = [row.strip("= ") for row in rows if _SUMMARY.search(row)]
        if check.passed:
            said = f" — {summary[-1]}" if summary else ""
            return f"`{shown}`: all tests pass ({took}){said}"
        if check.result.ended != "exited" or check.result.exit_code in {126, 127}:
            tail = "\n".join(rows[-TAIL_LINES:])
            raise ToolError(f"{check.why}.\n{tail}".rstrip())
        count = len(check.failures)
        lines = [f"`{shown}` failed (exit {check.result.exit_code}, {took})", ""]
        if check.failures:
            lines += [f"{count} {'place' if count == 1 else 'places'}", ""]
            lines += [f"  {place}" for place in check.failures]
        else:
            lines += ["No file:line could be read from its output; it ends with:", ""]
            lines += [f"  {row}" for row in rows[-TAIL_LINES:]]
        if summary:
            lines += ["", *(f"  {row}" for row in summary[-TAIL_LINES:])]
        if context.fixed:
            raise ToolError("\n".join(lines))
        return "\n".join(lines)
