"""The built-in planner: which recipe a task means, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from turbo_tui.core.errors import ConfigError, TaskError
from turbo_tui.core.plan import Action, Plan
from turbo_tui.core.searching import NOWHERE, Context, Hit
from turbo_tui.engine.recipes import (
    BUILT_IN,
    ProjectFacts,
    Recipe,
    load_recipes,
    plan_from_recipes,
)
from turbo_tui.tools.arguments import misfit
from turbo_tui.tools.catalogue import builtin_tools
from turbo_tui.vcs.repository import CommandLineGit

FACTS = ProjectFacts({"test": [["pytest", "-q"], ["tox"]]})
RECIPES = load_recipes()


async def _plan(task: str, recipes: Sequence[Recipe] = RECIPES) -> Plan:
    return await plan_from_recipes(task, recipes, facts=FACTS)


def _actions(plan: Plan) -> list[tuple[str, dict[str, object]]]:
    return [(action.tool, action.arguments) for step in plan.steps for action in step.actions]


def test_ten_recipes_are_built_in() -> None:
    assert len(RECIPES) == 10
    assert all(recipe.description and recipe.examples for recipe in RECIPES)


@pytest.mark.parametrize(
    ("recipe", "example"),
    [(recipe, example) for recipe in RECIPES for example in recipe.examples],
    ids=lambda given: given if isinstance(given, str) else given.name,
)
async def test_every_example_finds_its_own_recipe(recipe: Recipe, example: str) -> None:
    assert _actions(await _plan(example))[0][0] == recipe.name


@pytest.mark.parametrize(
    ("task", "tool", "arguments"),
    [
        ("rename `foo` to `bar`", "rename_symbol", {"symbol": "foo", "new_name": "bar"}),
        (
            "Please rename the function foo to bar everywhere.",
            "rename_symbol",
            {"symbol": "foo", "new_name": "bar"},
        ),
        (
            "rename class src/a.py:Box into 'Crate'",
            "rename_symbol",
            {"symbol": "src/a.py:Box", "new_name": "Crate"},
        ),
        ("rename to to into", "rename_symbol", {"symbol": "to", "new_name": "into"}),
        ("run the tests", "list_failures", {"command": ["pytest", "-q"]}),
        ("Which tests fail?", "list_failures", {"command": ["pytest", "-q"]}),
        ("format", "format_code", {}),
        ("format and lint", "format_code", {}),
        ("format src/app.py", "format_code", {"path": "src/app.py"}),
        ("find usages of X", "find_usages", {"symbol": "X"}),
        ("where is X used", "find_usages", {"symbol": "X"}),
        ("show all the references of click.echo()", "find_usages", {"symbol": "click.echo()"}),
        (
            "replace `a.b($X)` with `c($X)`",
            "structural_replace",
            {"pattern": "a.b($X)", "rewrite": "c($X)"},
        ),
        (
            'replace "print($$$A)" by "log($$$A)" in src',
            "structural_replace",
            {"pattern": "print($$$A)", "rewrite": "log($$$A)", "path": "src"},
        ),
        ("remove unused imports", "remove_unused_imports", {}),
        ("clean up the imports in a.py", "remove_unused_imports", {"path": "a.py"}),
        ("add dependency requests>=2", "add_dependency", {"requirement": "requests>=2"}),
        (
            "add dependency requests >= 2, < 3",
            "add_dependency",
            {"requirement": "requests >= 2, < 3"},
        ),
        (
            "add the dev dependency pytest",
            "add_dependency",
            {"requirement": "pytest", "group": "dev"},
        ),
        ("depend on @scope/pad@^1.3", "add_dependency", {"requirement": "@scope/pad@^1.3"}),
        ("bump version to 1.2.3", "bump_version", {"version": "1.2.3"}),
        ("bump the minor version", "bump_version", {"part": "minor"}),
        ("bump the version", "bump_version", {}),
        ("commit the staged changes", "git_commit", {}),
        ("commit with message 'fix: x and y'", "git_commit", {"message": "fix: x and y"}),
        ("explain X", "explain_symbol", {"symbol": "X"}),
        ("what does `Parser.feed` do?", "explain_symbol", {"symbol": "Parser.feed"}),
    ],
)
async def test_a_task_in_words_becomes_a_tool_call(
    task: str, tool: str, arguments: dict[str, object]
) -> None:
    plan = await _plan(task)

    assert (plan.task, plan.planner) == (task, "built-in")
    assert _actions(plan) == [(tool, arguments)]
    assert plan.steps[0].mode == "ask"


async def test_a_rename_is_checked_by_the_tests_of_the_project() -> None:
    step = (await _plan("rename foo to bar")).steps[0]

    assert (step.title, step.checks) == ("Rename foo to bar", (("pytest", "-q"),))


async def test_without_a_test_command_a_rename_has_no_check_and_a_test_run_is_refused() -> None:
    assert (await plan_from_recipes("rename foo to bar", RECIPES)).steps[0].checks == ()
    with pytest.raises(TaskError, match="no test command was found") as refused:
        await plan_from_recipes("run the tests", RECIPES)
    assert refused.value.nearest == ("list_failures",)
    assert ".turbo/recipes/list_failures.toml" in str(refused.value), "where it can be named"
    assert "run the tests" not in str(refused.value), "what was typed is not proposed"


async def test_a_task_of_several_parts_becomes_several_steps() -> None:
    plan = await _plan("rename a to c, then run the tests")

    assert [step.title for step in plan.steps] == [
        "Rename a to c",
        "Run the tests and list failures",
    ]
    assert plan.steps[1].depends_on == ("1",)


async def test_words_in_quotes_are_never_commands() -> None:
    plan = await _plan("commit with message 'rename foo to bar, then run the tests'")

    assert _actions(plan) == [("git_commit", {"message": "rename foo to bar, then run the tests"})]


@pytest.mark.parametrize(
    ("task", "nearest"),
    [
        ("replace foo with bar", ("rename_symbol", "structural_replace")),
        ("replace `foo` with `bar`", ("rename_symbol", "structural_replace")),
    ],
)
async def test_an_ambiguous_task_asks_which_was_meant(task: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(TaskError, match=r"could mean 2 things\. Which did you mean") as refused:
        await _plan(task)

    assert refused.value.nearest == nearest
    assert "Rename a symbol" in str(refused.value)
    assert "replace `a.get($K)` with `a[$K]`" in str(refused.value)


@pytest.mark.parametrize(
    ("task", "first"),
    [
        ("rename", "rename_symbol"),
        ("renmae the thing", "rename_symbol"),
        ("add requests to the manifest as a dependency please", "add_dependency"),
        ("bump everything", "bump_version"),
        ("unused imports", "remove_unused_imports"),
    ],
)
async def test_a_task_that_nearly_fits_shows_the_nearest(task: str, first: str) -> None:
    with pytest.raises(TaskError, match="Which did you mean") as refused:
        await _plan(task)

    assert refused.value.nearest[0] == first
    assert str(refused.value).endswith("M in the app, or [planner] in your config.toml.")


@pytest.mark.parametrize("task", ["translate my poem", "do something great", "what do we do there"])
async def test_an_impossible_task_names_the_recipes_there_are(task: str) -> None:
    with pytest.raises(
        TaskError, match=r"Recipes there are: .*rename a symbol.*set up a model: M in the app"
    ) as no:
        await _plan(task)

    assert no.value.nearest == ()


async def test_an_empty_task_is_refused() -> None:
    with pytest.raises(TaskError, match="empty"):
        await _plan("  ")


async def test_a_new_name_that_is_no_name_is_refused() -> None:
    with pytest.raises(TaskError, match="'1bar' is not a valid name"):
        await _plan("rename foo to 1bar")


async def _names() -> Sequence[str]:
    return ["echo", "Parser.feed"]


class _OneHit:
    """A search that finds one line."""

    async def search(self, query: str, *, limit: int = 20, context: Context = NOWHERE) -> list[Hit]:
        del query, limit, context
        return [Hit("a.java", 1, 1, 1.0, "void feedAll() {")]


async def test_a_symbol_that_is_not_there_is_answered_with_the_closest_names() -> None:
    with pytest.raises(
        TaskError, match=r"nothing called 'ehco' is in this project\. Closest: echo"
    ):
        await plan_from_recipes("rename ehco to emit", RECIPES, symbols=_names)
    with pytest.raises(TaskError, match="Closest: feedAll"):
        await plan_from_recipes("explain feedAl", RECIPES, search=_OneHit())


async def test_a_symbol_that_is_there_is_taken_by_its_last_name() -> None:
    for task in ("explain click.echo()", "find usages of Parser.feed", "explain a.py:feed"):
        assert (await plan_from_recipes(task, RECIPES, symbols=_names)).steps
    plan = await plan_from_recipes("explain feedAll", RECIPES, symbols=_names, search=_OneHit())
    assert plan.steps


# --- recipes of the user -----------------------------------------------------

GREET = """
title = "Greet someone"
examples = ["greet Ada"]
patterns = ["greet {who}[ {how}]"]
[parameters.who]
[parameters.how]
kind = "choice"
choices = ["loudly", "softly"]
default = "softly"
[[steps]]
title = "Greet {who}"
checks = [["test", "-f", "{who}.txt"]]
files = ["{who}.txt"]
[[steps.actions]]
tool = "write_file"
arguments = { path = "{who}.txt", lines = ["Hello {who}", "{how}"], deep = { n = 1 } }
[[steps]]
title = "Look at it"
"""


def _folder(folder: Path, text: str, name: str = "greet.toml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


async def test_a_user_adds_a_recipe_of_their_own(tmp_path: Path) -> None:
    recipes = load_recipes([BUILT_IN, _folder(tmp_path, GREET), tmp_path / "missing"])

    plan = await plan_from_recipes("greet Ada LOUDLY", recipes)

    assert plan.steps[0].actions == (
        Action(
            "write_file",
            {"path": "Ada.txt", "lines": ["Hello Ada", "loudly"], "deep": {"n": 1}},
        ),
    )
    assert plan.steps[0].checks == (("test", "-f", "Ada.txt"),)
    assert plan.steps[0].files == ("Ada.txt",)
    assert plan.steps[1].depends_on == ("1",)


async def test_a_later_recipe_wins_over_an_equal_earlier_one(tmp_path: Path) -> None:
    mine = GREET.replace("greet {who}[ {how}]", "explain {who}")
    recipes = load_recipes([BUILT_IN, _folder(tmp_path, mine)])

    assert _actions(await plan_from_recipes("explain X", recipes))[0][0] == "write_file"


def test_a_later_recipe_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    recipes = load_recipes([BUILT_IN, _folder(tmp_path, 'name = "format_code"' + GREET)])

    assert len(recipes) == 10


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("title = ", "file is not valid TOML", "mend that line"),
        ("patterns = ['x']\n[[steps]]\ntitle = 'x'\n", "title is missing", 'add title = "…"'),
        (GREET.replace("patterns", "paterns"), "paterns is unknown", "use one of"),
        (GREET.replace('["greet {who}[ {how}]"]', "[]"), "patterns is missing", "say how users"),
        (GREET.replace("[ {how}]", "[ {how}"), "patterns[1]", "correct the pattern"),
        (GREET.replace("[ {how}]", "]"), "closes nothing", "correct the pattern"),
        (GREET.replace("[ {how}]", "{when}"), "{when} is not declared", "correct the pattern"),
        (GREET.replace("[ {how}]", " {who}"), "stands there twice", "correct the pattern"),
        (
            GREET.replace('"choice"', '"verb"'),
            "parameters.how.kind 'verb' is unknown",
            "use one of",
        ),
        (
            GREET.replace("[parameters.who]", "[parameters.who]\nfact = 'x'"),
            "fact 'x'",
            "use one of",
        ),
        (
            GREET.replace("[parameters.who]", "[parameters.who]\nknown = 'x'"),
            "known must be",
            "quotes",
        ),
        (GREET.replace('"Greet {who}"', '"Greet {whom}"'), "{whom} is no parameter", "declare it"),
        (GREET.replace('[["test", "-f", "{who}.txt"]]', '["ls -l"]'), "is no command", "write ["),
        (
            GREET.replace('["greet Ada"]', '"greet Ada"'),
            "examples must be a list",
            "write examples",
        ),
        (GREET.replace('"Greet someone"', "3"), "title must be a string", "quotes"),
        (GREET.replace("[parameters.who]", "[parameters]\nwho = 1"), "must be a table", "write it"),
        (GREET.split("[[steps]]", maxsplit=1)[0], "steps is missing", "add at least one"),
        (
            GREET.replace('checks = [["test", "-f", "{who}.txt"]]', "checks = 1"),
            "must be lists",
            "use",
        ),
        ('title = "' + "x" * 100_001 + '"', "larger than", "smaller"),
    ],
)
def test_a_recipe_that_cannot_be_read_names_file_key_and_fix(
    tmp_path: Path, text: str, key: str, fix: str
) -> None:
    folder = _folder(tmp_path, text)

    with pytest.raises(ConfigError) as refused:
        load_recipes([folder])

    said = str(refused.value)
    assert str(folder / "greet.toml") in said
    assert key in said
    assert fix in said


def test_a_recipe_that_is_not_text_or_not_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_recipes([tmp_path])
    (tmp_path / "a.toml").unlink()
    (tmp_path / "b.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipes([tmp_path])


def test_a_recipe_with_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no tool 'write_file'; use one of read"):
        load_recipes([_folder(tmp_path, GREET)], tools={"read"})


# --- what a project must hold ---------------------------------------------------------


async def _plan_in_go(task: str) -> Plan:
    async def holding(patterns: frozenset[str]) -> frozenset[str]:
        return patterns & {"*.go", "/go.mod"}

    facts = ProjectFacts(FACTS.commands, holding)
    return await plan_from_recipes(task, RECIPES, facts=facts)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("rename Context to Ctx", r"only Python.*replace `Context\(\$\$\$A\)` with `Ctx\("),
        ("rename Context to Ctx, then run the tests", "only Python"),
        ("remove unused imports", "no Python files"),
        ("add a dependency on testify", "manifest.*Add testify with"),
        ("bump the minor version", "states a version"),
    ],
)
async def test_a_recipe_of_no_use_in_the_project_is_refused_before_it_is_planned(
    task: str, said: str
) -> None:
    with pytest.raises(TaskError, match=said):
        await _plan_in_go(task)


async def test_a_recipe_of_no_use_stands_in_no_others_way() -> None:
    replaced = await _plan_in_go("replace Context with Ctx")

    assert _actions(replaced)[0][0] == "structural_replace"
    with pytest.raises(TaskError) as refused:
        await _plan_in_go("rename")
    assert "rename_symbol" not in refused.value.nearest


def test_needs_are_read_and_their_placeholders_checked(tmp_path: Path) -> None:
    asked = GREET.replace("[parameters.who]", '[needs]\nfiles = ["*.md"]\n[parameters.who]')
    assert "*.md" in load_recipes([_folder(tmp_path, asked)])[0].needs.missing

    asked = asked.replace('["*.md"]', '["*.md"]\nmissing = "no {whom}"')
    with pytest.raises(ConfigError, match=r"needs.missing \{whom\} is no parameter"):
        load_recipes([_folder(tmp_path, asked)])


def test_every_action_of_a_recipe_fits_its_tool_so_that_its_plan_can_be_run_from_a_file() -> None:
    tools = builtin_tools(git=CommandLineGit())
    actions = [act for recipe in RECIPES for step in recipe.steps for act in step.actions]

    assert actions
    assert [misfit(tools[act.tool].spec, act.arguments) for act in actions] == [""] * len(actions)
