"""`turbo-tui policy`: say what the rules make of a command, and run nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.telling import encodable
from turbo_tui.core.plain import plain
from turbo_tui.core.policy import Decision
from turbo_tui.engine.clearance import foretell
from turbo_tui.wiring import open_workspace


@click.group("policy")
def command() -> None:
    """Look into what is allowed, asked and denied."""


@command.command(
    "check",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[-C PATH] [--json] --",
)
@click.argument("argv", nargs=-1, required=True, metavar="CMD…", type=click.UNPROCESSED)
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@json_option()
def check_command(argv: tuple[str, ...], *, path: str, here: bool, as_json: bool) -> None:
    """Say whether a step could run CMD: allow, ask or deny, and why. Nothing is run.

    It is decided as for a step: by your rules, the project's, what you answered before, and the
    sandbox of this machine. A shell line is given as `-- bash -c 'LINE'`. Exit code 0 whatever
    the decision.
    """
    if argv[0].startswith("-"):
        raise click.UsageError(f"There is no option {argv[0]}. Write -- before the command.")
    if not argv[0].strip():
        raise click.UsageError("The command is empty. Name a program behind --.")
    if len(argv) == 1 and len(argv[0].split()) > 1 and shutil.which(argv[0]) is None:
        raise click.UsageError(
            f"There is no program called {argv[0]!r}. Give its words apart "
            f"(turbo-tui policy check -- {argv[0]}), or a shell line as -- bash -c 'LINE'."
        )
    decision = asyncio.run(_decision(argv, path, here=here))
    if as_json:
        sys.stdout.write(json.dumps(asdict(decision), indent=1) + "\n")
    else:
        for each in in_words(decision):
            sys.stdout.write(encodable(each, sys.stdout) + "\n")


async def _decision(argv: tuple[str, ...], path: str, *, here: bool) -> Decision:
    place = open_workspace(path, here=here)
    stages = await place.stages()
    return foretell(
        argv,
        place.settings.rules,
        place.project,
        workspace=os.fspath(place.root),
        level=stages.report.level,
    )


def in_words(decision: Decision) -> Iterator[str]:
    """Say a decision for a person; what rules and paths say is data."""
    yield f"{decision.decision}: {plain(decision.reason)}"
    if decision.rule:
        yield f"  rule: {plain(decision.rule)}"
    if decision.scopes:
        yield f"  answers: {', '.join(decision.scopes)}"
