"""Which grammar reads a file, and what defines a symbol in it: the table `grammars.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import cast

KINDS = ("class", "type", "function", "method", "module", "macro", "value")

# What no header of C has, at the beginning of a line.
_CPP = re.compile(
    r"^[ \t]*(?:template[ \t]*<|namespace\b|class[ \t]+\w|using[ \t]"
    r"|(?:public|private|protected)[ \t]*:)",
    re.MULTILINE,
)
_SHEBANG = re.compile(r"#![^\n]*?\b(bash|zsh|dash|sh|python|ruby|node|perl|lua|tclsh|php)[\d.]*\b")
_SPOKEN = {"python": "py", "ruby": "rb", "node": "js", "perl": "pl", "tclsh": "tcl"}  # else: sh


@dataclass(frozen=True, slots=True)
class Grammar:
    """A row of the table.

    Attributes:
        name: The grammar.
        kinds: Node types that define a symbol, with its kind.
        calls: Functions whose call defines what it names.
        heads: First words of lists that define what their second word names, with its kind.
        references: Node types that use what is defined elsewhere.
        clauses: Definitions of one name that follow each other are one.
        is_code: Its files say how something works.
    """

    name: str
    kinds: dict[str, str]
    calls: frozenset[str]
    heads: dict[str, str]
    references: tuple[str, ...]
    clauses: bool = False
    is_code: bool = True

    @property
    def has_symbols(self) -> bool:
        """Whether anything is known to define a symbol."""
        return bool(self.kinds or self.calls or self.heads)


def grammar_of(path: str) -> Grammar | None:
    """Return the grammar that reads a file, by its name alone; None where there is none."""
    by_ending, by_name = _table()
    name = PurePosixPath(path).name.lower()
    return by_name.get(name) or by_ending.get(name.rpartition(".")[2])


def grammar_for(path: str, text: str) -> Grammar | None:
    """Return the grammar that reads a file, by its name and what its text says of itself.

    A header of C++ ends in `.h` as one of C does; a script may have no ending but a first line.
    """
    grammar = grammar_of(path)
    if grammar is not None and grammar.name == "c" and path.endswith(".h") and _CPP.search(text):
        return grammar_named("cpp")
    if grammar is None and not PurePosixPath(path).suffix and (told := _SHEBANG.match(text)):
        ending = _SPOKEN.get(told[1], told[1])
        return _table()[0].get(ending) or _table()[0]["sh"]
    return grammar


def grammar_named(name: str) -> Grammar:
    """Return a grammar of the table."""
    return next(each for each in _table()[0].values() if each.name == name)


@cache
def _table() -> tuple[dict[str, Grammar], dict[str, Grammar]]:
    text = (resources.files("turbo_tui.knowledge.syntax") / "grammars.toml").read_text(
        encoding="utf-8"
    )
    by_ending: dict[str, Grammar] = {}
    by_name: dict[str, Grammar] = {}
    rows: dict[str, dict[str, object]] = tomllib.loads(text)
    for name, row in rows.items():
        kinds = {node: kind for kind in KINDS for node in cast("list[str]", row.get(kind, ()))}
        grammar = Grammar(
            name,
            kinds,
            frozenset(cast("list[str]", row.get("calls", ()))),
            {word: kind for kind, words in _heads(row).items() for word in words},
            tuple(cast("list[str]", row.get("reference", ()))),
            bool(row.get("clauses")),
            not row.get("data"),
        )
        by_ending |= dict.fromkeys(cast("list[str]", row["endings"]), grammar)
        by_name |= dict.fromkeys(cast("list[str]", row.get("names", ())), grammar)
    return by_ending, by_name


def _heads(row: dict[str, object]) -> dict[str, list[str]]:
    return cast("dict[str, list[str]]", row.get("heads", {}))
