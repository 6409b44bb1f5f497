"""Why a worker ended is written down, told to whoever asked, and never in the way."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.knowledge.worker_kit import begin_with, end_worker, home_in, until, workers
from turbo_tui import __version__
from turbo_tui.core.errors import ToolError
from turbo_tui.knowledge.service import worker_log
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.home import Home


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


@pytest.fixture
def have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what has workers begin with some code of the test's own."""
    return lambda code: monkeypatch.setattr(sys, "executable", begin_with(code, tmp_path))


def said(home: Home) -> str:
    return home.log.read_text()


def test_start_version_and_end_stand_in_a_file_of_the_users_own(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_WORKER_IDLE_S", "0.2")
    client.search("here", limit=1)
    client.close()

    until(lambda: "ended: nobody searched" in said(home))

    assert f"started: turbo-tui {__version__}, Python 3." in said(home)
    assert stat.S_IMODE(home.log.stat().st_mode) == 0o600
    assert "here" not in said(home).replace("thread", "")


def test_one_that_is_told_to_end_and_one_that_crashes_say_so(home: Home, client: Client) -> None:
    for number, word in (
        (signal.SIGTERM, "ended: it was told to"),
        (signal.SIGSEGV, "Fatal Python error: Segmentation fault"),
    ):
        client.search("here", limit=1)
        (worker,) = workers(home)
        worker.send_signal(number)
        assert psutil.wait_procs([worker], timeout=60)[1] == []
        assert word in said(home)

    assert worker_log.reason_in(home.log, 0) == "Segmentation fault"
    assert client.search("here", limit=1, complete=True)[0].path == "a.py"


def test_who_asked_is_told_what_a_thread_failed_by_and_where_more_stands(
    home: Home, client: Client, have_it: Callable[[str], None]
) -> None:
    have_it(
        "said = f'no {chr(39)}needle{chr(39)} here'\n"
        "def broken(self): raise RuntimeError(said) from KeyError('hay')\n"
        "keeper.Keeper._run = broken"
    )

    with pytest.raises(ToolError) as caught:
        client.search("here", limit=1)

    assert str(caught.value) == (
        "The search worker ended: RuntimeError in thread keeper: no '…' here; search again. What "
        f"went before stands in {home.log}"
    )
    assert "because of KeyError: '…'" in said(home)
    assert "in broken" in said(home)


def test_who_asked_is_told_what_answering_failed_by(
    home: Home, client: Client, have_it: Callable[[str], None]
) -> None:
    have_it("def broken(self, query, **_): return {}[query]\nfinding.Finder.find = broken")

    with pytest.raises(ToolError, match=r"ended: KeyError at a request: '…'; search again"):
        client.search("zebra", limit=1)

    assert "zebra" not in said(home)


def test_who_asked_is_told_why_it_cannot_start(
    home: Home, client: Client, have_it: Callable[[str], None]
) -> None:
    have_it("import no_such_module")

    with pytest.raises(ToolError, match=r"cannot start: ModuleNotFoundError: .*worker\.log"):
        client.search("here", limit=1)

    assert workers(home) == []


def test_one_that_another_does_not_make_way_for_says_so(
    home: Home, client: Client, have_it: Callable[[str], None]
) -> None:
    client.state()
    home.socket.unlink()
    have_it("worker.OWN_S = 0.01")

    with pytest.raises(ToolError, match="another worker of this workspace does not end"):
        Client(home).state()


def test_a_long_log_is_cut_and_a_reason_of_old_is_not_told(home: Home, client: Client) -> None:
    home.log.parent.mkdir(parents=True)
    home.log.write_text("2026-01-01T00:00:00Z 7 failed: OSError: long ago\n" * 6_000)

    client.state()
    with home.log.open("a") as log:
        log.write("x" * worker_log.LARGEST_BYTES)
    until(lambda: worker_log.size_of(home.log) <= worker_log.LARGEST_BYTES)

    assert worker_log.reason_in(home.log, worker_log.size_of(home.log)) == ""
    assert client.state().files >= 0


def test_a_log_that_cannot_be_written_is_done_without(
    home: Home, client: Client, tmp_path: Path
) -> None:
    home.log.mkdir(parents=True)
    link, pipe = home.log.with_name("link"), home.log.with_name("pipe")
    link.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(pipe)

    assert client.search("here", limit=1, complete=True)[0].path == "a.py"
    for log in (home.log, link, pipe, link / "below"):
        worker_log.note(log, "nowhere")
        assert worker_log.reason_in(log, 0) == ""

    assert not (tmp_path / "elsewhere").exists()
