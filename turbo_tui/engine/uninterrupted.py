"""Work that an interruption does not part: it ends first, and the interruption is told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def whole(work: Coroutine[object, object, T]) -> tuple[T, bool]:
    """Do short work to its end, however often it is interrupted; tell whether it was.

    What is written to the tree must be told to the log: Ctrl+C never comes between.
    """
    task = asyncio.ensure_future(work)
    interrupted = await ended(task)
    return task.result(), interrupted


async def ended(task: asyncio.Future[T]) -> bool:
    """Wait until a task has ended; tell whether an interruption came meanwhile."""
    interrupted = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            interrupted = True
    return interrupted
