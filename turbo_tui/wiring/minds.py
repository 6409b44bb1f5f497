"""Who plans and who executes, looked up when asked, so that a new setup counts at once."""

from __future__ import annotations

import os
from dataclasses import dataclass

from turbo_tui.config import ModelSettings, Settings
from turbo_tui.core.models import Model
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.views import StepState
from turbo_tui.engine.roles import ModelPlanner, Setting
from turbo_tui.wiring.built_in import RecipePlanner
from turbo_tui.wiring.models import consented, model_of
from turbo_tui.wiring.reading import Project
from turbo_tui.wiring.workspace import Workspace

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Models that replay a recorded session, for the demo."""

    planner: Model
    executor: Model


class Minds:
    """The planner and the executors of one run.

    Args:
        built_in: Plan with recipes even where a planner model is named.
        recorded: Take these models, whatever is configured.
    """

    def __init__(
        self,
        workspace: Workspace,
        project: Project,
        setting: Setting,
        *,
        built_in: bool = False,
        recorded: Recorded | None = None,
    ) -> None:
        self._workspace = workspace
        self._project = project
        self._setting = setting
        self._built_in = built_in
        self._recorded = recorded
        self._made: dict[tuple[ModelSettings, str], Model] = {}

    @property
    def settings(self) -> Settings:
        """The workspace's settings as they count now."""
        return self._workspace.settings

    @property
    def planner_name(self) -> str:
        """The planner's name to show."""
        if self._recorded is not None:
            return self._recorded.planner.name
        return self.settings.planner.model if self._plans_by_model else BUILT_IN

    @property
    def executor_name(self) -> str:
        """The executor's name to show; empty when there is none."""
        if self._recorded is not None:
            return self._recorded.executor.name
        return self.settings.executor.model if self.settings.executor.configured else ""

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        """Plan with the model that is set up, or with recipes where none is."""
        if self._recorded is not None:
            planner = ModelPlanner(self._recorded.planner, self._setting)
        elif self._plans_by_model:
            planner = ModelPlanner(self._model(self.settings.planner, "planner"), self._setting)
        else:
            planner = RecipePlanner(self._workspace, self._project)
        return await planner.plan(task, pinned=pinned, done=done)

    def executor(self, step: Step) -> Model | None:
        """Return the executor of a step; None where none is set up."""
        if self._recorded is not None:
            return self._recorded.executor
        if not self.settings.executor.configured:
            return None
        return self._model(self.settings.executor, "executor", step.model)

    async def close(self) -> None:
        """Release all connections."""
        for model in self._made.values():
            await model.close()

    @property
    def _plans_by_model(self) -> bool:
        return self.settings.planner.configured and not self._built_in

    def _model(self, named: ModelSettings, role: str, other: str = "") -> Model:
        key = named, other
        if key not in self._made:
            workspace = self._workspace
            keys = {**os.environ, **workspace.settings.keys}
            made = model_of(named, model=other, environment=keys)
            self._made[key] = consented(made, named, role, workspace.consents, self._setting.asks)
        return self._made[key]
