"""`turbo-tui session resume`: take a session up again, in the app or without it."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import click

from turbo_tui.adapters.sessions import (
    find_session,
    newest_session,
    sessions_folder,
    summary_of,
)
from turbo_tui.commands import headless
from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option, session_ids
from turbo_tui.commands.telling import tell
from turbo_tui.core.errors import UsageError
from turbo_tui.core.views import StepState
from turbo_tui.engine.approval import Approve
from turbo_tui.engine.run import Run
from turbo_tui.wiring import Workspace, open_workspace


@click.command("resume")
@click.argument("session", required=False, default="", metavar="[ID]", shell_complete=session_ids)
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option(
    "--approve",
    type=click.Choice(["none", "staged", "all"]),
    default=None,
    help="Go on without the app, and land what this allows (see: turbo-tui run --help).",
)
@click.option("--continue", "go_on", is_flag=True, help="Run an interrupted step on its kept work.")
@click.option("--restart", is_flag=True, help="Run an interrupted step afresh.")
@json_option("One event a line on stdout; no app.")
def command(
    session: str,
    *,
    path: str,
    here: bool,
    approve: str | None,
    go_on: bool,
    restart: bool,
    as_json: bool,
) -> None:
    """Take up a session where it stopped (default: the newest with work that waits).

    Nothing is run again by itself: an interrupted step waits, its work kept, until you say
    --continue or --restart, or decide in the app. Without --approve or --json the app opens.
    """
    if go_on and restart:
        raise click.UsageError("Choose one of --continue and --restart.")
    without_app = approve is not None or as_json or go_on or restart
    place, session_id = find(session, path, here=here)
    if not without_app:
        from turbo_tui.commands.open import open_in_app  # noqa: PLC0415  textual

        raise SystemExit(
            open_in_app(str(place.root), demo=False, here=True, new=False, session=session_id)
        )
    raise SystemExit(
        asyncio.run(
            _resume(
                place,
                session_id,
                approve=cast("Approve", approve or "none"),
                go_on=go_on,
                restart=restart,
                as_json=as_json,
            )
        )
    )


def find(session: str, path: str, *, here: bool) -> tuple[Workspace, str]:
    """Return the workspace and id that `session` means; a given id brings its own workspace.

    Raises:
        SessionError: There is no such session, or none yet.
    """
    place = open_workspace(path, here=here)
    if not session:
        return place, newest_session(place.state, place.root, "work")
    session_id = find_session(place.state, session)
    where = summary_of(sessions_folder(place.state) / session_id).workspace
    if where and where != str(place.root):
        place = open_workspace(where, here=True)
    return place, session_id


async def _resume(
    workspace: Workspace,
    session_id: str,
    *,
    approve: Approve,
    go_on: bool,
    restart: bool,
    as_json: bool,
) -> int:
    from turbo_tui.wiring.running import open_run  # noqa: PLC0415  heavy

    headless.tell_untrusted(workspace)
    opened = await open_run(workspace, session_id=session_id, approve=approve)
    run = opened.run
    if as_json:
        run.session.subscribe(headless.json_lines(sys.stdout), replay=True)
    else:
        run.session.subscribe(headless.progress(run, sys.stdout), replay=True)

    async def work() -> None:
        await take_up(run, approve=approve, go_on=go_on, restart=restart)

    try:
        if await headless.until_done(run, work):
            code = headless.finish(run)
        else:
            code = headless.finish(run, status="interrupted", reason="interrupted by a signal")
        if not as_json:
            tell(headless.closing_words(run))
    finally:
        await run.close()
    return code


async def take_up(run: Run, *, approve: Approve, go_on: bool, restart: bool) -> None:
    """Settle the steps that wait in order, as far as the flags allow, then go on with the plan.

    Raises:
        UsageError: --continue or --restart, and no step is interrupted or failed.
    """
    stuck = _first_stuck(run)
    if go_on or restart:
        if stuck is None:
            raise UsageError("No step of this session was interrupted; leave out the flag.")
        run.retry(stuck.step.id, keep_work=go_on)
        await run.idle()
        stuck = _first_stuck(run)
    if approve == "none":
        return
    for step in run.views.plan.plan.steps:
        state = run.views.plan.state(step.id)
        if state is None or not state.reviewable:
            continue
        if not _may_land(run, state) or state.moved or not run.landings.bases_known(state):
            return
        run.approve(step.id)
        await run.idle()
    if stuck is None and run.views.plan.next_step() is not None and not run.busy:
        run.go()


def _first_stuck(run: Run) -> StepState | None:
    stuck = {"interrupted", "failed"}
    return next((state for state in run.views.plan.steps if state.status in stuck), None)


def _may_land(run: Run, state: StepState) -> bool:
    """Staged, or refused by a disk or a permission: not what a person has to merge or settle."""
    if run.views.review.decisions(state.step.id, state.shown).open_clashes:
        return False
    refused = state.status == "conflict" and state.merged and state.merged == state.selected
    return state.status == "staged" or bool(refused)
