"""Views of a session -> values of widgets: the same session looks the same, live or resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from turbo_tui.app.cards import ground_words
from turbo_tui.app.opened import Opened, Project
from turbo_tui.core import diffs
from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.ports import SandboxReport
from turbo_tui.core.views import Decisions, LogEntry, PlanView, StepState, unlanded_below
from turbo_tui.engine.review import Review
from turbo_tui.engine.run import EDITABLE
from turbo_widgets.diff_pane import DiffFile, DiffHunk, DiffIgnored, DiffLine, DiffValue
from turbo_widgets.diff_pane import LineKind as ShownKind
from turbo_widgets.log_pane import LogItem
from turbo_widgets.plan_pane import PlanItem, PlanValue, StepWord
from turbo_widgets.project_pane import LanguageShare, ProjectPart, ProjectValue
from turbo_widgets.status_line import Level, StatusValue
from turbo_widgets.text import plural

MOST_LINES = 5_000  # of one hunk on screen; the hunk lands whole all the same

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
        return PlanValue(view.task, view.planner, items)
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


# --- changes -------------------------------------------------------------------


class DiffPresenter:
    """Turn a step's change set into what the diff pane shows; hunks are decoded once.

    Args:
        review: Where change sets and contents are read.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._files: dict[tuple[str, str], DiffFile] = {}

    def show(self, state: StepState, decisions: Decisions) -> DiffValue:
        """Show a step's changes with the marks of what was decided.

        May read many contents the first time: call it off the event loop.
        """
        blob = state.shown
        if not blob:
            return empty_diff(state)
        changes = self._review.change_set(blob)
        files: list[DiffFile] = []
        for change in changes.files:
            file = self._files.get((blob, change.path))
            if file is None:
                file = self._files[blob, change.path] = self._file(change)
            why = state.conflicts.get(change.path, "")
            if why:
                word = "merged" if state.merged else "conflict"
                file = replace(file, notes=(f"{word}: {why}", *file.notes))
            files.append(_marked(file, decisions.rejected.get(change.path, frozenset())))
        ignored = tuple(
            DiffIgnored(folder.folder, len(folder.changes), folder.folder in decisions.ignored_on)
            for folder in changes.ignored
        )
        message = ""
        shown = {change.path for change in changes.files}
        elsewhere = [f"{path}: {why}" for path, why in state.conflicts.items() if path not in shown]
        if elsewhere:
            message = "\n".join(elsewhere)
        return DiffValue(
            title=f"step {state.step.id}",
            files=tuple(files),
            ignored=ignored,
            warnings=changes.warnings,
            notes=(*ground_words(state), *changes.notes),
            message=message,
            decidable=state.reviewable,
        )

    def changes(self, changes: ChangeSet, title: str, notes: Sequence[str] = ()) -> DiffValue:
        """Show a change set that nothing is decided on; call it off the event loop."""
        return DiffValue(
            title=title,
            files=tuple(self._file(change) for change in changes.files),
            notes=(*notes, *changes.notes),
            decidable=False,
        )

    def _file(self, change: FileChange) -> DiffFile:
        notes = _notes(change, self._review)
        diff = self._review.diff(change)
        if diff is None or not diff.hunks:
            return DiffFile(change.path, change.action, (), notes)
        added, removed = diffs.counts(diff)
        shown = [diffs.display_lines(hunk) for hunk in diff.hunks]
        crlf = all(line.text.endswith("␍") or line.unterminated for part in shown for line in part)
        if crlf and any(line.text.endswith("␍") for line in shown[0]):
            notes = (*notes, "CRLF line ends")
        hunks = tuple(
            DiffHunk(f"line {max(hunk.new_start, hunk.old_start) + 1}", _lines(part, crlf=crlf))
            for hunk, part in zip(diff.hunks, shown, strict=True)
        )
        return DiffFile(
            change.path,
            change.action,
            hunks,
            notes,
            added=added,
            removed=removed,
            by_hunk=diffs.has_choice(change) and len(hunks) > 1,
        )


_KINDS: dict[str, ShownKind] = {" ": "same", "+": "added", "-": "removed"}


