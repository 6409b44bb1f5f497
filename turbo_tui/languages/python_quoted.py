"""Strings that are code: annotations in quotes, and the type that `cast` is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from tree_sitter import Node

from turbo_tui.languages.python_parsing import parse
from turbo_tui.languages.python_scopes import AttributeUse, Scope, Use, text_of


@dataclass(slots=True)
class CodeInString:
    """The names that a string's content uses, at their true offsets; `start` is the content's."""

    start: int
    uses: list[Use] = field(default_factory=list[Use])
    attributes: list[AttributeUse] = field(default_factory=list[AttributeUse])


def code_in_string(string: Node, scope: Scope) -> CodeInString | None:
    """Read a string's content as code; None where it is none, or has escapes or a prefix."""
    content = [part for part in string.children if part.is_named]
    parts = [part for part in content if part.type == "string_content"]
    if len(parts) != 1 or parts[0].named_child_count or text_of(string)[0] not in "\"'":
        return None
    span = parts[0]
    inner = parse(span.text or b"")
    if inner.has_error:
        return None
    found = CodeInString(span.start_byte)
    _record(inner, scope, found)
    return found


def _record(node: Node, scope: Scope, found: CodeInString) -> None:
    if node.type == "identifier":
        start, end = node.start_byte + found.start, node.end_byte + found.start
        found.uses.append(Use(text_of(node), start, end, scope, quoted=True))
    elif node.type == "attribute":
        base = node.child_by_field_name("object")
        name = node.child_by_field_name("attribute")
        if base is None or name is None:
            return
        _record(base, scope, found)
        start, end = name.start_byte + found.start, name.end_byte + found.start
        found.attributes.append(AttributeUse(text_of(name), start, end, scope, base))
    else:
        for child in node.named_children:
            _record(child, scope, found)
