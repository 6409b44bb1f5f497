"""The bottom line: the keys that do something right now, and nothing else."""

from __future__ import annotations

from typing import Any

from textual.app import RenderResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from turbo_widgets.key_words import key_entry, spoken_key

_TAIL = ("tab", "i", "esc", "?", "^q")  # the ways on; they never fall off the line


def live_keys(screen: Screen[Any], *, hidden: bool = False) -> list[tuple[str, str]]:
    """Return (key, what it does) of all keys that act now, nearest to the focus first.

    Args:
        screen: Whose keys; a focused field swallows what it can type.
        hidden: Also keys that the bottom line leaves out.
    """
    focused = screen.focused
    keys: list[tuple[str, str]] = []
    seen: set[tuple[int, str]] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        if not active.enabled or not binding.description or (binding.system and not hidden):
            continue
        if not binding.show and not hidden:
            continue
        character = binding.key if len(binding.key) == 1 else _typed(binding.key)
        if (
            focused is not None
            and not binding.priority
            and character
            and focused.check_consume_key(binding.key, character)
        ):
            continue
        mark = (id(active.node), binding.action)
        if mark in seen:
            continue
        seen.add(mark)
        keys.append((binding.key_display or spoken_key(binding.key), binding.description))
    return keys


def _typed(key: str) -> str | None:
    return {"question_mark": "?", "slash": "/", "colon": ":", "space": " "}.get(key)


class KeyBar(Widget):
    """Show live keys, whole entries only, `? help` always last."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def on_mount(self) -> None:
        """Redraw whenever the live keys may have changed."""
        # Textual types the signal with a bare Screen.
        self.screen.bindings_updated_signal.subscribe(  # pyright: ignore[reportUnknownMemberType]
            self, self._changed
        )

    def _changed(self, _: object) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        """Draw as many keys as fit."""
        keys = live_keys(self.screen)
        tail = [entry for last in _TAIL for entry in keys if entry[0] == last]
        shown = [entry for entry in keys if entry not in tail]
        room = self.size.width - sum(len(key) + len(word) + 3 for key, word in tail)
        parts: list[Content] = []
        for key, word in shown:
            room -= len(key) + len(word) + 3
            if room < 0:
                break
            parts.append(key_entry(key, word))
        return Content("  ").join([*parts, *(key_entry(key, word) for key, word in tail)])
