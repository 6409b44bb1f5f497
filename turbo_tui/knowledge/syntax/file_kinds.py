"""What a file is beside the thing itself: a test, a header, an older version of another file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from turbo_tui.knowledge.syntax.chunks import PROSE
from turbo_tui.knowledge.syntax.definitions import language_of
from turbo_tui.knowledge.syntax.grammars import grammar_of

_WORDS = {
    "test": "tests?|specs?|testing|fixtures?|mocks?",
    "compat": "compat|legacy|deprecated|polyfills?|shims?|vendor",
    "example": "examples?|samples?|demos?|benchmarks?|bench",
    "template": "templates?",
}
_NAMED = {
    kind: re.compile(rf"(?:^|[/_.-])(?:{words})(?=[/_.-]|$)", re.IGNORECASE)
    for kind, words in _WORDS.items()
}
_INTERNAL = re.compile(r"(?:^|/)(?:_(?!_)\w+|internals?|impl|details?|private)(?=/)", re.IGNORECASE)
_TEMPLATES = (".erb", ".tt", ".tpl", ".tmpl", ".mustache", ".hbs", ".j2")
_TWINS = {
    ".h": (".c", ".cc", ".cpp", ".cxx", ".m"),
    ".hpp": (".cpp", ".cc"),
    ".pyi": (".py", ".pyx"),
    ".mli": (".ml",),
    ".d.ts": (".ts", ".js"),
}
_VERSION = re.compile(r"(?:^|(?<=/))v(\d+)(?=/)")

KINDS = (
    *("test", "compat", "example", "template"),
    *("prose", "data", "hidden", "internal", "header", "older"),
)


def kinds_of(
    path: str, paths: Collection[str], versions: dict[str, int], *, query: str = ""
) -> list[str]:
    """Say what a file is that may be in the way; what the query names itself is not.

    Args:
        path: Of the file.
        paths: All files of the workspace.
        versions: As `newest_versions` returns it.
        query: In lower case.
    """
    kinds = list(_by_path(path))
    if _has_twin(path, paths):
        kinds.append("header")
    if _is_older(path, paths, versions, query):
        kinds.append("older")
    return [kind for kind in kinds if kind not in query]


@lru_cache(maxsize=50_000)
def _by_path(path: str) -> tuple[str, ...]:
    """Say what a file is by its path alone."""
    kinds = [kind for kind, named in _NAMED.items() if named.search(path)]
    lower = path.lower()
    if lower.endswith(_TEMPLATES) and "template" not in kinds:
        kinds.append("template")
    if lower.endswith(PROSE):
        kinds.append("prose")
    elif not is_code(path):
        kinds.append("data")
    if path.startswith(".") or "/." in path:
        kinds.append("hidden")
    if _INTERNAL.search(path):
        kinds.append("internal")
    return tuple(kinds)


def is_code(path: str) -> bool:
    """Tell whether a file is written in a language that defines symbols."""
    grammar = grammar_of(path)
    return bool(language_of(path)) or (grammar is not None and grammar.is_code)


def newest_versions(paths: Iterable[str]) -> dict[str, int]:
    """Return the highest N of folders named vN, by the folder that they lie in."""
    newest: dict[str, int] = {}
    for path in paths:
        for above, version, _ in _versioned(path):
            newest[above] = max(newest.get(above, 0), int(version))
    return newest


@lru_cache(maxsize=50_000)
def _versioned(path: str) -> tuple[tuple[str, str, str], ...]:
    """Return the folders named vN that a path goes through: what is above, N, what is below."""
    found = _VERSION.finditer(path)
    return tuple((path[: each.start()], each[1], path[each.end() + 1 :]) for each in found)


def _is_older(path: str, paths: Collection[str], versions: dict[str, int], query: str) -> bool:
    """Tell whether a file lies in a versioned folder that a newer one, or none, takes over from."""
    for above, version, below in _versioned(path):
        if re.search(rf"\bv{version}\b", query):
            continue
        if versions.get(above, 0) > int(version) or above + below in paths:
            return True
    return False


def _has_twin(path: str, paths: Collection[str]) -> bool:
    """Tell whether a file only declares what the one beside it holds."""
    return any(twin in paths for twin in _twins(path))


@lru_cache(maxsize=50_000)
def _twins(path: str) -> tuple[str, ...]:
    """Return the paths of what would hold what a file declares."""
    ending = ".d.ts" if path.endswith(".d.ts") else f".{path.rpartition('.')[2]}"
    return tuple(path.removesuffix(ending) + twin for twin in _TWINS.get(ending, ()))