def _lines(shown: Sequence[diffs.DisplayLine], *, crlf: bool) -> tuple[DiffLine, ...]:
    lines: list[DiffLine] = []
    for line in shown[:MOST_LINES]:
        text = line.text.removesuffix("␍") if crlf else line.text
        lines.append(DiffLine(_KINDS[line.kind], text, line.old_number or 0, line.new_number or 0))
        if line.unterminated:
            lines.append(DiffLine("note", "no newline at the end"))
    if len(shown) > MOST_LINES:
        lines.append(DiffLine("note", f"{len(shown) - MOST_LINES:,} more lines are not shown"))
    return tuple(lines)


def _marked(file: DiffFile, rejected: frozenset[int]) -> DiffFile:
    out = diffs.WHOLE_FILE in rejected
    hunks = tuple(
        replace(hunk, accepted=not out and index not in rejected)
        for index, hunk in enumerate(file.hunks)
    )
    accepted = not out and not (rejected and not file.by_hunk)
    return replace(file, hunks=hunks, accepted=accepted)


def _notes(change: FileChange, review: Review) -> tuple[str, ...]:
    before, after = change.before, change.after
    notes: list[str] = []
    if change.moved_from:
        notes.append(f"moved from {change.moved_from}")
    if not change.base_known:
        notes.append("the file changed while the step ran: both versions are shown, not merged")
    if before and after and before.kind != after.kind:
        notes.append(f"a {before.kind} becomes a {after.kind}")
    if before and after and before.mode != after.mode:
        notes.append(f"mode {before.mode:o} becomes {after.mode:o}")
    if after and not before and after.kind == "file" and after.mode & 0o111:
        notes.append(f"executable (mode {after.mode:o})")
    for node, word in ((before, "was"), (after, "is")):
        if node and node.kind == "symlink":
            target = review.content(node).decode(errors="surrogateescape")
            notes.append(f"{word} a link to {target}")
        if node and node.kind == "folder":
            notes.append(f"{word} a folder")
    if _is_blob(before, review) or _is_blob(after, review):
        sizes = [_size(node) for node in (before, after) if node]
        notes.append(f"not shown as text: {' becomes '.join(sizes)}")
    return tuple(notes)


def _is_blob(node: Node | None, review: Review) -> bool:
    if node is None or node.kind != "file" or not node.size_bytes:
        return False
    return node.size_bytes > diffs.MOST_TEXT_BYTES or diffs.is_binary(review.content(node))


def _size(node: Node) -> str:
    size = float(node.size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1_000:  # noqa: PLR2004 (the unit itself)
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"


def empty_diff(state: StepState | None) -> DiffValue:
    """Say why there is nothing to see."""
    if state is None:
        return DiffValue(message="What a step changes is shown here, before it lands.")
    words = {
        "proposed": "has not run yet.",
        "running": "is running; its changes are shown when it is done.",
        "landed": "has landed: " + (", ".join(state.paths) or "nothing"),
        "done": "is done and changed no files.",
        "rejected": "was rejected; nothing of it landed.",
        "skipped": "was skipped.",
        "failed": "failed before it changed any file.",
        "interrupted": "was cut off before it changed any file.",
    }
    word = words.get(state.status, state.status)
    said = state.reason.strip() if state.status in {"done", "failed"} else ""
    message = f"Step {state.step.id} {word}"
    return DiffValue(f"step {state.step.id}", message=message, body=said, decidable=False)


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


def status_value(opened: Opened, planner: str, executor: str, busy: str = "") -> StatusValue:
    """Show the session's standing facts."""
    run = opened.run
    report = run.stages.report
    level: Level = "none" if is_lost(report) else report.level
    cost = run.views.cost
    return StatusValue(
        repo=opened.root.name or str(opened.root),
        branch=opened.branch,
        planner=planner,
        executor=executor,
        sandbox=sandbox_word(report),
        level=level,
        tokens=cost.tokens_in + cost.tokens_out,
        cost_usd=cost.cost_usd,
        label=opened.label,
        busy=busy,
    )
