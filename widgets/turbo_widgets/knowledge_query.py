"""A query as text: the words looked for in it, and the filters that keys change."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_KINDS = ("code", "tests", "docs", "config")  # the key goes from one to the next, then to none
_VALUE = r'(?:"[^"]*"|\S*)'
_KIND = re.compile(rf"(?<!\S)kind:{_VALUE}\s?")
_LANGUAGE = re.compile(rf"(?<!\S)lang:{_VALUE}\s?")
_FILTER = re.compile(rf'(?<!\S)(?:"[^"]+"(?!\S)|(-?(?:kind|lang|path|like):{_VALUE}(?::\d+)?))')
_WORD = re.compile(r"\w{2,}")


def words_of(query: str) -> re.Pattern[str] | None:
    """Return what finds the words of a query; None where it has none."""
    text = _FILTER.sub(lambda match: " " if match[1] else match[0], query)
    words = sorted(set(_WORD.findall(text)), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None


def similar_to(path: str, line: int) -> str:
    """Return the query for places like one."""
    return f"like:{_value(path)}:{line}"


def of_next_kind(query: str) -> str:
    """Narrow a query to the next kind of file; after the last one, to none."""
    now = next((kind for kind in _KINDS if f"kind:{kind}" in query.split()), None)
    following = _KINDS[0] if now is None else (*_KINDS[1:], None)[_KINDS.index(now)]
    words = _KIND.sub("", query).strip()
    return words if following is None else f"{words} kind:{following}"


def ending_of(path: str) -> str:
    """Return what `lang:` calls a file's language; nothing where its name says none."""
    return PurePosixPath(path).suffix[1:].lower()


def has_language(query: str) -> bool:
    """Tell whether a query is narrowed to a language."""
    return _LANGUAGE.search(query) is not None


def of_language(query: str, path: str) -> str:
    """Narrow a query to a file's language; where it is so, or the file has none, to none."""
    words = _LANGUAGE.sub("", query).strip()
    asked = f"lang:{_value(ending_of(path))}"
    is_so = any(match[0].strip() == asked for match in _LANGUAGE.finditer(query))
    return words if is_so or not ending_of(path) else f"{words} {asked}"


def _value(text: str) -> str:
    return f'"{text}"' if any(map(str.isspace, text)) else text
