"""Folds over the log: what plan, review, log, cost and timeline show.

Each view is fed records one by one by `apply` and holds nothing that the records do not say,
so a resumed session shows what the live one showed. `revision` grows with every change, so a
pane redraws only when something it shows has changed. Views never run anything.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import (
    Plan,
    Step,
    add_step,
    edit_step,
    move_step,
    remove_step,
    set_mode,
)
from turbo_tui.core.ports import Record

StepStatus = Literal[
    "proposed",
    "running",
    "staged",
    "approved",
    "conflict",
    "landed",
    "done",
    "failed",
    "interrupted",
    "rejected",
    "skipped",
]

SETTLED: frozenset[StepStatus] = frozenset({"landed", "done", "skipped"})
REVIEWABLE: frozenset[StepStatus] = frozenset({"staged", "conflict", "failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class StepState:
    """Where one step stands.

    Attributes:
        changes: Blob of the change set it produced, empty when there is none to review.
        reason: Why it failed or was interrupted, or what it says it did.
        conflicts: Path -> why, after a refused landing.
        merged: Blob of the merged change set that may be approved instead.
        landing: The journal's id once landed.
    """

    step: Step
    status: StepStatus = "proposed"
    attempt: int = 0
    stage_id: str = ""
    rung: str = ""
    changes: str = ""
    paths: tuple[str, ...] = ()
    checks_passed: bool = True
    reason: str = ""
    feedback: str = ""
    selected: str = ""
    conflicts: dict[str, str] = field(default_factory=dict[str, str])
    merged: str = ""
    landing: str = ""

    @property
    def settled(self) -> bool:
        """Nothing more happens to it unless the user asks."""
        return self.status in SETTLED

    @property
    def shown(self) -> str:
        """Blob of the change set under review: the merged one where a merge is offered."""
        return self.merged if self.status == "conflict" and self.merged else self.changes

    @property
    def reviewable(self) -> bool:
        """It has a change set that can be approved or rejected."""
        return bool(self.changes) and self.status in REVIEWABLE


class PlanView:
    """The plan and where each of its steps stands."""

    def __init__(self) -> None:
        self.revision = 0
        self.task = ""
        self.pinned: tuple[str, ...] = ()
        self.planner = ""
        self.failure = ""
        self.nearest: tuple[str, ...] = ()
        self._plan = Plan(task="", planner="")
        self._states: dict[str, StepState] = {}

    @property
    def plan(self) -> Plan:
        """The plan as edited so far."""
        return self._plan

    @property
    def steps(self) -> tuple[StepState, ...]:
        """Steps in plan order."""
        return tuple(self._states[step.id] for step in self._plan.steps)

    @property
    def planning(self) -> bool:
        """A task was given and no plan or refusal has come yet."""
        return bool(self.task) and not self._plan.steps and not self.failure

    def state(self, step_id: str) -> StepState | None:
        """Return one step's state, also of a step no longer in the plan."""
        return self._states.get(step_id)

    @property
    def known_ids(self) -> frozenset[str]:
        """All step ids ever used in this session."""
        return frozenset(self._states)

    @property
    def running(self) -> StepState | None:
        """The step that runs now, or ran when the log ends."""
        return next((s for s in self._states.values() if s.status == "running"), None)

    def next_step(self) -> StepState | None:
        """Return the first step that is proposed and whose dependencies are settled."""
        for state in self.steps:
            if state.status == "proposed" and all(
                self._states[need].settled for need in state.step.depends_on
            ):
                return state
        return None

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912  one arm per event
        """Take one record into account."""
        before = self._plan, dict(self._states), self.task, self.failure
        match record.event:
            case ev.TaskGiven(text, pinned):
                self.task, self.pinned, self.failure, self.nearest = text, pinned, "", ()
                self._plan = Plan(task=text, planner="")
            case ev.PlanProposed(task=task, planner=planner, steps=steps):
                self.task, self.planner, self.failure = task, planner, ""
                self._plan = Plan(task, planner, steps)
                for step in steps:
                    known = self._states.get(step.id)
                    self._states[step.id] = replace(known, step=step) if known else StepState(step)
            case ev.PlanFailed(reason=reason, nearest=nearest):
                self.failure, self.nearest = reason, nearest
            case (
                ev.StepEdited()
                | ev.StepModeSet()
                | ev.StepAdded()
                | ev.StepRemoved()
                | ev.StepMoved()
            ):
                # A log that holds an edit of a step that is gone must still open.
                with suppress(PlanError):
                    self._edit(record.event)
            case ev.StepStarted(step_id, attempt, stage_id, rung):
                self._set(
                    step_id,
                    status="running",
                    attempt=attempt,
                    stage_id=stage_id,
                    rung=rung,
                    changes="",
                    paths=(),
                    reason="",
                    selected="",
                    conflicts={},
                    merged="",
                )
            case ev.StepStaged(step_id, changes, paths, checks_passed, summary):
                self._set(
                    step_id,
                    status="staged",
                    changes=changes,
                    paths=paths,
                    checks_passed=checks_passed,
                    reason=summary,
                    conflicts={},
                    merged="",
                )
            case ev.StepFinished(step_id, summary):
                self._set(step_id, status="done", reason=summary, changes="", paths=())
            case ev.StepFailed(step_id, reason, changes, paths):
                self._set(
                    step_id,
                    status="failed",
                    reason=reason,
                    changes=changes,
                    paths=paths,
                    checks_passed=False,
                )
            case ev.StepInterrupted(step_id, reason, changes, paths):
                self._set(
                    step_id,
                    status="interrupted",
                    reason=reason,
                    changes=changes,
                    paths=paths,
                    checks_passed=False,
                )
            case ev.StepSkipped(step_id):
                self._set(step_id, status="skipped")
            case ev.StepRejected(step_id, feedback):
                self._set(step_id, status="rejected", feedback=feedback, changes="", paths=())
            case ev.StepApproved(step_id, _, selected):
                self._set(step_id, status="approved", selected=selected)
            case ev.StepLanded(step_id, landing, paths):
                self._set(step_id, status="landed", landing=landing, paths=paths, changes="")
            case ev.LandingRefused(step_id, conflicts, merged):
                self._set(step_id, status="conflict", conflicts=conflicts, merged=merged)
            case ev.LandingUndone(step_id=step_id, landing=landing):
                state = self._states.get(step_id)
                if state is not None and state.landing == landing:
                    self._set(step_id, status="rejected", reason="undone", landing="")
            case ev.LandingRecovered(landing, outcome, paths, _, step_id) if step_id:
                if outcome == "completed":
                    self._set(step_id, status="landed", landing=landing, paths=paths, changes="")
            case _:
                return
        if before != (self._plan, self._states, self.task, self.failure):
            self.revision += 1

    def _edit(self, event: ev.Event) -> None:
        match event:
            case ev.StepEdited(step_id, title, intent):
                self._edited(edit_step(self._plan, step_id, title=title, intent=intent))
            case ev.StepModeSet(step_id, mode):
                self._edited(set_mode(self._plan, step_id, mode))
            case ev.StepAdded(step, position):
                plan = add_step(self._plan, step, position)
                self._states[step.id] = StepState(step)
                self._edited(plan)
            case ev.StepRemoved(step_id):
                self._edited(remove_step(self._plan, step_id))
            case ev.StepMoved(step_id, position):
                self._edited(move_step(self._plan, step_id, position))
            case _:
                pass

    def _edited(self, plan: Plan) -> None:
        self._plan = plan
        for step in plan.steps:
            self._states[step.id] = replace(self._states[step.id], step=step)

    def _set(self, step_id: str, **values: object) -> None:
        state = self._states.get(step_id)
        if state is not None:
            self._states[step_id] = replace(state, **values)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the user decided on one change set.

    Attributes:
        rejected: Path -> hunk indices; -1 stands for the whole file.
        ignored_on: Ignored folders whose files shall land too.
    """

    changes: str
    rejected: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    ignored_on: frozenset[str] = frozenset()


class ReviewView:
    """Decisions per step; a decision on an older change set of the step is void."""

    def __init__(self) -> None:
        self.revision = 0
        self._decisions: dict[str, Decisions] = {}

    def decisions(self, step_id: str, changes: str) -> Decisions:
        """Return what was decided on exactly this change set."""
        known = self._decisions.get(step_id)
        return known if known is not None and known.changes == changes else Decisions(changes)

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.HunkDecided(step_id, changes, path, hunk, accepted):
                known = self.decisions(step_id, changes)
                hunks = known.rejected.get(path, frozenset[int]())
                if hunk == -1:
                    hunks = frozenset[int]() if accepted else frozenset({-1})
                else:
                    hunks = hunks - {hunk, -1} if accepted else hunks | {hunk}
                rejected = {**known.rejected, path: hunks}
                kept = {name: chosen for name, chosen in rejected.items() if chosen}
                self._decisions[step_id] = replace(known, rejected=kept)
            case ev.IgnoredDecided(step_id, changes, folder, accepted):
                known = self.decisions(step_id, changes)
                folders = known.ignored_on | {folder} if accepted else known.ignored_on - {folder}
                self._decisions[step_id] = replace(known, ignored_on=folders)
            case _:
                return
        self.revision += 1


LogKind = Literal["task", "plan", "step", "model", "tool", "command", "check", "ask", "note"]
LogState = Literal["running", "ok", "failed", "info"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the tool log and what unfolds under it.

    Attributes:
        key: Stable for the entry's life; a request and its outcome share one entry.
        detail: A short fact at the line's end (`exit 0 · 0.3 s · network: off`).
        body: Output or text, possibly many lines.
    """

    key: str
    seq: int
    at: float
    kind: LogKind
    state: LogState
    step_id: str
    title: str
    detail: str = ""
    body: str = ""


