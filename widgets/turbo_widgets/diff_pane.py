"""What a step did, file by file and hunk by hunk, with a mark on each: lands, or left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from turbo_widgets.rows import Row, RowsView, Span, Tone
from turbo_widgets.text import chop, clean_line, fit_path, plural, wrap

LineKind = Literal["same", "added", "removed", "note"]

WHOLE_FILE = -1

_SIGNS: dict[LineKind, tuple[str, Tone, Tone]] = {
    "same": (" ", "plain", "plain"),
    "added": ("+", "added", "added"),
    "removed": ("-", "removed", "removed"),
    "note": ("\\", "dim", "plain"),
}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a hunk; numbers are 1-based, 0 where a side has none."""

    kind: LineKind
    text: str
    old: int = 0
    new: int = 0


@dataclass(frozen=True, slots=True)
class DiffHunk:
    """A run of changed lines that lands or is left out as one."""

    header: str
    lines: tuple[DiffLine, ...]
    accepted: bool = True


@dataclass(frozen=True, slots=True)
class DiffFile:
    """One changed path.

    Attributes:
        action: One word for the change: add, update, delete, move, mode, retype.
        hunks: Empty for what has no text diff; `notes` then says what changed.
        notes: `binary, 3 kB -> 4 kB`, `mode 644 -> 755`, `moved from a.py`, `conflict: …`
        accepted: For a file that is decided as a whole: it lands.
        by_hunk: Each hunk has a mark of its own; else the file has one for all of them.
    """

    path: str
    action: str
    hunks: tuple[DiffHunk, ...] = ()
    notes: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    accepted: bool = True
    by_hunk: bool = True

    @property
    def mark(self) -> Literal["all", "some", "none"]:
        """How much of it lands."""
        if not self.hunks or not self.by_hunk:
            return "all" if self.accepted else "none"
        chosen = sum(hunk.accepted for hunk in self.hunks)
        if chosen == len(self.hunks):
            return "all"
        return "some" if chosen else "none"


