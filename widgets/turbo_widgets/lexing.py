"""Syntax colours of lines of text, by what a file is called.

Lexers are a large import and may take long: call these off the loop that draws, or step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from turbo_widgets.row_items import Tone
from turbo_widgets.text import clean_line

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Mark = tuple[int, int, Tone]  # characters of a line, and their tone

_LONGEST = 500  # characters; a line beyond it is data, and lexers are not safe with it
_AROUND = 400  # lines above and below the one that is looked at

_TONES: tuple[tuple[str, Tone], ...] = (  # pygments' token types, the longest prefix first
    ("Token.Keyword.Type", "code-type"),
    ("Token.Keyword", "code-keyword"),
    ("Token.Operator.Word", "code-keyword"),
    ("Token.Literal.String", "code-string"),
    ("Token.Literal.Number", "code-number"),
    ("Token.Comment.Preproc", "code-name"),
    ("Token.Comment", "code-comment"),
    ("Token.Name.Function", "code-name"),
    ("Token.Name.Decorator", "code-name"),
    ("Token.Name.Attribute", "code-name"),
    ("Token.Name.Tag", "code-keyword"),
    ("Token.Name.Class", "code-type"),
    ("Token.Name.Builtin", "code-type"),
    ("Token.Name.Exception", "code-type"),
    ("Token.Generic.Heading", "code-keyword"),
)


def lexed(
    lexer: Lexer, texts: Sequence[str], numbers: Sequence[int], found: dict[int, list[Mark]]
) -> Iterator[None]:
    """Fill `found` token by token: number of a line -> its marks.

    Args:
        lexer: From `lexer_for`.
        texts: Lines that follow each other, as they are drawn.
        numbers: What each of them is called in `found`.
        found: What is filled.
    """
    kept = [text if len(text) <= _LONGEST else "" for text in texts]
    at = start = 0  # the line, and where it starts in the whole text
    for index, kind, value in lexer.get_tokens_unprocessed("\n".join(kept) + "\n"):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  pygments has no types
        position: int = index  # pyright: ignore[reportUnknownVariableType]
        tone = _tone(str(kind))  # pyright: ignore[reportUnknownArgumentType]
        for part in str(value).split("\n"):  # pyright: ignore[reportUnknownArgumentType]
            while at < len(kept) - 1 and position > start + len(kept[at]):
                start += len(kept[at]) + 1
                at += 1
            if tone is not None and part.strip():
                mark = (position - start, position - start + len(part), tone)
                found.setdefault(numbers[at], []).append(mark)
            position += len(part) + 1
        yield


def marks_near(path: str, lines: Sequence[str], around: int) -> dict[int, list[Mark]]:
    """Return the marks of the lines near one, by 1-based number; none where no lexer is known."""
    lexer = lexer_for(path)
    found: dict[int, list[Mark]] = {}
    if lexer is not None:
        first = max(0, around - _AROUND)
        texts = [clean_line(line) for line in lines[first : around + _AROUND]]
        if texts:
            numbers = range(first + 1, first + 1 + len(texts))
            for _ in lexed(lexer, texts, numbers, found):
                pass
    return found


@cache
def _tone(kind: str) -> Tone | None:
    return next((tone for prefix, tone in _TONES if kind.startswith(prefix)), None)


def lexer_for(path: str) -> Lexer | None:
    """Return the lexer of a file by its name alone; its text is not asked."""
    from pygments.lexers import find_lexer_class_for_filename  # noqa: PLC0415  large import

    name = path.rsplit("/", 1)[-1]
    # pygments has no types.
    found = find_lexer_class_for_filename(name)  # pyright: ignore[reportUnknownVariableType]
    if found is None or found.name == "Text only":
        return None
    return found()  # pyright: ignore[reportUnknownVariableType]
