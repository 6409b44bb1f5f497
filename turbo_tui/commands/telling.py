"""Write to the terminal what it can show and does not obey; nothing heavy is imported for it."""

from __future__ import annotations

import sys
from typing import TextIO

from turbo_tui.core.plain import plain_lines


def encodable(text: str, out: TextIO) -> str:
    """Return text that `out` can write: what its encoding lacks becomes `?`."""
    encoding = out.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def tell(text: str) -> None:
    """Write to stderr what stderr can show, and no terminal obeys."""
    sys.stderr.write(encodable(plain_lines(text), sys.stderr))
