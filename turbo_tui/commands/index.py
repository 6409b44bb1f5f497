"""`turbo-tui index`: build the index of a workspace, or bring it up to date."""

from __future__ import annotations

import json
import sys
from contextlib import closing

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.search import as_value, progress, tell_state
from turbo_tui.commands.telling import tell
from turbo_tui.core.plain import plural
from turbo_tui.knowledge.service.client import Client
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.places import search_home


@click.command("index")
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option(
    "--forget",
    is_flag=True,
    help="Forget which files you opened, pinned and let land here; the index stays as it is.",
)
@json_option()
def command(*, path: str, here: bool, forget: bool, as_json: bool) -> None:
    """Build the index of a workspace, or bring it up to date; it returns when that is on disk.

    Searching does the same by itself; this is for doing it ahead.

    Which files you opened from the results, pinned and let land is remembered beside the index, on
    this machine alone, and counts a little when you search again. --forget erases that;
    `learn = false` below [knowledge] in your config.toml keeps it from being remembered.
    """
    home = search_home(open_workspace(path, here=here).root)
    if forget:
        with closing(Client(home)) as client:
            client.forget()
            index = client.index
        if as_json:
            sys.stdout.write(json.dumps({"index": as_value(index)}) + "\n")
        else:
            tell("What you opened, pinned and let land here is forgotten.\n")
        return
    shown = sys.stderr.isatty()
    with closing(Client(home)) as client:
        for state in client.build():
            if shown:
                sys.stderr.write(f"\r\x1b[K{progress(state)}")
                sys.stderr.flush()
        index = client.index
    if shown:
        sys.stderr.write("\r\x1b[K")
    tell_state(index)
    if as_json:
        sys.stdout.write(json.dumps({"index": as_value(index)}) + "\n")
    else:
        are = "is" if index.files == index.chunks == 1 else "are"
        tell(f"{plural(index.files, 'file')}, {plural(index.chunks, 'piece')} {are} indexed.\n")
