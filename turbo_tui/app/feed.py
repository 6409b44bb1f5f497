"""Keep the panes in step with a session: what changed, at most thirty times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from turbo_tui.app.cards import card_for, current_step
from turbo_tui.app.opened import Opened
from turbo_tui.app.present import LogPresenter, plan_value, status_value
from turbo_tui.app.present_changes import DiffPresenter, empty_diff
from turbo_tui.core.ports import Record
from turbo_tui.core.views import StepState, unlanded_below
from turbo_widgets.approval_bar import Card
from turbo_widgets.diff_pane import DiffValue
from turbo_widgets.log_pane import LogItem
from turbo_widgets.plan_pane import PlanValue
from turbo_widgets.status_line import StatusValue

WITHOUT_MODEL = (
    "No model is set up: the built-in planner knows recipes, such as “find usages of name”, "
    "“run the tests” and, in Python, “rename old to new”. For anything else press escape, "
    "then M, and name a model."
)


class Panes(Protocol):
    """Where values go: the session screen, or a test's list."""

    def show_plan(self, value: PlanValue) -> None:
        """Show the plan."""
        ...

    def show_diff(self, value: DiffValue) -> None:
        """Show a step's changes."""
        ...

    def show_log(self, entries: list[LogItem]) -> None:
        """Show the log."""
        ...

    def show_status(self, value: StatusValue) -> None:
        """Show standing facts."""
        ...

    def show_card(self, card: Card | None) -> None:
        """Show what waits for the user."""
        ...

    def stream(self, key: str, text: str) -> None:
        """Show output of a running entry."""
        ...

    def lead_to(self, step_id: str, place: str) -> None:
        """Bring a step and the pane that matters now before the user."""
        ...


@dataclass(slots=True)
class _Seen:
    plan: int = -1
    log: int = -1
    rest: tuple[object, ...] = ()
    diff: tuple[object, ...] = ()
    leading: tuple[str, str] = ("", "")
    done: tuple[str, str] = ("", "")


