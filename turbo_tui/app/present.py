"""Views of a session -> values of widgets: the same session looks the same, live or resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import cast

from turbo_tui.app.opened import Opened, Project
from turbo_tui.core.ports import SandboxReport
from turbo_tui.core.views import LogEntry, PlanView, StepState, unlanded_below
from turbo_tui.engine.plan_edits import EDITABLE
from turbo_widgets.log_pane import LogItem
from turbo_widgets.plan_pane import PlanItem, PlanValue, StepWord
from turbo_widgets.project_pane import LanguageShare, ProjectPart, ProjectValue
from turbo_widgets.status_line import Level, StatusValue
from turbo_widgets.text import plural

_WELCOME = (
    "Type below what you want done, and press enter.\n\n"
    "You get a plan here. You can change it before anything runs. Every step then runs in a "
    "copy of your files, and only what you approve lands."
)

# --- the plan ------------------------------------------------------------------


def plan_value(view: PlanView, notes: Sequence[str] = (), *, busy: bool = True) -> PlanValue:
    """Show the plan, or what stands in its place: first of all `notes` and how to begin."""
    items = tuple(_plan_item(state, view) for state in view.steps)
    if items:
        return PlanValue(view.task, view.planner, items, edited=view.before_edit is not None)
    if view.failure:
        near = "".join(f"\n - {name}" for name in view.nearest)
        told = "\n" in view.failure  # it names what is near, in words to type
        hint = f"\n\nClosest to it:{near}" if near and not told else ""
        return PlanValue(view.task, "", (), f"No plan: {view.failure}{hint}")
    if view.planning and busy:
        return PlanValue(view.task, "", (), "Planning …", busy=True)
    if view.planning:
        return PlanValue(view.task, "", (), "The plan has no steps left. Type the next task below.")
    return PlanValue(message="\n\n".join([*notes, _WELCOME]))


def _plan_item(state: StepState, view: PlanView) -> PlanItem:
    step = state.step
    word: StepWord = state.status
    note = ""
    if state.status == "proposed":
        waits = [need for need in step.depends_on if not _settled(view, need)]
        if waits:
            word = "waiting"
            note = "for step " + ", ".join(waits)
        elif state.reason:
            note = f"set back: {state.reason}"
    elif state.status == "running":
        below = _below(state, view)
        note = f"on {below}" if below else ""
    elif state.status == "staged":
        below = _below(state, view)
        grounds = [f"{each.below} before {each.why}" for each in state.moved]
        made_on = ", ".join([*grounds, *([below] if below else [])])
        note = f"· made on {made_on}" if made_on else ""
    elif state.status in {"failed", "interrupted"}:
        note = "· " + state.reason.strip().split("\n")[0]
    elif state.status == "landed" and not state.checks_passed:
        note = "· in spite of: " + state.reason.strip().split("\n")[0]
    elif state.status == "conflict":
        note = f"· {plural(len(state.conflicts), 'path')} changed meanwhile"
    elif state.status == "rejected":
        note = "· " + state.feedback.split("\n")[0] if state.feedback else ""
        note = "· taken back" if state.reason == "undone" else note
    return PlanItem(
        step_id=step.id,
        title=step.title,
        status=word,
        mode=step.mode,
        note=note,
        editable=state.status in EDITABLE,
    )


def _below(state: StepState, view: PlanView) -> str:
    return ", ".join(each.step.id for each in unlanded_below(view, state))


def _settled(view: PlanView, step_id: str) -> bool:
    state = view.state(step_id)
    return state is not None and state.settled


# --- the log -------------------------------------------------------------------


class LogPresenter:
    """Turn log entries into lines; an entry that did not change keeps its very value."""

    def __init__(self) -> None:
        self._known: list[tuple[LogEntry, LogItem]] = []

    def show(self, entries: Sequence[LogEntry]) -> list[LogItem]:
        """Return one line for each entry."""
        for place, entry in enumerate(entries):
            if place < len(self._known) and self._known[place][0] is entry:
                continue
            pair = entry, _log_item(entry)
            if place < len(self._known):
                self._known[place] = pair
            else:
                self._known.append(pair)
        return [item for _, item in self._known]


def _log_item(entry: LogEntry) -> LogItem:
    detail, _, more = entry.detail.partition("\n")
    body = more or entry.body if entry.kind == "plan" else entry.body
    if entry.kind == "task" and ("\n" in entry.title or len(entry.title) > _TITLE_CHARS):
        body = entry.title  # its line is cut, and this is where a long task is read whole
    return LogItem(
        key=entry.key,
        clock=time.strftime("%H:%M:%S", time.localtime(entry.at)),
        kind=entry.kind,
        state=entry.state,
        title=f"{entry.title} {_subject(entry)}".rstrip(),
        detail=detail,
        body=body,
        step_id=entry.step_id,
        note=entry.usage,
    )


_TITLE_CHARS = 60
_SUBJECTS = ("path", "command", "pattern", "query", "code")


def _subject(entry: LogEntry) -> str:
    """Return what a tool call is about: its path, command or pattern, on one line."""
    if entry.kind != "tool":
        return ""
    try:
        arguments: object = json.loads(entry.body.partition("\n")[0])
    except ValueError:
        return ""
    if not isinstance(arguments, dict):
        return ""
    named = cast("dict[str, object]", arguments)
    value = next((named[name] for name in _SUBJECTS if name in named), "")
    return str(value).split("\n")[0][:200]


# --- project and status ----------------------------------------------------------


def project_value(project: Project) -> ProjectValue:
    """Show what was found out about the project."""
    return ProjectValue(
        languages=tuple(
            LanguageShare(each.name, each.percent, each.files, each.lines)
            for each in project.languages
        ),
        parts=tuple(
            ProjectPart(part.path, part.kind, part.commands, part.evidence)
            for part in project.parts
        ),
        notes=project.notes,
        message="No known kind of project was found here.",
    )


def sandbox_word(report: SandboxReport) -> str:
    """Return a rung's own word: the best is plain `full`, and no other reads like it."""
    if is_lost(report):
        return "lost: no command runs"
    match report.level:
        case "full":
            return "full" if report.rung.startswith("overlay") else "full (copy)"
        case "reduced":
            return f"reduced ({report.rung})"
        case "none":
            return "UNSANDBOXED"


def is_lost(report: SandboxReport) -> bool:
    """Tell whether what confined commands holds nothing any more, and nothing took its place."""
    held = [each.held for each in report.guarantees]
    return report.level != "none" and bool(held) and not any(held)


def status_value(
    opened: Opened, branch: str, planner: str, executor: str, busy: str = ""
) -> StatusValue:
    """Show the session's standing facts."""
    run = opened.run
    report = run.stages.report
    level: Level = "none" if is_lost(report) else report.level
    cost = run.views.cost
    return StatusValue(
        repo=opened.root.name or str(opened.root),
        branch=branch,
        planner=planner,
        executor=executor,
        sandbox=sandbox_word(report),
        level=level,
        tokens=cost.tokens_in + cost.tokens_out,
        cost_usd=cost.cost_usd,
        label=opened.label,
        busy=busy,
    )
