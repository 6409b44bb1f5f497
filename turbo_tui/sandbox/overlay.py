"""An overlay of the workspace in a private mount namespace, held by a process of ours.

    workspace (lower, read-only) + upper + work -> mounted over the workspace's own path

Nothing outside the namespace sees the mount. The holder is a shell that waits for the end of
its standard input: it ends with us, however we end, and the mount ends with it.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.beneath import Beneath, remove_tree
from turbo_tui.sandbox.deltas import Delta, gone_below
from turbo_tui.sandbox.toolchains import SYSTEM_PATH
from turbo_tui.sandbox.trials import trial_folder

READY_S = 10.0
GONE_S = 2.0

# The folders are named by descriptors that the shell itself opened in the new namespace, so
# that no character of a path is special to mount(8) or to the overlay's option parser; an older
# descriptor would name a mount of the old namespace, which nothing can be mounted on.
# `index=off`: a kept upper must mount again over a workspace that was landed to meanwhile.
_MOUNT = (
    'exec 7<"$1" 8<"$2" 9<"$3" && mount -i -c -t overlay -o '
    "userxattr,index=off,lowerdir=/proc/self/fd/7,upperdir=/proc/self/fd/8,"
    "workdir=/proc/self/fd/9 turbo-tui /proc/self/fd/7 && exec 7<&- 8<&- 9<&- && echo ready"
)
_HOLD = _MOUNT + " && read -r _"


def _argv(script: str, workspace: Path, upper: Path, work: Path) -> list[bytes]:
    # Root mounts without a user namespace, so that other owners' files can be copied up.
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-U", "-r", "-m")
    paths = (os.fsencode(path) for path in (workspace, upper, work))
    return [*(word.encode() for word in (*unshare, "sh", "-c", script, "turbo-tui")), *paths]


def _environment() -> dict[str, str]:
    # Never the user's PATH: an activated environment in the workspace could bring its own mount.
    return {"PATH": os.pathsep.join(SYSTEM_PATH), "LC_ALL": "C"}


class Holder:
    """The process that keeps one overlay mounted."""

    def __init__(self, workspace: Path, process: asyncio.subprocess.Process) -> None:
        self._workspace = workspace
        self._process = process

    @classmethod
    async def start(cls, workspace: Path, upper: Path, work: Path) -> Holder:
        """Mount; return when the stage can be used.

        Raises:
            StageError: The kernel or a permission refused; the message says what it said.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *_argv(_HOLD, workspace, upper, work),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
                cwd="/",
                start_new_session=True,  # a Ctrl-C in the terminal is ours, not the stage's
            )
        except OSError as error:
            raise StageError(f"Cannot mount a stage over {workspace}: {error}.") from error
        holder = cls(workspace, process)
        if process.stdout is None or process.stderr is None:
            raise StageError("The stage's holder has no pipes.")
        try:
            async with asyncio.timeout(READY_S):
                if await process.stdout.readline() == b"ready\n":
                    return holder
                said = await process.stderr.read()
        except TimeoutError:
            said = b"no answer from the kernel within 10 s"
        except BaseException:
            await holder.stop()
            raise
        await holder.stop()
        raise StageError(f"Cannot mount a stage over {workspace}: {_reason(said)}.")

    @property
    def alive(self) -> bool:
        """Say whether the mount still stands."""
        # The namespace is gone before the process is: its end is told to the loop only later.
        namespace = f"/proc/{self._process.pid}/ns/mnt"
        return self._process.returncode is None and Path(namespace).exists()

    @property
    def enter(self) -> tuple[str, ...]:
        """Argv prefix that runs a command in the holder's namespaces."""
        pid = str(self._process.pid)
        if os.geteuid() == 0:
            return ("nsenter", "-t", pid, "-m", "--")
        return ("nsenter", "-t", pid, "-U", "-m", "--preserve-credentials", "--")

    @property
    def view(self) -> Path:
        """Where the host sees the merged tree; only to be opened, links in it lead to the host."""
        return Path(f"/proc/{self._process.pid}/root{self._workspace}")

    async def stop(self) -> None:
        """Unmount: end the holder."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(GONE_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def why_not(workspace: Path, state: Path) -> str | None:
    """Try a mount as a stage would make it; None when it works, else the reason with its mend.

    Args:
        workspace: Resolved; becomes the lower layer of the trial, nothing is written to it.
        state: Must exist; the trial's upper is made in it and removed.

    Raises:
        OSError: Nothing can be written to `state`.
    """
    if sys.platform != "linux":
        return "overlay mounts need Linux"
    inner = submounts(workspace)
    if inner:
        return (
            f"{inner[0]} is a mount of its own within the workspace, which an overlay does not "
            "show; unmount it to use overlays"
        )
    owner = workspace.stat()
    if os.geteuid() != 0 and (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
        return (
            f"{workspace} belongs to user {owner.st_uid}, group {owner.st_gid}, and an overlay "
            "without root cannot change such files; chown it to yourself to use overlays"
        )
    trial = trial_folder(state, "trial")
    try:
        return _trial(workspace, trial)
    finally:
        remove_tree(trial)


def _trial(workspace: Path, trial: Path) -> str | None:
    upper, work = trial / "upper", trial / "work"
    upper.mkdir()
    work.mkdir()
    try:
        os.setxattr(upper, "user.turbo-tui", b"1")
    except OSError:
        return (
            f"the file system of {trial.parent} keeps no user attributes; put the state elsewhere"
        )
    try:
        done = subprocess.run(
            _argv(_MOUNT, workspace, upper, work),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=READY_S,
            check=False,
            env=_environment(),
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"overlay mounts cannot be tried here: {error}"
    if done.stdout == b"ready\n":
        return None
    kind = file_system(trial)
    if kind == "overlay":
        return (
            f"{trial.parent} lies on an overlay itself (a container?), which the kernel does not "
            "take as a written layer; set TURBO_TUI_HOME to a folder on a volume or on tmpfs"
        )
    said = _reason(done.stderr)
    if "ermission" in said or "not permitted" in said:
        return (
            f"the kernel refuses overlay mounts to this user ({said}); allow unprivileged user "
            "namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
            "kernel.unprivileged_userns_clone=1)"
        )
    return f"an overlay over {workspace} cannot be mounted with its upper on {kind} ({said})"


def file_system(path: Path) -> str:
    """Name the type of the file system that `path` lies on; empty when it cannot be told."""
    best, kind = "", ""
    for point, fs_type in _mounts():
        below = path == Path(point) or str(path).startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(best):
            best, kind = point, fs_type
    return kind


def submounts(workspace: Path) -> list[str]:
    """List mount points that lie within the workspace."""
    inside = str(workspace).rstrip("/") + "/"
    return [point for point, _ in _mounts() if point.startswith(inside)]


def _mounts() -> list[tuple[str, str]]:
    """Read (mount point, type) of every mount; proc_pid_mountinfo(5)."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return []
    found: list[tuple[str, str]] = []
    for line in lines:
        left, _, right = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), left.split(b" ")[4])
        found.append((os.fsdecode(point), os.fsdecode(right.split(b" ")[0])))
    return found


