"""What names mean across the files of a Python project: modules, imports, classes.

Contents are read as needed from a mapping; a path without content is known to exist and no
more. Where the meaning cannot be told, the answer is None: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from turbo_tui.languages.python_modules import PythonModules
from turbo_tui.languages.python_reader import read_python
from turbo_tui.languages.python_scopes import Binding, PythonFile, Scope, text_of

_DEPTH = 12  # import chains longer than this are taken as unknown


@dataclass(frozen=True, slots=True)
class Variable:
    """A name in a scope: what a rename renames."""

    scope: Scope
    name: str

    @property
    def path(self) -> str:
        """The file it lives in."""
        return self.scope.module().name

    @property
    def bindings(self) -> list[Binding]:
        """Where it gets its value."""
        return self.scope.bindings.get(self.name, [])

    @property
    def qualified_name(self) -> str:
        """Its dotted name within its file."""
        above = self.scope.qualified_name
        return f"{above}.{self.name}" if above else self.name


@dataclass(frozen=True, slots=True)
class ModuleMeaning:
    """A module of the project: a `.py` file, or a folder (ends with `/`) without `__init__`."""

    handle: str


@dataclass(frozen=True, slots=True)
class ClassMeaning:
    """A class of the project."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class InstanceMeaning:
    """An object of a class of the project."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Known to come from outside the project, or to be a literal."""


Meaning = ModuleMeaning | ClassMeaning | InstanceMeaning | Elsewhere
ELSEWHERE = Elsewhere()
_LITERALS = {
    "string",
    "concatenated_string",
    "integer",
    "float",
    "list",
    "tuple",
    "dictionary",
    "set",
    "list_comprehension",
    "dictionary_comprehension",
    "set_comprehension",
    "true",
    "false",
    "none",
}


