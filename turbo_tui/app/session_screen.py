"""The session's screen: panes side by side, as tabs on small terminals, prompt below."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from turbo_tui.app.card_keys import CARD_KEYS
from turbo_tui.app.shapes import PANES, TABBED, Arrangement, PaneName, Shape, shape_of, too_small
from turbo_tui.app.typing_screen import PAUSE_S, TypingScreen
from turbo_widgets.key_bar import KeyBar, live_keys
from turbo_widgets.plan_pane import PlanPane, PlanValue
from turbo_widgets.prompt import Prompt
from turbo_widgets.status_line import StatusLine, StatusValue

if TYPE_CHECKING:
    from turbo_tui.app.desk import Desk
    from turbo_tui.app.furniture import Furniture
    from turbo_widgets.approval_bar import ApprovalBar, Card
    from turbo_widgets.diff_pane import DiffValue
    from turbo_widgets.log_pane import LogItem
    from turbo_widgets.tab_strip import TabStrip

_SHORT_REVIEW = 2  # lines


class SessionScreen(TypingScreen):
    """Show values, take keys; what a key means is done by the desk once a session is open."""

    DEFAULT_CSS = """
    SessionScreen {
        layout: vertical;
        background: $background;
        & #main { height: 1fr; }
        & PlanPane {
            width: 30%; min-width: 34; max-width: 56;
            border-right: solid $surface-lighten-2;
        }
        & #right { width: 1fr; height: 1fr; }
        & DiffPane { height: 3fr; }
        & #lower { height: 2fr; min-height: 8; }
        & #lower > * { display: none; height: 1fr; }
        & #ask { height: 1; }
        & #ask > Static { width: 2; color: $text-accent; text-style: bold; padding: 0; }
        & Prompt { width: 1fr; }
        & #too-small {
            display: none; height: 1fr;
            content-align: center middle; text-align: center;
        }
        & #tabs, & #right-tabs { display: none; }

        &.-short #low-tabs, &.-narrow #low-tabs { display: none; }
        &.-short #right-tabs { display: block; }
        &.-short DiffPane, &.-narrow DiffPane { height: 1fr; }
        &.-short #lower, &.-narrow #lower { height: 1fr; }
        &.-narrow #tabs { display: block; }
        &.-narrow PlanPane { width: 1fr; max-width: 100%; border-right: none; }
        &.-tiny #main, &.-tiny ApprovalBar, &.-tiny #ask, &.-tiny KeyBar { display: none; }
        &.-tiny #too-small { display: block; }
        &.-tiny StatusLine { display: none; }
    }
    """
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        *CARD_KEYS,
        Binding("K", "unverified", "Why its checks are not offered", show=False),
        Binding("u", "undo", "Take back a landing"),
        Binding("T", "timeline", "Timeline", show=False),
        Binding("1", "pane('plan')", "Plan", show=False),
        Binding("2", "pane('diff')", "Changes", show=False),
        Binding("3", "pane('log')", "Log", show=False),
        Binding("4", "pane('knowledge')", "Knowledge", show=False),
        Binding("5", "pane('project')", "Project", show=False),
        Binding("tab", "app.focus_next", "Panes"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False),
        Binding("escape", "leave_field", "Leave field"),
        Binding("i,colon", "prompt", "Task", key_display="i"),
        Binding("slash", "search", "Search", show=False),
        Binding("M", "models", "Models", show=False),
        Binding("ctrl+c", "app.interrupt", "Interrupt", show=False, priority=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("f1", "help", "Help", show=False),
        Binding("ctrl+q", "app.quit", "Quit", priority=True),
    ]

    def __init__(self, title: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        # Most terminals are wide: set before anything is styled, it costs no second styling.
        super().__init__(clock=clock, classes="-wide")
        self.desk: Desk | None = None
        self._title = title
        self._arrangement = Arrangement()
        self._card: Card | None = None
        self._news: set[PaneName] = set()
        self._settled = False
        self._parked: Widget | None = None  # what had the keys before the window became tiny
        self._furniture: Furniture | None = None

    def compose(self) -> ComposeResult:
        """Lay out what the first frame needs; the rest is brought by `furnish`."""
        yield StatusLine()
        with Horizontal(id="main"):
            yield PlanPane(id="plan")
            yield Vertical(id="right")
        yield Static("", id="too-small", markup=False)
        with Horizontal(id="ask"):
            yield Static("> ", markup=False)
            yield Prompt(placeholder="what do you want done?", id="prompt")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what is known before anything is opened."""
        self.query_one(StatusLine).show(StatusValue(repo=self._title))
        self.show_plan(PlanValue(message="Opening the project …", busy=True))
        self.set_focus(self.query_one(Prompt))

    async def furnish(self) -> None:
        """Bring in everything that was not needed for the first frame."""
        from turbo_tui.app.furniture import furnish  # noqa: PLC0415  after the first frame
        from turbo_widgets.diff_pane import DiffValue  # noqa: PLC0415  after the first frame

        self._furniture = await furnish(self, self.query_one("#right"), self._clock)
        self.show_diff(DiffValue(message="What a step changes is shown here, before it lands."))
        self._arrange()
        self.refresh_bindings()

    @property
    def furniture(self) -> Furniture:
        """The widgets that `furnish` brought."""
        if self._furniture is None:
            raise RuntimeError("The session screen is not furnished yet.")
        return self._furniture

    def on_key(self, event: events.Key) -> None:
        """Whatever is typed before the prompt has the keys is meant for it."""
        if not self._settled and event.is_printable and event.character:
            self.query_one(Prompt).insert_text_at_cursor(event.character)
            event.stop()

    # --- shape and tabs ----------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Lay panes out for the terminal's size."""
        shape, was = shape_of(event.size.width, event.size.height), self.shape
        if shape != was:
            self.remove_class(f"-{was}")
            self.add_class(f"-{shape}")
        self._arrangement.fit(shape)
        if shape == "tiny" != was:
            self._parked = self.focused
        elif shape != was and self._parked is not None:
            self.call_after_refresh(self.set_focus, self._parked)
            self._parked = None
        if shape == "tiny":
            words = too_small(event.size.width, event.size.height)
            self.query_one("#too-small", Static).update(words)
        self._arrange()
        if self._furniture is not None:
            self.show_card(self._card)

    @property
    def shape(self) -> Shape:
        """How panes are laid out now."""
        return self._arrangement.shape

    @property
    def opened_tab(self) -> PaneName:
        """The pane that is seen among those that share a place."""
        return self._arrangement.opened

    def _arrange(self) -> None:
        arrangement, opened = self._arrangement, self.opened_tab
        for name, _, _ in PANES:
            for pane in self.query(f"#{name}"):
                pane.display = arrangement.shows(name)
        self.query_one("#right").display = self.shape != "narrow" or opened != "plan"
        if self._furniture is None:
            return
        from turbo_widgets.tab_strip import Tab  # noqa: PLC0415  after the first frame

        self.query_one("#lower").display = opened in TABBED["wide"]
        self._news.discard(opened)
        tabs = tuple(
            Tab(name, word, key, news=name in self._news)
            for name, word, key in PANES
            if name in arrangement.tabbed
        )
        for strip in self._furniture.strips:
            strip.show(tabs, opened)

    def open_pane(self, name: PaneName, *, focus: bool = True) -> None:
        """Bring a pane into view, and to the keys unless told not to."""
        if self._furniture is None:
            return
        self._arrangement.open(name)
        self._arrange()
        if focus:
            self.set_focus(self._focus_of(name))  # at once: the next key is for it
        self.refresh_bindings()

    def _focus_of(self, name: PaneName) -> Widget:
        if name == "log":
            return self.furniture.log.lines
        if name == "knowledge":
            pane = self.furniture.knowledge
            return pane.field if not pane.field.value else pane.places
        return self.query_one(f"#{name}")

    def on_tab_strip_chosen(self, event: TabStrip.Chosen) -> None:
        """A tab was clicked."""
        self.open_pane(next(name for name, _, _ in PANES if name == event.name))

    def on_approval_bar_clicked(self, event: ApprovalBar.Clicked) -> None:
        """Leave the field in which the key would not answer; the app presses it."""
        if self.in_field and event.key != "escape":
            self.action_leave_field()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember the pane to come back to; the keys differ from pane to pane."""
        self._settled = True
        for name, _, _ in PANES:
            for pane in self.query(f"#{name}"):
                if pane is event.widget or pane in event.widget.ancestors:
                    self._arrangement.last = name
        if self._furniture is not None:
            self._furniture.bar.tell_focus(in_field=self.in_field)
            self.show_card(self._card)
        self.refresh_bindings()

    # --- values in (feed.Panes) ----------------------------------------------------

    def show_plan(self, value: PlanValue) -> None:
        """Show the plan."""
        self.query_one(PlanPane).show(value)

    def show_diff(self, value: DiffValue) -> None:
        """Show a step's changes."""
        self.furniture.diff.show(value)

    def show_log(self, entries: list[LogItem]) -> None:
        """Show the log."""
        self.furniture.log.show(entries)

    def show_status(self, value: StatusValue) -> None:
        """Show standing facts."""
        self.query_one(StatusLine).show(value)

    def show_card(self, card: Card | None) -> None:
        """Show what waits for the user."""
        self._card = card
        if card is not None:
            diff = self.furniture.diff
            asked = self.query_one(Prompt).has_focus
            here = {
                "look": not self._arrangement.shows("diff"),
                "toggle": diff.has_focus,
                "prompt": not asked,
            }
            fitting = tuple(c for c in card.choices if here.get(c.action, True))
            card = replace(card, choices=fitting, lines=self._fitting_lines(card))
            if self.in_editor:  # the room is for what is written, and escape would drop it
                card = replace(card, lines=(), choices=())
        self.furniture.bar.show(card)

    def _fitting_lines(self, card: Card) -> tuple[str, ...]:
        """Leave the room on small terminals to the changes that a review is about."""
        most = _SHORT_REVIEW if self.shape in {"short", "narrow"} else len(card.lines)
        return card.lines[:most] if card.tone == "review" else card.lines

    def stream(self, key: str, text: str) -> None:
        """Show output of a running entry."""
        self.furniture.log.stream(key, text)

    def lead_to(self, step_id: str, place: str) -> None:
        """Bring a step and a pane into view; take the keys there unless the user types."""
        if step_id:
            self.query_one(PlanPane).select(step_id)
        name: PaneName | None = next((known for known, _, _ in PANES if known == place), None)
        if name is None or not self.is_current:
            return
        if self.just_typed:
            # Whoever has just typed may go on: wait, then look again.
            self.set_timer(PAUSE_S, lambda: self.lead_to(step_id, place))
            return
        if self.typing:
            if self.shape in {"wide", "short"} and name == "plan":
                return
            self._news.add(name)
            self.open_pane(name, focus=False)
            return
        self.open_pane(name)

    # --- actions -------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: PLR0911  one arm per action
        """Offer only what can be done now."""
        if not self.is_mounted:
            return True
        match action:
            case "choose":
                bar = self._furniture.bar if self._furniture is not None else None
                if bar is None or self.in_field or self.shape == "tiny":
                    return False  # typed for something else, or at what nobody can see
                return bar.offers(str(parameters[0]))
            case "undo":
                return self.desk is not None and self.desk.can_undo
            case "timeline":
                return self.desk is not None and self.desk.has_landed
            case "leave_field":
                return self.in_field
            case "prompt":
                return not self.query_one(Prompt).has_focus
            case "models":
                return self.desk is not None and self.desk.opened.setup is not None
            case _:
                return super().check_action(action, parameters)

    def action_choose(self, choice: str) -> None:
        """Answer the card, unless the key came too early or was meant for a field."""
        self.furniture.bar.choose(choice, typing=self.in_field)

    def action_unverified(self) -> None:
        """Say why the card does not offer to run a step's checks."""
        if self.desk is not None and self.furniture.bar.card is not None:
            self.desk.tell_unverified(self.furniture.bar.card)

    def action_undo(self) -> None:
        """Take back the last landing, after a question."""
        if self.desk is not None:
            self.desk.undo()

    def action_timeline(self) -> None:
        """Show what landed so far."""
        if self.desk is not None:
            self.desk.show_timeline()

    def action_pane(self, name: PaneName) -> None:
        """Open a pane."""
        self.open_pane(name)

    def action_leave_field(self) -> None:
        """Go from a field to the pane that was left last."""
        if self._furniture is None:
            return
        last = self._arrangement.last
        name = last if self._arrangement.shows(last) else self.opened_tab
        self.open_pane(name)
        if name == "knowledge":  # also without results: its field would hold the keys again
            self.set_focus(self._furniture.knowledge.places)

    def action_prompt(self) -> None:
        """Go to the prompt."""
        self.set_focus(self.query_one(Prompt))

    def action_search(self) -> None:
        """Go to the search field."""
        if self._furniture is not None:
            self.open_pane("knowledge", focus=False)
            self.set_focus(self._furniture.knowledge.field)

    def action_models(self) -> None:
        """Set up the models."""
        if self.desk is not None:
            self.desk.set_up_models()

    def action_help(self) -> None:
        """Show all keys and the way through."""
        from turbo_tui.app.dialogs import HelpScreen  # noqa: PLC0415  not needed at the start
        from turbo_tui.app.help_text import TOPICS  # noqa: PLC0415  not needed at the start

        keys = live_keys(self, hidden=True)
        self.app.push_screen(HelpScreen(keys, TOPICS))  # pyright: ignore[reportUnknownMemberType]

    # --- messages out ----------------------------------------------------------------

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """A task was typed; before the session is open it waits its turn."""
        self.post_message(TaskTyped(event.text))


class TaskTyped(Message):
    """The user typed a task and pressed enter."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
