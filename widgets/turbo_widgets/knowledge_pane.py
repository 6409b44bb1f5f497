"""Search the code: results as you type, and a look at the place itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from turbo_widgets.rows import NO_ITEM, Row, RowsView
from turbo_widgets.text import clean_line, fit_path, plural, wrap


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A place found; lines are 1-based."""

    path: str
    line: int
    text: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A file to look at; `line` (1-based) is the one meant."""

    path: str
    line: int
    text: str


class _Places(RowsView):
    """Results, or one file."""

    SIDEWAYS: ClassVar[bool] = True
    DEFAULT_CSS = """
    _Places { overflow-x: auto; }
    """


class _Query(Input):
    """Where the query is typed; enter and down go to the results."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,down", "submit", "Results")]


class KnowledgePane(Vertical):
    """A query field over its results; enter on a result shows the file there."""

    DEFAULT_CSS = """
    KnowledgePane {
        & > Input.-textual-compact { padding: 0 1; background: $surface; }
        & > _Places, & > _Places:focus { height: 1fr; border-top: none; }
        border-top: solid $surface-lighten-2;
        border-title-color: $text-muted;
        border-title-background: $background;
        &:focus-within {
            border-top: solid $primary;
            border-title-color: $text;
            border-title-style: bold reverse;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Look at it"),
        Binding("o", "editor", "Open in $EDITOR"),
        Binding("f", "query", "New search"),
        Binding("escape", "back", "Back"),
    ]

    class QueryChanged(Message):
        """The user wants places for another query; empty when the field was cleared."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class PreviewWanted(Message):
        """Show this file at this line (1-based)."""

        def __init__(self, path: str, line: int) -> None:
            super().__init__()
            self.path = path
            self.line = line

    class EditorWanted(PreviewWanted):
        """Open this file at this line in the user's editor."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._query = ""
        self._hits: tuple[SearchHit, ...] = ()
        self._note = ""
        self._preview: Preview | None = None
        self._hit_cursor = 0

    def compose(self) -> ComposeResult:
        """Lay out query field and results."""
        yield _Query(placeholder="find text or a symbol in this project", compact=True)
        yield _Places()

    def on_mount(self) -> None:
        """Show the empty state."""
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        """Fit the results to the new width."""
        self.call_after_refresh(self._lay_out)

    @property
    def field(self) -> Input:
        """Where the query is typed."""
        return self.query_one(Input)

    @property
    def places(self) -> RowsView:
        """Where results and files are shown."""
        return self.query_one(_Places)

    @property
    def preview(self) -> Preview | None:
        """The file that is shown, if one is."""
        return self._preview

    def show_hits(self, query: str, hits: tuple[SearchHit, ...], note: str = "") -> None:
        """Show what was found, unless the query has changed since it was asked."""
        if query != self.field.value.strip():
            return
        self._query, self._hits, self._note, self._preview = query, hits, note, None
        self._lay_out(cursor=0)

    def show_preview(self, preview: Preview) -> None:
        """Show a file at its line."""
        self._preview = preview
        self._lay_out(cursor=preview.line - 1)
        self.places.show_line(preview.line - 1)
        self.places.focus()

    # --- rows ------------------------------------------------------------------

    def _lay_out(self, cursor: int | None = None) -> None:
        if self._preview is not None:
            self._lay_out_file(self._preview, cursor)
        else:
            self._lay_out_hits(cursor)
        self.refresh_bindings()

    def _lay_out_file(self, preview: Preview, cursor: int | None) -> None:
        lines = preview.text.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        digits = len(str(len(lines)))
        rows = [
            Row(
                ((f"{number:>{digits}}  ", "dim"), (clean_line(line.rstrip("\r")), "plain")),
                item=number - 1,
                band="band" if number == preview.line else "plain",
            )
            for number, line in enumerate(lines, 1)
        ]
        self.border_title = clean_line(f"Knowledge · {preview.path}:{preview.line}")
        self.places.set_rows(rows or [Row((("The file is empty.", "dim"),))], cursor=cursor)

    def _lay_out_hits(self, cursor: int | None) -> None:
        room = self.places.room
        count = plural(len(self._hits), "place") if self._query else ""
        self.border_title = f"Knowledge · {count}" if count else "Knowledge"
        if not self._hits:
            text = self._note or (
                f"Nothing found for “{clean_line(self._query)}”."
                if self._query
                else "Type a word, a symbol or a phrase. Enter on a result shows the file there."
            )
            self.places.set_rows([Row(((line, "dim"),)) for line in wrap(text, room)])
            return
        rows: list[Row] = []
        for place, hit in enumerate(self._hits):
            where = fit_path(clean_line(f"{hit.path}:{hit.line}"), room)
            why = clean_line(" · ".join(hit.why))
            rows.append(Row(((where, "accent"),), item=place, end=((why, "dim"),) if why else ()))
            rows.append(Row(((f"  {clean_line(hit.text.strip())}", "plain"),), item=place))
        if self._note:
            rows.extend(Row(((line, "dim"),)) for line in wrap(self._note, room))
        self.places.set_rows(rows, cursor=cursor)

    # --- commands --------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search as the user types."""
        event.stop()
        if not event.value.strip():
            self._query, self._hits, self._note, self._preview = "", (), "", None
            self._lay_out()
        self.post_message(self.QueryChanged(event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go from the query to its results."""
        event.stop()
        if self._hits:
            self.places.focus()

    def on_rows_view_cursor_moved(self) -> None:
        """Remember the place in the results."""
        if self._preview is None and self.places.cursor != NO_ITEM:
            self._hit_cursor = self.places.cursor
        self.refresh_bindings()

    def _selected(self) -> tuple[str, int] | None:
        cursor = self.places.cursor
        if self._preview is not None:
            return self._preview.path, max(1, cursor + 1)
        if 0 <= cursor < len(self._hits):
            return self._hits[cursor].path, self._hits[cursor].line
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the focus and the results allow."""
        if action == "open":
            return self.places.has_focus and self._preview is None and bool(self._hits)
        if action == "editor":
            return self.places.has_focus and self._selected() is not None
        if action == "query":
            return self.places.has_focus
        if action == "back":
            return self._preview is not None or (self.field.has_focus and bool(self.field.value))
        return super().check_action(action, parameters)

    def action_open(self) -> None:
        """Ask for the file of the result under the cursor."""
        if (place := self._selected()) is not None:
            self.post_message(self.PreviewWanted(*place))

    def action_editor(self) -> None:
        """Ask for the file under the cursor in the user's editor."""
        if (place := self._selected()) is not None:
            self.post_message(self.EditorWanted(*place))

    def action_query(self) -> None:
        """Go to the query field."""
        self.field.focus()

    def action_back(self) -> None:
        """Leave the file for the results, or clear the query."""
        if self._preview is not None:
            self._preview = None
            self._lay_out(cursor=self._hit_cursor)
            self.places.move_to(self._hit_cursor)
            self.places.focus()
        else:
            self.field.value = ""
