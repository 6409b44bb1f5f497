"""The plan: steps with their status, to be edited, moved, dropped and set to auto or ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from turbo_widgets.rows import NO_ITEM, Row, RowsView, Span, Tone
from turbo_widgets.text import clean_line, fit, plural, wrap

StepWord = Literal[
    "proposed",
    "waiting",
    "running",
    "staged",
    "approved",
    "conflict",
    "landed",
    "done",
    "failed",
    "interrupted",
    "rejected",
    "skipped",
]

# A glyph alone says nothing in monochrome or to a screen reader: the word stands beside it.
STATUS: dict[StepWord, tuple[str, str, Tone]] = {
    "proposed": ("○", "", "plain"),
    "waiting": ("○", "waits", "dim"),
    "running": ("▸", "running", "accent"),
    "staged": ("◆", "to review", "warn"),
    "approved": ("◆", "landing", "accent"),
    "conflict": ("!", "conflict", "bad"),
    "landed": ("✔", "landed", "good"),
    "done": ("✔", "done", "good"),
    "failed": ("✖", "failed", "bad"),
    "interrupted": ("!", "cut off", "warn"),
    "rejected": ("✖", "rejected", "dim"),
    "skipped": ("-", "skipped", "dim"),
}

_ID_ROOM = 8
_MODE_ROOM = 5  # `auto` and a space at the right
_NOTE_LINES = 4
_TASK_LINES = 4  # of the task above the steps; a pasted issue must not push them off the pane
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One step as the pane shows it.

    Attributes:
        note: Follows the status word: why it failed, what it waits for.
        editable: What it says, its place and existence can still be changed.
    """

    step_id: str
    title: str
    status: StepWord = "proposed"
    mode: Literal["auto", "ask"] = "ask"
    note: str = ""
    editable: bool = True


@dataclass(frozen=True, slots=True)
class PlanValue:
    """All that the pane shows.

    Attributes:
        message: Shown instead of steps while there are none: what is going on, what to do.
        busy: The message is about something under way.
        edited: An edit of it can be taken back.
    """

    task: str = ""
    planner: str = ""
    items: tuple[PlanItem, ...] = ()
    message: str = ""
    busy: bool = False
    edited: bool = False