class PythonProject:
    """Files by path, and what their names mean.

    Attributes:
        modules: The import system's view of the paths.
    """

    def __init__(self, paths: Sequence[str], contents: Mapping[str, bytes]) -> None:
        self._paths = frozenset(path for path in paths if path.endswith((".py", ".pyi")))
        self._contents = contents
        self._files: dict[str, PythonFile] = {}
        self.modules = PythonModules(self._paths)

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The contents that were given, by path."""
        return self._contents

    def file(self, path: str) -> PythonFile | None:
        """Return a parsed file; None when its content was not given."""
        if path not in self._files:
            content = self._contents.get(path)
            if content is None:
                return None
            self._files[path] = read_python(path, content)
        return self._files[path]

    def files_with(self, name: str) -> list[PythonFile]:
        """Return the files whose bytes hold a name, in path order."""
        needle = name.encode()
        return [
            file
            for path in sorted(self._contents)
            if path in self._paths
            and needle in self._contents[path]
            and (file := self.file(path)) is not None
        ]

    # --- names ---

    def export(
        self, handle: str, name: str, depth: int = 0
    ) -> Variable | ModuleMeaning | Elsewhere | None:
        """Return what `from HANDLE import NAME` gives."""
        if depth > _DEPTH:
            return None
        file = None if handle.endswith("/") else self.file(handle)
        if file is not None:
            if name in file.module.bindings:
                return Variable(file.module, name)
            for star in file.stars:
                source = self.modules.find(star, handle)
                found = self.export(source, name, depth + 1) if source else None
                if isinstance(found, (Variable, ModuleMeaning)):
                    return found
        below = self.modules.submodule(handle, name)
        return ModuleMeaning(below) if below else None

    def imported(
        self, binding: Binding, depth: int = 0
    ) -> Variable | ModuleMeaning | Elsewhere | None:
        """Return what an import binding brings in."""
        importer = binding.scope.module().name
        dotted = binding.module
        if binding.kind == "import" and not binding.aliased:
            dotted = dotted.partition(".")[0]
        handle = self.modules.find(dotted, importer)
        if handle is None:
            return None
        if not handle:
            return None if dotted.startswith(".") else ELSEWHERE
        if binding.kind == "import":
            return ModuleMeaning(handle)
        return self.export(handle, binding.imported, depth + 1)

    def variable(self, scope: Scope, name: str) -> Variable | None:
        """Return the variable a name means in a scope; None for builtins and the unknown."""
        holder = scope.holder(name)
        if holder is not None:
            return Variable(holder, name)
        file = self.file(scope.module().name)
        for star in file.stars if file is not None else []:
            source = self.modules.find(star, scope.module().name)
            found = self.export(source, name) if source else None
            if isinstance(found, Variable):
                return found
        return None

    def origin(self, variable: Variable, depth: int = 0) -> Variable | None:
        """Follow imports to where a variable is defined; None when that cannot be told."""
        if depth > _DEPTH:
            return None
        for binding in variable.bindings:
            if binding.kind == "from":
                found = self.imported(binding, depth)
                if isinstance(found, Variable) and found != variable:
                    return self.origin(found, depth + 1)
            elif binding.kind != "import":
                return variable
        return None

    # --- meanings ---

    def meaning(  # noqa: PLR0911 - one return for each kind of expression
        self, node: Node, scope: Scope, depth: int = 0
    ) -> Meaning | None:
        """Return what an expression evaluates to, as far as the source proves it."""
        if depth > _DEPTH:
            return None
        kind = node.type
        if kind == "identifier":
            variable = self.variable(scope, text_of(node))
            return None if variable is None else self.meaning_of(variable, depth + 1)
        if kind == "attribute":
            base, name = node.child_by_field_name("object"), node.child_by_field_name("attribute")
            if base is None or name is None:
                return None
            return self._member_meaning(self.meaning(base, scope, depth + 1), text_of(name), depth)
        if kind == "call":
            return self._call_meaning(node, scope, depth)
        if kind in {"parenthesized_expression", "type", "await"} and node.named_child_count == 1:
            return self.meaning(node.named_children[0], scope, depth + 1)
        return ELSEWHERE if kind in _LITERALS else None

    def meaning_of(self, variable: Variable, depth: int = 0) -> Meaning | None:
        """Return what a variable holds, when all its bindings agree."""
        if depth > _DEPTH or not variable.bindings:
            return None
        meanings = {self._bound(binding, depth + 1) for binding in variable.bindings}
        return meanings.pop() if len(meanings) == 1 else None

    def member(self, scope: Scope, name: str, depth: int = 0) -> Variable | Elsewhere | None:
        """Return the attribute of a class, bases included.

        Returns:
            ELSEWHERE when no class of its line has it and all are known, else None.
        """
        if name in scope.bindings:
            return Variable(scope, name)
        if depth > _DEPTH:
            return None
        known = True
        for base in self.bases(scope):
            if not isinstance(base, ClassMeaning):
                known = known and isinstance(base, Elsewhere)
                continue
            found = self.member(base.scope, name, depth + 1)
            if isinstance(found, Variable):
                return found
            known = known and found is not None
        return ELSEWHERE if known else None

    def bases(self, scope: Scope) -> list[Meaning | None]:
        """Return the meanings of a class's base classes."""
        listed = scope.node.child_by_field_name("superclasses") if scope.node else None
        if listed is None or scope.parent is None:
            return []
        outer = scope.parent
        return [
            self.meaning(_without_subscript(child), outer)
            for child in listed.named_children
            if child.type not in {"keyword_argument", "comment"}
        ]

    def is_subclass(self, scope: Scope, ancestor: Scope, depth: int = 0) -> bool:
        """Tell whether a class is another one or provably derives from it."""
        if scope is ancestor:
            return True
        return depth <= _DEPTH and any(
            isinstance(base, ClassMeaning) and self.is_subclass(base.scope, ancestor, depth + 1)
            for base in self.bases(scope)
        )

    def _bound(self, binding: Binding, depth: int) -> Meaning | None:
        if binding.kind in {"import", "from"}:
            found = self.imported(binding, depth)
            return self.meaning_of(found, depth + 1) if isinstance(found, Variable) else found
        if binding.kind == "class":
            scope = _scope_of(binding.scope, binding.value)
            return ClassMeaning(scope) if scope is not None else None
        if binding.kind == "def":
            return ELSEWHERE  # a function: it has no attributes that a rename could mean
        if binding.kind == "param":
            return self._parameter(binding, depth)
        if binding.kind == "assign":
            return self._assigned(binding, depth)
        return None

    def _assigned(self, binding: Binding, depth: int) -> Meaning | None:
        """A value says more than the type declared for it."""
        found: Meaning | None = None
        if binding.value is not None:
            found = self.meaning(binding.value, binding.scope, depth + 1)
        if found is None and binding.annotation is not None:
            found = _instance(self._annotated(binding.annotation, binding.scope, depth))
        return found

    def _parameter(self, binding: Binding, depth: int) -> Meaning | None:
        function = binding.scope
        if binding.value is not None:
            return _instance(self._annotated(binding.value, function.parent or function, depth))
        owner = function.parent
        if owner is None or owner.kind != "class" or function.node is None:
            return None
        parameters = function.node.child_by_field_name("parameters")
        first = parameters.named_children[0] if parameters and parameters.named_children else None
        if first is None or first.start_byte != binding.start:
            return None
        decorators = _decorators(function.node)
        if "staticmethod" in decorators:
            return None
        return ClassMeaning(owner) if "classmethod" in decorators else InstanceMeaning(owner)

    def _annotated(self, annotation: Node, scope: Scope, depth: int) -> Meaning | None:
        inner = annotation.named_children[0] if annotation.named_children else None
        if inner is not None and inner.type == "string":
            name = text_of(inner).strip("\"'")
            variable = self.variable(scope, name) if name.isidentifier() else None
            return None if variable is None else self.meaning_of(variable, depth + 1)
        return self.meaning(annotation, scope, depth + 1)

    def _call_meaning(self, node: Node, scope: Scope, depth: int) -> Meaning | None:
        function = node.child_by_field_name("function")
        if function is None:
            return None
        if text_of(function) == "super":
            owner: Scope | None = scope
            while owner is not None and owner.kind != "class":
                owner = owner.parent
            bases = self.bases(owner) if owner is not None else []
            return _instance(bases[0]) if len(bases) == 1 else None
        called = self.meaning(function, scope, depth + 1)
        return InstanceMeaning(called.scope) if isinstance(called, ClassMeaning) else None

    def _member_meaning(self, base: Meaning | None, name: str, depth: int) -> Meaning | None:
        found: Variable | Meaning | None
        if isinstance(base, ModuleMeaning):
            found = self.export(base.handle, name, depth + 1)
        elif isinstance(base, (ClassMeaning, InstanceMeaning)):
            found = self.member(base.scope, name, depth + 1)
            if isinstance(found, Variable) and any(
                binding.kind == "def" for binding in found.bindings
            ):
                return None  # a property or a method: its value is not known
        else:
            return base
        return self.meaning_of(found, depth + 1) if isinstance(found, Variable) else found


def _instance(meaning: Meaning | None) -> Meaning | None:
    return InstanceMeaning(meaning.scope) if isinstance(meaning, ClassMeaning) else None


def _scope_of(scope: Scope, definition: Node | None) -> Scope | None:
    if definition is None:
        return None
    return next((child for child in scope.children if child.node == definition), None)


def _decorators(function: Node) -> set[str]:
    above = function.parent
    if above is None or above.type != "decorated_definition":
        return set()
    return {
        text_of(child).lstrip("@").strip() for child in above.children if child.type == "decorator"
    }


def _without_subscript(node: Node) -> Node:
    value = node.child_by_field_name("value") if node.type == "subscript" else None
    return value if value is not None else node
