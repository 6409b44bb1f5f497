"""What a format's reader found in an answer, and the pieces that all readers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from turbo_tui.edits.values import Chunk, FileEdit

Exists = Callable[[str], bool]

NUMBERS = re.compile(r"^@@ *-(\d{1,9})(?:,(\d{1,9}))? +\+(\d{1,9})(?:,(\d{1,9}))? *@@")
# What models make of them: one side alone, a range, a word before.
_LOOSE = re.compile(
    r"^@@ *(?:lines? +)?-?(\d{1,9})(?:[,-]\d{1,9})?(?: +\+\d{1,9}(?:,\d{1,9})?)? *@@"
)
_NO_WORDS = " .…-+,0123456789"


@dataclass(frozen=True, slots=True)
class Found:
    """Edits, and the lines (0-based, end excluded) of the answer that they were made of."""

    edits: tuple[FileEdit, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


def numbered_header(header: str) -> tuple[int, str]:
    """Return the first line (0: not told) that an `@@` header names, and the words behind it."""
    numbers = NUMBERS.match(header) or _LOOSE.match(header)
    words = (header[numbers.end() :] if numbers else header[2:]).strip()
    words = words.removesuffix("@@").strip()
    return (int(numbers[1]) if numbers else 0), (words if words.strip(_NO_WORDS) else "")


def masked(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[str]:
    """Return the lines with those of `spans` emptied."""
    rest = list(lines)
    for start, end in spans:
        rest[start:end] = [""] * (end - start)
    return rest


@dataclass(slots=True)
class ChunkLines:
    r"""The lines of one chunk while it is read, each with ` `, `-` or `+` before it.

    Attributes:
        bare: How many lines at the end came without any sign: blank context, or just a gap.
    """

    old: list[str] = field(default_factory=list[str])
    new: list[str] = field(default_factory=list[str])
    changes: bool = False
    bare: int = 0
    old_unended: bool = False
    new_unended: bool = False
    last: str = ""

    @property
    def empty(self) -> bool:
        """Tell whether no line was read yet."""
        return not self.old and not self.new

    def add(self, line: str) -> None:
        """Add a line; one without a sign is context, and can only narrow the place."""
        sign, text = (line[0], line[1:]) if line[:1] in {" ", "+", "-"} else (" ", line)
        if sign != "+":
            self.old.append(text)
        if sign != "-":
            self.new.append(text)
        self.changes = self.changes or sign != " "
        self.bare = 0 if line.rstrip("\r") else self.bare + 1
        self.last = sign

    def unended(self) -> None:
        """Note that the last line has no line end."""
        self.old_unended = self.old_unended or self.last in {" ", "-"}
        self.new_unended = self.new_unended or self.last in {" ", "+"}

    def without_gap(self) -> None:
        """Drop lines at the end that came without a sign: they part chunks."""
        if self.bare:
            del self.old[-self.bare :]
            del self.new[-self.bare :]
            self.bare = 0

    def chunk(self, context: Sequence[str] = (), *, at_end: bool = False, line: int = 0) -> Chunk:
        """Return the chunk."""
        return Chunk(
            _text(self.old, ended=not self.old_unended),
            _text(self.new, ended=not self.new_unended),
            context=tuple(context),
            at_end=at_end or self.old_unended or self.new_unended,
            line=line,
            whole_lines=True,
        )


def _text(lines: Sequence[str], *, ended: bool) -> str:
    text = "".join(f"{line.removesuffix(chr(13))}\n" for line in lines)
    return text if ended else text.removesuffix("\n")
