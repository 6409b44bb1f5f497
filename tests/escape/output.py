"""Attempts by what is printed: the reader is the user's terminal."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501

from __future__ import annotations

import unicodedata

from tests.escape.attempts import Attempt, Seen

_KEPT = {"\n", "\t"}


def drives(seen: Seen) -> bool:
    """What was shown still holds something that a terminal, or an eye, obeys."""
    text = seen.output
    plain = "".join(
        part if number % 2 == 0 else "" for number, part in enumerate(_without_colours(text))
    )
    return any(
        unicodedata.category(letter) == "Cc" and letter not in _KEPT for letter in plain
    ) or any(letter in text for letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _without_colours(text: str) -> list[str]:
    """Split at SGR sequences: text, colour, text and so on."""
    import re

    return re.split(r"(\x1b\[[0-9;:]*m)", text)


_PAYLOADS: tuple[tuple[str, str, bytes], ...] = (
    ("clipboard", "The clipboard is set (OSC 52)", b"\x1b]52;c;ZXZpbA==\x07"),
    ("clipboard-st", "The clipboard is set, by the other end of a string", b"\x1b]52;c;ZXZpbA==\x1b\\"),
    ("hyperlink", "A text leads elsewhere than it says (OSC 8)", b"\x1b]8;;https://evil.example\x07docs\x1b]8;;\x07"),
    ("question-back", "The terminal types its answer (CSI 6n)", b"\x1b[6n\x1b[c\x1b[>q\x05"),
    ("c1-string", "A string is opened by one byte (C1)", b"\x9d52;c;ZXZpbA==\x9c \xc2\x9d52;c;ZXZpbA==\xc2\x9c"),
    ("c1-sequence", "A sequence is opened by one byte (C1)", b"\x9b6n \xc2\x9b6n"),
    ("bidi", "Text is shown in another order than it runs", "if admin\u202e \u2066// check\u2069 \u2066".encode()),
    ("device-string", "The terminal's settings are asked for (DCS, APC, PM, SOS)", b'\x1bP$q"p\x1b\\ \x1b_G\x1b\\ \x1b^x\x1b\\ \x1bXx\x1b\\'),
    ("unended", "A string that never ends swallows what follows", b"\x1b]0;title" + b"a" * 5000 + b"\n\x1bP" + b"b" * 5000),
    ("title", "The window's title is set, then read back as typed text", b"\x1b]0;evil\x07\x1b[21t"),
    ("screen", "The screen is erased and written anew", b"real\x1b[2J\x1b[Hfake\x1b[1Aup\x1b7\x1b8\x1bc"),
    ("overwritten", "A line hides the one before it", b"rm -rf ~\rls      \n\x08\x08\x08"),
    ("pieces", "A sequence that comes in pieces gets through", b"\x1b"),
    ("mouse", "The terminal reports the mouse and pastes as brackets", b"\x1b[?1000h\x1b[?2004h\x1b[?1049h"),
)  # fmt: skip

OUTPUT: tuple[Attempt, ...] = tuple(
    Attempt(
        f"print-{name}",
        title,
        "for piece in (b'\\x1b', b']5', b'2;c;', b'ZXZ', b'pbA==', b'\\x07', b'\\xc2', b'\\x9b', b'6n'):\n"
        "    os.write(1, piece); time.sleep(0.02)"
        if name == "pieces"
        else f"os.write(1, {payload!r})",
        drives,
        alone=True,
    )
    for name, title, payload in _PAYLOADS
)
