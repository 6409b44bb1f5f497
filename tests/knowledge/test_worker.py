"""The shared worker: found, started, left, killed, and started anew."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.knowledge.worker_kit import (
    Log,
    begin_with,
    end_worker,
    helpers,
    home_in,
    named,
    short_folder,
    until,
    workers,
)
from turbo_tui.core.errors import ToolError
from turbo_tui.knowledge.indexing.digest import key_of
from turbo_tui.knowledge.service import client as client_module
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.home import Home, home_of
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.service.serving import has_gone
from turbo_tui.knowledge.storing.store import Store
from turbo_tui.knowledge.vectors.meaning import Meaning


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    for number in range(5):
        (root / f"m{number}.py").write_text(f"def here_{number}(): ...\n")
    return root


@pytest.fixture
def home(tmp_path: Path, root: Path) -> Iterator[Home]:
    home = replace(home_in(tmp_path, root), model="")
    yield home
    end_worker(home)


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    client = Client(home)
    yield client
    client.close()


def first(client: Client, query: str) -> str:
    hits = client.search(query, limit=5, complete=True)
    return f"{hits[0].path}:{hits[0].start_line}" if hits else ""


def test_two_apps_on_one_workspace_share_a_worker(home: Home, client: Client) -> None:
    other = Client(home)

    assert first(client, "here_1") == "m1.py:1"
    assert first(other, "here_2") == "m2.py:1"
    other.close()

    assert first(client, "here_3") == "m3.py:1"
    assert len(workers(home)) == 1


def test_many_who_come_at_once_start_one_worker(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.knowledge.worker_kit import home_in\n"
        "from dataclasses import replace; from turbo_tui.knowledge.service.client import Client\n"
        "root = Path(sys.argv[1])\n"
        "home = replace(home_in(root.parent, root), model='')\n"
        "print(Client(home).search('here_4', limit=1, complete=True)[0].path)\n"
    )
    come = [
        subprocess.Popen((sys.executable, "-c", code, home.root), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [each.communicate()[0] for each in come] == ["m4.py\n"] * 4
    assert len(workers(home)) <= 1  # it may have ended, as all have gone


def test_it_ends_once_all_have_gone(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_WORKER_IDLE_S", "0.2")
    client.state()
    (worker,) = workers(home)
    assert worker.ppid() != os.getpid()
    family = [worker, *helpers(worker)]

    client.close()

    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert not home.socket.exists()


def test_one_that_is_killed_is_started_anew_and_the_question_answered(
    home: Home, client: Client
) -> None:
    assert first(client, "here_1") == "m1.py:1"
    (worker,) = workers(home)
    worker.kill()

    assert first(client, "here_2") == "m2.py:1"

    assert client.restarts >= 1
    assert workers(home)[0].pid != worker.pid


def test_a_saved_a_new_and_a_removed_file_are_seen_within_a_second(
    home: Home, client: Client
) -> None:
    assert first(client, "here_1") == "m1.py:1"
    until(lambda: client.state().age_s == 0.0)  # watched

    def found(query: str) -> bool:
        return any(hit.why[0] == f"defines {query}" for hit in client.search(query, limit=5))

    (home.root / "m1.py").write_text("\ndef changed_here(): ...\n")
    until(lambda: found("changed_here"))
    until(lambda: not found("here_1"))
    (home.root / "inner").mkdir()
    (home.root / "inner/new.py").write_text("def brand_new(): ...\n")
    until(lambda: found("brand_new"))
    (home.root / "m2.py").unlink()
    until(lambda: not found("here_2"))


def test_ignore_files_and_notes_count_at_once(home: Home, client: Client) -> None:
    (home.root / ".turbo/knowledge").mkdir(parents=True)
    (home.root / ".turbo/knowledge/rules.md").write_text("# Zebra rules\n\nNever ride one.\n")
    home.notes.mkdir(parents=True)
    (home.notes / "own.md").write_text("# Giraffes\n\nMy own notes.\n")
    (home.root / ".gitignore").write_text(".turbo/\n")

    assert first(client, "zebra rules") == ".turbo/knowledge/rules.md:1"
    assert first(client, "giraffes") == f"{home.notes}/own.md:1"

    (home.root / ".turbo/ignore").write_text("m1.py\n")
    assert first(client, "here_1") == ""
    assert first(client, "here_2") == "m2.py:1"


def test_filters_narrow_what_is_found(home: Home, client: Client) -> None:
    (home.root / "tests").mkdir()
    (home.root / "tests/test_m1.py").write_text("from m1 import here_1\n\nhere_1()\n")
    (home.root / "guide.md").write_text("# Guide\n\nCall here_1 first.\n")

    def paths(query: str) -> set[str]:
        return {hit.path for hit in client.search(query, limit=9, complete=True)}

    assert paths("here_1") == {"m1.py", "tests/test_m1.py", "guide.md"}
    assert paths("here_1 kind:code") == {"m1.py"}
    assert paths("here_1 -kind:code lang:python") == {"tests/test_m1.py"}
    assert paths("here_1 kind:docs") == {"guide.md"}
    assert paths("here_1 path:tests/*") == {"tests/test_m1.py"}


def test_places_like_another_are_found_by_their_words(home: Home, client: Client) -> None:
    text = "def total_price(items):\n    return sum(item.price for item in items)\n"
    (home.root / "prices.py").write_text(text)
    (home.root / "costs.py").write_text(text.replace("total", "whole"))

    hits = client.search("like:prices.py:1", limit=3, complete=True)

    assert (hits[0].path, hits[0].why) == ("costs.py", ("similar",))
    assert client.search("like:nowhere.py:1", limit=3) == []


def test_a_socket_that_a_killed_worker_left_is_taken_over(home: Home, client: Client) -> None:
    home.socket.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    left = socket.socket(socket.AF_UNIX)
    left.bind(os.fspath(home.socket))
    left.close()

    assert first(client, "here_1") == "m1.py:1"
    assert stat.S_IMODE(home.socket.stat().st_mode) == 0o600


def test_a_folder_that_others_may_enter_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "open")

    for place in ("open", "link", "file", "file/below"):
        with pytest.raises(ToolError, match=r"nobody else may enter|cannot be made"):
            Client(replace(home, socket=tmp_path / place / "x.sock")).state()


def test_a_path_too_long_for_a_socket_is_answered_elsewhere(tmp_path: Path) -> None:
    far = tmp_path / ("x" * 120)
    found = home_of(tmp_path, cache=far, state=far, config=far, environment={})

    assert len(os.fsencode(found.socket)) < 104
    assert found.store.is_relative_to(far)


def test_a_runtime_folder_counts_if_it_is_there_and_ours() -> None:
    with short_folder() as folder:

        def socket_with(runtime: str) -> Path:
            given = {"XDG_RUNTIME_DIR": runtime}
            return home_of(
                folder, cache=folder, state=folder, config=folder, environment=given
            ).socket.parent

        assert socket_with(str(folder)) == folder / "turbo-tui"
        anothers = Path("/")  # root's
        if not os.getuid():
            anothers = folder / "a"
            anothers.mkdir()
            os.chown(anothers, 65534, 65534)
        for runtime in (str(anothers), str(folder / "nowhere"), "relative"):
            assert socket_with(runtime) == folder / "run"


def test_a_worker_whose_store_was_removed_makes_way_for_one_that_builds_it_anew(
    home: Home, client: Client
) -> None:
    *_, state = client.build()
    assert state.files == 5
    (old,) = workers(home)
    shutil.rmtree(home.store)

    until(lambda: not old.is_running())
    *_, state = client.build()

    assert (state.files, state.note) == (5, "")
    assert (home.store / "version.json").exists()


def test_a_search_that_nobody_waits_for_any_more_is_given_up(home: Home) -> None:
    keeper = Keeper(home.root, Store(home.store, "1"), Meaning(home.models, "", key_of))
    client, ours = socket.socketpair()
    with ours:
        assert not has_gone(ours)
        client.close()

        keeper.settle(within_s=600.0, is_left=lambda: has_gone(ours))  # it was never started

        assert has_gone(ours)
    assert has_gone(ours)


def test_a_worker_that_cannot_start_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(ToolError, match=r"cannot start \(exit code 1\)"):
        client.search("here_1", limit=1)


def test_an_answer_that_takes_too_long_is_said(
    home: Home, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.state()
    monkeypatch.setattr(client_module, "ANSWER_S", 0.000001)
    (worker,) = workers(home)
    worker.suspend()

    with pytest.raises(ToolError, match="took over 0 s"):
        client.search("here_1", limit=1)

    worker.resume()
    monkeypatch.undo()
    assert first(client, "here_1") == "m1.py:1"


def test_what_is_no_request_ends_the_connection_alone(home: Home, client: Client) -> None:
    client.state()
    for said in (b"nonsense\n", b'{"do": "no such thing"}\n', b"{}\n", b"[]\n"):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(os.fspath(home.socket))
            stranger.sendall(said)
            assert stranger.recv(100) == b""

    assert first(client, "here_1") == "m1.py:1"


def test_progress_is_told_until_all_is_in_the_index(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    gated = f"from turbo_tui.knowledge.indexing import parser; parser.COMMAND = {log.command!r}"
    monkeypatch.setattr(sys, "executable", begin_with(gated, tmp_path))

    states = client.build()
    begun = next(state for state in states if state.pending)
    log.leave.touch()
    *_, end = states

    assert (begun.files, begun.pending) == (0, 5)
    assert (end.files, end.pending) == (5, 0)


@pytest.fixture
def readers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers keep the processes that read files, however long they have nothing to do."""
    monkeypatch.setattr(sys, "executable", begin_with("keeper.REST_S = 600.0", tmp_path))


