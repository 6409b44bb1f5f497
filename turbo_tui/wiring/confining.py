"""What confines a workspace's commands: chosen once, watched, replaced in the user's sight."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.core.command import Grants, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import Blobs
from turbo_tui.sandbox.confine.grantable import why_not
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.confine.toolchains import home_folder
from turbo_tui.sandbox.probing.probe import FORCE, Probed, probe
from turbo_tui.sandbox.probing.remembered import Remembered
from turbo_tui.sandbox.probing.watched import Watched
from turbo_tui.sandbox.report import LABELS
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

if TYPE_CHECKING:
    from turbo_tui.wiring.workspace import Tree

LAST = (
    "No command runs from now on. `turbo-tui doctor` shows what mends it: open turbo-tui anew "
    f"then, or with {FORCE}=unsandboxed to be asked about each command instead."
)
CHECK_AFTER_S = 2.0  # when the first frame and the first keys are long done


@dataclass(slots=True)
class Confining:
    """The stages of a workspace, whose confiner is looked after.

    Attributes:
        named: The confiner that the user names; empty for the best there is.
        memory: What held when it was last tried.
        limits: What commands are held to, as far as it is set.
        show_secrets: Globs of secret files that commands may read.
        hide: Folders of ours beside the state that commands are not to see.
        tell: Told, in words for the user, when commands are confined by something else.
    """

    state: Path
    named: str
    memory: Remembered
    limits: Limits = field(default_factory=Limits)
    show_secrets: tuple[str, ...] = ()
    hide: tuple[Path, ...] = ()
    tell: Callable[[str], None] | None = None
    _stages: WorkspaceStages | None = None
    _watched: Watched | None = None
    _remembered: bool = False
    _root: Path | None = None

    async def open(self, root: Path, blobs: Blobs, tree: Tree) -> WorkspaceStages:
        """Choose what confines commands, and make ready to stage.

        Raises:
            SandboxError: What the user names is not to be had.
            StageError: No stage can be made.
            OSError: The state folder cannot be written.
        """
        self._root = root
        probed = await self._probe()
        self._watched = Watched(probed.confiner, self.state, self._lost)
        self._remembered = probed.remembered
        self._stages = open_stages(
            root,
            self.state,
            blobs,
            self._watched,
            rung=tree,
            reasons=probed.reasons,
            show_secrets=self.show_secrets,
        )
        return self._stages

    def why_not(self, grants: Grants) -> str:
        """Say why a command cannot be granted this here; empty when it can."""
        if self._watched is None or self._root is None:
            return ""
        around = Surroundings(self._root, home_folder(), (self.state, *self.hide))
        return why_not(grants, self._watched.name, around)

    async def check_later(self) -> None:
        """Try what was only remembered, once there is time for it."""
        if self._remembered and self._watched is not None:
            await asyncio.sleep(CHECK_AFTER_S)
            await self._watched.check()

    async def _probe(self) -> Probed:
        # What is named was read from the variable already.
        environ = {name: value for name, value in os.environ.items() if name != FORCE}
        return await probe(
            self.state,
            rung=self.named,
            limits=self.limits,
            environ=environ,
            memory=self.memory,
            hide=self.hide,
        )

    async def _lost(self, fault: str) -> str:
        """Choose what comes next; return what happened, for the user."""
        self.memory.forget()
        if self._watched is None or self._stages is None:
            return fault
        fault = fault.rstrip(".")
        said = f"{self._watched.name} does not hold here any more: {fault}. Nothing was run."
        try:
            probed = await self._probe()
        except (SandboxError, OSError) as error:
            said = f"{said} {error}"
        else:
            said = f"{said} {self._replace(self._stages, self._watched.name, probed)}"
        if self.tell is not None:
            self.tell(said)
        return said

    def _replace(self, stages: WorkspaceStages, was: str, probed: Probed) -> str:
        """Confine by what was found; say so. To have no sandbox is for the user alone to choose."""
        if probed.confiner.name == "unsandboxed" != was:
            return f"Nothing else holds here: {'; '.join(probed.reasons)}. {LAST}"
        self._watched = Watched(probed.confiner, self.state, self._lost)
        stages.confine_by(self._watched, probed.reasons)
        report = stages.report
        return (
            f"From now on commands run on {report.rung} (sandbox: {LABELS[report.level]}). "
            "Try again."
        )
