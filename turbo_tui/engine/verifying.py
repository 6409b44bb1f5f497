"""Run a step's checks on exactly what was accepted of it, in a stage of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import TurboError, UsageError
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import PlanView, StepState, Verification, Views
from turbo_tui.engine.checks import run_check
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.landing import Landings
from turbo_tui.engine.putting import put_in
from turbo_tui.engine.uninterrupted import ended, whole

INTERRUPTED = "interrupted by you"


class OnRecord(Protocol):
    """Puts a stage under the user's rules and its commands into the log."""

    def on_record(self, step_id: str, stage: Stage, history: Views) -> Stage:
        """Return the stage for commands of a step."""
        ...


def verify_id(stage_id: str) -> str:
    """Name the stage beside a step's own where what was accepted is verified."""
    return f"{stage_id}-verify"


class Verifying:
    """Verify what was accepted. It blocks nothing: a step may land whatever it says.

    Args:
        footing: Log, views, stages and review.
        landings: Say what would land.
        commands: How a stage's commands are run; None: this run cannot verify.
    """

    def __init__(self, footing: Footing, landings: Landings, commands: OnRecord | None) -> None:
        self._footing = footing
        self._landings = landings
        self._commands = commands
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._refuses = 0

    def ready(self, step_id: str) -> StepState:
        """Return a step that can be verified.

        Raises:
            UsageError: It has nothing to review, no checks, or is being verified.
        """
        state = self._footing.reviewable(step_id)
        if not state.step.checks or self._commands is None:
            raise UsageError(f"Step {step_id} has no checks that could be run on what you accept.")
        if self._refuses:
            raise UsageError(f"Step {step_id} is not verified: it was {INTERRUPTED}.")
        if step_id in self._under_way:
            raise UsageError(f"Step {step_id} is being verified; wait for it, or interrupt it.")
        return state

    async def verify(self, step_id: str) -> Verification:
        """Run the checks on what is accepted now; what cannot be run is a result as well.

        Cancelled, or by `interrupted`, it ends its command and leaves no stage.

        Raises:
            UsageError: It cannot be verified, or nothing of it is accepted.
            StageError: A stage does not hold what it must.
            SessionError: The blob store refuses.
        """
        state = self.ready(step_id)
        task = asyncio.get_running_loop().create_task(self._verify(state))
        self._under_way[step_id] = task
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await ended(task)
            raise
        finally:
            del self._under_way[step_id]
        if not task.cancelled():
            task.result()
        return self._footing.views.review.verification(step_id, state.shown)

    @asynccontextmanager
    async def interrupted(self) -> AsyncGenerator[None]:
        """Interrupt all that is being verified; within, nothing more begins to be."""
        self._refuses += 1
        try:
            tasks = tuple(self._under_way.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            yield
        finally:
            self._refuses -= 1

    async def _verify(self, state: StepState) -> None:
        footing = self._footing
        step_id, stage_id = state.step.id, verify_id(state.stage_id)
        selected = await self._landings.selected(state)
        if not (selected.files or selected.ignored):
            raise UsageError(f"Nothing of step {step_id} is accepted, so nothing would land.")
        blob = footing.review.keep(selected)
        footing.log(ev.VerifyStarted(step_id, state.shown, blob, stage_id), "user")
        failures: tuple[str, ...] = ()
        reason = INTERRUPTED
        try:
            failures = await self._failing(state, stage_id, selected, blob)
            reason = ""
        except TurboError as error:
            reason = str(error)
        finally:
            await whole(footing.discard(stage_id))
            passed = not reason and not failures
            footing.log(ev.VerifyFinished(step_id, blob, passed, failures, reason))

    async def _failing(
        self, state: StepState, stage_id: str, selected: ChangeSet, blob: str
    ) -> tuple[str, ...]:
        """Run the checks in a fresh stage; return why each that failed did."""
        footing, views = self._footing, self._footing.views
        async with footing.tree:
            await footing.discard(stage_id)  # left by a crash
            stage = await footing.stages.open(stage_id, on=_standing(views.plan, state))
        failures: list[str] = []
        try:
            if self._commands is None:
                return ()
            logged = self._commands.on_record(state.step.id, stage, views)
            await put_in(selected, logged, footing.review.content)
            for argv in state.step.checks:
                check = await run_check(logged, argv, root=views.workspace)
                footing.log(
                    ev.CheckFinished(
                        state.step.id, argv, check.passed, check.failures, selected=blob
                    )
                )
                if not check.passed:
                    failures.append(check.why)
        finally:
            await whole(stage.close())
        return tuple(failures)


def _standing(plan: PlanView, state: StepState) -> tuple[str, ...]:
    """Return what a step was made on, without what has landed since: that is in the workspace."""
    owners = {each.stage_id: each for each in plan.states if each.stage_id}
    return tuple(
        stage_id
        for stage_id in state.on
        if stage_id in plan.layers or (stage_id in owners and _waits(owners[stage_id]))
    )


def _waits(state: StepState) -> bool:
    return bool(state.changes) and not state.settled and not state.undone
