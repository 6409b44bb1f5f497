"""The whole app on a script: keys in, text of the screen out, no sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.cells import cell_len
from textual.pilot import Pilot

from tests.app.session_kit import Stand
from turbo_tui.app.dialogs import QuestionScreen
from turbo_tui.app.opened import OpenRun
from turbo_tui.app.options import Options
from turbo_tui.app.turbo_app import TurboApp
from turbo_widgets.approval_bar import ApprovalBar
from turbo_widgets.prompt import Prompt
from turbo_widgets.rows import RowsView

BIG, SMALL, TINY = (120, 40), (80, 24), (50, 15)
PATIENCE_S = 60.0


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Seat:
    """Somebody in front of the app."""

    app: TurboApp
    pilot: Pilot[int]
    clock: Clock

    async def press(self, *keys: str) -> None:
        """Press keys one after another."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def click(self, words: str) -> None:
        """Click on the first letter of the last place where words stand."""
        rows = self.text.replace("\N{NO-BREAK SPACE}", " ").split("\n")
        row = max(at for at, line in enumerate(rows) if words in line)
        column = cell_len(rows[row].split(words)[0])
        await self.pilot.click(offset=(column, row))
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type text, key by key."""
        await self.press(*("space" if each == " " else each for each in text))

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds; the test fails with the screen's text if it never does."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError("It never came to hold. The screen:\n" + self.text) from None
        await self.pilot.pause()

    async def sees(self, words: str) -> None:
        """Wait until words are on screen."""
        await self.until(lambda: words in self.text)

    async def card(self, words: str) -> None:
        """Wait until the card says something and has the keys, then let its guard pass.

        The changes that it is about are on show then: they are read in a thread, a moment later.
        """
        await self.until(lambda: words in self.bar_text)
        await self.until(lambda: not self.app._beating)  # pyright: ignore[reportPrivateUsage]
        await self.until(lambda: self.prompt.value or not self.prompt.has_focus)
        await self.guard()

    async def guard(self) -> None:
        """Let the guard of the card or window on top pass, which runs once that is painted."""
        top = self.app.screen
        asking = top if isinstance(top, QuestionScreen) else top.query_one(ApprovalBar)
        await self.until(lambda: asking.painted)
        self.clock.now += 1

    async def task(self, text: str = "greet by name") -> None:
        """Type a task and send it; nothing holds the keys in the field afterwards."""
        await self.type(text)
        await self.press("enter")
        self.clock.now += 1

    async def planned(self) -> None:
        """Give the task, and come to its plan."""
        await self.task()
        await self.card("The plan has 2 steps")

    async def started(self) -> None:
        """Come to the plan and run its first step."""
        await self.planned()
        await self.press("g")

    async def to_review(self) -> None:
        """Come to the review of the first step."""
        await self.started()
        await self.card("wants to land 2 files")

    @property
    def bar_text(self) -> str:
        """What the approval bar says."""
        bar = self.app.session_screen.query_one(ApprovalBar)
        return bar.render().plain.replace("\u00a0", " ")

    @property
    def prompt(self) -> Prompt:
        """The task line."""
        return self.app.session_screen.query_one(Prompt)

    @property
    def text(self) -> str:
        """The whole screen as text."""
        lines = self.app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
        return "\n".join(line.text.rstrip() for line in lines)

    def rows(self, name: str) -> str:
        """All rows of a pane, also those scrolled away."""
        pane = self.app.session_screen.query_one(f"#{name}")
        view = pane if isinstance(pane, RowsView) else pane.query_one(RowsView)
        return "\n".join(row.text + " " + "".join(t for t, _ in row.end) for row in view.rows)


@asynccontextmanager
async def seated(
    stand: Stand | OpenRun,
    size: tuple[int, int] = BIG,
    options: Options | None = None,
    *,
    wait: bool = True,
) -> AsyncGenerator[Seat]:
    """Open the app on a stand; with `wait` the session is open before the test goes on."""
    clock = Clock()
    open_run = stand.open if isinstance(stand, Stand) else stand
    chosen = options or Options(title="demo", ascii_only=False)
    app = TurboApp(open_run, chosen, clock=clock)
    async with app.run_test(size=size, notifications=True) as pilot:
        seat = Seat(app, pilot, clock)
        await pilot.pause()
        if wait:
            await seat.until(lambda: app.desk is not None)
        yield seat
