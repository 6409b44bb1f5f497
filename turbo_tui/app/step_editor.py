"""The window in which a step is written: its words, its checks, its fixed actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from turbo_tui.app.dialogs import BOX, key_line
from turbo_tui.app.step_text import StepText
from turbo_tui.core.errors import TurboError
from turbo_widgets.text import clean_line

if TYPE_CHECKING:
    from textual.widgets import TextArea

_INTENT, _CHECKS, _ACTIONS = "intent", "checks", "actions"


class StepEditor(ModalScreen[None]):
    """Edit a step; ctrl+s keeps it, escape goes back, twice where that loses words.

    Args:
        title: Of the window.
        text: What the fields hold at first.
        keep: Takes what they hold in the end; it may refuse, and then they stay.
    """

    DEFAULT_CSS = f"""
    StepEditor {{
        {BOX}
        & .label {{ margin-top: 0; }}
        & TextArea {{ border: none; background: $panel; padding: 0; }}
        & #{_INTENT} {{ height: 4; }}
        & #{_CHECKS} {{ height: 2; }}
        & #{_ACTIONS} {{ height: 3; }}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Keep", priority=True),
        Binding("escape", "back", "Back", priority=True),
    ]

    def __init__(self, title: str, text: StepText, keep: Callable[[StepText], None]) -> None:
        super().__init__()
        self._title_shown = title
        self._text = text
        self._keep = keep
        self._warned = False

    def compose(self) -> ComposeResult:
        """Lay out the fields; the larger ones are imported only here, they are heavy."""
        from textual.widgets import TextArea  # noqa: PLC0415  imports tree-sitter

        text = self._text
        fields = (
            (_INTENT, "What the step is to achieve", text.intent),
            (_CHECKS, "Checks, a command a line: each must exit 0", text.checks),
            (_ACTIONS, "Fixed actions, one a line; with any, no model is asked", text.actions),
        )
        with Vertical(classes="box") as box:
            box.border_title = clean_line(self._title_shown)
            yield Static("Title, one line", classes="label", markup=False)
            yield Input(text.title, compact=True, select_on_focus=False)
            for name, label, value in fields:
                yield Static(label, classes="label", markup=False)
                yield TextArea(value, id=name, soft_wrap=True, tab_behavior="focus", compact=True)
            keys = key_line(("^s", "keep"), ("tab", "next field"), ("esc", "back"))
            yield Static(keys, classes="keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the title keeps the step too."""
        event.stop()
        self.action_keep()

    @property
    def text(self) -> StepText:
        """What the fields hold."""
        return StepText(
            self.query_one(Input).value,
            self._area(_INTENT).text,
            self._area(_CHECKS).text,
            self._area(_ACTIONS).text,
        )

    def _area(self, name: str) -> TextArea:
        from textual.widgets import TextArea  # noqa: PLC0415  imports tree-sitter

        return self.query_one(f"#{name}", TextArea)

    def action_keep(self) -> None:
        """Hand the step on; one that is refused stays here."""
        try:
            self._keep(self.text)
        except TurboError as error:
            self.notify(str(error), severity="warning", markup=False)
        else:
            self.dismiss()

    def action_back(self) -> None:
        """Leave the step as it was; what was typed is not lost by a single key."""
        if self.text == self._text or self._warned:
            self.dismiss()
            return
        self._warned = True
        said = "You changed this step: ctrl+s keeps that, escape once more lets it go."
        self.notify(said, severity="warning", markup=False)
