"""The system calls a confined command may not make, as classic BPF programs.

The programs are assembled here in plain Python, kept as files in `filters/` and read from
there when a command runs; `python -m turbo_tui.sandbox.confine.seccomp` writes them anew and a test
compares. A call is allowed unless it is listed. No libseccomp is needed.

Source: seccomp(2); Linux `include/uapi/linux/{seccomp,filter,audit}.h` and the system call
tables of x86_64 and of `asm-generic/unistd.h`.
"""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FILTERS = Path(__file__).parent / "filters"

# `none`: no socket. `inet`: IPv4, IPv6 and netlink, since there is a network namespace around the
# command or the network was granted. `unix`: those, and unix sockets, which were granted.
Sockets = Literal["inet", "unix", "none"]
Machine = Literal["x86_64", "aarch64"]
MACHINES: tuple[Machine, ...] = ("x86_64", "aarch64")
SOCKETS: tuple[Sockets, ...] = ("inet", "unix", "none")

# Offsets in struct seccomp_data; both machines are little endian: low half first.
NR, ARCH, ARGS = 0, 4, 16
LOAD, AND, JEQ, JGE, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050001, 0x00050026

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # type into, or paste into, the terminal
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_TYPE_MASK, SOCK_DGRAM = 0xF, 2
INIT = 1  # the first process of a process namespace

# name: (x86_64, aarch64); None where the machine has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # large kernel surfaces
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    # mounts, roots and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
}
# What debuggers need of it (strace, gdb). A filter holds for a traced process as well: since
# Linux 4.8 a call that a tracer changed is looked at anew, seccomp(2).
DEBUGGING = ("ptrace", "process_vm_readv", "process_vm_writev", "kcmp")
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
IOCTL = {"x86_64": 16, "aarch64": 29}
SOCKET = {"x86_64": 41, "aarch64": 198}
SOCKETPAIR = {"x86_64": 53, "aarch64": 199}


@dataclass(slots=True)
class Program:
    """An assembler for classic BPF: instructions with labels for jumps forward."""

    code: list[tuple[int, int, str, str]] = field(default_factory=list[tuple[int, int, str, str]])
    labels: dict[str, int] = field(default_factory=dict[str, int])

    def load(self, offset: int) -> None:
        """Put the 32-bit word at `offset` into the accumulator."""
        self.code.append((LOAD, offset, "", ""))

    def mask(self, bits: int) -> None:
        """Keep only `bits` of the accumulator."""
        self.code.append((AND, bits, "", ""))

    def jump(self, test: int, value: int, *, yes: str = "", no: str = "") -> None:
        """Go to a label when the accumulator passes, or fails; empty goes on below."""
        self.code.append((test, value, yes, no))

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self.labels[name] = len(self.code)

    def give(self, verdict: int) -> None:
        """End with a verdict."""
        self.code.append((RETURN, verdict, "", ""))

    def assemble(self) -> bytes:
        """Return struct sock_filter[]; a jump over more than 255 instructions is an error."""
        return b"".join(
            struct.pack("<HBBI", code, self._way(yes, at), self._way(no, at), value)
            for at, (code, value, yes, no) in enumerate(self.code)
        )

    def _way(self, label: str, at: int) -> int:
        return self.labels[label] - at - 1 if label else 0


def refused_numbers(machine: Machine, *, ptrace: bool = False) -> Iterator[int]:
    """Yield the numbers of the calls refused whatever their arguments."""
    column = MACHINES.index(machine)
    for name, numbers in REFUSED.items():
        number = numbers[column]
        if number is not None and not (ptrace and name in DEBUGGING):
            yield number


def build(machine: Machine, sockets: Sockets, *, ptrace: bool = False) -> bytes:  # noqa: PLR0915 - one instruction after the other
    """Assemble the filter for a machine.

    Args:
        machine: Whose call numbers.
        sockets: Which may be made.
        ptrace: Whether the command may debug processes; around it is a process namespace, or
            Landlock, and so these are its own.
    """
    p = Program()
    p.load(ARCH)
    p.jump(JEQ, ARCHITECTURE[machine], no="kill")  # a 32-bit call would pass by other numbers
    p.load(NR)
    if machine == "x86_64":
        p.jump(JGE, X32_BIT, yes="refuse")
    for number in refused_numbers(machine, ptrace=ptrace):
        p.jump(JEQ, number, yes="refuse")
    if ptrace:
        p.jump(JEQ, REFUSED["ptrace"][MACHINES.index(machine)] or 0, yes="ptrace")
    p.jump(JEQ, CLONE3, yes="missing")  # its flags are behind a pointer; libc falls back to clone
    p.jump(JEQ, CLONE[machine], yes="clone")
    p.jump(JEQ, IOCTL[machine], yes="ioctl")
    p.jump(JEQ, SOCKET[machine], yes="socket")
    if sockets != "unix":
        p.jump(JEQ, SOCKETPAIR[machine], yes="socketpair")
    p.give(ALLOW)
    p.label("clone")
    p.load(ARGS)
    p.mask(NEW_NAMESPACES)
    p.jump(JEQ, 0, yes="allow", no="refuse")
    if ptrace:
        p.label("ptrace")  # stopped, the sandbox's first process would hear of no end
        p.load(ARGS + 8)
        p.jump(JEQ, INIT, yes="refuse", no="allow")
    p.label("ioctl")  # the kernel looks at 32 bits of the request; so do we
    p.load(ARGS + 8)
    p.jump(JEQ, TIOCSTI, yes="refuse")
    p.jump(JEQ, TIOCLINUX, yes="refuse", no="allow")
    p.label("socket")
    p.load(ARGS)
    if sockets == "unix":
        p.jump(JEQ, AF_UNIX, yes="allow")
    if sockets != "none":
        p.jump(JEQ, AF_INET, yes="allow")
        p.jump(JEQ, AF_INET6, yes="allow")
        p.jump(JEQ, AF_NETLINK, yes="allow", no="refuse")
    else:
        p.give(EPERM)
    p.label("socketpair")  # a datagram pair can still send to any unix socket's path
    p.load(ARGS + 8)
    p.mask(SOCK_TYPE_MASK)
    p.jump(JEQ, SOCK_DGRAM, yes="refuse", no="allow")
    p.label("allow")
    p.give(ALLOW)
    p.label("refuse")
    p.give(EPERM)
    p.label("missing")
    p.give(ENOSYS)
    p.label("kill")
    p.give(KILL)
    return p.assemble()


def filter_path(sockets: Sockets, machine: str = "", *, ptrace: bool = False) -> Path | None:
    """Return the kept filter for a machine (default: this one); None where there is none."""
    path = FILTERS / _file_name(machine or platform.machine(), sockets, ptrace=ptrace)
    return path if path.is_file() else None


def _file_name(machine: str, sockets: Sockets, *, ptrace: bool) -> str:
    return f"{machine}-{sockets}{'-ptrace' if ptrace else ''}.bpf"


def write_filters(folder: Path = FILTERS) -> list[Path]:
    """Assemble all filters into a folder; return their paths."""
    written: list[Path] = []
    for machine in MACHINES:
        for sockets in SOCKETS:
            for ptrace in (False, True):
                path = folder / _file_name(machine, sockets, ptrace=ptrace)
                path.write_bytes(build(machine, sockets, ptrace=ptrace))
                written.append(path)
    return written


if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in write_filters())
