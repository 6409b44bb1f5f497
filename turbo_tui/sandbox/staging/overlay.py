"""An overlay of the workspace in a private mount namespace, held by a process of ours.

    workspace, layers (read-only) + upper + work -> mounted over the workspace's own path

Nothing outside the namespace sees the mount. The holder is a shell that waits for the end of
its standard input: it ends with us, however we end, and the mount ends with it.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging.beneath import Beneath, remove_tree
from turbo_tui.sandbox.staging.trial_folders import trial_folder
from turbo_tui.sandbox.system import SYSTEM_PATH

LINKS = "on"
MOST_LAYERS = 400  # the kernel takes 500; fs/overlayfs/params.h, OVL_MAX_STACK
READY_S = 10.0
GONE_S = 2.0

# The workspace and the written layer are named by descriptors that the shell itself opened in
# the new namespace, so that no character of a path is special to mount(8) or to the overlay's
# option parser; an older descriptor would name a mount of the old namespace, which nothing can be
# mounted on. Layers are named by links with short names, from the folder these lie in: all options
# together must fit in a page, 4096 bytes.
# `index=off`: a kept upper must mount again over a workspace that was landed to meanwhile.
_LAYER = "mount -i -c -t overlay -o userxattr,index=off,lowerdir="
_OVER = ",upperdir=/proc/self/fd/8,workdir=/proc/self/fd/9 turbo-tui /proc/self/fd/7"
_TRY = f'exec 7<"$1" 8<"$2" 9<"$3" && {_LAYER}/proc/self/fd/7{_OVER} && echo ready'

# What a stage lies on is mounted by itself first, read-only, and then covered by the stage: no
# path leads there but the descriptor that the host opens in between. A remount drops what the
# kernel remembers of the layers below, and with it the files that were replaced by rename there;
# mounts, descriptors and processes stay as they are (fs/super.c, reconfigure_super).
_HOLD = f"""
cd "$4" && exec 7<"$1" 8<"$2" 9<"$3" || exit 1
below="$5/proc/self/fd/7"
if [ -n "$5" ]; then
    {_LAYER}"$below" turbo-tui-base /proc/self/fd/7 && exec 6<"$1" || exit 1
    echo base
    read -r _ || exit 0
fi
{_LAYER}"$below"{_OVER} && exec 7<&- 8<&- 9<&- 5<"$1" && cd / || exit 1
echo ready
while read -r _; do
    if mount -i -c -o remount,rw /proc/self/fd/5 &&
        {{ [ -z "$5" ] || mount -i -c -o remount,ro /proc/self/fd/6; }}
    then echo fresh
    else echo stale
    fi 2>/dev/null
