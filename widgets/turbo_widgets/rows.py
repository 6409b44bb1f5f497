"""A list of styled rows that costs the same for ten rows and for a million.

Panes of the app are one such widget each: they turn their values into rows, and this draws
the few that are visible, from a cache of strips. A row is part of an item; the cursor goes
from item to item. Texts of rows are shown as they are, never parsed; pass them through
`text.clean` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from turbo_widgets.row_items import (
    NO_ITEM,
    ItemIndex,
    ListedItems,
    Row,
    Span,
    Tone,
    Tones,
    selected_text,
)
from turbo_widgets.row_tones import TONE_CLASSES, TONE_CSS

__all__ = ["NO_ITEM", "Row", "RowsView", "Span", "Tone", "Tones"]


_MOST_STRIPS = 2_000


class RowsView(ScrollView, can_focus=True):
    """Show rows; move a cursor over their items."""

    ALLOW_SELECT = True
    SIDEWAYS: ClassVar[bool] = False  # rows may be wider than the pane
    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    DEFAULT_CSS = (
        """
    RowsView {
        background: $background;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        overflow-y: auto;
        border-top: solid $surface-lighten-2;
        border-title-color: $text-muted;
        border-title-background: $background;
        padding: 0 1;

        &:focus {
            border-top: solid $primary;
            border-title-color: $text;
            border-title-style: bold reverse;
        }
"""
        + TONE_CSS
        + "}"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", "Up", show=False),
        Binding("down,j", "cursor_down", "Down", show=False),
        Binding("pageup", "cursor_page(-1)", "Page up", show=False),
        Binding("pagedown", "cursor_page(1)", "Page down", show=False),
        Binding("home", "cursor_home", "Top", show=False),
        Binding("end", "cursor_end", "End", show=False),
        Binding("left", "sideways(-8)", "Left", show=False),
        Binding("right", "sideways(8)", "Right", show=False),
    ]

    class CursorMoved(Message):
        """The cursor stands on another item."""

        def __init__(self, view: RowsView, item: int) -> None:
            super().__init__()
            self.view = view
            self.item = item

        @property
        def control(self) -> RowsView:
            """The view whose cursor moved."""
            return self.view

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[Row] = ()
        self._index: ItemIndex = ListedItems(())
        self._cursor = NO_ITEM
        self._strips: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}
        self._widest = 0
        self._drawn_for = 0

    # --- what is shown ---------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """All rows, top to bottom."""
        return self._rows

    @property
    def cursor(self) -> int:
        """The item under the cursor, or `NO_ITEM`."""
        return self._cursor

    @property
    def room(self) -> int:
        """Cells a row may take without being cut."""
        return max(10, self.scrollable_content_region.width or self.size.width or 80)

    def set_rows(
        self, rows: Sequence[Row], *, cursor: int | None = None, index: ItemIndex | None = None
    ) -> None:
        """Replace all rows; the cursor stays on its item unless told or gone.

        Args:
            rows: Read as they come into view; may make each on demand if `index` is given.
            cursor: The item to stand on.
            index: Which rows belong to which item; made from the rows where it is missing.
        """
        self._rows = rows
        self._strips.clear()
        self._index = ListedItems(rows) if index is None else index
        wanted = self._cursor if cursor is None else cursor
        if wanted not in self._index:
            wanted = self._index.nearest(wanted)
        moved = wanted != self._cursor
        self._cursor = wanted
        self._widest = self._measure()
        self.virtual_size = Size(self._widest, len(rows))
        self.refresh()
        if moved:
            self._announce()

    def _measure(self) -> int:
        if not self.SIDEWAYS:
            return 0
        return max((cell_len(row.text) for row in self._rows), default=0)

    # --- the cursor ------------------------------------------------------------

    def move_to(self, item: int) -> None:
        """Put the cursor on an item and bring it into view."""
        if item not in self._index:
            return
        if item != self._cursor:
            self._forget(self._cursor)
            self._cursor = item
            self._forget(item)
            self.refresh()
            self._announce()
        self._reveal(item)

    def _announce(self) -> None:
        self.post_message(self.CursorMoved(self, self._cursor))

    def _forget(self, item: int) -> None:
        if item in self._index:
            first, last = self._index.rows_of(item)
            for place in range(first, last + 1):
                self._strips.pop(place, None)

    def _reveal(self, item: int) -> None:
        first, last = self._index.rows_of(item)
        height = self.scrollable_content_region.height
        if height <= 0:
            return
        top = self.scroll_offset.y
        if item == self._index.first:
            first = 0  # headings above the first item come into view with it
        if first < top or last - first >= height:
            self.scroll_to(y=first, animate=False, force=True)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False, force=True)

    def _step(self, count: int) -> None:
        if self._index.first == NO_ITEM:
            self.scroll_relative(y=count, animate=False)
            return
        target = self._index.step(self._cursor, count)
        if target == self._cursor and count > 0:
            self.scroll_end(
                animate=False, force=True
            )  # rows below the last item are worth seeing too
        self.move_to(target)

    def action_cursor_up(self) -> None:
        """Go to the item above."""
        self._step(-1)

    def action_cursor_down(self) -> None:
        """Go to the item below."""
        self._step(1)

    def action_cursor_page(self, pages: int) -> None:
        """Go a screenful up or down."""
        height = max(1, self.scrollable_content_region.height - 1)
        if self._index.first == NO_ITEM:
            self.scroll_relative(y=pages * height, animate=False)
            return
        row = pages * height
        if self._cursor in self._index:
            row += self._index.rows_of(self._cursor)[0]
        row = max(0, min(len(self._rows) - 1, row))
        below, above = range(row, len(self._rows)), range(row, -1, -1)
        for place in chain(below, above) if pages > 0 else chain(above, below):
            item = self._index.item_at(place)
            if item != NO_ITEM:
                self.move_to(item)
                return

    def action_cursor_home(self) -> None:
        """Go to the first item."""
        self.move_to(self._index.first)
        self.scroll_home(animate=False, force=True)

    def action_cursor_end(self) -> None:
        """Go to the last item."""
        self.move_to(self._index.last)
        self.scroll_end(animate=False, force=True)

    def action_sideways(self, cells: int) -> None:
        """Scroll long lines."""
        self.scroll_relative(x=cells, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self._point_at(offset)

    def _point_at(self, offset: Offset) -> None:
        place = self.scroll_offset.y + offset.y
        if 0 <= place < len(self._rows):
            self.move_to(self._index.item_at(place))

    # --- drawing ---------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Draw anew when theme or focus changes."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_focus(self) -> None:
        """The cursor shows stronger in the focused pane."""
        self._strips.clear()

    def on_blur(self) -> None:
        """The cursor shows weaker in other panes."""
        self._strips.clear()

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002 (Textual's signature)
        """Draw anew what the mouse selects."""
        self._strips.clear()
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text and what follows it; of code only the code."""
        return selected_text(self._rows, selection), "\n"

    def render_line(self, y: int) -> Strip:
        """Draw one visible line."""
        scroll_x, scroll_y = self.scroll_offset
        width = self.scrollable_content_region.width or self.size.width
        place = scroll_y + y
        strip = self._strip(place, width, scroll_x)
        strip = strip.crop(scroll_x, scroll_x + width) if scroll_x else strip
        return strip.apply_offsets(scroll_x, place)

    def _strip(self, place: int, width: int, scroll_x: int) -> Strip:
        if self._drawn_for != width + scroll_x:
            self._strips.clear()
            self._drawn_for = width + scroll_x
        place = min(place, len(self._rows))  # all lines below the last are one: a style costs time
        strip = self._strips.get(place)
        if strip is None and place == len(self._rows):
            strip = self._strips[place] = Strip.blank(width + scroll_x, self._ground)
        if strip is None:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            row = self._rows[place]
            here = row.item != NO_ITEM and row.item == self._cursor
            segments = self._paint(row, width + scroll_x, here=here)
            strip = Strip(self._with_selection(segments, place)).crop(0, width + scroll_x)
            self._strips[place] = strip
        return strip

    def _paint(self, row: Row, width: int, *, here: bool) -> list[Segment]:
        """Colour a row and fill it up to `width` cells."""
        base = self._ground + self._tone(row.band)
        if here:
            base += self._tone("cursor" if self.has_focus else "cursor-idle")
        segments = [
            Segment(text, self._over(base, tones, here=here)) for text, tones in row.spans if text
        ]
        used = sum(cell_len(segment.text) for segment in segments)
        end = [Segment(text, self._over(base, tones, here=here)) for text, tones in row.end if text]
        end_cells = sum(cell_len(segment.text) for segment in end)
        if end and used + end_cells + 1 <= width:
            segments.append(Segment(" " * (width - used - end_cells), base))
            segments.extend(end)
            used = width
        if used < width:
            segments.append(Segment(" " * (width - used), base))
        return segments

    def _over(self, base: Style, tones: Tones, *, here: bool) -> Style:
        for tone in (tones,) if isinstance(tones, str) else tones:
            style = self._tone(tone)
            if here and tone in {"added", "removed"}:
                style = Style(color=style.color)  # the cursor's own ground stays seen
            base += style
        return base

    @property
    def _ground(self) -> Style:
        style = self._styles.get("")
        if style is None:  # it is put together from all widgets around: too slow for each row
            style = self._styles[""] = self.rich_style
        return style

    def _tone(self, name: str) -> Style:
        if name == "plain":
            return Style.null()
        style = self._styles.get(name)
        if style is None:
            style = self.get_component_rich_style(f"rows--{name}", partial=True)
            plain = self.app.no_color  # pyright: ignore[reportUnknownMemberType]  App is generic
            if plain and name.endswith("-word"):
                style += Style(underline=True)  # what colour says has to be said without it
            self._styles[name] = style
        return style

    def _with_selection(self, segments: list[Segment], place: int) -> list[Segment]:
        selection = self.text_selection
        span = None if selection is None else selection.get_span(place)
        if span is None:
            return segments
        start, end = span
        total = sum(len(segment.text) for segment in segments)
        end = total if end == -1 else end
        chosen = self.screen.get_component_rich_style("screen--selection")
        parts: list[Segment] = []
        at = 0
        for text, style, _ in segments:
            for begin, stop, marked in (
                (0, start - at, False),
                (start - at, end - at, True),
                (end - at, len(text), False),
            ):
                piece = text[max(0, begin) : max(0, min(stop, len(text)))]
                if piece:
                    parts.append(
                        Segment(piece, (style or Style.null()) + chosen if marked else style)
                    )
            at += len(text)
        return parts

    def show_line(self, place: int) -> None:
        """Bring a row into view, with a few rows above it."""
        height = self.scrollable_content_region.height
        self.scroll_to(y=max(0, place - height // 3), animate=False, force=True)
