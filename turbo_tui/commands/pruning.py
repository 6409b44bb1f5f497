"""`turbo-tui session prune`: delete old sessions with what only they need."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import click

from turbo_tui.adapters.pruning import Pruned, prunable, prune
from turbo_tui.adapters.sessions import SessionSummary, list_sessions
from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.session_words import size_in_words, write_json, write_lines
from turbo_tui.core.errors import UsageError
from turbo_tui.core.plain import plain, plural
from turbo_tui.engine.before import before_id
from turbo_tui.engine.verifying import verify_id
from turbo_tui.landing.forgetting import forget
from turbo_tui.sandbox.staging.stages import discard_left
from turbo_tui.wiring import Workspace, open_workspace

AGE = re.compile(r"(\d+)\s*([mhdw])")
SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@click.command("prune")
@click.option(
    "--keep", type=click.IntRange(min=0), default=None, metavar="N", help="Spare the newest N."
)
@click.option(
    "--older-than", "age", default="", metavar="AGE", help="Not used for AGE: 12h, 30d, 8w."
)
@click.option(
    "--also-waiting",
    is_flag=True,
    help="Also those with work waiting, interrupted, or of another version.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option("--all", "everywhere", is_flag=True, help="Of all workspaces.")
@json_option()
def command(
    *,
    keep: int | None,
    age: str,
    also_waiting: bool,
    dry_run: bool,
    path: str,
    here: bool,
    everywhere: bool,
    as_json: bool,
) -> None:
    """Delete old sessions with their content: beyond --keep, and older than --older-than.

    What they landed stays in your files and can no longer be taken back: what was there before is
    deleted too, as far as no other session needs it.

    What you wrote in a review and it could not take was put aside; it goes after 30 days, and
    the oldest of it beyond 20 MB.
    """
    if keep is None and not age:
        raise click.UsageError("Say which to delete: --keep N, --older-than AGE, or both.")
    place = open_workspace(path, here=here)
    chosen = prunable(
        list_sessions(place.state, None if everywhere else place.root),
        keep=keep,
        older_than_s=_seconds(age) if age else None,
        also_waiting=also_waiting,
    )
    pruned = asyncio.run(_prune(place, chosen, dry_run=dry_run))
    if as_json:
        write_json({**asdict(pruned), "dry_run": dry_run})
        return
    would = "would be deleted" if dry_run else "deleted"
    write_lines([f"{each.session_id}  {plain(each.task) or '-'}" for each in chosen])
    texts = f", {plural(pruned.texts, 'text')} put aside" if pruned.texts else ""
    if pruned.journals:
        texts += f", {plural(pruned.journals, 'record')} of landings"
    write_lines(
        [
            (
                f"{plural(len(pruned.sessions), 'session')}{texts} and "
                f"{plural(pruned.blobs, 'blob')} {would}, {size_in_words(pruned.size_bytes)}."
            )
        ]
    )
    if pruned.landings:
        can = "could" if dry_run else "can"
        what = f"{plural(pruned.landings, 'landing')} of these sessions {can} no longer be"
        write_lines([f"{what} taken back; your files stay as they are."])


async def _prune(place: Workspace, chosen: Sequence[SessionSummary], *, dry_run: bool) -> Pruned:
    would = partial(forget, place.state, dry_run=True)
    planned = prune(place.state, chosen, would, dry_run=True)
    if dry_run:
        return planned
    for stage in planned.stages:  # a crash may leave those beside it
        for name in (before_id(stage), verify_id(stage), stage):
            if (place.state / "stages" / name).exists():
                await discard_left(place.state, name)
    return prune(place.state, chosen, partial(forget, place.state))


def _seconds(age: str) -> float:
    found = AGE.fullmatch(age.strip().lower())
    if found is None:
        raise UsageError(f"{age!r} is no age. Give a number and m, h, d or w, such as 30d.")
    return int(found.group(1)) * SECONDS[found.group(2)]
