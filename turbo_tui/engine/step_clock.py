"""The time cap of a step: what counts towards it, and what does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from turbo_tui.engine.asking_models import LoggedModel

T = TypeVar("T")


class StepClock:
    """Hold a step's tools and checks to its time cap; the user's thinking costs it no time.

    Args:
        model: The step's model, which knows the cap; None: there is none.
    """

    def __init__(self, model: LoggedModel | None) -> None:
        self._model = model
        self._running: asyncio.Timeout | None = None

    async def within(self, work: Awaitable[T]) -> T:
        """Await work of the step within the cap.

        Raises:
            BudgetError: The cap was reached; the work was cancelled.
        """
        if self._model is None:
            return await work
        clock = self._running = asyncio.timeout(self._model.seconds_left())
        try:
            async with clock:
                return await work
        except TimeoutError:
            if not clock.expired():
                raise
            raise self._model.time_reached() from None
        finally:
            self._running = None

    async def beside(self, answer: Awaitable[T]) -> T:
        """Await an answer of the user while the clock stands still."""
        clock, began = self._running, time.monotonic()
        due = clock.when() if clock is not None else None
        if clock is not None:
            clock.reschedule(None)
        try:
            return await answer
        finally:
            thought = time.monotonic() - began
            if self._model is not None:
                self._model.grant_seconds(thought)
            if clock is not None and due is not None:
                clock.reschedule(due + thought)
