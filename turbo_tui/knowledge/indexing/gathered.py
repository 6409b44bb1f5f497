"""Many files of the store as one: flat arrays, which an index takes in at once.

What `digest` keeps is by content; read file by file, an index of a million chunks took minutes to
open. The helper that has the store brings contents together (`gathering`), the worker only hangs
the arrays beside what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from sys import intern
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from turbo_tui.knowledge.syntax.chunks import Span
from turbo_tui.knowledge.syntax.definitions import Definition

Numbers = NDArray[np.uint32]
_Each = TypeVar("_Each")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Files, their chunks counted from 0 through all of them.

    Attributes:
        sizes: Chunks of each file.
        spans: First and last line of each chunk, flat.
        lengths: Terms of each chunk, repeated ones and those of the path included.
        terms: All terms in the order of their bytes, each between two line ends.
        ends: Where in `words` each term's end.
        words: `chunk << 8 | count`, as in `Postings`.
        defining: Definitions of each file.
        names: Of the definitions, and their kinds: lines of `name<tab>kind`.
        places: First and last line of each definition, flat.
    """

    sizes: Numbers
    spans: Numbers
    lengths: Numbers
    terms: bytes
    ends: Numbers
    words: Numbers
    defining: Numbers
    names: bytes
    places: Numbers

    def packed(self) -> list[bytes | memoryview]:
        """Return the parts of a message."""
        parts = (getattr(self, each.name) for each in fields(self))
        return [part if isinstance(part, bytes) else memoryview(part).cast("B") for part in parts]

    def chunks(self) -> Iterator[tuple[Span, ...]]:
        """Yield the spans of each file."""
        lines = self.spans.tolist()
        spans = list(zip(lines[::2], lines[1::2], strict=True))
        yield from _dealt(spans, self.sizes)

    def defined(self) -> Iterator[tuple[Definition, ...]]:
        """Yield what each file defines."""
        text = self.names.decode("utf-8", "surrogatepass")
        lines = self.places.tolist()
        named = [line.split("\t") for line in text.split("\n")] if text else []
        names, kinds = zip(*named, strict=True) if named else ((), ())
        yield from _dealt(
            list(map(Definition, names, map(intern, kinds), lines[::2], lines[1::2])), self.defining
        )


def _dealt(values: list[_Each], sizes: Numbers) -> Iterator[tuple[_Each, ...]]:
    at = 0
    for size in sizes.tolist():
        yield tuple(values[at : at + size])
        at += size


def unpacked(parts: Sequence[bytes]) -> Gathered:
    """Read what `Gathered.packed` wrote.

    Raises:
        ValueError: It is something else.
    """
    names = [each.name for each in fields(Gathered)]
    values = {
        name: part if name in {"terms", "names"} else np.frombuffer(part, np.uint32)
        for name, part in zip(names, parts, strict=True)
    }
    return Gathered(**values)  # pyright: ignore[reportArgumentType]
