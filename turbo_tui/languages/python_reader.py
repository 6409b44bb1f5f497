"""Read a Python file into scopes, bindings and uses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

from tree_sitter import Node

from turbo_tui.languages.python_import_statements import imported_module, imported_names
from turbo_tui.languages.python_nodes import (
    annotation_strings,
    docstring_of,
    first_identifier,
    first_named,
    outer_names,
    plain_strings_in,
)
from turbo_tui.languages.python_parsing import parsable, parse
from turbo_tui.languages.python_quoted import code_in_string
from turbo_tui.languages.python_scopes import (
    AttributeUse,
    Binding,
    BindingKind,
    PythonFile,
    Scope,
    Text,
    Use,
    text_of,
)

_COMPREHENSIONS = {
    "list_comprehension",
    "set_comprehension",
    "dictionary_comprehension",
    "generator_expression",
}
_TARGET_GROUPS = {
    "pattern_list",
    "tuple_pattern",
    "list_pattern",
    "tuple",
    "list",
    "expression_list",
    "parenthesized_expression",
    "list_splat_pattern",
    "list_splat",
    "dictionary_splat_pattern",
    "as_pattern_target",
}


def read_python(path: str, content: bytes) -> PythonFile:
    """Parse a file and resolve its names to scopes."""
    return _Reader(path, content).read()


class _Reader:
    """Walk a syntax tree once, filling a PythonFile."""

    def __init__(self, path: str, content: bytes) -> None:
        self._module = Scope("module", path, None)
        self._file = PythonFile(path, content, self._module)
        self._source = parsable(content)
        self._docstrings: set[int] = set()

    def read(self) -> PythonFile:
        root = parse(self._source)
        self._file.broken = root.has_error
        self._mark_docstring(root)
        self._children(root, self._module)
        return self._file

    # --- statements and expressions ---

    def _children(self, node: Node, scope: Scope) -> None:
        for child in node.children:
            if child.is_named:
                self._visit(child, scope)

    def _visit(self, node: Node, scope: Scope) -> None:
        kind = node.type
        if kind == "identifier":
            self._use(node, scope)
            return
        if kind in _COMPREHENSIONS:
            self._comprehension(node, scope)
            return
        handler = self._HANDLERS.get(kind)
        if handler is None:
            self._children(node, scope)
        else:
            handler(self, node, scope)

    def _maybe(self, node: Node | None, scope: Scope) -> None:
        if node is not None:
            self._visit(node, scope)

    def _use(self, node: Node, scope: Scope, *, quoted: bool = False) -> None:
        self._file.uses.append(
            Use(text_of(node), node.start_byte, node.end_byte, scope, quoted=quoted)
        )

    def _bind(
        self,
        node: Node,
        scope: Scope,
        kind: BindingKind,
        value: Node | None = None,
        statement: Node | None = None,
    ) -> None:
        scope.bind(
            text_of(node),
            Binding(kind, node.start_byte, node.end_byte, scope, value, statement=statement),
        )
        self._use(node, scope)

    def _targets(
        self, node: Node, scope: Scope, value: Node | None = None, statement: Node | None = None
    ) -> None:
        if node.type == "identifier":
            kind: BindingKind = "other" if value is None and statement is None else "assign"
            self._bind(node, scope, kind, value, statement)
        elif node.type in _TARGET_GROUPS:
            for child in node.children:
                if child.is_named:
                    self._targets(child, scope, statement=statement)
        else:
            self._visit(node, scope)

    def _function(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        assert name is not None  # noqa: S101 - the grammar requires it
        self._bind(name, scope, "def", node, node)
        inner = scope.open("function", text_of(name), node)
        self._type_parameters(node, inner)
        self._maybe_parameters(node.child_by_field_name("parameters"), inner, scope)
        self._annotation(node.child_by_field_name("return_type"), scope)
        self._body(node, inner)

    def _lambda(self, node: Node, scope: Scope) -> None:
        inner = scope.open("function", "<lambda>", node)
        self._maybe_parameters(node.child_by_field_name("parameters"), inner, scope)
        self._maybe(node.child_by_field_name("body"), inner)

    def _class(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_name("name")
        assert name is not None  # noqa: S101 - the grammar requires it
        self._bind(name, scope, "class", node, node)
        self._maybe(node.child_by_field_name("superclasses"), scope)
        inner = scope.open("class", text_of(name), node)
        self._type_parameters(node, inner)
        self._body(node, inner)

    def _body(self, node: Node, scope: Scope) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        # `global x` counts for the whole body, also for what stands above it.
        scope.outer |= outer_names(body)
        self._mark_docstring(body)
        self._children(body, scope)

    def _mark_docstring(self, block: Node) -> None:
        docstring = docstring_of(block)
        if docstring is not None:
            self._docstrings.add(docstring.start_byte)

    def _type_parameters(self, node: Node, scope: Scope) -> None:
        parameters = node.child_by_field_name("type_parameters")
        if parameters is None:
            return
        for child in parameters.named_children:
            inner = child.named_children[0] if child.named_children else None
            if inner is not None and inner.type == "identifier":
                self._bind(inner, scope, "other")
            else:
                self._annotation(child, scope)

    def _maybe_parameters(self, node: Node | None, inner: Scope, outer: Scope) -> None:
        for child in node.named_children if node is not None else []:
            annotation = child.child_by_field_name("type")
            default = child.child_by_field_name("value")
            name = child.child_by_field_name("name")
            if name is None:
                name = child if child.type == "identifier" else first_named(child)
            self._annotation(annotation, outer)
            self._maybe(default, outer)
            if name is None or child.type in {"keyword_separator", "positional_separator"}:
                continue
            if name.type == "identifier":
                self._bind(name, inner, "param", annotation, child)
            else:
                self._targets(name, inner)

    def _comprehension(self, node: Node, scope: Scope) -> None:
        inner = scope.open("comprehension", "<comprehension>", node)
        clauses = [child for child in node.named_children if child.type == "for_in_clause"]
        for index, clause in enumerate(clauses):
            # Only the first iterable is evaluated outside; reference/expressions, 6.2.4.
            self._maybe(clause.child_by_field_name("right"), scope if index == 0 else inner)
            left = clause.child_by_field_name("left")
            if left is not None:
                self._targets(left, inner)
        for child in node.named_children:
            if child.type != "for_in_clause":
                self._visit(child, inner)

    def _assignment(self, node: Node, scope: Scope) -> None:
        right = node.child_by_field_name("right")
        self._maybe(right, scope)
        annotation = node.child_by_field_name("type")
        self._annotation(annotation, scope)
        left = node.child_by_field_name("left")
        if left is None:
            return
        if text_of(left) == "__all__":
            self._exports(right)
        self._targets(left, scope, right, node)
        if annotation is not None and left.type == "identifier":
            for binding in scope.bindings.get(text_of(left), [])[-1:]:
                binding.annotation = annotation

    def _augmented(self, node: Node, scope: Scope) -> None:
        right = node.child_by_field_name("right")
        self._maybe(right, scope)
        left = node.child_by_field_name("left")
        if left is not None:
            if text_of(left) == "__all__":
                self._exports(right)
            self._targets(left, scope)

    def _named_expression(self, node: Node, scope: Scope) -> None:
        value = node.child_by_field_name("value")
        self._maybe(value, scope)
        holder = scope
        while holder.kind == "comprehension" and holder.parent is not None:
            holder = holder.parent
        name = node.child_by_field_name("name")
        if name is not None:
            self._targets(name, holder, value, node)

    def _for(self, node: Node, scope: Scope) -> None:
        self._maybe(node.child_by_field_name("right"), scope)
        left = node.child_by_field_name("left")
        if left is not None:
            self._targets(left, scope)
        self._maybe(node.child_by_field_name("body"), scope)
        self._maybe(node.child_by_field_name("alternative"), scope)

    def _as_pattern(self, node: Node, scope: Scope) -> None:
        alias = node.child_by_field_name("alias")
        for child in node.named_children:
            if child.type == "as_pattern_target":
                self._targets(child, scope)
            elif child == alias or (child.type == "identifier" and child == node.children[-1]):
                self._bind(child, scope, "other")
            else:
                self._visit(child, scope)

    def _exports(self, node: Node | None) -> None:
        self._file.has_all = True
        if node is not None:
            self._file.exported += plain_strings_in(node)

    # --- imports ---

    def _import(self, node: Node, scope: Scope) -> None:
        if any(child.type == "wildcard_import" for child in node.children):
            self._file.stars.append(imported_module(node))
            return
        for name, binding in imported_names(node, scope):
            scope.bind(name, binding)

    # --- leaves with a meaning of their own ---

    def _attribute(self, node: Node, scope: Scope) -> None:
        base = node.child_by_field_name("object")
        name = node.child_by_field_name("attribute")
        if base is None or name is None:
            self._children(node, scope)
            return
        self._visit(base, scope)
        self._file.attributes.append(
            AttributeUse(text_of(name), name.start_byte, name.end_byte, scope, base)
        )

    def _call(self, node: Node, scope: Scope) -> None:
        function = node.child_by_field_name("function")
        called = text_of(function) if function is not None else ""
        if called in {"__all__.extend", "__all__.append"}:
            self._exports(node.child_by_field_name("arguments"))
        if called.rpartition(".")[2] == "cast":
            arguments = node.child_by_field_name("arguments")
            first = first_named(arguments) if arguments is not None else None
            if first is not None and first.type == "string":
                self._quoted(first, scope)
        self._children(node, scope)

    def _keyword(self, node: Node, scope: Scope) -> None:
        self._maybe(node.child_by_field_name("value"), scope)

    def _keyword_pattern(self, node: Node, scope: Scope) -> None:
        for child in node.named_children[1:]:
            self._visit(child, scope)

    def _class_pattern(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            if child.type == "dotted_name":
                self._dotted(child, scope)
            else:
                self._visit(child, scope)

    def _dotted_pattern(self, node: Node, scope: Scope) -> None:
        """A dotted name in a pattern is a value; a single one captures, unless it is `_`."""
        if node.named_child_count == 1:
            only = node.named_children[0]
            if text_of(only) != "_":
                self._bind(only, scope, "other")
        else:
            self._dotted(node, scope)

    def _dotted(self, node: Node, scope: Scope) -> None:
        parts = node.named_children
        if parts:
            self._use(parts[0], scope)
        for before, part in pairwise(parts):
            prefix = self._source[node.start_byte : before.end_byte]
            base = parse(prefix)  # a dotted name has no node for its parts
            while base.type in {"module", "expression_statement"} and base.named_children:
                base = base.named_children[0]
            self._file.attributes.append(
                AttributeUse(text_of(part), part.start_byte, part.end_byte, scope, base)
            )

    def _splat_pattern(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            if child.type == "identifier" and text_of(child) != "_":
                self._bind(child, scope, "other")

    def _type_alias(self, node: Node, scope: Scope) -> None:
        left = node.child_by_field_name("left")
        name = first_identifier(left) if left is not None else None
        if name is not None:
            self._bind(name, scope, "assign", None, node)
        self._annotation(node.child_by_field_name("right"), scope)

    def _declared(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            self._use(child, scope)

    def _comment(self, node: Node, scope: Scope) -> None:
        del scope
        self._file.texts.append(Text("comment", node.start_byte, node.end_byte))

    def _string(self, node: Node, scope: Scope) -> None:
        docstring = node.start_byte in self._docstrings
        for child in node.children:
            if child.type == "string_content":
                self._file.texts.append(Text("string", child.start_byte, child.end_byte, docstring))
            elif child.type == "interpolation":
                self._children(child, scope)

    # --- annotations: strings in them are code ---

    def _annotation(self, node: Node | None, scope: Scope) -> None:
        if node is None:
            return
        self._visit(node, scope)
        for string in annotation_strings(node):
            self._quoted(string, scope)

    def _quoted(self, string: Node, scope: Scope) -> None:
        found = code_in_string(string, scope)
        if found is not None:
            self._file.code_strings.add(found.start)
            self._file.uses += found.uses
            self._file.attributes += found.attributes

    _HANDLERS: ClassVar[dict[str, Callable[[_Reader, Node, Scope], None]]] = {
        "function_definition": _function,
        "class_definition": _class,
        "lambda": _lambda,
        "assignment": _assignment,
        "augmented_assignment": _augmented,
        "named_expression": _named_expression,
        "for_statement": _for,
        "as_pattern": _as_pattern,
        "import_statement": _import,
        "import_from_statement": _import,
        "future_import_statement": _import,
        "global_statement": _declared,
        "nonlocal_statement": _declared,
        "attribute": _attribute,
        "call": _call,
        "keyword_argument": _keyword,
        "keyword_pattern": _keyword_pattern,
        "class_pattern": _class_pattern,
        "dotted_name": _dotted_pattern,
        "splat_pattern": _splat_pattern,
        "type_alias_statement": _type_alias,
        "comment": _comment,
        "string": _string,
    }
