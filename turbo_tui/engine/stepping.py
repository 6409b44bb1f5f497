"""One step's life: from a stage for it to the change set that it left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import ModelError, SessionError, StageError, TurboError
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import StepState, Views, ground_for
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


BY_USER = "interrupted by you"
Ended = Literal["well", "badly", "cut off"]


class Stepping:
    """Run steps, each in its stage, and log how each ended.

    Attributes:
        cut_off: Why the step that runs is being interrupted.
    """

    def __init__(self, footing: Footing, runner: StepRunner) -> None:
        self.cut_off = BY_USER
        self._footing = footing
        self._runner = runner

    async def open(self, state: StepState, *, keep_work: bool = False) -> Stage | None:
        """Start a step: make its stage on what waits below it, or take up its kept one.

        Returns:
            None when there can be no stage, and the step has failed; or when the user changed
            the step meanwhile, and it has not begun.
        """
        footing = self._footing
        step, attempt = state.step, state.attempt + 1
        keep_work = keep_work and bool(state.stage_id)
        fresh_id = f"{footing.session.session_id}-{step.id}-{attempt}"
        stage_id = state.stage_id if keep_work else fresh_id
        on = state.on if keep_work else ground_for(footing.views.plan, step)
        try:
            if keep_work:
                stage = await footing.stages.reopen(stage_id)
            else:
                # Made just before a crash: its start was never logged, so nothing ran in it.
                await footing.stages.discard(stage_id)
                stage = await footing.stages.open(stage_id, on=on)
        except StageError as error:
            rung = footing.stages.report.rung
            footing.log(ev.StepStarted(step.id, attempt, stage_id, rung, on))
            footing.log(ev.StepFailed(step.id, str(error)))
            return None
        if state not in footing.views.plan.steps:
            await stage.close(keep=True)
            if not keep_work:
                await footing.discard(stage_id)
            return None
        footing.log(ev.StepStarted(step.id, attempt, stage_id, stage.report.rung, on))
        return stage

    async def carry_out(self, step: Step, stage: Stage, *, feedback: str = "") -> Ended:
        """Run a started step to its end.

        Args:
            step: What to do.
            stage: Where; it is closed then, and kept while there is something to decide.
            feedback: What the user said about the last attempt.
        """
        footing = self._footing
        footing.unreachable = False
        self.cut_off = BY_USER
        try:
            result = await self._runner.run(step, stage, feedback=feedback, history=footing.views)
        except asyncio.CancelledError:
            await whole(self._settle(stage, step, interrupted=self.cut_off))
            return "cut off"
        except TurboError as error:
            footing.unreachable = isinstance(error, ModelError)
            result = StepResult(ok=False, summary=str(error))
        _, interrupted = await whole(self._settle(stage, step, result=result))
        if interrupted:
            return "cut off"
        return "well" if footing.known(step.id).status in {"staged", "done"} else "badly"

    async def _settle(
        self, stage: Stage, step: Step, *, result: StepResult | None = None, interrupted: str = ""
    ) -> None:
        """Read what the step did, log how it ended, close its stage."""
        footing = self._footing
        try:
            changes = await stage.changes()
            # Files that git ignores are no work of their own: caches, mostly. They are named.
            empty = not changes.files
            blob = "" if empty else footing.review.keep(changes)
        except (StageError, SessionError) as error:
            await stage.close(keep=True)
            footing.log(ev.StepFailed(step.id, str(error)))
            return
        paths = tuple(change.path for change in changes.files)
        await stage.close(keep=True)
        if result is None:
            footing.log(ev.StepInterrupted(step.id, interrupted, blob, paths))
        elif not result.ok:
            footing.log(ev.StepFailed(step.id, result.summary, blob, paths))
        elif empty:
            layer = await footing.settle(stage.stage_id)
            footing.log(ev.StepFinished(step.id, result.summary + _left_out(changes), layer))
        else:
            footing.log(
                ev.StepStaged(step.id, blob, paths, checks_passed=True, summary=result.summary)
            )


def _left_out(changes: ChangeSet) -> str:
    folders = [f"{each.folder}/ ({len(each.changes):,} files)" for each in changes.ignored]
    return f"\nLeft out, as git ignores it: {', '.join(folders)}" if folders else ""