def readers_of(home: Home) -> list[psutil.Process]:
    (worker,) = workers(home)
    return named("digesting", helpers(worker))


@pytest.mark.usefixtures("readers_stay")
def test_queries_are_answered_while_hundreds_of_changed_files_are_read(
    home: Home, client: Client
) -> None:
    for number in range(600):
        (home.root / f"n{number}.py").write_text(f"def old_{number}(): ...\n" * 40)
    assert first(client, "old_77") == "n77.py:1"
    until(lambda: client.state().age_s == 0.0)  # watched

    readers = readers_of(home)
    for each in readers:
        each.suspend()
    for number in range(600):
        (home.root / f"n{number}.py").write_text(f"def new_{number}(): ...\n" * 40)
    until(lambda: client.state().pending)

    assert client.search("here_3", limit=1)[0].path == "m3.py"
    assert client.state().pending, "it did not wait for the rest"
    for each in readers:
        each.resume()
    assert first(client, "new_599") == "n599.py:1"


@pytest.mark.usefixtures("readers_stay")
def test_a_worker_told_to_end_waits_neither_for_a_disk_nor_for_a_file_that_hangs(
    home: Home, client: Client
) -> None:
    *_, state = client.build()
    assert state.files == 5
    (worker,) = workers(home)
    (helper,) = named("storing", helpers(worker))
    helper.suspend()
    (home.root / "m1.py").write_text("def changed(): ...\n")
    assert first(client, "changed") == "m1.py:1"
    readers = readers_of(home)
    for each in readers:
        each.suspend()
    (home.root / "m2.py").write_text("def stuck(): ...\n")
    until(lambda: client.state().pending)

    worker.terminate()

    assert psutil.wait_procs([worker, helper, *readers], timeout=20)[1] == []
