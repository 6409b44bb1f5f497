"""What `turbo-tui doctor` says of the sandbox: what holds, and each part of it, tried for real."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from turbo_tui.commands.checks import Check, Status
from turbo_tui.core.errors import TurboError
from turbo_tui.core.ports import SandboxReport
from turbo_tui.wiring import Workspace

SANDBOX_S, PROGRAM_S = 60.0, 5.0
HOLDS = {
    "full": "holds everything",
    "reduced": "holds less than it could",
    "none": "UNSANDBOXED: commands run with your own rights, each one asked for",
}
NO_AUTO = "steps set to auto ask all the same"
PARTS = ("bubblewrap: ", "landlock: ", "seatbelt: ")  # begin a reason that is about one of them
# Of util-linux; what goes without each.
PROGRAMS = {
    "unshare": "stages are copies",
    "nsenter": "stages are copies",
    "mount": "stages are copies",
    "prlimit": "open files and file sizes have no limit",
    "setpriv": "root cannot work in another user's folder",
}
FOR_WORK = ("python3", "node", "npm", "go", "cargo", "java", "gcc", "cmake", "make", "rg")


async def sandbox_checks(workspace: Workspace) -> list[Check]:
    """Try what the workspace's next command would be confined by, then each rung by itself."""
    if not workspace.root.is_dir():
        return []
    from turbo_tui.sandbox.probing.remembered import FILE, Remembered  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="turbo-tui-doctor-") as spare:
        place = workspace
        if not can_write(workspace.state) or workspace.state.is_relative_to(workspace.root):
            place = replace(workspace, paths=replace(workspace.paths, state=Path(spare)))
        # Someone who asks wants to know how it is now.
        Remembered(place.paths.cache / FILE).forget()
        report: SandboxReport | None = None
        try:
            async with asyncio.timeout(SANDBOX_S):
                report = (await place.stages()).report
                found = [*report_checks(report)]
        except TurboError as error:
            found = [Check("sandbox", "missing", str(error))]
        except TimeoutError:
            words = f"trying it took longer than {SANDBOX_S:.0f} s"
            found = [Check("sandbox", "reduced", words, "Try again when idle.")]
        if not can_write(place.state):
            return found
        return [*found, *await _parts(place, report.rung if report else "")]


def report_checks(report: SandboxReport) -> Iterator[Check]:
    """Say what a report holds: the rung, then each guarantee.

    None of it is `missing`: on the lowest rung commands are asked for one by one.
    """
    # What is tried anew below says more of itself there.
    tried = [why for why in report.reasons if why.startswith(PARTS) and ": not tried" not in why]
    why = [f"{why.rstrip('.')}." for why in report.reasons if why not in tried]
    below = [why.partition(":")[0] for why in tried]
    if below:
        why.append(f"See {' and '.join(below)} below.")
    status: Status = "ok" if report.level == "full" else "reduced"
    words = f"{report.rung}: {HOLDS[report.level]}"
    if report.level != "full":
        words += f"; {NO_AUTO}"
    yield Check("sandbox", status, words, " ".join(why))
    for promise in report.guarantees:
        held: Status = "ok" if promise.held else "reduced"
        yield Check(f"sandbox {promise.name}", held, promise.detail)


async def _parts(workspace: Workspace, rung: str) -> list[Check]:
    stages, _, confiner = rung.partition("+")
    checks = [check async for check in _confiners(workspace, confiner)]
    return [
        *checks,
        await asyncio.to_thread(_overlay, workspace, stages),
        await asyncio.to_thread(_reflink, workspace, stages),
        *(await asyncio.to_thread(_of_linux) if sys.platform == "linux" else ()),
        _for_work(),
    ]


def _of_linux() -> list[Check]:
    return [_namespaces(), _filter(), _groups(), _programs()]


async def _confiners(workspace: Workspace, used: str) -> AsyncIterator[Check]:
    from turbo_tui.sandbox.probing.probe import ELSEWHERE, NAMES, make, missing  # noqa: PLC0415
    from turbo_tui.sandbox.probing.trials import trial  # noqa: PLC0415

    best = ""
    for name in NAMES:
        fault = missing(name)
        if name == "unsandboxed" or fault.startswith(ELSEWHERE):
            continue
        version = await asyncio.to_thread(_version, name)
        if not fault:
            fault = await trial(make(name, state=workspace.state), workspace.state)
        if fault:
            said, mend = _said_and_mend(fault)
            status: Status = "reduced"
            if best:
                said, mend, status = f"{said}; not needed while {best} holds", "", "ok"
            yield Check(name, status, f"{version}{said}", mend)
            continue
        best = best or name
        use = "used here" if name == used else f"not used: {best} is better" if best != name else ""
        yield Check(name, "ok", f"{version}held all that was tried; {use or 'not used here'}")


def _said_and_mend(fault: str) -> tuple[str, str]:
    from turbo_tui.sandbox.probing.mends import mend_of  # noqa: PLC0415

    mend = mend_of(fault)
    if mend and fault.endswith(mend):
        return fault.removesuffix(mend).rstrip(". "), f"{mend}."
    said, _, mend = fault.partition(": ")
    return (said, f"{mend}.") if mend else (fault, "")


