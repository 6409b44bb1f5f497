"""Find and rewrite code by its structure, in any language ast-grep knows.

Source: https://ast-grep.github.io/guide/pattern-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ast_grep_py import SgNode, SgRoot

from turbo_tui.languages.by_ending import META_VARIABLE, language_of
from turbo_tui.languages.text_edits import Place, TextEdit, place_at

_NOT_CODE = ("comment", "string", "text", "heredoc")


class PatternRefusedError(Exception):
    """A pattern or its replacement cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Edits of one file and the places of its outermost matches."""

    edits: list[TextEdit]
    places: list[Place]


def check_pattern(pattern: str, rewrite: str) -> None:
    """Refuse what would match everything, or a replacement with unknown parts.

    Raises:
        PatternRefusedError: With the reason and what would work.
    """
    bare = META_VARIABLE.sub("", pattern).strip()
    if not bare or not re.search(r"\w|[^\s()\[\]{},;]", bare):
        raise PatternRefusedError(
            f"The pattern {pattern!r} would match any code; name something in it, "
            "such as `print($$$ARGS)`."
        )
    known = {hit[1] or hit[2] for hit in META_VARIABLE.finditer(pattern)}
    wanted = {hit[1] or hit[2] for hit in META_VARIABLE.finditer(rewrite)}
    if wanted - known:
        names = ", ".join(f"${name}" for name in sorted(wanted - known))
        raise PatternRefusedError(
            f"The replacement uses {names}, which the pattern does not capture. "
            f"It captures: {', '.join(f'${name}' for name in sorted(known)) or 'nothing'}."
        )


def rewrite_file(path: str, content: bytes, pattern: str, rewrite: str) -> Rewrite:
    """Rewrite every match of a pattern in one file; matches inside captures too."""
    text, encoding = _decoded(content)
    matches = _Matches(text, pattern, rewrite, language_of(path))
    edits: list[TextEdit] = []
    places: list[Place] = []
    for start, end, replaced in matches.outermost(0, len(text)):
        first = len(text[:start].encode(encoding))
        last = first + len(text[start:end].encode(encoding))
        edits.append(TextEdit(first, last, replaced))
        places.append(place_at(path, content, first))
    return Rewrite(edits, places)


def identifiers(path: str, content: bytes, name: str) -> Iterator[Place]:
    """Yield the places where a name stands as code, not in a string or a comment."""
    text, encoding = _decoded(content)
    root = SgRoot(text, language_of(path)).root()
    for node in root.find_all(regex=f"^{re.escape(name)}$"):
        if node.is_leaf() and not any(word in node.kind() for word in _NOT_CODE):
            start = len(text[: node.range().start.index].encode(encoding))
            yield place_at(path, content, start)


class _Matches:
    """All matches of a pattern in a text, rendered from the outside in."""

    def __init__(self, text: str, pattern: str, rewrite: str, language: str) -> None:
        self._text = text
        self._rewrite = rewrite
        found = SgRoot(text, language).root().find_all(pattern=pattern)
        self._nodes = {(node.range().start.index, node.range().end.index): node for node in found}

    def outermost(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Yield span and new text of the matches in a range that lie in no other of it."""
        reached = start
        for (first, last), node in sorted(
            self._nodes.items(), key=lambda item: (item[0][0], -item[0][1])
        ):
            if first >= reached and last <= end:
                yield first, last, self._rendered(node)
                reached = last

    def _rendered(self, node: SgNode) -> str:
        def captured(hit: re.Match[str]) -> str:
            if hit[1]:
                nodes = node.get_multiple_matches(hit[1])
                if not nodes:
                    return ""
                return self._inside(nodes[0].range().start.index, nodes[-1].range().end.index)
            found = node.get_match(hit[2])
            if found is None:
                return ""
            return self._inside(found.range().start.index, found.range().end.index)

        return META_VARIABLE.sub(captured, self._rewrite)

    def _inside(self, start: int, end: int) -> str:
        pieces: list[str] = []
        reached = start
        for first, last, text in self.outermost(start, end):
            pieces += [self._text[reached:first], text]
            reached = last
        return "".join([*pieces, self._text[reached:end]])


def _decoded(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"
