"""Find out, by trying, what confines commands on this machine; say why nothing better does.

A rung counts only when it refused what it must refuse: a write outside its folder, a read of a
hidden file, a connection to this process, a process that outlives its command. That a program is
installed, or a kernel new, proves nothing. What held a moment ago, under the same circumstances,
is believed once more (`remembered`); a command that cannot be started in it makes us try again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine import bubblewrap, seatbelt
from turbo_tui.sandbox.confine.landlock import LEAST_ABI, Landlock, landlock_abi
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner, ConfinerName
from turbo_tui.sandbox.probing.mends import install_line
from turbo_tui.sandbox.probing.remembered import Remembered
from turbo_tui.sandbox.probing.trials import trial

FORCE = "TURBO_TUI_RUNG"  # a confiner's name: no other is tried
NAMES: tuple[ConfinerName, ...] = ("bubblewrap", "landlock", "seatbelt", "unsandboxed")
ELSEWHERE = "works on "  # begins the fault of what another system has


@dataclass(frozen=True, slots=True)
class Probed:
    """The best that works, and why nothing better does: each reason with its mend.

    Attributes:
        remembered: It held when last tried, and was not tried now.
    """

    confiner: Confiner
    reasons: tuple[str, ...] = ()
    remembered: bool = False


async def probe(
    state: Path | None = None,
    *,
    rung: str = "",
    limits: Limits | None = None,
    environ: Mapping[str, str] | None = None,
    memory: Remembered | None = None,
    hide: Sequence[Path] = (),
) -> Probed:
    """Try what there is, best first.

    Args:
        state: Our state folder, hidden from commands, where the trial's folder is made; the
            system's temporary folder when None.
        rung: A confiner's name to use that one or none; empty takes it from `TURBO_TUI_RUNG`.
        limits: What commands may use.
        environ: The user's environment; the process's own when None.
        memory: What is believed untried, and told what held; None tries and tells nobody.
        hide: Further folders of ours that commands are not to see.

    Raises:
        SandboxError: A rung was named, and there is none of that name or it does not hold.
        OSError: Nothing can be written to `state`.
    """
    environ = os.environ if environ is None else environ
    wanted = rung or environ.get(FORCE, "")
    if wanted and wanted not in NAMES:
        raise SandboxError(f"{FORCE}={wanted}: there is no such sandbox; use {', '.join(NAMES)}.")
    names = (wanted,) if wanted else NAMES
    reasons = [
        f"{name}: not tried, {FORCE} or your configuration names {wanted}"
        for name in NAMES[: NAMES.index(names[0])]
        if not missing(name).startswith(ELSEWHERE)
    ]
    for name in names:
        confiner = make(name, limits, environ, state, hide)
        fault = missing(name)
        if not fault and memory is not None and memory.held(name):
            return Probed(confiner, tuple(reasons), remembered=True)
        fault = fault or await trial(confiner, state)
        if not fault:
            if memory is not None and not wanted and name != "unsandboxed":
                memory.keep(name)
            return Probed(confiner, tuple(reasons))
        if not fault.startswith(ELSEWHERE):
            reasons.append(f"{name}: {fault}")
        if wanted:
            raise SandboxError(
                f"No sandbox: {name}: {fault}. {FORCE} or your configuration names {wanted}, so no "
                "other was tried; take that out to use the best there is."
            )
    raise SandboxError(f"No sandbox: {'; '.join(reasons)}.")


def make(
    name: ConfinerName,
    limits: Limits | None = None,
    environ: Mapping[str, str] | None = None,
    state: Path | None = None,
    more: Sequence[Path] = (),
) -> Confiner:
    """Make a confiner by its name, untried; our state, and more, is hidden from its commands."""
    hide = (state, *more) if state else more
    makers: dict[ConfinerName, Callable[[], Confiner]] = {
        "bubblewrap": lambda: bubblewrap.Bubblewrap(limits, environ=environ, hide=hide),
        "landlock": lambda: Landlock(limits, environ=environ, hide=hide),
        "seatbelt": lambda: seatbelt.Seatbelt(limits, environ=environ, hide=hide),
        "unsandboxed": lambda: Unsandboxed(limits, environ=environ),
    }
    return makers[name]()


def missing(name: ConfinerName, *, platform: str = sys.platform) -> str:
    """Return what is not there, with its mend; empty when a trial makes sense."""
    if name == "unsandboxed":
        return ""
    if name == "seatbelt":
        return seatbelt.missing(platform)
    if platform != "linux":
        return f"{ELSEWHERE}Linux only"
    return _without_bubblewrap() if name == "bubblewrap" else _without_landlock()


def _without_bubblewrap() -> str:
    program = Path(bubblewrap.PROGRAM)
    if not program.is_file():
        return f"{program} is not installed: {install_line()}"
    if not os.access(program, os.X_OK):
        return (
            f"{program} is there, but may not be executed: run `chmod 755 {program}`, or install "
            f"it anew ({install_line()})"
        )
    return ""


def _without_landlock() -> str:
    abi = landlock_abi()
    if abi >= LEAST_ABI:
        return ""
    return (
        f"Landlock {LEAST_ABI} is needed and the kernel has {abi or 'none'}: use Linux 6.2 or "
        "newer, with landlock among the modules that /sys/kernel/security/lsm lists"
    )
