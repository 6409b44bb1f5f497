"""Cut text into the word pieces of an uncased BERT vocabulary, with the standard library alone.

The same ids as the `tokenizers` package gives, without importing it: every word is cut once and
remembered, so that a chunk of code takes tens of microseconds. A special token's name in a text
is text.

Source: Devlin et al. 2019, arXiv:1810.04805; Wu et al. 2016, arXiv:1609.08144, section 4.1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, islice

UNKNOWN = "[UNK]"
_INSIDE = "##"
_LONGEST = 100  # characters; a longer word is unknown
_REMEMBERED = 60_000  # words, some 10 MB
_CHARS_PER_TOKEN = 8  # a first guess at how much text is needed
_ASCII_WORD = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
# What is removed of ASCII: all controls but tab, line feed and carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """A vocabulary, and the words that were cut by it."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._cut = _Cut({piece: number for number, piece in enumerate(vocabulary)})

    def ids(self, text: str, *, limit: int) -> list[int]:
        """Return the first `limit` pieces of a text by number, without [CLS] and [SEP]."""
        guess = limit * _CHARS_PER_TOKEN
        if len(text) > guess:
            words = words_of(text[:guess])[:-1]  # the last one may be cut
            found = self._ids(words, limit)
            if len(found) == limit:
                return found
        return self._ids(words_of(text), limit)

    def _ids(self, words: list[str], limit: int) -> list[int]:
        if len(self._cut) > _REMEMBERED:
            self._cut.clear()
        return list(islice(chain.from_iterable(map(self._cut.__getitem__, words)), limit))


def words_of(text: str) -> list[str]:
    """Split at white space and around every mark; lower case, no accents, no control characters."""
    if text.isascii() and not _CONTROL.search(text):
        return _ASCII_WORD.findall(text.lower())
    return text.translate(_PLAIN).split()


class _Cut(dict[str, tuple[int, ...]]):
    """Words to their pieces; the longest piece that fits is taken first."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__()
        self._numbers = numbers
        self._unknown = (numbers[UNKNOWN],)

    def __missing__(self, word: str) -> tuple[int, ...]:
        pieces = self[word] = self._pieces(word)
        return pieces

    def _pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST:
            return self._unknown
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = _INSIDE if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return self._unknown
            pieces.append(number)
            start = end
        return tuple(pieces)


class _Plain(dict[int, str]):
    """Characters to what stands for them, each looked up once."""

    def __missing__(self, code: int) -> str:
        plain = self[code] = _plain(chr(code))
        return plain


def _plain(char: str) -> str:
    if char in "\t\n\r" or (char.isspace() and unicodedata.category(char)[0] == "Z"):
        return " "
    if char == "\ufffd" or unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs"}:
        return ""
    if any(first <= ord(char) <= last for first, last in _IDEOGRAPHS):
        return f" {char} "
    base = "".join(c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if _is_mark(c) else c for c in base.lower())


def _is_mark(char: str) -> bool:
    ascii_mark = char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    return ascii_mark or unicodedata.category(char).startswith("P")


_PLAIN = _Plain()
