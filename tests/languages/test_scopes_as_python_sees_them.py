"""The scopes read from source, held against Python's own symbol tables."""

from __future__ import annotations

import symtable
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.languages.python_reader import read_python

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
SAMPLE = (
    "asyncio/tasks.py",
    "dataclasses.py",
    "argparse.py",
    "typing.py",
    "inspect.py",
    "functools.py",
    "unittest/mock.py",
    "concurrent/futures/process.py",
    "enum.py",
    "ast.py",
)


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _bound(table: symtable.SymbolTable) -> set[str]:
    names: set[str] = set()
    for symbol in table.get_symbols():
        given = (
            symbol.is_assigned()
            or symbol.is_parameter()
            or symbol.is_imported()
            or symbol.is_namespace()
            or symbol.is_annotated()
        )
        # Private names are mangled there.
        if symbol.is_local() and given and not symbol.get_name().startswith("_"):
            names.add(symbol.get_name())
    return names


@pytest.mark.parametrize("name", SAMPLE)
def test_bindings_of_every_scope_agree_with_python(name: str) -> None:
    content = (LIBRARY / name).read_bytes()
    file = read_python(name, content)
    read = {
        (scope.name, scope.node.start_point.row + 1): set(scope.bindings)
        for scope in file.module.walk()
        if scope.node is not None and scope.kind in {"function", "class"}
    }

    compared = 0
    for table in _tables(symtable.symtable(content.decode(), name, "exec")):
        key = (table.get_name(), table.get_lineno())
        if table.get_type() in {"function", "class"} and key in read:
            ours = {bound for bound in read[key] if not bound.startswith("_")}
            assert ours == _bound(table), key
            compared += 1

    assert not file.broken
    assert compared > 5
