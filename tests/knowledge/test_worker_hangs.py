"""A worker that shows no life: who waits is told, and it is ended and started anew."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.knowledge.worker_kit import (
    begin_with,
    end_worker,
    home_in,
    short_folder,
    until,
    workers,
)
from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.service import client as client_module
from turbo_tui.knowledge.service import starting
from turbo_tui.knowledge.service.client import Client, WorkerSilentError
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.service.wire import Wire


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/a.py").write_text("def here(): ...\n")
    home = replace(home_in(tmp_path, tmp_path / "shop"), model="")
    yield home
    end_worker(home)


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    client = Client(home)
    yield client
    client.close()


def stopped(home: Home) -> psutil.Process:
    """Stop a home's worker; return it."""
    (worker,) = workers(home)
    worker.suspend()
    until(lambda: worker.status() == psutil.STATUS_STOPPED)
    return worker


def limits(
    monkeypatch: pytest.MonkeyPatch, *, silent_s: float = 3600.0, hung_s: float = 3600.0
) -> None:
    for name, value in (("LOOK_S", 0.05), ("SILENT_S", silent_s), ("HUNG_S", hung_s)):
        monkeypatch.setattr(client_module, name, value)


def test_who_looks_is_told_that_it_is_stopped_and_its_answer_is_taken_when_it_comes(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = Client(home)
    looker.state()
    client.state()
    worker = stopped(home)
    limits(monkeypatch, silent_s=0.2)
    hits: list[Hit] = []
    search = Thread(target=lambda: hits.extend(client.search("here", limit=1, complete=True)))
    search.start()

    for _ in range(2):  # and again, at once
        with pytest.raises(WorkerSilentError, match=rf"\(process {worker.pid}\) does not answer"):
            looker.state()
    assert search.is_alive()
    worker.resume()
    search.join(60)

    assert [hit.path for hit in hits] == ["a.py"]
    limits(monkeypatch)
    assert looker.state().files == 1
    assert (client.restarts, looker.restarts, workers(home)) == (0, 0, [worker])
    looker.close()


def test_one_that_is_stopped_for_good_is_ended_and_the_next_one_answers(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.state()
    worker = stopped(home)
    limits(monkeypatch, hung_s=0.3)

    other = Client(home)
    hits: list[Hit] = []
    search = Thread(target=lambda: hits.extend(other.search("here", limit=1, complete=True)))
    search.start()
    assert psutil.wait_procs([worker], timeout=60)[1] == []
    limits(monkeypatch)  # the next one may take its time
    search.join(60)

    assert [hit.path for hit in hits] == ["a.py"]
    assert f"ended: process {worker.pid} gave no sign of life for" in home.log.read_text()
    until(lambda: client.state().files == 1)
    other.close()


def test_who_only_looks_has_it_ended_as_well(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.state()
    worker = stopped(home)
    limits(monkeypatch, silent_s=0.1, hung_s=0.4)

    def answers() -> bool:
        try:
            client.state()
        except WorkerSilentError:
            return False
        return True

    until(lambda: answers() or not worker.is_running())

    assert psutil.wait_procs([worker], timeout=60)[1] == []
    limits(monkeypatch)  # the next one may take its time
    until(answers)


def test_one_that_takes_its_time_is_alive(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "find = finding.Finder.find\ndef slowly(self, *a, **k):\n time.sleep(4)\n"
    slow += " return find(self, *a, **k)\nfinding.Finder.find = slowly"
    monkeypatch.setattr(sys, "executable", begin_with(slow, tmp_path))
    client.state()
    limits(monkeypatch, hung_s=3.0)

    assert client.search("here", limit=1, complete=True)[0].path == "a.py"

    assert client.restarts == 0


def test_one_that_tells_its_state_and_answers_no_query_makes_way_for_the_next_one(
    home: Home, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = "find = finding.Finder.find\ndef once(self, *a, **k):\n try:\n"
    stuck += f"  open({os.fspath(tmp_path / 'once')!r}, 'x')\n"
    stuck += "  keeper.STUCK_S = 1.0\n  time.sleep(600)\n"
    stuck += " except FileExistsError:\n  return find(self, *a, **k)\n"
    stuck += "finding.Finder.find = once"
    monkeypatch.setattr(sys, "executable", begin_with(stuck, tmp_path))

    assert client.search("here", limit=1, complete=True)[0].path == "a.py"

    assert client.restarts == 1
    assert "ended: a query did not come to an end" in home.log.read_text()


def test_one_that_hangs_as_it_starts_is_ended_and_the_next_one_answers(
    home: Home, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = "worker.own = lambda _lock: time.sleep(600)"
    monkeypatch.setattr(sys, "executable", begin_with(hang, tmp_path))
    monkeypatch.setattr(starting, "START_S", 2.0)

    with pytest.raises(ToolError, match="did not start within 2 s"):
        client.state()

    until(lambda: not workers(home))
    monkeypatch.undo()
    assert client.search("here", limit=1, complete=True)[0].path == "a.py"


def test_who_waits_for_a_start_by_another_is_told_that_it_does_not_go_on(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.socket.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    monkeypatch.setattr(starting, "START_S", 0.05)
    with home.socket.with_suffix(".start").open("w") as starts:
        fcntl.flock(starts, fcntl.LOCK_EX)
        with pytest.raises(ToolError, match="being started by another turbo-tui"):
            client.state()
    monkeypatch.undo()

    assert client.search("here", limit=1, complete=True)[0].path == "a.py"


LISTENER = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print("ready", flush=True)
one, _ = listening.accept()
sys.stdin.readline()
one.sendall(b'{"id": 1}\\n')
print("said", flush=True)
sys.stdin.readline()
"""


def test_only_a_silent_process_of_the_users_own_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        short_folder() as folder,
        subprocess.Popen(
            (sys.executable, "-c", LISTENER, folder / "s"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        wire = Wire(folder / "s")

        monkeypatch.setattr(os, "getuid", lambda: 4711)
        assert (wire.worker, wire.end_worker()) == (0, False)
        monkeypatch.undo()

        assert wire.worker == process.pid
        process.stdin.write("\n")
        process.stdout.readline()
        assert not wire.end_worker(), "it spoke: that waits to be heard"
        assert wire.hear(10) == {"id": 1}
        assert wire.end_worker()
        assert process.wait(60) == -9
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.hear(10)
        assert not wire.end_worker()
        wire.close()
        assert wire.worker == 0
