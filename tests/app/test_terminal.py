"""What a terminal sends, as the app reads it: a paste is one text, whatever is in it."""

from __future__ import annotations

import pytest
from textual import events
from textual.message import Message

from turbo_tui.app.terminal import WholePastes

BEGINS, ENDS = "\x1b[200~", "\x1b[201~"


def read(*parts: str) -> list[str]:
    """Return what was read: `paste:TEXT`, or a key's name."""
    parser = WholePastes()
    return [_named(message) for part in parts for message in parser.feed(part)]


def _named(message: Message) -> str:
    if isinstance(message, events.Paste):
        return f"paste:{message.text}"
    return message.key if isinstance(message, events.Key) else type(message).__name__


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("good \x1b g a d\nline two", "good  g a d\nline two"),
        ("\x1b[1;31mred\x1b[0m \x1b[38:5:1mmore\x1b[m", "red more"),
        ("\x1b", ""),
        ("ends in \x1b[", "ends in ["),
        ("a\x1b\x1b[Ab", "ab"),
        ("\x1b[<0;3;3M\x1b[I\x1bOP", "OP"),
        (f"an end {ENDS}a d\r in it", "an end a d\r in it"),
        (f"{BEGINS}twice", "twice"),
        ("\x1b[" + "0" * 100 + "漢", "[" + "0" * 100 + "漢"),
        ("", ""),
    ],
)
def test_an_escape_byte_in_a_paste_makes_no_keys(pasted: str, text: str) -> None:
    assert read(f"x{BEGINS}{pasted}{ENDS}y\r") == ["x", f"paste:{text}", "y", "enter"]


def test_a_paste_that_comes_in_pieces_is_the_same_paste() -> None:
    sent = f"x{BEGINS}one \x1b[31mtwo\x1b three{ENDS}y"

    for cut in range(1, len(sent)):
        assert read(sent[:cut], sent[cut:]) == ["x", "paste:one two three", "y"], cut
    assert read(*sent) == ["x", "paste:one two three", "y"]


def test_keys_and_other_sequences_are_read_as_ever() -> None:
    sent = ("\x1b[A", "a", "\r", "\x1b[I", "\x1b[<0;3;3M", "\x1b[1;5C")

    assert read(*sent) == ["up", "a", "enter", "AppFocus", "MouseDown", "ctrl+right"]


def test_the_escape_key_before_a_bracket_begins_no_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = WholePastes()
    names = [_named(message) for message in parser.feed("\x1b")]
    monkeypatch.setattr(parser, "_timeout_time", 0.0)
    names += [_named(message) for message in parser.tick()]
    names += [_named(message) for message in parser.feed("[200~a")]

    assert (names[0], names[-1]) == ("escape", "a")
