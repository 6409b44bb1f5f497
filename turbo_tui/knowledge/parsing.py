"""Cut a file by its syntax and find what it defines; heavy, so only in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, cast

from turbo_tui.knowledge.chunks import Span, by_syntax
from turbo_tui.knowledge.definitions import Definition
from turbo_tui.knowledge.grammars import Grammar, grammar_named

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query
    from tree_sitter_language_pack import SupportedLanguage

_NAMED = ("name", "identifier", "constant", "variable", "alias", "word", "constructor")
_ASIDE = ("modifier", "attribute", "annotation", "parameter", "argument", "receiver", "body")
_LAST = ("field", "method", "property", "name", "declarator")  # of a dotted name
_DEEPEST = 8  # nodes between a definition and its name


def parse(source: bytes, grammar: Grammar) -> tuple[list[Span], list[Definition]]:
    """Return a file's chunks and what it defines, in order."""
    parser, query = _reader(grammar.name)
    root = parser.parse(source).root_node
    found = sorted(set(_definitions(root, query, grammar)), key=lambda each: (each[2], -each[3]))
    return by_syntax(root), [Definition(*each) for each in found]


@cache
def _reader(name: str) -> tuple[Parser, Query | None]:
    from tree_sitter import Parser, Query  # noqa: PLC0415  heavy, and only here
    from tree_sitter_language_pack import get_language  # noqa: PLC0415

    language = get_language(cast("SupportedLanguage", name))
    grammar = grammar_named(name)
    patterns = [_pattern(node, kind) for node, kind in grammar.kinds.items()]
    if grammar.calls:
        patterns.append("(call target: (identifier)) @call")
    return Parser(language), Query(language, "\n".join(patterns)) if patterns else None


def _pattern(node: str, kind: str) -> str:
    *above, inner = node.split("/")
    return "".join(f"({each} " for each in above) + f"({inner}) @{kind}" + ")" * len(above)


def _definitions(
    root: Node, query: Query | None, grammar: Grammar
) -> Iterator[tuple[str, str, int, int]]:
    from tree_sitter import QueryCursor  # noqa: PLC0415

    if query is None:
        return
    for kind, nodes in QueryCursor(query).captures(root).items():
        for node in nodes:
            named = _called(node, grammar) if kind == "call" else _name_node(node)
            if named is None or (kind == "value" and _is_local(node)):
                continue
            name = _text(named).strip("\"'")
            whole = _whole(node)
            last = whole.end_point[0] + (whole.end_point[1] > 0)
            if name and len(name) < 200 and "\n" not in name:  # noqa: PLR2004
                short = name.replace("::", ".").rpartition(".")[2]
                start = node.start_point[0] + 1
                yield short, "function" if kind == "call" else kind, start, max(start, last)


def _is_local(node: Node) -> bool:
    """Tell whether a variable lies inside a function's body: nobody looks for those."""
    above = node.parent
    while above is not None:
        if "function" in above.type or "block" in above.type or "method" in above.type:
            return above.parent is not None
        if "class" in above.type or "object" in above.type:
            return False
        above = above.parent
    return False


def _whole(node: Node) -> Node:
    """Return what a definition spans: grammars that put a body beside its head share a parent."""
    above = node.parent
    if node.type == "FnProto" and above is not None:
        return above
    return node


def _called(node: Node, grammar: Grammar) -> Node | None:
    """Return the name in a call that defines: `def name(x)` of Elixir."""
    target = node.child_by_field_name("target")
    if target is None or _text(target) not in grammar.calls or len(node.children) < 2:  # noqa: PLR2004
        return None
    inner: Node | None = node.children[1]
    while inner is not None and inner.type not in {"identifier", "alias"}:
        inner = inner.named_children[0] if inner.named_children else None
    return inner


def _name_node(node: Node) -> Node | None:
    """Return the node that names a definition: its field `name`, or the first name within."""
    if node.type.endswith("_specifier") and node.child_by_field_name("body") is None:
        return None  # C: `struct x` is a use unless a body follows
    for field in ("name", "declarator", "pattern", "left"):
        inner = node.child_by_field_name(field)
        if inner is not None:
            return inner if not inner.named_children else _first_name(inner, 0)
    return _first_name(node, 0)


def _first_name(node: Node, depth: int) -> Node | None:
    if not node.named_children:
        return node if any(each in node.type.lower() for each in _NAMED) else None
    if depth > _DEEPEST:
        return None
    dotted = [n for n in _LAST if node.child_by_field_name(n)]
    inner = node.child_by_field_name(dotted[0]) if dotted else None
    for child in [inner] if inner is not None else node.named_children:
        if not any(each in child.type for each in _ASIDE):
            found = _first_name(child, depth + 1)
            if found is not None:
                return found
    return None


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
