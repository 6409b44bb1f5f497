"""Machines in the way: full disks, missing permissions, broken settings, signals, lost models."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys.behind import TurboBehind, give_to_nobody, ordinary_user
from tests.journeys.plans import plan_file, python_of, run_steps, shell, tool, wait_for_file
from tests.journeys.turbo import PATIENCE_S, Turbo, differences, until, whole_tree
from tests.model_server import Fault, ModelServer, Reply

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    (workspace / "a.txt").write_text("one\n")
    return Turbo(home, workspace)


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)),
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(("umount", "-l", str(disk)), check=True)


@pytest.fixture
def nobody() -> Generator[TurboBehind]:
    with ordinary_user() as turbo:
        yield turbo


def of_bytes(size: int, name: str = "big.bin") -> dict[str, object]:
    """Return an action that writes a file of random bytes."""
    return python_of(f"import os; open({name!r}, 'wb').write(os.urandom({size}))")


# --- disks -----------------------------------------------------------------------


@NEEDS_ROOT
def test_a_full_state_disk_refuses_while_staging_and_later_works(
    turbo: Turbo, small_disk: Path
) -> None:
    turbo.more_env["TURBO_TUI_HOME"] = str(small_disk / "turbo")
    before = whole_tree(turbo.workspace)

    # The layer itself fits, its copy for the review does not.
    full = run_steps(turbo, [shell("echo two >> a.txt"), of_bytes(5_000_000)])
    ended_too_big = run_steps(turbo, [of_bytes(20_000_000)])

    for ended in (full, ended_too_big):
        assert ended.code in {1, 5}, ended.out + ended.err
        assert "No space left" in ended.out + ended.err or "full" in ended.out + ended.err
        assert "Traceback" not in ended.err
    assert whole_tree(turbo.workspace) == before
    assert turbo("session", "list").code == 0
    assert turbo("session", "prune", "--keep", "0", "--also-waiting").code == 0
    again = run_steps(turbo, [shell("echo two >> a.txt")])
    assert again.code == 0, again.out + again.err
    assert (turbo.workspace / "a.txt").read_text() == "one\ntwo\n"


@NEEDS_ROOT
def test_a_state_disk_without_any_room_is_refused_at_once(turbo: Turbo, small_disk: Path) -> None:
    turbo.more_env["TURBO_TUI_HOME"] = str(small_disk / "turbo")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass

    ended = run_steps(turbo, [shell("echo two >> a.txt")])

    assert ended.code == 5, ended.out + ended.err
    assert str(small_disk) in ended.err
    assert "Traceback" not in ended.err
    assert (turbo.workspace / "a.txt").read_text() == "one\n"
    filler.unlink()
    assert run_steps(turbo, [shell("echo two >> a.txt")]).code == 0


@NEEDS_ROOT
@pytest.mark.parametrize("name", ["big.bin", "a.txt"])
def test_a_full_workspace_is_refused_whole_and_lands_once_there_is_room(
    turbo: Turbo, small_disk: Path, name: str
) -> None:
    turbo.workspace = small_disk / "work"
    turbo.workspace.mkdir()
    (turbo.workspace / "a.txt").write_text("one\n")
    (turbo.workspace / "room.bin").write_bytes(bytes(5_000_000))
    before = whole_tree(turbo.workspace)

    steps = [shell("echo first > first.txt; rm -f a.txt"), of_bytes(5_000_000, name)]
    full = run_steps(turbo, steps)

    assert full.code == 5, full.out + full.err
    assert "No space left" in full.out
    assert not differences(before, whole_tree(turbo.workspace))
    (turbo.workspace / "room.bin").unlink()
    resumed = turbo("session", "resume", "--approve", "staged", "--json")
    assert resumed.code == 0, resumed.out + resumed.err
    assert (turbo.workspace / name).stat().st_size == 5_000_000
    assert (turbo.workspace / "first.txt").read_text() == "first\n"


# --- permissions -----------------------------------------------------------------


def test_a_folder_without_write_permission_is_refused_clearly(nobody: TurboBehind) -> None:
    (nobody.workspace / "a.txt").write_text("one\n")
    plan = plan_file(nobody, [shell("echo two >> a.txt; echo b > b.txt || true")])
    if nobody.prefix:
        give_to_nobody(nobody.home.parent)
    nobody.workspace.chmod(0o555)
    before = whole_tree(nobody.workspace)

    ended = nobody("run", "--plan", str(plan), "--approve", "staged", "--json")

    assert ended.code == 5
    assert "ermission denied" in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert whole_tree(nobody.workspace) == before
    nobody.workspace.chmod(0o755)
    again = nobody("run", "--plan", str(plan), "--approve", "staged", "--json")
    assert again.code == 0, again.out + again.err
    assert (nobody.workspace / "a.txt").read_text() == "one\ntwo\n"


def test_a_state_folder_without_write_permission_is_refused_clearly(nobody: TurboBehind) -> None:
    plan = plan_file(nobody, [shell("echo two >> a.txt")])
    if nobody.prefix:
        give_to_nobody(nobody.home.parent)
    nobody.home.chmod(0o555)

    ended = nobody("run", "--plan", str(plan), "--approve", "staged", "--json")

    assert ended.code == 5, ended.out + ended.err
    assert "TURBO_TUI_HOME" in ended.err
    assert str(nobody.home / "turbo") in ended.err


def test_files_that_cannot_be_read_stay_and_the_rest_lands(nobody: TurboBehind) -> None:
    (nobody.workspace / "a.txt").write_text("one\n")
    (nobody.workspace / "secret.txt").write_text("secret\n")
    (nobody.workspace / "closed").mkdir()
    (nobody.workspace / "closed/inside.txt").write_text("inside\n")
    plan = plan_file(nobody, [shell("echo two >> a.txt; cat secret.txt; ls closed; true")])
    if nobody.prefix:
        give_to_nobody(nobody.home.parent)
    for name in ("secret.txt", "closed"):
        (nobody.workspace / name).chmod(0)
    for rung in ("overlay+bubblewrap", "copy+bubblewrap"):
        nobody.more_env["TURBO_TUI_RUNG"] = rung
        ended = nobody("run", "--plan", str(plan), "--approve", "staged", "--json")
        assert ended.code == 0, ended.out + ended.err
        assert "ermission denied" in str(ended.last("CommandFinished")["output"]) or (
            "No such file" in str(ended.last("CommandFinished")["output"])
        )
    for name, mode in (("secret.txt", 0o600), ("closed", 0o700)):
        assert (nobody.workspace / name).stat().st_mode & 0o777 == 0
        (nobody.workspace / name).chmod(mode)
    assert (nobody.workspace / "a.txt").read_text() == "one\ntwo\ntwo\n"
    assert (nobody.workspace / "secret.txt").read_text() == "secret\n"
    assert (nobody.workspace / "closed/inside.txt").read_text() == "inside\n"


@NEEDS_ROOT
def test_a_read_only_disk_can_be_worked_on_but_not_landed_to(
    turbo: Turbo, small_disk: Path
) -> None:
    (small_disk / "a.txt").write_text("one\n")
    subprocess.run(("mount", "-o", "remount,ro", str(small_disk)), check=True)
    turbo.workspace = small_disk

    ended = run_steps(turbo, [shell("echo two >> a.txt && cat a.txt")])

    assert str(ended.last("CommandFinished")["output"]) == "one\ntwo\n"
    assert ended.code == 5
    assert "Read-only file system" in ended.out
    assert (small_disk / "a.txt").read_text() == "one\n"
    subprocess.run(("mount", "-o", "remount,rw", str(small_disk)), check=True)
    resumed = turbo("session", "resume", "--approve", "staged", "--json")
    assert resumed.code == 0, resumed.out + resumed.err
    assert (small_disk / "a.txt").read_text() == "one\ntwo\n"


# --- settings --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("[planner\n", "TOML", "Mend"),
        ("[planer]\n", "[planer]", "'planner'"),
        ('[planner]\nbase_ur = "x"\n', "base_ur", "'base_url'"),
        ('[planner]\nbase_url = "localhost"\n', "base_url", "http://"),
        ('[planner]\nmodel = "m"\n', "model", "base_url ="),
        ('[executor]\nkind = "gpt"\n', "kind", '"ollama"'),
        ('[executor]\nkey = "sk-1"\n', "key", "key_env"),
        ("[caps]\nmax_turns = 0\n", "max_turns", "above 0"),
        ("[caps]\nmax_usd = true\n", "max_usd", "dollars"),
        ('[sandbox]\nrung = "chroot"\n', "rung", "overlay+bubblewrap"),
        ('[[rules]]\neffect = "maybe"\n', "effect", '"deny"'),
        ("planner = 3\n", "planner", "[planner]"),
        ("\udcff", "config.toml", "Mend"),
    ],
)
def test_a_broken_config_names_file_key_and_fix(
    turbo: Turbo, text: str, key: str, fix: str
) -> None:
    file = turbo.home / "turbo/config/config.toml"
    turbo.configure("")
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    ended = turbo("run", "rename a to b")

    assert (ended.code, ended.out) == (2, "")
    assert str(file) in ended.err
    assert key in ended.err
    assert fix in ended.err
    assert not (turbo.state / "sessions").exists()


def test_state_within_the_workspace_is_refused(turbo: Turbo) -> None:
    turbo.more_env["TURBO_TUI_HOME"] = str(turbo.workspace / "state")

    for words in (("run", "x"), ("session", "list"), ("sandbox", "--", "true")):
        ended = turbo(*words)
        assert ended.code == (125 if words[0] == "sandbox" else 5)
        assert "TURBO_TUI_HOME" in ended.err
    assert [path.name for path in turbo.workspace.iterdir()] == ["a.txt"]


# --- exit codes ------------------------------------------------------------------


def test_the_sandbox_command_exits_as_its_command_did(turbo: Turbo) -> None:
    told = turbo(
        "sandbox", "--json", "--", "sh", "-c", "echo hi; echo x > new.txt; rm a.txt; exit 3"
    )
    assert told.code == 3
    shown = json.loads(told.out)
    assert set(shown) >= {"exit_code", "output", "backend", "report", "changes", "usage"}
    assert (shown["exit_code"], shown["output"]) == (3, "hi\n")
    assert {(each["path"], each["action"]) for each in shown["changes"]} == {
        ("a.txt", "delete"),
        ("new.txt", "add"),
    }
    assert shown["usage"]["duration_s"] > 0
    assert turbo("sandbox", "--", "sh", "-c", "kill -9 $$").code == 137
    assert turbo("sandbox", "-C", "/nowhere", "--", "true").code == 125
    assert turbo("sandbox").code == 2
    assert [path.name for path in turbo.workspace.iterdir()] == ["a.txt"]
    assert not list((turbo.state / "stages").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_and_a_sandbox_with_130(turbo: Turbo, number: signal.Signals) -> None:
    mark = f"sleep 3{os.getpid() % 1000:03}{int(number)}"
    plan = str(plan_file(turbo, [shell(f"echo x > x.txt; {mark}")]))
    running = turbo.start("run", "--plan", plan, "--approve", "staged", "--json")
    until(running, "CommandRequested")
    wait_for_file(turbo.state / "stages", "x.txt")

    running.send_signal(number)
    out, _ = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130
    last = json.loads(out.splitlines()[-1])
    assert (last["kind"], last["status"]) == ("RunFinished", "interrupted")
    assert not alive(mark)
    resumed = turbo("session", "resume", "--json")
    assert resumed.code == 130
    boxed = turbo.start("sandbox", "--", "sh", "-c", f"echo y > y.txt; {mark}")
    wait_for_file(turbo.state / "stages", "y.txt")
    boxed.send_signal(number)
    boxed.communicate(timeout=PATIENCE_S)
    assert boxed.returncode == 130
    assert not alive(mark)
    assert [path.name for path in turbo.workspace.iterdir()] == ["a.txt"]


def alive(words: str) -> bool:
    """Tell whether a process with these words on its command line runs."""
    wanted = words.replace(" ", "\0").encode()
    for pid in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            if (pid / "cmdline").read_bytes().rstrip(b"\0") == wanted:
                return True
        except OSError:
            continue
    return False


def test_run_exits_by_what_came_of_it(turbo: Turbo) -> None:
    checked = plan_file(turbo, [tool("write_file", path="b.txt", content="b\n")])
    plan = json.loads(checked.read_text())
    plan["steps"][0]["checks"] = [["false"]]
    checked.write_text(json.dumps(plan))

    failed = turbo("run", "--plan", str(checked), "--approve", "staged", "--json")
    assert (failed.code, failed.last("RunFinished")["status"]) == (1, "failed")
    assert not (turbo.workspace / "b.txt").exists()
    assert turbo("run").code == 2
    assert turbo("run", "make me a sandwich of dreams").code == 2
    assert turbo("run", "--plan", str(turbo.home / "none.json")).code == 2
    (turbo.home / "odd.json").write_text("[]")
    assert turbo("run", "--plan", str(turbo.home / "odd.json")).code == 2
    assert turbo("run", "x", "-C", str(turbo.home / "nowhere")).code == 5
    assert turbo("run", "x", "-C", str(turbo.workspace / "a.txt")).code == 5


# --- models ----------------------------------------------------------------------


def test_a_model_that_cannot_be_reached_exits_4_and_names_its_address(turbo: Turbo) -> None:
    with socket.socket() as taken:  # nobody listens there, and no other test is given the port
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        turbo.use_models(f"http://{address}/v1")

        ended = turbo("run", "add a flag", "--json")
        planned = turbo("plan", "add a flag")

    assert (ended.code, ended.last("RunFinished")["status"]) == (4, "unreachable")
    assert address in str(ended.last("RunFinished")["reason"])
    assert planned.code == 4


@pytest.mark.parametrize(
    ("status", "word"), [(401, "key"), (404, "planner-model"), (429, "rate"), (500, "500")]
)
def test_what_a_server_refuses_exits_4_and_says_what_to_do(
    turbo: Turbo, status: int, word: str
) -> None:
    script = [Fault(status=status, message="no such thing") for _ in range(8)]
    with ModelServer(script) as server:
        turbo.use_models(server.base_url("openai"))
        ended = turbo("run", "add a flag")
        count = len(server.requests)

    assert ended.code == 4, ended.err
    assert str(status) in ended.err or word in ended.err.lower()
    assert f"127.0.0.1:{server.port}" in ended.err
    assert count == 1 if status in {401, 404} else 1 < count <= 6
    assert "Traceback" not in ended.err


def test_a_busy_server_is_asked_again_and_served(turbo: Turbo) -> None:
    plan = {"steps": [{"id": "s1", "title": "nothing", "intent": "say hello"}]}
    script = [
        Fault(status=429, retry_after=1),
        Reply(json.dumps(plan), model="planner-model"),
        Reply("Hello.", model="executor-model"),
    ]
    with ModelServer(script) as server:
        turbo.use_models(server.base_url("openai"))
        ended = turbo("run", "say hello", "--approve", "staged", "--json")
        server.verify()

    assert ended.code == 0, ended.out + ended.err
    assert ended.last("RunFinished")["status"] == "done"
