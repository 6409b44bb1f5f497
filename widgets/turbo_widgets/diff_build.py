"""A change set laid out from top to bottom: list of files, then each with its hunks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from turbo_widgets.diff_layout import Code, Layout, Notices, Place, SameLines
from turbo_widgets.diff_pairs import Pair
from turbo_widgets.diff_rows import Columns
from turbo_widgets.diff_values import DiffClash, DiffFile, DiffHunk, DiffIgnored, Mark
from turbo_widgets.row_items import Span, Tone
from turbo_widgets.text import clean_line, fit_path, plural, wrap

BOXES: dict[Mark, Span] = {"all": ("[x]", "good"), "some": ("[~]", "warn"), "none": ("[ ]", "warn")}
_CLASHING: Span = ("[!]", "bad")
MARK_CELLS = 3
_SHORT_PATH = 12  # cells that a path is not cut below
_OUT: dict[Mark, str] = {"all": "", "some": "partly", "none": "left out"}


def lay_out(columns: Columns) -> Layout:
    """Lay a change set out; costs by hunks, and by lines only where lines are wrapped."""
    return _Builder(columns).build()


def file_tail(file: DiffFile, room: int) -> str:
    """Return what is said about a file after its path; counts, then the action, make room."""
    counts = f"+{file.added} -{file.removed}" if file.hunks else ""
    edited = "edited" if file.edited or any(hunk.edited for hunk in file.hunks) else ""
    comments = plural(file.comments, "comment") if file.comments else ""
    decided = [part for part in (_OUT[file.mark], clash_words(file), edited, comments) if part]
    counted = [counts] if counts else []
    tails = ([file.action, *counted, *decided], [file.action, *decided], decided or [file.action])
    return _first_fitting(["  ".join(parts) for parts in tails], room)


def _first_fitting(texts: Sequence[str], room: int) -> str:
    return next((text for text in texts if cell_len(text) <= room), texts[-1])


def clash_words(file: DiffFile) -> str:
    """Say how much of a file is still to be settled; empty where nothing clashes."""
    if file.clash is not None and file.clash.settled:
        return file.clash.settled
    if not file.clashes or file.mark == "none":
        return ""
    left = file.open_clashes
    return plural(left, "conflict") if left else "settled"


def is_mark(span: Span) -> bool:
    """Tell if something of a change set begins with this because it can be left out."""
    return span in BOXES.values() or span == _CLASHING


def box_of(file: DiffFile) -> Span:
    """Return the mark of a file."""
    return _CLASHING if file.open_clashes else BOXES[file.mark]


def folder_spans(folder: DiffIgnored) -> tuple[Span, ...]:
    """Return the line of an ignored folder."""
    word = "lands too" if folder.accepted else "ignored by git, stays out"
    name = clean_line(folder.folder).rstrip("/")
    text = f" {name}/  {plural(folder.count, 'file')} · {word}"
    return BOXES["all" if folder.accepted else "none"], (text, "dim")


class _Builder:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._value = columns.value
        self._view = columns.view
        self._layout = Layout()

    def build(self) -> Layout:
        self._top()
        for number, file in enumerate(self._value.files):
            self._file(number, file)
        if self._value.notes:
            last = Notices()
            last.add(None, ((), "plain"))
            for note in self._value.notes:
                self._text(last, note, "dim")
            self._layout.add(last)
        return self._layout

    def _text(self, block: Notices, text: str, tone: Tone) -> None:
        for line in text.split("\n"):
            for part in wrap(clean_line(line), self._view.room):
                block.add(None, (((part, tone),), "plain"))

    def _top(self) -> None:
        value, block = self._value, Notices()
        if value.message:
            self._text(block, value.message, "dim")
        if value.body:
            block.add(None, ((), "plain"))
            self._text(block, value.body, "plain")
        for warning in value.warnings:
            self._text(block, f"⚠ {warning}", "warn")
        if len(value.files) > 1 and self._view.listed:
            for number, file in enumerate(value.files):
                block.add(Place(number, summary=True), (self._file_spans(file, "plain"), "plain"))
        for number, folder in enumerate(value.ignored):
            block.add(Place(ignored=number), (folder_spans(folder), "plain"))
        if block.rows and value.files:
            block.add(None, ((), "plain"))
        self._layout.add(block)

    def _file_spans(self, file: DiffFile, tone: Tone) -> tuple[Span, ...]:
        room, path = self._view.room - 7, clean_line(file.path)
        tail = file_tail(file, room - min(_SHORT_PATH, cell_len(path)))
        path = fit_path(path, max(_SHORT_PATH, room - cell_len(tail)))
        box: Span = box_of(file) if self._value.decidable else ("   ", "plain")
        return box, (f" {path}  ", tone), (tail, "dim")

    def _file(self, number: int, file: DiffFile) -> None:
        head = Notices()
        head.add(Place(number), (self._file_spans(file, "strong"), "band"))
        for note in file.notes:
            tone: Tone = "bad" if note.startswith("conflict") else "dim"
            for line in wrap(clean_line(note), self._view.room - 4):
                head.add(Place(number), ((("    ", "plain"), (line, tone)), "plain"))
        if file.clash is not None and not file.clash.settled and self._value.decidable:
            other = "has it as before the step" if self._value.goes_back else "takes the step's"
            keys = f"    < keeps yours · > {other}"
            head.add(Place(number), (((keys, "dim"),), "plain"))
        self._layout.add(head)
        for index, hunk in enumerate(file.hunks):
            self._hunk(Place(number, index), hunk)
        foot = Notices()
        foot.add(None, ((), "plain"))
        self._layout.add(foot)

    def _hunk(self, place: Place, hunk: DiffHunk) -> None:
        head = Notices()
        head.add(place, (self._hunk_spans(place, hunk), "plain"))
        self._layout.add(head)
        commented = sorted({comment.line for comment in hunk.comments})
        if not self._view.side:
            cuts = [line for line in commented if 0 <= line < len(hunk.lines)]
            start = 0
            for line in cuts:
                lines = SameLines(start, line + 1)
                self._code(place, lines)
                self._comments(place, hunk, {line})
                start = line + 1
            lines = SameLines(start, len(hunk.lines))
            self._code(place, lines)
            return
        run: list[Pair] = []
        waiting = set(commented)
        for pair in self._columns.pairs(place.file, place.hunk)[1]:
            run.append(pair)
            here = waiting.intersection(pair)
            if here:
                waiting -= here
                self._code(place, run)
                self._comments(place, hunk, here)
                run = []
        self._code(place, run)

    def _code(self, place: Place, pairs: Sequence[Pair]) -> None:
        heights = self._columns.heights(place.file, place.hunk, pairs)
        self._layout.add(Code.fitted(place.file, place.hunk, pairs, heights))

    def _hunk_spans(self, place: Place, hunk: DiffHunk) -> tuple[Span, ...]:
        file = self._value.files[place.file]
        mark = hunk.mark
        spans: list[Span] = []
        chosen = hunk.clash is None and (file.by_hunk or file.by_line)
        if self._value.decidable and chosen:
            spans.extend((BOXES[mark], (" ", "plain")))
            if mark != "all":
                spans.append((f"{_OUT[mark]}  ", "warn"))
        if hunk.clash is not None:
            spans += self._clash_spans(hunk, hunk.clash, len(file.clashes))
        else:
            head = f"hunk {place.hunk + 1}/{len(file.hunks)}  {clean_line(hunk.header)}"
            spans.append((head, "accent"))
        if hunk.edited:
            spans.append(("  edited", "warn"))
        return tuple(spans)

    def _clash_spans(self, hunk: DiffHunk, clash: DiffClash, count: int) -> tuple[Span, ...]:
        head = f"conflict {clash.place + 1}/{count}  {clean_line(hunk.header)}"
        if clash.settled:
            return ("[x] ", "good"), (head, "accent"), (f"  {clash.settled}", "good")
        other = "before it" if self._value.goes_back else "the step's"
        ways = (f"  < yours · > {other} · + both · e edit", f"  < yours · > {other}", "  < > + e")
        keys = _first_fitting(ways, self._view.room - cell_len(head) - 5)
        return ("[!] ", "bad"), (head, "bad"), (keys if self._value.decidable else "", "dim")

    def _comments(self, place: Place, hunk: DiffHunk, lines: set[int]) -> None:
        block = Notices()
        for number, comment in enumerate(hunk.comments):
            if comment.line not in lines:
                continue
            lead = f"  » {clean_line(comment.author)}: "
            room = max(10, self._view.room - cell_len(lead))
            said = [
                part for line in comment.text.split("\n") for part in wrap(clean_line(line), room)
            ]
            blank = " " * cell_len(lead)
            rows: list[tuple[tuple[Span, ...], Tone]] = []
            for at, part in enumerate(said):
                spans: tuple[Span, ...] = ((blank if at else lead, "accent"), (part, "plain"))
                rows.append((spans, "band"))
            about = place._replace(line=comment.line, right=comment.line, comment=number)
            block.add(about, *rows)
        self._layout.add(block)
