"""Keys one after the other: a key typed fast after another finds the focus that one left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from textual import events
from textual.dom import DOMNode
from textual.message_pump import MessagePump

REPEAT_S = 0.5  # the same key again this soon after it closed a window is a key held too long
_MOST_S = 0.5  # a key whose way up was cut off, by a widget that went away, holds up no others


class KeyOrder:
    """Hold back keys until the one before has gone its way.

    Textual hands a key to the focused widget, from where it rises to the app, which looks for
    its binding; a key read in the same moment is handed on before that, to the old focus.

    Args:
        windows: How many screens stand on the stack.
        clock: Seconds, monotonic.
        waits: Tells if a key had something opened that takes the keys, and is not open yet.
    """

    def __init__(
        self,
        windows: Callable[[], int],
        clock: Callable[[], float],
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self._windows = windows
        self._waits = waits
        self._clock = clock
        self._held: deque[events.Key] = deque()
        self._on_its_way: events.Key | None = None
        self._sent_at = 0.0
        self._last_key = ""
        self._last_at = -60.0
        self._stood = 1
        self._closed = False

    def admit(self, event: events.Key) -> events.Key | None:
        """Return the key to hand on now, or None when it has to wait."""
        under_way = self._on_its_way is not None and self._clock() - self._sent_at < _MOST_S
        if under_way or self._waits():
            self._held.append(event)
            return None
        self._held.append(event)
        return self._held.popleft()

    def is_left_over(self, event: events.Key) -> bool:
        """Tell if a key repeats the one that has just closed a window."""
        now = self._clock()
        stand = self._windows()
        same = event.key == self._last_key and now - self._last_at < REPEAT_S
        self._closed = same and (self._closed or stand < self._stood)
        self._stood = stand
        self._last_key, self._last_at = event.key, now
        return self._closed

    def follow(self, event: events.Key, target: DOMNode, then: Callable[[], object]) -> None:
        """Follow a key up from the widget it was handed to; call `then` at its end."""
        self._on_its_way = event
        self._sent_at = self._clock()
        self._watch(event, target, then)

    def _watch(self, event: events.Key, pump: MessagePump, then: Callable[[], object]) -> None:
        if not pump.call_later(self._passed, event, pump, then):
            self._end(event, then)

    def _passed(self, event: events.Key, pump: MessagePump, then: Callable[[], object]) -> None:
        above = pump._parent  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  a key rises by it
        stopped = event._stop_propagation  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if above is None or stopped:
            self._end(event, then)
        else:
            self._watch(event, above, then)

    def _end(self, event: events.Key, then: Callable[[], object]) -> None:
        if self._on_its_way is event:
            self._on_its_way = None
            if self._held:
                then()

    def next(self) -> events.Key | None:
        """Take the key that waited longest."""
        return self._held.popleft() if self._held and not self._waits() else None

    def forget(self) -> None:
        """Drop the keys that wait: they were meant for what did not open."""
        self._held.clear()
