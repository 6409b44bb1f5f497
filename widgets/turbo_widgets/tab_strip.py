"""A line of names, one of them open: panes that share a place on screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Tab:
    """One name; `key` is pressed to open it, `news` marks that something new is there."""

    name: str
    word: str
    key: str
    news: bool = False


class TabStrip(Widget):
    """Show which pane is open and the keys of the others; a click opens one."""

    DEFAULT_CSS = """
    TabStrip { height: 1; background: $background; padding: 0 1; }
    """

    class Chosen(Message):
        """The user wants another pane open."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._tabs: tuple[Tab, ...] = ()
        self._open = ""

    def show(self, tabs: tuple[Tab, ...], opened: str) -> None:
        """Show names; `opened` is the one whose pane is seen."""
        if (tabs, opened) != (self._tabs, self._open):
            self._tabs, self._open = tabs, opened
            self.refresh()

    def _labels(self) -> list[str]:
        return [f" {tab.key} {tab.word}{'*' if tab.news else ''} " for tab in self._tabs]

    def render(self) -> Content:
        """Draw the names."""
        parts: list[Content] = []
        for tab, label in zip(self._tabs, self._labels(), strict=True):
            if tab.name == self._open:
                style = "bold reverse $text-primary"
            else:
                style = "$text-warning" if tab.news else "$foreground-darken-2"
            parts.append(Content.styled(label, style))
        return Content(" ").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Open the pane whose name was clicked."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = 0
        for tab, label in zip(self._tabs, self._labels(), strict=True):
            if at <= offset.x < at + len(label):
                self.post_message(self.Chosen(tab.name))
            at += len(label) + 1
