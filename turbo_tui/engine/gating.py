"""The user's rules before every command of a step, staged or not."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import Ask, CommandResult, OnOutput, SandboxReport, Stage, StageFiles
from turbo_tui.engine.approval import Asks, Rules


class GatedStage:
    """A stage whose commands obey the user's `deny` and `ask` rules.

    Without a rule a staged command runs: its effects are reviewed afterwards.
    """

    def __init__(self, stage: Stage, rules: Rules, asks: Asks, step_id: str) -> None:
        self._stage = stage
        self._rules = rules
        self._asks = asks
        self._step_id = step_id

    @property
    def stage_id(self) -> str:
        """The wrapped stage's id."""
        return self._stage.stage_id

    @property
    def report(self) -> SandboxReport:
        """What confines the wrapped stage's commands."""
        return self._stage.report

    @property
    def files(self) -> StageFiles:
        """The wrapped stage's files."""
        return self._stage.files

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str = ".",
        timeout_s: float = 120.0,
        network: bool = False,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command that the rules let through.

        Raises:
            ToolError: A rule, or the user whom a rule made us ask, forbids it.
        """
        ask = Ask("command", shlex.join(argv), "a rule of yours says to ask", self._step_id)
        effect, rule = self._rules(ask)
        if rule and effect != "allow":
            verdict = await self._asks.ask(ask)
            if not verdict.allowed:
                why = verdict.feedback or "the user said no"
                raise ToolError(
                    f"`{ask.subject}` is not allowed here: {why}. Reach the goal another way."
                )
        return await self._stage.run(
            argv,
            cwd=cwd,
            timeout_s=timeout_s,
            network=network,
            stdin=stdin,
            env=env,
            on_output=on_output,
        )

    async def changes(self) -> ChangeSet:
        """Read what the step did."""
        return await self._stage.changes()

    async def close(self, *, keep: bool = False) -> None:
        """Close the wrapped stage."""
        await self._stage.close(keep=keep)
