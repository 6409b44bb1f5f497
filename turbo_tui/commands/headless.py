"""Drive a run without the app: the same commands and views, told on stdout."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from collections.abc import Callable, Coroutine
from typing import TextIO

from turbo_tui.commands.telling import encodable, tell
from turbo_tui.config.environment import dotenv
from turbo_tui.core import events as ev
from turbo_tui.core.codec import record_line
from turbo_tui.core.plain import one_line, plain
from turbo_tui.core.ports import Record
from turbo_tui.core.views import LogEntry, StepState
from turbo_tui.engine.run import Run
from turbo_tui.trust import project_files
from turbo_tui.wiring import Workspace

EXIT_CODES: dict[ev.Status, int] = {
    "done": 0,
    "failed": 1,
    "needs_approval": 3,
    "unreachable": 4,
    "error": 5,
    "interrupted": 130,
}
UNPLANNABLE = 2
SHOWN_LINES = 60

GLYPHS = {"running": "…", "ok": "✔", "failed": "✘", "info": "·"}


def tell_untrusted(workspace: Workspace) -> None:
    """Say on stderr where a project's own recipes and settings are left out: the app would ask."""
    files = project_files(workspace.root)
    if workspace.trusted or workspace.trust.has(workspace.root, files):
        return
    own = [path for path in files.contents if path.startswith(".turbo/")]
    env = [".env"] if dotenv(files.contents.get(".env", b"")) else []
    if not own and not env:
        return
    named = " and ".join([*([".turbo/"] if own else []), *env])
    why = "changed since you trusted it" if workspace.trust.had(workspace.root) else "not trusted"
    tell(
        f"turbo-tui: {named} of this project: {why}. Its recipes and settings are left out, but "
        f"for what is stricter. The app asks whether to trust it: "
        f"turbo-tui {shlex.quote(str(workspace.root))}\n"
    )


def json_lines(out: TextIO) -> Callable[[Record], None]:
    """Return a subscriber that writes one JSON object a line, at once."""

    def write(record: Record) -> None:
        out.write(json.dumps(record_line(record), ensure_ascii=True) + "\n")
        out.flush()

    return write


def progress(run: Run, out: TextIO) -> Callable[[Record], None]:
    """Return a subscriber that writes what happened, a line each, as the log pane words it."""
    told: dict[str, LogEntry] = {}

    def write(record: Record) -> None:
        del record
        for entry in run.views.log.entries[max(0, len(told) - 8) :]:
            if entry.state == "running" or told.get(entry.key) == entry:
                continue
            told[entry.key] = entry
            if entry.kind == "plan" and entry.state == "failed":
                out.write(encodable(f"{GLYPHS['failed']} no plan\n", out))  # the last words say why
                continue
            detail = f"  ({one_line(entry.detail)})" if entry.detail else ""
            out.write(encodable(f"{GLYPHS[entry.state]} {one_line(entry.title)}{detail}\n", out))
            if entry.state == "failed" or entry.kind in {"plan", "step"}:
                shown = [f"    {line}\n" for line in _told_of(entry, run)]
                out.writelines(encodable(line, out) for line in shown)
        out.flush()

    return write


def _told_of(entry: LogEntry, run: Run) -> list[str]:
    """Return the lines under an entry: an answer whole, of others so much as is read at once."""
    lines = [plain(line) for line in entry.body.splitlines()]
    left = len(lines) - SHOWN_LINES
    state = run.views.plan.state(entry.step_id)
    if left <= 0 or (entry.kind == "step" and state is not None and state.status == "done"):
        return lines
    rest = f"all of it: turbo-tui session show {run.session.session_id} --log"
    if entry.kind == "step":
        return [*lines[:SHOWN_LINES], f"… {left:,} more lines; {rest}"]
    # Of what failed the end says why.
    return [f"… {left:,} lines before; {rest}", *lines[-SHOWN_LINES:]]


