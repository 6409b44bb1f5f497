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
from collections.abc import Callable
from fcntl import ioctl
from types import TracebackType
from typing import Self

import pyte

from tests.journeys.turbo import PROGRAM, Turbo

PATIENCE_S = 30.0


class Screen:
    """turbo-tui in a terminal of its own.

    Args:
        turbo: The user whose shell starts it.
        args: Of the command line.
        size: Columns and rows.
    """

    def __init__(self, turbo: Turbo, *args: str, size: tuple[int, int] = (120, 40)) -> None:
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
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  one thread here
        )
        os.close(slave)
        self._terminal = pyte.Screen(self._columns, self._rows)
        self._stream = pyte.ByteStream(self._terminal)
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
        self.process.wait(10)
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
        """Answer a card once it stands there: a card takes no key in its first half second.

        Args:
            key: Pressed again until it has an effect, as a person does who was too quick.
            card: What stands there; it goes away, unless
            opens: names what comes instead.
        """
        self.wait_for(card)
        end = time.monotonic() + PATIENCE_S

        def answered() -> bool:
            return opens in self.text if opens else card not in self.text

        # Wait as a person does: for the guard to be over, then for the key to have its effect.
        # A key pressed once too often would be typed into whatever comes next.
        patience = 0.6
        while not answered() and time.monotonic() < end:
            pause = time.monotonic() + patience
            while not answered() and time.monotonic() < pause:
                self._feed(0.05)
            if not answered():
                self.press(key)
                patience = 4.0
        assert answered(), f"{key!r} does not answer the card:\n{self.text}"

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

    def hang_up(self) -> None:
        """Close the terminal, as a closed window or a lost connection does."""
        if self._open:
            self._open = False
            os.close(self._master)

    def kill(self) -> None:
        """End the program without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def _feed(self, seconds: float) -> bool:
        """Read what there is within a time; return False once the program has ended."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return self.process.poll() is None
        try:
            content = os.read(self._master, 65_536)
        except OSError:  # the program is gone and so is the other end
            return False
        self._stream.feed(content)
        return True


KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "ctrl+c": "\x03",
    "ctrl+q": "\x11",
    "ctrl+p": "\x10",
}
