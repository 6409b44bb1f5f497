"""What the approval bar says now: the one thing that waits for the user, and its keys."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.views import StepState, Views
from turbo_widgets.approval_bar import Card, Choice
from turbo_widgets.text import clean_line, fit, plural

START = Choice("go", "g", "start")
APPROVE = Choice("approve", "a", "land it")
REJECT = Choice("reject", "r", "reject…")
SKIP = Choice("skip", "s", "skip")
RETRY = Choice("retry", "t", "try again")
CONTINUE = Choice("proceed", "c", "go on from its work")
REPLAN = Choice("replan", "R", "plan anew from here")
UNDO = Choice("undo", "u", "take back")

_ANSWERS: dict[ev.Answer, Choice] = {
    "once": Choice("answer_once", "y", "yes, once"),
    "step": Choice("answer_step", "S", "for this step"),
    "plan": Choice("answer_plan", "L", "for this plan"),
    "project": Choice("answer_project", "P", "for this project"),
    "no": Choice("answer_no", "n", "no…"),
}

_ACTIONS = {
    "command": "run a command",
    "network": "use the network",
    "hosts": "reach hosts",
    "ptrace": "debug its processes",
    "sockets": "use unix sockets",
    "commit": "commit",
    "send": "send to a host",
    "path": "use a path outside the workspace",
}


def card_for(views: Views, *, busy: bool) -> Card | None:
    """Return what the bar shows; None when there is nothing to say."""
    asked = next(iter(views.asks.waiting.values()), None)
    if asked is not None:
        return _ask_card(asked)
    waiting = next((state for state in views.plan.steps if state.reviewable), None)
    if busy:
        return _busy_card(views)
    if waiting is not None:
        return _review_card(waiting)
    stuck = next(
        (s for s in views.plan.steps if s.status in {"failed", "interrupted", "rejected"}), None
    )
    if stuck is not None:
        return _stuck_card(stuck)
    return _rest_card(views)


def current_step(views: Views) -> StepState | None:
    """Return the step whose changes the user most likely wants to see."""
    steps = views.plan.steps
    for state in steps:
        if state.reviewable:
            return state
    for words in ({"running", "approved"}, {"failed", "interrupted"}):
        for state in steps:
            if state.status in words:
                return state
    settled = [state for state in steps if state.status in {"landed", "done", "rejected"}]
    return settled[-1] if settled else None


def _named(state: StepState) -> str:
    title = fit(clean_line(state.step.title), 60)
    return f"Step {state.step.id} ({title})"


def _ask_card(asked: ev.ApprovalAsked) -> Card:
    what = _ACTIONS.get(asked.action, asked.action)
    who = f"Step {asked.step_id} wants to {what}:" if asked.step_id else f"May I {what}?"
    lines = asked.subject.split("\n")  # what is granted, then the command it is for
    if asked.reason:
        lines.append(f"Why: {asked.reason}")
    choices = tuple(_ANSWERS[scope] for scope in asked.scopes if scope in _ANSWERS)
    return Card(asked.ask_id, who, tuple(lines), choices, "ask")


def _busy_card(views: Views) -> Card:
    interrupt = (Choice("interrupt", "^c", "interrupt"),)
    running = views.plan.running
    if running is not None:
        title = f"{_named(running)} is running."
        lines = ("Watch it in the log. Your files do not change until you approve.",)
        return Card("busy", title, lines, interrupt, "info", guarded=False)
    landing = next((s for s in views.plan.steps if s.status == "approved"), None)
    if landing is not None:
        return Card("busy", f"{_named(landing)} is landing.", guarded=False)
    return Card("busy", "Planning …", (), interrupt, "info", guarded=False)


def _review_card(state: StepState) -> Card:
    key = f"{state.step.id}:{state.attempt}:{state.status}:{state.shown}"
    name = _named(state)
    count = plural(len(state.paths), "file")
    look = Choice("look", "2", "look at the changes")
    if state.status == "conflict":
        whys = tuple(f"{path}: {why}" for path, why in state.conflicts.items())[:3]
        if state.merged:
            title = f"{name}: your files changed meanwhile. Both changes merge; look, then land."
            return Card(key, title, whys, (APPROVE, look, REJECT, RETRY, SKIP), "bad")
        title = f"{name} was not landed: your files changed meanwhile."
        return Card(key, title, whys, (RETRY, look, REJECT, SKIP), "bad")
    if state.status in {"failed", "interrupted"}:
        word = "failed" if state.status == "failed" else "was cut off"
        title = f"{name} {word}; what it did to {count} is kept."
        reason = _first_lines(state.reason)
        choices = (RETRY, CONTINUE, look, APPROVE, REJECT, SKIP, REPLAN)
        return Card(key, title, reason, choices, "bad")
    title = f"{name} wants to land {count}."
    lines = _first_lines(state.reason) if state.reason else ()
    toggle = Choice("toggle", "space", "leave a hunk out")
    return Card(key, title, lines, (APPROVE, look, toggle, REJECT, SKIP), "review")


def _stuck_card(state: StepState) -> Card:
    key = f"{state.step.id}:{state.attempt}:{state.status}"
    name = _named(state)
    edit = Choice("edit_step", "e", "edit it")
    if state.status == "rejected":
        undone = state.reason == "undone"
        title = (
            f"{name} was {'taken back' if undone else 'rejected'}; nothing of it is in your files."
        )
        return Card(key, title, (), (RETRY, edit, SKIP, REPLAN), "info")
    word = "failed" if state.status == "failed" else "was cut off"
    choices = (RETRY, edit, SKIP, REPLAN)
    return Card(key, f"{name} {word}.", _first_lines(state.reason), choices, "bad")


def _rest_card(views: Views) -> Card | None:
    plan = views.plan
    if not plan.steps:
        return None
    following = plan.next_step()
    if following is not None:
        first = all(state.status == "proposed" for state in plan.steps)
        number = following.step.id
        count = plural(len(plan.steps), "step")
        title = (
            f"The plan has {count}. Change it as you like." if first else f"Next: step {number}."
        )
        word = "start" if first else f"go on with step {number}"
        choices = (Choice("go", "g", word), Choice("edit_step", "e", "edit a step"))
        return Card(f"ready:{plan.revision}", title, (), choices, "info", guarded=False)
    landed = [state for state in plan.steps if state.status == "landed"]
    title = (
        f"Done: {len(landed)} of {plural(len(plan.steps), 'step')} landed." if landed else "Done."
    )
    undo = (UNDO,) if views.timeline.undoable else ()
    choices = (*undo, Choice("prompt", "i", "type the next task"))
    return Card("done", title, (), choices, "info", guarded=False)


def _first_lines(text: str, most: int = 3) -> tuple[str, ...]:
    lines = [line for line in text.strip().split("\n") if line.strip()]
    return (*lines[:most], "…") if len(lines) > most else tuple(lines)
