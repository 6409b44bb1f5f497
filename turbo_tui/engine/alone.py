"""Tools that act on the real workspace: not while earlier steps wait for their review."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import Tool, ToolContext
from turbo_tui.core.views import PlanView, unlanded_below


def alone(tools: Mapping[str, Tool], names: Collection[str], plan: PlanView) -> dict[str, Tool]:
    """Return the tools; those named refuse while the step that runs lies on others."""
    return {name: AloneTool(tool, plan) if name in names else tool for name, tool in tools.items()}


class AloneTool:
    """A tool that sees the real workspace, where what waits for a review is not yet.

    Args:
        tool: What is done once nothing waits below the step that runs.
        plan: Tells what waits.
    """

    def __init__(self, tool: Tool, plan: PlanView) -> None:
        self._tool = tool
        self._plan = plan

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return self._tool.spec

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Do it.

        Raises:
            ToolError: Steps below wait for their review, or as the tool itself.
        """
        running = self._plan.running
        waiting = unlanded_below(self._plan, running) if running is not None else []
        if waiting:
            names = ", ".join(state.step.id for state in waiting)
            raise ToolError(
                f"{self._tool.spec.name} acts on the real workspace, and this step runs ahead on "
                f"{names}, not reviewed yet: it would not see those changes. Leave it to "
                "a later step, or to the user."
            )
        return await self._tool.call(arguments, context)
