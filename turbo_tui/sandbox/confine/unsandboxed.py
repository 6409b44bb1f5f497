"""The last rung: nothing confines a command but limits; every one is asked and labelled so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from turbo_tui.core.command import Command, Limits
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.confine import toolchains
from turbo_tui.sandbox.confine.supervised import Confinement, run_supervised
from turbo_tui.sandbox.place import ConfinerName, Place
from turbo_tui.sandbox.process.limits import held_to


class Unsandboxed:
    """Run commands in the stage with the user's own rights, less the environment's secrets.

    Args:
        limits: What a command may use.
        environ: The user's environment; the process's own when None.
        home: The user's home folder; from the system when None.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._environ = dict(os.environ if environ is None else environ)
        self._home = home or toolchains.home_folder()

    @property
    def name(self) -> ConfinerName:
        """`unsandboxed`."""
        return "unsandboxed"

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """Nothing, and why."""
        return (
            Guarantee("writes", False, "a command can write whatever you can"),
            Guarantee("reads", False, "a command can read whatever you can, keys included"),
            Guarantee("network", False, "a command can reach whatever you can"),
            Guarantee("limits", False, "set, but a command can lift or dodge them"),
            Guarantee("tree", False, "processes are ended, but a command can hide some"),
        )

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end, as `core.ports.Stage.run` says; grants change nothing.

        Raises:
            SandboxError: It could not be started.
        """
        tools = toolchains.detect(place.workspace, self._home, self._environ, ())
        return await run_supervised(
            place,
            command,
            tools,
            lambda _: Confinement(),
            limits=held_to(command.limits, self._limits),
            environ=self._environ,
            on_output=on_output,
        )

    def warm(self, place: Place) -> None:
        """Nothing waits here for a command."""

    async def dismiss(self, place: Place) -> None:
        """Nothing waits here for a command."""