def status_of(run: Run) -> tuple[ev.Status, str]:
    """Say how the run stands, and why, from its views."""
    plan = run.views.plan
    if plan.failure:
        return _refused_or(run, "error"), plan.failure
    by_status: dict[str, StepState] = {}
    for state in plan.steps:
        by_status.setdefault(state.status, state)
    if "interrupted" in by_status:
        step = by_status["interrupted"].step.id
        return "interrupted", f"step {step} was interrupted; its work is kept"
    if "failed" in by_status:
        return _refused_or(run, "failed"), by_status["failed"].reason
    if run.landings.error:
        return "error", run.landings.error
    waiting = [state for state in plan.steps if state.reviewable or state.status == "proposed"]
    if waiting:
        return "needs_approval", _waiting_words(waiting)
    return ("failed", "a step was rejected") if "rejected" in by_status else ("done", "")


def _refused_or(run: Run, status: ev.Status) -> ev.Status:
    if run.asks.refused_by_mode:
        return "needs_approval"
    return "unreachable" if run.unreachable else status


def _waiting_words(waiting: list[StepState]) -> str:
    state = waiting[0]
    reviews = [each.step.id for each in waiting if each.reviewable]
    if len(reviews) > 1 and all(each.status == "staged" for each in waiting[: len(reviews)]):
        return f"steps {', '.join(reviews)} wait for their review"
    if state.status == "conflict":
        why = "; ".join(f"{path}: {said}" for path, said in state.conflicts.items())
        return f"step {state.step.id} conflicts with the workspace: {why}"
    if state.reviewable:
        return f"step {state.step.id} waits for its review"
    return f"step {state.step.id} has not run yet"


def finish(run: Run, *, status: ev.Status = "done", reason: str = "") -> int:
    """Log how the run ended and return the exit code."""
    if status == "done":
        status, reason = status_of(run)
    views = run.views
    landed = sorted(
        {p for entry in views.timeline.landings if not entry.undone for p in entry.paths}
    )
    steps = tuple(
        {"id": state.step.id, "title": state.step.title, "status": state.status}
        for state in views.plan.steps
    )
    tokens = {"in": views.cost.tokens_in, "out": views.cost.tokens_out}
    run.session.append(
        ev.RunFinished(
            status=status,
            session=run.session.session_id,
            landed=tuple(landed),
            steps=steps,
            tokens=tokens,
            reason=reason,
        ),
        "headless",
    )
    if status == "error" and views.plan.failure:
        return UNPLANNABLE
    return EXIT_CODES[status]


def closing_words(run: Run) -> str:
    """Say in a line or two how it ended and what to do next."""
    status, reason = status_of(run)
    session = run.session.session_id
    landed = {file for entry in run.views.timeline.landings for file in entry.files}
    if status == "done":
        if not landed:
            return f"turbo-tui: done, nothing landed. Session {session}.\n"
        what = f"landed {len(landed)} file{'' if len(landed) == 1 else 's'}"
        return f"turbo-tui: {what}. Session {session}; `turbo-tui session undo` takes it back.\n"
    why = reason or status
    # Of several lines the last is an example to type, and a command may end in dots.
    stop = "" if "\n" in why or why.endswith((".", "!", "?", "…")) else "."
    words = f"turbo-tui: {why}{stop}\n"
    if run.landings.error and status == "error":
        words += f"Then land it with: turbo-tui session resume {session} --approve staged\n"
    elif status == "needs_approval" and run.views.plan.steps:
        root = shlex.quote(run.views.workspace)
        words += f"Review it with: turbo-tui {root} --session {session}\n"
    return words


async def until_done(run: Run, work: Callable[[], Coroutine[object, object, None]]) -> bool:
    """Do work and what it starts; on SIGINT, SIGTERM or SIGHUP interrupt it.

    Returns:
        False when a signal ended it.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)

    async def all_of_it() -> None:
        await work()
        await run.idle()

    doing = asyncio.ensure_future(all_of_it())
    waiting = asyncio.ensure_future(ended.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if doing.done():
        doing.result()
        return True
    await run.cancel()
    doing.cancel()
    await asyncio.wait({doing})
    return False
