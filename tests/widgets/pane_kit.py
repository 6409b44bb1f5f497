"""One widget in an app of its own, what its lines say, and what it sends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from turbo_widgets.rows import RowsView

Kind = TypeVar("Kind", bound=Message)


class PaneApp(App[None]):
    """Shows one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


@dataclass
class Bench:
    """A widget on a screen, its keys and its messages."""

    pilot: Pilot[None]
    messages: list[Message] = field(default_factory=list[Message])

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def sent(self, kind: type[Kind]) -> list[Kind]:
        """Return the messages of a kind, each once, in order."""
        found: list[Kind] = []
        for message in self.messages:
            if isinstance(message, kind) and message not in found:
                found.append(message)
        return found


@asynccontextmanager
async def on_bench(widget: Widget, size: tuple[int, int] = (60, 20)) -> AsyncGenerator[Bench]:
    """Run an app with just this widget, focused if it takes focus."""
    messages: list[Message] = []
    app = PaneApp(widget)
    async with app.run_test(size=size, message_hook=messages.append) as pilot:
        if widget.can_focus:
            widget.focus()
        await pilot.pause()
        yield Bench(pilot, messages)


def lines_of(view: RowsView) -> list[str]:
    """Return the visible lines as text, without the blanks at their ends."""
    height = view.scrollable_content_region.height
    return [view.render_line(place).text.rstrip() for place in range(height)]


def shown(view: RowsView) -> str:
    """Return the visible lines that hold something, as one text."""
    return "\n".join(line for line in lines_of(view) if line)
