"""The app: paints first, opens the session behind, and closes it whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import WorkerFailed

from turbo_tui.app import lost_terminal
from turbo_tui.app.key_order import KeyOrder
from turbo_tui.app.options import Options
from turbo_tui.app.session_screen import SessionScreen, TaskTyped
from turbo_tui.app.wishes import Wishes
from turbo_tui.core.errors import TurboError
from turbo_widgets.ascii_only import AsciiOnly, needs_ascii
from turbo_widgets.key_words import clicked_key, pressing
from turbo_widgets.plan_pane import PlanValue
from turbo_widgets.prompt import Prompt

if TYPE_CHECKING:
    from textual.driver import Driver

    from turbo_tui.app.desk import Desk
    from turbo_tui.app.opened import Opened, OpenRun, Question
    from turbo_widgets.approval_bar import ApprovalBar
    from turbo_widgets.diff_pane import DiffPane

Given = TypeVar("Given")
BEAT_S = 1 / 20
_TWICE_S = 2.0
_FIRST_FRAME_S = 0.03  # keys typed during launch are echoed before anything else is done
_TYPES_ON_S = 2.0  # of one who stops between two words of a task
_OURS_INSTEAD = {"Keys", "Maximize", "Minimize"}  # of Textual's commands: help, panes
_HANGUP = 128


class TurboApp(Wishes, App[int]):
    """Run a session on screen.

    Args:
        open_run: Opens the session; called after the first frame.
        options: How the app looks.
        clock: Seconds, monotonic; given by tests.
    """

    TITLE = "turbo-tui"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    ToastRack { dock: top; align: right top; margin-top: 2; }
    Toast { width: auto; max-width: 80%; padding: 0 1; }
    App:nocolor RowsView > .rows--cursor { text-style: reverse; }
    App:nocolor RowsView > .rows--cursor-idle { text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, priority=True),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),
    ]

    def __init__(
        self,
        open_run: OpenRun,
        options: Options | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.options = options or Options()
        self.desk: Desk | None = None
        self.opened: Opened | None = None
        self.failure: TurboError | None = None
        self._open_run = open_run
        self._clock = clock
        self._waiting_task = ""
        self._asked_to_stop = -60.0
        self._beat_timer: Timer | None = None
        self._beating = False
        self._left = False
        self._keys = KeyOrder(lambda: len(self.screen_stack), clock, self._is_opening)
        if self.options.theme:
            self.theme = self.options.theme
        ascii_only = self.options.ascii_only
        if needs_ascii(os.environ) if ascii_only is None else ascii_only:
            self._filters.append(AsciiOnly())
        if self.no_color:
            # Textual turns colours to greys, which are colour codes still; https://no-color.org
            self._filters = [each for each in self._filters if not isinstance(each, Monochrome)]
            self._filters.append(NoColor())

    def _fatal_error(self) -> None:
        # Textual would print local variables too: keys and file contents may be among them.
        self._close_messages_no_wait()

    def get_driver_class(self) -> type[Driver]:
        """Read the terminal in our own way where Textual would read it as a terminal."""
        from textual.drivers.linux_driver import LinuxDriver  # noqa: PLC0415  Textual's is late too

        from turbo_tui.app.terminal import TerminalDriver  # noqa: PLC0415  as late

        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen

    @property
    def defect(self) -> Exception | None:
        """The error that nobody foresaw and that ended the app, if one did."""
        error = self._exception
        return error.error if isinstance(error, WorkerFailed) else error  # pyright: ignore[reportReturnType]

    # --- opening and closing -----------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """The session's screen is the only one that stays."""
        return SessionScreen(self.options.title, clock=self._clock)

    @property
    def session_screen(self) -> SessionScreen:
        """The session's screen, under whatever window stands over it."""
        screen = self.screen_stack[0]
        if not isinstance(screen, SessionScreen):
            raise TypeError(screen)
        return screen

    def on_mount(self) -> None:
        """Take signals; open the session once the first frame is painted."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        self.call_after_refresh(self.set_timer, _FIRST_FRAME_S, self._open_behind)
        lost_terminal.ignore_continuing_without_a_stop(self._driver)
        lost_terminal.watch(
            self._driver, self.set_interval, partial(self._signalled, signal.SIGHUP)
        )

    async def on_event(self, event: events.Event) -> None:
        """Hand keys on in order; all other events as Textual does."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        key = self._keys.admit(event)
        if key is not None:
            await self._hand_on(key)

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked on: what refuses or delays a key does so here too."""
        key = clicked_key(event)
        if key is not None:
            self.post_message(pressing(key))

    def on_approval_bar_clicked(self, event: ApprovalBar.Clicked) -> None:
        """Press the card's key."""
        # Posted here and not by the screen: a message never rises to who posted it.
        self.post_message(pressing(event.key))

    async def _hand_on(self, key: events.Key) -> None:
        if not self._keys.is_left_over(key):
            target = self.focused or self.screen
            await super().on_event(key)
            if key.is_forwarded:
                self._keys.follow(key, target, lambda: self.call_later(self._hand_on_next))
                return
        await self._hand_on_next()

    def _is_opening(self) -> bool:
        return self.desk is not None and self.session_screen.furniture.diff.opening

    async def _hand_on_next(self) -> None:
        key = self._keys.next()
        if key is not None:
            await self._hand_on(key)

    def _signalled(self, number: int) -> None:
        self.call_later(self._leave, _HANGUP + number)

    def _open_behind(self) -> None:
        self.run_worker(self._open(), group="open", exclusive=True)

    async def _open(self) -> None:
        await self.session_screen.furnish()
        try:
            opened = await self._open_run(self)
        except TurboError as error:
            self._cannot_open(error)
            return
        from turbo_tui.app.desk import Desk  # noqa: PLC0415  after the first frame

        screen = self.session_screen
        self.opened = opened
        self.desk = screen.desk = Desk(self, screen, opened, clock=self._clock)
        for task in self._tasks_so_far():
            screen.query_one(Prompt).remember(task)
        self._beat_timer = self.set_interval(BEAT_S, self._beat)
        await self._beat()
        for note in opened.notes if opened.run.views.plan.task else ():
            self.tell(note)  # else they stand in the empty plan pane
        if (half := opened.run.views.timeline.half_turned) is not None:
            self.tell(f"{half.words} T lists them.", bad=True)
        self.in_background(self.desk.looking.look_at_project(), group="project")
        self.desk.looking.follow_index()
        if self._waiting_task:
            task, self._waiting_task = self._waiting_task, ""
            self._give(task)
        elif opened.task and not screen.query_one(Prompt).value:
            prompt = screen.query_one(Prompt)
            prompt.value = opened.task
            prompt.cursor_position = len(opened.task)

    def _tasks_so_far(self) -> list[str]:
        if self.opened is None:
            return []
        entries = self.opened.run.views.log.entries
        return [entry.title for entry in entries if entry.kind == "task"]

    def _cannot_open(self, error: TurboError) -> None:
        from turbo_tui.app.dialogs import ErrorScreen  # noqa: PLC0415  rare

        self.failure = error
        self.session_screen.show_plan(PlanValue(message="The project could not be opened."))
        screen = ErrorScreen("Cannot open this project", str(error), closes="quit")
        self.push_screen(screen, lambda _: self.exit(error.exit_code))

    async def _beat(self) -> None:
        if self.desk is None or self._beating or self._left or not self.is_running:
            return  # nothing is open yet, or its panes are being taken away
        self._beating = True
        try:
            await self.desk.beat()
        finally:
            self._beating = False

    async def _leave(self, code: int) -> None:
        await self.close_session()
        self.exit(code)

    async def close_session(self) -> None:
        """Interrupt and flush; the session can be resumed. Safe to call twice."""
        if self._left:
            return
        self._left = True
        if self.desk is not None:
            self.desk.feed.close()
        if self.opened is not None:
            await self.opened.run.close()

    async def action_quit(self) -> None:
        """Close the session and leave."""
        await self._leave(0)

    async def action_interrupt(self) -> None:
        """Copy what is selected; else interrupt what runs; twice on nothing, quit."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
            self.screen.clear_selection()
            return
        now = self._clock()
        if self.desk is not None and self.desk.busy:
            self._asked_to_stop = now
            self.in_background(self.desk.interrupt(), group="interrupt")
            return
        if now - self._asked_to_stop < _TWICE_S:
            await self._leave(0)
            return
        self._asked_to_stop = now
        self.tell("Nothing runs now. ctrl+c again, or ctrl+q, quits.")

    # --- Front: what open_run may use ------------------------------------------------

    async def choose(self, question: Question) -> str:
        """Put a question before the session opens; return the answer's name.

        Whoever types a task meanwhile is let finish, and what they type over it is kept.
        """
        from turbo_tui.app.dialogs import QuestionScreen  # noqa: PLC0415  rare

        screen = self.session_screen
        prompt = screen.query_one(Prompt)
        while prompt.value and screen.typed_within(_TYPES_ON_S):  # noqa: ASYNC110  time ends it
            await asyncio.sleep(BEAT_S)

        def keep(text: str, is_text: bool) -> None:  # noqa: FBT001  a callback's
            if is_text or prompt.value:
                prompt.insert_text_at_cursor(text)

        return await self.push_screen_wait(QuestionScreen(question, clock=self._clock, keep=keep))

    def say(self, text: str) -> None:
        """Tell what is going on until the session is open."""
        if self.desk is None:
            self.session_screen.show_plan(PlanValue(message=text, busy=True))

    # --- House: what the desk may use ------------------------------------------------

    def put_up(self, window: Screen[Given], then: Callable[[Given | None], None]) -> None:
        """Put a window over the session; `then` gets its answer."""
        self.push_screen(window, then)

    def tell(self, text: str, *, bad: bool = False) -> None:
        """Say something in passing; text is never parsed."""
        severity: Literal["error", "information"] = "error" if bad else "information"
        self.notify(text, severity=severity, markup=False, timeout=8 if bad else 4)

    def in_background(self, work: Awaitable[None], *, group: str) -> None:
        """Do something beside; a newer one of the same group takes its place."""
        self.run_worker(work, group=group, exclusive=True)

    def outside(self, command: list[str]) -> int:
        """Give the terminal to another program until it ends; return how it ended, 0 for well."""
        from turbo_tui.app.looking import run_outside  # noqa: PLC0415  rare

        try:
            with self.suspend():
                return run_outside(command)
        except TurboError as error:
            self.tell(str(error), bad=True)
            return 0  # it never began: what it was to edit is as it was
        finally:
            self.refresh()

    # --- messages of widgets -----------------------------------------------------------

    def on_task_typed(self, event: TaskTyped) -> None:
        """Plan a task; one typed before the session is open waits for it."""
        event.stop()
        if self.desk is None:
            self._waiting_task = event.text
            self.session_screen.show_plan(
                PlanValue(event.text, message="Opening the project; your task is next …", busy=True)
            )
        else:
            self._give(event.text)

    def _give(self, task: str) -> None:
        prompt = self.session_screen.query_one(Prompt)
        if self.desk is not None and not self.desk.give_task(task) and not prompt.value:
            prompt.value = task
            prompt.cursor_position = len(task)

    async def on_diff_pane_edit_wanted(self, event: DiffPane.EditWanted) -> None:
        """Edit a hunk or a file; keys typed meanwhile are for the editor, or for nothing."""
        if self.desk is None:
            return
        opened = await self.desk.reviewing.edit(event)
        if not opened:
            self._keys.forget()
        self.session_screen.furniture.diff.opening = False
        await self._hand_on_next()

    # --- the palette -------------------------------------------------------------------

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save a picture of the screen where downloads go; a server has no such folder."""
        folders = (Path.home() / "Downloads", Path.home(), Path(tempfile.gettempdir()))
        fit = (os.fspath(each) for each in folders if os.access(each, os.W_OK))
        return super().deliver_screenshot(filename, path or next(fit, None), time_format)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen; blanks are kept by whatever shows it, as code needs them."""
        drawn = super().export_screenshot(title=title, simplify=simplify)
        return drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """List our commands before Textual's own, but for those that ours stand for."""
        if isinstance(screen, SessionScreen):
            for name, title, says in (
                ("prompt", "Type a task", "i: what you want done"),
                ("search", "Search the project", "4 or /: by name, phrase or question"),
                ("models", "Set up the models", "M: who plans, and who carries steps out"),
                ("undo", "Take back the last landed step", "u: after a question"),
                ("timeline", "Timeline", "T: what landed; take back or land again"),
                ("help", "Help and keys", "? or F1: the way through, and all keys"),
            ):
                if screen.check_action(name, ()):
                    yield SystemCommand(title, says, getattr(screen, f"action_{name}"))
        for each in super().get_system_commands(screen):  # pyright: ignore[reportUnknownMemberType]
            if each.title not in _OURS_INSTEAD:
                yield each
