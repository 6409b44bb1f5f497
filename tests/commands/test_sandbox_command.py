"""`turbo-tui sandbox` as someone types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.sandbox.confining import alive
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.commands.resume import command as resume
from turbo_tui.commands.sandbox import Ran, command, in_json, in_words
from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.command import CommandUsage, Grants
from turbo_tui.core.errors import TurboError
from turbo_tui.core.ports import CommandResult, Guarantee, SandboxReport

REPORT = SandboxReport("copy+unsandboxed", "none", (Guarantee("writes", False, "anything"),))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("a\n")
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    return folder


def start(project: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "turbo_tui", "sandbox", *words),
        cwd=project,
        env={**os.environ, "TURBO_TUI_HOME": str(project.parent / "home"), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


Sandbox = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sandbox(project: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Run the command in the project; return exit code, stdout and stderr."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("TURBO_TUI_HOME", str(project.parent / "home"))

    def run(*words: str, **environ: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(command, words, env=environ)
        if isinstance(result.exception, TurboError):  # as the door says it
            return result.exception.exit_code, result.stdout, str(result.exception)
        return result.exit_code, result.stdout, result.stderr

    return run


def test_the_commands_exit_code_and_output_come_out_and_its_changes_are_listed(
    project: Path, sandbox: Sandbox
) -> None:
    line = "echo hi; echo b >> a.txt; echo n > sub/new.txt; exit 4"

    code, out, err = sandbox("--", "sh", "-c", line)

    assert (code, out) == (4, "hi\n")
    assert "update   a.txt" in err
    assert "add      sub/new.txt" in err
    assert (project / "a.txt").read_text() == "a\n"
    assert not list((project / "sub").iterdir())


def test_json_is_one_object_with_the_output_inside(sandbox: Sandbox) -> None:
    code, out, err = sandbox("--json", "-C", "sub", "--", "sh", "-c", "pwd; rm ../a.txt")

    told = json.loads(out)
    assert code == told["exit_code"] == 0
    assert told["output"].strip().endswith("sub")
    assert told["changes"] == [{"path": "a.txt", "action": "delete", "moved_from": ""}]
    assert told["backend"] == told["report"]["rung"]
    assert told["usage"]["ended"] == "exited"
    assert err == ""


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("-C", "/no/such/folder", "--", "true"), 125, "there is no such folder"),
        ((), 2, "Missing argument"),
        (("--timeout", "0", "--", "true"), 2, "--timeout"),
    ],
)
def test_our_own_failures_have_their_own_codes(
    words: tuple[str, ...], code: int, message: str, sandbox: Sandbox
) -> None:
    exit_code, out, err = sandbox(*words)

    assert (exit_code, out) == (code, "")
    assert message in err


def test_without_a_sandbox_a_command_runs_only_when_told_to(sandbox: Sandbox) -> None:
    refused = sandbox("--", "echo", "hi", TURBO_TUI_RUNG="unsandboxed")
    told = sandbox("--unsandboxed", "--", "echo", "hi", TURBO_TUI_RUNG="unsandboxed")

    assert refused[:2] == (125, "")
    assert "`--unsandboxed` runs it" in refused[2]
    assert told[:2] == (0, "hi\n")
    assert "UNSANDBOXED" in told[2]


def test_a_timeout_is_said(sandbox: Sandbox) -> None:
    code, _, err = sandbox("--timeout", "0.3", "--", "sleep", "60")

    assert code in {137, 143}
    assert "ended by timeout" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_command_and_leaves_nothing(
    number: signal.Signals, project: Path
) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    process = start(project, "--", "sh", "-c", "sleep 60; :", mark)
    until = time.monotonic() + 60
    while len(alive(mark)) < 2 and time.monotonic() < until:  # we, and the command itself
        time.sleep(0.01)

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted" in err
    assert alive(mark) == []
    stages = project.parent / "home" / "state" / "stages"
    assert not [path for path in stages.rglob("sandbox-*") if path.is_dir()]


def test_on_a_terminal_output_is_shown_as_it_comes(project: Path) -> None:
    master, terminal = os.openpty()
    process = subprocess.Popen(
        (sys.executable, "-m", "turbo_tui", "sandbox", "--", "sh", "-c", "echo one; cat"),
        cwd=project,
        env={**os.environ, "TURBO_TUI_HOME": str(project.parent / "home")},
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    )
    os.close(terminal)

    assert process.wait(timeout=100) == 0  # `cat` does not wait for a key: nobody answers
    assert os.read(master, 100) == b"one\r\n"
    os.close(master)


def test_names_from_a_command_are_shown_never_obeyed() -> None:
    node = Node("file", 0o644, 1, "x")
    changes = ChangeSet(
        files=(
            FileChange("a\x1b]0;evil\x07\nb", None, node),
            FileChange("new", node, node, moved_from="old"),
        ),
        ignored=(IgnoredFolder("node_modules", (FileChange("x", None, node),)),),
        notes=(".git: 3 internal files",),
        warnings=("run.sh: new executable",),
    )
    result = CommandResult(0, "limit", "", 1.0)

    lines = list(in_words(Ran(result, changes, REPORT)))

    assert lines[0] == "sandbox: UNSANDBOXED; exit 0, ended by limit after 1.0 s"
    assert lines[1:] == [
        "  not held writes: anything",
        "  add      a?b",
        "  move     new (from old)",
        "  ignored  node_modules +1 files",
        "  note     .git: 3 internal files",
        "  warning  run.sh: new executable",
        "  all of it was in a stage and is discarded",
    ]


RAN = Ran(
    CommandResult(
        0, "exited", "", 1.0, usage=CommandUsage(2.5, 12_400_000, 4096, processes=3, exact=True)
    ),
    ChangeSet(),
    SandboxReport("copy+bubblewrap", "full", (), ("an overlay is refused. " * 9,)),
    Grants("hosts", ("a.example", "b.example"), True, True, ("/opt/data",), ("/srv/out",)),
)


def test_what_was_granted_used_and_refused_is_told_within_the_screen() -> None:
    lines = list(in_words(RAN, width=80))

    assert lines[0] == (
        "sandbox: copy+bubblewrap (full); exit 0 after 1.0 s, 2.5 s CPU, 12 MB, 3 processes"
    )
    assert lines[1:6] == [
        "  granted  network: a.example, b.example",
        "  granted  writes /srv/out, which is not staged",
        "  granted  reads /opt/data",
        "  granted  ptrace",
        "  granted  unix sockets",
    ]
    assert lines[6].startswith("  because  an overlay is refused.")
    assert lines[7].startswith("           ")
    assert max(len(line) for line in lines[1:]) <= 80


def test_json_tells_grants_and_usage() -> None:
    told = in_json(RAN)

    assert json.loads(json.dumps(told["grants"]))["hosts"] == ["a.example", "b.example"]
    assert json.loads(json.dumps(told["usage"]))["peak_memory_bytes"] == 12_400_000


@pytest.mark.parametrize(
    ("words", "code"), [(("no-such-program",), 127), (("./plain.txt",), 126), (("true",), 0)]
)
def test_what_cannot_be_started_is_told_by_a_shells_codes(
    words: tuple[str, ...], code: int, sandbox: Sandbox, project: Path
) -> None:
    (project / "plain.txt").write_text("no program\n")

    assert sandbox("--", *words)[0] == code


def test_a_path_that_is_granted_can_be_read_and_is_listed(
    sandbox: Sandbox, project: Path, tmp_path: Path
) -> None:
    del project
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("from outside\n")

    refused, _, _ = sandbox("--", "cat", str(outside / "data"))
    code, out, err = sandbox("--read", "../outside", "--", "cat", str(outside / "data"))

    assert refused != 0
    assert (code, out) == (0, "from outside\n")
    assert f"granted  reads {outside}" in err


def test_a_path_that_is_granted_for_writing_is_written(sandbox: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    code, _, err = sandbox("--write", str(outside), "--", "sh", "-c", f"echo x > {outside}/new")

    assert code == 0, err
    assert (outside / "new").read_text() == "x\n"
    assert "which is not staged" in err


def test_all_hosts_and_some_hosts_are_not_granted_together(sandbox: Sandbox) -> None:
    code, _, err = sandbox("--net", "--allow-host", "a.example", "--", "true")

    assert code == 2
    assert "leave out --allow-host" in err


def test_what_is_kept_waits_for_its_review_and_lands_as_it_was(
    project: Path, sandbox: Sandbox
) -> None:
    code, _, err = sandbox("--keep", "--", "sh", "-c", "echo b >> a.txt; exit 4")

    assert code == 4
    session = err.rpartition("--session ")[2].strip()
    assert (project / "a.txt").read_text() == "a\n"
    landed = CliRunner().invoke(resume, [session, "--approve", "staged", "--json"])
    assert landed.exit_code == 0, landed.output
    assert (project / "a.txt").read_text() == "a\nb\n"
    told = [json.loads(line) for line in landed.output.splitlines()]
    assert told[-1]["status"] == "done"


def test_what_is_kept_says_what_was_granted_and_what_confined_it(
    project: Path, sandbox: Sandbox
) -> None:
    _, _, err = sandbox("--keep", "--ptrace", "--", "sh", "-c", "echo b >> a.txt")

    session = err.rpartition("--session ")[2].strip()
    store = SqliteEventStore(sessions_folder(project.parent / "home" / "state") / session)
    events = [record.event for record in store.read()]
    store.close()
    (requested,) = (event for event in events if isinstance(event, ev.CommandRequested))
    (finished,) = (event for event in events if isinstance(event, ev.CommandFinished))
    (started,) = (event for event in events if isinstance(event, ev.StepStarted))
    assert requested.grants == ("ptrace",)
    assert finished.rung == started.rung
    assert finished.usage is not None
    assert (project / "a.txt").read_text() == "a\n"


def test_nothing_is_kept_of_a_command_that_changed_nothing(sandbox: Sandbox) -> None:
    _, _, err = sandbox("--keep", "--", "true")

    assert "no changes" in err
    assert "--session" not in err
