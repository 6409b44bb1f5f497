"""Parse Python with tree-sitter.

Rather than with libcst: byte positions are exact (also inside f-strings), so edits splice bytes
and nothing else moves, and a file of 3,000 lines takes 0.06 s, not 1.7 s.
"""

from __future__ import annotations

import tree_sitter
import tree_sitter_python
from tree_sitter import Node

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
_LAST_ASCII = 0x7F
_PLACEHOLDER = ord("_")


def parse(source: bytes) -> Node:
    """Return the root of a syntax tree; `source` is UTF-8, or what `parsable` made of it."""
    return _PARSER.parse(source).root_node


def parsable(content: bytes) -> bytes:
    """Return bytes of the same length that the parser can read as UTF-8.

    A file in Latin-1 or the like keeps its ASCII; its other bytes only occur in strings and
    comments in practice, where a placeholder does no harm.
    """
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return bytes(byte if byte <= _LAST_ASCII else _PLACEHOLDER for byte in content)
    return content
