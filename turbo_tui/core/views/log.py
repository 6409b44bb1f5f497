"""What was done, line by line: the tool log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.changes import files_of
from turbo_tui.core.plain import plural
from turbo_tui.core.ports import Record

LogKind = Literal["task", "plan", "step", "model", "tool", "command", "check", "ask", "note"]
LogState = Literal["running", "ok", "failed", "info"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the tool log and what unfolds under it.

    Attributes:
        key: Stable for the entry's life; a request and its outcome share one entry.
        detail: A short fact at the line's end (`exit 0 · 0.3 s · network: off`).
        body: Output or text, possibly many lines.
        usage: What a command used of the machine, in words.
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
    usage: str = ""


class LogView:
    """What was done, in order: tasks, model turns, tools, commands, checks, asks, notes."""

    def __init__(self) -> None:
        self.revision = 0
        self.entries: list[LogEntry] = []
        self._at: dict[str, int] = {}
        self._granted: dict[str, tuple[str, ...]] = {}
        self._stages: dict[str, str] = {}
        self._verifying: dict[str, str] = {}  # step -> the entry of its last verification
        self._waiting: dict[str, str] = {}  # stage -> step, while that is not decided

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
                count = plural(len(steps), "step")
                titles = "\n".join(f"{step.id}. {step.title}" for step in steps)
                self._add(record, "plan", "ok", f"plan by {planner}", detail=count, body=titles)
            case ev.PlanFailed(reason=reason, nearest=nearest):
                near = "\n".join(f"- {name}" for name in nearest)
                self._add(record, "plan", "failed", "no plan", detail=reason, body=near)
            case ev.StepStarted(step_id, attempt, stage_id, rung, on):
                again = "" if attempt == 1 else f" · attempt {attempt}"
                below = ", ".join(self._waiting[each] for each in on if each in self._waiting)
                title = f"step {step_id} started" + (f" ahead, on {below}" if below else "")
                self._stages[step_id] = stage_id
                self._add(record, "step", "info", title, step_id, detail=f"{rung}{again}")
            case ev.StepStaged(step_id, _, paths, passed, summary):
                detail = plural(len(paths), "file") + ("" if passed else " · checks failed")
                title = f"step {step_id} is ready for review"
                self._waiting[self._stages.get(step_id, "")] = step_id
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
            case ev.StepSetBack(step_id, why):
                self._waiting.pop(self._stages.get(step_id, ""), None)
                self._add(record, "step", "info", f"step {step_id} set back", step_id, detail=why)
            case ev.StepGroundMoved(step_id, below, paths, why):
                title = f"step {step_id} was made on step {below} as it was before {why}"
                body = "\n".join(paths)
                detail = f"{plural(len(paths), 'file')} changed" if paths else ""
                self._add(record, "step", "info", title, step_id, detail=detail, body=body)
            case ev.StepSkipped(step_id):
                self._add(record, "step", "info", f"step {step_id} skipped", step_id)
            case ev.StepRejected(step_id, feedback):
                title = f"step {step_id} rejected"
                self._add(record, "step", "info", title, step_id, body=feedback)
            case ev.StepLanded(step_id, _, paths, notes, moved=moved):
                self._waiting.pop(self._stages.get(step_id, ""), None)
                self._changed(record, "landed", step_id, files_of(paths, moved), notes)
            case ev.LandingRefused(step_id, conflicts):
                body = "\n".join(f"{path}: {why}" for path, why in conflicts.items())
                title = f"step {step_id} not landed: the workspace changed"
                self._add(record, "step", "failed", title, step_id, body=body)
            case ev.TurnRefused(_, way, step_id, _, conflicts):
                body = "\n".join(f"{path}: {why}" for path, why in conflicts.items())
                word = "undone" if way == "undo" else "redone"
                title = f"step {step_id} not {word}: the workspace changed since"
                self._add(record, "step", "failed", title, step_id, body=body)
            case ev.LandingUndone(step_id, _, paths, notes, moved):
                self._changed(record, "undone", step_id, files_of(paths, moved), notes)
            case ev.LandingRedone(step_id, _, paths, notes, moved):
                self._changed(record, "redone", step_id, files_of(paths, moved), notes)
            case ev.LandingRecovered(_, outcome, paths, left_alone, moved=moved):
                paths = files_of(paths, moved)
                word = "completed" if outcome == "completed" else "rolled back"
                body = "\n".join([*paths, *(f"left alone: {path}" for path in left_alone)])
                title = f"a landing cut off by a crash was {word}"
                self._add(
                    record, "note", "info", title, detail=plural(len(paths), "file"), body=body
                )
            case ev.ModelRequested(request_id, role, model, host, size_bytes, step_id, context):
                given = context or {}
                detail = f"{host} · {size_bytes:,} bytes"
                if given:
                    detail += f" · {len(given)} given, {sum(given.values()):,} bytes"
                body = "\n".join(f"{path}  {size:,} bytes" for path, size in given.items())
                self._open(record, request_id, "model", f"{role} {model}", step_id, detail, body)
            case ev.ModelReplied(request_id, _, text, calls, tokens_in, tokens_out, counted):
                parts = [f"{tokens_in:,} in, {tokens_out:,} out"] if counted else []
                parts += [plural(calls, "tool call")] if calls else []
                self._close(request_id, "ok", " · ".join(parts), text)
            case ev.ModelFailed(request_id, reason):
                self._close(request_id, "failed", "", reason)
            case ev.ToolCalled(call_id, step_id, tool, arguments):
                self._open(record, call_id, "tool", tool, step_id, "", arguments)
            case ev.ToolFinished(call_id, ok, output):
                self._close(call_id, "ok" if ok else "failed", "", output)
            case ev.CommandRequested(command_id, step_id, argv, network, grants, before):
                title = "before the step: " * before + " ".join(argv)
                detail = _reach(network, grants)
                if grants:
                    self._granted[command_id] = grants
                self._open(record, command_id, "command", title, step_id, detail, "")
            case ev.CommandFinished() as done:
                why = f"exit {done.exit_code}" if done.ended == "exited" else done.ended
                granted = self._granted.get(done.command_id, ())
                detail = f"{why} · {done.duration_s:.1f} s · {_reach(done.network, granted)}"
                good = done.ended == "exited" and done.exit_code == 0
                used = str(done.usage or "")
                self._close(done.command_id, "ok" if good else "failed", detail, done.output, used)
            case ev.VerifyStarted(step_id):
                self._verifying[step_id] = key = f"verify-{record.seq}"
                title = f"verifying what you accepted of step {step_id}"
                self._open(record, key, "check", title, step_id, "", "")
            case ev.VerifyFinished(step_id, _, passed, failures, reason):
                word = "passed" if passed else "no result" if reason else "failed"
                body = reason or "\n".join(failures)
                told: LogState = "ok" if passed else "failed"
                self._close(self._verifying.get(step_id, ""), told, word, body)
            case ev.CheckFinished(step_id, argv, passed, failures, before, selected):
                word = "passed" if passed else "failed"
                state: LogState = "ok" if passed else "failed"
                title = f"check {word}: {' '.join(argv)}"
                detail = "failed before this step as well" if before else ""
                detail = "on what you accepted" if selected else detail
                body = "\n".join(failures)
                self._add(record, "check", state, title, step_id, detail=detail, body=body)
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

    def _changed(
        self,
        record: Record,
        how: Literal["landed", "undone", "redone"],
        step_id: str,
        files: tuple[str, ...],
        notes: tuple[str, ...],
    ) -> None:
        state: LogState = "info" if how == "undone" else "ok"
        title, count = f"step {step_id} {how}", plural(len(files), "file")
        body = "\n".join([*files, *notes])
        self._add(record, "step", state, title, step_id, detail=count, body=body)

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

    def _close(
        self, key: str, state: LogState, detail: str, body: str | None, usage: str = ""
    ) -> None:
        place = self._at.get(key)
        if place is None:
            return
        entry = self.entries[place]
        joined = " · ".join(part for part in (entry.detail, detail) if part)
        if entry.kind == "command":
            joined = detail
        shown = entry.body if body is None else "\n".join(p for p in (entry.body, body) if p)
        self.entries[place] = replace(entry, state=state, detail=joined, body=shown, usage=usage)


def _reach(network: str, grants: tuple[str, ...]) -> str:
    """Say what a command may do beyond its stage; the network is always named."""
    others = [each for each in grants if not each.startswith("network: ")]
    named = [each for each in grants if each not in others and network == "hosts"]
    return " · ".join([*(named or [f"network: {network}"]), *others])
