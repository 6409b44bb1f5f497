"""What the user's rules say about an ask, before a person is troubled."""

from __future__ import annotations

from turbo_tui.core.policy import Act, ActKind, Effect, Rule, ruling
from turbo_tui.core.ports import Ask
from turbo_tui.engine.approval import Rules

KINDS: dict[str, ActKind] = {
    "command": "command",
    "network": "network",
    "path": "path",
    "commit": "commit",
    "send": "send",
}


def act_of(ask: Ask) -> Act:
    """Describe an ask as policy sees it: commands as the shell line that would run."""
    kind = KINDS.get(ask.action, "tool")
    argv = ("bash", "-c", ask.subject) if kind in {"command", "network"} else ()
    return Act(kind, argv=argv, subject=ask.subject if kind != "tool" else ask.action)


def by_rules(rules: tuple[Rule, ...], workspace: str) -> Rules:
    """Return what answers asks by rule: deny before ask before allow."""

    def decide(ask: Ask) -> tuple[Effect, str]:
        rule = ruling(act_of(ask), rules, workspace=workspace)
        return ("ask", "") if rule is None else (rule.effect, str(rule))

    return decide
