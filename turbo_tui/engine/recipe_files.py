"""Read recipes from TOML files; what cannot be read is named with file, key and fix."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import ConfigError
from turbo_tui.core.plan import Action
from turbo_tui.engine.recipe_patterns import (
    KINDS,
    Match,
    Pattern,
    PatternError,
    Sentence,
    compile_pattern,
)

BUILT_IN = Path(__file__).parent.parent / "recipes"
FACTS = ("test", "lint", "format", "build", "run")
MAX_BYTES = 100_000
_RECIPE_KEYS = {
    "name", "title", "description", "examples", "patterns", "needs", "parameters", "steps"
}  # fmt: skip
_NEEDS_KEYS = {"files", "missing"}
_PARAMETER_KEYS = {"kind", "required", "default", "choices", "fact", "missing", "known"}
_STEP_KEYS = {"title", "intent", "checks", "actions", "files"}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a recipe needs.

    Attributes:
        kind: What it may look like: a key of `recipe_patterns.KINDS`.
        default: Used when the task does not say; None for none.
        choices: The only values allowed; empty for any.
        fact: The project's command it is filled with (`test`, `lint`, …); empty for none.
        missing: What to tell the user when a required one is not there.
        known: A symbol that must exist in the project.
    """

    name: str
    kind: str = "word"
    required: bool = True
    default: str | None = None
    choices: tuple[str, ...] = ()
    fact: str = ""
    missing: str = ""
    known: bool = False

    def allows(self, value: str) -> bool:
        """Tell whether a value has the parameter's kind."""
        if self.choices:
            return value.lower() in self.choices
        return re.fullmatch(KINDS[self.kind], value, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a project must hold for a recipe to be of use in it.

    Attributes:
        files: Patterns of which one must have a file: `*.py` anywhere, `/go.mod` at the top.
            Empty for any project.
        missing: What to tell the user where there is none; may hold `{placeholders}`.
    """

    files: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class StepTemplate:
    """A step with `{placeholders}`; a check is an argv, or one placeholder for a whole argv."""

    title: str
    intent: str
    checks: tuple[tuple[str, ...] | str, ...]
    actions: tuple[Action, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A plan template; `rank` is the position of its folder, later ones win."""

    name: str
    title: str
    description: str
    examples: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    parameters: dict[str, Parameter]
    steps: tuple[StepTemplate, ...]
    source: Path
    rank: int = 0
    needs: Needs = Needs()

    def match(self, sentence: Sentence) -> Match | None:
        """Return the best fit of its patterns; None when none fits."""
        fits = [fit for pattern in self.patterns if (fit := pattern.match(sentence)) is not None]
        fits = [fit for fit in fits if self._allowed(fit)]
        return max(fits, key=lambda fit: fit.literal, default=None)

    def _allowed(self, fit: Match) -> bool:
        """Tell whether quoted values, too, are what their parameters may be."""
        return all(self.parameters[name].allows(value) for name, value in fit.values.items())


def load_recipes(
    folders: Sequence[Path] = (BUILT_IN,), *, tools: Collection[str] | None = None
) -> list[Recipe]:
    """Read the `*.toml` files of some folders, in name order.

    Args:
        folders: Later ones replace recipes of the same name. A project's own folder is
            passed only when its content is trusted; a missing folder is empty.
        tools: The tools there are; None leaves names unchecked.

    Raises:
        ConfigError: A file is no recipe; the message names file, key and fix.
    """
    recipes: dict[str, Recipe] = {}
    for rank, folder in enumerate(folders):
        for path in sorted(folder.glob("*.toml")):
            recipe = _File(path, tools).read(rank)
            recipes[recipe.name] = recipe
    return list(recipes.values())


class _File:
    """One recipe file being read; every complaint names it."""

    def __init__(self, path: Path, tools: Collection[str] | None) -> None:
        self._path = path
        self._tools = tools
        self._parameters: dict[str, Parameter] = {}

    def read(self, rank: int) -> Recipe:
        table = self._load()
        self._known(table, _RECIPE_KEYS, "")
        for name, value in self._table(table, "parameters", "").items():
            self._parameters[name] = self._parameter(name, value)
        steps = table.get("steps")
        if not isinstance(steps, list) or not steps:
            raise self._wrong("steps", "is missing", "add at least one [[steps]] with a title")
        return Recipe(
            name=self._text(table, "name", "", default=self._path.stem),
            title=self._text(table, "title", ""),
            description=self._text(table, "description", "", default=""),
            examples=self._texts(table, "examples", ""),
            patterns=self._patterns(table),
            parameters=self._parameters,
            steps=tuple(
                self._step(number, step)
                for number, step in enumerate(cast("list[object]", steps), start=1)
            ),
            source=self._path,
            rank=rank,
            needs=self._needs(table),
        )

    def _load(self) -> dict[str, object]:
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise self._wrong("file", f"is larger than {MAX_BYTES} bytes", "make it smaller")
            return tomllib.loads(content.decode("utf-8"))
        except OSError as error:
            raise self._wrong(
                "file", f"cannot be read ({error.strerror})", "mend or remove it"
            ) from None
        except UnicodeDecodeError:
            raise self._wrong("file", "is not UTF-8", "save it as UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise self._wrong("file", f"is not valid TOML: {error}", "mend that line") from None

    def _patterns(self, table: dict[str, object]) -> tuple[Pattern, ...]:
        kinds = {
            name: "|".join(map(re.escape, parameter.choices)) or KINDS[parameter.kind]
            for name, parameter in self._parameters.items()
        }
        sources = self._texts(table, "patterns", "")
        if not sources:
            raise self._wrong(
                "patterns", "is missing", 'say how users ask for it, such as ["tidy {path}"]'
            )
        patterns: list[Pattern] = []
        for number, source in enumerate(sources, start=1):
            try:
                patterns.append(compile_pattern(source, kinds))
            except PatternError as error:
                raise self._wrong(
                    f"patterns[{number}]", f"{source!r}: {error}", "correct the pattern"
                ) from None
        return tuple(patterns)

    def _needs(self, table: dict[str, object]) -> Needs:
        needs = self._table(table, "needs", "")
        self._known(needs, _NEEDS_KEYS, "needs")
        files = self._texts(needs, "files", "needs")
        if not files:
            return Needs()
        named = f"a file of this project must be one of: {', '.join(files)}"
        missing = self._text(needs, "missing", "needs", default=named)
        self._placeholders([missing], "needs.missing")
        return Needs(files, missing)

    def _parameter(self, name: str, value: object) -> Parameter:
        key = f"parameters.{name}"
        table = self._as_table(value, key)
        self._known(table, _PARAMETER_KEYS, key)
        kind = self._text(table, "kind", key, default="word")
        if kind not in KINDS:
            raise self._wrong(
                f"{key}.kind", f"{kind!r} is unknown", f"use one of {', '.join(KINDS)}"
            )
        fact = self._text(table, "fact", key, default="")
        if fact and fact not in FACTS:
            raise self._wrong(
                f"{key}.fact", f"{fact!r} is unknown", f"use one of {', '.join(FACTS)}"
            )
        default = self._text(table, "default", key, default="") or None
        return Parameter(
            name,
            kind,
            required=self._flag(table, "required", key, default=default is None),
            default=default,
            choices=tuple(choice.lower() for choice in self._texts(table, "choices", key)),
            fact=fact,
            missing=self._text(table, "missing", key, default=""),
            known=self._flag(table, "known", key, default=kind == "symbol"),
        )

    def _step(self, number: int, value: object) -> StepTemplate:
        key = f"steps[{number}]"
        table = self._as_table(value, key)
        self._known(table, _STEP_KEYS, key)
        actions = table.get("actions", [])
        checks = table.get("checks", [])
        if not isinstance(actions, list) or not isinstance(checks, list):
            raise self._wrong(key, "actions and checks must be lists", "use [[steps.actions]]")
        step = StepTemplate(
            title=self._text(table, "title", key),
            intent=self._text(table, "intent", key, default=""),
            checks=tuple(self._check(check, key) for check in cast("list[object]", checks)),
            actions=tuple(self._action(action, key) for action in cast("list[object]", actions)),
            files=self._texts(table, "files", key),
        )
        self._placeholders([step.title, step.intent, *step.files, *step.checks], key)
        return step

    def _check(self, value: object, key: str) -> tuple[str, ...] | str:
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
            return value
        if isinstance(value, list) and value:
            words = cast("list[object]", value)
            if all(isinstance(word, str) for word in words):
                return tuple(cast("list[str]", words))
        raise self._wrong(
            f"{key}.checks", f"{value!r} is no command", 'write ["pytest", "-q"], or "{test}"'
        )

    def _action(self, value: object, key: str) -> Action:
        table = self._as_table(value, f"{key}.actions")
        self._known(table, {"tool", "arguments"}, f"{key}.actions")
        tool = self._text(table, "tool", f"{key}.actions")
        if self._tools is not None and tool not in self._tools:
            raise self._wrong(
                f"{key}.actions.tool",
                f"there is no tool {tool!r}",
                f"use one of {', '.join(sorted(self._tools))}",
            )
        arguments = self._table(table, "arguments", f"{key}.actions")
        self._placeholders([arguments], f"{key}.actions.arguments")
        return Action(tool, arguments)

    def _placeholders(self, values: object, key: str) -> None:
        for name in _placeholders_in(values):
            if name not in self._parameters:
                raise self._wrong(key, f"{{{name}}} is no parameter", "declare it in [parameters]")

    # --- reading one key ---

    def _known(self, table: dict[str, object], keys: Collection[str], above: str) -> None:
        for key in table:
            if key not in keys:
                full = f"{above}.{key}" if above else key
                raise self._wrong(full, "is unknown", f"use one of {', '.join(sorted(keys))}")

    def _text(
        self, table: dict[str, object], key: str, above: str, *, default: str | None = None
    ) -> str:
        value = table.get(key, default)
        full = f"{above}.{key}" if above else key
        if value is None:
            raise self._wrong(full, "is missing", f'add {key} = "…"')
        if not isinstance(value, str):
            raise self._wrong(full, "must be a string", "put it in quotes")
        return value

    def _texts(self, table: dict[str, object], key: str, above: str) -> tuple[str, ...]:
        value = table.get(key, [])
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        if not all(isinstance(item, str) for item in items):
            full = f"{above}.{key}" if above else key
            raise self._wrong(full, "must be a list of strings", f'write {key} = ["…"]')
        return tuple(cast("list[str]", items))

    def _flag(self, table: dict[str, object], key: str, above: str, *, default: bool) -> bool:
        value = table.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(f"{above}.{key}", "must be true or false", "write it without quotes")
        return value

    def _table(self, table: dict[str, object], key: str, above: str) -> dict[str, object]:
        full = f"{above}.{key}" if above else key
        return self._as_table(table.get(key, {}), full)

    def _as_table(self, value: object, key: str) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self._wrong(key, "must be a table", "write it as [table] or { key = value }")
        return cast("dict[str, object]", value)

    def _wrong(self, key: str, why: str, fix: str) -> ConfigError:
        return ConfigError(f"Recipe {self._path}: {key} {why}; {fix}.")


def _placeholders_in(value: object) -> list[str]:
    if isinstance(value, str):
        return _PLACEHOLDER.findall(value)
    if isinstance(value, dict):
        return _placeholders_in(list(cast("dict[str, object]", value).values()))
    if isinstance(value, list | tuple):
        return [name for item in cast("list[object]", value) for name in _placeholders_in(item)]
    return []
