"""Cut a file by its syntax and find what it defines; heavy, so only in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

from turbo_tui.knowledge.syntax.chunks import LONGEST_LINES, Span, by_syntax
from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.grammars import Grammar, grammar_named

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query
    from tree_sitter_language_pack import SupportedLanguage

_NAMED = (
    "name",
    "identifier",
    "constant",
    "variable",
    "alias",
    "word",
    "constructor",
    "sym",
    "atom",
)
_FIELDS = ("name", "declarator", "pattern", "left", "lhs", "attrpath")
_ASIDE = ("modifier", "attribute", "annotation", "parameter", "argument", "receiver", "body")
_LAST = ("field", "method", "property", "name", "declarator", "function_name")  # of a dotted name
_DEEPEST = 8  # nodes between a definition and its name
_LISTS = ("list_lit", "list")  # what a program in a Lisp is made of
_SHORTEST = 3  # letters of a reference that is worth a look
_CLAUSES = ("function", "method")
_NEAR = 2  # lines from the end of one clause to the next


class Parsed(NamedTuple):
    """What a grammar tells about a file.

    Attributes:
        chunks: First and last line of each.
        defined: What it defines, in order.
        references: Names of what it uses, with the line: what is called, types, bases.
    """

    chunks: list[Span]
    defined: list[Definition]
    references: list[tuple[str, int]]


def parse(source: bytes, grammar: Grammar) -> Parsed:
    """Take a file apart."""
    from tree_sitter import QueryCursor  # noqa: PLC0415  heavy, and only here

    parser, query = _reader(grammar.name)
    root = parser.parse(source).root_node
    captured = QueryCursor(query).captures(root) if query is not None else {}
    used = {
        (name, node.start_point[0] + 1)
        for node in captured.pop("reference", ())
        if len(name := _text(node).lstrip("$@#")) >= _SHORTEST and "\n" not in name
    }
    found = sorted(set(_definitions(captured, grammar)), key=lambda each: (each[2], -each[3]))
    used -= {(name, line) for name, _, line, _ in found}
    defining = grammar.calls | grammar.heads.keys()
    references = sorted(each for each in used if each[0] not in defining)
    defined = _together(found) if grammar.clauses else (Definition(*each) for each in found)
    return Parsed(by_syntax(root), list(defined), references)


def _together(found: Iterable[tuple[str, str, int, int]]) -> Iterator[Definition]:
    """Make one of what follows each other under one name: a signature and clauses of a function."""
    before: Definition | None = None
    for name, kind, line, last in found:
        if (
            before is not None
            and kind in _CLAUSES
            and (before.name, before.kind) == (name, kind)
            and before.last < line <= before.last + _NEAR
            and last < before.line + LONGEST_LINES
        ):
            before = Definition(name, kind, before.line, last)
            continue
        if before is not None:
            yield before
        before = Definition(name, kind, line, last)
    if before is not None:
        yield before


@cache
def _reader(name: str) -> tuple[Parser, Query | None]:
    from tree_sitter import Parser, Query  # noqa: PLC0415  heavy, and only here
    from tree_sitter_language_pack import get_language  # noqa: PLC0415

    language = get_language(cast("SupportedLanguage", name))
    grammar = grammar_named(name)
    patterns = [_pattern(node, kind) for node, kind in grammar.kinds.items()]
    patterns += [_pattern(node, "reference") for node in grammar.references]
    if grammar.calls:
        patterns.append("(call target: (identifier)) @call")
    if grammar.heads:
        kind = next(each for each in _LISTS if language.id_for_node_kind(each, True) is not None)
        patterns.append(f"({kind}) @head")
    return Parser(language), Query(language, "\n".join(patterns)) if patterns else None


def _pattern(node: str, kind: str) -> str:
    *above, inner = node.split("/")
    return "".join(f"({each} " for each in above) + f"({inner}) @{kind}" + ")" * len(above)


def _definitions(
    captured: dict[str, list[Node]], grammar: Grammar
) -> Iterator[tuple[str, str, int, int]]:
    for kind, nodes in captured.items():
        for node in nodes:
            named = _name_of(node, kind, grammar)
            if named is None or (kind == "value" and _is_local(node)):
                continue
            name = _text(named).strip("\"'")
            whole = _whole(node)
            last = whole.end_point[0] + (whole.end_point[1] > 0)
            if name and len(name) < 200 and "\n" not in name:  # noqa: PLR2004
                short = name.replace("::", ".").rpartition(".")[2]
                start = node.start_point[0] + 1
                yield short, _kind(node, kind, grammar), start, max(start, last)


def _name_of(node: Node, kind: str, grammar: Grammar) -> Node | None:
    """Return the node that names what a captured node defines; None where it defines nothing."""
    if kind == "call":
        return _called(node, grammar)
    if kind == "head":
        return _second(node, grammar)
    if node.type == "binary_operator":  # R: `name <- function(x) …`
        value = node.child_by_field_name("rhs")
        return node.child_by_field_name("lhs") if value and "function" in value.type else None
    if node.type in {"function_def", "macro_def"}:  # CMake: `function(name argument)`
        return _first_argument(node)
    if node.type == "block":  # HCL: `resource "type" "name" {`
        labels = [each for each in node.named_children if each.type == "string_lit"]
        inner = labels[-1].named_children if labels else []
        return inner[len(inner) // 2] if inner else _first_name(node, 0)
    return _name_node(node)


def _kind(node: Node, kind: str, grammar: Grammar) -> str:
    """Say what is defined: a value that is a function, or a class, is that."""
    if kind == "head":
        return grammar.heads[_text(node.named_children[0])]
    if kind != "value":
        return "function" if kind == "call" else kind
    values = (node.child_by_field_name(each) for each in ("value", "right", "rhs", "expression"))
    value = next((each for each in values if each is not None), None)
    inner = value.type if value is not None else ""
    if "function" in inner or "lambda" in inner:
        return "function"
    return "class" if inner == "class" else kind


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


def _first_argument(node: Node) -> Node | None:
    listed = (each for each in node.named_children[0].named_children if "argument" in each.type)
    inner = next(listed, None)
    while inner is not None and inner.named_children:
        inner = inner.named_children[0]
    return inner


def _second(node: Node, grammar: Grammar) -> Node | None:
    """Return the name in a list that defines: `(defn name [x] …)`, `(define (name x) …)`."""
    words = node.named_children
    if len(words) < 2 or _text(words[0]) not in grammar.heads:  # noqa: PLR2004
        return None
    inner = words[1]
    return inner.named_children[0] if inner.type in _LISTS and inner.named_children else inner


def _name_node(node: Node) -> Node | None:
    """Return the node that names a definition: its field `name`, or the first name within."""
    if node.type.endswith("_specifier") and node.child_by_field_name("body") is None:
        return None  # C: `struct x` is a use unless a body follows
    for field in _FIELDS:
        inner = node.child_by_field_name(field)
        if inner is not None:
            return inner if not inner.named_children else _first_name(inner, 0)
    return _first_name(node, 0)


def _first_name(node: Node, depth: int) -> Node | None:
    if not node.named_children:
        is_name = any(each in node.type.lower() for each in _NAMED)
        return node if is_name and "keyword" not in node.type else None
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