def _reason(stderr: bytes) -> str:
    """Keep what mount(8) says, without the descriptors that it names."""
    text = stderr.decode(errors="replace").strip().splitlines()
    last = text[0] if text else "no reason given"
    return last.replace("/proc/self/fd/7: ", "").strip().rstrip(".")


# --- reading the written layer ----------------------------------------------------


def read_upper(upper: Beneath, lower: Beneath, unreadable: list[str]) -> Iterator[Delta]:
    """Yield what the written layer changes, folders before what they hold.

    Folders that cannot be listed are appended to `unreadable`.

    Source: docs.kernel.org/filesystems/overlayfs.html, "whiteouts and opaque directories".
    """
    todo: list[tuple[str, bool]] = [(".", True)]  # a folder, whether the lower one shows through
    while todo:
        folder, below = todo.pop()
        try:
            fd, entries = upper.listing(folder)
        except PermissionError:
            unreadable.append(folder)
            continue
        try:
            mark = _attribute(fd, "opaque")
            below = below and mark != b"y"
            names = {entry.name for entry in entries}
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                after = entry.stat(follow_symlinks=False)
                before = lower.lstat(path)
                if _is_whiteout(after, mark, fd, entry.name):
                    if before is not None:
                        yield from gone_below(lower, path, before)
                    continue
                yield from _one(lower, path, before, after)
                if stat.S_ISDIR(after.st_mode):
                    both = before is not None and stat.S_ISDIR(before.st_mode)
                    todo.append((path, below and both))
            if not below:
                yield from _hidden(lower, folder, names)
        finally:
            os.close(fd)


def _one(
    lower: Beneath, path: str, before: os.stat_result | None, after: os.stat_result
) -> Iterator[Delta]:
    goes = before is not None and stat.S_ISDIR(before.st_mode) and not stat.S_ISDIR(after.st_mode)
    if before is not None and goes:
        yield from gone_below(lower, path, before, itself=False)
    yield Delta(path, before, after)


def _hidden(lower: Beneath, folder: str, names: set[str]) -> Iterator[Delta]:
    """Yield what an opaque folder hides: all in the lower one that it does not hold itself."""
    try:
        fd, entries = lower.listing(folder)
    except OSError:
        return
    try:
        for entry in entries:
            if entry.name not in names:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                yield from gone_below(lower, path, entry.stat(follow_symlinks=False))
    finally:
        os.close(fd)


def _is_whiteout(found: os.stat_result, mark: bytes, fd: int, name: str) -> bool:
    if stat.S_ISCHR(found.st_mode):
        return found.st_rdev == 0
    if mark == b"x" and stat.S_ISREG(found.st_mode) and found.st_size == 0:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            return "whiteout" in _attribute_names(file)
        finally:
            os.close(file)
    return False


def _attribute(fd: int, name: str) -> bytes:
    """Read the overlay's own attribute, in the form of either kind of mount."""
    for kind in ("user", "trusted"):
        with suppress(OSError):
            return os.getxattr(fd, f"{kind}.overlay.{name}")
    return b""


def _attribute_names(fd: int) -> set[str]:
    with suppress(OSError):
        return {name.rpartition(".")[2] for name in os.listxattr(fd) if ".overlay." in name}
    return set()
