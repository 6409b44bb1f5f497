"""A stage around another: all it does not do itself, the inner one does."""

from __future__ import annotations

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.ports import SandboxReport, Stage, StageFiles


class StageAround:
    """Pass on to a stage what has no part in what is added; `run` is for each to write."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def stage_id(self) -> str:
        """The wrapped stage's id."""
        return self._stage.stage_id

    @property
    def report(self) -> SandboxReport:
        """What confines the wrapped stage's commands."""
        return self._stage.report

    @property
    def files(self) -> StageFiles:
        """The wrapped stage's files."""
        return self._stage.files

    async def changes(self) -> ChangeSet:
        """Read what the step did."""
        return await self._stage.changes()

    async def close(self, *, keep: bool = False) -> None:
        """Close the wrapped stage."""
        await self._stage.close(keep=keep)
