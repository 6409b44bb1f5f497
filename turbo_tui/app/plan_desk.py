"""What the user can do to the plan: write its steps, add, move and delete them, take that back."""

from __future__ import annotations

from collections.abc import Callable

from turbo_tui.app.dialogs import QuestionScreen
from turbo_tui.app.house import House, attempt
from turbo_tui.app.opened import Option, Question
from turbo_tui.app.step_editor import StepEditor
from turbo_tui.app.step_text import StepText, step_of, text_of
from turbo_tui.core.plan import Mode, Step
from turbo_tui.core.views import StepState
from turbo_tui.engine.run import Run
from turbo_widgets.text import plural

BACK = "z in the plan takes that back."


class PlanDesk:
    """Commands of the plan.

    Args:
        house: The app.
        run: What is done.
        show: Puts the cursor on a step.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        house: House,
        run: Run,
        *,
        show: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._house = house
        self._show = show
        self._run = run
        self._clock = clock

    def edit(self, step_id: str) -> None:
        """Let the user write a step anew."""
        state = self._run.views.plan.state(step_id)
        if state is None:
            return
        step = state.step

        def keep(text: StepText) -> None:
            new = step_of(text, step)
            if new == step:
                return
            self._run.edit_step(
                step_id, new.title, new.intent, checks=new.checks, actions=new.actions
            )
            if new.actions and new.actions == step.actions and new.checks == step.checks:
                self._house.tell("Only its words are others: it does what its fixed actions say.")

        self._house.put_up(StepEditor(f"Step {step_id}", text_of(step), keep), _nothing)

    def add(self, position: int) -> None:
        """Let the user write a step of their own."""

        def keep(text: StepText) -> None:
            self._show(self._run.add_step(step_of(text, Step("", "")), position))

        self._house.put_up(StepEditor("A new step", StepText(), keep), _nothing)

    def remove(self, step_id: str) -> None:
        """Delete a step; where work of it goes for good, ask first."""
        state = self._run.views.plan.state(step_id)
        if state is None:
            return
        if not state.changes:
            self._remove(state)
            return
        question = Question(
            f"Delete step {step_id}?",
            (f"What it did to {plural(len(state.paths), 'file')} is kept, and would go with it.",),
            (Option("yes", "y", "delete both"), Option("no", "n", "keep it")),
            otherwise="no",
        )

        def decided(answer: str | None) -> None:
            if answer == "yes":
                self._remove(state)

        self._house.put_up(QuestionScreen(question, clock=self._clock), decided)

    def _remove(self, state: StepState) -> None:
        if attempt(self._house, lambda: self._run.remove_step(state.step.id)):
            self._house.tell(f"Deleted: {state.step.title}. {BACK}")

    def move(self, step_id: str, position: int) -> None:
        """Put a step elsewhere."""
        attempt(self._house, lambda: self._run.move_step(step_id, position))

    def set_mode(self, step_id: str, mode: Mode) -> None:
        """Let a step land by itself, or ask."""
        attempt(self._house, lambda: self._run.set_mode(step_id, mode))

    def take_back(self) -> None:
        """Have the plan as it was before its last edit."""
        attempt(self._house, self._run.take_back_edit)


def _nothing(_: object) -> None:
    """The window has done all itself."""
