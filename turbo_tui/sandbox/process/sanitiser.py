"""Turn a program's output into text that is safe to show: an incremental state machine.

What a terminal would obey is dropped (CSI, OSC, DCS, APC, PM, SOS, single escapes, C0 and C1
controls), what would mislead the eye is shown by its code point (bidirectional overrides).
Newline and tab are kept, and colours if asked for. A lone carriage return starts its line
again, so that a progress bar is its last state.

Source: ECMA-48, sections 5 and 8; Unicode Standard Annex 9, section 2.
"""

from __future__ import annotations

import codecs
import re

LONGEST_LINE = 8192  # characters held back for a carriage return that may still come
LONGEST_STRING = 4096  # characters of an unterminated OSC, DCS, APC, PM or SOS that are eaten
LONGEST_CSI = 64

_SPECIAL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_STRING_END = re.compile("[\x07\x18\x1a\x1b\x9c]")
_STRINGS = {"]": "\x9d", "P": "\x90", "X": "\x98", "^": "\x9e", "_": "\x9f"}  # ESC x -> C1
_SGR = re.compile(r"[0-9;:]*m")


class Sanitiser:
    """Feed bytes as they come, get safe text; how the bytes are cut makes no difference.

    The line being written is held back until its newline, because a carriage return may take
    it back; `release` gives it out early for a live view.

    Args:
        keep_colour: Let colour and style sequences (SGR) through; all else is still dropped.
    """

    def __init__(self, *, keep_colour: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._keep_colour = keep_colour
        self._state = "text"  # text | return | escape | intermediate | csi | string | string-escape
        self._sequence = ""
        self._eaten = 0
        self._line: list[str] = []
        self._line_length = 0
        self._line_shown = False

    def feed(self, data: bytes) -> str:
        """Take bytes; return the lines they completed."""
        return self._take(self._decoder.decode(data))

    def finish(self) -> str:
        """Return what is left at the end of the output; cut-off sequences are dropped."""
        rest = self._take(self._decoder.decode(b"", final=True))
        return rest + "".join(self._line)

    @property
    def holds(self) -> bool:
        """Whether part of an unfinished line is held back."""
        return bool(self._line)

    def release(self) -> str:
        """Return the unfinished line's new text; a later carriage return starts a line below."""
        text = "".join(self._line)
        self._line.clear()
        self._line_shown = self._line_shown or bool(text)
        return text

    def _take(self, text: str) -> str:
        done: list[str] = []
        at = 0
        while at < len(text):
            at = self._step(text, at, done)
        return "".join(done)

    def _step(self, text: str, at: int, done: list[str]) -> int:
        """Take at least one character from `at`; return where the next one is."""
        match self._state:
            case "text":
                special = _SPECIAL.search(text, at)
                end = special.start() if special else len(text)
                if end > at:
                    self._write(text[at:end], done)
                if special is None:
                    return end
                self._control(special.group(), done)
                return end + 1
            case "return":
                return self._after_return(text, at, done)
            case "string" | "string-escape":
                return self._in_string(text, at)
            case _:
                return self._in_sequence(text, at, done)

    def _write(self, piece: str, done: list[str]) -> None:
        self._line.append(piece)
        self._line_length += len(piece)
        if self._line_length >= LONGEST_LINE:
            done.extend(self._line)
            self._line.clear()

    def _end_line(self, done: list[str]) -> None:
        done.extend(self._line)
        done.append("\n")
        self._line.clear()
        self._line_length = 0
        self._line_shown = False

    def _control(self, char: str, done: list[str]) -> None:
        if char == "\n":
            self._end_line(done)
        elif char == "\r":
            self._state = "return"
        elif char == "\x1b":
            self._state, self._sequence = "escape", ""
        elif char == "\x9b":
            self._state, self._sequence = "csi", ""
        elif char in _STRINGS.values():
            self._state, self._eaten = "string", 0
        elif ord(char) > 0x9F:  # noqa: PLR2004 - the last of C1
            self._write(f"<U+{ord(char):04X}>", done)

    def _after_return(self, text: str, at: int, done: list[str]) -> int:
        if text[at] == "\r":
            return at + 1
        self._state = "text"
        if text[at] != "\n":  # CR LF is a plain line end
            if self._line_shown or self._line_length >= LONGEST_LINE:
                self._end_line(done)
            self._line.clear()
            self._line_length = 0
        return at

    def _in_string(self, text: str, at: int) -> int:
        """Eat a control string up to its end; an ESC that does not end it begins anew."""
        if self._state == "string-escape":
            if text[at] == "\\":
                self._state = "text"
                return at + 1
            self._state, self._sequence = "escape", ""
            return at
        room = at + LONGEST_STRING - self._eaten
        end = _STRING_END.search(text, at, room)
        if end is None:
            taken = min(len(text), room)
            self._eaten += taken - at
            if self._eaten >= LONGEST_STRING:
                self._state = "text"
            return taken
        self._state = "string-escape" if end.group() == "\x1b" else "text"
        return end.end()

    def _in_sequence(self, text: str, at: int, done: list[str]) -> int:
        """Take one character of an escape or control sequence."""
        char = text[at]
        if not "\x20" <= char <= "\x7e":  # a control inside: the sequence is void, obey ours only
            self._state = "text"
            return at
        if self._state == "csi":
            self._sequence += char
            if char >= "@":
                self._state = "text"
                if self._keep_colour and _SGR.fullmatch(self._sequence):
                    self._write("\x1b[" + self._sequence, done)
            elif len(self._sequence) > LONGEST_CSI:
                self._state = "text"
        elif self._state == "escape" and char == "[":
            self._state = "csi"
        elif self._state == "escape" and char in _STRINGS:
            self._state, self._eaten = "string", 0
        else:  # ESC, intermediates, one final character
            self._state = "intermediate" if char < "0" else "text"
        return at + 1


def sanitise(data: bytes, *, keep_colour: bool = False) -> str:
    """Return a whole output as safe text."""
    sanitiser = Sanitiser(keep_colour=keep_colour)
    return sanitiser.feed(data) + sanitiser.finish()
