"""Run Python code in the step's stage."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.core.command import GIB, Command, Limits
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.shell import MOST_SECONDS, answer

SPEC = ToolSpec(
    "python",
    "Run Python code (`python3`) in the root of the workspace copy and return its exit code and "
    "output; print what you want to see. No network; everything it started ends with it.",
    parameters(
        ("code",),
        code={"type": "string", "description": "the program"},
        timeout_s={"type": "integer", "description": "seconds it may take; default 120"},
    ),
)
# A calculation on the side, no build: one that runs wild is ended early.
LIMITS = Limits(memory_bytes=2 * GIB, processes=256, written_bytes=GIB)
EXAMPLE = {"code": "print(sum(range(10)))"}


class Python:
    """Run a program given on stdin, so that no quoting can change it."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return exit code and output, its middle cut out when long."""
        given = Arguments(SPEC, EXAMPLE, arguments)
        code = given.text("code")
        timeout_s = given.number("timeout_s", 120, at_least=1, at_most=MOST_SECONDS)
        result = await context.stage.run(
            Command(
                ("python3", "-"),
                stdin=code.encode("utf-8", "replace"),
                timeout_s=float(timeout_s),
                limits=LIMITS,
            )
        )
        return answer(result, timeout_s, context)
