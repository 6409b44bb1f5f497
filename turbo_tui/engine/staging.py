"""A stage whose every command is on the record."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError, ToolError
from turbo_tui.core.events import CommandFinished, CommandRequested, Ended, Event
from turbo_tui.core.ports import Asker, Blobs, CommandResult, OnOutput, Stage
from turbo_tui.engine.clearance import question_of_no_sandbox
from turbo_tui.engine.context import head_and_tail
from turbo_tui.engine.wrapping import StageAround

OUTPUT_CHARS = 16_000  # of a command's output kept inline in the log; all of it is a blob


class LoggedStage(StageAround):
    """Wrap a stage: each command is logged as it starts and as it ends, live output streamed.

    On the rung without a sandbox every command is put before the user first (design §5).

    Args:
        append: Puts an event into the session's log.
        ask: Used for commands on the unsandboxed rung; None refuses them there.
        on_output: Gets command id and text as a command writes it.
        before: The stage is what the step was made on, without its changes.
    """

    def __init__(
        self,
        stage: Stage,
        append: Callable[[Event], object],
        step_id: str,
        *,
        blobs: Blobs,
        ask: Asker | None = None,
        on_output: Callable[[str, str], None] | None = None,
        before: bool = False,
    ) -> None:
        super().__init__(stage)
        self._before = before
        self._append = append
        self._step_id = step_id
        self._blobs = blobs
        self._ask = ask
        self._on_output = on_output

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command on the record. `grants` are only passed once the user was asked.

        What was granted says nothing of where it runs: without a sandbox that is asked as well.

        Raises:
            ToolError: There is no sandbox here and the user refused the command.
            SandboxError: The sandbox could not be started.
        """
        await self._ask_if_unsandboxed(command.argv)
        network = command.grants.network
        command_id = uuid.uuid4().hex[:16]
        held = {each.name: each.held for each in self.report.guarantees}
        # Where nothing holds the network, "off" would be a promise that is not kept.
        reach = network if held.get("network", False) else "all"
        held["network"] = reach == "off"
        rung = self.report.rung  # before it runs: a sandbox that fails may be replaced
        argv = tuple(command.argv)
        words = command.grants.words
        self._append(CommandRequested(command_id, self._step_id, argv, reach, words, self._before))

        def finish(result: CommandResult) -> CommandResult:
            self._append(self._finished(command_id, result, reach, held, rung))
            return result

        def stream(text: str) -> None:
            if self._on_output is not None:
                self._on_output(command_id, text)
            if on_output is not None:
                on_output(text)

        try:
            result = await self._stage.run(command, on_output=stream)
        except asyncio.CancelledError:
            finish(_no_result(130, "cancelled", "cancelled"))
            raise
        except (SandboxError, ToolError) as error:
            finish(_no_result(SandboxError.exit_code, "refused", str(error)))
            raise
        return finish(result)

    async def _ask_if_unsandboxed(self, argv: Sequence[str]) -> None:
        question = question_of_no_sandbox(argv, self.report.level, self._step_id)
        if question is None:
            return
        verdict = await self._ask(question) if self._ask is not None else None
        if verdict is None or not verdict.allowed:
            said = f" They said: {verdict.feedback}" if verdict and verdict.feedback else ""
            raise ToolError(
                f"The user did not allow `{question.subject}` (no sandbox is available).{said} "
                "Reach the goal by reading and editing files instead."
            )

    def _finished(
        self, command_id: str, result: CommandResult, reach: str, held: dict[str, bool], rung: str
    ) -> CommandFinished:
        whole = result.output
        cut = len(whole) > OUTPUT_CHARS
        return CommandFinished(
            command_id=command_id,
            exit_code=result.exit_code,
            ended=result.ended,
            output=head_and_tail(whole, OUTPUT_CHARS),
            duration_s=result.duration_s,
            full=self._blobs.put(whole.encode("utf-8", "surrogatepass")) if cut else "",
            network=reach,
            held=held,
            rung=rung,
            usage=result.usage,
        )


def _no_result(exit_code: int, ended: Ended, output: str) -> CommandResult:
    return CommandResult(exit_code, ended, output, 0.0)