class LogView:
    """What was done, in order: tasks, model turns, tools, commands, checks, asks, notes."""

    def __init__(self) -> None:
        self.revision = 0
        self.entries: list[LogEntry] = []
        self._at: dict[str, int] = {}

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912, PLR0915  one arm per event
        """Take one record into account."""
        match record.event:
            case ev.SessionStarted(workspace=workspace):
                self._add(record, "note", "info", f"session opened on {workspace}")
            case ev.SessionResumed():
                self._add(record, "note", "info", "session resumed")
            case ev.Noted(level, text):
                self._add(record, "note", "failed" if level == "error" else "info", text)
            case ev.TaskGiven(text=text):
                self._add(record, "task", "info", text)
            case ev.PlanProposed(planner=planner, steps=steps):
                count = f"{len(steps)} step" + ("" if len(steps) == 1 else "s")
                titles = "\n".join(f"{n}. {step.title}" for n, step in enumerate(steps, 1))
                self._add(record, "plan", "ok", f"plan by {planner}", detail=count, body=titles)
            case ev.PlanFailed(reason=reason, nearest=nearest):
                near = "\n".join(f"- {name}" for name in nearest)
                self._add(record, "plan", "failed", "no plan", detail=reason, body=near)
            case ev.StepStarted(step_id, attempt, _, rung):
                again = "" if attempt == 1 else f" · attempt {attempt}"
                title = f"step {step_id} started"
                self._add(record, "step", "info", title, step_id, detail=f"{rung}{again}")
            case ev.StepStaged(step_id, _, paths, passed, summary):
                detail = _files(paths) + ("" if passed else " · checks failed")
                title = f"step {step_id} is ready for review"
                self._add(record, "step", "ok", title, step_id, detail=detail, body=summary)
            case ev.StepFinished(step_id, summary):
                title = f"step {step_id} done, nothing to land"
                self._add(record, "step", "ok", title, step_id, body=summary)
            case ev.StepFailed(step_id, reason):
                title = f"step {step_id} failed"
                self._add(record, "step", "failed", title, step_id, body=reason)
            case ev.StepInterrupted(step_id, reason):
                title = f"step {step_id} interrupted"
                self._add(record, "step", "failed", title, step_id, detail=reason)
            case ev.StepSkipped(step_id):
                self._add(record, "step", "info", f"step {step_id} skipped", step_id)
            case ev.StepRejected(step_id, feedback):
                title = f"step {step_id} rejected"
                self._add(record, "step", "info", title, step_id, body=feedback)
            case ev.StepLanded(step_id, _, paths, notes):
                body = "\n".join([*paths, *notes])
                title = f"step {step_id} landed"
                self._add(record, "step", "ok", title, step_id, detail=_files(paths), body=body)
            case ev.LandingRefused(step_id, conflicts):
                body = "\n".join(f"{path}: {why}" for path, why in conflicts.items())
                title = f"step {step_id} not landed: the workspace changed"
                self._add(record, "step", "failed", title, step_id, body=body)
            case ev.LandingUndone(step_id, _, paths, notes):
                body = "\n".join([*paths, *notes])
                title = f"step {step_id} undone"
                self._add(record, "step", "info", title, step_id, detail=_files(paths), body=body)
            case ev.LandingRecovered(_, outcome, paths, left_alone):
                word = "completed" if outcome == "completed" else "rolled back"
                body = "\n".join([*paths, *(f"left alone: {path}" for path in left_alone)])
                title = f"a landing cut off by a crash was {word}"
                self._add(record, "note", "info", title, detail=_files(paths), body=body)
            case ev.ModelRequested(request_id, role, model, host, size_bytes, step_id, context):
                detail = f"{host} · {size_bytes:,} bytes"
                body = "\n".join(
                    f"{path}  {size:,} bytes" for path, size in (context or {}).items()
                )
                self._open(record, request_id, "model", f"{role} {model}", step_id, detail, body)
            case ev.ModelReplied(request_id, _, text, calls, tokens_in, tokens_out, counted):
                parts = [f"{tokens_in:,} in, {tokens_out:,} out"] if counted else []
                parts += [f"{calls} tool calls"] if calls else []
                self._close(request_id, "ok", " · ".join(parts), text)
            case ev.ModelFailed(request_id, reason):
                self._close(request_id, "failed", "", reason)
            case ev.ToolCalled(call_id, step_id, tool, arguments):
                self._open(record, call_id, "tool", tool, step_id, "", arguments)
            case ev.ToolFinished(call_id, ok, output):
                self._close(call_id, "ok" if ok else "failed", "", output)
            case ev.CommandRequested(command_id, step_id, argv, network):
                title = " ".join(argv)
                detail = f"network: {network}"
                self._open(record, command_id, "command", title, step_id, detail, "")
            case ev.CommandFinished() as done:
                why = f"exit {done.exit_code}" if done.ended == "exited" else done.ended
                detail = f"{why} · {done.duration_s:.1f} s · network: {done.network}"
                good = done.ended == "exited" and done.exit_code == 0
                self._close(done.command_id, "ok" if good else "failed", detail, done.output)
            case ev.CheckFinished(step_id, argv, passed, failures):
                word = "passed" if passed else "failed"
                state: LogState = "ok" if passed else "failed"
                title = f"check {word}: {' '.join(argv)}"
                self._add(record, "check", state, title, step_id, body="\n".join(failures))
            case ev.ApprovalAsked(ask_id, step_id, action, subject, reason):
                self._open(record, ask_id, "ask", f"asked: {action}", step_id, subject, reason)
            case ev.ApprovalAnswered(ask_id, answer, feedback, by_rule):
                words = " · ".join(part for part in (answer, by_rule, feedback) if part)
                self._close(ask_id, "failed" if answer == "no" else "ok", words, None)
            case ev.BudgetReached(step_id, cap, limit):
                title = f"cap reached: {cap} ({limit:g})"
                self._add(record, "note", "failed", title, step_id)
            case _:
                return
        self.revision += 1

    def _add(
        self,
        record: Record,
        kind: LogKind,
        state: LogState,
        title: str,
        step_id: str = "",
        *,
        detail: str = "",
        body: str = "",
    ) -> None:
        key = str(record.seq)
        self._at[key] = len(self.entries)
        self.entries.append(
            LogEntry(key, record.seq, record.at, kind, state, step_id, title, detail, body)
        )

    def _open(  # noqa: PLR0917  the entry's fields in their order
        self,
        record: Record,
        key: str,
        kind: LogKind,
        title: str,
        step_id: str,
        detail: str,
        body: str,
    ) -> None:
        self._at[key] = len(self.entries)
        self.entries.append(
            LogEntry(key, record.seq, record.at, kind, "running", step_id, title, detail, body)
        )

    def _close(self, key: str, state: LogState, detail: str, body: str | None) -> None:
        place = self._at.get(key)
        if place is None:
            return
        entry = self.entries[place]
        joined = " · ".join(part for part in (entry.detail, detail) if part)
        if entry.kind == "command":
            joined = detail
        shown = entry.body if body is None else "\n".join(p for p in (entry.body, body) if p)
        self.entries[place] = replace(entry, state=state, detail=joined, body=shown)


