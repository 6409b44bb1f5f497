"""A confiner that is tried again when a command cannot be started in it; lost, it runs none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.place import Confiner, ConfinerName, Place
from turbo_tui.sandbox.probing.trials import trial

LOST = "it does not hold any more, and no command runs"
PAUSE_S = 1.0  # before a trial that failed is made again


class Watched:
    """Stand before a confiner that held when it was last tried.

    Args:
        confiner: Runs the commands for as long as it holds.
        state: Where trials are made.
        on_lost: Told what does not hold any more; returns what the user is to know, and sees to
            what comes next.
    """

    def __init__(
        self, confiner: Confiner, state: Path | None, on_lost: Callable[[str], Awaitable[str]]
    ) -> None:
        self._confiner = confiner
        self._state = state
        self._on_lost = on_lost
        self._lost = ""
        self._checking = asyncio.Lock()

    @property
    def name(self) -> ConfinerName:
        """The confiner's."""
        return self._confiner.name

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """The confiner's; of one that is lost nothing is held, for nothing runs in it."""
        if self._lost:
            return tuple(
                replace(each, held=False, detail=LOST) for each in self._confiner.guarantees
            )
        return self._confiner.guarantees

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end, as `core.ports.Stage.run` says.

        Raises:
            SandboxError: It cannot be started; where the sandbox itself is the reason, the
                message says what comes next, and nothing runs in it from then on.
        """
        if self._lost:
            raise SandboxError(self._lost)
        try:
            return await self._confiner.run(place, command, on_output=on_output)
        except SandboxError as error:
            lost = await self.check()
            if lost:
                raise SandboxError(lost) from error
            raise

    async def check(self) -> str:
        """Try it again; return what the user is to know when it does not hold any more.

        One failure is none: a machine that is busy for a moment, which a command can bring about,
        would take the sandbox from all that follows.
        """
        async with self._checking:
            if not self._lost:
                try:
                    fault = await trial(self._confiner, self._state)
                    if fault:
                        await asyncio.sleep(PAUSE_S)
                        fault = await trial(self._confiner, self._state)
                except OSError:
                    return ""  # nothing can be tried: a full disk is no fault of the sandbox
                if fault:
                    self._lost = await self._on_lost(fault)
            return self._lost

    def warm(self, place: Place) -> None:
        """Make ready for the next commands in a place."""
        if not self._lost:
            self._confiner.warm(place)

    async def dismiss(self, place: Place) -> None:
        """End what waits for commands in a place."""
        await self._confiner.dismiss(place)