class Feed:
    """Look at revision numbers, compute what changed, hand it to the panes.

    Args:
        opened: The session.
        panes: Where values go.
    """

    def __init__(self, opened: Opened, panes: Panes) -> None:
        self.branch = opened.branch
        self.planner = opened.planner
        self.executor = opened.executor
        self.step_id = ""
        self._opened = opened
        self._run = opened.run
        self._panes = panes
        self._seen = _Seen()
        self._log = LogPresenter()
        self._diffs = DiffPresenter(opened.run.review)
        self._streamed: dict[str, list[str]] = {}
        self._leave: Callable[[], None] = self._run.session.subscribe(self._told)
        self._fresh = True
        if opened.live is not None:
            opened.live.listen(self._heard)

    def close(self) -> None:
        """Stop listening."""
        self._leave()

    def _told(self, _: Record) -> None:
        self._fresh = True

    def _heard(self, source: str, text: str) -> None:
        self._streamed.setdefault(source, []).append(text)

    @property
    def shown_state(self) -> StepState | None:
        """The step whose changes are on show."""
        views = self._run.views
        if not self.step_id:
            return None
        turn = views.turns.waiting
        if turn is not None and turn.is_about(self.step_id):
            return turn.state
        return views.plan.state(self.step_id)

    def select(self, step_id: str) -> None:
        """Show another step's changes; or what its undo or redo, which waits, would change."""
        if step_id != self.step_id:
            self.step_id = step_id
            self._fresh = True

    # --- the beat ----------------------------------------------------------------

    def beat(self) -> bool:
        """Show what changed since the last beat; return whether anything did."""
        self._flush_streams()
        views, busy = self._run.views, self._run.busy
        rest = (
            views.asks.revision,
            views.cost.revision,
            views.timeline.revision,
            views.review.revision,
            busy,
            self._run.deciding,
            self.branch,
            self.planner,
            self.executor,
        )
        if not self._fresh and rest == self._seen.rest:
            return False
        self._fresh = False
        plan_changed = views.plan.revision != self._seen.plan
        if plan_changed:
            self._seen.plan = views.plan.revision
            self._panes.show_plan(plan_value(views.plan, self._notes(), busy=busy))
        if views.log.revision != self._seen.log:
            self._seen.log = views.log.revision
            self._panes.show_log(self._log.show(views.log.entries))
        self._seen.rest = rest
        self._panes.show_status(
            status_value(self._opened, self.branch, self.planner, self.executor, self._busy_word())
        )
        self._lead()
        self._panes.show_card(
            card_for(
                views,
                busy=busy,
                chosen=self.step_id,
                deciding=self._run.deciding,
                planning=self._run.planning,
                branch=self.branch,
            )
        )
        return True

    def name_models(self, planner: str, executor: str) -> None:
        """Show other models from now on, and an empty plan's notes as they are with them."""
        self.planner, self.executor = planner, executor
        self._seen.plan = -1
        self._fresh = True

    def _notes(self) -> tuple[str, ...]:
        if self._opened.setup is not None and self.planner == "built-in":
            return (*self._opened.notes, WITHOUT_MODEL)
        return self._opened.notes

    def _busy_word(self) -> str:
        if not self._run.busy:
            return ""
        running = self._run.views.plan.running
        if running is not None:
            below = unlanded_below(self._run.views.plan, running)
            if below:
                names = ", ".join(state.step.id for state in below)
                return f"step {running.step.id} runs ahead on {names}"
            return f"running {running.step.id}"
        return "planning" if self._run.views.plan.planning else "working"

    def _lead(self) -> None:
        """Go where the user is needed, once for each new state of affairs."""
        plan = self._run.views.plan
        state = current_step(self._run.views)
        if self._run.deciding or self._run.planning:
            return  # it is soon clear where that leads
        turn = self._run.views.turns.waiting
        if turn is not None:
            wanted = f"{turn.key}:{turn.state.shown}", "diff"
        elif state is not None and state.reviewable:
            wanted = f"{state.step.id}:{state.attempt}:{state.shown}", "diff"
        elif state is not None and state.status == "running":
            wanted = f"{state.step.id}:{state.attempt}", "log"
        elif self._run.busy or not plan.steps:
            return
        else:
            wanted = self._place_of_rest(state)
        if wanted == self._seen.leading:
            return
        self._seen.leading = wanted
        if turn is not None:
            self.step_id = turn.step_id
            self._panes.lead_to(turn.step_id, wanted[1])
            return
        following = plan.next_step()
        target = state or following
        step_id = target.step.id if target is not None else ""
        if step_id:
            self.step_id = step_id
        self._panes.lead_to(step_id, wanted[1])

    def _place_of_rest(self, state: StepState | None) -> tuple[str, str]:
        """Tell where to look while nothing is under way and nothing waits for a review."""
        plan = self._run.views.plan
        shape = f"{plan.task}:{len(plan.steps)}"
        if state is None or state.status != "done":
            return shape, "plan"
        # What a step that changes nothing has found out is read where changes are.
        done = f"{state.step.id}:{state.attempt}"
        known, shape_then = self._seen.done
        if known == done and shape != shape_then:
            return shape, "plan"
        self._seen.done = done, shape
        return done + ":done", "diff"

    # --- changes -----------------------------------------------------------------

    async def refresh_diff(self) -> bool:
        """Show the chosen step's changes if they, or the marks on them, are new."""
        state = self.shown_state
        if state is None:
            mark: tuple[object, ...] = ("nothing",)
        else:
            decisions = self._run.views.review.decisions(state.step.id, state.shown)
            mark = (
                state.step.id,
                state.status,
                state.shown,
                state.moved,
                tuple(state.conflicts.items()),
                decisions,
            )
        if mark == self._seen.diff:
            return False
        self._seen.diff = mark
        if state is None:
            self._panes.show_diff(empty_diff(None))
            return True
        decisions = self._run.views.review.decisions(state.step.id, state.shown)
        turn = self._run.views.turns.waiting
        if turn is not None and turn.state != state:
            turn = None
        value = await asyncio.to_thread(self._diffs.show, state, decisions, turn)
        if self._seen.diff == mark:
            self._panes.show_diff(value)
        return True

    # --- streams -----------------------------------------------------------------

    def _flush_streams(self) -> None:
        if not self._streamed:
            return
        streamed, self._streamed = self._streamed, {}
        for source, parts in streamed.items():
            key = self._entry_of(source)
            if key:
                self._panes.stream(key, "".join(parts))

    def _entry_of(self, source: str) -> str:
        if source not in {"planner", "executor"}:
            return source
        for entry in reversed(self._run.views.log.entries):
            if entry.kind == "model" and entry.state == "running":
                return entry.key
        return ""
