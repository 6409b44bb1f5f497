"""A screen that knows whether the user types, so that nothing takes the keys away from them."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.widgets import Input

PAUSE_S = 0.4  # after a key in a field, nothing takes the keys elsewhere


class TypingScreen(Screen[None]):
    """Tell where keys go: to a field, to an editor, or to the screen itself."""

    def __init__(self, *, clock: Callable[[], float], classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._clock = clock
        self._typed_at = -60.0

    @property
    def just_typed(self) -> bool:
        """The user is in a field, and whoever has just typed may go on."""
        return self.in_field and self.typed_within(PAUSE_S)

    def typed_within(self, seconds: float) -> bool:
        """Something was typed into a field so short a time ago."""
        return self._clock() - self._typed_at < seconds

    @property
    def in_field(self) -> bool:
        """A field has the keys."""
        return isinstance(self.focused, Input) or self.in_editor

    @property
    def typing(self) -> bool:
        """The user is in a field that has text."""
        focused = self.focused
        return self.in_editor or (isinstance(focused, Input) and bool(focused.value))

    @property
    def in_editor(self) -> bool:
        """An editor has the keys."""
        # Not by its class: what an editor needs is not loaded at the start.
        return self.focused is not None and self.focused.has_class("takes-text")

    def on_input_changed(self) -> None:
        """Remember when something was typed."""
        self._typed_at = self._clock()
