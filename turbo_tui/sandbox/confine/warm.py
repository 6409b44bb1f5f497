"""Give a command a sandbox that already waits for it, where that changes nothing for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from turbo_tui.core.command import NOTHING, Command, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine import hiding
from turbo_tui.sandbox.confine.trusted import has_own_system, waiting_interpreter
from turbo_tui.sandbox.confine.view import View, inside, is_for_owner
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.process.limits import kernel_limits, prlimit_argv, threads_here
from turbo_tui.sandbox.process.orphans import adopting_orphans
from turbo_tui.sandbox.process.pool import Pool, Setting, Worker, identities
from turbo_tui.sandbox.process.running import Bounds, run_started
from turbo_tui.sandbox.process.tree import Launch, start
from turbo_tui.sandbox.process.workers import (
    SHELL,
    SHELL_FIRST,
    SYSTEM_VARIABLES,
    Kind,
    python_argv,
    python_order,
    shell_order,
    stamps_at_start,
    variables_at_start,
)

ANY_PYTHON = Command(("python3",))
WAITS_IN = "/"  # not in the workspace: an interpreter looks for modules where it is


class StartWorker(Protocol):
    """Say how a confiner starts a worker in a place, with these options."""

    def __call__(
        self, place: Place, options: Sequence[str], argv: Sequence[str], *, stdin_fd: int
    ) -> Launch:
        """Return what to start; the descriptor is closed by whoever starts it."""
        ...


class WarmSandboxes:
    """Keep workers waiting in each stage and run commands in them.

    Args:
        view: Computes mounts and variables.
        launch: How a worker is started.
        limits: What a command is held to that asks for nothing else.
    """

    def __init__(self, view: View, launch: StartWorker, limits: Callable[[], Limits]) -> None:
        self._view = view
        self._launch = launch
        self._limits = limits
        self._pool = Pool(self._setting_now, self._start)
        self.warm = self._pool.warm
        self.ready = self._pool.ready
        self.dismiss = self._pool.dismiss
        self.turns = self._pool.turns

    async def run(
        self, place: Place, command: Command, limits: Limits, bounds: Bounds
    ) -> CommandResult | None:
        """Run a command in a worker.

        Returns:
            None when none is at hand that is what the command's own sandbox would be, or when it
            died before the command began: then the command has not been run.
        """
        if command.grants or not self._pool.any_for(place):
            return None
        if not _is_within(limits, self._limits()):  # the kernel's are never raised
            return None
        try:
            folder = inside(place, command.cwd)
            variables = self._view.variables(place, command)
            mounts = self._view.mounts(place, NOTHING, limits)
        except SandboxError:  # who makes a sandbox for it says so, if it is so then
            return None
        orders: dict[Kind, bytes | None] = {
            "python": python_order(command, folder, variables) if can_be_held(place) else None,
            "shell": shell_order(command, folder, variables, _limiting(place, limits)),
        }
        for kind, order in orders.items():
            if order is None:
                continue
            setting = _setting(place, mounts, variables, kind)
            worker = await self._pool.take(place, kind, setting) if setting is not None else None
            if worker is None:
                continue
            with adopting_orphans():
                if _hold(worker, place, limits) and worker.give(order):
                    result = await run_started(worker.tree, bounds)
                    if worker.tree.begun or result.ended != "exited":
                        return result
                else:
                    await worker.end()
        return None

    def _setting_now(self, place: Place, kind: Kind) -> Setting | None:
        if kind == "python" and not can_be_held(place):
            return None
        variables = self._view.variables(place, ANY_PYTHON)
        mounts = self._view.mounts(place, NOTHING, self._limits())
        return _setting(place, mounts, variables, kind)

    def _start(self, place: Place, kind: Kind, setting: Setting) -> Worker:
        read_end, write_end = os.pipe()
        try:
            if is_for_owner(place):
                os.fchown(read_end, place.owner_uid, place.owner_gid)  # who opens it once more
            os.set_blocking(write_end, False)
            variables = setting.variables if kind == "python" else SYSTEM_VARIABLES
            words = [*setting.words, "--clearenv"]
            for name, value in variables:
                words += ("--setenv", name, value)
            words += ("--chdir", WAITS_IN)
            started = {**dict(variables), "PWD": WAITS_IN}
            argv = SHELL if kind == "shell" else python_argv(setting.program, started)
            argv = (*_limiting_what_waits(place, self._limits()), *argv)
            try:
                launch = self._launch(place, words, argv, stdin_fd=read_end)
            except BaseException:
                os.close(read_end)
                raise
            tree = start(launch)
        except BaseException:
            os.close(write_end)
            raise
        worker = Worker(setting, tree, write_end)
        if kind == "shell":
            with suppress(OSError):  # it died: that shows by itself
                os.write(write_end, SHELL_FIRST)
        return worker


def _setting(
    place: Place, mounts: Sequence[str], variables: Mapping[str, str], kind: Kind
) -> Setting | None:
    """Return all that decides whether a worker is what a command's own sandbox would be.

    Returns:
        None where what would wait is not out of the commands' reach.
    """
    if has_own_system(place.workspace):
        return None
    root = hiding.host_view(place)
    names = tuple(_points_within(mounts, place.workspace))
    about = identities(root, names)
    if kind == "shell":
        return Setting(tuple(mounts), about)
    known = variables_at_start(variables)
    program = waiting_interpreter(root, place.workspace, dict(known))
    if not program:
        return None
    stamps = stamps_at_start(root, place.workspace, variables["PATH"])
    return Setting(tuple(mounts), about, known, stamps, program)


def _points_within(mounts: Sequence[str], workspace: Path) -> list[str]:
    """Return the mount points in the workspace, and the workspace itself, relative to it."""
    top = str(workspace)
    below = top.rstrip("/") + "/"
    return ["." if word == top else word[len(below) :] for word in mounts if _is_in(word, top)]


def mounts_below(options: Sequence[str], workspace: Path) -> bool:
    """Whether bubblewrap's options for a command mount anything below the workspace."""
    mounts = options[: options.index("--clearenv")]
    return any(name != "." for name in _points_within(mounts, workspace))


