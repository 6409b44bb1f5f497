"""What the approval bar says now: the one thing that waits for the user, and its keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from turbo_tui.core import events as ev
from turbo_tui.core.diffs import WHOLE_FILE
from turbo_tui.core.landings import DETACHED
from turbo_tui.core.views import Decisions, StepState, Turn, Verification, Views, unlanded_below
from turbo_widgets.approval_bar import Card, Choice
from turbo_widgets.text import clean_line, fit, plural

START = Choice("go", "g", "start")
APPROVE = Choice("approve", "a", "land it")
VERIFY = Choice("verify", "K", "run its checks on that")
APPROVE_VERIFIED = Choice("approve_verified", "A", "and land it if they pass")
REJECT = Choice("reject", "r", "reject…")
SKIP = Choice("skip", "s", "skip")
RETRY = Choice("retry", "t", "try again")
CONTINUE = Choice("proceed", "G", "go on from its work")
REPLAN = Choice("replan", "R", "plan anew from here")
UNDO = Choice("undo", "u", "take back")
LOOK = Choice("look", "2", "look at the changes")
INTERRUPT = Choice("interrupt", "^c", "interrupt")

_ANSWERS: dict[ev.Answer, Choice] = {
    "once": Choice("answer_once", "y", "yes, once"),
    "step": Choice("answer_step", "S", "for this step"),
    "plan": Choice("answer_plan", "L", "for this plan"),
    "project": Choice("answer_project", "P", "for this project"),
    "no": Choice("answer_no", "n", "no…"),
}

_ACTIONS = {
    "command": "run a command",
    "unsandboxed": "run a command without any sandbox",
    "network": "use the network",
    "hosts": "reach hosts",
    "ptrace": "debug its processes",
    "sockets": "use unix sockets",
    "commit": "commit",
    "send": "send to a host",
    "path": "use a path outside the workspace",
}


def card_for(  # noqa: PLR0911  one return per kind of card
    views: Views,
    *,
    busy: bool,
    chosen: str = "",
    deciding: Collection[str] = (),
    planning: bool = False,
    branch: str = "",
) -> Card | None:
    """Return what the bar shows; None when there is nothing to say.

    Args:
        views: The session.
        busy: Something is under way.
        chosen: The step under the plan's cursor: while others run, only it is decided on.
        deciding: Steps on which a decision is being carried out.
        planning: A plan is being made: nothing is decided until it is there.
        branch: The one that what is approved now lands on; empty where there is no git.
    """
    asked = next(iter(views.asks.waiting.values()), None)
    if asked is not None:
        return _ask_card(asked)
    if planning:
        return _busy_card(views, ())
    turn = views.turns.waiting
    if turn is not None and turn.is_about(chosen) and not busy:
        return _turn_card(views, turn)
    waiting = [
        state for state in views.plan.steps if state.reviewable and state.step.id not in deciding
    ]
    picked = next((state for state in waiting if state.step.id == chosen), None)
    if picked is not None:
        return _review_card(views, picked, branch)
    if busy:
        return _busy_card(views, waiting)
    if waiting:
        return _review_card(views, waiting[0], branch)
    if turn is not None:
        return _unseen_turn_card(turn)
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


def _busy_card(views: Views, waiting: Collection[StepState]) -> Card:
    landing = next((s for s in views.plan.steps if s.status == "approved"), None)
    if landing is not None:
        return Card("busy", f"{_named(landing)} is landing.", guarded=False)
    running = views.plan.running
    if running is None:
        return Card("busy", "Planning …", (), (INTERRUPT,), "info", guarded=False)
    below = _ids(unlanded_below(views.plan, running))
    title = f"{_named(running)} is running" + (f", ahead on {below}." if below else ".")
    lines = ("Watch it in the log. Your files do not change until you approve.",)
    first = next(iter(waiting), None)
    if first is None:
        return Card("busy", title, lines, (INTERRUPT,), "info", guarded=False)
    count = len(waiting)
    steps = f"Step {_ids(waiting)} waits" if count == 1 else f"Steps {_ids(waiting)} wait"
    lines = (f"{steps} for your review meanwhile.",)
    review = Choice("review", "v", f"review step {first.step.id}")
    choices = (review, INTERRUPT)
    return Card("busy", title, lines, choices, "info", guarded=False, subject=first.step.id)


def review_key(state: StepState) -> str:
    """Name exactly what a review card asks about."""
    return f"{state.step.id}:{state.attempt}:{state.status}:{state.shown}"


def turn_key(turn: Turn) -> str:
    """Name exactly what a card about an undo or redo asks about."""
    return f"{turn.key}:{turn.state.shown}"


def ground_words(state: StepState) -> tuple[str, ...]:
    """Say how what a step was made on differs from what came of it."""
    return tuple(
        f"Made on step {each.below} as it was before {each.why}; landing merges it."
        for each in state.moved
    )


def _ids(states: Collection[StepState]) -> str:
    return ", ".join(state.step.id for state in states)


def _branch_words(began: str, now: str, *, named: bool) -> tuple[str, ...]:
    """Say where it lands, if the title does not, or if it is not where the plan began."""
    if began and now and began != now:
        return (f"The plan began on {_on(began)}; it lands on {_on(now)} now.",)
    return () if named or not now else (f"It lands on {_on(now)}.",)


def _on(branch: str) -> str:
    _, detached, commit = branch.partition(DETACHED)
    return f"no branch (HEAD is at {commit})" if detached else fit(clean_line(branch), 40)


def _review_card(views: Views, state: StepState, branch: str) -> Card:
    below = unlanded_below(views.plan, state)
    decided = views.review.decisions(state.step.id, state.shown)
    card = _clash_card(state, decided) if decided.clashing else _own_review_card(state, branch)
    lines = (*ground_words(state), *card.lines)
    if APPROVE in card.choices:
        named = card.tone == "review" and not decided.clashing
        lines = (*_branch_words(views.plan.branch, branch, named=named), *lines)
    choices = _with_verify(views, state, card.choices)
    verified = verify_words(views.review.verification(state.step.id, state.shown))
    lines = (*_decided_words(decided, choices), *((verified,) if verified else ()), *lines)
    if below:
        names = f"step {_ids(below)}" if len(below) == 1 else f"steps {_ids(below)}"
        lines = (f"Made on top of {names}: it can land once that is decided.", *lines)
        first = below[0].step.id
        review = Choice("review", "v", f"review step {first}")
        choices = (review, *(choice for choice in choices if choice != APPROVE))
    return replace(card, lines=lines, choices=choices, subject=state.step.id)


def _decided_words(decided: Decisions, choices: Collection[Choice]) -> tuple[str, ...]:
    """Say what lands otherwise than the step made it, and whom comments reach."""
    whole = [path for path, hunks in decided.rejected.items() if WHOLE_FILE in hunks]
    hunks = sum(len(out) for path, out in decided.rejected.items() if path not in whole)
    lines = sum(len(out) for own in decided.left_out.values() for out in own.values())
    counts = ((len(whole), "file"), (hunks, "hunk"), (lines, "line"))
    out = ", ".join(plural(count, noun) for count, noun in counts if count)
    edited = sum(len(own) for own in decided.edited.values()) + len(decided.contents)
    parts = (f"{out} left out" if out else "", f"{edited} edited" if edited else "")
    words = [f"{'; '.join(part for part in parts if part)}."] if any(parts) else []
    if decided.comments:
        count = len(decided.comments)
        told = " or ".join(
            f"{each.word.rstrip('…')} ({each.key})" for each in choices if each in {REJECT, RETRY}
        )
        words.append(f"{plural(count, 'comment')}: told only if you {told}.")
    return tuple(words)


def _with_verify(views: Views, state: StepState, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Offer to verify a choice: all of it was checked when the step ended."""
    decided = views.review.decisions(state.step.id, state.shown)
    if APPROVE not in choices or not state.step.checks:
        return choices
    if not (decided.choices or decided.ignored_on or state.merged or state.moved):
        return choices
    at = choices.index(APPROVE) + 1
    return (*choices[:at], VERIFY, APPROVE_VERIFIED, *choices[at:])


