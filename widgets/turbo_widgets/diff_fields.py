"""A line under the diff to type into: what to search for, or what to say about a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

Finish = Callable[[str | None], None]


class LineField(Input):
    """One line of text; enter hands it on, escape or going elsewhere leaves it.

    Args:
        prompt: What is asked.
        text: What stands in it at first.
        typed: Told every text while it is typed.
        finish: Told the text at enter, None at escape; it takes the field away.
        left: Told the text when the keys go elsewhere.
    """

    DEFAULT_CSS = """
    LineField, LineField.-textual-compact {
        height: 1; padding: 0 1; background: $surface;
        border: none;
        &:focus { background: $surface; border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Done"),
        Binding("escape", "leave", "Leave it"),
    ]

    def __init__(
        self,
        prompt: str,
        text: str = "",
        *,
        typed: Callable[[str], None],
        finish: Finish,
        left: Callable[[str], None],
    ) -> None:
        super().__init__(text, placeholder=prompt, compact=True, select_on_focus=False)
        self._typed = typed
        self._finish = finish
        self._left = left
        self._done = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand on what is typed."""
        if not self._done:
            self._typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line on."""
        event.stop()
        self._end(event.value)

    def action_leave(self) -> None:
        """Leave everything as it was."""
        self._end(None)

    def _end(self, text: str | None) -> None:
        if not self._done:
            self._done = True
            self._finish(text)

    def on_blur(self) -> None:
        """Go away with the keys, but tell what was typed."""
        if not self._done and self.app.app_focus:  # pyright: ignore[reportUnknownMemberType]  App is generic
            self._done = True
            self._left(self.value)
