"""What is asked before a command of a step runs: put by its stage, foretold by `policy check`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from turbo_tui.core.events import Answer
from turbo_tui.core.policy import HIDDEN, HIDDEN_WHY, Decision, Rule
from turbo_tui.core.ports import Ask, Level
from turbo_tui.engine.approval import Answers, Asks, Rules
from turbo_tui.engine.rules import by_rules

STAGED = "what it changes is staged, and you review that before anything lands."
CONFINED: dict[Level, str] = {
    "full": f"In the sandbox: it has no network unless you grant it; {STAGED}",
    "reduced": f"In a sandbox that holds only in part (`turbo-tui doctor` says what); {STAGED}",
    "none": f"Nothing confines it here; {STAGED}",
}


def question_of_rule(argv: Sequence[str], rules: Rules, step_id: str = "") -> Ask | None:
    """Return what a rule makes us ask about a command; None where it may run."""
    ask = Ask("command", shlex.join(argv), "a rule of yours says to ask", step_id)
    effect, rule = rules(ask)
    if rule == str(HIDDEN):
        return replace(ask, reason=HIDDEN_WHY)
    return ask if rule and effect != "allow" else None


def question_of_no_sandbox(argv: Sequence[str], level: Level, step_id: str = "") -> Ask | None:
    """Return what is asked about a command that nothing confines; None where something does."""
    if level != "none":
        return None
    # An action of its own: what was answered about a command in a sandbox does not count here.
    return Ask(
        "unsandboxed",
        shlex.join(argv),
        "there is no sandbox here: this command can reach everything you can",
        step_id,
        ("once", "step", "no"),
    )


def foretell(
    argv: Sequence[str],
    rules: tuple[Rule, ...],
    answers: Answers | None = None,
    *,
    workspace: str,
    level: Level,
) -> Decision:
    """Say what would come of a step's command, and ask nobody.

    Args:
        argv: The command.
        rules: The user's, and those of the project that count.
        answers: What was answered for the project.
        workspace: Absolute path.
        level: What the sandbox holds here.
    """
    said = by_rules(rules, workspace)
    asks = Asks(lambda _event, _by: None, rules=said, answers=answers)
    sources = {str(rule): f" ({rule.source})" if rule.source else "" for rule in rules}
    by_rule = question_of_rule(argv, said)
    decided: list[Decision] = []
    for ask in (question_of_no_sandbox(argv, level), by_rule):
        if ask is None:
            continue
        settled = asks.settled(ask)
        if settled is None:
            _, rule = said(ask)
            why = "Nothing confines commands here."
            if rule:
                hidden = rule == str(HIDDEN)
                why = HIDDEN_WHY if hidden else f"A rule says to ask{sources[rule]}."
            decided.append(Decision("ask", why, rule, _in_order(asks.offered(ask))))
            continue
        verdict, by = settled
        where = sources.get(by, "")
        if not verdict.allowed:
            return Decision("deny", f"A rule forbids it{where}.", by)
        why = f"A rule allows it{where}" if by in sources else "You allowed exactly this"
        decided.append(Decision("allow", f"{why}.", by))
    if decided:
        return next((each for each in decided if each.decision == "ask"), decided[0])
    _, rule = said(Ask("command", shlex.join(argv), ""))
    return Decision("allow", f"A rule allows it{sources[rule]}." if rule else CONFINED[level], rule)


def _in_order(scopes: Sequence[str]) -> tuple[Answer, ...]:
    known: tuple[Answer, ...] = ("once", "step", "plan", "project", "no")
    return tuple(each for each in known if each in scopes)
