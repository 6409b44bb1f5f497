"""What is kept of a file's content: its chunks, what it defines, and the terms of each chunk.

It hangs on the content and the kind of file alone, not on where it lies, so the same text on
another branch or in another clone need not be read again.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import PurePosixPath
from sys import intern
from typing import cast

import numpy as np
from numpy.typing import NDArray

from turbo_tui.core.decoding import decoded
from turbo_tui.knowledge.indexing.postings import MOST
from turbo_tui.knowledge.syntax.chunks import Span, by_lines, cutter_of
from turbo_tui.knowledge.syntax.definitions import LONGEST_LINE, Definition, definitions
from turbo_tui.knowledge.syntax.grammars import Grammar, grammar_for
from turbo_tui.knowledge.syntax.parsing import Parsed
from turbo_tui.knowledge.syntax.words import counted, joined, joined_name

FORM = 1  # of the fields below; what else makes a digest different is in MAKERS
MAKERS = (
    *("syntax/chunks.py", "syntax/definitions.py", "syntax/grammars.py", "syntax/grammars.toml"),
    *("syntax/parsing.py", "syntax/words.py", "indexing/digest.py", "indexing/postings.py"),
    # What is left out must not be left from before.
    *(
        "indexing/tree.py",
        "syntax/written.py",
        "syntax/file_kinds.py",
        "../core/secret_files.py",
        "../core/decoding.py",
    ),
)

Parse = Callable[[bytes, Grammar], Parsed | None]


@dataclass(frozen=True, slots=True)
class Digest:
    """What is kept of one content, term by term.

    Attributes:
        chunks: First and last line of each.
        defined: What it defines, in order.
        terms: Each once.
        sizes: How many of `words` belong to each term.
        words: `chunk << 8 | count`, chunks counted from 0.
        lengths: Terms of each chunk, repeated ones included.
    """

    chunks: tuple[Span, ...]
    defined: tuple[Definition, ...]
    terms: tuple[str, ...]
    sizes: NDArray[np.uint16]
    words: NDArray[np.uint32]
    lengths: NDArray[np.uint32]


@cache
def version() -> str:
    """Return what changes whenever digests may come out differently: then all are made anew."""
    folder = resources.files("turbo_tui.knowledge")
    made_by = b"".join((folder / name).read_bytes() for name in MAKERS)
    return f"{FORM}-{hashlib.blake2b(made_by, digest_size=8).hexdigest()}"


def key_of(path: str, content: bytes) -> str:
    """Name a content: its hash, and of its path only what decides how it is read."""
    pure = PurePosixPath(path)
    kind = (pure.suffix or pure.name).lower().encode("utf-8", "replace")
    return hashlib.blake2b(kind + b"\0" + content, digest_size=16).hexdigest()


def digest(path: str, content: bytes, parse: Parse) -> Digest:
    """Take a text apart.

    Args:
        path: Its ending says what it is.
        content: As `decoded` reads it.
        parse: Cuts by syntax; None where that did not work.
    """
    text = decoded(content)
    # What ends the last line begins no other one.
    lines = text.removesuffix("\n").split("\n")
    chunks, defined, used = _parsed(path, text, lines, parse)
    uses = _uses(chunks, used)
    by_term: dict[str, list[int]] = {}
    lengths: list[int] = []
    for which, (first, last) in enumerate(chunks):
        names = [each.name for each in defined if first <= each.line <= last]
        counts = counted("\n".join((*lines[first - 1 : last], *names)))
        lengths.append(sum(counts.values()))
        for term in uses.get(which, ()):
            counts[term] = counts.get(term, 0) + 1
        number = which << 8
        for term, count in counts.items():
            word = number | (count if count < MOST else MOST)  # noqa: FURB136  a third sooner
            held = by_term.get(term)
            if held is None:
                by_term[term] = [word]
            else:
                held.append(word)
    return Digest(
        tuple(chunks),
        tuple(defined),
        tuple(by_term),
        np.array(list(map(len, by_term.values())), np.uint16),
        np.array(list(chain.from_iterable(by_term.values())), np.uint32),
        np.array(lengths, np.uint32),
    )


def _parsed(
    path: str, text: str, lines: Sequence[str], parse: Parse
) -> tuple[Sequence[Span], Sequence[Definition], Sequence[tuple[str, int]]]:
    minified = len(text) > LONGEST_LINE * len(lines)
    sections = cutter_of(path)
    grammar = None if minified or sections else grammar_for(path, text)
    parsed = parse(text.encode(), grammar) if grammar else None
    if parsed is not None and grammar is not None and parsed.chunks:
        defined = parsed.defined if grammar.has_symbols else definitions(path, text)
        # Some grammars end a file with a node of nothing on the line after its last.
        chunks = [(a, min(b, len(lines))) for a, b in parsed.chunks if a <= len(lines)]
        return chunks, defined, parsed.references
    return (sections or by_lines)(lines), definitions(path, text), ()


def _uses(chunks: Sequence[Span], used: Sequence[tuple[str, int]]) -> dict[int, set[str]]:
    """Return the terms of names that each chunk uses and that have a single part.

    Those of several parts are terms as a whole wherever they stand.
    """
    starts = [first for first, _ in chunks]
    found: dict[int, set[str]] = {}
    for name, line in used:
        if not joined_name(name):
            found.setdefault(max(0, bisect_right(starts, line) - 1), set()).add(joined(name))
    return found


def packed(value: Digest) -> list[bytes]:
    """Write a digest as bytes: its symbols as JSON, its terms by lines, three arrays."""
    symbols = {
        "chunks": value.chunks,
        "defined": [(each.name, each.kind, each.line, each.last) for each in value.defined],
    }
    return [
        json.dumps(symbols, separators=(",", ":")).encode("ascii"),
        "\n".join(value.terms).encode("utf-8", "surrogatepass"),
        value.sizes.tobytes(),
        value.words.tobytes(),
        value.lengths.tobytes(),
    ]


PARTS = 5  # of a packed digest


def unpacked(parts: Sequence[bytes | memoryview]) -> Digest:
    """Read what `packed` wrote.

    Raises:
        ValueError: It is something else.
    """
    symbols, words, sizes, places, lengths = parts
    held = cast("dict[str, list[list[object]]]", json.loads(bytes(symbols)))
    all_terms = bytes(words).decode("utf-8", "surrogatepass")
    return Digest(
        cast("tuple[Span, ...]", tuple(map(tuple, held["chunks"]))),
        tuple(
            Definition(name, intern(kind), line, last)
            for name, kind, line, last in cast("list[tuple[str, str, int, int]]", held["defined"])
        ),
        tuple(all_terms.split("\n")) if all_terms else (),
        np.frombuffer(sizes, np.uint16),
        np.frombuffer(places, np.uint32),
        np.frombuffer(lengths, np.uint32),
    )
