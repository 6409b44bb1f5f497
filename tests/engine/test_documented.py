"""What docs/rules-and-recipes.md shows can be written so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from turbo_tui.config import read_rules
from turbo_tui.core.errors import TaskError
from turbo_tui.core.plan import Action
from turbo_tui.core.ports import Ask
from turbo_tui.engine.recipes import ProjectFacts, load_recipes, plan_from_recipes
from turbo_tui.engine.rules import by_rules
from turbo_tui.tools.catalogue import BUILT_IN

PAGE = (Path(__file__).parents[2] / "docs" / "rules-and-recipes.md").read_text()
RULES, RECIPE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    ("command", "effect"),
    [("git -C lib push", "deny"), ("make deploy-all", "ask"), ("cat secrets/key", "deny")],
)
def test_the_rules_do_what_is_said_of_them(command: str, effect: str) -> None:
    rules = read_rules(tomllib.loads(RULES)["rules"], Path("config.toml"))

    assert by_rules(rules, "/w")(Ask("command", command, ""))[0] == effect


async def test_the_recipe_answers_to_its_example(tmp_path: Path) -> None:
    (tmp_path / "changelog.toml").write_text(RECIPE)
    recipes = load_recipes([tmp_path], tools=BUILT_IN)
    plan = await plan_from_recipes(recipes[0].examples[0], recipes)

    (step,) = plan.steps
    assert step.actions == (
        Action("write_file", {"path": "CHANGELOG.md", "content": "# Changes of Tally"}),
    )
    assert step.checks == (("test", "-s", "CHANGELOG.md"),)


async def test_the_recipe_is_refused_where_what_it_needs_is_not_there(tmp_path: Path) -> None:
    async def holding(_: frozenset[str]) -> frozenset[str]:
        return frozenset()

    (tmp_path / "changelog.toml").write_text(RECIPE)
    with pytest.raises(TaskError, match="no manifest at the top"):
        await plan_from_recipes(
            "start a changelog", load_recipes([tmp_path]), facts=ProjectFacts({}, holding)
        )
