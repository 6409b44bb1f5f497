"""Search the code: results as you type, and a look at the place itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from turbo_widgets.diff_text import Layer, coloured
from turbo_widgets.knowledge_values import IndexProgress, Preview, SearchHit
from turbo_widgets.rows import NO_ITEM, Row, RowsView, Span
from turbo_widgets.text import clean_line, fit_path, plural, wrap

_KINDS = ("code", "tests", "docs", "config")  # the key goes from one to the next, then to all
_KIND = re.compile(r"(?<!\S)kind:\S*\s?")
_LANGUAGE = re.compile(r"(?<!\S)lang:\S*\s?")
_FILTER = re.compile(r"(?<!\S)-?(?:kind|lang|path|like):\S*")
_WORD = re.compile(r"\w{2,}")
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
        line = f" {LINE_END} ".join(line for line in lines if line)
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
        """Show what was found, unless the query has changed since it was asked."""
        if query != self.field.value.strip():
            return
        self._query, self._hits, self._note, self._preview = query, hits, note, None
        self._lay_out(cursor=0)
        self.places.scroll_to(y=0, animate=False)

    def show_pins(self, paths: Collection[str]) -> None:
        """Mark the files that go with the next task."""
        self._pinned = frozenset(paths)
        self._lay_out()

    def show_progress(self, progress: IndexProgress) -> None:
        """Say how far the index is."""
        if progress != self._progress:
            self._progress = progress
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
            said.extend(part for part in (self._progress.words, self._progress.note) if part)
        self.border_title = clean_line(" · ".join(("Knowledge", *said)))

    def _lay_out_file(self, preview: Preview, cursor: int | None) -> None:
        self._entitle()
        lines = preview.text.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        digits = len(str(len(lines)))
        wanted = _asked(self._query)
        first, last = preview.span if preview.span[0] else (preview.line, preview.line)
        rows: list[Row] = []
        for number, line in enumerate(lines, 1):
            inside = first <= number <= last
            text = clean_line(line.rstrip("\r"))
            layers: list[Layer] = [*preview.marks.get(number, ())]
            if inside and wanted is not None:
                layers.extend((*found.span(), "match") for found in wanted.finditer(text))
            spans = coloured(text, (0, len(text)), ("plain",), layers)
            rows.append(
                Row(
                    ((f"{number:>{digits}}  ", "accent" if inside else "dim"), *spans),
                    item=number - 1,
                    band="band" if inside else "plain",
                )
            )
        self.places.set_rows(rows or [Row((("The file is empty.", "dim"),))], cursor=cursor)

    def _lay_out_hits(self, cursor: int | None) -> None:
        room = self.places.room
        self._entitle()
        if not self._hits:
            text = self._note or (
                f"Nothing found for “{clean_line(self._query)}”."
                if self._query
                else "Type a name, a phrase or a question. lang:py, path:src/ and kind:tests "
                "narrow it; with a minus they leave out. Enter on a result shows the file there."
            )
            self.places.set_rows([Row(((line, "dim"),)) for line in wrap(text, room)])
            return
        rows: list[Row] = []
        wanted = _asked(self._query)
        for place, hit in enumerate(self._hits):
            where = fit_path(clean_line(f"{hit.path}:{hit.line}"), room)
            end: list[Span] = [("pinned  ", "good")] if hit.path in self._pinned else []
            why = _fitting(hit.why, room - len(where) - sum(len(text) for text, _ in end) - 2)
            end.extend([(why, "dim")] if why else [])
            rows.append(Row(((where, "accent"),), item=place, end=tuple(end)))
            text = f"  {clean_line(hit.text.strip())}"
            found: list[Layer] = (
                [(*match.span(), "strong") for match in wanted.finditer(text)] if wanted else []
            )
            rows.append(Row(tuple(coloured(text, (0, len(text)), ("plain",), found)), item=place))
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
        if action in {"editor", "pin", "similar", "language"}:
            return self.places.has_focus and self._selected() is not None
        if action == "query":
            return self.places.has_focus
        if action == "kind":
            return self.places.has_focus and self._preview is None and bool(self._query)
        if action == "back":
            return self._preview is not None or (self.field.has_focus and bool(self.field.value))
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
        """Find places like the one under the cursor."""
        if (place := self._selected()) is not None:
            self._ask(f"like:{place[0]}:{place[1]}")

    def action_kind(self) -> None:
        """Narrow the search to the next kind of file; after the last one, to none."""
        asked = self.field.value
        now = next((kind for kind in _KINDS if f"kind:{kind}" in asked.split()), None)
        following = _KINDS[0] if now is None else (*_KINDS[1:], None)[_KINDS.index(now)]
        words = _KIND.sub("", asked).strip()
        self._ask(words if following is None else f"{words} kind:{following}")

    def action_language(self) -> None:
        """Narrow the search to the language of the file under the cursor, or do so no longer."""
        if (place := self._selected()) is not None:
            ending = place[0].rpartition("/")[2].rpartition(".")[2].lower()
            words = _LANGUAGE.sub("", self.field.value).strip()
            narrowed = f"lang:{ending}" in self.field.value.split()
            self._ask(words if narrowed or not ending else f"{words} lang:{ending}")

    def _ask(self, query: str) -> None:
        """Put a query in the field, which asks for it; the results keep the keys."""
        self._preview = None
        self.field.value = query
        self.places.focus()

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


def _fitting(reasons: Sequence[str], room: int) -> str:
    """Return as many reasons as fit, the first ones: a row's end that does not fit is left out."""
    shown = ""
    for reason in map(clean_line, reasons):
        longer = f"{shown} · {reason}" if shown else reason
        if len(longer) > room:
            break
        shown = longer
    return shown


def _asked(query: str) -> re.Pattern[str] | None:
    """Return what finds the words of a query; None where it has none."""
    words = sorted(set(_WORD.findall(_FILTER.sub(" ", query))), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None
