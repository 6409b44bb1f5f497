"""Drive a session: plan a task, run its steps one at a time, land what is approved.

App and headless command send the same commands here and read the same views. Planning and
steps are done one after the other; beside them, what the user decides is carried out, one
decision at a time. A step may run on top of steps that wait for their review.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import PlanError, SessionError, StageError, UsageError
from turbo_tui.core.landings import Lander, Landing
from turbo_tui.core.plan import Mode, Plan, Step, move_step, validate
from turbo_tui.core.ports import Stages
from turbo_tui.core.session import Session
from turbo_tui.core.views import (
    LandingEntry,
    StepState,
    Verification,
    Views,
    lying_on,
    unlanded_below,
)
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.driving import Again, Drive, nowhere_else
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.landing import Landings
from turbo_tui.engine.planning import Planning, TaskPlanner
from turbo_tui.engine.review import Review
from turbo_tui.engine.reviewing import Reviewing
from turbo_tui.engine.stepping import Stepping, StepRunner
from turbo_tui.engine.uninterrupted import ended
from turbo_tui.engine.verifying import OnRecord, Verifying

EDITABLE = frozenset({"proposed", "failed", "interrupted", "rejected", "skipped"})


class Run:
    """One session being driven.

    Attributes:
        footing: Log, views, stages, lander, review and asks.
        landings: What was approved on its way to the workspace.
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
        self._reviewing = Reviewing(self.footing)
        self._verifying = Verifying(self.footing, self.landings, commands)
        self._planning = Planning(self.footing, planner)
        self._drive = Drive(
            self.footing,
            Stepping(self.footing, runner),
            self.landings,
            ahead=ahead,
            acts_on_workspace=acts_on_workspace,
        )
        self._closers: list[Callable[[], Awaitable[None]]] = []

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

    # --- the plan ----------------------------------------------------------------

    def give_task(self, text: str, pinned: tuple[str, ...] = ()) -> None:
        """Take a task and plan it in the background; what waits of the plan before is dropped.

        Raises:
            UsageError: The task is empty, or something is under way.
        """
        if not text.strip():
            raise UsageError("The task is empty. Type what you want done.")
        self._refuse_when_busy()
        self._new_task(text.strip(), pinned)
        self._drive.plan(self._planning.plan(text.strip(), pinned, done=()))

    def adopt_plan(self, plan: Plan) -> None:
        """Take a ready-made plan, from a file or the user.

        Raises:
            PlanError: It does not hold together.
        """
        self._refuse_when_busy()
        fresh = self._planning.with_new_ids(validate(plan))
        self._new_task(plan.task)
        self._planning.propose(fresh, by="user")

    def _new_task(self, text: str, pinned: tuple[str, ...] = ()) -> None:
        self.footing.asks.forget()
        left = self._planning.leave("there is another task now")
        self._log(ev.TaskGiven(text, pinned), "user")
        if left:
            self._drive.carry_out("", self._planning.discard(left), go_on=False)

    def replan(self) -> None:
        """Ask the planner again for what is left; settled steps stay, what waits is dropped."""
        self._refuse_when_busy()
        plan = self.views.plan
        done = tuple(state for state in plan.steps if state.settled)
        self._drive.plan(self._planning.plan(plan.task, (), done=done))

    def edit_step(self, step_id: str, title: str, intent: str) -> None:
        """Change a step's words."""
        self._refuse_when_started(step_id)
        if not title.strip():
            raise PlanError("A step needs a title.")
        self._log(ev.StepEdited(step_id, title.strip(), intent.strip()), "user")

    def remove_step(self, step_id: str) -> None:
        """Delete a step from the plan, with what is left of its work."""
        self._refuse_when_started(step_id)
        stage_id = self.footing.known(step_id).stage_id
        self._log(ev.StepRemoved(step_id), "user")
        if stage_id:
            gone = self._drive.drop(stage_id, f"step {step_id} was deleted")
            self._drive.carry_out(step_id, gone, go_on=False)

    def move_step(self, step_id: str, position: int) -> None:
        """Move a step to a position (0 is first)."""
        self._refuse_when_started(step_id)
        move_step(self.views.plan.plan, step_id, position)
        self._log(ev.StepMoved(step_id, position), "user")

    def set_mode(self, step_id: str, mode: Mode) -> None:
        """Let a step land by itself when its checks pass, or ask."""
        self.footing.in_plan(step_id)
        self._log(ev.StepModeSet(step_id, mode), "user")

    # --- running -----------------------------------------------------------------

    def go(self) -> None:
        """Run steps in order until one needs a person."""
        self._refuse_when_busy()
        self._drive.go()

    def retry(self, step_id: str, *, keep_work: bool = False) -> None:
        """Run a step again; with `keep_work` on top of what it did before."""
        state = self.footing.in_plan(step_id)
        self._refuse_when_planning()
        if state.status in {"landed", "running"}:
            raise UsageError(f"Step {step_id} is {state.status}; undo it before running it again.")
        self._refuse_when_deciding(step_id)
        if self.working and self.views.plan.running not in lying_on(
            self.views.plan, state.stage_id
        ):
            self._refuse_when_busy()
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
        self._refuse_when_planning()
        if state.status == "landed":
            raise UsageError(f"Step {step_id} has landed; undo it instead.")
        if state.status == "running":
            self._refuse_when_busy()
        self._refuse_when_deciding(step_id)
        self._log(ev.StepSkipped(step_id), "user")
        why = f"step {step_id}, which it was made on, was skipped"
        self._drive.carry_out(step_id, self._drive.drop(state.stage_id, why))

    # --- the review --------------------------------------------------------------

    def change_set(self, step_id: str) -> ChangeSet:
        """Return what is under review for a step; empty when there is nothing."""
        state = self.footing.known(step_id)
        return self.review.change_set(state.shown) if state.shown else ChangeSet()

    def under_review(self, step_id: str, changes: str = "") -> StepState:
        """Return the state of a step that waits for a decision, on `changes` if given.

        Raises:
            UsageError: Nothing of it is to be decided, or another change set is by now.
        """
        return self._reviewing.shown(step_id, changes)

    # Each takes the change set that it was decided on (`changes`, its blob; without one, what is
    # shown now), and raises UsageError when the step's is another by now.

    def decide_hunk(
        self, step_id: str, path: str, hunk: int, *, accepted: bool, changes: str = ""
    ) -> None:
        """Accept or reject one hunk, or with `hunk` -1 the whole file."""
        self._reviewing.decide_hunk(step_id, path, hunk, accepted=accepted, changes=changes)

    def decide_lines(
        self,
        step_id: str,
        path: str,
        hunk: int,
        lines: Collection[int],
        *,
        accepted: bool,
        changes: str = "",
    ) -> None:
        """Accept or reject added and removed lines of a hunk, named by their indices in it."""
        self._reviewing.decide_lines(step_id, path, hunk, lines, accepted=accepted, changes=changes)

    def edit_hunk(
        self, step_id: str, path: str, hunk: int, content: bytes | None, *, changes: str = ""
    ) -> None:
        """Let other bytes land in the place of a hunk's new side; None takes the edit back."""
        self._reviewing.edit_hunk(step_id, path, hunk, content, changes=changes)

    def edit_content(
        self, step_id: str, path: str, content: bytes | None, *, changes: str = ""
    ) -> None:
        """Let a file land with other content; None takes the edit back."""
        self._reviewing.edit_content(step_id, path, content, changes=changes)

    def comment(
        self, step_id: str, path: str, line: int, side: ev.Side, text: str, *, changes: str = ""
    ) -> None:
        """Write a word on a line (1-based, on that side); an empty one removes it.

        Comments are told to the step's next attempt, when it is rejected or run again.
        """
        self._reviewing.comment(step_id, path, line, side, text, changes=changes)

    def decide_ignored(
        self, step_id: str, folder: str, *, accepted: bool, changes: str = ""
    ) -> None:
        """Switch landing of an ignored folder's files on or off."""
        self._reviewing.decide_ignored(step_id, folder, accepted=accepted, changes=changes)

    async def verify(self, step_id: str) -> Verification:
        """Run a step's checks on exactly what is accepted of it, in a stage of their own.

        Cancelling it, or `cancel`, interrupts it. The result is in `views.review.verification`.

        Raises:
            UsageError: It has nothing to review or no checks, is being verified, or nothing of
                it is accepted.
        """
        return await self._verifying.verify(step_id)

    def approve(self, step_id: str, *, verify: bool = False) -> None:
        """Land what is selected of a step, then go on with the plan.

        Args:
            step_id: A step under review.
            verify: First run its checks on exactly that; it lands only if they pass.

        Raises:
            UsageError: It cannot land now, or with `verify`, has no checks.
        """
        state = self.footing.reviewable(step_id)
        self._refuse_when_planning()
        self._refuse_when_deciding(step_id)
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
        """Reject all a step did; with feedback or comments it is run again on top of its work."""
        state = self.footing.reviewable(step_id)
        self._refuse_when_planning()
        self._refuse_when_deciding(step_id)
        said = self._reviewing.feedback(state, feedback)
        self._log(ev.StepRejected(step_id, said), "user")
        why = f"step {step_id}, which it was made on, was rejected"
        if said:
            again = Again(step_id, keep_work=True, feedback=said)
            self._drive.carry_out(step_id, self._drive.redo(state.stage_id, again, why))
        else:
            self._drive.going = False
            self._drive.carry_out(step_id, self._drive.drop(state.stage_id, why))

    def answer(self, ask_id: str, answer: ev.Answer, feedback: str = "") -> None:
        """Answer a question that waits."""
        self.asks.answer(ask_id, answer, feedback)

    async def undo(self, step_id: str = "", *, landing: str = "", dry_run: bool = False) -> Landing:
        """Take back a landed step, by default the last; on a conflict nothing is written.

        Args:
            step_id: Its last landing that stands.
            landing: Exactly this one: a step that was run again has several.
            dry_run: Say what would be written, and write nothing.

        Raises:
            UsageError: Nothing is landed, or something is under way.
            LandingError: The disk or a permission refused.
        """
        self._refuse_when_busy()
        entry = self.views.timeline.standing(step_id, landing)
        if entry is None:
            what = f"Step {step_id} has not landed" if step_id else "No step has landed"
            raise UsageError(f"{what} in this session; there is nothing to undo.")
        return await self._turned(entry, self._drive.take_back(entry, dry_run=dry_run))

    async def redo(self, step_id: str = "", *, landing: str = "", dry_run: bool = False) -> Landing:
        """Land an undone step again, by default the one undone last; as `undo` in all else.

        Raises:
            UsageError: Nothing is undone, or something is under way.
            LandingError: The disk or a permission refused.
        """
        self._refuse_when_busy()
        entry = self.views.timeline.taken_back(step_id, landing)
        if entry is None:
            what = f"Step {step_id} is not undone" if step_id else "No step is undone"
            raise UsageError(f"{what} in this session; there is nothing to redo.")
        return await self._turned(entry, self._drive.bring_back(entry, dry_run=dry_run))

    async def _turned(
        self, entry: LandingEntry, work: Coroutine[object, object, Landing]
    ) -> Landing:
        """Take a landing back or forth as work of its step, which goes on if nobody waits."""
        turning = asyncio.ensure_future(work)
        self._drive.carry_out(entry.step_id, _until(turning), go_on=False)
        return await asyncio.shield(turning)

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

    def _refuse_when_busy(self) -> None:
        if self.busy:
            running = self.views.plan.running
            what = f"Step {running.step.id} is running" if running else "Something is under way"
            raise UsageError(f"{what}; wait for it, or interrupt it with Ctrl+C.")

    def _refuse_when_planning(self) -> None:
        if self._drive.planning:
            raise UsageError("The plan is being made; wait for it, or interrupt it with Ctrl+C.")

    def _refuse_when_deciding(self, step_id: str) -> None:
        if step_id in self.deciding:
            raise UsageError(f"What you decided on step {step_id} is under way; wait for it.")

    def _refuse_when_started(self, step_id: str) -> None:
        state = self.footing.in_plan(step_id)
        if state.status not in EDITABLE:
            raise UsageError(
                f"Step {step_id} is {state.status}; a step is edited before it runs, or after it "
                "failed or was rejected."
            )


async def _until(task: asyncio.Future[Landing]) -> None:
    await ended(task)
