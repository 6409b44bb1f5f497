"""Rename a Python symbol everywhere it is meant, and nowhere else."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import basename

from turbo_tui.languages.python_project import (
    ClassMeaning,
    InstanceMeaning,
    PythonProject,
    Variable,
)
from turbo_tui.languages.python_reader import read_python
from turbo_tui.languages.python_references import Lookalike, References, within
from turbo_tui.languages.python_scopes import PythonFile, Scope
from turbo_tui.languages.python_symbols import definition_place, find_symbol
from turbo_tui.languages.text_edits import Place, TextEdit, apply_edits, place_at


class RenameRefusedError(Exception):
    """The rename would change what the program means; the message says where and why."""


@dataclass(slots=True)
class Rename:
    """What a rename does.

    Attributes:
        edits: Path -> edits.
        left: Places that spell the name and were left, each with a note why.
        cautions: What could not be checked, in words.
    """

    symbol: str
    defined_at: Place
    edits: dict[str, list[TextEdit]] = field(default_factory=dict[str, list[TextEdit]])
    left: list[Place] = field(default_factory=list[Place])
    cautions: list[str] = field(default_factory=list[str])


def rename(project: PythonProject, wanted: str, new: str) -> Rename:
    """Work out the edits that rename a symbol.

    Raises:
        SymbolNotFoundError: No symbol or several are meant.
        RenameRefusedError: The new name is not valid or is taken where the symbol is used.
    """
    _refuse_bad_name(new)
    target = find_symbol(project, wanted)
    if target.name == new:
        raise RenameRefusedError(f"The symbol is already called {new!r}.")
    if target.name.startswith("__") and target.name.endswith("__"):
        raise RenameRefusedError(
            f"{target.qualified_name!r} is a name that Python itself looks for; it stays."
        )
    references = References(project, target)
    planned = Rename(target.qualified_name, definition_place(project, target))
    if target.scope.kind == "class":
        _refuse_override(project, target, planned)
    _refuse_clashes(references, new)
    for reference in references.all():
        if not reference.alias:
            edit = TextEdit(reference.start, reference.end, new)
            planned.edits.setdefault(reference.path, []).append(edit)
    for path, edit in _other_imports(references, new):
        planned.edits.setdefault(path, []).append(edit)
    for path, edits in planned.edits.items():
        content = project.contents[path]
        before = project.file(path)
        after = read_python(path, apply_edits(content, edits))
        if after.broken and not (before is not None and before.broken):
            raise RenameRefusedError(f"Renamed, {path} would no longer be valid Python.")
    planned.left = [_left(project, item) for item in references.lookalikes()]
    planned.cautions += [
        f"{file.path} has a syntax error; what stands near it may have been missed."
        for file in references.files()
        if file.broken
    ]
    return planned


def _refuse_bad_name(new: str) -> None:
    if not new.isidentifier():
        raise RenameRefusedError(
            f"{new!r} is not a valid Python name: use letters, digits and `_`, no digit in front."
        )
    if keyword.iskeyword(new):
        raise RenameRefusedError(f"{new!r} is a Python keyword; choose another name.")


def _refuse_override(project: PythonProject, target: Variable, planned: Rename) -> None:
    for base in project.bases(target.scope):
        if isinstance(base, ClassMeaning):
            above = project.member(base.scope, target.name)
            if isinstance(above, Variable):
                place = definition_place(project, above)
                raise RenameRefusedError(
                    f"{target.qualified_name} overrides {above.qualified_name} ({place}). "
                    f"Rename `{above.qualified_name}` instead: its overrides follow."
                )
        else:
            planned.cautions.append(
                f"{target.scope.name} has a base class outside this project: if that defines "
                f"{target.name!r}, the renamed method no longer overrides it."
            )


# --- clashes -----------------------------------------------------------------


def _refuse_clashes(references: References, new: str) -> None:
    """Refuse when the new name is taken, would be captured, or would capture another use."""
    places = sorted(set(_clashes(references, new)))
    if places:
        listed = "; ".join(f"{place} ({place.note})" for place in places[:8])
        more = f" and {len(places) - 8} more" if len(places) > 8 else ""  # noqa: PLR2004
        raise RenameRefusedError(
            f"{new!r} is already taken where {references.target.name!r} is used: {listed}{more}. "
            "Choose another name, or rename that one first."
        )


def _clashes(references: References, new: str) -> Iterator[Place]:
    project = references.project
    for file in references.files():
        for scope in file.module.walk():
            for name in (references.target.name,):
                variable = Variable(scope, name)
                if variable.bindings and references.belongs(variable):
                    yield from _taken(project, file, scope, new)
        for use in file.uses:
            if use.name != references.target.name:
                continue
            variable = project.variable(use.scope, use.name)
            if variable is None or not references.belongs(variable):
                continue
            holder = use.scope.holder(new)
            if holder is not None and holder is not variable.scope:
                inside = not within(variable.scope, holder)
                if inside or variable.path != file.path:
                    start = holder.bindings[new][0].start
                    yield place_at(file.path, file.content, start, "would hide the new name")


def _taken(project: PythonProject, file: PythonFile, scope: Scope, new: str) -> Iterator[Place]:
    """Yield what already uses the new name in, or through, one scope of the family."""
    for binding in scope.bindings.get(new, []):
        yield place_at(file.path, file.content, binding.start, "is bound here")
    if scope.kind == "class":
        yield from _taken_members(project, file, scope, new)
        return
    if scope.kind == "module" and basename(file.path).startswith("__init__."):
        below = project.modules.submodule(file.path, new)
        if below:
            yield Place(below.rstrip("/"), 1, 1, "", "is a module of that name")
    for use in file.uses:
        if use.name != new or not within(use.scope, scope):
            continue
        holder = use.scope.holder(new)
        if holder is None or (holder is not scope and within(scope, holder)):
            where = "a builtin" if holder is None else "an outer name"
            yield place_at(file.path, file.content, use.start, f"means {where}")


def _taken_members(
    project: PythonProject, file: PythonFile, scope: Scope, new: str
) -> Iterator[Place]:
    inherited = project.member(scope, new)
    if isinstance(inherited, Variable) and inherited.scope is not scope:
        place = definition_place(project, inherited)
        yield Place(place.path, place.line, place.column, place.text, "is inherited")
    for use in file.attributes:
        if use.name == new:
            base = project.meaning(use.base, use.scope)
            if isinstance(base, InstanceMeaning) and project.is_subclass(base.scope, scope):
                yield place_at(file.path, file.content, use.start, "is an attribute of it")


# --- imports of something else under the same name ---------------------------


def _other_imports(references: References, new: str) -> Iterator[tuple[str, TextEdit]]:
    """Yield edits for imports that bind a renamed variable to something else.

    In `try: from fast import f` / `except ImportError: from slow import f` only one side is
    renamed at its source; the other becomes `from fast import f as NEW`.
    """
    name = references.target.name
    for file in references.files():
        for scope in file.module.walk():
            variable = Variable(scope, name)
            if not variable.bindings or not references.belongs(variable):
                continue
            for binding in variable.bindings:
                if binding.kind not in {"from", "import"} or references.imports_it(binding):
                    continue
                if binding.aliased:
                    yield file.path, TextEdit(binding.alias_start, binding.alias_end, new)
                else:
                    yield file.path, TextEdit(binding.end, binding.end, f" as {new}")


def _left(project: PythonProject, item: Lookalike) -> Place:
    notes = {
        "attribute": "not sure: what stands before the dot cannot be told",
        "string": "in a string",
        "comment": "in a comment",
        "docstring": "in a docstring",
    }
    return place_at(item.path, project.contents[item.path], item.start, notes[item.kind])
