"""A small editor for what takes a hunk's place: text in, text out, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from turbo_widgets.text import clean, clean_line


def fits_in_place(text: str) -> bool:
    r"""Tell if the editor gives a text back as it is, and can show it.

    It cannot where line ends are mixed, where a line is broken by anything but `\n` or `\r\n`,
    and where controls, bidi marks or bytes that are not UTF-8 stand in it.
    """
    body = text.replace("\r\n", "\n")
    if "\r\n" in text and text.count("\n") != text.count("\r\n"):
        return False
    bare = body.replace("\t", "").replace("\n", "")
    return clean(bare) == bare and not any(mark in bare for mark in "\x85\u2028\u2029")


class HunkEditor(TextArea):
    """Edit the new side of a hunk, or a whole file.

    Args:
        path: The file.
        hunk: Index of the hunk, or `WHOLE_FILE`.
        text: What to begin with; `fits_in_place` of it must be true.
        subject: What it is an edit of, carried by `Edited`.
        where: What the subject is called, for the title.
        noun: What `hunk` counts, for the title.
        kept: The text is kept elsewhere too; if not, leaving it unchanged is asked about.
        closed: Called at the end, whichever; takes the editor away.

    Raises:
        ValueError: The text would not come back as it is.
    """

    DEFAULT_CSS = """
    HunkEditor, HunkEditor.-textual-compact {
        height: 2fr; min-height: 8; padding: 0 1; background: $background;
        border: none !important; border-top: solid $primary !important;
        border-title-style: bold reverse; border-title-color: $text;
        border-title-background: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Keep it"),
        # First: TextArea goes to the next widget with it.
        Binding("escape", "cancel", "Leave it as it was", priority=True),
    ]

    class Edited(Message):
        """The user kept what they wrote."""

        def __init__(self, subject: str, path: str, hunk: int, text: str) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.hunk = hunk
            self.text = text

    class Cancelled(Message):
        """The user left it as it was."""

        def __init__(self, path: str, hunk: int) -> None:
            super().__init__()
            self.path = path
            self.hunk = hunk

    def __init__(
        self,
        path: str,
        hunk: int,
        text: str,
        *,
        subject: str = "",
        where: str = "",
        noun: str = "hunk",
        kept: bool = True,
        closed: Callable[[], object] | None = None,
    ) -> None:
        if not fits_in_place(text):
            raise ValueError(f"{path}: this text cannot be edited in place; use $EDITOR.")
        super().__init__(
            text,
            soft_wrap=False,
            show_line_numbers=False,
            tab_behavior="indent",
            compact=True,
            classes="takes-text",
        )
        self._path = path
        self._hunk = hunk
        self._subject = subject
        self._where = where
        self._noun = noun
        self._when_closed = closed
        self._began_with = text if kept else None
        self._warned = False
        self._say("^s keeps it · esc leaves it")

    def _say(self, how: str) -> None:
        what = "file" if self._hunk < 0 else f"{self._noun} {self._hunk + 1}"
        of = f"{what} of {clean_line(self._path)}"
        self.border_title = " · ".join(part for part in (f"Edit {of}", self._where, how) if part)

    def on_text_area_changed(self) -> None:
        """Whoever writes on has not meant to drop it."""
        if self._warned:
            self._warned = False
            self._say("^s keeps it · esc leaves it")

    def action_keep(self) -> None:
        """Hand the text on."""
        self.post_message(self.Edited(self._subject, self._path, self._hunk, self.text))
        self._leave()

    def action_cancel(self) -> None:
        """Hand on that nothing changes; what was written is dropped only by a second time."""
        if self.text != self._began_with and not self._warned:
            self._warned = True
            self._say("esc again drops what you wrote · ^s keeps it")
            return
        self.post_message(self.Cancelled(self._path, self._hunk))
        self._leave()

    def _leave(self) -> None:
        if self._when_closed is not None:
            self._when_closed()
