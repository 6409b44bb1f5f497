"""What kind of project this is: languages, parts, and the commands that build and test it."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events

from turbo_widgets.rows import Row, RowsView, Span, Tone
from turbo_widgets.text import clean_line, wrap

_BAR = 20


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """One language's part of the project; `percent` is 0 to 100."""

    name: str
    percent: float
    files: int
    lines: int


@dataclass(frozen=True, slots=True)
class ProjectPart:
    """One project in the tree.

    Attributes:
        commands: What it is for (`test`, `build`, …) and the line as a shell would show it.
        evidence: Why we think so: the file that says it.
    """

    path: str
    kind: str
    commands: tuple[tuple[str, str], ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectValue:
    """All that the pane shows."""

    languages: tuple[LanguageShare, ...] = ()
    parts: tuple[ProjectPart, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = "Looking at the project …"


class ProjectPane(RowsView):
    """Show facts about the project, each with where it was read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._value = ProjectValue()

    def on_mount(self) -> None:
        """Show the empty state."""
        self.border_title = "Project"
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        """Fit to the new width."""
        self._lay_out()

    def show(self, value: ProjectValue) -> None:
        """Show facts."""
        if value != self._value:
            self._value = value
            self._lay_out()

    def _lay_out(self) -> None:
        value = self._value
        rows: list[Row] = []
        if not value.languages and not value.parts:
            self._paragraph(rows, value.message, "dim")
        if value.languages:
            rows.append(Row((("Languages", "heading"),)))
            widest = max(len(share.name) for share in value.languages)
            for share in value.languages:
                filled = round(share.percent / 100 * _BAR)
                spans: tuple[Span, ...] = (
                    (f"  {clean_line(share.name):<{widest}}  ", "plain"),
                    ("█" * filled, "accent"),
                    ("░" * (_BAR - filled), "dim"),
                    (f" {share.percent:>5.1f} %", "plain"),
                    (f"  {share.files:,} files, {share.lines:,} lines", "dim"),
                )
                rows.append(Row(spans))
        for part in value.parts:
            rows.append(Row(()))
            where = "" if part.path in {"", "."} else f"  {part.path}"
            rows.append(Row(((clean_line(part.kind), "heading"), (clean_line(where), "dim"))))
            for purpose, line in part.commands:
                lines = wrap(clean_line(line), self.room - 10)
                rows.append(Row(((f"  {purpose:<7} ", "dim"), (lines[0], "plain"))))
                rows.extend(Row(((" " * 10, "plain"), (rest, "plain"))) for rest in lines[1:])
            if not part.commands:
                self._paragraph(rows, "  no commands found", "dim")
            if part.evidence:
                self._paragraph(rows, "  read in " + ", ".join(part.evidence), "dim")
        for note in value.notes:
            rows.append(Row(()))
            self._paragraph(rows, note, "dim")
        self.set_rows(rows)

    def _paragraph(self, rows: list[Row], text: str, tone: Tone) -> None:
        rows.extend(Row(((line, tone),)) for line in wrap(clean_line(text), self.room))
