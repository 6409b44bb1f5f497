"""The field for tasks, with what was typed before on the up and down keys."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class Prompt(Input):
    """One line of text; enter hands it on, up and down bring back earlier ones."""

    DEFAULT_CSS = """
    Prompt.-textual-compact { padding: 0; background: $background; }
    Prompt.-textual-compact:focus { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send"),
        Binding("up", "earlier", "Earlier", show=False),
        Binding("down", "later", "Later", show=False),
    ]

    class Given(Message):
        """The user typed a line and pressed enter."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(placeholder=placeholder, id=id, compact=True)
        self._history: list[str] = []
        self._place = 0
        self._draft = ""

    def remember(self, text: str) -> None:
        """Add a line to the history; a repetition of the last is not kept twice."""
        if text and (not self._history or self._history[-1] != text):
            self._history.append(text)
        self._place = len(self._history)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line on and start a new one; a blank line is nothing."""
        event.stop()
        text = event.value.strip()
        if text:
            self.remember(text)
            self.value = ""
            self._draft = ""
            self.post_message(self.Given(text))

    def action_earlier(self) -> None:
        """Bring back the line before."""
        if self._place == len(self._history):
            self._draft = self.value
        if self._place > 0:
            self._place -= 1
            self._put(self._history[self._place])

    def action_later(self) -> None:
        """Go forward again, at last to what was being typed."""
        if self._place < len(self._history):
            self._place += 1
            at_end = self._place == len(self._history)
            self._put(self._draft if at_end else self._history[self._place])

    def _put(self, text: str) -> None:
        self.value = text
        self.cursor_position = len(text)

    def _on_paste(self, event: events.Paste) -> None:
        # Input keeps only the first pasted line; a task of several lines would be lost.
        event.prevent_default()
        event.stop()
        line = " ".join(part.strip() for part in event.text.splitlines() if part.strip())
        if self.selection.is_empty:
            self.insert_text_at_cursor(line)
        else:
            self.replace(line, *self.selection)
