"""What streams by while something happens: shown as it comes, never kept.

The log holds finished messages and outputs only; a pane that shows a reply being written
listens here. Whoever comes late misses nothing that counts.
"""

from __future__ import annotations

from collections.abc import Callable

OnLive = Callable[[str, str], None]
"""Gets a source (`planner`, `executor`, or a command's id) and the text it just wrote."""


class Live:
    """Pass streamed text on to whoever listens now."""

    def __init__(self) -> None:
        self._listeners: list[OnLive] = []

    def listen(self, listener: OnLive) -> None:
        """Call `listener` with every text from now on."""
        self._listeners.append(listener)

    def tell(self, source: str, text: str) -> None:
        """Pass text on."""
        for listener in self._listeners:
            listener(source, text)