def _clash_card(state: StepState, decided: Decisions) -> Card:
    """Ask what stands where the step's changes meet the user's own, then to land that."""
    name, key = _named(state), review_key(state)
    left = sum(len(places) for places in decided.open_clashes.values())
    if left:
        title = f"{name}: {plural(left, 'conflict')} with your own edits."
        lines = ("Nothing was written. Say at each what shall stand there, then land it.",)
        return Card(f"{key}:open", title, lines, (LOOK, RETRY, REJECT, SKIP), "bad")
    if decided.blocked:
        title = f"{name}: something is in the way of {plural(len(decided.blocked), 'file')}."
        whys = tuple(f"{path}: {state.conflicts.get(path, '')}" for path in decided.blocked)
        how = "Nothing was written. Move it away, then land it; or leave those files out."
        return Card(key, title, (how, *whys[:3]), (APPROVE, LOOK, RETRY, REJECT, SKIP), "bad")
    title = f"{name}: all conflicts with your edits are settled."
    return Card(key, title, (), (APPROVE, LOOK, REJECT, RETRY, SKIP), "review")


_TURNS = {
    "undo": ("taken back", Choice("approve", "a", "take it back"), "leave it landed"),
    "redo": ("landed again", Choice("approve", "a", "land it again"), "leave it out"),
}


