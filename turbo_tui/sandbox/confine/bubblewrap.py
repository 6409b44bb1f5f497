"""Confine a command with the system's bubblewrap: new namespaces, hidden homes, seccomp.

Only the distribution's own `bwrap` is used: it is the one that AppArmor profiles allow to
make user namespaces.

Source: bwrap(1); docs/decisions on the sandbox.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from turbo_tui.core.command import NOTHING, Command, Grants, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.confine import hiding, seccomp, toolchains
from turbo_tui.sandbox.confine.reaching import Reach, reaching
from turbo_tui.sandbox.confine.view import STARTER_ENV, View, is_for_owner
from turbo_tui.sandbox.confine.warm import WarmSandboxes, mounts_below
from turbo_tui.sandbox.place import ConfinerName, Place
from turbo_tui.sandbox.process.limits import held_by_kernel, held_to, prlimit_argv, threads_here
from turbo_tui.sandbox.process.running import Bounds, run_tree
from turbo_tui.sandbox.process.tree import Launch

PROGRAM = "/usr/bin/bwrap"


class Bubblewrap:
    """The first choice on Linux.

    Args:
        limits: What a command may use.
        environ: The user's environment; the process's own when None.
        home: The user's home folder; from the system when None.
        hide: Further folders to hide, such as our own state with other projects' sessions.
        program: Another bwrap than the system's.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        hide: Iterable[Path] = (),
        program: str = "",
    ) -> None:
        self._limits = limits or Limits()
        self._program = program or PROGRAM
        self._view = View(
            self._program,
            dict(os.environ if environ is None else environ),
            home or toolchains.home_folder(),
            hide,
        )
        self._waiting = WarmSandboxes(
            self._view, self._launch, lambda: held_to(Limits(), self._limits)
        )

    @property
    def name(self) -> ConfinerName:
        """`bubblewrap`."""
        return "bubblewrap"

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """What it holds here."""
        limited = bool(prlimit_argv(Limits()))
        filtered = all(
            seccomp.filter_path(sockets, ptrace=ptrace) is not None
            for sockets in ("inet", "unix")
            for ptrace in (False, True)
        )
        root = os.geteuid() == 0
        return (
            Guarantee("writes", True, "only the stage, a private /tmp and a private home"),
            Guarantee(
                "reads",
                True,
                "homes, /run, /mnt and the host's /tmp are hidden, secret files of the workspace "
                "are empty; system files are not hidden"
                + ("; of root's own files, only those in known places are hidden" if root else ""),
            ),
            Guarantee(
                "network",
                filtered,
                "none unless granted, and then by host or all; no unix sockets unless granted, "
                "which may then reach services of the system whose sockets lie outside of /run"
                if filtered
                else "none; a system call filter is missing for this machine, and commands that "
                "need it are refused",
            ),
            Guarantee(
                "limits",
                limited,
                f"{held_by_kernel()}; disk and time watched"
                + (
                    "; open files, file size and processor time of each process by the kernel"
                    if limited
                    else "; nothing else, util-linux' prlimit is missing"
                ),
            ),
            Guarantee("tree", True, "its own process namespace: all ends with the command"),
        )

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end, as `core.ports.Stage.run` says.

        Raises:
            SandboxError: The sandbox could not be started, or a grant cannot be given.
        """
        async with reaching(command.grants) as reach:
            result = await self._run(place, command, reach, on_output)
        return reach.noted(result)

    async def _run(
        self, place: Place, command: Command, reach: Reach, on_output: OnOutput | None
    ) -> CommandResult:
        limits = held_to(command.limits, self._limits)
        bounds = Bounds(
            timeout_s=command.timeout_s,
            limits=limits,
            disk=hiding.host_view(place),
            on_output=on_output,
        )
        async with self._waiting.turns(place).taken() as turn:
            done = await self._waiting.run(place, command, limits, bounds)
            if done is not None:
                return done
            try:
                options = self._view.options(place, command, limits)
            except SandboxError:
                # What another command has put there may be gone when that has ended.
                if await turn.alone():
                    raise
                options = self._view.options(place, command, limits)
            # Until it ends: nothing says when bubblewrap has made its mounts and the command runs.
            if mounts_below(options, place.workspace) and not await turn.alone():
                options = self._view.options(place, command, limits)
            try:
                return await self._run_cold(place, command, options, reach, bounds)
            except SandboxError:
                # What was to be covered may have gone since: nothing can be mounted there then.
                now = self._view.options(place, command, limits)
                if now == options or mounts_below(now, place.workspace):
                    raise
                return await self._run_cold(place, command, now, reach, bounds)

    async def _run_cold(
        self, place: Place, command: Command, options: Sequence[str], reach: Reach, bounds: Bounds
    ) -> CommandResult:
        # With no user namespace, the kernel counts all that the owner runs.
        others = threads_here() if is_for_owner(place) else 0
        argv = (
            *reach.argv,
            *prlimit_argv(bounds.limits, processes_of_user=others),
            *command.argv,
        )
        launch = self._launch(place, options, argv, command.grants, stdin=command.stdin)
        return await run_tree(replace(launch, lent_fds=reach.lent_fds), bounds)

    def _launch(
        self,
        place: Place,
        options: Sequence[str],
        argv: Sequence[str],
        grants: Grants = NOTHING,
        *,
        stdin: bytes = b"",
        stdin_fd: int | None = None,
    ) -> Launch:
        """Return what to start; a worker has a descriptor, by which it is told its command."""
        become = _become(place)
        # Opened anew for each command: descriptors of one opening share their offset.
        filters = [os.open(filter_for(grants), os.O_RDONLY)]
        status_read, status_write = os.pipe()
        os.set_blocking(status_read, False)
        # Among them are the command's variables, and every user of the machine can read an argv:
        # with the network come the addresses of proxies, which may hold a password.
        secret = [_written(options)] if grants.network == "all" else []
        words = (
            *place.enter,
            self._program,
            *(("--args", str(secret[0])) if secret else options),
            "--json-status-fd",
            str(status_write),
            *_seccomp_options(filters),
            "--",
            *become,
            *argv,
        )
        return Launch(
            argv=words,
            env=STARTER_ENV,
            stdin=stdin,
            stdin_fd=stdin_fd,
            pass_fds=(*secret, status_write, *filters),
            status_fd=status_read,
            worker=stdin_fd is not None,
        )

    def warm(self, place: Place) -> None:
        """Start sandboxes for the next commands in a place, in the background."""
        self._waiting.warm(place)

    async def ready(self, place: Place) -> int:
        """Wait until what `warm` began is done; return how many sandboxes wait."""
        return await self._waiting.ready(place)

    async def dismiss(self, place: Place) -> None:
        """End what waits for commands in a place; nothing holds its mounts when this returns."""
        await self._waiting.dismiss(place)


def filter_for(grants: Grants) -> Path:
    """Return the filter for commands with these grants.

    Raises:
        SandboxError: There is none: without it nothing may run.
    """
    sockets: seccomp.Sockets = "unix" if grants.unix_sockets else "inet"
    found = seccomp.filter_path(sockets, ptrace=grants.ptrace)
    if found is None:
        raise SandboxError(
            f"There is no system call filter for {os.uname().machine} and what was granted "
            f"({grants.words or 'nothing'}), so the command was not run. "
            "`turbo-tui doctor` shows what works here; a new installation has all filters."
        )
    return found


def _written(options: Sequence[str]) -> int:
    """Return a descriptor from which bubblewrap reads its options."""
    words = os.memfd_create("options")
    with os.fdopen(os.dup(words), "wb") as file:
        file.writelines(os.fsencode(option) + b"\0" for option in options)
    os.lseek(words, 0, os.SEEK_SET)
    return words


def _seccomp_options(filters: Sequence[int]) -> Iterator[str]:
    for fd in filters:
        yield from ("--seccomp", str(fd))


def _become(place: Place) -> tuple[str, ...]:
    """Return the prefix that turns root into the workspace's owner, without a way back."""
    if not is_for_owner(place):
        return ()
    setpriv = shutil.which("setpriv", path=STARTER_ENV["PATH"])
    if setpriv is None:
        raise SandboxError(
            f"The workspace belongs to user {place.owner_uid} and setpriv of "
            "util-linux is missing: run turbo-tui as that user, or install util-linux."
        )
    user, group = f"--reuid={place.owner_uid}", f"--regid={place.owner_gid}"
    return (setpriv, user, group, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--")
