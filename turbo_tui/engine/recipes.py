"""The built-in planner: match a task in words to a recipe and fill it, with no model involved."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from turbo_tui.core.errors import TaskError
from turbo_tui.core.plan import Action, Plan, Step, validate
from turbo_tui.core.searching import Search
from turbo_tui.engine.recipe_files import (
    BUILT_IN,
    Parameter,
    Recipe,
    StepTemplate,
    load_recipes,
)
from turbo_tui.engine.recipe_patterns import Match, Sentence, read_sentence

__all__ = [
    "BUILT_IN",
    "PLANNER",
    "ProjectFacts",
    "Recipe",
    "SymbolNames",
    "load_recipes",
    "plan_from_recipes",
]

PLANNER = "built-in"
SHOWN_NEAREST = 3
_ALIKE = 0.8  # spelling similarity from which a word counts as a typo of another
_COMMON = """
    the a an to of in it is are me my for all and on with do does what where who how we why this
    that there some
"""
_STOP_WORDS = frozenset(_COMMON.split())
_ELSE = "For anything else set up a model: M in the app, or [planner] in your config.toml."
_EMPTY = (None, "", ())

SymbolNames = Callable[[], Awaitable[Sequence[str]]]
Holding = Callable[[frozenset[str]], Awaitable[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What is known of the project that recipes may use.

    Attributes:
        commands: `test`, `lint`, `format`, `build`, `run` -> commands (argv) found, best first.
        holding: Gives those of some patterns of files (`Needs.files`) that the project has a
            file for; None where nobody has looked: then every recipe counts.
    """

    commands: Mapping[str, Sequence[Sequence[str]]] = field(
        default_factory=dict[str, Sequence[Sequence[str]]]
    )
    holding: Holding | None = None


async def plan_from_recipes(
    task: str,
    recipes: Sequence[Recipe],
    *,
    facts: ProjectFacts | None = None,
    symbols: SymbolNames | None = None,
    search: Search | None = None,
) -> Plan:
    """Return the plan of the recipe that a task means.

    A task of several parts ("rename a to b, then run the tests") gives the steps of each.

    Args:
        task: What the user typed.
        recipes: As `load_recipes` gave them.
        facts: Commands of the project.
        symbols: Gives the names defined in the project; asked only when a recipe needs one.
        search: Where a name that `symbols` does not know may still be found.

    Raises:
        TaskError: No recipe, or more than one, fits, or a value is missing or not in the
            project; `nearest` names the recipes that come close.
    """
    sentence = read_sentence(task)
    if not sentence.text:
        raise TaskError("The task is empty: say in a sentence what is to be done.")
    facts = facts or ProjectFacts()
    chosen = _choose(task, sentence, recipes, await _suited(recipes, facts.holding))
    filling = _Filling(facts, symbols, search)
    steps: list[Step] = []
    for recipe, match in chosen:
        values = await filling.values(recipe, match)
        for template in recipe.steps:
            steps.append(_step(template, values, str(len(steps) + 1), steps[-1:]))
    return validate(Plan(task, PLANNER, tuple(steps)))


# --- which recipe ------------------------------------------------------------


async def _suited(recipes: Sequence[Recipe], holding: Holding | None) -> list[Recipe]:
    """Leave out the recipes that can do nothing in this project."""
    wanted = frozenset(pattern for recipe in recipes for pattern in recipe.needs.files)
    if holding is None or not wanted:
        return list(recipes)
    there = await holding(wanted)
    return [each for each in recipes if not each.needs.files or there & {*each.needs.files}]


def _choose(
    task: str, sentence: Sentence, recipes: Sequence[Recipe], suited: Sequence[Recipe]
) -> list[tuple[Recipe, Match]]:
    fits = _fits(task, sentence, suited)
    if fits is None and len(suited) < len(recipes):
        # Better to hear why the recipe that was meant is of no use here than that none fits.
        for recipe, match in _fits(task, sentence, recipes) or ():
            if recipe not in suited:
                said = {name: match.values.get(name) for name in recipe.parameters}
                raise TaskError(f"{recipe.title}: {_text(recipe.needs.missing, said)}.")
    if fits is None:
        raise _no_fit(task, sentence, suited)
    return fits