def _turn_card(views: Views, turn: Turn) -> Card:
    """Ask what stands where an undo or redo meets what changed since, then to write that."""
    state, key = turn.state, turn_key(turn)
    decided = views.review.decisions(turn.key, state.shown)
    word, do_it, leave = _TURNS[turn.way]
    name, drop = f"Step {turn.step_id}", Choice("skip", "s", leave)
    left = sum(len(places) for places in decided.open_clashes.values())
    if left:
        title = f"{name} cannot be {word} yet: {plural(left, 'conflict')} with what changed since."
        how = f"Nothing was written. Say at each what shall stand there, then {do_it.word}."
        return Card(f"{key}:open", title, (how,), (LOOK, drop), "bad", subject=turn.key)
    choices = (do_it, LOOK, drop)
    if decided.blocked:
        title = f"{name}: something is in the way of {plural(len(decided.blocked), 'file')}."
        whys = tuple(f"{path}: {state.conflicts.get(path, '')}" for path in decided.blocked)
        how = f"Nothing was written. Move it away, then {do_it.word}; or leave those files out."
        return Card(key, title, (how, *whys[:3]), choices, "bad", subject=turn.key)
    if decided.clashing:
        title = f"{name} can be {word} now: all conflicts are settled."
        return Card(key, title, (), choices, "review", subject=turn.key)
    title = f"{name}: your files changed since. Both changes merge; look, then {do_it.word}."
    whys = tuple(f"{path}: {why}" for path, why in state.conflicts.items())[:3]
    return Card(key, title, whys, choices, "bad", subject=turn.key)


def _unseen_turn_card(turn: Turn) -> Card:
    """Lead back to an undo or redo that waits while something else is shown."""
    word, _, leave = _TURNS[turn.way]
    title = f"Step {turn.step_id} is not {word} yet: it meets what changed since."
    choices = (Choice("review", "v", "settle it"), Choice("skip", "s", leave))
    return Card(f"{turn_key(turn)}:unseen", title, (), choices, "info", subject=turn.key)


def _own_review_card(state: StepState, branch: str) -> Card:
    key = review_key(state)
    name = _named(state)
    count = plural(len(state.paths), "file")
    if state.status == "conflict":
        whys = tuple(f"{path}: {why}" for path, why in state.conflicts.items())[:3]
        if state.merged:
            title = f"{name}: your files changed meanwhile. Both changes merge; look, then land."
            return Card(key, title, whys, (APPROVE, LOOK, REJECT, RETRY, SKIP), "bad")
        title = f"{name} was not landed: your files changed meanwhile."
        return Card(key, title, whys, (RETRY, LOOK, REJECT, SKIP), "bad")
    if state.status in {"failed", "interrupted"}:
        word = "failed" if state.status == "failed" else "was cut off"
        title = f"{name} {word}; what it did to {count} is kept."
        reason = _first_lines(state.reason)
        choices = (RETRY, CONTINUE, LOOK, APPROVE, REJECT, SKIP, REPLAN)
        return Card(key, title, reason, choices, "bad")
    title = f"{name} wants to land {count}{f' on {_on(branch)}' if branch else ''}."
    lines = _first_lines(state.reason) if state.reason else ()
    toggle = Choice("toggle", "space", "leave out")
    return Card(key, title, lines, (APPROVE, LOOK, toggle, REJECT, SKIP), "review")


def _stuck_card(state: StepState) -> Card:
    key = f"{state.step.id}:{state.attempt}:{state.status}"
    name = _named(state)
    edit = Choice("edit_step", "e", "edit it")
    if state.status == "rejected":
        undone = state.reason == "undone"
        title = f"{name} was rejected; nothing of it is in your files."
        if undone:  # what was settled, or left out of it, may stand there
            title = f"{name} was taken back."
        choices = (RETRY, edit, SKIP, REPLAN)
        return Card(key, title, (), choices, "info", subject=state.step.id)
    word = "failed" if state.status == "failed" else "was cut off"
    choices = (RETRY, edit, SKIP, REPLAN)
    lines = _first_lines(state.reason)
    return Card(key, f"{name} {word}.", lines, choices, "bad", subject=state.step.id)


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


def unverified_words(state: StepState) -> str:
    """Say why a card that lands a step does not offer to run its checks first."""
    name = f"Step {state.step.id}"
    if state.step.checks:
        return (
            f"{name}'s checks ran on all of this as it ended. Leave something out or edit it, then "
            "K runs them on what is left."
        )
    return (
        f"{name} has no checks. In the plan e gives a step some before it runs, or once it was "
        "rejected (r); a planner does where the task names the command."
    )


def verify_words(result: Verification) -> str:
    """Say what is known of what is accepted now; empty when nothing is."""
    match result.status:
        case "never":
            return ""
        case "running":
            return "Verifying what you accepted …"
        case "passed":
            return "What you accepted passes the step's checks."
        case "failed":
            count = plural(len(result.failures), "check")
            first = result.failures[0].strip().split("\n")[0] if result.failures else ""
            return f"What you accepted fails {count}: {first}"
        case "stopped":
            return f"What you accepted was not verified: {result.reason}"
        case "stale":
            return "You decided something else since it was verified."
