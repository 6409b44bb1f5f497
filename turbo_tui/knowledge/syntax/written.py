"""Tell what somebody wrote from data that is text by accident: its content says so, not its name.

Drawings, keys, tables of numbers, encoded bytes and what a program packed into long lines hold
words, too, and would come before the places that are looked for.
"""

from __future__ import annotations

import re

from turbo_tui.knowledge.syntax.chunks import cutter_of
from turbo_tui.knowledge.syntax.definitions import LONGEST_LINE
from turbo_tui.knowledge.syntax.file_kinds import is_code

_SNIFFED_BYTES = 8_192
_SMALL_BYTES = 5_000  # so much is skimmed at a glance, whatever it is
_CONTROLS = bytes(set(range(0x20)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
_RAREST_CONTROL = 500  # one in so many bytes may be a slip, or a test's

_DRAWN = re.compile(
    rb"(?:\xef\xbb\xbf)?\s{0,99}(?:%!PS|%PDF-|-----BEGIN [A-Z0-9 ]{1,40}-----"
    rb"|(?:<(?:\?xml|!DOCTYPE|!--)[^>]{0,999}>\s{0,99}){0,9}<svg\b)"
)
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_-]{60,}")
_NUMBERS = b"0123456789.,;:|+-eE \t\r\n"


def is_written(path: str, content: bytes) -> bool:
    """Tell whether a file may be looked for by what stands in it.

    Args:
        path: Its ending tells documents and notebooks, which may have long lines, and code.
        content: Of the file.
    """
    if b"\0" in content[:_SNIFFED_BYTES] or _DRAWN.match(content):
        return False
    size = len(content)
    if (size - len(content.translate(None, _CONTROLS))) * _RAREST_CONTROL > size:
        return False
    if size < _SMALL_BYTES or cutter_of(path) is not None:
        return True
    if size > LONGEST_LINE * (content.count(b"\n") + 1):
        return False
    if is_code(path):
        return True  # a picture or a table in it is somebody's
    encoded = sum(len(found[0]) for found in _ENCODED.finditer(content))
    told = len(content.translate(None, _NUMBERS))
    return encoded * 4 < size * 3 and told * 10 > size
