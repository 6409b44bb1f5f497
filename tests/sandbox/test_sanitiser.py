"""Output that is hostile, or only messy, becomes plain text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.sandbox.process.sanitiser import LONGEST_LINE, LONGEST_STRING, Sanitiser, sanitise

CASES = {
    "plain text": (b"one\ttwo\n", "one\ttwo\n"),
    "colour": (b"\x1b[1;31mred\x1b[0m", "red"),
    "clipboard": (b"a\x1b]52;c;ZXZpbA==\x07b", "ab"),
    "clipboard, ended by ST": (b"a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"),
    "link": (b"\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "title": (b"\x1b]0;evil\x07x", "x"),
    "a question to the terminal": (b"\x1b[6n\x1b[c\x1b[>c\x1b[?1049hx", "x"),
    "device control": (b"\x1bPq#0;2;0;0;0\x1b\\x", "x"),
    "application program command": (b"\x1b_Gf=100;AAAA\x1b\\x", "x"),
    "privacy message, start of string": (b"\x1b^p\x1b\\\x1bXs\x1b\\x", "x"),
    "C1 forms": ("\x9b31mred\x9d52;c;x\x9cend\x85".encode(), "redend"),
    "raw C1 bytes are not UTF-8": (b"a\x9b31mb", "a\ufffd31mb"),
    "single escapes": (b"\x1bc\x1b7\x1b(B\x1b#8x", "x"),
    "string in a string": (b"\x1b]0;a\x1b]0;b\x07x", "x"),
    "escape in a sequence": (b"\x1b[3\x1b[31mx", "x"),
    "cancelled sequence": (b"\x1b[31\x18x", "x"),
    "newline in a sequence": (b"\x1b[31\nx", "\nx"),
    "C0": (b"a\x00b\x08c\x0b\x0c\x0e\x7fd", "abcd"),
    "CR LF": (b"one\r\ntwo\r\r\n", "one\ntwo\n"),
    "progress": (b"10%\r50%\r100%\nnext\n", "100%\nnext\n"),
    "progress at the end": (b"10%\r20%", "20%"),
    "carriage return at the end": (b"done\r", "done"),
    "bidi": ("a\u202eb\u2066c\u200f".encode(), "a<U+202E>b<U+2066>c<U+200F>"),
    "line separators": ("a\u2028b".encode(), "a<U+2028>b"),
    "wide text": ("naïve 日本 👩‍💻\n".encode(), "naïve 日本 👩‍💻\n"),
    "broken UTF-8": (b"\xff\xe6\x97x", "\ufffd\ufffdx"),
    "unterminated, at the end": (b"x\x1b]0;abc", "x"),
    "cut-off escape": (b"x\x1b", "x"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_whole_output(name: str) -> None:
    data, text = CASES[name]

    assert sanitise(data) == text


@pytest.mark.parametrize("name", CASES)
def test_byte_by_byte_it_is_the_same(name: str) -> None:
    data, text = CASES[name]
    sanitiser = Sanitiser()

    pieces = [sanitiser.feed(bytes([byte])) for byte in data]

    assert "".join(pieces) + sanitiser.finish() == text


hostile = st.lists(
    st.sampled_from(
        [
            *(
                b"\x1b",
                b"[",
                b"]",
                b"31",
                b"m",
                b"\x07",
                b"\x1b\\",
                b"\n",
                b"\r",
                b"\t",
                b";",
                b"P",
            ),
            *(
                "\x9b".encode(),
                "\x9d".encode(),
                "\u202e".encode(),
                b"\xe2",
                b"\x80",
                b"x",
                b"0",
                b"\x18",
            ),
            *(b"y" * 5000, b"\x1b]" + b"z" * 5000),
        ]
    ),
    max_size=40,
).map(b"".join)


@given(
    hostile | st.binary(max_size=300), st.lists(st.integers(0, 12000), max_size=8), st.booleans()
)
def test_how_bytes_are_cut_makes_no_difference(
    data: bytes,
    cuts: list[int],
    keep_colour: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    sanitiser = Sanitiser(keep_colour=keep_colour)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]

    pieces = [sanitiser.feed(data[a:b]) for a, b in pairwise(edges)]

    assert "".join(pieces) + sanitiser.finish() == sanitise(data, keep_colour=keep_colour)


@given(hostile | st.binary(max_size=300))
def test_nothing_a_terminal_obeys_is_left(data: bytes) -> None:
    text = sanitise(data)

    assert not [char for char in text if char not in "\n\t" and ord(char) < 0x20]
    assert not [char for char in text if 0x7F <= ord(char) <= 0x9F]
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"])))
def test_plain_text_is_untouched(text: str) -> None:
    assert sanitise(text.encode()) == text


def test_colours_alone_are_kept_when_asked_for() -> None:
    data = b"\x1b[1;38:5:9mred\x1b[0m\x1b[2J\x1b[?25h\x1b]0;t\x07"

    assert sanitise(data, keep_colour=True) == "\x1b[1;38:5:9mred\x1b[0m"


def test_an_endless_string_eats_no_more_than_its_bound() -> None:
    assert sanitise(b"\x1b]" + b"x" * LONGEST_STRING + b"text") == "text"
    assert sanitise(b"\x1b[" + b"1" * 100 + b"text").endswith("text")


def test_an_endless_line_is_not_held_back() -> None:
    sanitiser = Sanitiser()

    assert len(sanitiser.feed(b"x" * (LONGEST_LINE + 10))) == LONGEST_LINE + 10
    assert sanitiser.feed(b"\rnew\n") == "\nnew\n"


def test_a_released_line_is_not_taken_back() -> None:
    sanitiser = Sanitiser()

    first = sanitiser.feed(b"10%") + sanitiser.release()
    then = sanitiser.feed(b"\r20%\n30%\r40%\n")

    assert (first, then) == ("10%", "\n20%\n40%\n")
    assert not sanitiser.holds
