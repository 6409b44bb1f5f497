"""What a shell is offered behind a Tab. It is waited for, so only names of folders are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from turbo_tui.config import paths

_Command = TypeVar("_Command", bound=Callable[..., object])


def place_option(
    says: str = "The workspace; default: here.",
) -> Callable[[_Command], _Command]:
    """Return the option `-C PATH`; a command takes it as `path`.

    Args:
        says: What `--help` says of it.
    """
    return click.option(
        "-C", "path", default=".", metavar="PATH", help=says, shell_complete=folders
    )


def folders(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Let the shell itself offer folders."""
    return [CompletionItem(incomplete, type="dir")]


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Let the shell itself offer files."""
    return [CompletionItem(incomplete, type="file")]


def session_ids(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the sessions of all workspaces, newest first; what each was about is not read."""
    try:
        found = sorted((each.name for each in (paths().state / "sessions").iterdir()), reverse=True)
    except OSError:  # none yet, or none to be read: the command itself says why
        return []
    return [CompletionItem(each) for each in found if each.startswith(incomplete)]
