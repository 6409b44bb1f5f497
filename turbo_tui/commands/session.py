"""`turbo-tui session`: list, show, verify, repair, prune, undo and redo what sessions did."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar, Literal

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option, session_ids
from turbo_tui.commands.session_words import (
    as_json_object,
    in_words,
    table,
    write_json,
    write_lines,
)
from turbo_tui.core.errors import SessionError, UsageError
from turbo_tui.core.plain import plain
from turbo_tui.wiring import Workspace, open_workspace

if TYPE_CHECKING:
    from turbo_tui.adapters.sessions import Wanted
    from turbo_tui.core.views import Views

BROKEN = 5


class SessionCommands(click.Group):
    """The subcommands; those with more to import are imported only when named."""

    elsewhere: ClassVar[dict[str, str]] = {
        "prune": "turbo_tui.commands.pruning",
        "resume": "turbo_tui.commands.resume",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands."""
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import what lies elsewhere."""
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        found: click.Command = importlib.import_module(self.elsewhere[cmd_name]).command
        return found


@click.group("session", cls=SessionCommands)
def command() -> None:
    """Look after sessions: what was asked, done, landed, and taking it back.

    ID is a session's id or the beginning of it; by default the newest of the workspace in which
    there is what the command is about: a task, work that waits, a landing.
    """


_id = click.argument(
    "session", required=False, default="", metavar="[ID]", shell_complete=session_ids
)
_place = place_option()
_here = click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
_json = json_option()
_all = click.option("--all", "everywhere", is_flag=True, help="Of all workspaces.")


# --- list and show -----------------------------------------------------------


@command.command("list")
@_place
@_here
@_all
@_json
def list_command(*, path: str, here: bool, everywhere: bool, as_json: bool) -> None:
    """List sessions, newest first, and what each needs."""
    from turbo_tui.adapters.sessions import list_sessions  # noqa: PLC0415  sqlite

    place = open_workspace(path, here=here)
    found = list_sessions(place.state, None if everywhere else place.root)
    if as_json:
        write_json({"sessions": [asdict(each) for each in found]})
    elif found:
        write_lines(table(found, with_workspace=everywhere))
    else:
        where = "on this machine" if everywhere else f"on {place.root}"
        write_lines([f"No session {where} yet. `turbo-tui` opens the app and begins one."])


@command.command("show")
@_id
@_place
@_here
@click.option("--log", "with_log", is_flag=True, help="Also every tool call, command and check.")
@_json
def show_command(session: str, *, path: str, here: bool, with_log: bool, as_json: bool) -> None:
    """Show a session: its task, steps, landings and what it cost."""
    from turbo_tui.adapters.sessions import sessions_folder, summary_of  # noqa: PLC0415

    place, session_id = _found(session, path, here=here)
    summary = summary_of(sessions_folder(place.state) / session_id)
    views = _views(place, session_id)
    if as_json:
        write_json(as_json_object(summary, views, with_log=with_log))
    else:
        write_lines(in_words(summary, views, with_log=with_log))


# --- verify and repair -------------------------------------------------------


@command.command("verify")
@_id
@_place
@_here
@click.option("--all", "everywhere", is_flag=True, help="Every session of all workspaces.")
@_json
def verify_command(session: str, *, path: str, here: bool, everywhere: bool, as_json: bool) -> None:
    """Check that not a byte of a session's log was altered; exit 5 when one was."""
    from turbo_tui.adapters.log_repair import verify  # noqa: PLC0415
    from turbo_tui.adapters.sessions import list_sessions, sessions_folder  # noqa: PLC0415

    if everywhere:
        place = open_workspace(path, here=here)
        chosen = [each.session_id for each in list_sessions(place.state)]
    else:
        place, session_id = _found(session, path, here=here)
        chosen = [session_id]
    results: list[dict[str, object]] = []
    for session_id in chosen:
        result: dict[str, object] = {"session": session_id, "ok": True, "error": ""}
        try:
            checked = verify(sessions_folder(place.state) / session_id)
        except SessionError as error:
            result |= {"ok": False, "error": str(error)}
            sys.stderr.write(f"turbo-tui: {plain(str(error))}\n")
        else:
            result |= {"records": checked.records, "closed": checked.closed}
            every = "every byte is as it was" if checked.closed else "it was not closed yet"
            if not as_json:
                said = f"session {session_id}: {checked.records} records, all whole; {every}."
                write_lines([said])
        results.append(result)
    if as_json:
        write_json({"sessions": results} if everywhere else results[0])
    if not all(result["ok"] for result in results):
        raise SystemExit(BROKEN)


