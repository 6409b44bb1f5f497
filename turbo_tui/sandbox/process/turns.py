"""Who may be at work in a place: commands, or whoever mounts there, never both at once.

Bubblewrap before 0.12 follows links on the way to a mount point. That nothing there is one is
looked at before it starts, which says nothing while a command runs that can put one there. So
below the workspace nothing is mounted while a command runs in it: a command that needs a sandbox
of its own waits for those that run, and they for it, in the order in which they came. Commands
that get a sandbox whose mounts were finished before run side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Hashable
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakValueDictionary


class Turns:
    """The turns of one place."""

    def __init__(self) -> None:
        self._running = 0
        self._is_alone = False  # somebody mounts, or may still
        self._queue: deque[tuple[bool, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[Turn]:
        """Wait for a turn beside others, while nobody mounts."""
        turn = Turn(self)
        await turn.begin(alone=False)
        try:
            yield turn
        finally:
            turn.end()

    @contextmanager
    def mounting(self) -> Generator[bool]:
        """Mount if nobody is at work now, and nobody waits to be; say whether that is so."""
        free = not self._queue and self._may(alone=True)
        if free:
            self.enter_now(alone=True)
        try:
            yield free
        finally:
            if free:
                self.leave(alone=True)

    async def enter(self, *, alone: bool) -> None:
        """Wait behind those who came before."""
        if not self._queue and self._may(alone=alone):
            self.enter_now(alone=alone)
            return
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((alone, let_in))
        try:
            await let_in
        except asyncio.CancelledError:
            if not let_in.cancelled():  # both in one turn of the loop
                self.leave(alone=alone)
            else:
                self._let_in()
            raise

    def enter_now(self, *, alone: bool) -> None:
        """Enter, the caller knowing that it may."""
        self._is_alone = alone
        self._running += not alone

    def leave(self, *, alone: bool) -> None:
        """Let in who waits."""
        self._is_alone = False
        self._running -= not alone
        self._let_in()

    def close(self) -> None:
        """Let nobody in beside the one that runs."""
        self._running, self._is_alone = 0, True

    @property
    def only_one_runs(self) -> bool:
        """Whether one runs and nobody mounts."""
        return self._running == 1 and not self._is_alone

    def _may(self, *, alone: bool) -> bool:
        return not self._is_alone and not (alone and self._running)

    def _let_in(self) -> None:
        while self._queue:
            alone, let_in = self._queue[0]
            if not let_in.done() and not self._may(alone=alone):
                return
            self._queue.popleft()
            if not let_in.done():  # or it was cancelled
                self.enter_now(alone=alone)
                let_in.set_result(None)


class Turn:
    """The turn of one command."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._alone: bool | None = None

    async def begin(self, *, alone: bool) -> None:
        """Wait for it."""
        await self._turns.enter(alone=alone)
        self._alone = alone

    def end(self) -> None:
        """Let go of it, if it has begun."""
        alone, self._alone = self._alone, None
        if alone is not None:
            self._turns.leave(alone=alone)

    async def alone(self) -> bool:
        """Wait until no other runs, nor will before the end; say whether it was so all along."""
        if self._alone or self._turns.only_one_runs:
            self._turns.close()
            self._alone = True
            return True
        self.end()
        await self.begin(alone=True)
        return False


class TurnsOfPlaces:
    """The turns of each place in which somebody is at work."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[Hashable, Turns] = WeakValueDictionary()

    def of(self, place: Hashable) -> Turns:
        """Return the one and only turns of a place."""
        turns = self._turns.get(place)
        if turns is None:
            turns = self._turns[place] = Turns()
        return turns
