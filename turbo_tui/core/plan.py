"""Plan and Step values, and the edits a person makes to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from turbo_tui.core.errors import PlanError

Mode = Literal["auto", "ask"]


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call fixed in advance: what a recipe does where a model would choose."""

    tool: str
    arguments: dict[str, object]


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a plan.

    Attributes:
        id: Unique in its plan; short, shown to the user.
        title: One line.
        intent: What the step is to achieve, in words for the executor.
        depends_on: Ids of steps that must be settled before this one starts.
        mode: `auto` lands without asking once checks pass; a proposal until the user sets it.
        checks: Commands (argv) that must exit 0 in the stage for the step to count as good.
        files: Paths the planner expects to change; a hint, not a limit.
        actions: Tool calls to carry out instead of asking an executor model.
        model: Executor model for this step only; empty means the configured one.
    """

    id: str
    title: str
    intent: str = ""
    depends_on: tuple[str, ...] = ()
    mode: Mode = "ask"
    checks: tuple[tuple[str, ...], ...] = ()
    files: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """An ordered list of steps for one task.

    Attributes:
        planner: Who made it: a model name, `built-in`, `user` or `file`.
    """

    task: str
    planner: str
    steps: tuple[Step, ...] = ()

    def step(self, step_id: str) -> Step:
        """Return one step.

        Raises:
            PlanError: No step has that id.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        known = ", ".join(step.id for step in self.steps) or "none"
        raise PlanError(f"Plan has no step {step_id!r}; its steps are: {known}.")

    def position(self, step_id: str) -> int:
        """Return the index of a step in plan order."""
        return self.steps.index(self.step(step_id))


def validate(plan: Plan) -> Plan:
    """Return the plan unchanged if it holds together.

    Raises:
        PlanError: Empty plan, blank title, double id, unknown or circular dependency.
    """
    if not plan.steps:
        raise PlanError("The plan has no steps.")
    seen: set[str] = set()
    for step in plan.steps:
        if not step.id.strip():
            raise PlanError(f"Step {step.title!r} has an empty id.")
        if step.id in seen:
            raise PlanError(f"Two steps have the id {step.id!r}; ids must differ.")
        if not step.title.strip():
            raise PlanError(f"Step {step.id!r} has no title.")
        seen.add(step.id)
    for step in plan.steps:
        for needed in step.depends_on:
            if needed not in seen:
                raise PlanError(
                    f"Step {step.id!r} depends on {needed!r}, which is not in the plan."
                )
    _refuse_cycles(plan)
    return plan


def _refuse_cycles(plan: Plan) -> None:
    waiting = {step.id: set(step.depends_on) for step in plan.steps}
    while waiting:
        free = {step_id for step_id, needs in waiting.items() if not needs}
        if not free:
            circle = ", ".join(sorted(waiting))
            raise PlanError(f"Steps depend on each other in a circle: {circle}.")
        waiting = {
            step_id: needs - free for step_id, needs in waiting.items() if step_id not in free
        }


def edit_step(
    plan: Plan,
    step_id: str,
    *,
    title: str,
    intent: str,
    checks: tuple[tuple[str, ...], ...] | None = None,
    actions: tuple[Action, ...] | None = None,
) -> Plan:
    """Return the plan with a step's words replaced, and its checks and actions where given."""
    if not title.strip():
        raise PlanError(f"Step {step_id!r} needs a title.")
    step = plan.step(step_id)
    changed = replace(
        step,
        title=title,
        intent=intent,
        checks=step.checks if checks is None else checks,
        actions=step.actions if actions is None else actions,
    )
    return _with_step(plan, changed)


def set_mode(plan: Plan, step_id: str, mode: Mode) -> Plan:
    """Return the plan with a step set to land by itself or to ask."""
    return _with_step(plan, replace(plan.step(step_id), mode=mode))


def remove_step(plan: Plan, step_id: str) -> Plan:
    """Return the plan without a step; what depended on it no longer does."""
    plan.step(step_id)
    kept = tuple(
        replace(step, depends_on=tuple(need for need in step.depends_on if need != step_id))
        for step in plan.steps
        if step.id != step_id
    )
    return replace(plan, steps=kept)


def move_step(plan: Plan, step_id: str, position: int) -> Plan:
    """Return the plan with a step at another place.

    Raises:
        PlanError: A step would stand before one it depends on.
    """
    moved = plan.step(step_id)
    rest = [step for step in plan.steps if step.id != step_id]
    rest.insert(max(0, min(position, len(rest))), moved)
    seen: set[str] = set()
    for step in rest:
        late = [need for need in step.depends_on if need not in seen]
        if late:
            raise PlanError(f"Step {step.id!r} depends on {late[0]!r} and cannot stand before it.")
        seen.add(step.id)
    return replace(plan, steps=tuple(rest))


def add_step(plan: Plan, step: Step, position: int | None = None) -> Plan:
    """Return the plan with one more step, at the end unless told."""
    place = len(plan.steps) if position is None else position
    steps = (*plan.steps[:place], step, *plan.steps[place:])
    return validate(replace(plan, steps=steps))


def _with_step(plan: Plan, changed: Step) -> Plan:
    steps = tuple(changed if step.id == changed.id else step for step in plan.steps)
    return replace(plan, steps=steps)
