"""What a Python symbol is: signature, documentation, place, and who uses it."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass

from tree_sitter import Node

from turbo_tui.languages.python_project import PythonProject, Variable
from turbo_tui.languages.python_reader import read_python
from turbo_tui.languages.python_references import Reference, References
from turbo_tui.languages.python_scopes import PythonFile, Scope, text_of
from turbo_tui.languages.python_symbols import definition_place
from turbo_tui.languages.text_edits import Place, place_at

_WIDE = 90  # characters of a signature in a list
_KINDS = {"def": "function", "class": "class", "assign": "variable"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a symbol.

    Attributes:
        members: For a class: the signatures of its public methods.
        callers: Enclosing function or module -> number of uses in it, most first.
        uses: Number of uses, imports not counted.
    """

    name: str
    kind: str
    module: str
    place: Place
    signature: str
    docstring: str
    module_docstring: str
    members: tuple[str, ...]
    callers: tuple[tuple[str, int], ...]
    uses: int
    files: int


def explain(project: PythonProject, target: Variable) -> Explanation:
    """Gather what the source says about a symbol."""
    file = project.file(target.path) or read_python(target.path, b"")
    binding = next((item for item in target.bindings if item.kind in _KINDS), target.bindings[0])
    kind = _KINDS.get(binding.kind, "name")
    if kind == "function" and target.scope.kind == "class":
        kind = "method"
    if kind == "variable" and target.name.isupper():
        kind = "constant"
    node = binding.value if binding.kind in {"def", "class"} else binding.statement
    found = References(project, target).all()
    uses = [item for item in found if item.role == "use"]
    callers = Counter(_holder(project, item) for item in uses)
    return Explanation(
        name=target.qualified_name,
        kind=kind,
        module=project.modules.name_of(target.path),
        place=definition_place(project, target),
        signature=_signature(node) if node is not None else "",
        docstring=_docstring(node) if kind != "variable" else "",
        module_docstring=_module_docstring(file),
        members=_members(binding.scope, node) if kind == "class" else (),
        callers=tuple(sorted(callers.items(), key=lambda row: (-row[1], row[0]))),
        uses=len(uses),
        files=len({item.path for item in uses}),
    )


def reference_place(project: PythonProject, item: Reference) -> Place:
    """Return a reference's place, its role as note."""
    return place_at(item.path, project.contents[item.path], item.start, item.role)


def _signature(node: Node) -> str:
    """Return a definition up to its body, decorators included; an assignment's first line."""
    body = node.child_by_field_name("body")
    if body is None:
        first = text_of(node).splitlines()
        return first[0] + (" …" if len(first) > 1 else "") if first else ""
    above = node.parent
    decorators = [
        text_of(child)
        for child in (above.children if above is not None else [])
        if above is not None and above.type == "decorated_definition" and child.type == "decorator"
    ]
    source = (node.text or b"")[: body.start_byte - node.start_byte].decode("utf-8", "replace")
    head = source.rstrip().removesuffix("\\").rstrip()
    comment = head.rfind("#")
    if comment > head.rfind(":"):
        head = head[:comment].rstrip()
    return inspect.cleandoc("\n".join([*decorators, head])).removesuffix(":")


def _docstring(node: Node | None) -> str:
    body = node.child_by_field_name("body") if node is not None else None
    first = (
        next((child for child in body.children if child.type != "comment"), None) if body else None
    )
    return _string_value(first)


def _module_docstring(file: PythonFile) -> str:
    found = next((text for text in file.texts if text.docstring), None)
    if found is None or file.content[: found.start].strip(b"rRuUbB\"' \t\r\n\xef\xbb\xbf"):
        head = file.content[: found.start] if found else b""
        lines = [line for line in head.splitlines() if not line.strip().startswith(b"#")]
        if found is None or b"".join(lines).strip(b"rRuU\"' \t\xef\xbb\xbf"):
            return ""
    return inspect.cleandoc(file.content[found.start : found.end].decode("utf-8", "replace"))


def _string_value(statement: Node | None) -> str:
    if statement is None or statement.type != "expression_statement":
        return ""
    string = statement.named_children[0] if statement.named_children else None
    if string is None or string.type != "string":
        return ""
    content = [text_of(part) for part in string.children if part.type == "string_content"]
    return inspect.cleandoc("".join(content))


def _members(scope: Scope, definition: Node | None) -> tuple[str, ...]:
    inner = next((child for child in scope.children if child.node == definition), None)
    if inner is None:
        return ()
    signatures: dict[str, str] = {}
    for child in inner.children:
        if child.kind == "function" and child.node is not None and not child.name.startswith("_"):
            *decorators, head = _signature(child.node).split("def ", maxsplit=1)
            short = " ".join(head.split())
            if any("property" in decorator for decorator in decorators):
                short = f"{child.name}{short[short.rfind(' -> ') :] if ' -> ' in short else ''}"
            signatures[child.name] = short if len(short) <= _WIDE else f"{child.name}(…)"
    return tuple(signatures.values())


def _holder(project: PythonProject, item: Reference) -> str:
    """Name the function, class or module that a place stands in."""
    file = project.file(item.path)
    scope: Scope | None = file.module if file is not None else None
    best = ""
    for inner in scope.walk() if scope is not None else ():
        node = inner.node
        named = inner.kind in {"function", "class"} and not inner.name.startswith("<")
        if node is not None and named and node.start_byte <= item.start < node.end_byte:
            best = inner.qualified_name
    module = project.modules.name_of(item.path)
    return f"{module}.{best}" if best else module
