r"""A text file as a model edits it, and back to bytes with nothing else changed.

The model sees `\n` line ends and no byte order mark. What an edit does not touch keeps its
bytes; what it writes takes the encoding and the line ends of its surroundings.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace

_SNIFFED_BYTES = 8_192

_MARKS = (  # the 32-bit marks begin with the 16-bit ones, so they come first
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class NotTextError(ValueError):
    """The bytes are no text."""


@dataclass(frozen=True, slots=True)
class Part:
    """Characters of a text and what takes their place.

    Attributes:
        around: Start and end of a stretch around them whose line ends `new` takes over, where it
            has any.
    """

    start: int
    end: int
    new: str
    around: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TextFile:
    r"""Text with what is needed to write it back as it was.

    Attributes:
        raw: The text with its own line ends, without the mark.
        encoding: A codec name; `latin-1` where the bytes are not UTF-8, as it keeps each byte.
        mark: The byte order mark; empty when there is none.
        default_end: The line end of what is written where the text has none.
    """

    raw: str
    encoding: str = "utf-8"
    mark: bytes = b""
    default_end: str = "\n"

    @property
    def text(self) -> str:
        r"""The text with every `\r\n` as `\n`."""
        return self.raw.replace("\r\n", "\n")

    @property
    def newline(self) -> str:
        """The line end that most lines have; the default for a file without any."""
        return _usual_end(self.raw) or self.default_end

    def replaced(self, start: int, end: int, new: str) -> TextFile:
        r"""Return the file with `text[start:end]` replaced; `new` may have any line ends.

        Written lines end as those they replace do, or else as most lines of the file do.
        """
        return self.replaced_parts([Part(start, end, new, (start, end))])

    def replaced_parts(self, parts: Iterable[Part]) -> TextFile:
        """Return the file with several parts replaced, that are in order and do not overlap."""
        ends = [found.start() - at for at, found in enumerate(re.finditer("\r\n", self.raw))]

        def raw_place(place: int) -> int:
            # A line end of two characters is one of the text's; it is never cut in half.
            return place + bisect_left(ends, place)

        usual = self.newline
        written: list[str] = []
        done = 0
        for part in parts:
            taken_out = self.raw[raw_place(part.start) : raw_place(part.end)]
            around = self.raw[raw_place(part.around[0]) : raw_place(part.around[1])]
            newline = _usual_end(taken_out) or _usual_end(around) or usual
            written.append(self.raw[done : raw_place(part.start)])
            written.append(part.new.replace("\r\n", "\n").replace("\n", newline))
            done = raw_place(part.end)
        raw = "".join([*written, self.raw[done:]])
        return replace(self, raw=raw)

    def encode(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            UnicodeEncodeError: A written character does not exist in the file's encoding.
        """
        return self.mark + self.raw.encode(self.encoding)


def _usual_end(text: str) -> str:
    """Return the line end that most lines have; empty when there are none."""
    ends = text.count("\n")
    return ("\r\n" if text.count("\r\n") * 2 > ends else "\n") if ends else ""


def decode(content: bytes) -> TextFile:
    """Read bytes as text.

    Raises:
        NotTextError: They hold NUL bytes, or do not fit their byte order mark.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return TextFile(content[len(mark) :].decode(encoding), encoding, mark)
            except UnicodeDecodeError:
                raise NotTextError(f"its bytes are not valid {encoding}") from None
    if b"\x00" in content[:_SNIFFED_BYTES]:
        raise NotTextError("it is binary")
    try:
        return TextFile(content.decode("utf-8"))
    except UnicodeDecodeError:
        return TextFile(content.decode("latin-1"), "latin-1")