class PlanPane(RowsView):
    """Show steps; ask for edits. It never changes a step itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,e", "edit", "Edit", key_display="enter"),
        Binding("m", "toggle_mode", "Auto/ask"),
        Binding("d,delete", "remove", "Delete", key_display="d"),
        Binding("o", "add", "Add"),
        Binding("K,shift+up", "move(-1)", "Move", key_display="K J"),
        Binding("J,shift+down", "move(1)", "Move down", key_display="J", show=False),
        Binding("z", "take_back", "Undo edit"),
    ]

    class StepCommand(Message):
        """The user wants something done with one step."""

        def __init__(self, step_id: str) -> None:
            super().__init__()
            self.step_id = step_id

    class EditWanted(StepCommand):
        """Change what the step says."""

    class RemoveWanted(StepCommand):
        """Drop the step from the plan."""

    class ModeWanted(StepCommand):
        """Set the step to land by itself, or to ask."""

        def __init__(self, step_id: str, mode: Literal["auto", "ask"]) -> None:
            super().__init__(step_id)
            self.mode: Literal["auto", "ask"] = mode

    class AddWanted(Message):
        """Put a new step at a position (0-based)."""

        def __init__(self, position: int) -> None:
            super().__init__()
            self.position = position

    class TakeBackWanted(Message):
        """Take the last edit of the plan back."""

    class MoveWanted(StepCommand):
        """Put the step at another position (0-based)."""

        def __init__(self, step_id: str, position: int) -> None:
            super().__init__(step_id)
            self.position = position

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._value = PlanValue()
        self._frame = 0

    def on_mount(self) -> None:
        """Start the clock that turns the running step's glyph."""
        self.border_title = "Plan"
        self._lay_out()
        self.set_interval(1 / 8, self._tick)

    def on_resize(self, _: events.Resize) -> None:
        """Wrap titles to the new width."""
        self._lay_out()

    def show(self, value: PlanValue) -> None:
        """Show a plan; the cursor stays on its step while that is in the plan."""
        if value == self._value:
            return
        before = self.selected
        self._value = value
        ids = [item.step_id for item in value.items]
        stays = before is not None and before.step_id in ids
        self._lay_out(ids.index(before.step_id) if before is not None and stays else None)
        if before is not None and ids and not stays:
            self._announce()  # another step has its place
        self.refresh_bindings()

    @property
    def value(self) -> PlanValue:
        """What is shown."""
        return self._value

    @property
    def selected(self) -> PlanItem | None:
        """The step under the cursor."""
        if 0 <= self.cursor < len(self._value.items):
            return self._value.items[self.cursor]
        return None

    def select(self, step_id: str) -> None:
        """Put the cursor on a step."""
        for place, item in enumerate(self._value.items):
            if item.step_id == step_id:
                self.move_to(place)

    # --- drawing ---------------------------------------------------------------

    @property
    def _busy(self) -> bool:
        return self._value.busy or any(item.status == "running" for item in self._value.items)

    def _tick(self) -> None:
        if self._busy and self.is_on_screen:
            self._frame += 1
            self._lay_out()

    def _lay_out(self, cursor: int | None = None) -> None:
        value = self._value
        count = plural(len(value.items), "step") if value.items else ""
        planner = clean_line(value.planner and f"by {value.planner}")
        parts = [part for part in ("Plan", count, planner) if part]
        if sum(len(part) + 3 for part in parts) > self.room:
            parts = parts[:2]
        self.border_title = " · ".join(parts)
        rows: list[Row] = []
        if value.task:
            rows.extend(self._task_rows(value.task))
            rows.append(Row(()))
        if not value.items:
            mark = f"{SPINNER[self._frame % len(SPINNER)]} " if value.busy else ""
            text = mark + value.message
            rows.extend(Row(((line, "dim"),)) for line in self._paragraphs(text))
        for place, item in enumerate(value.items):
            rows.extend(self._item_rows(place, item))
        self.set_rows(rows, cursor=cursor)

    def _task_rows(self, task: str) -> list[Row]:
        lines = [line for line in self._paragraphs(task) if line.strip()]
        left = len(lines) - _TASK_LINES + 1
        if left <= 1:
            return [Row(((line, "heading"),)) for line in lines]
        more = fit(f"… {plural(left, 'more line')}: in the log", self.room)
        return [
            *(Row(((line, "heading"),)) for line in lines[: _TASK_LINES - 1]),
            Row(((more, "dim"),)),
        ]

    def _paragraphs(self, text: str) -> list[str]:
        return [part for line in text.split("\n") for part in wrap(clean_line(line), self.room)]

    def _id_width(self) -> int:
        return min(_ID_ROOM, max(len(item.step_id) for item in self._value.items))

    def _item_rows(self, place: int, item: PlanItem) -> list[Row]:
        glyph, word, tone = STATUS[item.status]
        if item.status == "running":
            glyph = SPINNER[self._frame % len(SPINNER)]
        number = f"{fit(clean_line(item.step_id), _ID_ROOM):<{self._id_width()}} "
        indent = " " * (len(number) + 2)
        lines = wrap(clean_line(item.title), self.room - len(indent) - _MODE_ROOM)
        title_tone: Tone = "dim" if item.status in {"skipped", "rejected"} else "plain"
        rows = [
            Row(
                ((number, "dim"), (f"{glyph} ", tone), (lines[0], title_tone)),
                item=place,
                end=((item.mode, "accent" if item.mode == "auto" else "dim"),),
            ),
            *(Row(((indent, "plain"), (line, title_tone)), item=place) for line in lines[1:]),
        ]
        facts = " ".join(part for part in (word, clean_line(item.note)) if part)
        told = wrap(facts, self.room - len(indent)) if facts else []
        if len(told) > _NOTE_LINES:
            told = [*told[: _NOTE_LINES - 1], fit(f"{told[_NOTE_LINES - 1]} …", self.room)]
        for line in told:
            spans: tuple[Span, ...] = ((line, "dim"),)
            if word and line.startswith(word):
                spans = ((word, tone), (line.removeprefix(word), "dim"))
            rows.append(Row(((indent, "plain"), *spans), item=place))
        return rows

    # --- commands --------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the step under the cursor."""
        if action == "add":
            return bool(self._value.items)
        if action == "take_back":
            return self._value.edited
        if action not in {"edit", "remove", "toggle_mode", "move"}:
            return super().check_action(action, parameters)
        item = self.selected
        if item is None or not item.editable:
            return False
        if action == "move":
            return len(self._value.items) > 1
        return True

    def on_rows_view_cursor_moved(self) -> None:
        """What can be done may differ on another step."""
        self.refresh_bindings()

    def action_edit(self) -> None:
        """Ask for the step under the cursor to be edited."""
        if (item := self.selected) is not None:
            self.post_message(self.EditWanted(item.step_id))

    def action_remove(self) -> None:
        """Ask for the step under the cursor to be dropped."""
        if (item := self.selected) is not None:
            self.post_message(self.RemoveWanted(item.step_id))

    def action_add(self) -> None:
        """Ask for a new step below the one under the cursor."""
        self.post_message(self.AddWanted(self.cursor + 1 if self.cursor != NO_ITEM else 0))

    def action_take_back(self) -> None:
        """Ask for the last edit to be taken back."""
        self.post_message(self.TakeBackWanted())

    def action_toggle_mode(self) -> None:
        """Ask for the step under the cursor to land by itself, or to ask."""
        if (item := self.selected) is not None:
            other: Literal["auto", "ask"] = "ask" if item.mode == "auto" else "auto"
            self.post_message(self.ModeWanted(item.step_id, other))

    def action_move(self, places: int) -> None:
        """Ask for the step under the cursor to stand earlier or later."""
        item = self.selected
        target = self.cursor + places
        if item is not None and self.cursor != NO_ITEM and 0 <= target < len(self._value.items):
            self.post_message(self.MoveWanted(item.step_id, target))
