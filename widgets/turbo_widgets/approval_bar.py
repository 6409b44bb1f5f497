"""The card that asks: what is wanted, and the keys that answer.

A key that arrives within half a second of a card appearing was typed for something else, so
it does not answer; nor does one typed into a field. A card appears when it is painted: what was
typed while a busy app had not got round to that was typed at what stood there before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from turbo_widgets.key_words import clicked_key, key_entry
from turbo_widgets.text import clean, clean_line

GUARD_S = 0.5
_BETWEEN = "   "

CardTone = Literal["info", "review", "ask", "bad"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: `action` is what the app calls it, `key` what the user presses."""

    action: str
    key: str
    word: str


@dataclass(frozen=True, slots=True)
class Card:
    """One question, or one state worth saying.

    Attributes:
        key: Names the question; another key is another card, and starts the half second anew.
        lines: Shown under the title; the exact bytes asked about stand here.
        guarded: Its answers decide something; False for mere hints.
        subject: Names what its answers are about, for whoever is handed them.
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    tone: CardTone = "info"
    guarded: bool = True
    subject: str = ""


_TONES: dict[CardTone, str] = {
    "info": "$text-primary",
    "review": "$text-warning",
    "ask": "$text-warning",
    "bad": "$text-error",
}


class ApprovalBar(Widget):
    """Show a card and its live keys; hand on an answer once the guard is over.

    Args:
        clock: Seconds, monotonic; given by tests.
    """

    DEFAULT_CSS = """
    ApprovalBar {
        height: auto;
        max-height: 9;
        background: $surface;
        padding: 0 1;
        border-left: outer $primary;
        &.-review, &.-ask { border-left: outer $warning; }
        &.-bad { border-left: outer $error; }
        &.-empty { display: none; }
    }
    """

    class Answered(Message):
        """The user chose an answer of a card."""

        def __init__(self, card: Card, action: str) -> None:
            super().__init__()
            self.card = card
            self.action = action

    class Clicked(Message):
        """The user clicked on a key of the card."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,  # noqa: A002 (Textual's name)
    ) -> None:
        super().__init__(id=id, classes="-empty")
        self._clock = clock
        self._card: Card | None = None
        self._shown_at: float | None = None  # None until it is painted
        self._in_field = False
        self._room = 0

    @property
    def card(self) -> Card | None:
        """The card on show."""
        return self._card

    @property
    def armed(self) -> bool:
        """The guard is over: a key answers."""
        card = self._card
        if card is None:
            return False
        if not card.guarded:
            return True
        return self._shown_at is not None and self._clock() - self._shown_at >= GUARD_S

    @property
    def painted(self) -> bool:
        """The card on show has been on the screen, so that its guard runs or is over."""
        return self._shown_at is not None

    def show(self, card: Card | None) -> None:
        """Show a card, or none; a card with another key starts the guard anew."""
        if card == self._card:
            return
        before = self._card
        self._card = card
        if card is not None and (before is None or before.key != card.key):
            self._shown_at = None
            self.call_after_refresh(self._start_guard, card.key)
        self.set_class(card is None, "-empty")
        for tone in _TONES:
            self.set_class(card is not None and card.tone == tone, f"-{tone}")
        self.refresh(layout=True)
        self.refresh_bindings()

    def on_hide(self) -> None:
        """What stands there is seen anew when it comes back."""
        self._shown_at = None

    def on_show(self) -> None:
        """It was hidden, or empty: its guard begins now, if it has not begun."""
        if self._card is not None:
            self.call_after_refresh(self._start_guard, self._card.key)

    def _start_guard(self, key: str) -> None:
        """Count from now, when a card has been painted; another may have come instead."""
        card = self._card
        if card is None or card.key != key or self._shown_at is not None:
            return
        if not self.is_on_screen:
            return  # it begins when it is shown
        self._shown_at = self._clock()
        if card.guarded:
            self.set_timer(GUARD_S + 0.05, self.refresh)

    def tell_focus(self, *, in_field: bool) -> None:
        """Say first how to leave the field while one has the keys."""
        if in_field != self._in_field:
            self._in_field = in_field
            self.refresh(layout=True)

    def offers(self, action: str) -> bool:
        """Tell if the card has this answer."""
        return self._card is not None and any(
            choice.action == action for choice in self._card.choices
        )

    def choose(self, action: str, *, typing: bool = False) -> bool:
        """Answer the card; return False when the key came too early or into a field."""
        if self._card is None or typing or not self.offers(action) or not self.armed:
            return False
        self.post_message(self.Answered(self._card, action))
        return True

    def on_click(self, event: events.Click) -> None:
        """Hand on a key that was clicked on, but not as early as keys are refused."""
        key = clicked_key(event)
        if key is not None:
            event.stop()
            if self.armed:
                self.post_message(self.Clicked(key))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Count the lines at a width."""
        del container, viewport
        self._room = width
        return self.render().get_height({}, width)

    def on_resize(self) -> None:
        """Break the lines of keys anew."""
        self.refresh()

    def render(self) -> Content:
        """Draw title, lines and keys."""
        card = self._card
        if card is None:
            return Content("")
        parts: list[Content] = [Content.styled(clean_line(card.title), f"bold {_TONES[card.tone]}")]
        parts.extend(Content(clean(line)) for line in card.lines)
        if card.choices:
            key_style = "bold $text-accent" if self.armed else "dim"
            keys = [(choice.key, choice.word) for choice in card.choices]
            if self._in_field:
                keys.insert(0, ("esc", "leaves the field:"))
            parts.extend(self._key_lines(keys, key_style))
        return Content("\n").join(parts)

    def _key_lines(self, keys: list[tuple[str, str]], style: str) -> list[Content]:
        """Break between keys only: a key and its word stay together."""
        lines: list[list[Content]] = [[]]
        used = 0
        for key, word in keys:
            cells = cell_len(f"{key} {word}")
            if lines[-1] and self._room and used + cells > self._room:
                lines.append([])
                used = 0
            lines[-1].append(key_entry(key, word, style))
            used += cells + len(_BETWEEN)
        return [Content(_BETWEEN).join(line) for line in lines]
