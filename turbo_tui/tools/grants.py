"""What a command needs beyond its stage: read from a call, asked of the user, given to it alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import cast

from turbo_tui.core.command import Grants
from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import Ask, ToolContext
from turbo_tui.tools.arguments import Arguments, parameters

MOST_PATHS, MOST_HOSTS = 5, 20
SCOPES = ("once", "step", "plan", "no")

PARAMETER: dict[str, object] = {
    **parameters(
        (),
        hosts={
            "type": "array",
            "items": {"type": "string"},
            "description": "hosts to reach over HTTP(S), such as pypi.org or *.npmjs.org",
        },
        network={"type": "boolean", "description": "any host; prefer hosts"},
        read={
            "type": "array",
            "items": {"type": "string"},
            "description": "absolute paths outside the workspace to read",
        },
        write={
            "type": "array",
            "items": {"type": "string"},
            "description": "absolute paths outside the workspace to write",
        },
        ptrace={"type": "boolean", "description": "debug its own processes (strace, gdb)"},
        unix_sockets={"type": "boolean", "description": "make unix sockets of its own"},
    ),
    "description": "what the command cannot do without; the user is asked for each",
}
_NAMES = frozenset({"hosts", "network", "read", "write", "ptrace", "unix_sockets"})
_EXAMPLE = {"hosts": ["pypi.org", "files.pythonhosted.org"]}
_SPEC = ToolSpec("shell", "", PARAMETER)
# What a line of a question could hide: control characters, and marks that turn text around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


def wanted(arguments: Mapping[str, object]) -> Grants:
    """Read what a call asks for, in its `grants` or beside it; models write both.

    Raises:
        ToolError: It cannot be read.
    """
    given = {name: value for name, value in arguments.items() if name in _NAMES}
    given |= _object(arguments.get("grants"))
    if isinstance(given.get("network"), list):  # a list of hosts, by another name
        given["hosts"] = [*_listed(given.get("hosts")), *_listed(given.pop("network"))]
    asked = Arguments(_SPEC, {"grants": _EXAMPLE}, given)
    hosts = tuple(dict.fromkeys(asked.texts("hosts")))
    readable = tuple(dict.fromkeys(asked.texts("read")))
    writable = tuple(dict.fromkeys(asked.texts("write")))
    if len(hosts) > MOST_HOSTS:
        raise asked.wrong("hosts", f"names more than {MOST_HOSTS}: name those it cannot do without")
    for host in hosts:
        if not host or _UNPRINTABLE.search(host) or set(host) & set(" ,/@"):
            raise asked.wrong("hosts", "must be names of hosts alone, such as pypi.org")
    for name, paths in (("read", readable), ("write", writable)):
        if len(paths) > MOST_PATHS:
            raise asked.wrong(name, f"names more than {MOST_PATHS}: name the folder they are in")
        for path in paths:
            if not path.startswith("/") or ".." in path.split("/") or _UNPRINTABLE.search(path):
                raise asked.wrong(name, "must be absolute paths outside the workspace, without ..")
    everything = asked.flag("network")
    return Grants(
        network="all" if everything else "hosts" if hosts else "off",
        hosts=() if everything else hosts,
        ptrace=asked.flag("ptrace"),
        unix_sockets=asked.flag("unix_sockets"),
        readable=tuple(path for path in readable if path not in writable),
        writable=writable,
    )


def _object(value: object) -> dict[str, object]:
    """Return what a model wrote as `grants`: an object, its text, or names alone."""
    if isinstance(value, str) and value.strip().startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            raise _unreadable(value) from None
    names = [value] if isinstance(value, str) and value else value
    if isinstance(names, list):
        flags = {str(name): True for name in cast("list[object]", names)}
        if not flags.keys() <= _NAMES - {"hosts", "read", "write"}:
            raise _unreadable(value)
        return dict(flags)
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise _unreadable(value)
    given = dict(cast("Mapping[str, object]", value))
    if not given.keys() <= _NAMES:
        raise _unreadable(given)
    return given


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value] if value else []


def _unreadable(value: object) -> ToolError:
    shown = json.dumps(value, ensure_ascii=False, default=str)[:80]
    return ToolError(
        f"shell: argument 'grants' must be an object with {', '.join(sorted(_NAMES))}; given was "
        f"{shown}. Example: {json.dumps({'grants': _EXAMPLE})}"
    )


async def ask_for(grants: Grants, command: str, reason: str, context: ToolContext) -> None:
    """Put each of the grants before the user.

    Args:
        grants: What is wanted.
        command: What it is for, in its folder: they are granted to it alone.
        reason: The model's.
        context: Who asks.

    Raises:
        ToolError: One was not allowed, or cannot be given here, which nobody is asked about; the
            message says which and what to do.
    """
    impossible = context.why_not(grants) if context.why_not is not None else ""
    if impossible:
        raise ToolError(f"{impossible} It was not run, and the user was not asked.")
    why = reason.strip() or "the model gave no reason"
    for ask, refused in _questions(grants, command, why):
        verdict = await context.ask(ask)
        if not verdict.allowed:
            said = f" They said: {verdict.feedback}." if verdict.feedback else ""
            raise ToolError(f"{refused}.{said} It was not run. {_instead(ask.action)}")


def _questions(grants: Grants, command: str, reason: str) -> Iterator[tuple[Ask, str]]:
    """Yield each question with the words for its refusal.

    A subject says all that is agreed to, and two that differ never look the same: an answer that
    is remembered for a step or a plan holds for an equal one alone.
    """
    asked = Ask("", command, reason, scopes=SCOPES)
    of = f"the user did not allow it for `{command}`"
    if grants.network == "all":
        yield replace(asked, action="network"), f"The network is off: {of}"
    if grants.network == "hosts":
        hosts = ", ".join(grants.hosts)
        subject = _two_lines(hosts, command)
        yield replace(asked, action="hosts", subject=subject), f"{hosts}: {of}"
    if grants.ptrace:
        yield replace(asked, action="ptrace"), f"Debugging is off: {of}"
    if grants.unix_sockets:
        reached = (
            "With the network as well, it reaches some sockets of your programs."
            if grants.network == "all"
            else "It may reach services of the system whose sockets lie outside of /run."
        )
        asked = replace(asked, reason=f"{reason} ({reached})".lstrip())
        yield replace(asked, action="sockets"), f"Unix sockets are off: {of}"
        asked = replace(asked, reason=reason)
    paths = (*_named("read", grants.readable), *_named("write", grants.writable))
    for use, path in paths:
        subject = _two_lines(f"{use} {path}", command)
        yield replace(asked, action="path", subject=subject), f"{path} stays closed: {of}"


def _two_lines(granted: str, command: str) -> str:
    return f"{granted}\n{command}"


def _named(use: str, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        yield use, path


def _instead(action: str) -> str:
    match action:
        case "network" | "hosts":
            return "Work with what is installed, or say what is missing and end the step."
        case "path":
            return "Work with the files of the workspace, or say what is missing and end the step."
        case _:
            return "Find out another way, or say what is missing and end the step."
