"""Reading a change set: going from change to change, ways to look at it, searching."""

from __future__ import annotations

from rich.cells import cell_len
from textual.widget import Widget

from turbo_widgets import diff_column
from turbo_widgets.diff_fields import LineField
from turbo_widgets.diff_layout import Place
from turbo_widgets.diff_search import Match, Search
from turbo_widgets.diff_text import shown_line
from turbo_widgets.diff_values import WHOLE_FILE
from turbo_widgets.diff_view import DiffView
from turbo_widgets.row_items import NO_ITEM


class DiffReader(DiffView):
    """Move over a change set and look at it; nothing of it changes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._below: Widget | None = None  # a field or an editor that is open
        self._back: Place | None = None

    # --- moving --------------------------------------------------------------------------

    def action_hunk(self, count: int) -> None:
        """Go to the next or previous hunk, over file borders; to conflicts while one is open."""
        heads = self._layout.heads
        if self._value.open_clashes:
            clashes = [
                heads[number, hunk]
                for number, file in enumerate(self._value.files)
                for hunk, _ in self._clash_heads(file)
            ]
            self._jump(clashes, count)
            return
        self._jump([item for (_, hunk), item in heads.items() if hunk != WHOLE_FILE], count)

    def action_file(self, count: int) -> None:
        """Go to the next or previous file."""
        heads = self._layout.heads
        self._jump([item for (_, hunk), item in heads.items() if hunk == WHOLE_FILE], count)

    def _jump(self, heads: list[int], count: int) -> None:
        if count > 0:
            target = next((item for item in heads if item > self.cursor), None)
        else:
            target = next((item for item in reversed(heads) if item < self.cursor), None)
        if target is not None:
            self._jump_to(target)

    def action_go(self) -> None:
        """Go from a line of the list to its file; while searching, to the next match."""
        place = self._here
        if place is not None and place.summary:
            self._jump_to(self._layout.heads[place.file, WHOLE_FILE])
        else:
            self.action_match(1)

    # --- ways to look at it ------------------------------------------------------------------

    def action_side(self) -> None:
        """Show both versions side by side, or one under the other."""
        self._side = not self._wants_side
        self._lay_out_again()

    def action_wrap(self) -> None:
        """Wrap long lines, or scroll them."""
        self._wrap = not self._wrap
        self.scroll_to(x=0, animate=False, force=True)
        self._lay_out_again()

    def action_blanks(self) -> None:
        """Show tabs and blanks at line ends; dim lines where only blanks differ."""
        self._blanks = not self._blanks
        self._lay_out_again()

    def action_files(self) -> None:
        """Show the files beside the diff; without room for it go to their list, and back."""
        if self.full_room >= diff_column.NEEDS:
            self._files_beside = not self._files_beside
            self._lay_out_again()
            return
        place = self._here
        if place is None or not place.summary:
            self._back = place
            self.move_to(max(0, place.file) if place is not None else 0)
            self.scroll_home(animate=False, force=True)
        elif self._back is not None and self._item_of(self._back) is not None:
            self._jump_to(self._item_of(self._back) or 0)
        else:
            self.action_go()

    def _lay_out_again(self) -> None:
        self._anchor = NO_ITEM
        self._lay_out()
        self._keep_in_view()
        self.refresh_bindings()

    # --- searching -------------------------------------------------------------------------

    async def action_find(self) -> None:
        """Open the field to search in; matches are shown while typing."""
        at = self._here
        known = self._search.text if self._search is not None else ""

        def finish(text: str | None) -> None:
            self._look_for(text or "", at)
            self._close_below()

        field = LineField(
            "search these changes · enter keeps it, then enter and N go on · esc leaves",
            known,
            typed=lambda text: self._look_for(text, at),
            finish=finish,
            left=lambda _: self._close_below(focus=False),
        )
        await self._open_below(field)

    def _look_for(self, text: str, at: Place | None = None) -> None:
        place = at or self._here
        self._search = Search(self._value, text) if text else None
        self._found.pattern = self._search.pattern if self._search is not None else None
        self._found.here = None
        if self._search is not None and place is not None:
            line = max(0, place.line if place.line >= 0 else place.right)
            self._show_match(self._search.begin(max(0, place.file), max(0, place.hunk), line))
        self._recolour()
        self._say_where()
        self.refresh_bindings()

    def action_match(self, count: int) -> None:
        """Go to the next or the previous match."""
        if self._search is not None:
            self._show_match(self._search.step(count))
            self._recolour()
            self._say_where()

    def _show_match(self, match: Match | None) -> None:
        self._found.here = match
        if match is None:
            return
        item = self._layout.item_of_line(match.file, match.hunk, match.line)
        self.move_to(item)
        row = self._layout.rows_of(item)[0]
        if not 0 <= row - self.scroll_offset.y < self.scrollable_content_region.height - 1:
            self.show_line(row)
        if not self._wrap:
            line = self._value.files[match.file].hunks[match.hunk].lines[match.line]
            before = cell_len(shown_line(line.text)[: match.start])
            self.scroll_to(x=max(0, before - self.room // 3), animate=False, force=True)

    async def _open_below(self, widget: Widget) -> bool:
        """Open a field or an editor; one that is open already is gone on with instead."""
        parent = self.parent
        if self._below is None and isinstance(parent, Widget):
            self._below = widget
            await parent.mount(widget, after=self)
        if self._below is not None:
            self.screen.set_focus(self._below)  # at once: the next key is for it
        return self._below is widget

    def _close_below(self, *, focus: bool = True) -> None:
        if self._below is not None:
            self._below.remove()
            self._below = None
        if focus:
            self.screen.set_focus(self)
