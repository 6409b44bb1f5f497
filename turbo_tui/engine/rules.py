"""What the user's rules say about an ask, before a person is troubled."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from turbo_tui.core.policy import Act, ActKind, Effect, Rule, ruling
from turbo_tui.core.ports import Ask
from turbo_tui.engine.approval import Rules

KINDS: dict[str, ActKind] = {
    "command": "command",
    "unsandboxed": "command",
    "network": "network",
    "hosts": "network",
    "path": "path",
    "commit": "commit",
    "send": "send",
}


def act_of(ask: Ask) -> Act:
    """Describe an ask as policy sees it.

    A command is asked about by its argv, joined; what wants the network, by its shell line.

    The grants of a command say first what is granted (`read /data`, `pypi.org, a.example`) and,
    from the second line on, for which command.
    """
    kind = KINDS.get(ask.action, "tool")
    granted, _, command = ask.subject.partition("\n")
    match ask.action:
        case "hosts":
            return Act(kind, argv=("bash", "-c", command), subject=granted)
        case "path":
            use, _, path = granted.partition(" ")
            return Act(kind, subject=path if use in {"read", "write"} else granted)
        case "command" | "unsandboxed":
            return Act(kind, argv=tuple(shlex.split(ask.subject)), subject=ask.subject)
        case _:
            argv = ("bash", "-c", ask.subject) if kind == "network" else ()
            return Act(kind, argv=argv, subject=ask.subject if kind != "tool" else ask.action)


def by_rules(rules: tuple[Rule, ...], workspace: str) -> Rules:
    """Return what answers asks by rule: deny before ask before allow."""

    def decide(ask: Ask) -> tuple[Effect, str]:
        act = act_of(ask)
        rule = ruling(act, rules, workspace=workspace)
        if ask.action == "hosts" and (rule is None or rule.effect == "allow"):
            rule = _about_hosts(act.subject.split(", "), rules, workspace) or rule
        return ("ask", "") if rule is None else (rule.effect, str(rule))

    return decide


def _about_hosts(hosts: Sequence[str], rules: tuple[Rule, ...], workspace: str) -> Rule | None:
    """Return the rule that speaks about one of the hosts, or that allows the last of all."""
    closed = [rule for rule in rules if rule.kind == "host" and rule.effect != "allow"]
    for effect in ("deny", "ask"):
        for rule in closed:
            if rule.effect == effect and any(_may_be_meant(rule, host) for host in hosts):
                return rule
    found = [ruling(Act("network", subject=host), rules, workspace=workspace) for host in hosts]
    return found[-1] if all(rule is not None and rule.effect == "allow" for rule in found) else None


def _may_be_meant(rule: Rule, host: str) -> bool:
    """Whether a rule names a host, without its port, or one of those that `*.name` takes in."""
    name = re.sub(r":\d+$", "", host.lower().rstrip("."))
    return any(fnmatchcase(name, each) or fnmatchcase(each, name) for each in rule.pattern)
