"""What a tree of processes uses, read while it runs and counted at its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from turbo_tui.core.command import MIB, CommandUsage
from turbo_tui.sandbox.process import usage
from turbo_tui.sandbox.process.usage import Counted, Meter, Reading, counted, read_tree


def until_it_holds(pid: int, size_bytes: int, processes: int) -> None:
    """Wait until a process has made its memory, and its child."""
    give_up = time.monotonic() + 60
    while (now := read_tree(pid)).memory_bytes < size_bytes or now.processes < processes:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_nothing_seen_is_not_zero() -> None:
    assert Meter().usage == CommandUsage()


def test_the_most_and_the_last_of_all_looks_count() -> None:
    meter = Meter()
    meter.add(Reading(processes=2, threads=9, memory_bytes=50, cpu_s=1.0, written_bytes=10))
    meter.add(Reading(processes=5, threads=5, memory_bytes=20, cpu_s=2.5, written_bytes=30))

    assert meter.usage == CommandUsage(2.5, 50, 30, 4)


def test_what_vanished_between_looks_is_not_forgotten() -> None:
    meter = Meter()
    meter.add(Reading(processes=2, cpu_s=4.0, written_bytes=100))

    now = meter.add(Reading(processes=1, cpu_s=1.0, written_bytes=40))

    assert (now.cpu_s, now.written_bytes) == (4.0, 100)
    assert meter.usage.cpu_s == 4.0
    assert meter.usage.written_bytes == 100


def test_a_look_that_may_not_read_what_was_written_keeps_what_is_known() -> None:
    meter = Meter()
    meter.add(Reading(processes=1, written_bytes=100))

    assert meter.add(Reading(processes=1)).written_bytes == 100
    assert meter.usage.written_bytes == 100


def test_the_kernels_count_at_the_end_completes_the_looks() -> None:
    meter = Meter()
    meter.add(Reading(processes=3, memory_bytes=80, cpu_s=1.0, written_bytes=10))
    meter.end(Counted(cpu_s=1.75, largest_bytes=60, written_bytes=4096))

    assert meter.usage == CommandUsage(1.75, 80, 4096, 2)


def test_a_group_makes_the_count_exact() -> None:
    meter = Meter()
    meter.kernel(peak_memory_bytes=70, cpu_s=0.75)
    meter.end(counted(0.5, 10, 8))

    assert meter.usage == CommandUsage(0.75, 10 * 1024, 4096, None, exact=True)


def test_a_tree_is_read_whole() -> None:
    code = "import subprocess; kept = b'x' * (32 << 20); subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", code]) as root:
        until_it_holds(root.pid, 32 * MIB, 2)
        reading = read_tree(root.pid)
        few = read_tree(root.pid, most=1)
        elsewhere = usage.read_with_psutil(root.pid)
        for pid in list(usage.tree_pids(root.pid)):  # the children of a dead one are not found
            os.kill(pid, 9)

    assert reading.processes == 2
    assert reading.threads >= 2
    assert 32 * MIB <= reading.memory_bytes < 200 * MIB
    assert reading.cpu_s > 0
    assert reading.written_bytes is not None
    assert few.processes <= 2
    assert elsewhere.processes == 2
    assert elsewhere.memory_bytes >= 32 * MIB


def test_of_a_process_that_is_gone_nothing_is_read() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    assert read_tree(gone.pid) == Reading()
    assert usage.read_with_psutil(gone.pid) == Reading()


def test_pages_that_a_fork_shares_are_told_apart_where_it_matters() -> None:
    code = """if True:
        import os, sys, time
        kept = bytearray(b'x' * (48 << 20))
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(60)
        print(flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as root:
        assert root.stdout is not None
        root.stdout.readline()
        rough = read_tree(root.pid)
        exact = read_tree(root.pid, memory_limit=64 * MIB)
        for pid in list(usage.tree_pids(root.pid)):
            os.kill(pid, 9)

    assert rough.memory_bytes > 150 * MIB
    assert 48 * MIB <= exact.memory_bytes < 120 * MIB