@command.command("repair")
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.option("--keep", type=click.IntRange(min=0), required=True, metavar="SEQ")
@_place
@_json
def repair_command(session: str, *, keep: int, path: str, as_json: bool) -> None:
    """Write a broken log anew with its first SEQ records; the broken one is kept aside."""
    from turbo_tui.adapters.log_repair import repair  # noqa: PLC0415
    from turbo_tui.adapters.sessions import find_session, sessions_folder  # noqa: PLC0415

    place = open_workspace(path)
    session_id = find_session(place.state, session)
    aside = repair(sessions_folder(place.state) / session_id, keep)
    if as_json:
        write_json({"session": session_id, "records": keep, "aside": str(aside)})
    else:
        write_lines([f"session {session_id}: {keep} records kept. The broken log lies in {aside}."])


# --- undo and redo -----------------------------------------------------------


@command.command("undo")
@_id
@click.option("--step", "step_id", default="", metavar="STEP", help="This step; `all`: every one.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken back.")
@_place
@_here
@_json
def undo_command(
    session: str, *, step_id: str, dry_run: bool, path: str, here: bool, as_json: bool
) -> None:
    """Take back what a session landed: by default its last landed step, else any.

    What landed or was changed since stays, as far as it touches other lines. Where it touches
    the same ones nothing is written, and exit is 1.

    ID names a session; a step of it is named by --step: `turbo-tui session undo --step s2`.
    """
    _turn(session, "undo", step_id, path, dry_run=dry_run, here=here, as_json=as_json)


@command.command("redo")
@_id
@click.option("--step", "step_id", default="", metavar="STEP", help="This step; `all`: every one.")
@click.option("--dry-run", is_flag=True, help="Only say what would land again.")
@_place
@_here
@_json
def redo_command(
    session: str, *, step_id: str, dry_run: bool, path: str, here: bool, as_json: bool
) -> None:
    """Land again what was taken back: by default the step that was undone last.

    As with undo, nothing is written where the same lines were changed since; exit 1 then. A
    step is named by --step.
    """
    _turn(session, "redo", step_id, path, dry_run=dry_run, here=here, as_json=as_json)


def _turn(
    session: str,
    way: Literal["undo", "redo"],
    step_id: str,
    path: str,
    *,
    dry_run: bool,
    here: bool,
    as_json: bool,
) -> None:
    from turbo_tui.commands import undoing  # noqa: PLC0415

    try:
        place, session_id = _found(session, path, here=here, wanted="landed")
    except SessionError as error:
        raise _meant_step(session, way, path, here=here) or error from None
    outcome = asyncio.run(undoing.turn(place, session_id, step_id, way=way, dry_run=dry_run))
    if as_json:
        write_json(undoing.as_json(outcome, session_id, way, dry_run=dry_run))
    else:
        write_lines(plain(line) for line in undoing.in_words(outcome, way, dry_run=dry_run))
    for line in undoing.refused_in_words(outcome, session_id, way):
        sys.stderr.write(f"turbo-tui: {plain(line)}\n")
    if outcome.conflicts:
        raise SystemExit(1)


# --- words and places --------------------------------------------------------


def _found(
    session: str, path: str, *, here: bool, wanted: Wanted = "task"
) -> tuple[Workspace, str]:
    """Return the workspace and id that `session` means; a given id brings its own workspace."""
    from turbo_tui.adapters.sessions import (  # noqa: PLC0415
        find_session,
        newest_session,
        sessions_folder,
        summary_of,
    )

    place = open_workspace(path, here=here)
    if not session:
        return place, newest_session(place.state, place.root, wanted)
    session_id = find_session(place.state, session)
    where = summary_of(sessions_folder(place.state) / session_id).workspace
    if where and where != str(place.root):
        place = _elsewhere(place, where)
    return place, session_id


def _meant_step(
    given: str, way: Literal["undo", "redo"], path: str, *, here: bool
) -> UsageError | None:
    """Return what to say to who gave a step where a session is expected; None if it is none."""
    try:
        _, newest = _found("", path, here=here, wanted="landed")
        steps = _views(open_workspace(path, here=here), newest).plan.known_ids
    except SessionError:
        return None
    if given not in {*steps, "all"}:
        return None
    what, it = f"{given!r} is a step of the newest session here", "it"
    if given not in steps:
        what, it = "'all' means every step", "them"
    does = f"takes {it} back" if way == "undo" else f"lands {it} again"
    return UsageError(
        f"{what}, and a session is expected there. `turbo-tui session {way} --step {given}` {does}."
    )


def _elsewhere(place: Workspace, where: str) -> Workspace:
    """Return a session's own workspace; a workspace that is gone leaves the log readable."""
    from turbo_tui.core.errors import WorkspaceError  # noqa: PLC0415

    try:
        return open_workspace(where, here=True)
    except WorkspaceError:
        return place


def _views(place: Workspace, session_id: str) -> Views:
    from turbo_tui.adapters.event_store import read_log  # noqa: PLC0415
    from turbo_tui.adapters.sessions import sessions_folder  # noqa: PLC0415
    from turbo_tui.core.views import Views  # noqa: PLC0415

    views = Views()
    for record in read_log(sessions_folder(place.state) / session_id):
        views.apply(record)
    return views
