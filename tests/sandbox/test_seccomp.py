"""The kept filters are what the source says, and know this machine's call numbers."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from turbo_tui.sandbox.confine.seccomp import (
    CLONE,
    DEBUGGING,
    FILTERS,
    IOCTL,
    MACHINES,
    REFUSED,
    SOCKET,
    SOCKETPAIR,
    SOCKETS,
    Machine,
    Sockets,
    build,
    filter_path,
    write_filters,
)

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel would: the instructions used here are few."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *(*arguments, *[0] * 6)[:6])
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        kind, yes, no, value = code[at]
        at += 1
        if kind == 0x06:
            return value
        if kind == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif kind == 0x54:
            accumulator &= value
        else:
            passed = accumulator == value if kind == 0x15 else accumulator >= value
            at += yes if passed else no


def test_the_kept_filters_are_the_assembled_ones(tmp_path: Path) -> None:
    names = [path.name for path in write_filters(tmp_path)]

    assert sorted(names) == sorted(path.name for path in FILTERS.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (FILTERS / name).read_bytes()


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernels_headers(machine: Machine) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip("no kernel headers")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    column = MACHINES.index(machine)
    ours = {name: row[column] for name, row in REFUSED.items() if row[column] is not None}
    ours |= {"clone": CLONE[machine], "ioctl": IOCTL[machine]}
    ours |= {"socket": SOCKET[machine], "socketpair": SOCKETPAIR[machine]}

    wrong = {
        name: number
        for name, number in ours.items()
        if int(defined.get(name, number or 0)) != number
    }

    assert wrong == {}


def asking(machine: Machine, program: bytes) -> Callable[..., int]:
    def ask(number: int | None, *arguments: int) -> int:
        assert number is not None
        return verdict(program, ARCH[machine], number, *arguments)

    return ask


@pytest.mark.parametrize("ptrace", [False, True], ids=["closed", "ptrace"])
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("sockets", SOCKETS)
def test_what_is_refused_and_what_is_not(
    machine: Machine, sockets: Sockets, *, ptrace: bool
) -> None:
    program = build(machine, sockets, ptrace=ptrace)
    ask = asking(machine, program)
    column = MACHINES.index(machine)

    for name, row in REFUSED.items():
        if row[column] is not None:
            assert ask(row[column]) == (ALLOW if ptrace and name in DEBUGGING else EPERM), name
    if ptrace:
        assert ask(REFUSED["ptrace"][column], 16, 1) == EPERM  # the sandbox's own first process
        assert ask(REFUSED["ptrace"][column], 16, 11) == ALLOW
    assert ask(435) == ENOSYS
    assert ask(CLONE[machine], 17) == ALLOW
    for bit in range(25, 31):
        assert ask(CLONE[machine], 1 << bit | 17) == EPERM
    assert ask(CLONE[machine], 0x00020000 | 17) == EPERM
    assert ask(IOCTL[machine], 0, 0x5412) == EPERM
    assert ask(IOCTL[machine], 0, 0x5412 | 7 << 32) == EPERM
    assert ask(IOCTL[machine], 0, 0x541C) == EPERM
    assert ask(IOCTL[machine], 0, 0x5401) == ALLOW
    inet = EPERM if sockets == "none" else ALLOW
    unix = ALLOW if sockets == "unix" else EPERM
    assert [ask(SOCKET[machine], family) for family in (2, 10, 16)] == [inet] * 3
    assert [ask(SOCKET[machine], family) for family in (17, 38, 40)] == [EPERM] * 3
    assert ask(SOCKET[machine], 1) == unix
    assert ask(SOCKETPAIR[machine], 1, 1 | 0o2000000) == ALLOW
    assert ask(SOCKETPAIR[machine], 1, 2 | 0o2000000) == unix
    assert ask(0) == ALLOW
    assert verdict(program, 0x40000003, 20) == KILL
    assert verdict(program, ARCH["aarch64" if machine == "x86_64" else "x86_64"], 0) == KILL
    if machine == "x86_64":
        assert ask(0x40000000 | 41, 1) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_a_grant_opens_its_own_calls_and_no_other(machine: Machine) -> None:
    closed = asking(machine, build(machine, "inet"))
    opened = asking(machine, build(machine, "inet", ptrace=True))

    freed = {number for number in range(600) if closed(number) != opened(number)}

    column = MACHINES.index(machine)
    assert freed == {REFUSED[name][column] for name in DEBUGGING}


def test_a_machine_without_a_filter_is_told_so() -> None:
    assert filter_path("inet", "m68k") is None
    assert filter_path("inet", "aarch64") == FILTERS / "aarch64-inet.bpf"
    assert filter_path("unix", "x86_64", ptrace=True) == FILTERS / "x86_64-unix-ptrace.bpf"
