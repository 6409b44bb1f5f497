"""Draw on terminals that cannot show UTF-8: every character becomes ASCII of the same width."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_DRAWN = {  # what these stand for is their shape
    **dict.fromkeys("─━╌╍┄┅┈┉╴╶╸╺═▁▔", "-"),
    **dict.fromkeys("│┃┆┇┊┋╎╏║▏▎▍▌▐▕╷╵╹╻", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╔╗╚╝╋┣┫┳┻", "+"),
    **dict.fromkeys("▂▃▄▅▆▇▀█░▒▓▊▉▋", " "),
    **dict.fromkeys("✔✓", "+"),
    **dict.fromkeys("✖✗✘×", "x"),  # noqa: RUF001
    **dict.fromkeys("◆●■◉", "*"),
    **dict.fromkeys("○◇□◌", "o"),
    **dict.fromkeys("▶▸▹→❯»", ">"),  # noqa: RUF001
    **dict.fromkeys("▼▾▿↓", "v"),
    **dict.fromkeys("▲▴↑", "^"),
    **dict.fromkeys("←◀◂«", "<"),
    **dict.fromkeys("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "*"),
    "…": ".",
    "·": "-",
    "•": "*",
    "–": "-",  # noqa: RUF001
    "—": "-",
    "‘": "'",  # noqa: RUF001
    "’": "'",  # noqa: RUF001
    "“": '"',
    "”": '"',
    "⏸": "=",
    "↷": ">",
    "⟲": "<",
    "⚠": "!",
    "⏎": "/",
    "\u00a0": " ",
}


def needs_ascii(environ: Mapping[str, str]) -> bool:
    """Tell from LC_ALL, LC_CTYPE, LANG (the first that is set decides) if UTF-8 is not spoken."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        if value:
            return "utf8" not in value.lower().replace("-", "")
    return True


def to_ascii(text: str) -> str:
    """Return ASCII of the same cell width; a letter keeps its base, the unknown is `?`."""
    return text if text.isascii() else "".join(map(_replace, text))


def _replace(character: str) -> str:
    if character.isascii():
        return character
    drawn = _DRAWN.get(character)
    if drawn is not None:
        return drawn
    width = cell_len(character)
    if width == 1:
        base = unicodedata.normalize("NFKD", character)[0]
        return base if base.isascii() else "?"
    return "?" * width


class AsciiOnly(LineFilter):
    """Replace what such a terminal would garble, at the last moment, for every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 (the base's signature)
        """Return the segments in ASCII."""
        return [
            Segment(to_ascii(text), style, control) if not text.isascii() else segment
            for segment in segments
            for text, style, control in (segment,)
        ]
