"""The card that asks: what is wanted, and the keys that answer.

A key that arrives within half a second of a card appearing was typed for something else, so
it does not answer; nor does one typed into a field.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from turbo_widgets.text import clean, clean_line

GUARD_S = 0.5

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
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    tone: CardTone = "info"
    guarded: bool = True


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

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,  # noqa: A002 (Textual's name)
    ) -> None:
        super().__init__(id=id, classes="-empty")
        self._clock = clock
        self._card: Card | None = None
        self._shown_at = 0.0
        self._in_field = False

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
        return not card.guarded or self._clock() - self._shown_at >= GUARD_S

    def show(self, card: Card | None) -> None:
        """Show a card, or none; a card with another key starts the guard anew."""
        if card == self._card:
            return
        before = self._card
        self._card = card
        if card is not None and (before is None or before.key != card.key):
            self._shown_at = self._clock()
            if card.guarded:
                self.set_timer(GUARD_S + 0.05, self.refresh)
        self.set_class(card is None, "-empty")
        for tone in _TONES:
            self.set_class(card is not None and card.tone == tone, f"-{tone}")
        self.refresh(layout=True)
        self.refresh_bindings()

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

    def render(self) -> Content:
        """Draw title, lines and keys."""
        card = self._card
        if card is None:
            return Content("")
        parts: list[Content] = [Content.styled(clean_line(card.title), f"bold {_TONES[card.tone]}")]
        parts.extend(Content(clean(line)) for line in card.lines)
        if card.choices:
            key_style = "bold $text-accent" if self.armed else "dim"
            keys = [
                Content.assemble(
                    (choice.key, key_style), "\u00a0", choice.word.replace(" ", "\u00a0")
                )
                for choice in card.choices
            ]
            if self._in_field:
                keys.insert(0, Content.assemble(("esc", key_style), " leaves\u00a0the\u00a0field:"))
            parts.append(Content("   ").join(keys))
        return Content("\n").join(parts)
