"""What a command may use of the machine, and the watch over what no kernel limit covers."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from turbo_tui.core.command import GIB, Limits

WATCH_S = 0.2
PRLIMIT_PATH = "/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin"


def _memory_bytes() -> int:
    """Return half of the machine's memory, 4 GiB at most."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4 * GIB, total // 2)


DEFAULTS = Limits(
    wall_s=1800.0,
    memory_bytes=_memory_bytes(),
    processes=1024,
    open_files=4096,
    file_bytes=4 * GIB,
    written_bytes=16 * GIB,
    free_disk_bytes=GIB // 4,
    output_bytes=2_000_000,
    scratch_bytes=GIB // 2,
    shared_bytes=GIB // 16,
)


def prlimit_argv(limits: Limits, program: str = "") -> tuple[str, ...]:
    """Return the prefix that sets the kernel's limits; empty where util-linux is missing."""
    prlimit = program or shutil.which("prlimit", path=PRLIMIT_PATH)
    if not prlimit:
        return ()
    return (
        prlimit,
        f"--nproc={limits.processes}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        *((f"--cpu={limits.cpu_s}",) if limits.cpu_s else ()),
        "--",
    )


async def exceeded(root: Callable[[], int], limits: Limits, disk: Path | None) -> str:
    """Return why the tree must be stopped, once it must; until then do not return.

    Args:
        root: Gives the process below which all others are; it may become known late.
        limits: What the tree is held to.
        disk: A path whose file system must not run full; ignored if it is nearly full now.
    """
    if disk is not None and _free(disk) < limits.free_disk_bytes:
        disk = None
    while True:
        await asyncio.sleep(WATCH_S)
        reason = await asyncio.to_thread(_look, root(), limits, disk)
        if reason:
            return reason


def _look(pid: int, limits: Limits, disk: Path | None) -> str:
    processes, memory_bytes = tree_usage(pid)
    if memory_bytes > limits.memory_bytes:
        return f"more than {limits.memory_bytes / GIB:.1f} GiB of memory"
    if processes > limits.processes:
        return f"more than {limits.processes} processes"
    if disk is not None and _free(disk) < limits.free_disk_bytes:
        return f"less than {limits.free_disk_bytes / GIB:.2f} GiB free on the disk"
    return ""


def tree_usage(pid: int) -> tuple[int, int]:
    """Return how many processes are in a tree, and its memory in bytes.

    Memory is what is private to each, and the largest share of what they have in common.
    """
    import psutil  # noqa: PLC0415 - not needed for the first frame

    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0, 0
    usage = [_memory_of(process.pid) for process in tree]
    private = sum(private for private, _ in usage)
    return len(tree), private + max(shared for _, shared in usage)


def _memory_of(pid: int) -> tuple[int, int]:
    """Return a process's private and shared anonymous memory in bytes; zeros when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return 0, 0
    kib = {"RssAnon": 0, "RssShmem": 0}
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name in kib:
            kib[name] = int(value.split()[0])
    return kib["RssAnon"] * 1024, kib["RssShmem"] * 1024


def _free(path: Path) -> int:
    """Return the bytes free for us where `path` lies; plenty when that cannot be told."""
    try:
        at = os.statvfs(path)
    except OSError:
        return 1 << 62
    return at.f_bavail * at.f_frsize
