"""Small windows over the session: a question, a field, all keys, an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, Static

from turbo_tui.app.opened import Question
from turbo_widgets.approval_bar import GUARD_S
from turbo_widgets.key_words import key_entry
from turbo_widgets.text import clean, clean_line

BOX = """
    align: center middle;
    & > .box {
        width: 80%;
        max-width: 84;
        min-width: 50;
        height: auto;
        max-height: 90%;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: $surface;
        border: solid $primary;
        border-title-color: $text-primary;
        border-title-style: bold;
        padding: 1 2;
    }
    & Static { width: 1fr; height: auto; }
    & .keys { dock: bottom; margin-top: 1; background: $surface; }  /* in sight however small */
    & VerticalScroll, & TextArea { scrollbar-size-vertical: 1; }
    & .label { color: $foreground-darken-3; margin-top: 1; }
    & Input.-textual-compact { background: $panel; padding: 0 1; }
"""


def key_line(*keys: tuple[str, str], live: bool = True) -> Content:
    """Return `key what it does` for each, as the bottom line shows them; dim when they wait."""
    style = "bold $text-accent" if live else "dim"
    parts = [key_entry(key, clean_line(word).replace(" ", "\u00a0"), style) for key, word in keys]
    return Content("   ").join(parts)


class QuestionScreen(ModalScreen[str]):
    """Put a question; a key within half a second of it appearing does not answer.

    Nor does one so soon after a key that is no answer: whoever types on is not reading it.

    Args:
        question: What is asked.
        clock: Seconds, monotonic.
        keep: Told each character that did not answer, and whether it surely belongs to a text.
    """

    DEFAULT_CSS = f"QuestionScreen {{ {BOX} }}"

    def __init__(
        self,
        question: Question,
        *,
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[str, bool], None] | None = None,
    ) -> None:
        super().__init__()
        self._question = question
        self._clock = clock
        self._keep = keep
        self._guard: Timer | None = None
        self._shown_at: float | None = None  # None until it is painted

    @property
    def painted(self) -> bool:
        """The question has been on the screen, so that its guard runs or is over."""
        return self._shown_at is not None

    def compose(self) -> ComposeResult:
        """Lay out what is asked and the keys."""
        question = self._question
        with Vertical(classes="box") as box:
            box.border_title = clean_line(question.title)
            yield Static("\n".join(clean(line) for line in question.lines), markup=False)
            yield Static(self._key_line(live=False), classes="keys")

    def _key_line(self, *, live: bool) -> Content:
        keys = [
            (
                f"{option.key}/esc" if option.name == self._question.otherwise else option.key,
                option.words,
            )
            for option in self._question.options
        ]
        return key_line(*keys, live=live)

    def on_mount(self) -> None:
        """Start the guard when it is really on screen."""
        self.call_after_refresh(self._start_guard)

    def _start_guard(self) -> None:
        self._shown_at = self._clock()
        if self._guard is not None:
            self._guard.stop()
        self._guard = self.set_timer(GUARD_S + 0.05, partial(self._show_keys, live=True))

    def _show_keys(self, *, live: bool) -> None:
        self.query_one(".keys", Static).update(self._key_line(live=live))

    def on_key(self, event: events.Key) -> None:
        """Answer, once the guard is over; the arrows scroll what is longer than the window."""
        event.stop()
        if event.key in {"up", "down"}:
            self.query_one(".box").scroll_relative(
                y=1 if event.key == "down" else -1, animate=False
            )
            return
        early = self._shown_at is None or self._clock() - self._shown_at < GUARD_S
        if event.key == "escape" and not early:
            self.dismiss(self._question.otherwise)
            return
        meant = [o for o in self._question.options if o.key in {event.key, event.character}]
        if meant and not early:
            self.dismiss(meant[0].name)
            return
        if not meant and self._shown_at is not None:
            self._show_keys(live=False)
            self._start_guard()
        if event.is_printable and event.character and self._keep is not None:
            self._keep(event.character, early and not meant)


class FieldScreen(ModalScreen[str | None]):
    """Ask for one line; enter hands it on, escape goes back. None means back."""

    DEFAULT_CSS = f"FieldScreen {{ {BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    def __init__(self, title: str, explanation: str, *, enter: str, placeholder: str = "") -> None:
        super().__init__()
        self._title = title
        self._explanation = explanation
        self._enter = enter
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """Lay out the field."""
        with Vertical(classes="box") as box:
            box.border_title = clean_line(self._title)
            yield Static(clean(self._explanation), markup=False)
            yield Static("", markup=False)
            yield Input(placeholder=self._placeholder, compact=True)
            yield Static(key_line(("enter", self._enter), ("esc", "back")), classes="keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line on."""
        event.stop()
        self.dismiss(event.value.strip())

    def action_back(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class HelpScreen(ModalScreen[None]):
    """All keys that act now, grouped as given; any of escape, q, ? closes it."""

    DEFAULT_CSS = f"""
    HelpScreen {{
        {BOX}
        & > .box {{ height: 90%; }}
        & VerticalScroll {{ height: 1fr; }}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "back", "Close", key_display="esc"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", show=False),
    ]

    def __init__(self, live: list[tuple[str, str]], topics: list[tuple[str, str]]) -> None:
        super().__init__()
        self._live = live
        self._topics = topics

    def compose(self) -> ComposeResult:
        """Lay out keys and the way through."""
        with Vertical(classes="box") as box:
            box.border_title = "Help"
            with VerticalScroll():
                for title, text in self._topics:
                    yield Static(Content.styled(title, "bold $text-primary"))
                    yield Static(text + "\n", markup=False)
                yield Static(Content.styled("Keys that act right now", "bold $text-primary"))
                widest = max((len(key) for key, _ in self._live), default=0)
                lines = [
                    Content.assemble((f"{key:<{widest}}", "bold $text-accent"), "  ", word)
                    for key, word in self._live
                ]
                yield Static(Content("\n").join(lines))
            yield Static(key_line(("↑↓", "scroll"), ("esc", "close")), classes="keys")

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class ErrorScreen(ModalScreen[None]):
    """What went wrong, where, why and what to do; enter or escape goes on."""

    DEFAULT_CSS = f"ErrorScreen {{ {BOX} & > .box {{ border: solid $error; }} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "back", "Close")]

    def __init__(self, title: str, text: str, *, closes: str = "close") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._closes = closes

    def compose(self) -> ComposeResult:
        """Lay out the message."""
        with Vertical(classes="box") as box:
            box.border_title = clean_line(self._title)
            with VerticalScroll() as scroll:
                scroll.styles.height = "auto"
                yield Static(clean(self._text), markup=False)
            yield Static(key_line(("enter", self._closes)), classes="keys")

    def action_back(self) -> None:
        """Go on."""
        self.dismiss(None)
