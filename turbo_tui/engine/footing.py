"""What a run stands on: its log and views, stages, lander, review and asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import StageError, TurboError, UsageError
from turbo_tui.core.landings import Checkpoints, Lander, Landing
from turbo_tui.core.ports import Record, Stages
from turbo_tui.core.session import Session
from turbo_tui.core.views import Decisions, StepState, Views
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.review import Review


@dataclass(slots=True)
class Footing:
    """What planning, stepping and landing share.

    Attributes:
        approve: Who answers: a person, or one of the headless modes.
        unreachable: The last model failure ended a plan or a step.
        checkpoints: Keeps a checkpoint of each landing; None: none are kept.
        branch: Says which branch the workspace is on; nothing where there is no git.
        tree: Held while the workspace, or what stages lie on, is changed or taken up.
    """

    session: Session
    views: Views
    stages: Stages
    lander: Lander
    review: Review
    asks: Asks
    approve: Approve = "ask"
    unreachable: bool = False
    checkpoints: Checkpoints | None = None
    branch: Callable[[], str] = str
    tree: asyncio.Lock = field(default_factory=asyncio.Lock)

    def log(self, event: ev.Event, by: str = "engine") -> Record:
        """Put an event into the session's log."""
        return self.session.append(event, by)

    def known(self, step_id: str) -> StepState:
        """Return a step's state.

        Raises:
            UsageError: There never was such a step.
        """
        state = self.views.plan.state(step_id)
        if state is None:
            raise UsageError(f"There is no step {step_id!r}.")
        return state

    def in_plan(self, step_id: str) -> StepState:
        """Return the state of a step that is still in the plan.

        Raises:
            UsageError: There is no such step, or no longer.
        """
        state = self.known(step_id)
        if state not in self.views.plan.steps:
            raise UsageError(f"Step {step_id} is no longer in the plan.")
        return state

    def reviewable(self, step_id: str) -> StepState:
        """Return the state of a step whose changes wait for a decision.

        Raises:
            UsageError: There is no such step, or nothing of it to decide.
        """
        state = self.known(step_id)
        if not state.reviewable:
            raise UsageError(f"Step {step_id} is {state.status} and has nothing to review.")
        return state

    def under_review(self, name: str) -> StepState:
        """Return what waits for decisions by that name: a step, or an undo or redo.

        Raises:
            UsageError: Nothing of that name does.
        """
        return self.views.turns.state(name) or self.reviewable(name)

    async def keep_switched_on(
        self, state: StepState, changes: ChangeSet, decisions: Decisions
    ) -> None:
        """Store contents of ignored files that were switched on; before what lands is computed.

        Raises:
            StageError: The stage does not hold them as they were reviewed.
            SessionError: The blob store refuses.
        """
        on = [each for each in changes.ignored if each.folder in decisions.ignored_on]
        if on:
            chosen = [change for folder in on for change in folder.changes]
            await self.stages.keep_contents(state.stage_id, chosen)

    async def checkpoint(self, landing: Landing, title: str) -> None:
        """Keep a checkpoint of what was landed; that it cannot be kept is noted."""
        if self.checkpoints is None or not landing.landing_id:
            return
        try:
            await self.checkpoints.keep(
                landing.written,
                title=title,
                session_id=self.session.session_id,
                landing_id=landing.landing_id,
            )
        except TurboError as error:
            self.log(ev.Noted("warning", str(error)))  # what landed stands all the same

    async def discard(self, stage_id: str) -> None:
        """Delete a stage; that it cannot be deleted is noted."""
        try:
            if stage_id:
                await self.stages.discard(stage_id)
        except StageError as error:
            self.log(ev.Noted("warning", str(error)))  # only room on the disk is lost

    async def settle(self, stage_id: str, landed: Collection[str] = ()) -> str:
        """Keep what git ignores of a decided step for later ones; return the layer, or nothing."""
        try:
            kept = bool(stage_id) and await self.stages.settle(stage_id, landed=landed)
        except StageError as error:
            self.log(ev.Noted("warning", str(error)))  # later steps do without it
            return ""
        return stage_id if kept else ""
