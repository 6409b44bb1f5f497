"""Open the app on a workspace: everything it needs is asked for after its first frame."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.app.main import run_app
from turbo_tui.app.options import Options
from turbo_tui.core.errors import UsageError
from turbo_tui.sandbox.confine.scratch import delete_left, make_locked, remove
from turbo_tui.wiring import Workspace, open_workspace

if TYPE_CHECKING:
    from turbo_tui.app.opened import Front, Opened, OpenRun

DEMO_PREFIX = "turbo-tui-demo-"


def open_in_app(path: str, *, demo: bool, here: bool, new: bool, session: str) -> int:
    """Open the app; return the exit code.

    Raises:
        TurboError: The folder or a setting cannot be used; nothing was painted yet.
    """
    if demo:
        need_terminal()
        # Locked until we end, however we do: so the next demo may delete it if we could not.
        folder, _ = make_locked(Path(tempfile.gettempdir()), DEMO_PREFIX)
        atexit.register(remove, folder)
        return run_app(demo_opener(folder), Options(title="demo"))
    workspace = open_workspace(path, here=here)
    need_terminal(session=session)
    opener = session_opener(workspace, new=new, session=session, here=here)
    return run_app(opener, Options(title=workspace.root.name or str(workspace.root)))


def need_terminal(*, session: str = "") -> None:
    """Stop where nobody could see the app or type: it would wait for a key for ever.

    Args:
        session: The one to be taken up; empty for none in particular.

    Raises:
        UsageError: A standard stream is no terminal, or the terminal cannot draw.
    """
    if os.environ.get("TEXTUAL_DRIVER"):  # one that serves the app elsewhere, as to a browser
        return
    streams = {"input": sys.__stdin__, "output": sys.__stdout__, "error": sys.__stderr__}
    no_terminal = [name for name, each in streams.items() if each is None or not each.isatty()]
    if no_terminal:
        are = "is none" if len(no_terminal) == 1 else "are none"
        why = f"The app needs a terminal, and standard {' and '.join(no_terminal)} {are}."
    elif os.environ.get("TERM") == "dumb":
        why = "The app needs a terminal that can draw; TERM=dumb says that this one cannot."
    else:
        return
    others = "`turbo-tui run TASK`, plan, search and others: `turbo-tui --help`"
    if session:
        others = f"`turbo-tui session resume {session} --approve none` (or staged, or all)"
    raise UsageError(f"{why} Without one there is {others}.")


def session_opener(workspace: Workspace, *, new: bool, session: str, here: bool) -> OpenRun:
    """Return what opens a session on a workspace, with the questions that come first."""

    async def opener(front: Front) -> Opened:
        from turbo_tui.commands.opening import open_session  # noqa: PLC0415  after the first frame

        return await open_session(workspace, front, new=new, session=session, here=here)

    return opener


def demo_opener(folder: Path) -> OpenRun:
    """Return what opens the bundled project with its recorded session."""

    async def opener(front: Front) -> Opened:
        from turbo_tui.commands.opening import open_demo  # noqa: PLC0415  after the first frame

        await asyncio.to_thread(delete_left, folder.parent, DEMO_PREFIX)
        return await open_demo(folder, front)

    return opener
