"""Which variable every name in a Python file means: scopes, bindings and uses.

The values; `languages.python_reader` fills them.

Source: https://docs.python.org/3/reference/executionmodel.html#resolution-of-names
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tree_sitter import Node

ScopeKind = Literal["module", "class", "function", "comprehension"]
BindingKind = Literal["def", "class", "assign", "param", "import", "from", "other"]


@dataclass(slots=True, eq=False)
class Binding:
    """One place that gives a variable its value.

    Attributes:
        start: Byte span of the name as bound here; of the imported name for `from` and `import`.
        value: What is bound: a definition, the right side, or a parameter's annotation.
        module: For imports: the dotted module as written, dots in front included.
        imported: For `from` imports: the name imported.
        aliased: An `as NAME` follows; `alias_start` and `alias_end` are its span.
        statement: The whole import statement, definition or assignment.
        annotation: The type an assignment declares.
    """

    kind: BindingKind
    start: int
    end: int
    scope: Scope
    value: Node | None = None
    module: str = ""
    imported: str = ""
    aliased: bool = False
    alias_start: int = 0
    alias_end: int = 0
    statement: Node | None = None
    annotation: Node | None = None


@dataclass(slots=True, eq=False)
class Scope:
    """A namespace of one file; `node` is the definition (None for the module)."""

    kind: ScopeKind
    name: str
    parent: Scope | None
    node: Node | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    outer: dict[str, Literal["global", "nonlocal"]] = field(
        default_factory=dict[str, Literal["global", "nonlocal"]]
    )
    children: list[Scope] = field(default_factory=list["Scope"])

    @property
    def qualified_name(self) -> str:
        """The dotted name within the module; empty for the module itself."""
        if self.parent is None:
            return ""
        above = self.parent.qualified_name
        return f"{above}.{self.name}" if above else self.name

    def module(self) -> Scope:
        """Return the file's module scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def holder(self, name: str) -> Scope | None:
        """Return the scope whose variable `name` means when used here; None for a builtin."""
        if self.outer.get(name) == "global":
            return self._if_bound(self.module(), name)
        if name in self.bindings and name not in self.outer:
            return self
        scope = self.parent
        while scope is not None:
            hidden = scope.kind == "class"
            if not hidden and scope.outer.get(name) == "global":
                return self._if_bound(scope.module(), name)
            if not hidden and name in scope.bindings and name not in scope.outer:
                return scope
            scope = scope.parent
        return None

    @staticmethod
    def _if_bound(scope: Scope, name: str) -> Scope | None:
        return scope if name in scope.bindings else None

    def open(self, kind: ScopeKind, name: str, node: Node) -> Scope:
        """Begin a scope within this one."""
        inner = Scope(kind, name, self, node)
        self.children.append(inner)
        return inner

    def bind(self, name: str, binding: Binding) -> None:
        """Note a place in this scope that gives a name its value, `global` and so on heeded."""
        outer = self.outer.get(name)
        target = self
        if outer is not None:
            target = self.module() if outer == "global" else self._nonlocal_holder(name)
        target.bindings.setdefault(name, []).append(binding)

    def _nonlocal_holder(self, name: str) -> Scope:
        """Return the function around that has the name; the nearest if it binds it further down."""
        found = self.parent.holder(name) if self.parent is not None else None
        if found is not None and found.kind != "module":
            return found
        around = self.parent
        while around is not None and around.kind != "function":
            around = around.parent
        return around or self

    def walk(self) -> Iterator[Scope]:
        """Yield this scope and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Use:
    """A name read or written, by byte span; `quoted` when it stands in a string annotation."""

    name: str
    start: int
    end: int
    scope: Scope
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class AttributeUse:
    """`base.name`; the span is that of `name`."""

    name: str
    start: int
    end: int
    scope: Scope
    base: Node


@dataclass(frozen=True, slots=True)
class Text:
    """A string's content or a comment; the span is the content's."""

    kind: Literal["string", "comment"]
    start: int
    end: int
    docstring: bool = False


@dataclass(slots=True)
class PythonFile:
    """One parsed file.

    Attributes:
        content: The bytes as they are on disk; all spans are offsets into them.
        exported: Spans of the strings in `__all__`, by name.
        code_strings: Starts of strings whose content was read as code (annotations, `cast`).
        stars: Modules of `from M import *`, as written.
        broken: The parser found a syntax error: what is read may be incomplete.
    """

    path: str
    content: bytes
    module: Scope
    uses: list[Use] = field(default_factory=list[Use])
    attributes: list[AttributeUse] = field(default_factory=list[AttributeUse])
    texts: list[Text] = field(default_factory=list[Text])
    exported: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    stars: list[str] = field(default_factory=list[str])
    code_strings: set[int] = field(default_factory=set[int])
    has_all: bool = False
    broken: bool = False


def text_of(node: Node) -> str:
    """Return a node's source."""
    return (node.text or b"").decode("utf-8", "replace")
