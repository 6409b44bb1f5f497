"""Find the one symbol a person means by `echo`, `click.echo`, `Class.method` or `file.py:name`."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

from turbo_tui.languages.definitions import closest, defined_names
from turbo_tui.languages.python_project import (
    ClassMeaning,
    ModuleMeaning,
    PythonProject,
    Variable,
)
from turbo_tui.languages.text_edits import Place, place_at

_SHOWN = 5
_DEFINING = {"def", "class", "assign"}


class SymbolNotFoundError(Exception):
    """No symbol, or more than one, is meant.

    Attributes:
        places: The definitions that it could be; empty when there is none.
        nearest: Names that exist and are spelled alike, best first.
    """

    def __init__(
        self, message: str, places: tuple[Place, ...] = (), nearest: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.places = places
        self.nearest = nearest


def find_symbol(project: PythonProject, wanted: str, *, members: bool = False) -> Variable:
    """Return the variable of a definition.

    Args:
        project: Where.
        wanted: As a person writes it.
        members: A method may be named without its class, when no top-level name fits.

    Raises:
        SymbolNotFoundError: None or several fit; the message lists them.
    """
    found = find_symbols(project, wanted, members=members)
    if len(found) == 1:
        return found[0]
    if not found:
        raise _not_found(project, wanted, wanted.removesuffix("()").split(".")[-1])
    places = tuple(definition_place(project, variable) for variable in found)
    listed = "; ".join(
        f"{variable.qualified_name} at {place.path}:{place.line}"
        for variable, place in zip(found[:_SHOWN], places, strict=False)
    )
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise SymbolNotFoundError(
        f"{wanted!r} could mean {len(found)} things: {listed}{more}. "
        f"Say which as `{places[0].path}:{found[0].qualified_name}`.",
        places,
    )


def find_symbols(project: PythonProject, wanted: str, *, members: bool = False) -> list[Variable]:
    """Return all definitions that a person may mean, in path order.

    A plain name means something defined at the top of a module; a method needs its class
    (`Class.method`). Where both the package and its tests define a name, the package's is meant.

    Raises:
        SymbolNotFoundError: It is not written as a name.
    """
    path, _, name = wanted.strip().removesuffix("()").rpartition(":")
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise SymbolNotFoundError(f"{wanted!r} is not a Python name.")
    found = list(dict.fromkeys(_candidates(project, parts, path)))
    if not found and members and len(parts) == 1:
        found = [
            Variable(scope, name)
            for file in project.files_with(name)
            if not path or _is(file.path, path)
            for scope in file.module.walk()
            if scope.kind == "class" and name in scope.bindings
        ]
    return [variable for variable in found if not is_test_path(variable.path)] or found


def definition_place(project: PythonProject, variable: Variable) -> Place:
    """Return where a variable is defined."""
    bindings = variable.bindings
    chosen = next((item for item in bindings if item.kind in _DEFINING), bindings[0])
    content = project.contents[variable.path]
    return place_at(variable.path, content, chosen.start)


def is_test_path(path: str) -> bool:
    """Tell whether a file belongs to the tests."""
    folders = path.split("/")[:-1]
    name = basename(path)
    return (
        any(folder in {"test", "tests", "testing"} for folder in folders)
        or name.startswith("test_")
        or name == "conftest.py"
    )


def _candidates(project: PythonProject, parts: list[str], path: str) -> Iterator[Variable]:
    name = parts[-1]
    files = [file for file in project.files_with(name) if not path or _is(file.path, path)]
    if len(parts) == 1:
        for file in files:
            variable = Variable(file.module, name)
            if any(binding.kind in _DEFINING for binding in variable.bindings):
                yield variable
        return
    above = parts[:-1]
    if not path:
        yield from _by_module(project, parts)
    for file in files:
        for scope in file.module.walk():
            if scope.kind == "class" and scope.qualified_name.split(".")[-len(above) :] == above:
                found = project.member(scope, name)
                if isinstance(found, Variable):
                    yield found


def _by_module(project: PythonProject, parts: list[str]) -> Iterator[Variable]:
    """Read `package.module.Class.name` from the left, as an import would."""
    handle = project.modules.find(parts[0])
    here: Variable | ModuleMeaning | None = ModuleMeaning(handle) if handle else None
    for part in parts[1:]:
        found: object = None  # whatever is neither ends the walk
        if isinstance(here, ModuleMeaning):
            found = project.export(here.handle, part)
        elif isinstance(here, Variable):
            meaning = project.meaning_of(here)
            if isinstance(meaning, ClassMeaning):
                found = project.member(meaning.scope, part)
        here = found if isinstance(found, (Variable, ModuleMeaning)) else None
    if isinstance(here, Variable):
        origin = project.origin(here)
        if origin is not None and origin.name == parts[-1]:
            yield origin
    elif here is None and len(parts) > 1:
        for file in project.files_with(parts[-1]):
            module = project.modules.name_of(file.path).split(".")
            fits = module[-len(parts) + 1 :] == parts[:-1]
            if fits and any(
                binding.kind in _DEFINING for binding in file.module.bindings.get(parts[-1], [])
            ):
                yield Variable(file.module, parts[-1])


def _not_found(project: PythonProject, wanted: str, name: str) -> SymbolNotFoundError:
    owners = [
        (scope.qualified_name, file)
        for file in project.files_with(name)
        for scope in file.module.walk()
        if scope.kind == "class" and name in scope.bindings
    ]
    if owners:
        spelled = tuple(dict.fromkeys(f"{owner}.{name}" for owner, _file in owners))
        listed = ", ".join(f"`{item}`" for item in spelled[:5])
        return SymbolNotFoundError(
            f"{wanted!r} is no top-level name here, but a member of a class: say {listed}.",
            nearest=spelled[:5],
        )
    near = closest(name, defined_names(project.contents.values()))
    hint = f" Closest: {', '.join(near)}." if near else ""
    return SymbolNotFoundError(
        f"No Python symbol {wanted!r} is defined in this project.{hint}", nearest=near
    )


def _is(path: str, wanted: str) -> bool:
    return path == wanted or path.endswith(f"/{wanted}")
