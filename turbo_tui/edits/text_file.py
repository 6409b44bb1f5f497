r"""A text file as a model edits it, and back to bytes with nothing else changed.

The model sees `\n` line ends and no byte order mark. What an edit does not touch keeps its
bytes; what it writes takes the encoding and the line ends of its surroundings.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

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
class TextFile:
    r"""Text with what is needed to write it back as it was.

    Attributes:
        raw: The text with its own line ends, without the mark.
        encoding: A codec name; `latin-1` where the bytes are not UTF-8, as it keeps each byte.
        mark: The byte order mark; empty when there is none.
    """

    raw: str
    encoding: str = "utf-8"
    mark: bytes = b""

    @property
    def text(self) -> str:
        r"""The text with every `\r\n` as `\n`."""
        return self.raw.replace("\r\n", "\n")

    @property
    def newline(self) -> str:
        r"""The line end that most lines have; `\n` for a file without any."""
        crlf = self.raw.count("\r\n")
        return "\r\n" if crlf * 2 > self.raw.count("\n") else "\n"

    def newline_of(self, start: int, end: int) -> str:
        """Return the line end that most lines of `text[start:end]` have, or else of the file."""
        part = self.raw[self._raw_place(start) : self._raw_place(end)]
        if "\n" not in part:
            return self.newline
        return "\r\n" if part.count("\r\n") * 2 > part.count("\n") else "\n"

    def replaced(self, start: int, end: int, new: str, *, newline: str = "") -> TextFile:
        r"""Return the file with `text[start:end]` replaced; `new` may have any line ends.

        Written lines end in `newline`, or else as those they replace do, or else as most lines
        of the file do.
        """
        raw_start, raw_end = self._raw_place(start), self._raw_place(end)
        newline = newline or self.newline_of(start, end)
        written = new.replace("\r\n", "\n").replace("\n", newline)
        raw = self.raw[:raw_start] + written + self.raw[raw_end:]
        return TextFile(raw, self.encoding, self.mark)

    def encode(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            UnicodeEncodeError: A written character does not exist in the file's encoding.
        """
        return self.mark + self.raw.encode(self.encoding)

    def _raw_place(self, place: int) -> int:
        r"""Map an index of `text` to one of `raw`; a `\r\n` is never cut in half."""
        if "\r\n" not in self.raw:
            return place
        before, raw = 0, 0
        for piece in self.raw.split("\r\n"):
            if place <= before + len(piece):
                return raw + place - before
            before += len(piece) + 1
            raw += len(piece) + 2
        return len(self.raw)


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
