"""Drive a session: plan a task, run its steps one at a time, land what is approved.

App and headless command send the same commands here and read the same views. One piece of
work (planning, a step, a landing) is under way at a time; everything else is an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import (
    LandingError,
    ModelError,
    PlanError,
    StageError,
    TaskError,
    TurboError,
    UsageError,
)
from turbo_tui.core.plan import Mode, Plan, Step, move_step, validate
from turbo_tui.core.ports import Lander, Landing, Record, Stage, Stages
from turbo_tui.core.session import Session
from turbo_tui.core.views import LandingEntry, StepState, Views
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.review import Review

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step's work ended; `summary` is what it did, or why it failed."""

    ok: bool
    summary: str = ""


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


class StepRunner(Protocol):
    """Carries one step out in its stage."""

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        """Do the step; errors that end it are raised as TurboError."""
        ...


EDITABLE = frozenset({"proposed", "failed", "interrupted", "rejected", "skipped"})


class Run:
    """One session being driven.

    Attributes:
        session: The log; all that happens goes through it.
        views: Folds of the log, fed before any later subscriber is told.
        review: Change sets and what of them is selected.
        unreachable: The last model failure ended a plan or a step.
        landing_error: Why the disk or a permission refused the last landing; empty when not.
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
    ) -> None:
        self.session = session
        self.views = views
        self.review = review
        self.stages = stages
        self.lander = lander
        self.asks = asks
        self.unreachable = False
        self.landing_error = ""
        self._planner = planner
        self._runner = runner
        self._approve = approve
        self._work: asyncio.Task[object] | None = None
        self._going = False
        self._closers: list[Callable[[], Awaitable[None]]] = []

    # --- what the outside sees -------------------------------------------------

    @property
    def busy(self) -> bool:
        """Planning, a step or a landing is under way."""
        return self._work is not None and not self._work.done()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._work is not None and not self._work.done():
            await asyncio.wait({self._work})
        if self._work is not None and not self._work.cancelled():
            self._work.result()  # a defect surfaces here, not in a forgotten task

    async def cancel(self) -> None:
        """Interrupt what is under way; a step becomes `interrupted` and keeps its work."""
        self._going = False
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await asyncio.wait({self._work})

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
        """Take a task and plan it in the background.

        Raises:
            UsageError: The task is empty, or something is under way.
        """
        if not text.strip():
            raise UsageError("The task is empty. Type what you want done.")
        self._refuse_when_busy()
        self.asks.forget()
        self._log(ev.TaskGiven(text.strip(), pinned), "user")
        self._start(self._plan(text.strip(), pinned, done=()))

    def adopt_plan(self, plan: Plan) -> None:
        """Take a ready-made plan, from a file or the user.

        Raises:
            PlanError: It does not hold together.
        """
        self._refuse_when_busy()
        validate(plan)
        self.asks.forget()
        self._log(ev.TaskGiven(plan.task), "user")
        self._propose(plan, by="user")

    def replan(self) -> None:
        """Ask the planner again for what is left; settled steps stay."""
        self._refuse_when_busy()
        plan = self.views.plan
        done = tuple(state for state in plan.steps if state.settled)
        self._start(self._plan(plan.task, (), done=done))

    def edit_step(self, step_id: str, title: str, intent: str) -> None:
        """Change a step's words."""
        self._refuse_when_started(step_id)
        if not title.strip():
            raise PlanError("A step needs a title.")
        self._log(ev.StepEdited(step_id, title.strip(), intent.strip()), "user")

    def remove_step(self, step_id: str) -> None:
        """Delete a step from the plan."""
        self._refuse_when_started(step_id)
        self._log(ev.StepRemoved(step_id), "user")

    def move_step(self, step_id: str, position: int) -> None:
        """Move a step to a position (0 is first)."""
        self._refuse_when_started(step_id)
        move_step(self.views.plan.plan, step_id, position)
        self._log(ev.StepMoved(step_id, position), "user")

    def set_mode(self, step_id: str, mode: Mode) -> None:
        """Let a step land by itself when its checks pass, or ask."""
        self._in_plan(step_id)
        self._log(ev.StepModeSet(step_id, mode), "user")

    # --- running -----------------------------------------------------------------

    def go(self) -> None:
        """Run steps in order until one needs a person."""
        self._refuse_when_busy()
        self._going = True
        self._start(self._run_steps())

    def retry(self, step_id: str, *, keep_work: bool = False) -> None:
        """Run a step again; with `keep_work` on top of what it did before."""
        self._refuse_when_busy()
        state = self._in_plan(step_id)
        if state.status in {"landed", "running"}:
            raise UsageError(f"Step {step_id} is {state.status}; undo it before running it again.")
        self._going = True
        self._start(self._run_again(state, keep_work=keep_work, feedback=state.feedback))

    def skip(self, step_id: str) -> None:
        """Pass over a step; its work, if any, is dropped."""
        self._refuse_when_busy()
        state = self._in_plan(step_id)
        if state.status == "landed":
            raise UsageError(f"Step {step_id} has landed; undo it instead.")
        self._log(ev.StepSkipped(step_id), "user")
        self._start(self._drop_stage(state, go_on=self._going))

    # --- the review --------------------------------------------------------------

    def change_set(self, step_id: str) -> ChangeSet:
        """Return what is under review for a step; empty when there is nothing."""
        state = self._known(step_id)
        return self.review.change_set(state.shown) if state.shown else ChangeSet()

    def decide_hunk(self, step_id: str, path: str, hunk: int, *, accepted: bool) -> None:
        """Accept or reject one hunk, or with `hunk` -1 the whole file."""
        state = self._reviewable(step_id)
        hunks = self._hunks(state, path)
        if hunk >= hunks:
            raise UsageError(f"{path} has no hunk {hunk + 1}; look at it again.")
        decided = self.views.review.decisions(step_id, state.shown).rejected.get(path, frozenset())
        if hunk >= 0 and accepted and -1 in decided:
            others = set(range(hunks)) - {hunk}
            self._log(ev.HunkDecided(step_id, state.shown, path, hunk, accepted=True), "user")
            for other in sorted(others):
                self._log(ev.HunkDecided(step_id, state.shown, path, other, accepted=False), "user")
            return
        self._log(ev.HunkDecided(step_id, state.shown, path, hunk, accepted), "user")

    def decide_ignored(self, step_id: str, folder: str, *, accepted: bool) -> None:
        """Switch landing of an ignored folder's files on or off."""
        state = self._reviewable(step_id)
        self._log(ev.IgnoredDecided(step_id, state.shown, folder, accepted), "user")

    def approve(self, step_id: str) -> None:
        """Land what is selected of a step, then go on with the plan."""
        self._refuse_when_busy()
        state = self._reviewable(step_id)
        if state.status == "conflict" and not state.merged:
            raise UsageError(
                f"Step {step_id} conflicts with changes made meanwhile and cannot be merged. "
                "Retry it on the tree as it is, or reject it."
            )
        self._going = self._going or self._approve == "ask"
        self._start(self._land_and_go_on(state, by="user"))

    def reject(self, step_id: str, feedback: str = "") -> None:
        """Reject all a step did; with feedback it is run again on top of its work."""
        self._refuse_when_busy()
        state = self._reviewable(step_id)
        self._log(ev.StepRejected(step_id, feedback.strip()), "user")
        if feedback.strip():
            self._start(self._run_again(state, keep_work=True, feedback=feedback.strip()))
        else:
            self._going = False
            self._start(self._drop_stage(state, go_on=False))

    def answer(self, ask_id: str, answer: ev.Answer, feedback: str = "") -> None:
        """Answer a question that waits."""
        self.asks.answer(ask_id, answer, feedback)

    async def undo(self, step_id: str = "", *, dry_run: bool = False) -> Landing:
        """Take back a landed step, by default the last; on a conflict nothing is written.

        Raises:
            UsageError: Nothing is landed, or something is under way.
            LandingError: The disk or a permission refused.
        """
        self._refuse_when_busy()
        entry = next(
            (
                landing
                for landing in reversed(self.views.timeline.landings)
                if not landing.undone and step_id in {"", landing.step_id}
            ),
            None,
        )
        if entry is None:
            what = f"Step {step_id} has not landed" if step_id else "No step has landed"
            raise UsageError(f"{what} in this session; there is nothing to undo.")
        undoing = asyncio.ensure_future(self._undo(entry, dry_run=dry_run))
        self._work = asyncio.ensure_future(_ended(undoing))
        return await asyncio.shield(undoing)

    # --- inside ------------------------------------------------------------------

    async def _undo(self, entry: LandingEntry, *, dry_run: bool) -> Landing:
        undone = await self.lander.undo(entry.landing, dry_run=dry_run)
        if not dry_run and not undone.conflicts:
            event = ev.LandingUndone(entry.step_id, entry.landing, undone.paths, undone.notes)
            self._log(event, "user")
        return undone

    def _log(self, event: ev.Event, by: str = "engine") -> Record:
        return self.session.append(event, by)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        self._work = asyncio.get_running_loop().create_task(work)

    def _refuse_when_busy(self) -> None:
        if self.busy:
            running = self.views.plan.running
            what = f"Step {running.step.id} is running" if running else "Something is under way"
            raise UsageError(f"{what}; wait for it, or interrupt it with Ctrl+C.")

    def _known(self, step_id: str) -> StepState:
        state = self.views.plan.state(step_id)
        if state is None:
            raise UsageError(f"There is no step {step_id!r}.")
        return state

    def _in_plan(self, step_id: str) -> StepState:
        state = self._known(step_id)
        if state not in self.views.plan.steps:
            raise UsageError(f"Step {step_id} is no longer in the plan.")
        return state

    def _hunks(self, state: StepState, path: str) -> int:
        """Count the hunks of a file under review; 0 where it lands whole or not at all."""
        changes = self.review.change_set(state.shown)
        ignored = (change for folder in changes.ignored for change in folder.changes)
        change = next((each for each in (*changes.files, *ignored) if each.path == path), None)
        if change is None:
            raise UsageError(f"{path} is not among the changes of step {state.step.id}.")
        shown = self.review.diff(change)
        return len(shown.hunks) if shown else 0

    def _refuse_when_started(self, step_id: str) -> None:
        state = self._in_plan(step_id)
        if state.status not in EDITABLE:
            raise UsageError(
                f"Step {step_id} is {state.status}; a step is edited before it runs, or after it "
                "failed or was rejected."
            )

    def _reviewable(self, step_id: str) -> StepState:
        state = self._known(step_id)
        if not state.reviewable:
            raise UsageError(f"Step {step_id} is {state.status} and has nothing to review.")
        return state

    async def _plan(self, task: str, pinned: tuple[str, ...], done: tuple[StepState, ...]) -> None:
        self.unreachable = False
        try:
            plan = await self._planner.plan(task, pinned=pinned, done=done)
            kept = tuple(state.step for state in done)
            fresh = self._with_new_ids(plan)
            self._propose(validate(replace(fresh, steps=(*kept, *fresh.steps))), by="planner")
        except asyncio.CancelledError:
            self._log(ev.PlanFailed(task, "Planning was interrupted."))
        except TaskError as error:
            self._log(ev.PlanFailed(task, str(error), error.nearest))
        except TurboError as error:
            self.unreachable = isinstance(error, ModelError)
            self._log(ev.PlanFailed(task, str(error)))

    def _propose(self, plan: Plan, *, by: str) -> None:
        # `auto` from a model, a recipe or a file is a proposal: only the user sets it.
        asking = tuple(replace(step, mode="ask") for step in plan.steps)
        self._log(ev.PlanProposed(plan.task, plan.planner, asking), by)

    def _with_new_ids(self, plan: Plan) -> Plan:
        """Rename steps whose id an earlier plan of this session used: undo names a step."""
        taken = set(self.views.plan.known_ids)
        renamed: dict[str, str] = {}
        for step in plan.steps:
            name, count = step.id, 2
            while name in taken:
                name, count = f"{step.id}.{count}", count + 1
            taken.add(name)
            renamed[step.id] = name
        return replace(plan, steps=tuple(_renamed(step, renamed) for step in plan.steps))

    async def _run_steps(self) -> None:
        while self._going:
            state = self.views.plan.next_step()
            if state is None or any(step.reviewable for step in self.views.plan.steps):
                self._going = False
                return
            if not await self._run_step(state):
                return

    async def _run_again(self, state: StepState, *, keep_work: bool, feedback: str) -> None:
        if not keep_work:
            await self._discard(state.stage_id)
        if await self._run_step(state, keep_work=keep_work, feedback=feedback):
            await self._run_steps()

    async def _drop_stage(self, state: StepState, *, go_on: bool) -> None:
        await self._discard(state.stage_id)
        if go_on:
            await self._run_steps()

    async def _discard(self, stage_id: str) -> None:
        try:
            if stage_id:
                await self.stages.discard(stage_id)
        except StageError as error:
            self._log(ev.Noted("warning", str(error)))  # only room on the disk is lost

    async def _run_step(
        self, state: StepState, *, keep_work: bool = False, feedback: str = ""
    ) -> bool:
        """Run one step to its end; return whether the plan may go on by itself."""
        step, attempt = state.step, state.attempt + 1
        keep_work = keep_work and bool(state.stage_id)
        stage_id = state.stage_id if keep_work else f"{self.session.session_id}-{step.id}-{attempt}"
        self.unreachable = False
        try:
            if not keep_work:
                # Made just before a crash: its start was never logged, so nothing ran in it.
                await self.stages.discard(stage_id)
            stage = await (self.stages.reopen if keep_work else self.stages.open)(stage_id)
        except StageError as error:
            self._log(ev.StepStarted(step.id, attempt, stage_id, self.stages.report.rung))
            self._log(ev.StepFailed(step.id, str(error)))
            return False
        self._log(ev.StepStarted(step.id, attempt, stage_id, stage.report.rung))
        try:
            result = await self._runner.run(step, stage, feedback=feedback, history=self.views)
        except asyncio.CancelledError:
            await _whole(self._settle(stage, step, interrupted="interrupted by you"))
            return False
        except TurboError as error:
            self.unreachable = isinstance(error, ModelError)
            result = StepResult(ok=False, summary=str(error))
        changed, interrupted = await _whole(self._settle(stage, step, result=result))
        if interrupted or not result.ok:
            return False
        if not changed:
            return True
        staged = self._known(step.id)
        if self._lands_by_itself(staged):
            return await self._land(staged, by="headless" if self._approve != "ask" else "engine")
        return False

    async def _settle(
        self, stage: Stage, step: Step, *, result: StepResult | None = None, interrupted: str = ""
    ) -> bool:
        """Read what the step did, log how it ended, close its stage; tell if it changed files."""
        try:
            changes = await stage.changes()
        except StageError as error:
            await stage.close(keep=True)
            self._log(ev.StepFailed(step.id, str(error)))
            return False
        # Files that git ignores are no work of their own: caches, mostly. They are named.
        empty = not changes.files
        blob = "" if empty else self.review.keep(changes)
        paths = tuple(change.path for change in changes.files)
        good = result is not None and result.ok
        await stage.close(keep=not (good and empty))
        if result is None:
            self._log(ev.StepInterrupted(step.id, interrupted, blob, paths))
        elif not result.ok:
            self._log(ev.StepFailed(step.id, result.summary, blob, paths))
        elif empty:
            self._log(ev.StepFinished(step.id, result.summary + _left_out(changes)))
        else:
            self._log(
                ev.StepStaged(step.id, blob, paths, checks_passed=True, summary=result.summary)
            )
        return not empty

    def bases_known(self, state: StepState) -> bool:
        """Tell whether all that a staged step replaces was seen: else only a person lands it."""
        return all(change.base_known for change in self.review.change_set(state.changes).files)

    def _lands_by_itself(self, state: StepState) -> bool:
        if state.status != "staged" or not state.checks_passed:
            return False
        if not self.bases_known(state):
            # Someone changed the original meanwhile: only a person sees what would be lost.
            return False
        if self._approve != "ask":
            return self._approve in {"staged", "all"}
        # `auto` is: land if the checks pass and nothing had to be asked.
        if state.step.mode != "auto" or state.step.id in self.views.asks.asked_by:
            return False
        if not state.rung.endswith("+bubblewrap"):
            # What a step did beside its stage cannot be ruled out there: a person looks at it.
            self._log(ev.Noted("warning", _not_by_itself(state)))
            return False
        return True

    async def _land_and_go_on(self, state: StepState, *, by: str) -> None:
        if await self._land(state, by=by):
            await self._run_steps()

    async def _land(self, state: StepState, *, by: str) -> bool:
        """Land what is selected; return whether it stands in the workspace."""
        step_id = state.step.id
        changes = self.review.change_set(state.shown)
        while True:
            decisions = self.views.review.decisions(step_id, state.shown)
            selected = await asyncio.to_thread(self.review.selected, changes, decisions)
            if decisions == self.views.review.decisions(step_id, state.shown):
                break  # else a hunk was switched meanwhile: what was approved is what is shown
        if not (selected.files or selected.ignored):
            self._log(ev.StepRejected(step_id, ""), by)
            await self._discard(state.stage_id)
            return False
        blob = self.review.keep(selected)
        self._log(ev.StepApproved(step_id, state.shown, blob), by)
        return await self.land_approved(step_id, selected, stage_id=state.stage_id)

    async def land_approved(self, step_id: str, selected: ChangeSet, *, stage_id: str) -> bool:
        """Write an approved change set; log that it landed, or why it was refused."""
        self.landing_error = ""
        writing = self.lander.land(selected, session_id=self.session.session_id, step_id=step_id)
        try:
            landing, _interrupted = await _whole(writing)
        except LandingError as error:
            # Nothing is to be merged: the same bytes may be approved again, once it is mended.
            self.landing_error = str(error)
            same = self.review.keep(selected)
            self._log(ev.LandingRefused(step_id, {"workspace": str(error)}, same))
            return False
        if landing.conflicts:
            why: Mapping[str, str] = {c.path: c.why for c in landing.conflicts}
            merged = "" if landing.merged is None else self.review.keep(landing.merged)
            self._log(ev.LandingRefused(step_id, dict(why), merged))
            return False
        notes = (*landing.notes, *(f"left alone: {path}" for path in landing.left_alone))
        self._log(ev.StepLanded(step_id, landing.landing_id, landing.paths, notes))
        await self._discard(stage_id)
        return True


def _not_by_itself(state: StepState) -> str:
    return (
        f"{state.step.title}: set to auto, and asks all the same, because {state.rung} does not "
        "hold everything; `turbo-tui doctor` says what is missing"
    )


def _left_out(changes: ChangeSet) -> str:
    folders = [f"{each.folder}/ ({len(each.changes):,} files)" for each in changes.ignored]
    return f"\nLeft out, as git ignores it: {', '.join(folders)}" if folders else ""


def _renamed(step: Step, names: dict[str, str]) -> Step:
    needs = tuple(names[need] for need in step.depends_on if need in names)
    return replace(step, id=names[step.id], depends_on=needs)


async def _whole(work: Coroutine[object, object, T]) -> tuple[T, bool]:
    """Do short work to its end, however often it is interrupted; tell whether it was.

    What is written to the tree must be told to the log: Ctrl+C never comes between.
    """
    task = asyncio.ensure_future(work)
    interrupted = await _ended(task)
    return task.result(), interrupted


async def _ended(task: asyncio.Future[T]) -> bool:
    """Wait until a task has ended; tell whether an interruption came meanwhile."""
    interrupted = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            interrupted = True
    return interrupted
