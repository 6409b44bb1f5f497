"""Text from outside, made safe to show: no terminal control, no markup, one cell model."""

from __future__ import annotations

import re

from rich.cells import cell_len

# C0 but tab and newline, DEL, C1, bidi controls, zero-width marks, byte order mark, and
# surrogates (bytes that were not UTF-8): all can lie about what is shown, or move the cursor.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)
_TAB_WIDTH = 4


def clean(text: str) -> str:
    r"""Return text with every control made visible; newlines stay, tabs become spaces.

    ESC shows as `^[`, a byte that was not UTF-8 as `\xff`, a bidi override as `<202e>`.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSAFE.sub(_visible, text)
    if "\t" not in shown:
        return shown
    return "\n".join(line.expandtabs(_TAB_WIDTH) for line in shown.split("\n"))


def clean_line(text: str) -> str:
    """Return text as one line; newlines and the blanks around them become one space."""
    return clean(" ".join(text.split("\n")) if "\n" in text else text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:  # noqa: PLR2004 (C0: caret notation)
        return "^" + chr(code + 0x40)
    if code == 0x7F:  # noqa: PLR2004 (DEL)
        return "^?"
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 (surrogateescape; PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:  # noqa: PLR2004 (C1)
        return f"\\x{code:02x}"
    return f"<{code:04x}>"


def fit(text: str, width: int) -> str:
    """Return text cut to `width` cells, the last one `…` if something was cut."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = 0
    cells = 0
    for character in text:
        cells += cell_len(character)
        if cells > width - 1:
            break
        kept += 1
    return text[:kept] + "…"


def fit_path(path: str, width: int) -> str:
    """Return a path cut in front, so that its end (the file's name) stays readable."""
    if cell_len(path) <= width:
        return path
    tail = path
    while tail and cell_len(tail) > width - 1:
        tail = tail[1:]
    return "…" + tail


def wrap(text: str, width: int) -> list[str]:
    """Break text into lines of at most `width` cells, between words where it can."""
    width = max(1, width)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines.extend(_wrap_paragraph(paragraph, width))
    return lines


def _wrap_paragraph(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    line, cells, break_at = "", 0, -1
    for character in text:
        size = cell_len(character)
        if cells + size > width:
            if character == " ":
                lines.append(line)
                line, cells, break_at = "", 0, -1
                continue
            if break_at > 0:
                lines.append(line[:break_at].rstrip())
                line = line[break_at:]
            else:
                lines.append(line)
                line = ""
            cells, break_at = cell_len(line), -1
        line += character
        cells += size
        if character == " ":
            break_at = len(line)
    lines.append(line)
    return lines


def plural(count: int, one: str, many: str = "") -> str:
    """Return `1 file`, `3 files`, `1,204 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