def _files(paths: tuple[str, ...]) -> str:
    return "1 file" if len(paths) == 1 else f"{len(paths)} files"


class CostView:
    """Tokens, money and bytes sent, in all and per host."""

    def __init__(self) -> None:
        self.revision = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.uncounted_replies = 0
        self.cost_usd: float | None = None
        self.bytes_sent: dict[str, int] = {}

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.ModelRequested(host=host, size_bytes=size_bytes):
                self.bytes_sent[host] = self.bytes_sent.get(host, 0) + size_bytes
            case ev.ModelReplied() as reply:
                self.tokens_in += reply.tokens_in
                self.tokens_out += reply.tokens_out
                self.uncounted_replies += not reply.counted
                if reply.cost_usd is not None:
                    self.cost_usd = (self.cost_usd or 0.0) + reply.cost_usd
            case _:
                return
        self.revision += 1


@dataclass(frozen=True, slots=True)
class LandingEntry:
    """One landing of the session and whether it was taken back."""

    landing: str
    step_id: str
    at: float
    paths: tuple[str, ...]
    undone: bool = False


class TimelineView:
    """Landings in order: what can be undone."""

    def __init__(self) -> None:
        self.revision = 0
        self.landings: list[LandingEntry] = []

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.StepLanded(step_id, landing, paths):
                self.landings.append(LandingEntry(landing, step_id, record.at, paths))
            case ev.LandingRecovered(landing, "completed", paths, _, step_id) if step_id:
                self.landings.append(LandingEntry(landing, step_id, record.at, paths))
            case ev.LandingUndone(landing=landing):
                self.landings = [
                    replace(entry, undone=True) if entry.landing == landing else entry
                    for entry in self.landings
                ]
            case _:
                return
        self.revision += 1

    @property
    def undoable(self) -> LandingEntry | None:
        """The last landing that still stands."""
        return next((entry for entry in reversed(self.landings) if not entry.undone), None)


