"""A real terminal on a pty: type keys, read what stands on the screen."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from itertools import groupby
from types import TracebackType
from typing import Self

import psutil
import pyte

from tests.journeys.turbo import PATIENCE_S, PROGRAM, Turbo

# Synchronized output: https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036
ASKED_FOR_FRAMES, YES_FRAMES = b"\x1b[?2026$p", "\x1b[?2026;2$y"
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"


def _take_terminal(*, deaf: bool) -> None:
    ioctl(0, termios.TIOCSCTTY, 0)
    if deaf:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


class Screen:
    """turbo-tui in a terminal of its own.

    Args:
        turbo: The user whose shell starts it.
        args: Of the command line.
        size: Columns and rows.
        deaf: SIGHUP never reaches it, as under some wrappers.
    """

    def __init__(
        self, turbo: Turbo, *args: str, size: tuple[int, int] = (120, 40), deaf: bool = False
    ) -> None:
        self._columns, self._rows = size
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self._rows, self._columns, 0, 0))
        self.process = subprocess.Popen(
            (*PROGRAM, *args),
            cwd=turbo.workspace,
            env={**turbo.env, "COLORTERM": "truecolor"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: _take_terminal(deaf=deaf),  # noqa: PLW1509  one thread here
        )
        os.close(slave)
        self._terminal = pyte.Screen(self._columns, self._rows)
        self._stream = pyte.ByteStream(self._terminal)
        self._held = b""
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        self.hang_up()

    @property
    def text(self) -> str:
        """All rows, without blanks at their ends."""
        return "\n".join(row.rstrip() for row in self._terminal.display)

    def type(self, text: str) -> None:
        """Type characters as a keyboard sends them."""
        os.write(self._master, text.encode())

    def press(self, *keys: str) -> None:
        """Press named or plain keys, one after the other."""
        for key in keys:
            self.type(KEYS.get(key, key))

    def wait_for(self, *texts: str) -> str:
        """Read until all texts stand on the screen; return it.

        Raises:
            AssertionError: They do not come, or the program ends before.
        """
        self.until(lambda: all(text in self.text for text in texts), f"{texts}")
        return self.text

    def answer(self, key: str, card: str, *, opens: str = "") -> None:
        """Answer a card once its keys are live: in its first half second they are dim.

        Args:
            key: Pressed once: what is pressed again would be typed into whatever comes next.
            card: What stands there; it goes away, unless
            opens: names what comes instead.
        """
        self.until(lambda: self._is_live(key, card), f"{key!r} to answer {card!r}")
        self.press(key)
        if opens:
            self.wait_for(opens)
        else:
            self.wait_while(card)

    def _is_live(self, key: str, card: str) -> bool:
        """Whether a key stands out on a card, at its title or below; the last row is no card's."""
        rows = self._terminal.display[:-1]
        top = next((at for at, row in enumerate(rows) if card in row), len(rows))
        keys = {word for at in range(top, len(rows)) for word in self._bold(at)}
        return key in keys and "leaves the field" not in "".join(rows[top:])

    def _bold(self, row: int) -> Iterator[str]:
        """Yield what stands out in a row: keys stand there alone, titles as a whole."""
        cells = (self._terminal.buffer[row][x] for x in range(self._columns))
        for bold, run in groupby(cells, key=lambda cell: cell.bold):
            if bold:
                yield from "".join(cell.data for cell in run).strip().split("/")

    def settled(self) -> str:
        """Read until nothing more comes for a moment: a frame may arrive in pieces."""
        end = time.monotonic() + PATIENCE_S
        while select.select([self._master], [], [], 0.5)[0] and time.monotonic() < end:
            self._feed(0)
        return self.text

    def wait_while(self, text: str) -> None:
        """Read until a text stands no longer on the screen."""
        self.until(lambda: text not in self.text, f"{text!r} to go")

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Feed the screen until something is true of it."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > end or not self._feed(0.2):
                raise AssertionError(f"waited for {what}; the screen shows:\n{self.text}")

    def wait_until_ended(self) -> int:
        """Read until the program ends; return its exit code."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            self._feed(0.05)
        code = self.process.poll()
        assert code is not None, f"it does not end; the screen shows:\n{self.text}"
        return code

    def read_nothing(self) -> None:
        """Wait until the program does nothing more: what it draws finds no room any more."""
        watched = psutil.Process(self.process.pid)
        before, spent = -1.0, 0.0
        while spent != before:
            time.sleep(0.5)  # nothing tells of a program that waits for its terminal
            before, spent = spent, sum(watched.cpu_times()[:2])

    def hang_up(self) -> None:
        """Close the terminal, as a closed window or a lost connection does."""
        if self._open:
            self._open = False
            os.close(self._master)

    def kill(self) -> None:
        """End the program without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def _feed(self, seconds: float) -> bool:
        """Read what there is within a time; return False once the program has ended."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return self.process.poll() is None
        try:
            content = os.read(self._master, 65_536)
        except OSError:  # the program is gone and so is the other end
            return False
        if ASKED_FOR_FRAMES in content:
            self.type(YES_FRAMES)
        self._show(self._held + content)
        return True

    def _show(self, content: bytes) -> None:
        """Show what came; of a frame that is not all there yet nothing, as terminals do."""
        before, begun, frame = content.partition(FRAME_BEGINS)
        while begun and FRAME_ENDS in frame:
            drawn, _, rest = frame.partition(FRAME_ENDS)
            self._stream.feed(before + drawn)
            before, begun, frame = rest.partition(FRAME_BEGINS)
        # What may be the beginning of a frame's beginning waits for the rest of it.
        cut = -1 if begun else before.rfind(b"\x1b", -len(FRAME_BEGINS) + 1)
        cut = len(before) if cut < 0 else cut
        self._stream.feed(before[:cut])
        self._held = before[cut:] + begun + frame


KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "end": "\x1b[F",
    "ctrl+c": "\x03",
    "ctrl+q": "\x11",
    "ctrl+p": "\x10",
    "ctrl+s": "\x13",
}
