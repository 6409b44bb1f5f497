"""What was done, in order: one line an entry, its output folded under it, filtered as you type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from turbo_widgets.rows import Row, RowsView, Span, Tone
from turbo_widgets.text import clean, clean_line, fit, plural, wrap

EntryState = Literal["running", "ok", "failed", "info"]

_MARKS: dict[EntryState, Span] = {
    "running": ("●", "accent"),
    "ok": ("✔", "good"),
    "failed": ("✖", "bad"),
    "info": ("·", "dim"),
}
_KIND_TONES: dict[str, Tone] = {"task": "heading", "step": "strong", "plan": "strong"}
_BODY_LIMIT = 2_000  # lines drawn under one entry; the log itself keeps all
_LIVE_LINES = 200
_GLANCE_LINES = 12  # of what opens by itself; enter shows the rest


@dataclass(frozen=True, slots=True)
class LogItem:
    """One entry of the log.

    Attributes:
        key: Stable for its life; the outcome of an effect replaces its request.
        clock: Time of day, already written out.
        detail: Short facts at the line's end: `exit 0 · 0.3 s · network: off`.
        body: Output or text that unfolds under the line.
        note: One more short fact, on a dim line of its own.
    """

    key: str
    clock: str
    kind: str
    state: EntryState
    title: str
    detail: str = ""
    body: str = ""
    step_id: str = ""
    note: str = ""


class LogLines(RowsView):
    """The entries themselves: follows the end until the user looks back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Open/close", key_display="enter"),
        Binding("f", "filter", "Filter"),
        Binding("o", "fold_all", "Open all", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._shown: list[LogItem] = []
        self._unfolded: set[str] = set()
        self._folded: set[str] = set()
        self._all_open = False
        self._live: dict[str, str] = {}
        self._starts: list[int] = []
        self._built: list[Row] = []
        self._words: tuple[str, ...] = ()
        self._source: Sequence[LogItem] = ()
        self._laid_out_for = 0

    def on_mount(self) -> None:
        """Show the empty state."""
        self.border_title = "Log"
        self._rebuild()

    def on_resize(self, _: events.Resize) -> None:
        """Wrap to the new width; the end stays in sight where less is seen, a card grew say."""
        if self.room != self._laid_out_for:
            self._rebuild()
        elif self._at_end():
            self.scroll_end(animate=False, force=True, immediate=True)

    def show(self, entries: Sequence[LogItem]) -> None:
        """Show entries; only what differs from the last time is laid out again."""
        self._source = entries
        chosen = self._chosen(entries)
        same = 0
        for old, new in zip(self._shown, chosen, strict=False):
            if old is not new and old != new:
                break
            same += 1
        for entry in chosen[same:]:
            if entry.state != "running":
                self._live.pop(entry.key, None)
        if same == len(chosen) == len(self._shown):
            return
        self._rebuild(chosen, same)

    def stream(self, key: str, text: str) -> None:
        """Show output of a running entry as it comes, before the log has it."""
        kept = (self._live.get(key, "") + text).split("\n")[-_LIVE_LINES:]
        self._live[key] = "\n".join(kept)
        places = [place for place, entry in enumerate(self._shown) if entry.key == key]
        if places:
            self._rebuild(self._shown, places[-1])

    def narrow(self, words: str) -> None:
        """Show only entries that contain all the words."""
        self._words = tuple(words.casefold().split())
        self._rebuild(self._chosen(self._source))

    # --- rows ------------------------------------------------------------------

    def _chosen(self, entries: Sequence[LogItem]) -> list[LogItem]:
        if not self._words:
            return list(entries)
        return [entry for entry in entries if self._matches(entry)]

    def _matches(self, entry: LogItem) -> bool:
        parts = (entry.kind, entry.title, entry.detail, entry.state, entry.note, entry.body)
        text = " ".join(parts).casefold()
        return all(word in text for word in self._words)

    def _rebuild(self, chosen: list[LogItem] | None = None, same: int = 0) -> None:
        shown = self._chosen(self._source) if chosen is None else chosen
        following = self._at_end()
        if self.room != self._laid_out_for:
            same = 0
        self._laid_out_for = self.room
        same = min(same, len(self._starts))
        keep = self._starts[same] if same < len(self._starts) else len(self._built)
        del self._built[keep:]
        del self._starts[same:]
        for place in range(same, len(shown)):
            self._starts.append(len(self._built))
            self._built.extend(self._entry_rows(place, shown[place]))
        self._shown = shown
        self._say_count()
        if not shown:
            empty = (
                "Nothing in the log matches the filter; escape clears it."
                if self._words
                else "Every model call, tool, command and check of a step is listed here."
            )
            self.set_rows([Row(((line, "dim"),)) for line in wrap(empty, self.room)])
            return
        self.set_rows(self._built, cursor=len(shown) - 1 if following else None)
        if following:
            self.scroll_end(animate=False, force=True, immediate=True)

    def _say_count(self) -> None:
        total = len(self._source)
        count = f"{len(self._shown):,} of {total:,}" if self._words else f"{total:,}"
        self.border_title = f"Log · {count}" if total else "Log"

    def _at_end(self) -> bool:
        return not self._shown or self.cursor >= len(self._shown) - 1

    def is_open(self, entry: LogItem) -> bool:
        """Tell if an entry's body is unfolded: failures and live output are, unless closed."""
        if entry.key in self._folded:
            return False
        if entry.key in self._unfolded or self._all_open:
            return True
        return (entry.state == "failed" and entry.kind != "ask") or entry.key in self._live

    def _entry_rows(self, place: int, entry: LogItem) -> list[Row]:
        body = self._live.get(entry.key, "") or entry.body
        opened = bool(body) and self.is_open(entry)
        fold = "▾" if opened else "▸" if body else " "
        mark, tone = _MARKS[entry.state]
        head = f"{entry.clock} "
        detail = clean_line(entry.detail)
        room = self.room - cell_len(head) - 4
        title = clean_line(entry.title)
        spans: list[Span] = [(head, "dim"), (f"{fold} ", "dim"), (f"{mark} ", tone)]
        title_tone = _KIND_TONES.get(entry.kind, "plain")
        if cell_len(title) + cell_len(detail) + 2 <= room or not detail:
            spans.append((fit(title, room), title_tone))
            end: tuple[Span, ...] = ((detail, self._detail_tone(entry)),) if detail else ()
            rows = [Row(tuple(spans), item=place, end=end)]
        else:
            spans.append((fit(title, room), title_tone))
            indent = " " * (cell_len(head) + 4)
            rows = [Row(tuple(spans), item=place)]
            rows.extend(
                Row(((indent, "plain"), (line, self._detail_tone(entry))), item=place)
                for line in wrap(detail, room)
            )
        if entry.note:
            indent = " " * (cell_len(head) + 4)
            note = fit(clean_line(entry.note), room)
            rows.append(Row(((indent, "plain"), (note, "dim")), item=place))
        if opened:
            whole = entry.key in self._unfolded or self._all_open
            rows.extend(self._body_rows(place, body, whole=whole))
        return rows

    @staticmethod
    def _detail_tone(entry: LogItem) -> Tone:
        return "bad" if entry.state == "failed" else "dim"

    def _body_rows(self, place: int, body: str, *, whole: bool) -> list[Row]:
        lines = clean(body).rstrip("\n").split("\n")
        rows: list[Row] = []
        if not whole and len(lines) > _GLANCE_LINES:
            left = plural(len(lines) - _GLANCE_LINES, "line")
            rows.append(
                Row((("  │ ", "dim"), (f"… {left} above; enter opens all", "dim")), item=place)
            )
            lines = lines[-_GLANCE_LINES:]
        rows += [
            Row((("  │ ", "dim"), (part, "plain")), item=place)
            for line in lines[:_BODY_LIMIT]
            for part in wrap(line, self.room - 4)
        ]
        if len(lines) > _BODY_LIMIT:
            left = plural(len(lines) - _BODY_LIMIT, "more line")
            rows.append(Row((("  │ ", "dim"), (f"… {left}", "dim")), item=place))
        return rows

    # --- commands --------------------------------------------------------------

    @property
    def selected(self) -> LogItem | None:
        """The entry under the cursor."""
        return self._shown[self.cursor] if 0 <= self.cursor < len(self._shown) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the entry under the cursor can do."""
        if action == "fold":
            entry = self.selected
            return entry is not None and bool(entry.body or entry.key in self._live)
        if action in {"filter", "fold_all"}:
            return bool(self._source)
        return super().check_action(action, parameters)

    def on_rows_view_cursor_moved(self) -> None:
        """What can be folded may differ on another entry."""
        self.refresh_bindings()

    def action_fold(self) -> None:
        """Unfold or fold the entry under the cursor."""
        entry = self.selected
        if entry is None:
            return
        cut = (self._live.get(entry.key) or entry.body).count("\n") >= _GLANCE_LINES
        glanced = cut and entry.key not in self._unfolded and not self._all_open
        if self.is_open(entry) and not glanced:
            self._unfolded.discard(entry.key)
            self._folded.add(entry.key)
        else:
            self._folded.discard(entry.key)
            self._unfolded.add(entry.key)
        self._refold(self.cursor)

    def action_fold_all(self) -> None:
        """Unfold or fold all entries."""
        self._all_open = not self._all_open
        self._folded.clear()
        self._unfolded.clear()
        self._refold(0)

    def _refold(self, first: int) -> None:
        cursor = self.cursor
        self._starts, starts = self._starts[:first], self._starts
        del self._built[starts[first] if first < len(starts) else len(self._built) :]
        for place in range(first, len(self._shown)):
            self._starts.append(len(self._built))
            self._built.extend(self._entry_rows(place, self._shown[place]))
        self.set_rows(self._built, cursor=cursor)
        self.move_to(cursor)

    def action_filter(self) -> None:
        """Go to the filter field of the pane around."""
        pane = self.parent
        if isinstance(pane, LogPane):
            pane.open_filter()


class _Filter(Input):
    """Where the filter is typed; enter and down go on with the lines that are left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,down", "submit", "To the lines")]


class LogPane(Vertical):
    """The log with its filter field, which shows only while it is used."""

    DEFAULT_CSS = """
    LogPane {
        & > Input.-textual-compact { display: none; padding: 0 1; background: $surface; }
        & > Input.-used { display: block; }
        & > LogLines { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_filter", "Clear filter"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out lines and filter."""
        yield LogLines()
        yield _Filter(
            placeholder="show only lines with these words",
            compact=True,
        )

    @property
    def lines(self) -> LogLines:
        """The entries."""
        return self.query_one(LogLines)

    @property
    def _field(self) -> Input:
        return self.query_one(Input)

    def show(self, entries: Sequence[LogItem]) -> None:
        """Show entries."""
        self.lines.show(entries)

    def stream(self, key: str, text: str) -> None:
        """Show output of a running entry as it comes."""
        self.lines.stream(key, text)

    def open_filter(self) -> None:
        """Show the filter field and go to it."""
        self._field.add_class("-used")
        self._field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow as the user types."""
        event.stop()
        self.lines.narrow(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on with the lines that are left."""
        event.stop()
        self.lines.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a filter to clear only while one is used."""
        if action == "clear_filter":
            return self._field.has_class("-used")
        return super().check_action(action, parameters)

    def action_clear_filter(self) -> None:
        """Show everything again."""
        self._field.value = ""
        self._field.remove_class("-used")
        self.lines.narrow("")
        self.lines.focus()
