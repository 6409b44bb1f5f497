"""Which grammar reads a file, and what defines a symbol in it: the table `grammars.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePosixPath

KINDS = ("class", "type", "function", "method", "module", "macro", "value")


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar's name, the node types that define a symbol with their kind, defining calls."""

    name: str
    kinds: dict[str, str]
    calls: frozenset[str]
    is_code: bool = True


def grammar_of(path: str) -> Grammar | None:
    """Return the grammar that reads a file, by its name alone; None where there is none."""
    by_ending, by_name = _table()
    name = PurePosixPath(path).name.lower()
    return by_name.get(name) or by_ending.get(name.rpartition(".")[2])


def grammar_named(name: str) -> Grammar:
    """Return a grammar of the table."""
    return next(each for each in _table()[0].values() if each.name == name)


@cache
def _table() -> tuple[dict[str, Grammar], dict[str, Grammar]]:
    text = (resources.files("turbo_tui.knowledge") / "grammars.toml").read_text(encoding="utf-8")
    by_ending: dict[str, Grammar] = {}
    by_name: dict[str, Grammar] = {}
    rows: dict[str, dict[str, list[str]]] = tomllib.loads(text)
    for name, row in rows.items():
        kinds = {node: kind for kind in KINDS for node in row.get(kind, ())}
        grammar = Grammar(name, kinds, frozenset(row.get("calls", ())), not row.get("data"))
        by_ending |= dict.fromkeys(row["endings"], grammar)
        by_name |= dict.fromkeys(row.get("names", ()), grammar)
    return by_ending, by_name
