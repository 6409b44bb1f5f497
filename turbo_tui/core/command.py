"""A command as a value: what is run, what it may do beyond its stage, what it may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

Network = Literal["off", "hosts", "all"]

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Grants:
    """What one command may do beyond its stage: nothing, unless the user said so.

    Attributes:
        network: `hosts` reaches only `hosts`, through a proxy of ours; `all` reaches anything.
        hosts: `name`, `name:port` or `*.name`; with `hosts` and none named, nothing is reached.
        ptrace: Debug its own processes (strace, gdb, rr).
        unix_sockets: Make and use unix sockets of its own; the host's stay hidden.
        readable: Absolute host paths that are shown, read-only.
        writable: Absolute host paths that it may write: what happens there is not staged.
    """

    network: Network = "off"
    hosts: tuple[str, ...] = ()
    ptrace: bool = False
    unix_sockets: bool = False
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything is granted."""
        return self != NOTHING

    @property
    def words(self) -> tuple[str, ...]:
        """Each grant in words for a person, the widest first."""
        found: list[str] = []
        if self.network == "all":
            found.append("network: all")
        elif self.network == "hosts":
            found.append(f"network: {', '.join(self.hosts) or 'no host'}")
        found += [f"writes {path}" for path in self.writable]
        found += [f"reads {path}" for path in self.readable]
        found += ["ptrace"] if self.ptrace else []
        found += ["unix sockets"] if self.unix_sockets else []
        return tuple(found)


NOTHING = Grants()
ANY_NETWORK = Grants(network="all")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may use; 0 leaves a limit as the next wider setting has it.

    The user's or the project's settings, then the tool, then the sandbox's own default: `over`
    merges two of them.

    Attributes:
        wall_s: Seconds until it is ended.
        cpu_s: Processor seconds, over the whole tree where that can be told, else of one process.
        memory_bytes: Over the whole tree, what it shares counted once.
        processes: Over the whole tree.
        open_files: Of one process.
        file_bytes: Of one file.
        written_bytes: Written to the disk by the whole tree.
        free_disk_bytes: What must stay free where the stage is written.
        output_bytes: Of its output; what is more is dropped from the middle, not refused.
        scratch_bytes: Of the private /tmp, which is memory.
        shared_bytes: Of the private /dev/shm.
    """

    wall_s: float = 0.0
    cpu_s: int = 0
    memory_bytes: int = 0
    processes: int = 0
    open_files: int = 0
    file_bytes: int = 0
    written_bytes: int = 0
    free_disk_bytes: int = 0
    output_bytes: int = 0
    scratch_bytes: int = 0
    shared_bytes: int = 0

    def over(self, wider: Limits) -> Limits:
        """Return these limits, with what they leave open taken from `wider`."""
        missing = {
            each.name: getattr(wider, each.name)
            for each in fields(self)
            if not getattr(self, each.name)
        }
        return replace(self, **missing)


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run in a stage.

    Attributes:
        cwd: Folder, from the workspace.
        timeout_s: Wall time; the stage's own limit may end it sooner.
        env: Added to the environment that every command gets.
        grants: What it may do beyond its stage; only what the user was asked about.
        limits: What it is held to more tightly, or more loosely, than others.
    """

    argv: Sequence[str]
    cwd: str = "."
    timeout_s: float = 120.0
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    grants: Grants = NOTHING
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class CommandUsage:
    """What a command used, over its whole tree; None where this machine cannot tell.

    Attributes:
        cpu_s: Processor seconds, user and system.
        peak_memory_bytes: The most it held at once.
        written_bytes: Written to block devices, or to the stage where that is all that shows.
        processes: The most that lived at once.
        exact: Counted by the kernel for the tree; else sampled, and short processes are missed.
    """

    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    written_bytes: int | None = None
    processes: int | None = None
    exact: bool = False

    def __str__(self) -> str:
        """In words, as short as they can be; empty when nothing is known."""
        parts: list[str] = []
        if self.cpu_s is not None:
            ms = round(self.cpu_s * 1000)
            parts.append(f"{ms} ms cpu" if ms < 100 else f"{self.cpu_s:.1f} s cpu")  # noqa: PLR2004
        if self.peak_memory_bytes is not None:
            parts.append(_size(self.peak_memory_bytes))
        if self.processes is not None:
            parts.append(f"{self.processes} proc{'s' * (self.processes != 1)}")
        if self.written_bytes:
            parts.append(f"{_size(self.written_bytes)} written")
        return " · ".join(parts)


def _size(size_bytes: int) -> str:
    """Return a size in two or three digits: `640 kB`, `2.1 MB`, `120 MB`, `3.4 GB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= unit:
            digits = 1 if size_bytes < 10 * unit else 0
            return f"{size_bytes / unit:.{digits}f} {name}"
    return f"{size_bytes} B"