done
"""


def _argv(script: str, workspace: Path, *paths: Path | str) -> list[bytes]:
    # Root mounts without a user namespace, so that other owners' files can be copied up.
    unshare = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-U", "-r", "-m")
    words = (*unshare, "sh", "-c", script, "turbo-tui", workspace, *paths)
    return [os.fsencode(word) for word in words]


def _environment() -> dict[str, str]:
    # Never the user's PATH: an activated environment in the workspace could bring its own mount.
    return {"PATH": os.pathsep.join(SYSTEM_PATH), "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Layers:
    """What an overlay is made of.

    Attributes:
        stage: Folder that holds `upper` and `work`; the links are made in its `on`.
        below: Folders between the workspace and the upper, oldest first.
    """

    workspace: Path
    stage: Path
    below: tuple[Path, ...] = ()

    def link(self) -> str:
        """Make the links; return their names as the mount wants them, newest first.

        Raises:
            OSError: They cannot be made.
        """
        links = self.stage / LINKS
        if self.below:
            links.mkdir(exist_ok=True)
        for number, layer in enumerate(self.below):
            with suppress(FileExistsError):
                (links / str(number)).symlink_to(layer)
        return "".join(f"{number}:" for number in reversed(range(len(self.below))))


class Holder:
    """The process that keeps one overlay mounted.

    Attributes:
        base: What the stage lies on, merged; None where that is the workspace itself.
    """

    def __init__(
        self, workspace: Path, process: asyncio.subprocess.Process, ask: int, answer: int
    ) -> None:
        self.base: Beneath | None = None
        self._workspace = workspace
        self._process = process
        self._ask = ask
        self._answer = answer
        self._asking = threading.Lock()  # held while an answer is awaited
        self._writing = threading.Lock()

    @classmethod
    async def start(cls, layers: Layers) -> Holder:
        """Mount; return when the stage can be used.

        Raises:
            StageError: The kernel or a permission refused; the message says what it said.
        """
        workspace, stage = layers.workspace, layers.stage
        try:
            below = layers.link()
        except OSError as error:
            raise StageError(f"Cannot mount a stage over {workspace}: {error}.") from error
        top = stage / LINKS if below else stage
        words = _argv(_HOLD, workspace, stage / "upper", stage / "work", top, below)
        theirs_in, ask = os.pipe()
        answer, theirs_out = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
                cwd="/",
                start_new_session=True,  # a Ctrl-C in the terminal is ours, not the stage's
            )
        except BaseException as error:
            os.close(ask)
            os.close(answer)
            if isinstance(error, OSError):
                raise StageError(f"Cannot mount a stage over {workspace}: {error}.") from error
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        holder = cls(workspace, process, ask, answer)
        try:
            said = await holder._made(layered=bool(below))
        except BaseException:
            await holder.stop()
            raise
        if said is None:
            return holder
        await holder.stop()
        raise StageError(f"Cannot mount a stage over {workspace}: {_reason(said)}.")

    async def _made(self, *, layered: bool) -> bytes | None:
        """Wait for the mounts; return None, or what the kernel said against them."""
        try:
            if layered:
                if await asyncio.to_thread(self._line) != b"base":
                    return await self._said()
                self.base = Beneath(self.view, shown_at=self._workspace)
            if await asyncio.to_thread(self._line, b"\n" if layered else b"") == b"ready":
                return None
        except TimeoutError:
            return b"no answer from the kernel within 10 s"
        return await self._said()

    async def _said(self) -> bytes:
        async with asyncio.timeout(READY_S):
            return await self._process.stderr.read() if self._process.stderr is not None else b""

    def _line(self, ask: bytes = b"") -> bytes:
        """Read one line of the holder, after asking for it; empty when it ended."""
        with self._asking:
            if ask:
                with self._writing:
                    if self._ask < 0:
                        return b""
                    os.write(self._ask, ask)
            if self._answer < 0:
                return b""
            waiting = select.poll()
            waiting.register(self._answer, select.POLLIN)
            if not waiting.poll(READY_S * 1000):
                raise TimeoutError
            return os.read(self._answer, 64).strip()  # written in one go; pipe(7), PIPE_BUF

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

    def refresh(self) -> bool:
        """Let what was replaced in the workspace show, in some 2 ms; blocks.

        Returns:
            Whether it could be done so; else the stage has to be mounted anew.
        """
        try:
            return self._line(b"\n") == b"fresh"
        except OSError:  # TimeoutError is one
            return False

    async def stop(self) -> None:
        """Unmount: end the holder."""
        if self.base is not None:
            self.base.close()
        with self._writing:
            if self._ask >= 0:
                os.close(self._ask)
                self._ask = -1
        process = self._process
        try:
            async with asyncio.timeout(GONE_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.to_thread(self._close_answer)

    def _close_answer(self) -> None:
        with self._asking:  # a thread may still wait for its answer
            if self._answer >= 0:
                os.close(self._answer)
                self._answer = -1


def why_not(workspace: Path, state: Path, *, tried: bool = False) -> str | None:
    """Try a mount as a stage would make it; None when it works, else the reason with its mend.

    Args:
        workspace: Resolved; becomes the lower layer of the trial, nothing is written to it.
        state: Must exist; the trial's upper is made in it and removed.
        tried: It worked before: only what is seen without a trial is looked at.

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
    if tried:
        return None
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
            _argv(_TRY, workspace, upper, work),
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
