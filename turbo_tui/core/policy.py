"""What the user's rules say about something that is about to happen: deny before ask before allow.

What no rule speaks about is decided where it happens: what is staged runs and is reviewed
afterwards, what cannot be taken back is asked beforehand (engine/clearance.py, engine/approval.py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from turbo_tui.core.argv import Argv, certain, is_hidden, name_of, possible
from turbo_tui.core.events import Answer

Effect = Literal["allow", "ask", "deny"]
RuleKind = Literal["command", "path", "host", "tool"]
ActKind = Literal["command", "network", "path", "commit", "send", "tool"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What the user, or a project they trust, settled once.

    Attributes:
        pattern: `command`: the first words of an argv. `path`, `host`, `tool`: any of these.
            Words may hold `*` and `?`.
        source: Where it is written, for display.
    """

    effect: Effect
    kind: RuleKind
    pattern: tuple[str, ...]
    source: str = ""

    def __str__(self) -> str:
        return f"{self.effect} {self.kind} {' '.join(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Act:
    """Something about to happen.

    Attributes:
        kind: `command` runs `argv`; `network` gives it network; `commit` writes git history;
            `send` sends context to a host; `path` and `tool` use what `subject` names.
        subject: The path (absolute, or relative to the workspace), host or tool.
    """

    kind: ActKind
    argv: Argv = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided, and why.

    Attributes:
        rule: The rule or mode that decided, in words; empty when none did.
        scopes: Answers that make sense when it is `ask`; empty otherwise.
    """

    decision: Effect
    reason: str
    rule: str = ""
    scopes: tuple[Answer, ...] = ()


HIDDEN = Rule("ask", "command", ("(a name made while it runs)",))
HIDDEN_WHY = "The name of a command is made while it runs, so your rules cannot be held against it."


def ruling(act: Act, rules: Iterable[Rule], *, workspace: str = "/") -> Rule | None:
    """Return the rule that speaks about an act: deny before ask before allow; else None."""
    rules = tuple(rules)
    for effect in ("deny", "ask"):
        for rule in rules:
            if rule.effect == effect and _may_match(rule, act, workspace):
                return rule
    closed = any(rule.kind == "command" and rule.effect != "allow" for rule in rules)
    if (
        closed
        and act.kind == "command"
        and _allowed_literally(act.argv, rules) is None
        and is_hidden(act.argv)
    ):
        return HIDDEN
    return _allowing(act, tuple(rule for rule in rules if rule.effect == "allow"), workspace)


# --- matching ----------------------------------------------------------------


def _may_match(rule: Rule, act: Act, workspace: str) -> bool:
    """Tell whether a deny or ask rule speaks about an act, in doubt yes."""
    commands = possible(act.argv) if act.argv else ()
    match rule.kind:
        case "command":
            return any(_fits_loosely(rule.pattern, argv) for argv in commands)
        case "tool":
            return act.kind == "tool" and _any_glob(rule.pattern, (act.subject,))
        case "host":
            subjects = [act.subject] if act.kind in {"network", "send"} else []
            subjects += [word for argv in commands for word in argv[1:]]
            return _any_glob(rule.pattern, [host for text in subjects for host in _hosts(text)])
        case "path":
            words = [act.subject] if act.kind == "path" else []
            words += [word for argv in commands for word in argv]
            paths = [path for word in words for path in _paths(word, workspace)]
            return _any_glob(rule.pattern, paths)


def _allowing(act: Act, rules: tuple[Rule, ...], workspace: str) -> Rule | None:
    """Return the allow rule that covers all of an act for certain."""
    if act.kind == "command" or (act.kind == "network" and act.argv):
        return _allowing_command(act.argv, [rule for rule in rules if rule.kind == "command"])
    kinds: dict[ActKind, RuleKind] = {
        "path": "path",
        "tool": "tool",
        "network": "host",
        "send": "host",
    }
    for rule in rules:
        if rule.kind != kinds.get(act.kind):
            continue
        subjects = _paths(act.subject, workspace)[:2] if act.kind == "path" else (act.subject,)
        if _any_glob(rule.pattern, subjects):
            return rule
    return None


def _allowing_command(argv: Argv, rules: list[Rule]) -> Rule | None:
    literally = _allowed_literally(argv, rules)
    if literally is not None:
        return literally
    parts = certain(argv)
    if parts is None:
        return None
    found = [next((rule for rule in rules if _begins(rule.pattern, part)), None) for part in parts]
    return None if None in found else found[0]


def _allowed_literally(argv: Argv, rules: Iterable[Rule]) -> Rule | None:
    literal = tuple(_literal(word) for word in argv)
    own = (each for each in rules if each.effect == "allow" and each.kind == "command")
    return next((each for each in own if each.pattern in {argv, literal}), None)


def _begins(pattern: tuple[str, ...], argv: Argv) -> bool:
    return len(pattern) <= len(argv) and all(map(_glob, argv, pattern))


def _fits_loosely(pattern: tuple[str, ...], argv: Argv) -> bool:
    """Match a command whatever its folder and wherever its options stand.

    A word behind an option may be its value: `git -C lib push` is `git push`. Short options
    come in clusters: `rm -fr` has all of `rm -rf`.
    """
    if (
        not pattern
        or not argv
        or not (_glob(name_of(argv), pattern[0]) or _glob(argv[0], pattern[0]))
    ):
        return False
    have = set(_options(argv[1:]))
    if not all(_has_option(have, word) for word in pattern[1:] if _is_option(word)):
        return False
    plain = [
        (word, _is_option(argv[at])) for at, word in enumerate(argv[1:]) if not _is_option(word)
    ]
    return _in_order([word for word in pattern[1:] if not _is_option(word)], plain)


def _in_order(wanted: list[str], words: list[tuple[str, bool]]) -> bool:
    """Match `wanted` against the first words, where words marked True may be passed over."""
    if not wanted:
        return True
    for at, (word, optional) in enumerate(words):
        if _glob(word, wanted[0]) and _in_order(wanted[1:], words[at + 1 :]):
            return True
        if not optional:
            return False
    return False


def _is_option(word: str) -> bool:
    return word.startswith("-") and len(word) > 1


def _options(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("--"):
            yield word
            yield word.partition("=")[0]
        elif _is_option(word):
            yield word
            yield from (f"-{letter}" for letter in word[1:] if word[1:].isalpha())


def _has_option(have: set[str], wanted: str) -> bool:
    if any(_glob(option, wanted) for option in have):
        return True
    letters = {f"-{letter}" for letter in wanted[1:]}
    return wanted[1:].isalpha() and letters <= have


def _hosts(text: str) -> Iterator[str]:
    """Yield what may be a host in a word: of a URL, of `user@host:path`, or the word itself."""
    yield text
    address = re.search(r"\w+://\S+", text)
    if address:
        try:
            yield (urlsplit(address.group()).hostname or "").rstrip(".")
        except ValueError:
            return
    # No scheme is needed: `curl Example.com./x`, `--url=example.com:8`.
    bare = re.sub(r"[:/?#].*", "", text.rpartition("@")[2].rpartition("=")[2], flags=re.DOTALL)
    yield bare.lower().rstrip(".")


def _paths(word: str, workspace: str) -> tuple[str, ...]:
    """Return the ways a rule may name a path: below the workspace, and absolute."""
    found: list[str] = []
    value = word.partition("=")[2]
    # `curl -d @.env`, `-F f=@.env`: a file by another sign.
    for text in dict.fromkeys((word, value, word.removeprefix("@"), value.removeprefix("@"))):
        if text and "\0" not in text:
            absolute = posixpath.normpath(posixpath.join(workspace, text))
            relative = posixpath.relpath(absolute, workspace)
            found += [absolute if relative.startswith("..") else relative, absolute]
    return tuple(found)


def _any_glob(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    texts = tuple(texts)
    return any(_glob(text, pattern) for pattern in patterns for text in texts)


def _glob(text: str, pattern: str) -> bool:
    return text == pattern or fnmatchcase(text, pattern)


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
