"""`--json`, as every command has it: where it was said, a failure too is one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from turbo_tui.core.plain import plain_lines

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass
class Asked:
    """How the answer was asked for: what is known of a command line even where it fails."""

    as_json: bool = False


def json_option(says: str = "One JSON object on stdout.") -> Callable[[_Command], _Command]:
    """Return the option `--json`; a command takes it as `as_json`.

    Args:
        says: What `--help` says of it.
    """

    def remember(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001  click calls it so
        asked = context.find_object(Asked)
        if asked is not None:
            asked.as_json = value
        return value

    # Eager: read before anything that the command line may lack.
    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=remember, help=says
    )


def tell_failure(why: str, exit_code: int) -> None:
    """Write on stdout, for a program, what a person is told on stderr.

    Where events come one a line it may follow some: so it has a `kind` as they have.
    """
    error = {"message": plain_lines(why), "exit_code": exit_code}
    sys.stdout.write(json.dumps({"kind": "Failed", "error": error}) + "\n")
