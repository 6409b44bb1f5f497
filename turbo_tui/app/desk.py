"""What the user can do with an open session: each command, its questions and its refusals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from turbo_tui.app.cards import APPROVE, current_step, review_key, turn_key, unverified_words
from turbo_tui.app.dialogs import FieldScreen, QuestionScreen
from turbo_tui.app.feed import Feed
from turbo_tui.app.house import House, attempt
from turbo_tui.app.looking import Looking
from turbo_tui.app.opened import Opened, Option, Question, SavedSetup
from turbo_tui.app.plan_desk import PlanDesk
from turbo_tui.app.reviewing import Reviewing
from turbo_tui.app.taking_back import TakingBack
from turbo_tui.core.views import StepState, Turn, lying_on, unlanded_below
from turbo_widgets.approval_bar import Card
from turbo_widgets.plan_pane import PlanPane

if TYPE_CHECKING:
    from turbo_tui.app.session_screen import SessionScreen
    from turbo_tui.core import events as ev

BRANCH_S = 3.0  # between looks at which branch it is


class Desk:
    """Commands of the session screen.

    Args:
        house: The app.
        screen: Where things are shown.
        opened: The session.
    """

    def __init__(
        self,
        house: House,
        screen: SessionScreen,
        opened: Opened,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.opened = opened
        self.feed = Feed(opened, screen)
        self.looking = Looking(house, screen, opened)
        self.planning = PlanDesk(house, opened.run, show=self._show_step, clock=clock)
        self.reviewing = Reviewing(house, screen, opened.run, opened.aside)
        self._house = house
        self._clock = clock
        self._screen = screen
        self._run = opened.run
        self._setup = opened.setup
        self._was_busy = False
        if opened.find_branch is not None:
            house.in_background(self._follow_branch(opened.find_branch), group="branch")
        self._taking_back = TakingBack(house, opened.run, refused=self._show_turn, clock=clock)

    # --- the beat ----------------------------------------------------------------

    async def _follow_branch(self, find: Callable[[], str]) -> None:
        """Keep the branch in the status line right: it is switched elsewhere, too."""
        while True:
            await asyncio.sleep(BRANCH_S)
            self.feed.branch = await asyncio.to_thread(find)

    async def beat(self) -> None:
        """Show what changed; let a defect of the engine surface."""
        busy = self._run.busy
        if self._was_busy and not busy:
            await self._run.idle()
        self._was_busy = busy
        if self.feed.beat():
            self._screen.refresh_bindings()
        await self.feed.refresh_diff()

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return self._run.busy

    # --- tasks and the plan --------------------------------------------------------

    def give_task(self, text: str) -> bool:
        """Plan a task; return False, and say why, when that cannot be now."""
        waiting = next((s for s in self._run.views.plan.steps if s.reviewable), None)
        if waiting is not None and not self._run.busy:
            number = waiting.step.id
            self._house.tell(
                f"Step {number} still waits for your review: land it (a), reject it (r) or "
                "skip it (s) first.",
                bad=True,
            )
            return False
        if not attempt(self._house, lambda: self._run.give_task(text, self.looking.pinned)):
            return False
        self.looking.let_go()
        return True

    # --- the card ----------------------------------------------------------------

    def perform(self, card: Card, action: str) -> None:
        """Do what a key of the card means."""
        if action.startswith("answer_"):
            self._answer(card.key, action.removeprefix("answer_"))
            return
        step_id = card.subject
        turn = self._run.views.turns.waiting
        if turn is not None and turn.key == step_id:
            self._perform_turn(card, action, turn)
            return
        acts: dict[str, Callable[[], object]] = {
            "go": lambda: attempt(self._house, self._run.go),
            "review": lambda: self._show_review(step_id),
            "approve": lambda: self._approve(step_id, card.key),
            "approve_verified": lambda: self._approve(step_id, card.key, verify=True),
            "verify": lambda: self.reviewing.verify(step_id),
            "reject": lambda: self._reject(step_id),
            "skip": lambda: self._drop(step_id, lambda: self._run.skip(step_id)),
            "retry": lambda: self._drop(step_id, lambda: self._run.retry(step_id)),
            "proceed": lambda: attempt(
                self._house, lambda: self._run.retry(step_id, keep_work=True)
            ),
            "replan": self._replan,
            "edit_step": lambda: self.planning.edit(step_id or self._selected),
        }
        if action in acts:
            acts[action]()

    def _perform_turn(self, card: Card, action: str, turn: Turn) -> None:
        """Do what a key means of a card about an undo or redo that conflicts."""
        match action:
            case "approve" if turn_key(turn) == card.key:  # else it is no longer what was shown
                self._taking_back.settle()
            case "skip":
                attempt(self._house, self._run.drop_turn)
            case "review":
                self._show_turn()
            case _:
                pass

    def _show_turn(self) -> None:
        """Bring the undo or redo that waits to be settled before the user."""
        turn = self._run.views.turns.waiting
        if turn is not None:
            self._screen.query_one(PlanPane).select(turn.step_id)
            self.feed.select(turn.step_id)
            self._screen.open_pane("diff")

    def _show_step(self, step_id: str) -> None:
        """Put the plan's cursor on a step that it may not show yet."""
        self.feed.beat()
        self._screen.query_one(PlanPane).select(step_id)

    @property
    def _selected(self) -> str:
        selected = self._screen.query_one(PlanPane).selected
        return selected.step_id if selected is not None else ""

    def _approve(self, step_id: str, asked: str, *, verify: bool = False) -> None:
        state = self._run.views.plan.state(step_id)
        if state is None or review_key(state) != asked:  # no longer what was shown
            return
        if verify or state.status not in {"failed", "interrupted"}:
            attempt(self._house, lambda: self._run.approve(step_id, verify=verify))
            return
        word = "failed" if state.status == "failed" else "was cut off"
        question = Question(
            f"Land step {step_id} although it {word}?",
            (*state.reason.strip().split("\n")[:3], "", "Only what you accepted lands."),
            (Option("yes", "y", "land it all the same"), Option("no", "n", "back")),
            otherwise="no",
        )

        def decided(answer: str | None) -> None:
            now = self._run.views.plan.state(step_id)
            if answer == "yes" and now is not None and review_key(now) == asked:
                attempt(self._house, lambda: self._run.approve(step_id))

        self._house.put_up(QuestionScreen(question, clock=self._clock), decided)

    def tell_unverified(self, card: Card) -> None:
        """Say why checks cannot be run on what is accepted, where a card could land it."""
        state = self._run.views.plan.state(card.subject)
        if state is not None and APPROVE in card.choices:
            self._house.tell(unverified_words(state))

    def _show_review(self, step_id: str) -> None:
        """Go to the step that must be decided first."""
        plan = self._run.views.plan
        state = plan.state(step_id)
        below = unlanded_below(plan, state) if state is not None else []
        target = below[0].step.id if below else step_id
        self._screen.lead_to(target, "diff")
        self.feed.select(target)

    def _drop(self, step_id: str, act: Callable[[], object]) -> None:
        """Let a step's work go; say what goes with it."""
        above = self._falling(step_id)
        if attempt(self._house, act) and above:
            self._house.tell(f"Made on top of step {step_id}, and run again: {above}.")

    def _falling(self, step_id: str) -> str:
        """Name the steps that run again when this one goes."""
        plan = self._run.views.plan
        state = plan.state(step_id)
        above = lying_on(plan, state.stage_id)[::-1] if state is not None else []
        return ", ".join(each.step.id for each in above)

    def _replan(self) -> None:
        waiting = ", ".join(s.step.id for s in self._run.views.plan.steps if s.reviewable)
        if not waiting:
            attempt(self._house, self._run.replan)
            return
        question = Question(
            "Plan anew from here?",
            (
                f"Not decided yet: {waiting}.",
                "A new plan replaces what has not landed, and drops what those steps did.",
            ),
            (Option("yes", "y", "plan anew"), Option("no", "n", "keep this plan")),
            otherwise="no",
        )

        def decided(answer: str | None) -> None:
            if answer == "yes":
                attempt(self._house, self._run.replan)

        self._house.put_up(QuestionScreen(question, clock=self._clock), decided)

    def _answer(self, ask_id: str, answer: str) -> None:
        if answer == "no":
            field = FieldScreen(
                "No",
                "Say why, if you like: the step is told. Enter alone just says no.",
                enter="say no",
                placeholder="reason (may be empty)",
            )

            def refuse(reason: str | None) -> None:
                if reason is not None:
                    attempt(self._house, lambda: self._run.answer(ask_id, "no", reason))

            self._house.put_up(field, refuse)
            return
        scopes: dict[str, ev.Answer] = {
            "once": "once",
            "step": "step",
            "plan": "plan",
            "project": "project",
        }
        attempt(self._house, lambda: self._run.answer(ask_id, scopes[answer]))

    def _reject(self, step_id: str) -> None:
        above = self._falling(step_id)
        falls = f"\nMade on top of it, and run again afterwards: {above}." if above else ""
        said = self.reviewing.comments(step_id)
        then = "Enter alone drops everything it did."
        if said:
            them = "comment goes" if said == 1 else "comments go"
            then = f"Your {said} {them} with it, and it is tried again on enter alone as well."
        how = "Say what to do otherwise and it is tried again on top of its work."
        state = self._run.views.plan.state(step_id)
        fixed = state is not None and bool(state.step.actions)
        if fixed:
            how = "It does fixed actions, so no model reads what you say here; it goes on record."
            then = "Enter drops everything it did. Then e changes its actions, or its words."
        field = FieldScreen(
            f"Reject step {step_id}",
            f"{how}\n{then}{falls}",
            enter="try again" if said and not fixed else "reject",
            placeholder=f"{'why' if fixed else 'what should be different'} (may be empty)",
        )

        def reject(feedback: str | None) -> None:
            if feedback is not None:
                attempt(self._house, lambda: self._run.reject(step_id, feedback))

        self._house.put_up(field, reject)

    # --- undo and interrupt ----------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """A landing of this session still stands and nothing is under way."""
        return not self._run.busy and self._run.views.timeline.undoable is not None

    def undo(self) -> None:
        """Ask, then take back the last landing."""
        entry = self._run.views.timeline.undoable
        if entry is not None:
            self._taking_back.ask(entry, "undo")

    @property
    def has_landed(self) -> bool:
        """There is something on the timeline."""
        return bool(self._run.views.timeline.landings)

    def show_timeline(self) -> None:
        """Show what landed, and let each landing be taken back or landed again."""
        from turbo_tui.app.timeline_screen import TimelineScreen  # noqa: PLC0415  not at the start

        window = TimelineScreen(self._house, self._run, clock=self._clock)
        self._house.put_up(window, lambda met: self._show_turn() if met else None)

    async def interrupt(self) -> None:
        """Interrupt what is under way."""
        await self._run.cancel()

    # --- models --------------------------------------------------------------------

    def set_up_models(self) -> None:
        """Open the setup screen."""
        if self._setup is None:
            self._house.tell("Models cannot be changed in this session.", bad=True)
            return
        from turbo_tui.app.setup_screen import SetupScreen  # noqa: PLC0415  not needed at the start

        window = SetupScreen(self._setup)

        def saved(setup: SavedSetup | None) -> None:
            if setup is not None:
                self._setup = window.kept
                self.feed.name_models(setup.planner, setup.executor)
                self._house.tell(setup.text)

        self._house.put_up(window, saved)

    @property
    def where(self) -> StepState | None:
        """The step that matters now."""
        return current_step(self._run.views)
