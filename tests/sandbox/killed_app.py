"""Run commands without end, to be killed while it does: `killed_app.py RUNG MARK WORKSPACE`."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from tests.fakes import MemoryBlobs
from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.staging.stages import open_stages


async def main(rung: str, mark: str, workspace: Path) -> None:
    """Say `go` as the first command starts."""
    command = Command(("sh", "-c", "sleep 0.01; :", mark))
    if rung == "stage":
        stages = open_stages(workspace, workspace.parent / "state", MemoryBlobs(), Bubblewrap())
        stage = await stages.open(mark)

        async def run() -> CommandResult:
            return await stage.run(command)
    else:
        makers = {"bubblewrap": Bubblewrap, "landlock": Landlock, "unsandboxed": Unsandboxed}
        confiner: Confiner = makers[rung]()
        place = Place(workspace, workspace, (), os.geteuid(), os.getegid())

        async def run() -> CommandResult:
            return await confiner.run(place, command)

    async def again_and_again() -> None:
        for _ in itertools.count():
            await run()

    sys.stdout.write("go\n")
    sys.stdout.flush()
    await asyncio.gather(again_and_again(), again_and_again())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