def _fits(
    task: str, sentence: Sentence, recipes: Sequence[Recipe]
) -> list[tuple[Recipe, Match]] | None:
    whole = _best(task, sentence, recipes)
    if whole is not None:
        return [whole]
    parts = sentence.parts()
    if len(parts) > 1:
        each = [_best(task, part, recipes) for part in parts]
        found = [fit for fit in each if fit is not None]
        if len(found) == len(parts):
            return found
    return None


def _best(task: str, sentence: Sentence, recipes: Sequence[Recipe]) -> tuple[Recipe, Match] | None:
    fits = [(recipe, fit) for recipe in recipes if (fit := recipe.match(sentence)) is not None]
    if not fits:
        return None
    best = max((fit.literal, recipe.rank) for recipe, fit in fits)
    top = [(recipe, fit) for recipe, fit in fits if (fit.literal, recipe.rank) == best]
    if len(top) > 1:
        meant = [recipe for recipe, _fit in top]
        raise TaskError(
            f"“{_short(task)}” could mean {len(meant)} things. Which did you mean?\n"
            + _examples(meant),
            tuple(recipe.name for recipe in meant),
        )
    return top[0]


def _no_fit(task: str, sentence: Sentence, recipes: Sequence[Recipe]) -> TaskError:
    near = _nearest(sentence, recipes)
    if near:
        return TaskError(
            f"No recipe fits “{_short(task)}” as it stands. Which did you mean?\n{_examples(near)}"
            f"\n{_ELSE}",
            tuple(recipe.name for recipe in near),
        )
    known = "; ".join(recipe.title.lower() for recipe in recipes) or "none"
    return TaskError(f"No recipe fits “{_short(task)}”. Recipes there are: {known}. {_ELSE}")


def _nearest(sentence: Sentence, recipes: Sequence[Recipe]) -> list[Recipe]:
    """Order recipes by the words they share with the task; rare words weigh more."""
    words = [
        word for word in re.findall(r"[a-z]{2,}", sentence.text.lower()) if word not in _STOP_WORDS
    ]
    vocabularies = [(recipe, _vocabulary(recipe)) for recipe in recipes]
    scored: list[tuple[float, int, Recipe]] = []
    for order, (recipe, vocabulary) in enumerate(vocabularies):
        score = 0.0
        for word in set(words):
            likeness = _likeness(word, vocabulary)
            if likeness:
                sharing = sum(1 for _other, known in vocabularies if _likeness(word, known))
                score += likeness / sharing
        if score:
            scored.append((-score, order, recipe))
    scored.sort(key=lambda row: row[:2])
    if not scored:
        return []
    best = scored[0][0]
    return [recipe for score, _order, recipe in scored[:SHOWN_NEAREST] if score <= best / 3]


def _vocabulary(recipe: Recipe) -> frozenset[str]:
    words = {word for pattern in recipe.patterns for word in pattern.words}
    return frozenset(word for word in words if len(word) > 1) - _STOP_WORDS


def _likeness(word: str, vocabulary: frozenset[str]) -> float:
    if word in vocabulary:
        return 1.0
    near = difflib.get_close_matches(word, vocabulary, n=1, cutoff=_ALIKE)
    return 0.7 if near else 0.0


def _examples(recipes: Sequence[Recipe]) -> str:
    width = max(len(recipe.title) for recipe in recipes)
    return "\n".join(
        f"  {recipe.title:<{width}}  {recipe.examples[0] if recipe.examples else ''}".rstrip()
        for recipe in recipes
    )


def _short(task: str) -> str:
    line = " ".join(task.split())
    return line if len(line) <= 60 else f"{line[:59]}…"  # noqa: PLR2004 - one line of a message


# --- its values --------------------------------------------------------------

Value = str | tuple[str, ...] | None


