"""What held when it was last tried, on this very machine: so that a start need not try again.

Only that something *held* is remembered. What did not is tried each time, so nobody stays on a
lower rung for longer than the reason for it. A memory that cannot be read is no memory.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui import __version__
from turbo_tui.sandbox.confine import bubblewrap, seccomp
from turbo_tui.sandbox.confine.landlock import landlock_abi
from turbo_tui.sandbox.probing.mends import sysctl

FILE = "sandbox.json"  # in our cache folder
FORMAT = 1
MAX_AGE_S = 86_400.0
MOST_BYTES = 65_536
SYSCTLS = (
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
    "user/max_mnt_namespaces",
    "user/max_pid_namespaces",
    "user/max_net_namespaces",
)
# Of proc_pid_status(5): what this process may do, and what is put on it.
_OWN = ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters")


@dataclass(frozen=True, slots=True)
class Remembered:
    """A file that names the confiners which held, and under what circumstances.

    Attributes:
        file: Ours alone: one that others may write is not believed.
        state: Our state folder, in which the trial was made.
    """

    file: Path
    state: Path | None = None

    def held(self, name: str) -> bool:
        """Whether a confiner held under the circumstances of now, less than a day ago."""
        try:
            fd = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                at = os.fstat(fd)
                if not stat.S_ISREG(at.st_mode) or at.st_uid != os.geteuid() or at.st_mode & 0o022:
                    return False
                value = cast("dict[str, object]", json.loads(file.read(MOST_BYTES)))
            tried = value["tried_at"]
            fresh = isinstance(tried, int | float) and 0 <= time.time() - tried < MAX_AGE_S
            same = value["circumstances"] == circumstances(self.state)
            return fresh and same and name in cast("list[str]", value["held"])
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def keep(self, name: str) -> None:
        """Write that a confiner held just now; where that cannot be kept, it is tried again."""
        value = {
            "held": [name],
            "tried_at": time.time(),
            "circumstances": circumstances(self.state),
        }
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.unlink(missing_ok=True)
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, json.dumps(value, indent=1).encode())
            finally:
                os.close(fd)
            beside.replace(self.file)

    def forget(self) -> None:
        """Believe nothing any more."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)


def circumstances(state: Path | None) -> dict[str, object]:
    """Return what decides whether a sandbox holds here; another value means: try again.

    A container that shares its user's home with the host differs in its covers over /proc, its
    rights or its namespace.
    """
    kernel = os.uname()
    return {
        "format": FORMAT,
        "turbo-tui": __version__,
        "python": sys.executable,
        "kernel": f"{kernel.sysname} {kernel.release} {kernel.version} {kernel.machine}",
        "bubblewrap": _stamp(Path(bubblewrap.PROGRAM)),
        "filter": _stamp(seccomp.filter_path("inet")),
        "landlock": landlock_abi(),
        "process": _process(),
        "namespace": _link("/proc/self/ns/user"),
        "label": _first_line("/proc/self/attr/current"),
        "settings": {name: sysctl(name) for name in SYSCTLS},
        "covers": _covers_of_proc(),
        "state": _stamp_of_file_system(state),
    }


def _stamp(path: Path | None) -> list[int | str]:
    """Return what tells one version of a program from another."""
    try:
        if path is None:
            return []
        at = path.stat()
    except OSError:
        return [str(path)]
    return [str(path), at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_mode]


def _stamp_of_file_system(folder: Path | None) -> list[int]:
    try:
        return [] if folder is None else [folder.stat().st_dev]
    except OSError:
        return []


def _process() -> dict[str, str]:
    lines = _text("/proc/self/status").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: " ".join(fields.get(name, "").split()) for name in _OWN}


def _covers_of_proc() -> list[str]:
    """Return the mounts on and below /proc and /sys: (where, root, options, type)."""
    found: list[str] = []
    for line in _text("/proc/self/mountinfo").splitlines():
        words = line.split(" ")
        if words[4].startswith(("/proc", "/sys")) or words[4] == "/":
            found.append(" ".join((*words[3:6], words[words.index("-") + 1])))
    return sorted(found)


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _first_line(path: str) -> str:
    return _text(path).partition("\n")[0].rstrip("\0")


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
