"""A key and what it does, as it stands on screen; a click on it is to do the same."""

from __future__ import annotations

import re

from textual import events
from textual.content import Content
from textual.style import Style

_SPOKEN = {
    "space": "space",
    "enter": "enter",
    "escape": "esc",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "plus": "+",
    "delete": "del",
    "tab": "tab",
}
_MEANT = {spoken: key for key, spoken in _SPOKEN.items()}
_PRESSES = "turbo_key"  # where a cell's style says which key it stands for


def spoken_key(key: str) -> str:
    """Return a key as a reader knows it: `?` for question_mark, `^q` for ctrl+q."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return _SPOKEN.get(key, key)


def meant_key(spoken: str) -> str:
    """Return the key that `spoken_key` made this of; of several, as in `n/esc`, the first."""
    first = spoken if len(spoken) == 1 else re.split("[ /]", spoken)[0]
    if len(first) > 1 and first.startswith("^"):
        return "ctrl+" + first.removeprefix("^")
    return _MEANT.get(first, first)


def key_entry(key: str, word: str, style: str = "bold $text-accent") -> Content:
    """Return `key word`, all of which stands for the key."""
    entry = Content.assemble((key, style), " ", word)
    return entry.stylize(Style.from_meta({_PRESSES: meant_key(key)}))


def clicked_key(event: events.Click) -> str | None:
    """Return the key that was clicked on, if one was."""
    if event.button != 1:
        return None
    return event.style.meta.get(_PRESSES)


def pressing(key: str) -> events.Key:
    """Return a key that does what it does and is never text, not even in a field."""
    event = events.Key(key, None)
    event.character = None  # Textual takes the name of a letter's key for a letter typed
    return event
