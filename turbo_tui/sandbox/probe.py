"""Find out, by trying, what confines commands on this machine; say why nothing better does.

A rung counts only when it refused what it must refuse: a write outside its folder and a
connection to this process. That a program is installed, or a kernel new, proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Command, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox import bubblewrap
from turbo_tui.sandbox.landlock import LEAST_ABI, Landlock, landlock_abi
from turbo_tui.sandbox.place import Confiner, ConfinerName, Place
from turbo_tui.sandbox.trials import trial_folder
from turbo_tui.sandbox.unsandboxed import Unsandboxed

FORCE = "TURBO_TUI_RUNG"  # bubblewrap, landlock or unsandboxed: no other is tried
NAMES: tuple[ConfinerName, ...] = ("bubblewrap", "landlock", "unsandboxed")
PROBE_S = 10.0

# Where the command writes a file in its folder, tries one outside, and tries to connect.
_SCRIPT = """
echo held > inside || exit 11
( echo broken > "$1" ) 2>/dev/null
command -v bash >/dev/null && bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null
exit 0
"""

_INSTALL = {
    "debian": "apt install bubblewrap",
    "ubuntu": "apt install bubblewrap",
    "fedora": "dnf install bubblewrap",
    "rhel": "dnf install bubblewrap",
    "arch": "pacman -S bubblewrap",
    "suse": "zypper install bubblewrap",
    "opensuse": "zypper install bubblewrap",
    "alpine": "apk add bubblewrap",
    "gentoo": "emerge sys-apps/bubblewrap",
    "void": "xbps-install bubblewrap",
}


@dataclass(frozen=True, slots=True)
class Probed:
    """The best that works, and why nothing better does: each reason with its mend."""

    confiner: Confiner
    reasons: tuple[str, ...] = ()


async def probe(
    state: Path | None = None,
    *,
    rung: str = "",
    limits: Limits | None = None,
    environ: Mapping[str, str] | None = None,
) -> Probed:
    """Try what there is, best first.

    Args:
        state: Our state folder, hidden from commands, where the trial's folder is made; the
            system's temporary folder when None.
        rung: A confiner's name to use that one or none; empty takes it from `TURBO_TUI_RUNG`.
        limits: What commands may use.
        environ: The user's environment; the process's own when None.

    Raises:
        SandboxError: A rung was named, and there is none of that name or it does not hold.
    """
    environ = os.environ if environ is None else environ
    wanted = rung or environ.get(FORCE, "")
    if wanted and wanted not in NAMES:
        raise SandboxError(f"{FORCE}={wanted}: there is no such sandbox; use {', '.join(NAMES)}.")
    reasons: list[str] = []
    for name in NAMES:
        if wanted and name != wanted:
            reasons.append(f"{name}: not tried, {FORCE} names {wanted}")
            continue
        confiner = _make(name, limits, environ, state)
        fault = missing(name) or await trial(confiner, state)
        if not fault:
            better = NAMES[: NAMES.index(name)]
            return Probed(confiner, tuple(why for why in reasons if why.split(":")[0] in better))
        reasons.append(f"{name}: {fault}")
    raise SandboxError(f"No sandbox: {'; '.join(reasons)}.")


def _make(
    name: ConfinerName, limits: Limits | None, environ: Mapping[str, str], state: Path | None
) -> Confiner:
    match name:
        case "bubblewrap":
            return bubblewrap.Bubblewrap(limits, environ=environ, hide=(state,) if state else ())
        case "landlock":
            return Landlock(limits, environ=environ, hide=(state,) if state else ())
        case "unsandboxed":
            return Unsandboxed(limits, environ=environ)


def missing(name: ConfinerName, *, platform: str = sys.platform) -> str:
    """Return what is not there, with its mend; empty when a trial makes sense."""
    if name == "unsandboxed":
        return ""
    if platform != "linux":
        return "works on Linux only"
    if name == "landlock":
        abi = landlock_abi()
        if abi >= LEAST_ABI:
            return ""
        return f"Landlock {LEAST_ABI} is needed, the kernel has {abi or 'none'}: Linux 6.2 or newer"
    if not Path(bubblewrap.PROGRAM).is_file():
        return f"{bubblewrap.PROGRAM} is not installed: {install_line()}"
    return ""


async def trial(confiner: Confiner, state: Path | None = None) -> str:
    """Try to break out; return what is wrong with this confiner, empty when it held."""
    root = _trial_folder(state)
    try:
        return await _trial(confiner, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _trial_folder(state: Path | None) -> Path:
    return trial_folder(state, "turbo-tui-probe").resolve()


async def _trial(confiner: Confiner, root: Path) -> str:
    workspace, outside = root / "workspace", root / "outside"
    workspace.mkdir()
    outside.write_text("untouched")
    connections = 0

    def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        argv = ("/bin/sh", "-c", _SCRIPT, "sh", str(outside), str(port))
        place = Place(workspace, workspace, (), os.geteuid(), os.getegid())
        try:
            result = await confiner.run(place, Command(argv, timeout_s=PROBE_S))
        except SandboxError as error:
            return explain(str(error))
    if result.exit_code or not (workspace / "inside").is_file():
        return f"a command could not run in it (exit {result.exit_code}): {result.output.strip()}"
    if confiner.name == "unsandboxed":
        return ""
    if outside.read_text() != "untouched":
        return "a command wrote outside its folder"
    return "a command reached the network" if connections else ""


def explain(message: str, sysctls: Path = Path("/proc/sys")) -> str:
    """Add to bubblewrap's own words what to do about them.

    Args:
        message: As it failed.
        sysctls: Where the kernel's settings are read.
    """
    mends = (
        (
            _sysctl(sysctls, "kernel/apparmor_restrict_unprivileged_userns") == "1",
            (
                "AppArmor refuses user namespaces: install the distribution's own bubblewrap with "
                "its profile (apt install bubblewrap apparmor-profiles), or run "
                "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            ),
        ),
        (
            _sysctl(sysctls, "kernel/unprivileged_userns_clone") == "0",
            "user namespaces are off: run `sysctl kernel.unprivileged_userns_clone=1`",
        ),
        (
            _sysctl(sysctls, "user/max_user_namespaces") == "0",
            "no user namespaces are allowed: run `sysctl user.max_user_namespaces=15000`",
        ),
        (
            Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
            (
                "this container refuses namespaces or mounts: start it with --security-opt "
                "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
                "systempaths=unconfined"
            ),
        ),
    )
    mend = next((mend for applies, mend in mends if applies), "")
    return f"{message} {mend}".strip()


def _sysctl(root: Path, name: str) -> str:
    try:
        return (root / name).read_text("ascii").strip()
    except OSError:
        return ""


def install_line(os_release: Path = Path("/etc/os-release")) -> str:
    """Return how this distribution installs bubblewrap; never from a Python registry."""
    try:
        lines = os_release.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    for word in f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split():
        if word in _INSTALL:
            return _INSTALL[word]
    return "install your distribution's package `bubblewrap`"
