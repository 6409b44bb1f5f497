"""A change set on screen: unified or side by side, a cursor, a column of files."""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.geometry import Offset
from textual.strip import Strip
from textual.timer import Timer

from turbo_widgets import diff_column
from turbo_widgets.diff_build import MARK_CELLS, is_mark, lay_out
from turbo_widgets.diff_layout import Layout, Notice, Place
from turbo_widgets.diff_rows import SIDE_NEEDS, Chosen, Columns, DiffRows, Found, View
from turbo_widgets.diff_search import Search
from turbo_widgets.diff_syntax import Syntax
from turbo_widgets.diff_values import WHOLE_FILE, DiffClash, DiffFile, DiffValue
from turbo_widgets.row_items import NO_ITEM, Row
from turbo_widgets.rows import RowsView
from turbo_widgets.text import clean_line, plural

_COLOURS_AFTER_S = 0.03  # the text is on screen by then


class DiffView(RowsView):
    """Show a change set in the way that is asked for."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._value = DiffValue()
        self._syntax = Syntax(self._recolour)
        self._search: Search | None = None
        self._found = Found()
        self._side: bool | None = None  # as the user wants it; None: nothing was said
        self._wrap = True
        self._blanks = False
        self._files_beside = False
        self._anchor = NO_ITEM
        self._colouring: Timer | None = None
        self._column: list[Row] = []
        self._column_cells = 0
        self._laid_out_for = 0
        self._layout = Layout()
        self._columns = Columns(self._value, View(80))
        self._source = DiffRows(self._layout, self._columns, self._syntax, self._found)

    def on_mount(self) -> None:
        """Show the empty state."""
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        """Fit everything to the new width; the cursor stays in view."""
        if self.room != self._laid_out_for:
            self._lay_out()
        self.call_after_refresh(self._keep_in_view)

    @property
    def value(self) -> DiffValue:
        """What is shown."""
        return self._value

    def show(self, value: DiffValue) -> None:
        """Show a change set; the cursor stays where it is while only marks change."""
        before = self._value
        if value == before:
            return
        same = value.title == before.title
        same = same and [file.path for file in value.files] == [file.path for file in before.files]
        self._value = value
        self._anchor = NO_ITEM
        if same:
            self._forget_changed_texts(before)
        else:
            self._syntax.clear()
        if self._search is not None:
            at = self._search.at
            self._search = Search(value, self._search.text)
            self._search.at = min(at, len(self._search.matches) - 1)
            self._found.here = self._search.here
        self._lay_out()
        if not same:
            heads = self._layout.heads
            self.move_to(heads.get((0, 0), heads.get((0, WHOLE_FILE), 0)))
            self.scroll_home(animate=False, force=True)
            self._go_to_clash()
        elif value.open_clashes != before.open_clashes:
            self._go_to_clash()
        self.refresh_bindings()

    def _go_to_clash(self) -> None:
        """Go to what is to be settled next: from the cursor on, else from the start."""
        heads = [
            self._layout.heads[number, index]
            for number, file in enumerate(self._value.files)
            for index, clash in self._clash_heads(file)
            if file.open_clashes and not clash.settled
        ]
        following = [item for item in heads if item >= self.cursor]
        if heads:
            self._jump_to((following or heads)[0])

    @staticmethod
    def _clash_heads(file: DiffFile) -> list[tuple[int, DiffClash]]:
        """Return the hunks that are clashes, `WHOLE_FILE` for a file that is one."""
        if file.clash is not None:
            return [(WHOLE_FILE, file.clash)]
        return [(at, hunk.clash) for at, hunk in enumerate(file.hunks) if hunk.clash is not None]

    def _forget_changed_texts(self, before: DiffValue) -> None:
        for was, now in zip(before.files, self._value.files, strict=True):
            pairs = zip(was.hunks, now.hunks, strict=False)
            for number, (old, new) in enumerate(pairs):
                if old.lines is not new.lines and [line.text for line in old.lines] != [
                    line.text for line in new.lines
                ]:
                    self._syntax.forget(now.path, number)

    # --- laying out ----------------------------------------------------------------

    @property
    def room(self) -> int:
        """Cells of a row, without the column of files."""
        return super().room - self._column_width

    @property
    def full_room(self) -> int:
        """Cells of a row and of the column of files."""
        return super().room

    @property
    def _column_width(self) -> int:
        full = self.full_room
        beside = self._files_beside and full >= diff_column.NEEDS and self._value.files
        return diff_column.width_of(full) if beside else 0

    @property
    def side_by_side(self) -> bool:
        """Both versions are shown next to each other: asked for, and there is room."""
        return self._wants_side and self.room >= SIDE_NEEDS

    @property
    def _wants_side(self) -> bool:
        # Two versions of a place are easiest to compare next to each other.
        return self._value.open_clashes > 0 if self._side is None else self._side

    def _lay_out(self) -> None:
        place = self._here
        self._laid_out_for = self.room
        width = self._column_cells = self._column_width
        self._column = diff_column.column_rows(self._value, width) if width else []
        view = View(self.room, self.side_by_side, self._wrap, self._blanks, listed=not width)
        self._columns = Columns(self._value, view)
        self._layout = lay_out(self._columns)
        self._source = DiffRows(self._layout, self._columns, self._syntax, self._found)
        self._source.left = self.scroll_offset.x
        cursor = self._item_of(place) if place is not None else None
        self.set_rows(self._source, cursor=cursor, index=self._layout)
        self._say_where()

    def _measure(self) -> int:
        return 0 if self._wrap else self._columns.widest + self._column_width

    def _item_of(self, place: Place) -> int | None:
        """Return where something stands now, or its nearest heading."""
        if place.line >= 0 or place.right >= 0:
            line = place.line if place.line >= 0 else place.right
            item = self._layout.item_of_line(place.file, place.hunk, line)
            if item != NO_ITEM:
                return item
        if place.summary or place.file < 0:
            return None
        heads = self._layout.heads
        return heads.get((place.file, place.hunk), heads.get((place.file, WHOLE_FILE)))

    def _keep_in_view(self) -> None:
        if self.cursor in self._layout:
            self._reveal(self.cursor)

    def _jump_to(self, item: int) -> None:
        self.move_to(item)
        self.show_line(self._layout.rows_of(item)[0])

    def _recolour(self) -> None:
        self._strips.clear()
        self.refresh()

    # --- drawing ---------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one visible line, the column of files before it."""
        scroll_x, scroll_y = self.scroll_offset
        if self._source.left != scroll_x:
            self._source.left = scroll_x
            self._strips.clear()
        strip = self._strip(scroll_y + y, self._laid_out_for, 0).apply_offsets(0, scroll_y + y)
        if self._syntax.waiting and self._colouring is None:
            self._colouring = self.set_timer(_COLOURS_AFTER_S, self._colour)
        width = self._column_cells
        if not width:
            return strip
        return Strip.join([self._column_strip(y, width), strip])

    def _column_strip(self, y: int, width: int) -> Strip:
        at = y + self._column_top
        here = self._here
        row = self._column[at] if at < len(self._column) else Row(())
        chosen = here is not None and row.item == here.file and row.item != NO_ITEM
        segments = self._paint(row, width - 2, here=chosen)
        line = Segment(" │", self._ground + self._tone("dim"))
        return Strip([*Strip(segments).crop(0, width - 2), line])

    @property
    def _column_top(self) -> int:
        """The column's first row: the file under the cursor is always seen."""
        height = self.scrollable_content_region.height
        here = self._here
        if len(self._column) <= height or here is None:
            return 0
        place = next((at for at, row in enumerate(self._column) if row.item == here.file), 0)
        return max(0, min(len(self._column) - height, place - height // 2))

    def _colour(self) -> None:
        self.run_worker(self._work(), group="colours")

    async def _work(self) -> None:
        try:
            await self._syntax.work()
        finally:
            self._colouring = None

    def _point_at(self, offset: Offset) -> None:
        if offset.x >= self._column_cells:
            super()._point_at(offset)
            return
        at = offset.y + self._column_top
        if at < len(self._column) and self._column[at].item != NO_ITEM:
            self._jump_to(self._layout.heads[self._column[at].item, WHOLE_FILE])

    def _is_on_mark(self, offset: Offset) -> bool:
        """Tell if the mark of a file, a hunk or a folder is shown there."""
        left, place = self._column_cells, offset.y + self.scroll_offset.y
        if offset.x < left:
            at = offset.y + self._column_top
            spans = self._column[at].spans if at < len(self._column) else ()
        else:
            row = self._layout.row(place) if place < self._layout.row_count else None
            spans = row.spans if isinstance(row, Notice) and row.item >= 0 else ()
            offset -= (left, 0)
        return bool(spans) and is_mark(spans[0]) and offset.x < MARK_CELLS

    # --- where the cursor is -----------------------------------------------------------

    @property
    def _here(self) -> Place | None:
        return self._layout.place(self.cursor)

    @property
    def current(self) -> tuple[str, int] | None:
        """Path and hunk under the cursor (`WHOLE_FILE` on a file's own lines)."""
        place = self._here
        if place is None or place.file < 0:
            return None
        return self._value.files[place.file].path, place.hunk

    def move_to(self, item: int) -> None:
        """Put the cursor on an item; a range goes along."""
        super().move_to(item)
        if self._anchor != NO_ITEM:
            self._stretch()

    def _stretch(self) -> None:
        """Fit the range to the cursor."""
        ends = sorted((self._anchor, self.cursor))
        self._source.chosen = None if self._anchor == NO_ITEM else Chosen(ends[0], ends[1])
        self._recolour()
        self._say_where()

    @property
    def _chosen_lines(self) -> dict[tuple[int, int], list[int]]:
        """The changed lines of the range that can be left out, by file and hunk."""
        lines: dict[tuple[int, int], list[int]] = {}
        chosen = self._source.chosen
        for item in range(chosen.first, chosen.last + 1) if chosen is not None else ():
            place = self._layout.place(item)
            if place is None or place.line < 0 > place.right or place.comment >= 0:
                continue
            file = self._value.files[place.file]
            for line in sorted({place.line, place.right} - {-1}):
                if file.by_line and file.hunks[place.hunk].lines[line].changed:
                    lines.setdefault((place.file, place.hunk), []).append(line)
        return lines

    def on_rows_view_cursor_moved(self) -> None:
        """Say in the border where the cursor is."""
        self._say_where()
        self.refresh_bindings()

    def _say_where(self) -> None:
        value = self._value
        place = self._here
        parts = ["Changes", clean_line(value.title)]
        if place is not None and place.file >= 0:
            file = value.files[place.file]
            parts.append(f"file {place.file + 1}/{len(value.files)}")
            if place.hunk != WHOLE_FILE:
                clash = file.hunks[place.hunk].clash
                count = f"hunk {place.hunk + 1}/{len(file.hunks)}"
                if clash is not None:
                    count = f"conflict {clash.place + 1}/{len(file.clashes)}"
                parts.append(count)
        if self._source.chosen is not None:
            count = sum(len(lines) for lines in self._chosen_lines.values())
            parts.append(f"{plural(count, 'changed line')} chosen, space")
        if self._search is not None:
            parts.append(f"{self._search.words}, enter N")
        if self._side or self.side_by_side:
            room = "side by side" if self.side_by_side else f"unified: under {SIDE_NEEDS} columns"
            parts.append(room)
        parts += [] if self._wrap else ["not wrapped"]
        parts += ["white space shown"] if self._blanks else []
        self.border_title = " · ".join(part for part in parts if part)
