"""The field for tasks, with what was typed before on the up and down keys."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

NEWLINE = "\N{SYMBOL FOR NEWLINE}"  # ␤: how the end of a line stands in a field of one line


class Prompt(Input):
    """A task in a field of one line; enter hands it on, up and down bring back earlier ones.

    What is pasted keeps its lines and their indentation: a `␤` stands for each line's end, ctrl+j
    types one, and what is handed on holds newlines again.
    """

    DEFAULT_CSS = """
    Prompt.-textual-compact { padding: 0; background: $background; }
    Prompt.-textual-compact:focus { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send"),
        Binding("up", "earlier", "Earlier", show=False),
        Binding("down", "later", "Later", show=False),
        Binding("ctrl+j,shift+enter,alt+enter", "new_line", "New line", show=False),
    ]

    class Given(Message):
        """The user typed a task and pressed enter; it may be of several lines."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        # What stands there is a task begun: coming back to it, the next key goes on with it.
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self._history: list[str] = []
        self._place = 0
        self._draft = ""

    def validate_value(self, value: str) -> str:
        """Let ends of lines stand as `␤`, wherever the text comes from."""
        return value.replace("\n", NEWLINE)

    def remember(self, text: str) -> None:
        """Add a line to the history; a repetition of the last is not kept twice."""
        if text and (not self._history or self._history[-1] != text):
            self._history.append(text)
        self._place = len(self._history)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line on and start a new one; a blank line is nothing."""
        event.stop()
        text = event.value.replace(NEWLINE, "\n").strip("\n").rstrip()
        text = text if "\n" in text else text.strip()  # the indentation of a first line counts
        if text:
            self.remember(text)
            self.value = ""
            self._draft = ""
            self.post_message(self.Given(text))

    def action_new_line(self) -> None:
        """Go on in a new line."""
        self.insert_text_at_cursor(NEWLINE)

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
        lines = NEWLINE.join(event.text.strip("\r\n").splitlines())
        if self.selection.is_empty:
            self.insert_text_at_cursor(lines)
        else:
            self.replace(lines, *self.selection)
