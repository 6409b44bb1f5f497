"""The built-in planner on a workspace: recipes, the project's commands and its symbols."""

from __future__ import annotations

from functools import partial

from turbo_tui.core.plan import Plan
from turbo_tui.core.views import StepState
from turbo_tui.engine.recipes import BUILT_IN, ProjectFacts, load_recipes, plan_from_recipes
from turbo_tui.languages.ask import names_in_workspace
from turbo_tui.trust import project_files
from turbo_tui.wiring.reading import Project
from turbo_tui.wiring.workspace import Workspace


class RecipePlanner:
    """Plans by matching the task to a recipe; the user's and a trusted project's count too."""

    def __init__(self, workspace: Workspace, project: Project) -> None:
        self._workspace = workspace
        self._project = project

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        """Return the filled recipe; what was pinned or done plays no part.

        Raises:
            TaskError: No recipe fits, or more than one.
            ConfigError: A recipe file cannot be used.
        """
        del pinned, done
        folders = [BUILT_IN, self._workspace.paths.config / "recipes"]
        root, trust = self._workspace.root, self._workspace.trust
        # Read now, so looked at now; nothing is read through a link that trust does not cover.
        files = project_files(root)
        if self._workspace.trusted and not files.others and trust.has(root, files):
            folders.append(self._workspace.root / ".turbo" / "recipes")
        recipes = load_recipes(folders)
        facts = ProjectFacts(await self._project.commands(), self._project.holding)
        return await plan_from_recipes(
            task,
            recipes,
            facts=facts,
            symbols=partial(names_in_workspace, self._workspace.root),
            search=self._project.search,
        )
