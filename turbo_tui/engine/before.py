"""The tree as it was before a step: did a check fail there as well?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from turbo_tui.core.errors import SandboxError, StageError, ToolError
from turbo_tui.core.ports import Stage, Stages
from turbo_tui.engine.checks import Check, run_check

MOST_S = 60.0  # a check that took longer is not run once more just to tell whose fault it is
_SPARE_S = 10.0


def before_id(stage_id: str) -> str:
    """Name the stage beside a step's own where its checks are run without it."""
    return f"{stage_id}-before"


class Before:
    """Run failing checks once on what a step was made on, without the step's changes.

    Args:
        stages: Makes the stage for it, which is deleted afterwards.
        stage_id: The step's own stage.
        on: What that lies on.
        gated: Puts the user's rules around a stage, as around the step's own.
    """

    def __init__(
        self,
        stages: Stages,
        stage_id: str,
        on: Sequence[str],
        gated: Callable[[Stage], Stage] = lambda stage: stage,
    ) -> None:
        self._stages = stages
        self._stage_id = before_id(stage_id)
        self._on = tuple(on)
        self._gated = gated
        self._known: dict[tuple[str, ...], bool] = {}

    async def failed(self, check: Check, on_record: Callable[[Stage], Stage]) -> bool:
        """Tell whether a check that fails now fails without the step; False where not known.

        Args:
            check: As it failed with the step's changes; one that took long is not run again.
            on_record: Lets a stage's commands go into the log.
        """
        if check.argv not in self._known:
            self._known[check.argv] = self._is_cheap(check) and await self._fails(check, on_record)
        return self._known[check.argv]

    def _is_cheap(self, check: Check) -> bool:
        result = check.result
        # Without a sandbox each command would be asked about once more.
        sandboxed = self._stages.report.level != "none"
        return sandboxed and result.ended == "exited" and result.duration_s <= MOST_S

    async def _fails(self, check: Check, on_record: Callable[[Stage], Stage]) -> bool:
        try:
            await self._stages.discard(self._stage_id)  # left by a crash
            stage = await self._stages.open(self._stage_id, on=self._on)
        except StageError:
            return False
        try:
            timeout_s = check.result.duration_s * 2 + _SPARE_S
            again = await run_check(on_record(self._gated(stage)), check.argv, timeout_s=timeout_s)
        except (SandboxError, ToolError):
            return False
        finally:
            await stage.close()
            with suppress(StageError):  # only room on the disk is lost
                await self._stages.discard(self._stage_id)
        return again.result.ended == "exited" and not again.passed
