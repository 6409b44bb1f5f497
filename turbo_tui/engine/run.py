"""Drive a session: plan a task, run its steps one at a time, land what is approved.

App and headless command send the same commands here and read the same views. Planning and
steps are done one after the other; beside them, what the user decides is carried out, one
decision at a time. A step may run on top of steps that wait for their review.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import SessionError, StageError, UsageError
from turbo_tui.core.landings import Lander
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Stages
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views, lying_on, unlanded_below
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.driving import Again, Drive, nowhere_else
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.landing import Landings
from turbo_tui.engine.plan_edits import PlanEdits
from turbo_tui.engine.planning import Planning, TaskPlanner
from turbo_tui.engine.review import Review
from turbo_tui.engine.reviewing import Reviewing
from turbo_tui.engine.settling import Settling
from turbo_tui.engine.stepping import Stepping, StepRunner
from turbo_tui.engine.turning import Turning
from turbo_tui.engine.verifying import OnRecord, Verifying


class Run:
    """One session being driven.

    Attributes:
        footing: Log, views, stages, lander, review and asks.
        landings: What was approved on its way to the workspace.
        settling: What the user says where a step's change meets their own.
    """

    def __init__(
        self,
        session: Session,
        views: Views,
        *,
        planner: TaskPlanner,
        runner: StepRunner,
        stages: Stages,
        lander: Lander,
        review: Review,
        asks: Asks,
        approve: Approve = "ask",
        ahead: int = 0,
        acts_on_workspace: Callable[[Step], bool] = nowhere_else,
        commands: OnRecord | None = None,
    ) -> None:
        """Take the parts.

        Args:
            session: The log; the views are subscribed to it.
            views: Folds of the log.
            planner: Turns tasks into plans.
            runner: Carries steps out.
            stages: Where steps run.
            lander: Writes what was approved.
            review: Change sets and what of them is selected.
            asks: Questions before irreversible effects.
            approve: Who answers.
            ahead: So many steps may wait for their review below one that runs.
            acts_on_workspace: Tells which steps act on the real workspace: none of them runs
                ahead, as it would not see what waits.
            commands: How checks of what was accepted are run; None: nothing can be verified.
        """
        self.footing = Footing(session, views, stages, lander, review, asks, approve)
        self.landings = Landings(self.footing)
        self.settling = Settling(self.footing)
        self._reviewing = Reviewing(self.footing)
        self._verifying = Verifying(self.footing, self.landings, commands)
        self._drive = Drive(
            self.footing,
            Stepping(self.footing, runner),
            self.landings,
            ahead=ahead,
            acts_on_workspace=acts_on_workspace,
        )
        self._closers: list[Callable[[], Awaitable[None]]] = []

        # Commands that are all in one place are given from there.
        edits = PlanEdits(self.footing, Planning(self.footing, planner), self._drive)
        self.give_task = edits.give_task
        self.adopt_plan = edits.adopt_plan
        self.replan = edits.replan
        self.edit_step = edits.edit_step
        self.add_step = edits.add_step
        self.remove_step = edits.remove_step
        self.move_step = edits.move_step
        self.set_mode = edits.set_mode
        self.take_back_edit = edits.take_back
        self.under_review = self._reviewing.shown
        self.decide_hunk = self._reviewing.decide_hunk
        self.decide_lines = self._reviewing.decide_lines
        self.edit_hunk = self._reviewing.edit_hunk
        self.edit_content = self._reviewing.edit_content
        self.comment = self._reviewing.comment
        self.decide_ignored = self._reviewing.decide_ignored
        self.verify = self._verifying.verify
        turning = Turning(self.footing, self._drive, self.landings, self.settling)
        self.undo = turning.undo
        self.redo = turning.redo
        self.settle_turn = turning.settle
        self.drop_turn = turning.drop

    # --- what the outside sees -------------------------------------------------

    @property
    def session(self) -> Session:
        """The log; all that happens goes through it."""
        return self.footing.session

    @property
    def views(self) -> Views:
        """Folds of the log, fed before any later subscriber is told."""
        return self.footing.views

    @property
    def review(self) -> Review:
        """Change sets and what of them is selected."""
        return self.footing.review

    @property
    def stages(self) -> Stages:
        """Where steps run."""
        return self.footing.stages

    @property
    def asks(self) -> Asks:
        """Questions before irreversible effects."""
        return self.footing.asks

    @property
    def unreachable(self) -> bool:
        """The last model failure ended a plan or a step."""
        return self.footing.unreachable

    @property
    def working(self) -> bool:
        """A plan is being made, or steps are being run."""
        return self._drive.working

    @property
    def busy(self) -> bool:
        """Planning, a step, or what the user decided is under way."""
        return self._drive.busy

    @property
    def planning(self) -> bool:
        """A plan is being made."""
        return self._drive.planning

    @property
    def deciding(self) -> frozenset[str]:
        """Steps on which a decision is being carried out."""
        return self._drive.deciding

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._drive.idle()

    async def cancel(self) -> None:
        """Interrupt the step or plan under way; a step becomes `interrupted`, its work is kept.

        What the user had decided before is carried out; what is being verified is interrupted.
        """
        async with self._verifying.interrupted():
            await self._drive.cancel()

    async def close(self) -> None:
        """Interrupt, flush and let go of the log; the session can be resumed."""
        await self.cancel()
        self.session.close()
        for closer in self._closers:
            await closer()
        self._closers.clear()

    def at_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Let `closer` run when the run is closed: connections, workers."""
        self._closers.append(closer)

    # --- running -----------------------------------------------------------------

    def go(self) -> None:
        """Run steps in order until one needs a person."""
        self._drive.refuse_when_busy()
        self._drive.go()

    def retry(self, step_id: str, *, keep_work: bool = False) -> None:
        """Run a step again; with `keep_work` on top of what it did before."""
        state = self.footing.in_plan(step_id)
        self._drive.refuse_when_planning()
        if state.status in {"landed", "running"}:
            raise UsageError(f"Step {step_id} is {state.status}; undo it before running it again.")
        self._drive.refuse_when_deciding(step_id)
        if self.working and self.views.plan.running not in lying_on(
            self.views.plan, state.stage_id
        ):
            self._drive.refuse_when_busy()
        self._drive.going = True
        keep_work = keep_work and (state.reviewable or state.status in {"failed", "interrupted"})
        feedback = state.feedback
        if state.reviewable and self._reviewing.has_comments(state):
            feedback = self._reviewing.feedback(state, feedback)
            # In the log, so that it is told however the next attempt comes about.
            self._log(ev.StepRejected(step_id, feedback), "user")
        again = Again(step_id, keep_work, feedback)
        why = f"step {step_id}, which it was made on, runs again"
        self._drive.carry_out(step_id, self._drive.redo(state.stage_id, again, why))

    def skip(self, step_id: str) -> None:
        """Pass over a step; its work, if any, is dropped."""
        state = self.footing.in_plan(step_id)
        self._drive.refuse_when_planning()
        if state.status == "landed":
            raise UsageError(f"Step {step_id} has landed; undo it instead.")
        if state.status == "running":
            self._drive.refuse_when_busy()
        self._drive.refuse_when_deciding(step_id)
        self._log(ev.StepSkipped(step_id), "user")
        why = f"step {step_id}, which it was made on, was skipped"
        self._drive.carry_out(step_id, self._drive.drop(state.stage_id, why))

    # --- the review --------------------------------------------------------------

    def change_set(self, step_id: str) -> ChangeSet:
        """Return what is under review for a step, or for the undo or redo that waits.

        It is empty when there is nothing.
        """
        state = self.views.turns.state(step_id) or self.footing.known(step_id)
        return self.review.change_set(state.shown) if state.shown else ChangeSet()

    def approve(self, step_id: str, *, verify: bool = False) -> None:
        """Land what is selected of a step, then go on with the plan.

        Args:
            step_id: A step under review.
            verify: First run its checks on exactly that; it lands only if they pass.

        Raises:
            UsageError: It cannot land now, or with `verify`, has no checks.
        """
        state = self.footing.reviewable(step_id)
        self._drive.refuse_when_planning()
        self._drive.refuse_when_deciding(step_id)
        self.settling.refuse_when_open(state)
        if state.status == "conflict" and not state.merged:
            raise UsageError(
                f"Step {step_id} conflicts with changes made meanwhile and cannot be merged. "
                "Retry it on the tree as it is, or reject it."
            )
        below = unlanded_below(self.views.plan, state)
        if below:
            first = below[0].step.id
            then = f"review step {first} first"
            if first in self.deciding:
                then = "that is being decided; approve again in a moment"
            raise UsageError(f"Step {step_id} was made on top of step {first}; {then}.")
        if verify:
            self._verifying.ready(step_id)
            self._drive.carry_out(step_id, self._land_verified(step_id))
            return
        self._drive.going = self._drive.going or self.footing.approve == "ask"
        self._drive.carry_out(step_id, self._drive.land(step_id))

    async def _land_verified(self, step_id: str) -> None:
        try:
            result = await self.verify(step_id)
        except (UsageError, StageError, SessionError) as error:
            self._log(ev.Noted("warning", str(error)), "engine")
            return
        if result.status == "passed":
            self._drive.going = self._drive.going or self.footing.approve == "ask"
            await self._drive.land(step_id, only=result.selected)

    def reject(self, step_id: str, feedback: str = "") -> None:
        """Reject all a step did; with feedback or comments it is run again on top of its work.

        Not one with fixed actions: nobody reads there what was said.
        """
        state = self.footing.reviewable(step_id)
        self._drive.refuse_when_planning()
        self._drive.refuse_when_deciding(step_id)
        said = self._reviewing.feedback(state, feedback)
        self._log(ev.StepRejected(step_id, said), "user")
        why = f"step {step_id}, which it was made on, was rejected"
        if said and not state.step.actions:
            again = Again(step_id, keep_work=True, feedback=said)
            self._drive.carry_out(step_id, self._drive.redo(state.stage_id, again, why))
        else:
            self._drive.going = False
            self._drive.carry_out(step_id, self._drive.drop(state.stage_id, why))

    def answer(self, ask_id: str, answer: ev.Answer, feedback: str = "") -> None:
        """Answer a question that waits."""
        self.asks.answer(ask_id, answer, feedback)

    async def tree_at(self, landing: str, *, before: bool = False) -> ChangeSet:
        """Return what leads from the workspace as it is to what it was right after a landing.

        Args:
            landing: One of the timeline's.
            before: What it was right before it instead.

        Raises:
            LandingError: No such landing, or a file cannot be read.
        """
        return ChangeSet(files=await self.footing.lander.tree_at(landing, before=before))

    # --- inside ------------------------------------------------------------------

    def _log(self, event: ev.Event, by: str) -> None:
        self.footing.log(event, by)
