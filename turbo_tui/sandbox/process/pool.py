"""Sandboxes that wait for a command: made while nobody waits for them, used once.

Their mounts are those of the moment in which they were started. So each belongs to a stage, and
a command gets one only if it would itself be started with the very same settings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.core.command import MIB
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.process.orphans import adopting_orphans
from turbo_tui.sandbox.process.tree import Tree
from turbo_tui.sandbox.process.turns import Turns, TurnsOfPlaces
from turbo_tui.sandbox.process.workers import Kind

MOST: Mapping[Kind, int] = {"shell": 2, "python": 1}
READY_S = 5.0  # a sandbox that takes longer is no gain
FREE_BYTES = 512 * MIB  # less is short: then nothing is made in advance


@dataclass(frozen=True, slots=True)
class Setting:
    """All that a worker is started with; equal ones can stand for each other.

    Attributes:
        words: What stands before the worker's own argv.
        identities: Device and inode of all that lies under the mounts in the workspace.
        variables: Those that count as it starts.
        stamps: Of files that it reads as it starts and that a command may have changed since.
        program: An interpreter's path.
    """

    words: tuple[str, ...]
    identities: tuple[tuple[int, int], ...]
    variables: tuple[tuple[str, str], ...] = ()
    stamps: tuple[tuple[str, int, int], ...] = ()
    program: str = ""


class Worker:
    """A sandbox with one process that waits for an order.

    Args:
        tree: Started.
        order_fd: The end of a pipe by which it is told its command; closed here.
    """

    def __init__(self, setting: Setting, tree: Tree, order_fd: int) -> None:
        self.setting = setting
        self.tree = tree
        self._order_fd = order_fd

    async def waits(self) -> bool:
        """Wait until it is ready; say whether it came to that and still is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                await self.tree.told.wait()
        return self.tree.waits

    def give(self, order: bytes) -> bool:
        """Tell it its command; say whether that could be done."""
        try:
            whole = os.write(self._order_fd, order) == len(order)
        except OSError:  # it is dead
            whole = False
        if whole:
            self._close()
        return whole

    async def end(self) -> None:
        """End it, if it has no command; one that has is ended as a command."""
        self._close()
        with adopting_orphans():
            await self.tree.end()

    def _close(self) -> None:
        if self._order_fd >= 0:
            os.close(self._order_fd)
            self._order_fd = -1


@dataclass(slots=True)
class _Waiting:
    """What waits in one stage."""

    workers: dict[Kind, list[Worker]] = field(default_factory=lambda: {kind: [] for kind in MOST})
    unfit: set[Setting] = field(default_factory=set[Setting])  # cannot be made ready
    filling: asyncio.Task[None] | None = None
    again: bool = False


class Pool:
    """The waiting workers of all stages.

    Args:
        settings: Computes what a worker of a kind in a place has to be started with now;
            None where it would be of no use.
        start: Starts one.
    """

    def __init__(
        self,
        settings: Callable[[Place, Kind], Setting | None],
        start: Callable[[Place, Kind, Setting], Worker],
    ) -> None:
        self._settings = settings
        self._start = start
        self._turns = TurnsOfPlaces()
        self._stages: dict[object, _Waiting] = {}
        self._ends: set[asyncio.Task[None]] = set()

    def turns(self, place: Place) -> Turns:
        """Return who may be at work in a place."""
        return self._turns.of(_stage(place))

    def warm(self, place: Place) -> None:
        """Fill up in the background, as far as no command runs there."""
        stage = self._stages.setdefault(_stage(place), _Waiting())
        if stage.filling is None or stage.filling.done():
            stage.filling = asyncio.get_running_loop().create_task(self._fill(place, stage))
        else:
            stage.again = True

    async def ready(self, place: Place) -> int:
        """Wait until the background work for a place is done; return how many workers wait."""
        stage = self._stages.get(_stage(place), _Waiting())
        while stage.filling is not None and not stage.filling.done():
            await asyncio.wait({stage.filling})
        found = [await worker.waits() for each in stage.workers.values() for worker in each]
        return sum(found)

    def any_for(self, place: Place) -> bool:
        """Whether any worker waits, or is about to, in a place."""
        stage = self._stages.get(_stage(place))
        return stage is not None and any(stage.workers.values())

    async def take(self, place: Place, kind: Kind, setting: Setting) -> Worker | None:
        """Return a worker that waits for its command, which is the caller's from here on."""
        stage = self._stages.get(_stage(place), _Waiting())
        for worker in tuple(stage.workers[kind]):
            if worker.setting != setting or worker not in stage.workers[kind]:
                continue  # of no use for this command, maybe for the next
            stage.workers[kind].remove(worker)
            try:
                if await worker.waits():
                    return worker
            except asyncio.CancelledError:
                self._end_soon(worker)
                raise
            self._bury(stage, worker)
        return None

    async def dismiss(self, place: Place) -> None:
        """End all that wait in a place; nothing of them is left then."""
        stage = self._stages.pop(_stage(place), None)
        if stage is None:
            return
        if stage.filling is not None:
            stage.filling.cancel()
            await asyncio.wait({stage.filling})
        for workers in stage.workers.values():
            for worker in workers:
                self._end_soon(worker)
        if self._ends:
            await asyncio.wait(set(self._ends))

    def _bury(self, stage: _Waiting, worker: Worker) -> None:
        """Remove one that died; what never came to wait is not tried again."""
        if not worker.tree.waited:
            stage.unfit.add(worker.setting)
        self._end_soon(worker)

    def _end_soon(self, worker: Worker) -> None:
        task = asyncio.get_running_loop().create_task(worker.end())
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _fill(self, place: Place, stage: _Waiting) -> None:
        while True:
            stage.again = False
            for kind, most in MOST.items():
                if _memory_is_short():
                    return
                with suppress(SandboxError, OSError):  # the next command will meet it and say so
                    await self._fill_kind(place, stage, kind, most)
            if not stage.again:
                return

    async def _fill_kind(self, place: Place, stage: _Waiting, kind: Kind, most: int) -> None:
        while True:  # one by one: the first one is there the sooner, and a command waits for one
            with self.turns(place).mounting() as free:
                if not free or not await self._add_one(place, stage, kind, most):
                    return

    async def _add_one(self, place: Place, stage: _Waiting, kind: Kind, most: int) -> bool:
        """Replace what is of no use, add one where it is missing; say whether that was so."""
        setting = self._settings(place, kind)
        waiting = stage.workers[kind]
        for worker in list(waiting):
            if worker.setting != setting:
                waiting.remove(worker)
                self._end_soon(worker)
            elif worker.tree.over:
                waiting.remove(worker)
                self._bury(stage, worker)
        if setting is None or setting in stage.unfit or len(waiting) >= most:
            return False
        worker = self._start(place, kind, setting)
        waiting.append(worker)
        if not await worker.waits():  # its mounts may not be finished: it must not go on
            waiting.remove(worker)
            stage.unfit.add(setting)
            await worker.end()
        return True


def identities(root: Path, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return what lies at these paths now; a mount over what is gone would be gone as well."""
    found: list[tuple[int, int]] = []
    for name in names:
        try:
            at = os.lstat(root / name)
        except OSError:
            found.append((0, 0))
        else:
            found.append((at.st_dev, at.st_ino))
    return tuple(found)


def _stage(place: Place) -> object:
    return (place.workspace, place.tree, place.enter)


def _memory_is_short() -> bool:
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        free_kib = int(text.partition("MemAvailable:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return False
    return free_kib * 1024 < FREE_BYTES
