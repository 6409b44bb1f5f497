"""Keep the head and the tail of a command's output, and show it live at a pace people read."""

from __future__ import annotations

import asyncio
from collections import deque

from turbo_tui.core.ports import OnOutput
from turbo_tui.sandbox.process.sanitiser import Sanitiser

KEEP_BYTES = 1_000_000  # of the head, and again of the tail
LIVE_BYTES = 8_192  # most that is shown of what came between two looks
LOOK_S = 1 / 30
UNFINISHED_LINE_S = 0.25  # a line without its newline is shown after this long
SLICE_BYTES = 8_192  # sanitised at once, so that a hostile megabyte does not hold the loop


class KeptOutput:
    """The first and the last megabyte of an output."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep = keep_bytes
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.dropped_bytes = 0

    def add(self, data: bytes) -> None:
        """Take what came; forget the middle."""
        room = self._keep - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes > self._keep:
            oldest = self._tail.popleft()
            extra = min(self._tail_bytes - self._keep, len(oldest))
            if extra < len(oldest):
                self._tail.appendleft(oldest[extra:])
            self._tail_bytes -= extra
            self.dropped_bytes += extra

    async def text(self) -> str:
        """Return both as safe text, with a line between them that names what is missing."""
        parts = [await _sanitised(bytes(self._head))]
        if self.dropped_bytes:
            parts.append(f"\n[… {self.dropped_bytes:,} bytes of output not kept …]\n")
            parts.append(await _sanitised(b"".join(self._tail)))
        elif self._tail:
            parts = [await _sanitised(bytes(self._head) + b"".join(self._tail))]
        return "".join(parts)


async def _sanitised(data: bytes) -> str:
    sanitiser = Sanitiser()
    parts: list[str] = []
    for start in range(0, len(data), SLICE_BYTES):
        parts.append(sanitiser.feed(data[start : start + SLICE_BYTES]))
        await asyncio.sleep(0)
    return "".join(parts) + sanitiser.finish()


class LiveOutput:
    """Hand safe text to a listener at most 30 times a second.

    A flood is thinned: between two looks only the last 8 kB are shown, with a line that says
    how much was left out. The full head and tail are in the result.
    """

    def __init__(self, listener: OnOutput, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop
        self._sanitiser = Sanitiser()
        self._waiting = bytearray()
        self._skipped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._released_at = loop.time()
        self._looked_at = 0.0

    def add(self, data: bytes) -> None:
        """Take what came; it is shown at the next look."""
        extra = len(self._waiting) + len(data) - LIVE_BYTES
        if extra > 0:  # a flood is not copied to be forgotten
            forgotten = min(extra, len(self._waiting))
            del self._waiting[:forgotten]
            data = data[extra - forgotten :]
            self._skipped += extra
        self._waiting += data
        if self._timer is None:
            due = max(self._looked_at + LOOK_S, self._loop.time())
            self._timer = self._loop.call_at(due, self._look)

    def finish(self) -> None:
        """Show what is left, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._show(self._fed() + self._sanitiser.finish())

    def _fed(self) -> str:
        text = ""
        if self._skipped:
            text = self._sanitiser.finish() + f"\n[… {self._skipped:,} bytes not shown …]\n"
            self._sanitiser = Sanitiser()
            self._skipped = 0
        text += self._sanitiser.feed(bytes(self._waiting))
        self._waiting.clear()
        return text

    def _look(self) -> None:
        self._timer = None
        now = self._looked_at = self._loop.time()
        text = self._fed()
        if now >= self._released_at + UNFINISHED_LINE_S:
            self._released_at = now
            text += self._sanitiser.release()
        elif self._sanitiser.holds:
            self._timer = self._loop.call_at(self._released_at + UNFINISHED_LINE_S, self._look)
        self._show(text)

    def _show(self, text: str) -> None:
        if text:
            self._listener(text)
