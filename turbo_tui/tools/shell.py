"""Run a command line in the step's stage."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError, ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import CommandResult, ToolContext
from turbo_tui.engine.context import head_and_tail
from turbo_tui.tools import grants
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "shell",
    "Run one command line with bash in the root of the workspace copy and return its exit code "
    "and output. It has no network, no terminal and no input, and everything it started ends "
    "with it: no servers, no `&`. It sees no file outside the workspace but the system's, and "
    "files with secrets, such as .env, are empty. If it cannot do without more, ask for that in "
    "`grants` and say why in `reason`: the user is asked.",
    parameters(
        ("command",),
        command={"type": "string", "description": "as typed in bash"},
        cwd={"type": "string", "description": "folder to run in; default: the root"},
        timeout_s={"type": "integer", "description": "seconds it may take; default 120"},
        grants=grants.PARAMETER,
        reason={"type": "string", "description": "why the grants are needed"},
    ),
)
EXAMPLE = {"command": "python -m pytest -q tests/test_app.py"}
OUTPUT_CHARS = 12_000
MOST_SECONDS = 1_800

# Servers and watchers whose only purpose is to keep running. A command that merely mentions one
# (`grep "npm start"`) is not refused: only the first words of a simple command are looked at.
_SERVERS = re.compile(
    r"""^(?:
        (?:npm|pnpm|yarn|bun)(?:\ run)?\ (?:start|dev|serve|watch)\b
      | (?:npx\ )?(?:vite(?=\s|$)(?!\ build)|nodemon|http-server|webpack\ serve|next\ (?:dev|start))
      | python[\d.]*\ -m\ (?:http\.server|flask\ run|uvicorn|gunicorn)\b
      | (?:uvicorn|gunicorn|hypercorn|daphne|streamlit\ run|jupyter\ (?:lab|notebook))\b
      | (?:flask\ run|rails\ s(?:erver)?|hugo\ server)\b
      | (?:python[\d.]*\ )?\S*manage\.py\ runserver\b
      | tail\ .*(?:-[a-zA-Z]*[fF]\b|--follow)
      | watch\ | docker(?:-|\ )compose\ up\b(?!.*\ -d)
      | (?:redis-server|postgres|mysqld|nginx)\b
    )""",
    re.VERBOSE,
)
_ASKS_FOR_HELP = frozenset({"--help", "--version", "-h", "-V"})
_ASSIGNMENT = re.compile(r"^\w+=")
_STARTERS = frozenset({"env", "exec", "time", "command"})
_DETACHES = frozenset({"nohup", "setsid", "disown"})
_NEEDS_TERMINAL = frozenset(
    {"vi", "vim", "nvim", "nano", "emacs", "less", "more", "top", "htop", "man", "ssh", "tmux"}
)


class Shell:
    """Run a command line."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return exit code and output, its middle cut out when long."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        command = given.text("command").strip()
        cwd = given.path("cwd", ".")
        timeout_s = given.number("timeout_s", 120, at_least=1, at_most=MOST_SECONDS)
        asked = grants.wanted(arguments)
        entry = context.stage.files.entry(cwd) if cwd != "." else None
        if cwd != "." and (entry is None or entry.kind == "file"):
            raise given.wrong("cwd", "is no folder of the workspace")
        refuse_endless(command)
        if asked:
            # What is agreed to is a command in a folder: the same words do other things elsewhere.
            shown = command if cwd == "." else f"cd {shlex.quote(cwd)} && {command}"
            await grants.ask_for(asked, shown, given.text("reason", "", empty=True), context)
        try:
            result = await context.stage.run(
                Command(("bash", "-c", command), cwd=cwd, timeout_s=float(timeout_s), grants=asked)
            )
        except SandboxError as error:
            if not asked:
                raise
            raise ToolError(f"{error} It was not run.") from error
        return answer(result, timeout_s, context)


def refuse_endless(command: str) -> None:
    """Refuse what would never return: servers, watchers, background jobs, full-screen programs.

    Raises:
        ToolError: The message says what to do instead.
    """
    commands, in_background = _simple_commands(command)
    if in_background or any(words[0] in _DETACHES for words in commands):
        raise ToolError(
            f"`{command}` leaves something running in the background, and all processes end with "
            "their command. Start it, use it and stop it in one command, for example: "
            "`server & pid=$!; sleep 1; client; kill $pid`."
        )
    stops_it = any(words[0] == "kill" for words in commands)
    for words in commands:
        said = " ".join(words)
        if _ASKS_FOR_HELP & set(words):
            continue
        if _SERVERS.match(said) and not stops_it:
            raise ToolError(
                f"`{said}` keeps running and would never return. A step cannot leave a server "
                "running. To check one, start and stop it in one command, for example: "
                f"`{said} & pid=$!; sleep 2; curl -s localhost:8000; kill $pid`."
            )
        if words[0] in _NEEDS_TERMINAL:
            raise ToolError(
                f"`{words[0]}` needs a terminal, and there is none. Use read_file and edit_file, "
                "or a command that prints and ends."
            )


def _simple_commands(command: str) -> tuple[list[list[str]], bool]:
    """Split a command line into its simple commands; tell whether the last is in background.

    Assignments and words that only start another command are taken off the front. What stands
    in a here-document or cannot be split is not looked at: bash will say what is wrong with it.
    """
    line = command.partition("<<")[0].rstrip().replace("\n", " ; ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return [], False
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token and set(token) <= set("&|;()"):
            commands.append([])
        elif commands[-1] or not (_ASSIGNMENT.match(token) or token in _STARTERS):
            commands[-1].append(token)
    in_background = bool(tokens) and tokens[-1] == "&"
    return [words for words in commands if words], in_background


def answer(result: CommandResult, timeout_s: float, context: ToolContext) -> str:
    """Say how a command ended.

    Raises:
        ToolError: It failed, and there is no model that would read so.
    """
    if context.fixed and (result.ended != "exited" or result.exit_code):
        raise ToolError(told(result, timeout_s))
    return told(result, timeout_s)


def told(result: CommandResult, timeout_s: float) -> str:
    """Say how a command ended, for a model."""
    ends = {
        "exited": f"exit code {result.exit_code}",
        "timeout": f"stopped after {timeout_s:g} s (time limit); exit code {result.exit_code}",
        "limit": f"stopped by the sandbox: it used too much; exit code {result.exit_code}",
        "cancelled": "cancelled",
        "refused": "refused by the sandbox",
    }
    notes = f"\n[{result.dropped_bytes:,} bytes were not kept]" if result.dropped_bytes else ""
    output = head_and_tail(result.output.rstrip(), OUTPUT_CHARS)
    return f"{ends[result.ended]}\n{output}{notes}".rstrip()
