"""Search the code: results as you type, and a look at the place itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from turbo_widgets.knowledge_query import (
    ending_of,
    has_language,
    of_language,
    of_next_kind,
    similar_to,
)
from turbo_widgets.knowledge_rows import file_rows, hit_rows, said_row
from turbo_widgets.knowledge_values import IndexProgress, Preview, SearchHit
from turbo_widgets.rows import NO_ITEM, RowsView
from turbo_widgets.text import clean_line, plural, wrap

_FRAME = 4  # cells beside a title
MOST_PASTED = 20_000  # characters; of a log the end, where the last trace is
LINE_END = "↵"  # of a line that was pasted; the search reads it as one


class _Places(RowsView):
    """Results, or one file."""

    SIDEWAYS: ClassVar[bool] = True
    DEFAULT_CSS = """
    _Places { overflow-x: auto; }
    """


class _Query(Input):
    """Where the query is typed; enter and down go to the results."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,down", "submit", "Results")]

    def _on_paste(self, event: events.Paste) -> None:
        # Input keeps only the first pasted line; of a stack trace, the places are in the others.
        event.prevent_default()
        event.stop()
        lines = (line.strip() for line in event.text.splitlines())
        line = f" {LINE_END} ".join(line for line in lines if line)[-MOST_PASTED:]
        if self.selection.is_empty:
            self.insert_text_at_cursor(line)
        else:
            self.replace(line, *self.selection)


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
        Binding("p", "pin", "Pin to the next task"),
        Binding("s", "similar", "Similar"),
        Binding("t", "kind", "Kind of file"),
        Binding("l", "language", "This language"),
        Binding("w", "reasons", "Why, in full"),
        Binding("f", "query", "New search"),
        Binding("escape", "back", "Back"),
    ]

    class QueryChanged(Message):
        """The user wants places for another query; empty when the field was cleared."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class PreviewWanted(Message):
        """Show this file at this line (1-based); `span` is the place meant."""

        def __init__(self, path: str, line: int, span: tuple[int, int] = (0, 0)) -> None:
            super().__init__()
            self.path = path
            self.line = line
            self.span = span

    class EditorWanted(PreviewWanted):
        """Open this file at this line in the user's editor."""

    class PinWanted(Message):
        """Give this file to the next task, or do so no longer."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._query = ""
        self._hits: tuple[SearchHit, ...] = ()
        self._note = ""
        self._preview: Preview | None = None
        self._hit_cursor = 0
        self._pinned: frozenset[str] = frozenset()
        self._progress = IndexProgress()
        self._went_ahead = False  # to results that are still to come
        self._whole = False  # reasons in rows of their own
        self._trail: list[str] = []  # queries to come back to

    def compose(self) -> ComposeResult:
        """Lay out query field and results."""
        yield _Query(
            placeholder="a name, a phrase, a question; lang: path: kind: narrow it", compact=True
        )
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
        """Show what was found, unless the query has changed since it was asked.

        Another answer to the same query, as the index has grown, leaves the cursor on its place
        and the file that is shown.
        """
        if query != self.field.value.strip():
            return
        kept = self._stood_on() if query == self._query else None
        self._query, self._hits, self._note = query, hits, note
        if kept is not None:
            self._hit_cursor = _nearest(kept, hits)
        if self._preview is not None and kept is not None:
            self._entitle()
            return
        self._preview = None
        if kept is None:
            self._hit_cursor = 0
        self._lay_out(cursor=self._hit_cursor)
        if kept is None:
            self.places.scroll_to(y=0, animate=False)
        elif hits:
            self.places.move_to(self._hit_cursor)
        if self._went_ahead and not hits and self.places.has_focus:
            self.field.focus()
        self._went_ahead = False

    def _stood_on(self) -> SearchHit | None:
        """Return the result that the user has gone to; who has not moved wants the best one."""
        chosen = self._preview is not None or self._hit_cursor > 0
        return self._hits[self._hit_cursor] if chosen and self._hits else None

    @property
    def _waits(self) -> bool:
        """Whether the query has no answer yet."""
        return self.field.value.strip() not in {"", self._query}

    def show_pins(self, paths: Collection[str]) -> None:
        """Mark the files that go with the next task."""
        self._pinned = frozenset(paths)
        self._lay_out()

    def show_progress(self, progress: IndexProgress) -> None:
        """Say how far the index is."""
        if progress != self._progress:
            self._progress = progress
            if self._preview is None:
                self._lay_out()
            else:
                self._entitle()

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

    def _entitle(self) -> None:
        if self._preview is not None:
            said = [f"{self._preview.path}:{self._preview.line}"]
            if self._preview.path in self._pinned:
                said.append("pinned")
        else:
            said = [plural(len(self._hits), "place")] if self._query else []
            said = ["searching …"] if self._waits else said
            whole = len(_title(*said, self._progress.words)) <= self.size.width - _FRAME
            said.append(self._progress.words if whole else self._progress.brief)
        self.border_title = clean_line(_title(*said))

    def _lay_out_file(self, preview: Preview, cursor: int | None) -> None:
        self._entitle()
        self.places.set_rows(file_rows(preview, self._query), cursor=cursor)

    def _lay_out_hits(self, cursor: int | None) -> None:
        room = self.places.room
        self._entitle()
        notes = [clean_line(note) for note in (self._note, self._progress.note) if note]
        if not self._hits:
            notes = [self._without_hits(), *notes[bool(self._note) :]]
            self.places.set_rows([said_row(line) for note in notes for line in wrap(note, room)])
            return
        rows = hit_rows(self._hits, self._query, self._pinned, room, whole=self._whole)
        rows.extend(said_row(line) for note in notes for line in wrap(note, room))
        self.places.set_rows(rows, cursor=cursor)

    def _without_hits(self) -> str:
        """Say why there is no result."""
        left, asked = self._progress.pending, clean_line(self.field.value.strip())
        if self._waits:
            return f"Searching for “{asked}” …"
        if not self._query:
            return (
                "Type a name, a phrase or a question. lang:py, path:src/ and kind:tests "
                "narrow it; with a minus they leave out. Enter on a result shows the file there."
            )
        if left:
            files = plural(left, "file")
            return f"Nothing found for “{asked}” yet; {files} of the project are still to be read."
        return clean_line(self._note) or f"Nothing found for “{asked}”."

    # --- commands --------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search as the user types."""
        event.stop()
        if self.field.has_focus:
            self._trail.clear()
        if not event.value.strip():
            self._query, self._hits, self._note, self._preview = "", (), "", None
        if not self._hits:
            self._lay_out()
        self._entitle()
        self._went_ahead = False
        self.post_message(self.QueryChanged(event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go from the query to its results, also where they are still to come."""
        event.stop()
        self._went_ahead = self._waits
        if self._hits or self._waits:
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
        here, place = self.places.has_focus, self._selected()
        listed = here and self._preview is None
        match action:
            case "open" | "reasons" | "kind":
                return listed and bool(self._query if action == "kind" else self._hits)
            case "editor" | "pin" | "similar":
                return here and place is not None
            case "language":
                ending = ending_of(place[0]) if place else ""
                return here and bool(ending or has_language(self.field.value))
            case "query":
                return here
            case "back":
                has_former = self.field.value if self.field.has_focus else self._trail
                return self._preview is not None or bool(has_former)
            case _:
                return super().check_action(action, parameters)

    def action_open(self) -> None:
        """Ask for the file of the result under the cursor."""
        if (place := self._selected()) is not None:
            self.post_message(self.PreviewWanted(*place, self._hits[self.places.cursor].span))

    def action_editor(self) -> None:
        """Ask for the file under the cursor in the user's editor."""
        if (place := self._selected()) is not None:
            self.post_message(self.EditorWanted(*place))

    def action_pin(self) -> None:
        """Give the file under the cursor to the next task, or do so no longer."""
        if (place := self._selected()) is not None:
            self.post_message(self.PinWanted(place[0]))

    def action_similar(self) -> None:
        """Find places like the one under the cursor; escape comes back to this query."""
        if (place := self._selected()) is not None:
            self._trail.append(self.field.value)
            self._ask(similar_to(*place))

    def action_kind(self) -> None:
        """Narrow the search to the next kind of file; after the last one, to none."""
        self._ask(of_next_kind(self.field.value))

    def action_language(self) -> None:
        """Narrow the search to the language of the file under the cursor, or do so no longer."""
        place = self._selected()
        self._ask(of_language(self.field.value, place[0] if place else ""))

    def _ask(self, query: str) -> None:
        """Put a query in the field, which asks for it; the results keep the keys."""
        self._preview = None
        self.field.value = query
        self.places.focus()

    def action_reasons(self) -> None:
        """Show all that speaks for each place, or as much as fits beside it."""
        self._whole = not self._whole
        self._lay_out()
        self.places.move_to(self._hit_cursor)

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
        elif self.field.has_focus:
            self.field.value = ""
        elif self._trail:
            self._ask(self._trail.pop())


def _title(*parts: str) -> str:
    return " · ".join(("Knowledge", *filter(None, parts)))


def _nearest(wanted: SearchHit, hits: Sequence[SearchHit]) -> int:
    """Return where a result is among others: the same line, else the first of its file."""
    places = [(hit.path, hit.line) for hit in hits]
    if (wanted.path, wanted.line) in places:
        return places.index((wanted.path, wanted.line))
    return next((at for at, (path, _) in enumerate(places) if path == wanted.path), 0)
