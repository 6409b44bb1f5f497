"""Control groups: where they can be made, what they hold, and that none is left."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from turbo_tui.core.command import MIB, Limits
from turbo_tui.sandbox.process.cgroup import Base, find_base
from turbo_tui.sandbox.process.limits import DEFAULTS

HELD = Limits(memory_bytes=64 * MIB, processes=20).over(DEFAULTS)


class FakeKernel:
    """Folders as the kernel shows them; what is written can be read back."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.proc = top / "proc"
        (self.proc / "self").mkdir(parents=True)

    def version_2(self, own: str, *, given: str = "cpu memory pids", root: str = "/") -> Path:
        """Make a hierarchy with our group in it; return the folder above our group."""
        mount = self.top / "cgroup two"
        ours = mount / own.lstrip("/")
        ours.mkdir(parents=True)
        above = ours.parent
        (above / "cgroup.subtree_control").write_text(f"{given}\n")
        (above / "cgroup.procs").write_text("")
        shown = str(mount).replace(" ", r"\040")
        (self.proc / "self/mountinfo").write_text(
            f"30 24 0:26 {root} {shown} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
        )
        (self.proc / "self/cgroup").write_text(f"0::{own}\n")
        return above

    def version_1(self, own: str) -> Path:
        """Make memory and pids hierarchies beside one of version 2 without controllers."""
        rows: list[str] = []
        groups: list[str] = []
        for number, name in enumerate(("memory", "pids", "cpu,cpuacct"), 1):
            folder = self.top / name / own.lstrip("/")
            folder.mkdir(parents=True)
            (folder / "cgroup.procs").write_text("")
            at = self.top / name
            rows.append(f"3{number} 24 0:3{number} / {at} rw - cgroup cgroup rw,{name}")
            groups.append(f"{number}:{name}:{own}")
        rows.append(f"40 24 0:40 / {self.top / 'unified'} rw - cgroup2 cgroup2 rw")
        (self.proc / "self/mountinfo").write_text("\n".join(rows))
        (self.proc / "self/cgroup").write_text("\n".join([*groups, "0::/"]))
        return self.top


