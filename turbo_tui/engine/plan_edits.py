"""What the user does to the plan: gives the task, has it made anew, edits its steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from turbo_tui.core import events as ev
from turbo_tui.core.errors import PlanError, UsageError
from turbo_tui.core.plan import Action, Mode, Plan, Step, add_step, move_step, validate
from turbo_tui.engine.driving import Drive
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.planning import Planning

EDITABLE = frozenset({"proposed", "failed", "interrupted", "rejected", "skipped"})


class PlanEdits:
    """Take tasks, plans and edits of the plan; what goes with them is dropped beside the rest."""

    def __init__(self, footing: Footing, planning: Planning, drive: Drive) -> None:
        self._footing = footing
        self._planning = planning
        self._drive = drive

    def give_task(self, text: str, pinned: tuple[str, ...] = ()) -> None:
        """Take a task and plan it in the background; what waits of the plan before is dropped.

        Raises:
            UsageError: The task is empty, or something is under way.
        """
        if not text.strip():
            raise UsageError("The task is empty. Type what you want done.")
        self._drive.refuse_when_busy()
        self._new_task(text.strip(), pinned)
        self._drive.plan(self._planning.plan(text.strip(), pinned, done=()))

    def adopt_plan(self, plan: Plan) -> None:
        """Take a ready-made plan, from a file or the user.

        Raises:
            PlanError: It does not hold together.
        """
        self._drive.refuse_when_busy()
        fresh = self._planning.with_new_ids(validate(plan))
        self._new_task(plan.task)
        self._planning.propose(fresh, by="user")

    def replan(self) -> None:
        """Ask the planner again for what is left; settled steps stay, what waits is dropped."""
        self._drive.refuse_when_busy()
        plan = self._footing.views.plan
        done = tuple(state for state in plan.steps if state.settled)
        self._drive.plan(self._planning.plan(plan.task, (), done=done))

    def edit_step(
        self,
        step_id: str,
        title: str,
        intent: str,
        *,
        checks: tuple[tuple[str, ...], ...] | None = None,
        actions: tuple[Action, ...] | None = None,
    ) -> None:
        """Change a step's words; its checks and fixed actions, too, where they are given."""
        self._refuse_when_started(step_id)
        if not title.strip():
            raise PlanError("A step needs a title.")
        self._log(ev.StepEdited(step_id, title.strip(), intent.strip(), checks, actions))

    def add_step(self, step: Step, position: int) -> str:
        """Add a step of the user's at a position (0 is first); return the id that it gets."""
        view = self._footing.views.plan
        known = view.known_ids
        numbers = (str(number) for number in count(len(view.plan.steps) + 1))
        fresh = replace(step, id=next(each for each in numbers if each not in known))
        add_step(view.plan, fresh, position)
        self._log(ev.StepAdded(fresh, position))
        return fresh.id

    def take_back(self) -> None:
        """Take the last edit of the plan back.

        Raises:
            UsageError: There is none, or a step that it is about has run since.
        """
        before = self._footing.views.plan.before_edit
        if before is None:
            raise UsageError("Nothing of this plan was edited, so there is nothing to take back.")
        now = {state.step.id: state for state in self._footing.views.plan.steps}
        then = {step.id: step for step in before.steps}
        for step_id, state in now.items():
            step = then.get(step_id)
            same = step is not None and replace(step, mode=state.step.mode) == state.step
            if not same:
                self._refuse_when_started(step_id)
        self._log(ev.PlanEditTakenBack(before.steps))
        for step_id in now.keys() - then.keys():
            self._let_go(step_id, now[step_id].stage_id)

    def remove_step(self, step_id: str) -> None:
        """Delete a step from the plan, with what is left of its work."""
        self._refuse_when_started(step_id)
        stage_id = self._footing.known(step_id).stage_id
        self._log(ev.StepRemoved(step_id))
        self._let_go(step_id, stage_id)

    def _let_go(self, step_id: str, stage_id: str) -> None:
        if stage_id:
            gone = self._drive.drop(stage_id, f"step {step_id} was deleted")
            self._drive.carry_out(step_id, gone, go_on=False)

    def move_step(self, step_id: str, position: int) -> None:
        """Move a step to a position (0 is first)."""
        self._refuse_when_started(step_id)
        move_step(self._footing.views.plan.plan, step_id, position)
        self._log(ev.StepMoved(step_id, position))

    def set_mode(self, step_id: str, mode: Mode) -> None:
        """Let a step land by itself when its checks pass, or ask."""
        self._footing.in_plan(step_id)
        self._log(ev.StepModeSet(step_id, mode))

    def _new_task(self, text: str, pinned: tuple[str, ...] = ()) -> None:
        self._footing.asks.forget()
        left = self._planning.leave("there is another task now")
        self._log(ev.TaskGiven(text, pinned))
        if left:
            self._drive.carry_out("", self._planning.discard(left), go_on=False)

    def _log(self, event: ev.Event) -> None:
        self._footing.log(event, "user")

    def _refuse_when_started(self, step_id: str) -> None:
        state = self._footing.in_plan(step_id)
        if state.status not in EDITABLE:
            raise UsageError(
                f"Step {step_id} is {state.status}; a step is edited before it runs, or after it "
                "failed or was rejected."
            )
