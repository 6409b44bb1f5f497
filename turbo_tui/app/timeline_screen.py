"""The timeline: each landing, what it brought, and the tree as it was right after it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from turbo_tui.app.house import House
from turbo_tui.app.taking_back import TakingBack
from turbo_tui.app.timeline import Timeline
from turbo_tui.core.errors import TurboError
from turbo_tui.core.views import Way
from turbo_tui.engine.run import Run
from turbo_widgets.diff_pane import DiffPane, DiffValue
from turbo_widgets.key_bar import KeyBar
from turbo_widgets.timeline_pane import TimelinePane

_LOOK_S = 0.1  # how often landings are looked at: taking back goes on beside


class TimelineScreen(ModalScreen[bool]):
    """List landings beside a diff pane; nothing is decided there but by `u` and `r`.

    What conflicts then is settled in the session's own panes.

    Its answer: whether it was left because something conflicts.

    Args:
        house: The app.
        run: The session's.
    """

    DEFAULT_CSS = """
    TimelineScreen {
        & > #timeline-box { background: $background; }
        & > #timeline-box { border: solid $primary; border-title-color: $text-primary; }
        & Horizontal { height: 1fr; }
        & #timeline-left { width: 34%; min-width: 26; border-right: solid $surface-lighten-2; }
        & #timeline-cut { color: $text-warning; padding: 0 1; }
        & TimelinePane { height: 1fr; }
        & DiffPane { width: 1fr; height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,T,q", "back", "Back", key_display="esc"),
        Binding("tab", "app.focus_next", "Panes"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False),
    ]

    def __init__(
        self, house: House, run: Run, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._house = house
        self._timeline = Timeline(run)
        self._taking_back = TakingBack(house, run, refused=self._leave_refused, clock=clock)
        self._previewed: str | None = None
        self._listed = -1

    def compose(self) -> ComposeResult:
        """Lay out the list, the diff and the keys."""
        with Vertical(id="timeline-box") as box:
            box.border_title = "Timeline"
            with Horizontal():
                with Vertical(id="timeline-left"):
                    yield Static(id="timeline-cut", markup=False)
                    yield TimelinePane(id="timeline")
                yield DiffPane(id="timeline-diff")
            yield KeyBar()

    def on_mount(self) -> None:
        """Show the landings; what is taken back meanwhile is seen."""
        self._list()
        self.query_one(TimelinePane).focus()
        self.set_interval(_LOOK_S, self._list)

    def _list(self) -> None:
        if self._timeline.revision != self._listed:
            self._listed = self._timeline.revision
            self.query_one(TimelinePane).show(self._timeline.items)
            cut = self.query_one("#timeline-cut", Static)
            cut.update(self._timeline.cut_off)
            cut.display = bool(self._timeline.cut_off)

    def _show(self, value: Awaitable[DiffValue]) -> None:
        self.run_worker(self._shown(value), group="look", exclusive=True)

    async def _shown(self, value: Awaitable[DiffValue]) -> None:
        try:
            self.query_one(DiffPane).show(await value)
        except TurboError as error:
            self.query_one(DiffPane).show(DiffValue(message=str(error), decidable=False))

    # --- what the list asks for ------------------------------------------------------

    def on_timeline_pane_looked(self, event: TimelinePane.Looked) -> None:
        """Show what a landing brought."""
        self._previewed = None
        self._show(self._timeline.did(event.landing))

    def on_timeline_pane_preview_wanted(self, event: TimelinePane.PreviewWanted) -> None:
        """Show the tree right after it; the same key again goes back to what it brought."""
        if self._previewed == event.landing:
            self._previewed = None
            self._show(self._timeline.did(event.landing))
            return
        self._previewed = event.landing
        self._show(self._timeline.then(event.landing))

    def on_timeline_pane_undo_wanted(self, event: TimelinePane.UndoWanted) -> None:
        """Take it back, after a question."""
        self._turn(event.landing, "undo")

    def on_timeline_pane_redo_wanted(self, event: TimelinePane.RedoWanted) -> None:
        """Land it again, after a question."""
        self._turn(event.landing, "redo")

    def _turn(self, landing: str, way: Way) -> None:
        entry = self._timeline.entry(landing)
        if entry is not None:
            self._taking_back.ask(entry, way)

    def action_back(self) -> None:
        """Go back to the session."""
        self.dismiss(result=False)

    def _leave_refused(self) -> None:
        self.dismiss(result=True)
