"""Drive a plan on: steps one after another, and beside them what the user decides.

Planning and steps share one lane. Decisions (a landing, a rejection, an undo) have another and
are carried out one at a time; a step that runs meanwhile is interrupted only when a decision
takes away what it was made on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import UsageError
from turbo_tui.core.landings import Landing
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import (
    LandingEntry,
    StepState,
    Way,
    has_ground,
    lying_on,
    next_to_run,
    unlanded_below,
    waiting_steps,
)
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.landing import Landings
from turbo_tui.engine.stepping import Stepping
from turbo_tui.engine.taking_back import bring_back, take_back

Work = Coroutine[object, object, None]


def nowhere_else(step: Step) -> bool:
    """Say of every step that it acts in its stage alone."""
    del step
    return False


@dataclass(frozen=True, slots=True)
class Again:
    """A step that is to run once more, before the plan goes on."""

    step_id: str
    keep_work: bool
    feedback: str


class Drive:
    """What is under way in a session.

    Args:
        ahead: So many steps may wait for their review below one that runs.
        acts_on_workspace: Tells which steps act on the real workspace: none of them runs
            ahead, as it would not see what waits.

    Attributes:
        going: Steps follow one another until one needs a person.
    """

    def __init__(
        self,
        footing: Footing,
        stepping: Stepping,
        landings: Landings,
        *,
        ahead: int,
        acts_on_workspace: Callable[[Step], bool],
    ) -> None:
        self.going = False
        self._footing = footing
        self._stepping = stepping
        self._landings = landings
        self._ahead = ahead
        self._acts_on_workspace = acts_on_workspace
        self._work: asyncio.Task[None] | None = None
        self._plans = False
        self._beside: dict[asyncio.Task[None], str] = {}  # carries out a decision -> its step
        self._landing = ""  # the step that is being landed
        self._defects: list[asyncio.Task[None]] = []
        self._stuck_on = ""  # the step that ended the way through the plan
        self._again: list[Again] = []

    # --- what is under way -----------------------------------------------------

    @property
    def working(self) -> bool:
        """A plan is being made, or steps are being run."""
        return self._work is not None and not self._work.done()

    @property
    def planning(self) -> bool:
        """A plan is being made."""
        return self.working and self._plans

    @property
    def busy(self) -> bool:
        """Planning, a step, or what the user decided is under way."""
        return self.working or bool(self._beside)

    @property
    def deciding(self) -> frozenset[str]:
        """Steps on which a decision is being carried out."""
        return frozenset({self._landing, *self._beside.values()} - {""})

    def refuse_when_busy(self) -> None:
        """Raise UsageError while anything is under way."""
        if self.busy:
            running = self._footing.views.plan.running
            what = f"Step {running.step.id} is running" if running else "Something is under way"
            raise UsageError(f"{what}; wait for it, or interrupt it with Ctrl+C.")

    def refuse_when_planning(self) -> None:
        """Raise UsageError while a plan is being made."""
        if self.planning:
            raise UsageError("The plan is being made; wait for it, or interrupt it with Ctrl+C.")

    def refuse_when_deciding(self, step_id: str) -> None:
        """Raise UsageError while a decision on the step is being carried out."""
        if step_id in self.deciding:
            raise UsageError(f"What you decided on step {step_id} is under way; wait for it.")

    async def idle(self) -> None:
        """Wait until nothing is under way; a defect surfaces here."""
        while self.busy:
            await asyncio.wait(self._tasks())
        if self._work is not None and not self._work.cancelled():
            self._work.result()
        for task in self._defects:
            task.result()

    async def cancel(self) -> None:
        """Interrupt the lane of plan and steps; what was decided before is carried out."""
        self.going = False
        while self.busy:
            self._again.clear()
            if self._work is not None:
                self._work.cancel()
            await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED)
        self._again.clear()

    def _tasks(self) -> list[asyncio.Task[None]]:
        tasks = [*self._beside]
        if self._work is not None and not self._work.done():
            tasks.append(self._work)
        return tasks

    # --- the lane of plan and steps --------------------------------------------

    def plan(self, planning: Work) -> None:
        """Make a plan in the background."""
        self._start(planning, plans=True)

    def go(self) -> None:
        """Run steps in order until one needs a person."""
        self.going = True
        self._stuck_on = ""
        self._start(self._run_steps())

    def _start(self, work: Work, *, plans: bool = False) -> None:
        self._plans = plans
        self._work = asyncio.get_running_loop().create_task(work)

    @property
    def _may_go_on(self) -> bool:
        stuck = self._footing.views.plan.state(self._stuck_on)
        return self.going and (stuck is None or stuck.status not in {"failed", "interrupted"})

    async def _run_steps(self) -> None:
        while True:
            async with self._footing.tree:
                begun = await self._begin_next()
            if begun is None:
                return
            again, step, stage = begun
            if stage is not None:
                ended = await self._stepping.carry_out(step, stage, feedback=again.feedback)
            elif self._footing.known(step.id).status == "failed":
                ended = "badly"
            else:
                continue  # it was changed while its stage was made
            if ended != "well":
                self._stuck_on = step.id
                if ended == "cut off" or not self._again:
                    return
                continue
            self._landings.say_if_not(self._footing.known(step.id))
            async with self._footing.tree:
                await self._land_ready()

    async def _begin_next(self) -> tuple[Again, Step, Stage | None] | None:
        """Start the step that is next; None when a person is next, or nobody."""
        plan = self._footing.views.plan
        if self._again:
            again = self._first_again()
            state = self._footing.known(again.step_id)
            if again.keep_work and not has_ground(plan, state):
                again = replace(again, keep_work=False)  # it fell while it waited for its turn
                await self._footing.discard(state.stage_id)
        elif not self._may_go_on:
            return None
        else:
            found = next_to_run(plan, ahead=self._ahead)
            waiting = waiting_steps(plan)
            if found is None:
                self.going = bool(waiting)
                return None
            if waiting and self._acts_on_workspace(found.step):
                return None
            state = found
            again = Again(state.step.id, keep_work=False, feedback=state.feedback)
        stage = await self._stepping.open(state, keep_work=again.keep_work)
        return again, state.step, stage

    def _first_again(self) -> Again:
        """Take the first in the plan of those to run again: others may be made on it."""
        order = {step.id: at for at, step in enumerate(self._footing.views.plan.plan.steps)}
        self._again.sort(key=lambda again: order.get(again.step_id, len(order)))
        return self._again.pop(0)

    # --- the lane of decisions -------------------------------------------------

    def carry_out(self, step_id: str, decision: Work, *, go_on: bool = True) -> asyncio.Task[None]:
        """Do what was decided on a step, beside one that runs; then go on with the plan."""
        task = asyncio.get_running_loop().create_task(decision)
        self._beside[task] = step_id
        task.add_done_callback(self._go_on if go_on else self._end)
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._beside[task]
        if not task.cancelled() and task.exception() is not None:
            self._defects.append(task)

    def _go_on(self, task: asyncio.Task[None]) -> None:
        self._end(task)
        if not self.working and (self._again or self._may_go_on):
            self._start(self._run_steps())

    async def land(self, step_id: str, *, only: str = "") -> None:
        """Land a step that the user approved, then what waited for that.

        Args:
            step_id: The step.
            only: Blob of the change set that must be selected, or nothing lands.
        """
        async with self._footing.tree:
            state = self._footing.known(step_id)
            if not state.reviewable or unlanded_below(self._footing.views.plan, state):
                return  # it lost its ground while it waited for its turn
            if await self._land(state, by="user", only=only):
                await self._land_ready()

    async def redo(self, stage_id: str, again: Again, why: str) -> None:
        """Run a step again; those that lie on it are set back."""
        async with self._footing.tree:
            await self._let_fall(stage_id, why)
            if not again.keep_work:
                await self._footing.discard(stage_id)
        self._again.append(again)

    async def drop(self, stage_id: str, why: str) -> None:
        """Delete what a step did; those that lie on it are set back."""
        async with self._footing.tree:
            await self._let_fall(stage_id, why)
            await self._footing.discard(stage_id)

    async def turn(
        self,
        entry: LandingEntry,
        way: Way,
        *,
        settled: ChangeSet | None = None,
        dry_run: bool = False,
    ) -> Landing:
        """Undo or redo a landing; with `settled` exactly that."""
        act = take_back if way == "undo" else bring_back
        async with self._footing.tree:
            return await act(self._footing, entry, settled=settled, dry_run=dry_run)

    async def _land(self, state: StepState, *, by: str, only: str = "") -> bool:
        step_id = self._landing = state.step.id
        try:
            landed = await self._landings.land(state, by=by, only=only)
        finally:
            self._landing = ""
        if self._footing.known(step_id).status == "rejected":  # all of it was left out
            self.going = False
            await self._let_fall(
                state.stage_id, f"step {step_id}, which it was made on, was left out"
            )
            await self._footing.discard(state.stage_id)
        return landed

    async def _land_ready(self) -> None:
        """Land what lands by itself, now that nothing below it waits."""
        by = "headless" if self._footing.approve != "ask" else "engine"
        for step in self._footing.views.plan.plan.steps:
            state = self._footing.known(step.id)
            if step.id not in self.deciding and self._landings.lands_by_itself(state):
                await self._land(state, by=by)

    async def _let_fall(self, stage_id: str, why: str) -> None:
        """Set back all steps that lie on a stage that goes; one that runs is interrupted."""
        plan = self._footing.views.plan
        if plan.running is not None and plan.running in lying_on(plan, stage_id):
            self._stepping.cut_off = why
            if self._work is not None and not self._work.done():
                self._work.cancel()
                await asyncio.wait({self._work})
        for state in lying_on(plan, stage_id):
            self._footing.log(ev.StepSetBack(state.step.id, why))
            await self._footing.discard(state.stage_id)
