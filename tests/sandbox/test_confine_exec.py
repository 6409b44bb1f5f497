"""The supervisor's own parts; as a whole it is held by the tests of running."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turbo_tui.sandbox.confine import confine_exec
from turbo_tui.sandbox.confine.landlock import LEAST_ABI, landlock_abi
from turbo_tui.sandbox.confine.orders import Order, Rules
from turbo_tui.sandbox.confine.seccomp import filter_path

HELD, BROKEN = 0, 9


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Take back what the supervisor sets on its own process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    confine_exec.prctl(confine_exec.PR_SET_CHILD_SUBREAPER, 0)
    confine_exec.prctl(confine_exec.PR_SET_PDEATHSIG, 0)


def order(tmp_path: Path, *argv: str, landlock: Rules | None = None, seccomp: str = "") -> Order:
    return Order(
        argv=list(argv),
        env={"PATH": "/usr/bin:/bin"},
        cwd=str(tmp_path),
        status_fd=os.open(tmp_path / "status", os.O_CREAT | os.O_WRONLY),
        limits={"nofile": 256, "core": 0},
        become=[],
        parent=os.getppid(),
        mount=[],
        shown_as=[],
        landlock=landlock,
        seccomp=seccomp,
    )


def supervise(what: Order) -> int:
    what["parent"] = os.getppid()
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(what).encode())
        file.seek(0)
        return confine_exec.main(os.dup(file.fileno()))


def in_child(work: Callable[[], int]) -> int:
    """Do what cannot be taken back in a process of its own; return its exit code."""

    def run() -> None:
        sys.exit(work())

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


def test_a_command_is_run_and_a_daemon_of_its_is_ended(tmp_path: Path) -> None:
    line = "setsid sh -c 'sleep 60' & echo $! > pid; exit 3"

    code = supervise(order(tmp_path, "sh", "-c", line))

    assert code == 3
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert b"exit-code" in (tmp_path / "status").read_bytes()


def test_a_signal_shows_as_a_shell_shows_it(tmp_path: Path) -> None:
    assert supervise(order(tmp_path, "sh", "-c", "kill -9 $$")) == 137


def test_an_order_to_end_is_passed_on_and_then_enforced(tmp_path: Path) -> None:
    line = "trap 'echo asked > asked' TERM; kill -TERM $PPID; while :; do sleep 0.05; done"
    what = order(tmp_path, "sh", "-c", line)

    # In a process of one thread: of several, one that does not block the signal would end by it.
    code = in_child(lambda: supervise(what))

    assert code == 137
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_what_cannot_be_run_is_told_from_what_cannot_be_confined(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")

    def become(what: Order) -> int:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        return confine_exec.become_command(what)

    missing = order(tmp_path, "no-such-program")
    no_program = order(tmp_path, "./text")
    no_folder = order(tmp_path, "true")
    no_folder["cwd"] = "/no/such/folder"
    codes: list[int] = []
    for what in (missing, no_program, no_folder):
        read, write = os.pipe()

        def report(what: Order = what, write: int = write) -> int:
            os.write(write, bytes([become(what)]))
            return HELD

        assert in_child(report) == HELD
        codes += os.read(read, 1)
        os.close(read)
        os.close(write)

    assert codes == [127, 126, 125]


def test_files_and_calls_are_closed_for_good(tmp_path: Path) -> None:
    if landlock_abi() < LEAST_ABI:
        pytest.skip("no Landlock")
    calls = filter_path("none")
    assert calls is not None
    secret = tmp_path / "secret"
    secret.write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    here = Path.cwd()  # where a measurement of this child's coverage is written
    extra = [] if tmp_path.is_relative_to(here) else [str(here)]
    rules = Rules(
        abi=landlock_abi(), read=["/usr", "/no/such/path"], write=[str(inside), "/dev/null", *extra]
    )

    def attempt() -> int:
        confine_exec.confine(order(tmp_path, "true", landlock=rules, seccomp=str(calls)))
        (inside / "new").write_text("new")
        for forbidden in (
            secret.read_text,
            lambda: (tmp_path / "new").write_text("new"),
            socket.socket,
            lambda: os.unlink(secret),  # noqa: PTH108
        ):
            try:
                forbidden()
            except PermissionError:
                continue
            return BROKEN
        return HELD

    assert in_child(attempt) == HELD
    assert (inside / "new").exists()
    assert secret.read_text() == "secret"


def test_a_refused_confinement_is_an_error_never_a_shrug() -> None:
    with pytest.raises(OSError, match="prctl 22"):
        confine_exec.prctl(confine_exec.PR_SET_SECCOMP, confine_exec.SECCOMP_MODE_FILTER, 8)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_owner_without_a_way_back(tmp_path: Path) -> None:
    what = order(tmp_path, "true")
    what["become"] = [65534, 65534]
    read, write = os.pipe()

    def attempt() -> int:
        confine_exec.confine(what)
        os.write(write, f"{os.getresuid()} {os.getresgid()} {os.getgroups()}".encode())
        return HELD

    in_child(attempt)  # its exit is not asked for: it may no longer write a measurement
    os.close(write)
    assert os.read(read, 200) == b"(65534, 65534, 65534) (65534, 65534, 65534) []"
    os.close(read)


def test_the_root_of_a_namespace_is_shown_as_the_user(tmp_path: Path) -> None:
    what = order(tmp_path, "true")
    what["shown_as"] = [1234, 1235]

    # Of a fork of the tests a library may make threads again; a namespace wants one thread.
    code = (
        "import json, os, sys; from turbo_tui.sandbox.confine import confine_exec\n"
        "confine_exec.confine(json.loads(sys.argv[1])); print(os.getuid(), os.getgid())"
    )
    done = subprocess.run(
        (sys.executable, "-c", code, json.dumps(what)),
        pass_fds=(what["status_fd"],),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("1234 1235\n", "")


def test_processes_below_are_found_by_their_parents() -> None:
    with subprocess.Popen(("sh", "-c", "sleep 60 & wait")) as shell:
        while len(found := confine_exec.below(shell.pid, 0)) < 1:
            pass
        assert len(found) == 1
        assert found[0] in confine_exec.below(os.getpid(), 0)
        for pid in (*found, shell.pid, 1 << 30):
            confine_exec.send(pid, signal.SIGKILL)


@pytest.mark.parametrize(("abi", "bits"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (9, 16)])
def test_each_version_of_landlock_is_asked_for_what_it_knows(abi: int, bits: int) -> None:
    assert confine_exec.handled(abi) == (1 << bits) - 1


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
def test_a_copy_that_cannot_be_shown_is_said(tmp_path: Path) -> None:
    def attempt() -> int:
        os.setresuid(65534, 65534, 65534)
        try:
            confine_exec.show_at(str(tmp_path), "/ws")
        except OSError as error:
            # At once: nothing that runs at an interpreter's end can do its work as this user.
            os._exit(HELD if "/ws belongs to somebody else" in str(error) else BROKEN)
        os._exit(BROKEN)

    assert in_child(attempt) == HELD
