"""Texts that were escaped once too often on their way from a model, and how to undo that."""

from __future__ import annotations

import re
from collections.abc import Callable

Undo = Callable[[str], str]

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "", "\\": "\\", '"': '"', "'": "'", "/": "/", "`": "`"}
_QUOTED = re.compile(r"\\([\"'`$/_*#<>&\[\]])")
_LINE_ENDS = re.compile(r"(?<!\\)\\(?:r\\)?([nt])")
_ENTITIES = re.compile(r"&(lt|gt|amp|quot|apos|#0?39|#x27|nbsp);")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " "}


def _string(text: str) -> str:
    """Undo what JSON does to a string; an escape that it does not know stays."""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[0]), text)


def _quotes(text: str) -> str:
    return _QUOTED.sub(r"\1", text)


def _line_ends(text: str) -> str:
    return _LINE_ENDS.sub(lambda found: _MEANT[found[1]], text)


def _backslashes(text: str) -> str:
    return text.replace("\\\\", "\\")


def _entities(text: str) -> str:
    return _ENTITIES.sub(lambda found: _NAMED.get(found[1], "'"), text)


# The gentlest first: each is tried alone.
UNDOING: tuple[Undo, ...] = (_quotes, _line_ends, _backslashes, _entities, _string)
