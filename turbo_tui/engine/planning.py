"""Turn a task into a proposed plan."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from turbo_tui.core import events as ev
from turbo_tui.core.errors import ModelError, TaskError, TurboError
from turbo_tui.core.plan import Plan, Step, validate
from turbo_tui.core.views import StepState
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.uninterrupted import whole


class TaskPlanner(Protocol):
    """Turns a task into a plan."""

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        """Answer with a plan; `done` are settled steps of the same task (re-planning).

        Raises:
            TaskError: The built-in planner cannot match the task.
            ModelError: The planner model did not serve.
            PlanError: Its answer is no usable plan.
        """
        ...


class Planning:
    """Ask the planner, and propose what it answers."""

    def __init__(self, footing: Footing, planner: TaskPlanner) -> None:
        self._footing = footing
        self._planner = planner

    async def plan(self, task: str, pinned: tuple[str, ...], done: tuple[StepState, ...]) -> None:
        """Plan a task, behind its steps that are settled already; log the plan or why not."""
        footing = self._footing
        footing.unreachable = False
        try:
            plan = await self._planner.plan(task, pinned=pinned, done=done)
            kept = tuple(state.step for state in done)
            fresh = self.with_new_ids(plan)
            wanted = validate(replace(fresh, steps=(*kept, *fresh.steps)))
            left = self.leave("the plan was made anew")
            self.propose(wanted, by="planner")
            await whole(self.discard(left))
        except asyncio.CancelledError:
            footing.log(ev.PlanFailed(task, "Planning was interrupted."))
        except TaskError as error:
            footing.log(ev.PlanFailed(task, str(error), error.nearest))
        except TurboError as error:
            footing.unreachable = isinstance(error, ModelError)
            footing.log(ev.PlanFailed(task, str(error)))

    def propose(self, plan: Plan, *, by: str) -> None:
        """Put a plan before the user."""
        # `auto` from a model, a recipe or a file is a proposal: only the user sets it.
        asking = tuple(replace(step, mode="ask") for step in plan.steps)
        branch = self._footing.branch()
        self._footing.log(ev.PlanProposed(plan.task, plan.planner, asking, branch), by)

    def leave(self, why: str) -> tuple[str, ...]:
        """Set back what is not settled, because its plan goes; return the stages that go with it.

        What such steps did stays in the log, and is never landed.
        """
        left: list[str] = []
        for state in reversed(self._footing.views.plan.steps):
            if state.settled or not state.stage_id:
                continue
            left.append(state.stage_id)
            if state.status != "rejected":
                self._footing.log(ev.StepSetBack(state.step.id, why))
        return tuple(left)

    async def discard(self, stages: tuple[str, ...]) -> None:
        """Delete stages of steps that have left the plan."""
        for stage_id in stages:
            await self._footing.discard(stage_id)

    def with_new_ids(self, plan: Plan) -> Plan:
        """Rename steps whose id an earlier plan of this session used: undo names a step."""
        taken = set(self._footing.views.plan.known_ids)
        renamed: dict[str, str] = {}
        for step in plan.steps:
            name, count = step.id, 2
            while name in taken:
                name, count = f"{step.id}.{count}", count + 1
            taken.add(name)
            renamed[step.id] = name
        return replace(plan, steps=tuple(_renamed(step, renamed) for step in plan.steps))


def _renamed(step: Step, names: dict[str, str]) -> Step:
    needs = tuple(names[need] for need in step.depends_on if need in names)
    return replace(step, id=names[step.id], depends_on=needs)
