"""Import statements of Python: which names they bind, and to what."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from turbo_tui.languages.python_nodes import first_named
from turbo_tui.languages.python_scopes import Binding, BindingKind, Scope, text_of


def imported_module(statement: Node) -> str:
    """Return the module of a `from` import as written, dots in front included."""
    source = statement.child_by_field_name("module_name")
    return text_of(source) if source is not None else "__future__"


def imported_names(statement: Node, scope: Scope) -> Iterator[tuple[str, Binding]]:
    """Yield the names that an import binds in a scope; none for `from M import *`."""
    plain = statement.type == "import_statement"
    kind: BindingKind = "import" if plain else "from"
    for name in statement.children_by_field_name("name"):
        alias = name.child_by_field_name("alias")
        dotted = name.child_by_field_name("name") if name.type == "aliased_import" else name
        if dotted is None:
            continue
        # `import a.b` binds `a`.
        bound = (first_named(dotted) or dotted) if plain else dotted
        yield (
            text_of(alias if alias is not None else bound),
            Binding(
                kind,
                bound.start_byte,
                bound.end_byte,
                scope,
                module=text_of(dotted) if plain else imported_module(statement),
                imported="" if plain else text_of(dotted),
                statement=statement,
                aliased=alias is not None,
                alias_start=alias.start_byte if alias else 0,
                alias_end=alias.end_byte if alias else 0,
            ),
        )