def test_version_2_groups_are_made_beside_our_own(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    above = kernel.version_2("/user.slice/app.slice/vte-1.scope")

    base = find_base(kernel.proc)

    assert base == Base(2, {"memory": above, "pids": above})
    assert base is not None
    group = base.make(HELD)
    assert group is not None
    (folder,) = above.glob("turbo-tui-*")
    assert (folder / "memory.max").read_text() == str(64 * MIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "memory.oom.group").read_text() == "1"
    assert (folder / "pids.max").read_text() == "36"


def test_a_mount_that_shows_a_part_of_the_hierarchy_is_understood(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    kernel.version_2("/job", root="/docker/abc")
    (kernel.proc / "self/cgroup").write_text("0::/docker/abc/job\n")
    assert find_base(kernel.proc) is not None

    (kernel.proc / "self/cgroup").write_text("0::/elsewhere\n")
    assert find_base(kernel.proc) is None


@pytest.mark.parametrize("given", ["", "cpu", "memory cpu"])
def test_without_its_controllers_version_2_is_of_no_use(given: str, tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    kernel.version_2("/a/b", given=given)

    assert find_base(kernel.proc) is None


def test_our_own_root_has_nothing_above_it(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    kernel.version_2("/a")
    (kernel.proc / "self/cgroup").write_text("0::/\n")

    assert find_base(kernel.proc) is None


def test_version_1_groups_are_made_below_our_own(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    top = kernel.version_1("/job")

    base = find_base(kernel.proc)

    assert base == Base(
        1,
        {
            "memory": top / "memory/job",
            "pids": top / "pids/job",
            "cpuacct": top / "cpu,cpuacct/job",
        },
    )
    assert base is not None
    assert base.make(HELD) is not None
    (folder,) = (top / "memory/job").glob("turbo-tui-*")
    assert (folder / "memory.limit_in_bytes").read_text() == str(64 * MIB)
    assert (folder / "memory.memsw.limit_in_bytes").read_text() == str(64 * MIB)


def test_without_any_mount_there_is_none(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)

    assert find_base(kernel.proc) is None
    assert find_base(tmp_path / "no-proc") is None


@pytest.mark.parametrize(
    ("version", "stat", "peak", "events", "expected"),
    [
        (
            2,
            {"memory.stat": "anon 50\nfile 900\nshmem 30\n", "memory.peak": "1000\n"},
            130,
            {"memory.events": "low 0\noom_kill 2\n"},
            "memory",
        ),
        (
            1,
            {
                "memory.stat": "rss 1\ntotal_rss 50\ntotal_cache 900\ntotal_shmem 30\n",
                "memory.max_usage_in_bytes": "1000\n",
            },
            130,
            {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"},
            "",
        ),
        (2, {"memory.stat": "anon 50\nshmem 5\n"}, 55, {"pids.events": "max 3\n"}, "processes"),
    ],
)
def test_what_a_group_counted_leaves_the_cache_of_files_out(  # noqa: PLR0917 - a table
    version: int,
    stat: dict[str, str],
    peak: int,
    events: dict[str, str],
    expected: str,
    tmp_path: Path,
) -> None:
    group = Base(version, {"memory": tmp_path, "pids": tmp_path}).make(HELD)
    assert group is not None
    (folder,) = tmp_path.glob("turbo-tui-*")
    for name, text in {**stat, **events}.items():
        (folder / name).write_text(text)

    assert group.peak_memory_bytes == peak
    assert group.refused == expected


@pytest.mark.parametrize(
    ("version", "name", "text", "expected"),
    [
        (2, "cpu.stat", "usage_usec 2500000\nuser_usec 1\n", 2.5),
        (1, "cpuacct.usage", "1500000000\n", 1.5),
        (1, "other", "", 0.0),
    ],
)
def test_processor_time_of_a_group(
    version: int, name: str, text: str, expected: float, tmp_path: Path
) -> None:
    group = Base(version, dict.fromkeys(("memory", "pids", "cpuacct"), tmp_path)).make(HELD)
    assert group is not None
    (folder,) = tmp_path.glob("turbo-tui-*")
    (folder / name).write_text(text)

    assert group.cpu_s == expected


def test_without_its_controller_processor_time_is_none(tmp_path: Path) -> None:
    group = Base(1, dict.fromkeys(("memory", "pids"), tmp_path)).make(HELD)

    assert group is not None
    assert group.cpu_s == 0.0


def test_what_a_killed_turbo_tui_left_is_cleared_and_no_other_group(tmp_path: Path) -> None:
    base = Base(2, {"memory": tmp_path, "pids": tmp_path})
    gone = subprocess.Popen(["true"])
    gone.wait()
    again = f"turbo-tui-{os.getppid()}-0-3"  # another process has its number now
    for name in (f"turbo-tui-{gone.pid}-123-1", "turbo-tui-odd", "another", again):
        (tmp_path / name).mkdir()
    (tmp_path / "turbo-tui-2-0-9").mkdir()
    (tmp_path / "turbo-tui-2-0-9/someone").mkdir()  # stands for processes: rmdir refuses
    assert base.make(HELD) is not None

    base.clear()

    mine, *others = sorted(
        (path.name for path in tmp_path.iterdir()), key=lambda name: f"-{os.getpid()}-" not in name
    )
    assert mine.startswith(f"turbo-tui-{os.getpid()}-")
    assert sorted(others) == ["another", "turbo-tui-2-0-9"]


def test_a_group_that_is_refused_leaves_nothing_half_made(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    base = Base(1, {"memory": tmp_path / "memory", "pids": tmp_path / "missing"})

    assert base.make(HELD) is None
    assert list((tmp_path / "memory").iterdir()) == []


def test_the_real_kernel_holds_a_group_and_closing_it_ends_who_is_in_it() -> None:
    base = find_base()
    group = base.make(HELD) if base is not None else None
    if group is None:
        pytest.skip("no control group can be made here")
    code = "sleep 60 & sleep 60 & exec sleep 60"  # none of them ends when another does
    with subprocess.Popen(["sh", "-c", code]) as shell:
        group.adopt(shell.pid)
        inside = group.memory_bytes
        group.close()
        shell.wait(timeout=60)

    assert inside >= 0
    assert shell.returncode == -9
    assert base is not None
    group.close()  # once more is no error
    left = [path for folder in set(base.folders.values()) for path in folder.glob("turbo-tui-*")]
    assert [path for path in left if f"-{os.getpid()}-" in path.name] == []