def _is_in(word: str, top: str) -> bool:
    return word == top or word.startswith(top.rstrip("/") + "/")


def can_be_held(place: Place) -> bool:
    """Whether limits can be set on a process in this place from here: on our own user's."""
    return sys.platform == "linux" and not is_for_owner(place)


def _limiting(place: Place, limits: Limits) -> tuple[str, ...]:
    """Return a prefix that limits a command where that cannot be done from here."""
    if can_be_held(place):
        return ()
    return prlimit_argv(limits, processes_of_user=threads_here())


def _limiting_what_waits(place: Place, limits: Limits) -> tuple[str, ...]:
    """Return the prefix that holds a worker itself; its command is held to no more than that.

    Where the kernel counts all that the owner runs, the number of processes is left out: by the
    time of the command it may be another one.
    """
    argv = prlimit_argv(limits)
    return argv if can_be_held(place) else tuple(w for w in argv if not w.startswith("--nproc="))


def _is_within(limits: Limits, most: Limits) -> bool:
    """Whether the kernel's limits of a command are within those of what waits."""
    wanted, held = kernel_limits(limits), kernel_limits(most)
    return all(name in wanted and wanted[name] <= held[name] for name in held)


def _hold(worker: Worker, place: Place, limits: Limits) -> bool:
    """Set the kernel's limits on the process that becomes the command; say whether it could be."""
    if not can_be_held(place):
        return True
    import resource  # noqa: PLC0415 - not on every platform

    pid = worker.tree.leaf_pid()
    if pid is None:
        return False
    for name, value in kernel_limits(limits).items():
        hard = value + 1 if name == "cpu" else value  # as `prlimit_argv` has it
        try:
            resource.prlimit(pid, getattr(resource, f"RLIMIT_{name.upper()}"), (value, hard))
        except (OSError, ValueError):
            return False
    return True