def _version(name: str) -> str:
    """Return which one it is, to stand before what is said of it."""
    from turbo_tui.sandbox.confine import bubblewrap  # noqa: PLC0415
    from turbo_tui.sandbox.confine.landlock import landlock_abi  # noqa: PLC0415

    if name == "landlock":
        abi = landlock_abi()
        return f"version {abi}: " if abi else ""
    if name == "seatbelt":
        return "not yet tried on a Mac by us: "
    said = _said(bubblewrap.PROGRAM, "--version")
    return f"{bubblewrap.PROGRAM} {said.removeprefix('bubblewrap ')}: " if said else ""


def _said(*argv: str) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=PROGRAM_S, check=False, cwd="/"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _overlay(workspace: Workspace, stages: str) -> Check:
    from turbo_tui.sandbox.staging.overlay import why_not  # noqa: PLC0415

    try:
        why = why_not(workspace.root, workspace.state)
    except OSError as error:
        why = f"it cannot be tried in {workspace.state}: {error.strerror}"
    if why is not None:
        detail = "stages are copies: slower to make in large projects"
        return Check("overlay", "reduced", detail, f"{why}.")
    made = "stages are made at once, whatever the project's size"
    return Check("overlay", "ok", made if stages == "overlay" else "works; not used here")


def _reflink(workspace: Workspace, stages: str) -> Check:
    """Say whether a copy can share blocks with the workspace: one costs then next to nothing."""
    from turbo_tui.sandbox.staging.overlay import file_system  # noqa: PLC0415

    kind = file_system(workspace.state.resolve()) or "its file system"
    if workspace.root.stat().st_dev != workspace.state.stat().st_dev:
        why = "workspace and state lie on different file systems"
        mend = "Optional: TURBO_TUI_HOME on the workspace's, if it can (btrfs, XFS)."
    elif not _shares(workspace.state):
        why = f"{kind} shares no blocks between files"
        mend = "Optional: btrfs or XFS can."
    else:
        return Check("reflink", "ok", f"copies share their blocks with the workspace ({kind})")
    if stages == "overlay":
        return Check("reflink", "ok", f"{why}; not needed where stages are overlays")
    return Check("reflink", "reduced", f"copies are whole: {why}", mend)


def _shares(folder: Path) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415 - not on every platform

    from turbo_tui.sandbox.staging.cloning import FICLONE  # noqa: PLC0415

    try:
        with (
            tempfile.TemporaryFile(dir=folder) as source,
            tempfile.TemporaryFile(dir=folder) as copy,
        ):
            source.write(b"x" * 65_536)
            source.flush()
            fcntl.ioctl(copy.fileno(), FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _namespaces() -> Check:
    from turbo_tui.sandbox.probing.mends import mend_of  # noqa: PLC0415
    from turbo_tui.sandbox.system import SYSTEM_PATH  # noqa: PLC0415

    try:
        done = subprocess.run(
            ("unshare", "-U", "-r", "true"),
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
            cwd="/",
            env={"PATH": os.pathsep.join(SYSTEM_PATH)},  # not one that a step planted
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("user namespaces", "reduced", f"cannot be tried: {error}")
    if done.returncode == 0:
        return Check("user namespaces", "ok", "allowed")
    said = done.stderr.strip() or f"exit {done.returncode}"
    mend = mend_of(f"namespace: {said}")
    return Check("user namespaces", "reduced", f"refused: {said}", mend)


def _filter() -> Check:
    from turbo_tui.sandbox.confine.seccomp import MACHINES, filter_path  # noqa: PLC0415

    machine = os.uname().machine
    if filter_path("inet") is not None:
        return Check("system call filter", "ok", f"for {machine}")
    detail = f"none for {machine}: commands are refused where one is needed"
    return Check("system call filter", "reduced", detail, f"There is one for {', '.join(MACHINES)}")


def _groups() -> Check:
    from turbo_tui.sandbox.process.cgroup import find_base  # noqa: PLC0415
    from turbo_tui.sandbox.process.limits import DEFAULTS  # noqa: PLC0415

    base = find_base()
    group = base.make(DEFAULTS) if base is not None else None
    if base is None or group is None:
        detail = "none can be made by you: memory and processes are watched instead, from outside"
        return Check("control groups", "ok", detail)
    group.close()
    held = f"version {base.version}: the kernel itself bounds a command's memory and processes"
    return Check("control groups", "ok", held)


def _programs() -> Check:
    from turbo_tui.sandbox.system import SYSTEM_PATH  # noqa: PLC0415

    where = os.pathsep.join(SYSTEM_PATH)
    absent = [name for name in PROGRAMS if shutil.which(name, path=where) is None]
    if not absent:
        return Check("sandbox programs", "ok", f"{', '.join(PROGRAMS)}")
    lacks = dict.fromkeys(PROGRAMS[name] for name in absent)
    detail = f"{', '.join(absent)} not in {where}: {', '.join(lacks)}"
    return Check("sandbox programs", "reduced", detail, "Install util-linux.")


def _for_work() -> Check:
    found = [name for name in FOR_WORK if shutil.which(name) is not None]
    absent = [name for name in FOR_WORK if name not in found]
    lacking = f"; not here: {', '.join(absent)}" if absent else ""
    return Check("tools for projects", "ok", f"{', '.join(found) or 'none'}{lacking}")


def can_write(folder: Path) -> bool:
    """Tell whether files can be made in `folder`, or it in the nearest folder there is."""
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
