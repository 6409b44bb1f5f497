"""What landed in a session, newest first: what can be taken back, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from turbo_widgets.rows import Row, RowsView, Tone
from turbo_widgets.text import clean_line, plural, wrap

LandingWord = Literal["stands", "undone", "redone"]

# As in the plan, a glyph never stands alone.
STATUS: dict[LandingWord, tuple[str, str, Tone]] = {
    "stands": ("✔", "landed", "good"),
    "undone": ("↶", "taken back", "dim"),
    "redone": ("↷", "landed again", "good"),
}
_MOST_NOTES = 3


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One landing of a step.

    Attributes:
        landing: Names it; empty for the place before the first one.
        clock: When it landed, as the user reads time.
        files: How many paths it wrote.
        outside: What it may have done where no undo reaches, a line each.
    """

    landing: str
    step_id: str
    title: str
    clock: str = ""
    status: LandingWord = "stands"
    files: int = 0
    outside: tuple[str, ...] = ()


class TimelinePane(RowsView):
    """List landings; ask for one to be previewed, taken back or landed again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "preview", "The tree then"),
        Binding("u", "undo", "Take back"),
        Binding("r", "redo", "Land again"),
    ]

    class LandingCommand(Message):
        """The user wants something done with one landing; empty: before the first."""

        def __init__(self, landing: str) -> None:
            super().__init__()
            self.landing = landing

    class Looked(LandingCommand):
        """The cursor came to it: show what it did."""

    class PreviewWanted(LandingCommand):
        """Show the tree as it was right after it."""

    class UndoWanted(LandingCommand):
        """Take it back."""

    class RedoWanted(LandingCommand):
        """Land it again."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._items: tuple[TimelineItem, ...] = ()

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Landed"
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        """Wrap titles to the new width."""
        self._lay_out()

    def show(self, items: tuple[TimelineItem, ...]) -> None:
        """Show landings, newest first; the cursor stays on its landing."""
        if items == self._items:
            return
        before = self.selected
        self._items = items
        known = [item.landing for item in items]
        there = before is not None and before.landing in known
        self._lay_out(known.index(before.landing) if before is not None and there else 0)
        self.refresh_bindings()

    @property
    def selected(self) -> TimelineItem | None:
        """The landing under the cursor."""
        return self._items[self.cursor] if 0 <= self.cursor < len(self._items) else None

    # --- drawing ---------------------------------------------------------------

    def _lay_out(self, cursor: int | None = None) -> None:
        rows: list[Row] = []
        for place, item in enumerate(self._items):
            rows.extend(self._item_rows(place, item))
        if not rows:
            rows.append(Row((("Nothing has landed yet.", "dim"),)))
        self.set_rows(rows, cursor=cursor)

    def _item_rows(self, place: int, item: TimelineItem) -> list[Row]:
        if not item.landing:
            return [Row(((f"○ {clean_line(item.title)}", "dim"),), item=place)]
        glyph, word, tone = STATUS[item.status]
        number = f"{clean_line(item.step_id)} "
        indent = " " * (len(number) + 2)
        title_tone: Tone = "dim" if item.status == "undone" else "plain"
        lines = wrap(clean_line(item.title), self.room - len(indent))
        rows = [Row(((f"{glyph} ", tone), (number, "dim"), (lines[0], title_tone)), item=place)]
        rows += [Row(((indent, "plain"), (line, title_tone)), item=place) for line in lines[1:]]
        facts = f"{word} · {plural(item.files, 'file')} · {item.clock}"
        for line in wrap(facts, self.room - len(indent)):
            rest = line.removeprefix(word)
            state = word if rest != line else ""
            rows.append(Row(((indent, "plain"), (state, tone), (rest, "dim")), item=place))
        shown = item.outside[:_MOST_NOTES]
        more = len(item.outside) - len(shown)
        words = [f"stays: {clean_line(each)}" for each in shown]
        words += [f"and {more} more that stay"] if more else []
        for text in words:
            rows += [
                Row(((indent, "plain"), (line, "warn")), item=place)
                for line in wrap(text, self.room - len(indent))
            ]
        return rows

    # --- commands --------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the landing under the cursor."""
        item = self.selected
        if action == "undo":
            return item is not None and bool(item.landing) and item.status != "undone"
        if action == "redo":
            return item is not None and item.status == "undone"
        if action == "preview":
            return item is not None
        return super().check_action(action, parameters)

    def on_rows_view_cursor_moved(self) -> None:
        """Another landing: other keys, and something else to look at."""
        self.refresh_bindings()
        if (item := self.selected) is not None:
            self.post_message(self.Looked(item.landing))

    def action_preview(self) -> None:
        """Ask for the tree as it was right after the landing."""
        if (item := self.selected) is not None:
            self.post_message(self.PreviewWanted(item.landing))

    def action_undo(self) -> None:
        """Ask for the landing to be taken back."""
        if (item := self.selected) is not None:
            self.post_message(self.UndoWanted(item.landing))

    def action_redo(self) -> None:
        """Ask for the landing to be landed again."""
        if (item := self.selected) is not None:
            self.post_message(self.RedoWanted(item.landing))
