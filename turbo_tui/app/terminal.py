"""What the terminal sends, a paste as one text, and what it gets: nothing once it is gone."""

from __future__ import annotations

import os
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from contextlib import suppress
from selectors import EVENT_READ, SelectSelector
from typing import Any, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

# Around a paste: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "Bracketed Paste Mode".
_BEGINS, _ENDS = "\x1b[200~", "\x1b[201~"
# A control sequence (ECMA-48, 5.4), as coloured output has them, or an escape byte by itself.
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~])?")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8})?\Z")
_TICK_S = 0.1
_MOST_BYTES = 65_536


class WholePastes(XTermParser):
    """Read a paste without its control sequences.

    Terminals leave them out themselves, tmux and screen do not. Textual's parser takes an escape
    byte in a paste for a key's beginning, and what follows for keys: letters would be commands,
    and an end of line would send what stands in a field.
    """

    def __init__(self) -> None:
        super().__init__()
        self._in_paste = False
        self._held = ""  # of a paste: what may be the first half of a control sequence
        self._before = ""  # not of a paste: what was read last

    def feed(self, data: str) -> Iterable[Message]:
        """Read on; an empty text is the end of all."""
        cleaned = self._cleaned(data)
        if cleaned or not data:
            yield from super().feed(cleaned)

    def tick(self) -> Iterable[Message]:
        """Take an escape byte that nothing followed for a key; no paste begins with it."""
        for message in super().tick():
            self._before = ""
            yield message

    def _cleaned(self, data: str) -> str:
        cleaned: list[str] = []
        while data:
            if self._in_paste:
                part, data = self._pasted(data)
            else:
                part, data = self._typed(data)
            cleaned.append(part)
        return "".join(cleaned)

    def _typed(self, data: str) -> tuple[str, str]:
        """Return what is to be read up to where a paste has begun, and the rest."""
        known = len(self._before)
        text = self._before + data
        at = text.find(_BEGINS)
        self._in_paste = at >= 0
        end = at + len(_BEGINS) if self._in_paste else len(text)
        self._before = "" if self._in_paste else text[1 - len(_BEGINS) :]
        return text[known:end], text[end:]

    def _pasted(self, data: str) -> tuple[str, str]:
        """Return what is to be read of a paste, its end with it, and the rest.

        Of several ends that came at once the last is meant: the others were pasted.
        """
        text, self._held = self._held + data, ""
        pasted, end, rest = text.rpartition(_ENDS)
        if end:
            self._in_paste = False
            return _CONTROL.sub("", pasted) + end, rest
        half = _UNFINISHED.search(text)
        if half is not None:
            text, self._held = text[: half.start()], half.group()
        return _CONTROL.sub("", text), ""


class _Frames:
    """Where frames go: to the terminal, and nowhere once it is gone.

    Textual writes them in a thread, which an error would end; the app would then wait for ever to
    hand on the next one, and never hear of the lost terminal.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.fileno = file.fileno

    def write(self, text: str) -> None:
        """Write a frame, or a part of one."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Let the terminal have what was written."""
        with suppress(OSError):
            self._file.flush()


class TerminalDriver(LinuxDriver):
    """Textual's driver, which outlives its terminal, with a parser that keeps a paste whole."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)  # pyright: ignore[reportUnknownMemberType]
        self._file = cast("TextIO", _Frames(self._file))  # of it only this much is used

    def run_input_thread(self) -> None:
        """Hand on what the terminal sends until the app leaves it, or it is gone.

        Runs in a thread. Whoever looks after the terminal finds out that it is gone.
        """
        parser = WholePastes()
        decode = getincrementaldecoder("utf-8")("replace").decode  # a paste may be no UTF-8
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            while not self.exit_event.is_set():
                text = ""
                if selector.select(_TICK_S):
                    sent = self._read()
                    if not sent:
                        return
                    text = decode(sent)
                for message in parser.feed(text) if text else parser.tick():
                    self.process_message(message)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _MOST_BYTES)
        except OSError:  # Linux, once the other end of a pseudoterminal is closed
            return b""
