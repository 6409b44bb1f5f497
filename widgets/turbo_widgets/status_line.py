"""One line at the top: where we are, who plans and runs, what confines, what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.content import Content
from textual.widget import Widget

from turbo_widgets.text import clean_line, fit

Level = Literal["full", "reduced", "none", "unknown"]

_LEVEL_STYLE: dict[Level, str] = {
    "full": "bold $text-success",
    "reduced": "bold $text-warning",
    "none": "bold $text-error",
    "unknown": "$foreground-darken-3",
}


@dataclass(frozen=True, slots=True)
class StatusValue:
    """All that the line shows; empty texts are left out.

    Attributes:
        sandbox: The word for what confines commands: `full`, `reduced`, `UNSANDBOXED`.
        cost_usd: None while no price is known.
        label: `recorded` or another word that must be seen.
    """

    repo: str = ""
    branch: str = ""
    planner: str = ""
    executor: str = ""
    sandbox: str = ""
    level: Level = "unknown"
    tokens: int = 0
    cost_usd: float | None = None
    label: str = ""
    busy: str = ""


def short_count(count: int) -> str:
    """Return `999`, `12.4k`, `3.1M`."""
    if count < 1_000:  # noqa: PLR2004 (the unit itself)
        return str(count)
    if count < 1_000_000:  # noqa: PLR2004 (the unit itself)
        return f"{count / 1_000:.1f}k"
    return f"{count / 1_000_000:.1f}M"


class StatusLine(Widget):
    """Show the session's standing facts; what matters least goes first when room is short."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._value = StatusValue()

    @property
    def value(self) -> StatusValue:
        """What is shown."""
        return self._value

    def show(self, value: StatusValue) -> None:
        """Show facts."""
        if value != self._value:
            self._value = value
            self.refresh()

    def render(self) -> Content:
        """Draw as many facts as fit, the most important always."""
        width = self.size.width
        rooms = (
            (40, True),
            (24, True),
            (16, True),
            (16, False),
            (10, False),
            (0, True),
            (0, False),
        )
        for model_room, named in rooms:
            left, right = self._parts(model_room, named=named)
            gap = width - left.cell_length - right.cell_length
            if gap >= 2:  # noqa: PLR2004  as between all facts
                return Content.assemble(left, " " * gap, right)
        left, right = self._parts(0, named=False)
        room = max(0, width - right.cell_length - 1)
        cut = left.truncate(room, ellipsis=True)
        gap = " " * max(1, width - cut.cell_length - right.cell_length)
        return Content.assemble(cut, gap, right)

    def _parts(self, model_room: int, *, named: bool) -> tuple[Content, Content]:
        value = self._value
        name = clean_line(value.repo)
        branch = clean_line(value.branch)
        left: list[Content] = []
        if named or not name:
            left.append(Content.styled("turbo-tui", "bold $text-primary"))
        if name:
            where = Content.styled(fit(name, 30), "bold")
            if branch:
                where = Content.assemble(where, ("@" + fit(branch, 30), "$text-accent"))
            left.append(where)
        if model_room:
            for role, model in (("plan", value.planner), ("run", value.executor)):
                if model:
                    shown = fit(clean_line(model), model_room)
                    left.append(Content.assemble((f"{role}: ", "$foreground-darken-3"), shown))
        return Content("  ").join(left), self._right()

    def _right(self) -> Content:
        value = self._value
        right: list[Content] = []
        if value.label:
            right.append(
                Content.styled(f" {clean_line(value.label)} ", "bold reverse $text-warning")
            )
        if value.busy:
            right.append(Content.styled(clean_line(value.busy), "$text-accent"))
        if value.sandbox:
            right.append(
                Content.styled(f"● sandbox: {clean_line(value.sandbox)}", _LEVEL_STYLE[value.level])
            )
        if value.tokens:  # no model was asked: there is nothing to count
            right.append(Content(f"{short_count(value.tokens)} tok"))
        if value.cost_usd is not None:
            right.append(Content(f"${value.cost_usd:.2f}"))
        return Content("  ").join(right)
