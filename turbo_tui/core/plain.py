"""Text from models, tools and files for a terminal: shown, never obeyed.

The one place for what is written to stdout and stderr. What is not printable (controls, bidi
marks, surrogates, odd blanks) becomes U+FFFD; the app's widgets name it instead.
"""

from __future__ import annotations

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """Return text on one line that no terminal obeys."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _REPLACED for char in text)


def one_line(text: str) -> str:
    """Return what was said in several lines on one, each end of a line a blank, as `plain`."""
    return plain(" ".join(line.strip() for line in text.split("\n") if line.strip()))


def plural(count: int, one: str) -> str:
    """Count things in words: `1 file`, `2 files`, `1,204 files`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def plain_lines(text: str) -> str:
    """Return text that no terminal obeys; line ends stay, tabs become spaces."""
    return "\n".join(plain(line.expandtabs(4).removesuffix("\r")) for line in text.split("\n"))