@dataclass(frozen=True, slots=True)
class DiffIgnored:
    """Files that git ignores, folded into one line."""

    folder: str
    count: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class DiffValue:
    """All that the pane shows; `decidable` is False where nothing can be chosen any more."""

    title: str = ""
    files: tuple[DiffFile, ...] = ()
    ignored: tuple[DiffIgnored, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""
    body: str = ""
    decidable: bool = True


@dataclass(frozen=True, slots=True)
class _Place:
    """What a row belongs to: a file's line in the summary, a file, a hunk, an ignored folder."""

    file: int = -1
    hunk: int = WHOLE_FILE
    ignored: int = -1
    summary: bool = False


class DiffPane(RowsView):
    """Show a change set; ask for hunks and files to be taken in or left out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_hunk", "In/out"),
        Binding("n", "hunk(1)", "Hunk"),
        Binding("p", "hunk(-1)", "Previous hunk", show=False),
        Binding("f", "file(1)", "File"),
        Binding("b", "file(-1)", "Previous file", show=False),
        Binding("x", "toggle_file", "Whole file"),
        Binding("enter", "go", "Go to file", show=False),
    ]

    class HunkWanted(Message):
        """Take a hunk (`WHOLE_FILE`: the whole file) in, or leave it out."""

        def __init__(self, path: str, hunk: int, *, accepted: bool) -> None:
            super().__init__()
            self.path = path
            self.hunk = hunk
            self.accepted = accepted

    class IgnoredWanted(Message):
        """Let an ignored folder's files land, or not."""

        def __init__(self, folder: str, *, accepted: bool) -> None:
            super().__init__()
            self.folder = folder
            self.accepted = accepted

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._value = DiffValue()
        self._places: list[_Place] = []
        self._heads: dict[tuple[int, int], int] = {}
        self._laid_out_for = 0

    def on_mount(self) -> None:
        """Show the empty state."""
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        """Fit headers and notes to the new width."""
        if self.room != self._laid_out_for:
            self._lay_out()

    @property
    def value(self) -> DiffValue:
        """What is shown."""
        return self._value

    def show(self, value: DiffValue) -> None:
        """Show a change set; the cursor stays where it is while only marks change."""
        if value == self._value:
            return
        same = [file.path for file in value.files] == [file.path for file in self._value.files]
        same = same and value.title == self._value.title
        self._value = value
        self._lay_out()
        if not same:
            self.scroll_home(animate=False, force=True)
            first = self._heads.get((0, 0), self._heads.get((0, WHOLE_FILE), 0))
            self.set_rows(self.rows, cursor=first)
            self.scroll_home(animate=False, force=True)
        self.refresh_bindings()

    # --- rows ------------------------------------------------------------------

    def _lay_out(self) -> None:
        value = self._value
        self._laid_out_for = self.room
        self._places = []
        self._heads = {}
        rows: list[Row] = []
        if value.message:
            rows.extend(self._note_rows(value.message, "dim"))
        if value.body:
            rows.append(Row(()))
            rows.extend(self._note_rows(value.body, "plain"))
        for warning in value.warnings:
            rows.extend(self._note_rows(f"⚠ {warning}", "warn"))
        self._summary(rows)
        for number, file in enumerate(value.files):
            self._file(rows, number, file)
        if value.notes:
            rows.append(Row(()))
            for note in value.notes:
                rows.extend(self._note_rows(note, "dim"))
        self.set_rows(rows)
        self._say_where()

    def _note_rows(self, text: str, tone: Tone) -> list[Row]:
        lines = [part for line in text.split("\n") for part in wrap(clean_line(line), self.room)]
        return [Row(((line, tone),)) for line in lines]

    def _add(self, rows: list[Row], place: _Place, spans: tuple[Span, ...], band: Tone) -> None:
        rows.append(Row(spans, item=len(self._places), band=band))
        self._places.append(place)

    def _summary(self, rows: list[Row]) -> None:
        value = self._value
        if len(value.files) > 1:
            for number, file in enumerate(value.files):
                self._add(
                    rows, _Place(number, summary=True), self._file_spans(file, "plain"), "plain"
                )
        for number, folder in enumerate(value.ignored):
            box = "[x]" if folder.accepted else "[ ]"
            word = "lands too" if folder.accepted else "ignored by git, stays out"
            name = clean_line(folder.folder).rstrip("/")
            text = f" {name}/  {plural(folder.count, 'file')} · {word}"
            spans: tuple[Span, ...] = (
                (box, self._box_tone(accepted=folder.accepted)),
                (text, "dim"),
            )
            self._add(rows, _Place(ignored=number), spans, "plain")
        if rows and value.files:
            rows.append(Row(()))

    @staticmethod
    def _box_tone(*, accepted: bool) -> Tone:
        return "good" if accepted else "warn"

    def _file_spans(self, file: DiffFile, tone: Tone) -> tuple[Span, ...]:
        boxes: dict[str, Span] = {
            "all": ("[x]", "good"),
            "some": ("[~]", "warn"),
            "none": ("[ ]", "warn"),
        }
        counts = f"+{file.added} -{file.removed}" if file.hunks else ""
        left_out = {"some": "partly", "none": "left out"}.get(file.mark, "")
        tail = "  ".join(part for part in (file.action, counts, left_out) if part)
        width = self.room - cell_len(tail) - 7
        path = fit_path(clean_line(file.path), max(12, width))
        box: Span = boxes[file.mark] if self._value.decidable else ("   ", "plain")
        return box, (f" {path}  ", tone), (tail, "dim")

    def _file(self, rows: list[Row], number: int, file: DiffFile) -> None:
        self._heads[number, WHOLE_FILE] = len(self._places)
        self._add(rows, _Place(number), self._file_spans(file, "strong"), "band")
        for note in file.notes:
            tone: Tone = "bad" if note.startswith("conflict") else "dim"
            for line in wrap(clean_line(note), self.room - 4):
                self._add(rows, _Place(number), (("    ", "plain"), (line, tone)), "plain")
        digits = max(
            (len(str(max(line.old, line.new))) for hunk in file.hunks for line in hunk.lines[-1:]),
            default=1,
        )
        for index, hunk in enumerate(file.hunks):
            self._hunk(rows, _Place(number, index), hunk, digits)
        rows.append(Row(()))

    def _hunk(self, rows: list[Row], place: _Place, hunk: DiffHunk, digits: int) -> None:
        self._heads[place.file, place.hunk] = len(self._places)
        count = len(self._value.files[place.file].hunks)
        box = "[x]" if hunk.accepted else "[ ]"
        word = "" if hunk.accepted else "left out  "
        spans: list[Span] = []
        if self._value.decidable and self._value.files[place.file].by_hunk:
            tone = self._box_tone(accepted=hunk.accepted)
            spans = [(box, tone), (" ", "plain"), (word, "warn")]
        spans.append((f"hunk {place.hunk + 1}/{count}  {clean_line(hunk.header)}", "accent"))
        self._add(rows, place, tuple(spans), "plain")
        for line in hunk.lines:
            sign, tone, band = _SIGNS[line.kind]
            if not hunk.accepted and line.kind in {"added", "removed"}:
                tone, band = "dim", "plain"
            numbers = f"{line.old or '':>{digits}} {line.new or '':>{digits}} "
            parts = chop(clean_line(line.text), self.room - len(numbers) - 2)
            self._add(rows, place, ((numbers, "dim"), (f"{sign} {parts[0]}", tone)), band)
            blank = " " * (len(numbers) + 2)
            item = rows[-1].item
            rows.extend(Row(((blank, "dim"), (part, tone)), item, band) for part in parts[1:])

    # --- where the cursor is ---------------------------------------------------

    @property
    def _here(self) -> _Place | None:
        return self._places[self.cursor] if 0 <= self.cursor < len(self._places) else None

    @property
    def current(self) -> tuple[str, int] | None:
        """Path and hunk under the cursor (`WHOLE_FILE` on a file's own lines)."""
        place = self._here
        if place is None or place.file < 0:
            return None
        return self._value.files[place.file].path, place.hunk

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
                parts.append(f"hunk {place.hunk + 1}/{len(file.hunks)}")
        self.border_title = " · ".join(part for part in parts if part)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the rows under the cursor can do."""
        value = self._value
        if action in {"toggle_hunk", "toggle_file"}:
            place = self._here
            if place is None or not value.decidable:
                return False
            return action == "toggle_hunk" or place.file >= 0
        if action == "hunk":
            return any(file.hunks for file in value.files)
        if action == "file":
            return len(value.files) > 1
        return super().check_action(action, parameters)

    # --- commands --------------------------------------------------------------

    def action_toggle_hunk(self) -> None:
        """Ask for the hunk, file or folder under the cursor to be taken in or left out."""
        place = self._here
        if place is None:
            return
        if place.ignored >= 0:
            folder = self._value.ignored[place.ignored]
            self.post_message(self.IgnoredWanted(folder.folder, accepted=not folder.accepted))
        elif place.hunk == WHOLE_FILE or not self._value.files[place.file].by_hunk:
            self.action_toggle_file()
        else:
            file = self._value.files[place.file]
            accepted = not file.hunks[place.hunk].accepted
            self.post_message(self.HunkWanted(file.path, place.hunk, accepted=accepted))

    def action_toggle_file(self) -> None:
        """Ask for the whole file under the cursor to be taken in or left out."""
        place = self._here
        if place is not None and place.file >= 0:
            file = self._value.files[place.file]
            self.post_message(self.HunkWanted(file.path, WHOLE_FILE, accepted=file.mark == "none"))

    def action_hunk(self, count: int) -> None:
        """Go to the next or previous hunk, over file borders."""
        hunks = [item for (_, hunk), item in self._heads.items() if hunk != WHOLE_FILE]
        self._jump(hunks, count)

    def action_file(self, count: int) -> None:
        """Go to the next or previous file."""
        self._jump([item for (_, hunk), item in self._heads.items() if hunk == WHOLE_FILE], count)

    def _jump(self, heads: list[int], count: int) -> None:
        if count > 0:
            target = next((item for item in heads if item > self.cursor), None)
        else:
            target = next((item for item in reversed(heads) if item < self.cursor), None)
        if target is None:
            return
        self.move_to(target)
        row = next(place for place, shown in enumerate(self.rows) if shown.item == target)
        self.show_line(row)

    def action_go(self) -> None:
        """Go from a line of the summary to its file."""
        place = self._here
        if place is not None and place.summary:
            self._jump([self._heads[place.file, WHOLE_FILE]], 1)
