"""Small questions about nodes of a Python syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tree_sitter import Node

from turbo_tui.languages.python_scopes import text_of


def first_named(node: Node) -> Node | None:
    """Return the first child that is no punctuation."""
    return node.named_children[0] if node.named_children else None


def first_identifier(node: Node) -> Node | None:
    """Return the first identifier at or below a node."""
    if node.type == "identifier":
        return node
    return next(
        (found for child in node.named_children if (found := first_identifier(child))), None
    )


def plain_strings_in(node: Node) -> Iterator[tuple[str, int, int]]:
    """Yield content and span of strings in a list or tuple that have no escapes and no holes."""
    for string in _strings_in(node):
        content = [part for part in string.children if part.type == "string_content"]
        if len(content) == 1:
            yield text_of(content[0]), content[0].start_byte, content[0].end_byte


def docstring_of(block: Node) -> Node | None:
    """Return the string that documents a module or a body."""
    first = next((child for child in block.children if child.type != "comment"), None)
    if first is None or first.type != "expression_statement":
        return None
    only = first_named(first)
    return only if only is not None and only.type == "string" else None


def outer_names(body: Node) -> dict[str, Literal["global", "nonlocal"]]:
    """Return the names that a body declares `global` or `nonlocal`, its inner scopes left out."""
    found: dict[str, Literal["global", "nonlocal"]] = {}
    for child in body.children:
        if child.type in {"global_statement", "nonlocal_statement"}:
            for name in child.named_children:
                found[text_of(name)] = "global" if child.type == "global_statement" else "nonlocal"
        elif child.type not in {"function_definition", "class_definition", "lambda"}:
            found |= outer_names(child)
    return found


def _strings_in(node: Node) -> Iterator[Node]:
    """Yield the plain strings of a (possibly added-up) list or tuple."""
    if node.type == "string":
        yield node
    elif node.type not in {"call", "attribute", "subscript", "list_comprehension"}:
        for child in node.named_children:
            yield from _strings_in(child)
    elif node.type == "call":
        arguments = node.child_by_field_name("arguments")
        if arguments is not None:
            yield from _strings_in(arguments)


def annotation_strings(node: Node) -> Iterator[Node]:
    """Yield strings that an annotation evaluates: not those in `Literal[...]`."""
    if node.type == "string":
        yield node
        return
    children = node.named_children
    if node.type in {"generic_type", "subscript"} and children:
        head = text_of(children[0]).rpartition(".")[2]
        if head == "Literal":
            return
        if head == "Annotated":
            values = [
                value
                for child in children[1:]
                for value in (child.named_children if child.type == "type_parameter" else [child])
            ]
            children = values[:1]
    for child in children:
        yield from annotation_strings(child)
