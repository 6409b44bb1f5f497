"""Confine a command with Landlock, seccomp and limits: where bubblewrap cannot be used.

Landlock lets listed paths through and refuses the rest. It has no view of its own: processes
of the host are listed, and within a writable folder nothing can be refused.

Source: landlock(7); Linux `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from turbo_tui.core.command import Command, Grants, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.confine import hiding, seccomp, toolchains
from turbo_tui.sandbox.confine.confine_exec import LANDLOCK_CREATE_RULESET, SCOPE_ABI
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.confine.orders import Rules
from turbo_tui.sandbox.confine.supervised import Confinement, run_supervised
from turbo_tui.sandbox.place import ConfinerName, Place
from turbo_tui.sandbox.process.limits import held_by_kernel, held_to

LEAST_ABI = 3  # before it a file could be emptied without the right to write: truncate(2)
VERSION_FLAG = 1

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/opt")
KERNEL = ("/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup", "/sys/kernel/mm")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel speaks; 0 for none."""
    if sys.platform != "linux":
        return 0
    version: int = ctypes.CDLL(None, use_errno=True).syscall(
        LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG
    )
    return max(version, 0)


class Landlock:
    """The second choice on Linux; REDUCED, because of what its guarantees name.

    Args:
        limits: What a command may use.
        environ: The user's environment; the process's own when None.
        home: The user's home folder; from the system when None.
        hide: Further folders that are not to be read, such as our own state.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        hide: Iterable[Path] = (),
    ) -> None:
        self._limits = limits or Limits()
        self._environ = dict(os.environ if environ is None else environ)
        self._home = home or toolchains.home_folder()
        self._hide = tuple(hide)
        self._abi = landlock_abi()

    @property
    def name(self) -> ConfinerName:
        """`landlock`."""
        return "landlock"

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """What it holds here; the gaps are Landlock's own."""
        ends, signals = "processes end with the command", ""
        if self._abi < SCOPE_ABI:
            ends = "processes usually end with the command, but one that is out to can outlive it"
            signals = ", and your processes can be sent signals"
        return (
            Guarantee(
                "writes",
                False,
                "contents only the stage's and a private scratch folder's, no /dev/shm; but "
                "mode, times and extended attributes of your other files can be changed, git's "
                "hooks and config and our settings in the stage, and System V memory, messages "
                "and semaphores",
            ),
            Guarantee(
                "reads",
                False,
                "home folders and the host's /tmp cannot be read; but names of processes and "
                "their command lines can, and secret files of the workspace in an overlay (a "
                "copy is made without those), and System V memory and messages of your programs",
            ),
            Guarantee("network", True, "no sockets at all unless the network is granted"),
            Guarantee(
                "limits",
                True,
                f"{held_by_kernel()}; disk and time watched; open files, file size and processor "
                "time of each process by the kernel",
            ),
            Guarantee(
                "tree",
                False,
                f"{ends}; they are not hidden, and limits and priorities "
                f"of your other processes can be changed{signals}",
            ),
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
            SandboxError: It could not be started, or Landlock is too old or off.
        """
        grants = command.grants
        refuse_grants(grants)
        network = grants.network != "off"
        rules_file = seccomp.filter_path("inet" if network else "none", ptrace=grants.ptrace)
        if self._abi < LEAST_ABI or rules_file is None:
            raise SandboxError(
                f"Landlock version {LEAST_ABI} and a system call filter for this machine are "
                f"needed; the kernel has version {self._abi}. `turbo-tui doctor` shows what works."
            )
        hidden = (*hiding.hidden_folders(self._home), Path(hiding.SCRATCH), *_unlisted())
        tools = toolchains.detect(place.workspace, self._home, self._environ, hidden)
        tools = tools.with_network() if network else tools
        around = Surroundings(place.workspace, self._home, self._hide)
        granted = around.granted_paths(grants)

        def confine(scratch: Path) -> Confinement:
            git = hiding.git_folders(place.git_dir) if place.git_dir is not None else ()
            read = [*self._system, *_tools(tools), *map(str, git), *_resolver(network)]
            read += (str(each.path) for each in granted if not each.writable)
            write = [str(place.tree), str(scratch), *DEVICES]
            write += (str(each.path) for each in granted if each.writable)
            rules = Rules(abi=self._abi, read=read, write=write)
            return Confinement(rules, str(rules_file))

        return await run_supervised(
            place,
            command,
            tools,
            confine,
            limits=held_to(command.limits, self._limits),
            environ=self._environ,
            on_output=on_output,
        )

    def warm(self, place: Place) -> None:
        """Nothing waits here for a command."""

    async def dismiss(self, place: Place) -> None:
        """Nothing waits here for a command."""

    @cached_property
    def _system(self) -> tuple[str, ...]:
        """Paths of the system that may be read; for root not those only root may read."""
        closed = {Path(os.path.realpath(path)) for path in (self._home, *self._hide)}
        if os.geteuid() == 0:
            closed |= {path for path, _ in hiding.root_only_paths()}
        readable = (part for top in (*SYSTEM, "/etc") for part in _open_below(Path(top), closed))
        return (*readable, *KERNEL)


def refuse_grants(grants: Grants) -> None:
    """Refuse the grants that would give more than what the user agreed to.

    Raises:
        SandboxError: There is such a one.
    """
    if grants.network == "hosts":
        raise SandboxError(
            "The network cannot be granted for single hosts here: Landlock tells no hosts apart. "
            "Install bubblewrap, or grant the whole network."
        )
    if grants.unix_sockets:
        raise SandboxError(
            "Unix sockets cannot be granted here: under Landlock a command would reach those of "
            "the machine's services too. Install bubblewrap, or use a loopback port."
        )


def _open_below(folder: Path, closed: set[Path]) -> Iterator[str]:
    """Yield a folder, or its parts without those that are closed: Landlock cannot take back."""
    if folder in closed:
        return
    if not any(path.is_relative_to(folder) for path in closed):
        yield str(folder)
        return
    for entry in folder.iterdir():
        if not entry.is_symlink():
            yield from _open_below(entry, closed)


def _tools(tools: toolchains.Toolchains) -> Iterator[str]:
    """Yield the folders of the user's tools, less the credentials that lie in them."""
    closed = {path for path, _ in tools.credentials}
    for folder in tools.folders:
        yield from _open_below(folder, closed)


def _unlisted() -> Iterator[Path]:
    """Yield the system's top folders that no rule lets through: tools in them have to be named."""
    listed = {Path(path).parts[1] for path in (*SYSTEM, *KERNEL, *DEVICES, "/etc")}
    for folder in Path("/").iterdir():
        if folder.name not in listed and folder.is_dir() and not folder.is_symlink():
            yield folder


def _resolver(network: bool) -> tuple[str, ...]:  # noqa: FBT001 - a private word of one caller
    """Return the real resolv.conf, where it lies in /run."""
    return (os.path.realpath("/etc/resolv.conf"),) if network else ()
