"""One step's life: from a stage for it to the change set that it left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import ModelError, StageError, TurboError
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import StepState, Views
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.uninterrupted import whole


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step's work ended; `summary` is what it did, or why it failed."""

    ok: bool
    summary: str = ""


class StepRunner(Protocol):
    """Carries one step out in its stage."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        """Do the step; errors that end it are raised as TurboError."""
        ...


class Stepping:
    """Run steps, each in its stage, and log how each ended."""

    def __init__(self, footing: Footing, runner: StepRunner) -> None:
        self._footing = footing
        self._runner = runner

    async def run(self, state: StepState, *, keep_work: bool = False, feedback: str = "") -> bool:
        """Run one step to its end.

        Args:
            state: The step.
            keep_work: Go on from what it did before, in its kept stage.
            feedback: What the user said about the last attempt.

        Returns:
            True when it ended well and was not interrupted.
        """
        footing = self._footing
        step, attempt = state.step, state.attempt + 1
        keep_work = keep_work and bool(state.stage_id)
        fresh_id = f"{footing.session.session_id}-{step.id}-{attempt}"
        stage_id = state.stage_id if keep_work else fresh_id
        footing.unreachable = False
        try:
            if not keep_work:
                # Made just before a crash: its start was never logged, so nothing ran in it.
                await footing.stages.discard(stage_id)
            opening = footing.stages.reopen if keep_work else footing.stages.open
            stage = await opening(stage_id)
        except StageError as error:
            footing.log(ev.StepStarted(step.id, attempt, stage_id, footing.stages.report.rung))
            footing.log(ev.StepFailed(step.id, str(error)))
            return False
        footing.log(ev.StepStarted(step.id, attempt, stage_id, stage.report.rung))
        try:
            result = await self._runner.run(step, stage, feedback=feedback, history=footing.views)
        except asyncio.CancelledError:
            await whole(self._settle(stage, step, interrupted="interrupted by you"))
            return False
        except TurboError as error:
            footing.unreachable = isinstance(error, ModelError)
            result = StepResult(ok=False, summary=str(error))
        _, interrupted = await whole(self._settle(stage, step, result=result))
        return result.ok and not interrupted

    async def _settle(
        self, stage: Stage, step: Step, *, result: StepResult | None = None, interrupted: str = ""
    ) -> None:
        """Read what the step did, log how it ended, close its stage."""
        footing = self._footing
        try:
            changes = await stage.changes()
        except StageError as error:
            await stage.close(keep=True)
            footing.log(ev.StepFailed(step.id, str(error)))
            return
        # Files that git ignores are no work of their own: caches, mostly. They are named.
        empty = not changes.files
        blob = "" if empty else footing.review.keep(changes)
        paths = tuple(change.path for change in changes.files)
        good = result is not None and result.ok
        await stage.close(keep=not (good and empty))
        if result is None:
            footing.log(ev.StepInterrupted(step.id, interrupted, blob, paths))
        elif not result.ok:
            footing.log(ev.StepFailed(step.id, result.summary, blob, paths))
        elif empty:
            footing.log(ev.StepFinished(step.id, result.summary + _left_out(changes)))
        else:
            footing.log(
                ev.StepStaged(step.id, blob, paths, checks_passed=True, summary=result.summary)
            )


def _left_out(changes: ChangeSet) -> str:
    folders = [f"{each.folder}/ ({len(each.changes):,} files)" for each in changes.ignored]
    return f"\nLeft out, as git ignores it: {', '.join(folders)}" if folders else ""