class AsksView:
    """Questions that wait for a person, oldest first."""

    def __init__(self) -> None:
        self.revision = 0
        self.waiting: dict[str, ev.ApprovalAsked] = {}
        self.asked_by: set[str] = set()
        """Steps that asked something in the attempt that is or was last under way."""

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.StepStarted(step_id=step_id):
                self.asked_by.discard(step_id)
            case ev.ApprovalAsked() as asked:
                self.waiting[asked.ask_id] = asked
                self.asked_by.add(asked.step_id)
            case ev.ApprovalAnswered(ask_id=ask_id):
                self.waiting.pop(ask_id, None)
            case _:
                return
        self.revision += 1


class Views:
    """All views of one session, fed together."""

    def __init__(self) -> None:
        self.session_id = ""
        self.workspace = ""
        self.last_seq = 0
        self.plan = PlanView()
        self.review = ReviewView()
        self.log = LogView()
        self.cost = CostView()
        self.timeline = TimelineView()
        self.asks = AsksView()

    def apply(self, record: Record) -> None:
        """Feed one record to every view."""
        if isinstance(record.event, ev.SessionStarted):
            self.session_id = record.event.session_id
            self.workspace = record.event.workspace
        for view in (self.plan, self.review, self.log, self.cost, self.timeline, self.asks):
            view.apply(record)
        self.last_seq = record.seq
