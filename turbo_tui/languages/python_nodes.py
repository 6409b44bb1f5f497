"""Small questions about nodes of a Python syntax tree."""

from __future__ import annotations

from collections.abc import Iterator

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


def strings_in(node: Node) -> Iterator[Node]:
    """Yield the plain strings of a (possibly added-up) list or tuple."""
    if node.type == "string":
        yield node
    elif node.type not in {"call", "attribute", "subscript", "list_comprehension"}:
        for child in node.named_children:
            yield from strings_in(child)
    elif node.type == "call":
        arguments = node.child_by_field_name("arguments")
        if arguments is not None:
            yield from strings_in(arguments)


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
