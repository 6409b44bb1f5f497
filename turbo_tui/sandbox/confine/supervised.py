"""Run a command under the supervisor script: what Landlock and the last rung have in common."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from turbo_tui.core.command import Command, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, OnOutput
from turbo_tui.sandbox.confine import hiding, toolchains
from turbo_tui.sandbox.confine.environment import environment
from turbo_tui.sandbox.confine.orders import Order, Rules
from turbo_tui.sandbox.confine.scratch import delete_left, remove, scratch_folder
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.process.limits import kernel_limits, threads_here
from turbo_tui.sandbox.process.running import Bounds, run_tree
from turbo_tui.sandbox.process.tree import Launch
from turbo_tui.sandbox.system import SYSTEM_PATH

SCRIPT = Path(__file__).with_name("confine_exec.py")
STARTER_ENV = {"PATH": ":".join(SYSTEM_PATH), "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the supervisor puts on the command before it starts.

    Attributes:
        prefix: Words before the command's own: a program that confines it and becomes it.
    """

    landlock: Rules | None = None
    seccomp: str = ""
    prefix: tuple[str, ...] = ()


async def run_supervised(
    place: Place,
    command: Command,
    tools: toolchains.Toolchains,
    confine: Callable[[Path], Confinement],
    *,
    limits: Limits,
    environ: Mapping[str, str],
    on_output: OnOutput | None = None,
) -> CommandResult:
    """Run a command in a place's tree, with a scratch folder of its own.

    Args:
        place: Where; the command sees `place.tree`, by that path where it can.
        command: What.
        tools: For PATH and the variables of toolchains.
        confine: Told the scratch folder, says what to put on the command.
        limits: What it may use.
        environ: The user's environment.
        on_output: Gets output as it comes.

    Raises:
        SandboxError: It could not be started.
    """
    await asyncio.to_thread(delete_left, Path(tempfile.gettempdir()))
    with scratch_folder(place.owner_uid, place.owner_gid) as scratch:
        order = Order(
            argv=list(command.argv),
            env=environment(
                environ,
                path=tools.path,
                home=str(scratch / "home"),
                scratch=str(scratch / "tmp"),
                tools=tools.env,
                network=command.grants.network != "off",
                extra=command.env,
            ),
            cwd=inside(place, command.cwd),
            status_fd=-1,
            limits=kernel_limits(limits, processes_of_user=threads_here()),
            become=_become(place),
            parent=os.getpid(),
            mount=_mount(place),
            shown_as=_shown_as(place),
            landlock=None,
            seccomp="",
        )
        confinement = confine(scratch)
        order["landlock"], order["seccomp"] = confinement.landlock, confinement.seccomp
        order["argv"] = [*confinement.prefix, *command.argv]
        status_read, order["status_fd"] = os.pipe()
        os.set_blocking(status_read, False)
        try:
            order_fd = _order_file(order)
        except BaseException:
            os.close(status_read)
            os.close(order["status_fd"])
            raise
        python = (sys.executable, "-I", "-S", str(SCRIPT), str(order_fd))
        try:
            return await run_tree(
                Launch(
                    argv=(*place.enter, *python),
                    env=STARTER_ENV,
                    stdin=command.stdin,
                    pass_fds=(order_fd, order["status_fd"]),
                    status_fd=status_read,
                    supervised=True,
                ),
                Bounds(
                    timeout_s=command.timeout_s,
                    limits=limits,
                    disk=hiding.host_view(place),
                    scratch=scratch,
                    on_output=on_output,
                ),
            )
        finally:
            await asyncio.shield(asyncio.to_thread(remove, scratch))


def inside(place: Place, cwd: str) -> str:
    """Return a folder of the workspace as a path in the tree.

    Raises:
        SandboxError: It is not in the workspace, or not there.
    """
    hiding.check_folder(place, cwd)
    seen_at = place.workspace if _mount(place) else place.tree
    return str(seen_at / PurePosixPath(cwd))


def _mount(place: Place) -> list[str]:
    """Return (what, where) of the mount that shows a copy to the workspace's owner.

    It lies in root's own folders, which the owner who runs the command cannot pass through.
    """
    if not _become(place) or place.enter or place.tree == place.workspace:
        return []
    return [str(place.tree), str(place.workspace)]


def _order_file(order: Order) -> int:
    """Write the order to an unnamed file; return a descriptor at its start."""
    with tempfile.TemporaryFile() as file:
        try:
            file.write(json.dumps(order).encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise SandboxError(f"The command cannot be passed on: {error.reason}.") from error
        file.seek(0)
        return os.dup(file.fileno())


def _become(place: Place) -> list[int]:
    """Return the owner that root turns into; empty for anyone else."""
    is_for_owner = os.geteuid() == 0 and place.owner_uid != 0
    return [place.owner_uid, place.owner_gid] if is_for_owner else []


def _shown_as(place: Place) -> list[int]:
    """Return us, where the stage's user namespace shows everything as root's."""
    return [os.geteuid(), os.getegid()] if "-U" in place.enter else []
