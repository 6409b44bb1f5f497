"""Start the app and leave it: the one door that the command line uses."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from turbo_tui.app.options import Options
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.core.plain import plain_lines

if TYPE_CHECKING:
    from turbo_tui.app.opened import OpenRun


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
    return code if code is not None else (app.return_code or 0)