class _Filling:
    """Find the values of a recipe's parameters."""

    def __init__(
        self, facts: ProjectFacts, symbols: SymbolNames | None, search: Search | None
    ) -> None:
        self._facts = facts
        self._symbols = symbols
        self._search = search
        self._names: Sequence[str] | None = None

    async def values(self, recipe: Recipe, match: Match) -> dict[str, Value]:
        return {
            name: await self._value(recipe, parameter, match.values.get(name))
            for name, parameter in recipe.parameters.items()
        }

    async def _value(self, recipe: Recipe, parameter: Parameter, said: str | None) -> Value:
        if said is None and parameter.fact:
            found = self._facts.commands.get(parameter.fact) or ()
            if found:
                return tuple(found[0])
        value = said if said is not None else parameter.default
        if value is None:
            if parameter.required:
                why = parameter.missing or f"“{parameter.name}” is missing"
                # What the project lacks is not mended by typing the same again.
                is_typed = bool(recipe.examples) and not parameter.fact
                hint = f" Such as: {recipe.examples[0]}" if is_typed else ""
                raise TaskError(f"{recipe.title}: {why}.{hint}", (recipe.name,))
            return None
        return await self._valid(recipe, parameter, value)

    async def _valid(self, recipe: Recipe, parameter: Parameter, value: str) -> str:
        if parameter.kind == "name" and not re.fullmatch(r"[^\W\d][\w$]*|\$[\w$]*", value):
            raise TaskError(
                f"{recipe.title}: {value!r} is not a valid name: use letters, digits and `_`, "
                "no digit in front.",
                (recipe.name,),
            )
        if parameter.known:
            await self._refuse_unknown(recipe, value)
        return value.lower() if parameter.choices else value

    async def _refuse_unknown(self, recipe: Recipe, value: str) -> None:
        last = re.split(r"[.:]", value.removesuffix("()"))[-1]
        if self._symbols is None and self._search is None:
            return
        if self._names is None and self._symbols is not None:
            self._names = await self._symbols()
        known = {name.rpartition(".")[2] for name in self._names or ()}
        if last in known:
            return
        if self._search is not None:
            word = re.compile(rf"(?<!\w){re.escape(last)}(?!\w)")
            hits = await self._search.search(last)
            if any(word.search(hit.text) for hit in hits):
                return
            known |= {name for hit in hits for name in re.findall(r"[A-Za-z_]\w+", hit.text)}
        lower = {name.lower(): name for name in sorted(known)}
        near = difflib.get_close_matches(last.lower(), list(lower), n=SHOWN_NEAREST)
        closest = f" Closest: {', '.join(lower[name] for name in near)}." if near else ""
        raise TaskError(
            f"{recipe.title}: nothing called {value!r} is in this project.{closest}",
            (recipe.name,),
        )


# --- its steps ---------------------------------------------------------------


def _step(
    template: StepTemplate, values: Mapping[str, Value], step_id: str, before: Sequence[Step]
) -> Step:
    checks = [_check(check, values) for check in template.checks]
    return Step(
        id=step_id,
        title=_text(template.title, values),
        intent=_text(template.intent, values),
        depends_on=tuple(step.id for step in before),
        checks=tuple(check for check in checks if check),
        files=tuple(_text(path, values) for path in template.files),
        actions=tuple(
            Action(action.tool, cast("dict[str, object]", _filled(action.arguments, values)))
            for action in template.actions
        ),
    )


def _check(check: tuple[str, ...] | str, values: Mapping[str, Value]) -> tuple[str, ...]:
    filled = _filled(check, values)
    if isinstance(filled, str):
        return (filled,)
    return tuple(str(word) for word in cast("Sequence[object]", filled or ()))


def _filled(template: object, values: Mapping[str, Value]) -> object:
    """Put values into a template; a lone placeholder takes the value as it is."""
    if isinstance(template, str):
        alone = re.fullmatch(r"\{(\w+)\}", template)
        if alone:
            value = values[alone[1]]
            return list(value) if isinstance(value, tuple) else value
        return _text(template, values)
    if isinstance(template, dict):
        pairs = cast("dict[str, object]", template).items()
        filled = {key: _filled(value, values) for key, value in pairs}
        return {key: value for key, value in filled.items() if value not in _EMPTY}
    if isinstance(template, list | tuple):
        return [_filled(item, values) for item in cast("Sequence[object]", template)]
    return template


def _text(template: str, values: Mapping[str, Value]) -> str:
    def value_of(hit: re.Match[str]) -> str:
        value = values[hit[1]]
        return " ".join(value) if isinstance(value, tuple) else value or ""

    return " ".join(re.sub(r"\{(\w+)\}", value_of, template).split())
