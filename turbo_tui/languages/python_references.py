"""Every place that means one Python symbol, and those that only look like it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from turbo_tui.languages.python_project import (
    ClassMeaning,
    InstanceMeaning,
    ModuleMeaning,
    PythonProject,
    Variable,
)
from turbo_tui.languages.python_scopes import AttributeUse, Binding, PythonFile, Scope

Role = Literal["definition", "import", "use", "export"]


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One place of the symbol; bytes `start` to `end` spell its name there.

    Attributes:
        alias: The place spells another name that was given to the symbol by `as`.
    """

    path: str
    start: int
    end: int
    role: Role
    alias: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Lookalike:
    """A place that spells the name but was not proven to mean the symbol."""

    path: str
    start: int
    end: int
    kind: Literal["attribute", "string", "comment", "docstring"]


class References:
    """The places of one symbol.

    A symbol is a family of variables: the one defined, those that `from … import NAME` copies
    bind under the same name, and for a method those that override it in subclasses.
    """

    def __init__(self, project: PythonProject, target: Variable) -> None:
        self.project = project
        self.target = target
        self._family: dict[tuple[int, str], bool] = {}
        self._stub_of = target.path.removesuffix("i") if target.path.endswith(".pyi") else ""

    def belongs(self, variable: Variable) -> bool:
        """Tell whether a variable is of the family."""
        target = self.target
        if variable.name != target.name:
            return False
        key = (id(variable.scope), variable.name)
        if key not in self._family:
            self._family[key] = False  # while it is being found out: circular imports
            self._family[key] = self._is_of_family(variable)
        return self._family[key]

    def _is_of_family(self, variable: Variable) -> bool:
        target = self.target
        if variable == target:
            return True
        if variable.scope.kind == "class":
            return target.scope.kind == "class" and self.project.is_subclass(
                variable.scope, target.scope
            )
        if (
            target.path != variable.path
            and target.path.removesuffix("i") == variable.path.removesuffix("i")
            and target.qualified_name == variable.qualified_name
        ):
            return True  # a stub file beside its module
        return any(
            self.imports_it(binding) and _keeps_name(binding) for binding in variable.bindings
        )

    def imports_it(self, binding: Binding) -> bool:
        """Tell whether a `from` import brings the symbol in, under whatever local name."""
        if binding.kind != "from" or binding.imported != self.target.name:
            return False
        found = self.project.imported(binding)
        return isinstance(found, Variable) and self.belongs(found)

    def files(self) -> list[PythonFile]:
        """Return the files that spell the name."""
        return self.project.files_with(self.target.name)

    # --- what means it ---

    def all(self) -> list[Reference]:
        """Return every proven place, in path and byte order; imports under `as` included."""
        found: set[Reference] = set()
        for file in self.files():
            found.update(self._bindings(file))
            found.update(self._uses(file))
            found.update(self._attributes(file))
            found.update(self._exports(file))
        return sorted(found)

    def _bindings(self, file: PythonFile) -> Iterator[Reference]:
        for scope in file.module.walk():
            for name, bindings in scope.bindings.items():
                for binding in bindings:
                    yield from self._binding(file, Variable(scope, name), binding)

    def _binding(
        self, file: PythonFile, variable: Variable, binding: Binding
    ) -> Iterator[Reference]:
        if binding.kind == "from":
            if self.imports_it(binding):
                yield Reference(file.path, binding.start, binding.end, "import")
                if binding.aliased:
                    alias = variable.name != self.target.name
                    yield Reference(
                        file.path, binding.alias_start, binding.alias_end, "import", alias
                    )
        elif binding.kind != "import" and self.belongs(variable):
            role: Role = "use" if binding.kind == "other" else "definition"
            yield Reference(file.path, binding.start, binding.end, role)

    def _uses(self, file: PythonFile) -> Iterator[Reference]:
        names = {self.target.name} | self._aliases(file)
        defined = {
            (binding.start, binding.end)
            for scope in file.module.walk()
            for bindings in scope.bindings.values()
            for binding in bindings
        }
        for use in file.uses:
            if use.name not in names or (use.start, use.end) in defined:
                continue
            variable = self.project.variable(use.scope, use.name)
            if variable is None:
                continue
            if self.belongs(variable):
                yield Reference(file.path, use.start, use.end, "use")
            elif use.name != self.target.name and any(
                self.imports_it(binding) for binding in variable.bindings
            ):
                yield Reference(file.path, use.start, use.end, "use", alias=True)

    def _aliases(self, file: PythonFile) -> set[str]:
        return {
            name
            for scope in file.module.walk()
            for name, bindings in scope.bindings.items()
            if name != self.target.name and any(self.imports_it(binding) for binding in bindings)
        }

    def _attributes(self, file: PythonFile) -> Iterator[Reference]:
        for use in file.attributes:
            if use.name == self.target.name and self.attribute_means_it(use):
                yield Reference(file.path, use.start, use.end, "use")

    def attribute_means_it(self, use: AttributeUse) -> bool | None:
        """Tell whether `base.NAME` is the symbol; None when the source does not prove it."""
        base = self.project.meaning(use.base, use.scope)
        if base is None:
            return None
        if isinstance(base, ModuleMeaning):
            found = self.project.export(base.handle, use.name)
        elif isinstance(base, (ClassMeaning, InstanceMeaning)):
            found = self.project.member(base.scope, use.name)
            target = self.target.scope
            may_be = target.kind == "class" and self.project.is_subclass(target, base.scope)
            if found is None or (may_be and not isinstance(found, Variable)):
                return None  # declared as a base class, it may well be an object of this one
        else:
            return False
        return isinstance(found, Variable) and self.belongs(found)

    def _exports(self, file: PythonFile) -> Iterator[Reference]:
        variable = self.project.export(file.path, self.target.name)
        if not isinstance(variable, Variable) or not self.belongs(variable):
            return
        for name, start, end in file.exported:
            if name == self.target.name:
                yield Reference(file.path, start, end, "export")

    # --- what only looks like it ---

    def lookalikes(self) -> list[Lookalike]:
        """Return places that spell the name but are not proven to mean it."""
        found: list[Lookalike] = []
        word = re.compile(rb"(?<!\w)" + re.escape(self.target.name.encode()) + rb"(?!\w)")
        for file in self.files():
            exported = {start for _name, start, _end in file.exported}
            found.extend(
                Lookalike(file.path, use.start, use.end, "attribute")
                for use in file.attributes
                if use.name == self.target.name and self.attribute_means_it(use) is None
            )
            for text in file.texts:
                if text.start in exported or text.start in file.code_strings:
                    continue
                kind = "docstring" if text.docstring else text.kind
                found.extend(
                    Lookalike(file.path, text.start + hit.start(), text.start + hit.end(), kind)
                    for hit in word.finditer(file.content[text.start : text.end])
                )
        return sorted(found)


def _keeps_name(binding: Binding) -> bool:
    """An import without `as`, or with `as` the same name (the mark of a re-export)."""
    same_name = binding.scope.bindings.get(binding.imported, [])
    return not binding.aliased or any(binding is other for other in same_name)


def within(scope: Scope, outer: Scope) -> bool:
    """Tell whether a scope is another one or lies inside it."""
    step: Scope | None = scope
    while step is not None:
        if step is outer:
            return True
        step = step.parent
    return False
