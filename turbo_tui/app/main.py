"""Start the app and leave it: the one door that the command line uses."""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from turbo_tui.app.options import Options
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.core.plain import plain_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turbo_tui.app.opened import OpenRun
    from turbo_tui.core.views import StepState


def run_app(open_run: OpenRun, options: Options | None = None) -> int:
    """Show the app until the user leaves; return the exit code.

    The first frame is painted before `open_run` is called, so whatever it imports delays
    nothing that the user sees. Whatever happens, the session is closed and can be resumed.

    Args:
        open_run: Opens the session; may put questions through the `Front` it is given.
        options: How the app looks.
    """
    return asyncio.run(show(TurboApp(open_run, options)))


async def show(app: TurboApp) -> int:
    """Run the app on this event loop; return the exit code."""
    try:
        code = await app.run_async(mouse=app.options.mouse)
    finally:
        await app.close_session()
    if app.defect is not None:
        sys.stderr.write(plain_lines("".join(traceback.format_exception(app.defect))))
        sys.stderr.write(
            "turbo-tui stopped on a defect of its own, shown above. Nothing is lost: the session "
            "is kept, and is offered when you start turbo-tui here again.\n"
        )
        return 1
    if app.failure is not None:
        return app.failure.exit_code
    if app.opened is not None and not app.opened.label:  # the demo's session goes with its folder
        run = app.opened.run
        with suppress(OSError):  # the terminal itself may have gone
            sys.stderr.write(
                plain_lines(left_waiting(run.views.plan.steps, run.session.session_id))
            )
    return code if code is not None else (app.return_code or 0)


def left_waiting(steps: Sequence[StepState], session_id: str) -> str:
    """Say what is left to do in a session that was closed, and how to go on; empty for nothing."""
    cut_off = [state.step.id for state in steps if state.status == "interrupted"]
    review = [s.step.id for s in steps if s.reviewable and s.step.id not in cut_off]
    to_run = [state.step.id for state in steps if state.status == "proposed"]
    told = [
        f"step {found[0]} {words[0]}" if len(found) == 1 else f"{len(found)} steps {words[1]}"
        for found, words in (
            (review, ("waits for its review", "wait for their review")),
            (cut_off, ("was cut off", "were cut off")),
            (to_run, ("has not run yet", "have not run yet")),
        )
        if found
    ]
    if not told:
        return ""
    return f"turbo-tui: {', '.join(told)}. Go on with: turbo-tui session resume {session_id}\n"
