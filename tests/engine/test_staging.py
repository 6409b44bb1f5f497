"""A stage whose commands are on the record."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.fakes import FolderStage, MemoryBlobs, ScriptedAsker
from turbo_tui.core.command import ANY_NETWORK, Command, CommandUsage, Grants
from turbo_tui.core.errors import SandboxError, ToolError
from turbo_tui.core.events import CommandFinished, CommandRequested, Event
from turbo_tui.core.policy import Rule
from turbo_tui.core.ports import Asker, CommandResult, Guarantee, OnOutput, SandboxReport, Verdict
from turbo_tui.engine.approval import Asks
from turbo_tui.engine.rules import by_rules
from turbo_tui.engine.staging import LoggedStage

UNSANDBOXED = SandboxReport(
    "copy+unsandboxed", "none", (Guarantee("network", held=False, detail="nothing holds it"),)
)


class BrokenStage(FolderStage):
    """Cannot start its sandbox."""

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        raise SandboxError("bwrap is gone")


def logged(
    stage: FolderStage, asker: Asker | None = None
) -> tuple[LoggedStage, list[Event], MemoryBlobs, list[tuple[str, str]]]:
    log: list[Event] = []
    streamed: list[tuple[str, str]] = []
    blobs = MemoryBlobs()
    wrapped = LoggedStage(
        stage,
        log.append,
        "s1",
        blobs=blobs,
        ask=asker,
        on_output=lambda command_id, text: streamed.append((command_id, text)),
    )
    return wrapped, log, blobs, streamed


async def test_a_command_is_logged_as_it_starts_and_as_it_ends(tmp_path: Path) -> None:
    stage, log, _, streamed = logged(FolderStage(tmp_path))
    heard: list[str] = []

    result = await stage.run(Command(("sh", "-c", "echo out; exit 3")), on_output=heard.append)

    requested, finished = log
    assert isinstance(requested, CommandRequested)
    assert isinstance(finished, CommandFinished)
    assert requested.argv == ("sh", "-c", "echo out; exit 3")
    assert requested.network == finished.network == "off"
    assert finished.command_id == requested.command_id
    assert (finished.exit_code, finished.ended, finished.output) == (3, "exited", "out\n")
    assert finished.held is not None
    assert finished.held["network"]
    assert streamed == [(requested.command_id, "out\n")]
    assert heard == ["out\n"]
    assert result.exit_code == 3


async def test_long_output_is_cut_and_kept_whole_as_a_blob(tmp_path: Path) -> None:
    stage, log, blobs, _ = logged(FolderStage(tmp_path))

    await stage.run(Command(("seq", "1", "10000")))

    finished = log[-1]
    assert isinstance(finished, CommandFinished)
    assert len(finished.output) <= 16_000
    assert blobs.get(finished.full).decode().endswith("\n9999\n10000\n")


async def test_granted_network_is_on_the_record(tmp_path: Path) -> None:
    stage, log, _, _ = logged(FolderStage(tmp_path))

    await stage.run(Command(("true",), grants=ANY_NETWORK))

    finished = log[-1]
    assert isinstance(finished, CommandFinished)
    assert finished.network == "all"
    assert finished.held is not None
    assert not finished.held["network"]


async def test_a_cancelled_command_is_on_the_record(tmp_path: Path) -> None:
    log: list[Event] = []
    begun = asyncio.Event()

    def append(event: Event) -> None:
        log.append(event)
        begun.set()

    stage = LoggedStage(FolderStage(tmp_path), append, "s1", blobs=MemoryBlobs())
    task = asyncio.create_task(stage.run(Command(("sleep", "60"))))
    await begun.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    finished = log[-1]
    assert isinstance(finished, CommandFinished)
    assert finished.ended == "cancelled"


async def test_a_sandbox_that_does_not_start_is_on_the_record(tmp_path: Path) -> None:
    stage, log, _, _ = logged(BrokenStage(tmp_path))

    with pytest.raises(SandboxError):
        await stage.run(Command(("true",)))

    finished = log[-1]
    assert isinstance(finished, CommandFinished)
    assert (finished.exit_code, finished.ended, finished.output) == (
        125,
        "refused",
        "bwrap is gone",
    )


async def test_without_a_sandbox_each_command_is_asked(tmp_path: Path) -> None:
    bare = FolderStage(tmp_path)
    bare.report = UNSANDBOXED
    asker = ScriptedAsker(Verdict(allowed=True), Verdict(allowed=False, feedback="not that"))
    stage, log, _, _ = logged(bare, asker)

    await stage.run(Command(("echo", "a b")))
    with pytest.raises(ToolError, match="They said: not that"):
        await stage.run(Command(("rm", "-rf", "src")))

    assert [(ask.action, ask.subject) for ask in asker.asked] == [
        ("unsandboxed", "echo 'a b'"),
        ("unsandboxed", "rm -rf src"),
    ]
    assert bare.ran == [("echo", "a b")]
    requested = log[0]
    assert isinstance(requested, CommandRequested)
    assert requested.network == "all"  # nothing holds it there


class Kept:
    """What was answered for the project in earlier sessions."""

    def __init__(self, *kept: tuple[str, str]) -> None:
        self.kept = set(kept)

    def has(self, action: str, subject: str) -> bool:
        return (action, subject) in self.kept

    def give(self, action: str, subject: str) -> None:
        self.kept.add((action, subject))


@pytest.mark.parametrize("network", ["hosts", "all"])
async def test_without_a_sandbox_a_granted_network_does_not_let_a_command_run(
    tmp_path: Path, network: Literal["hosts", "all"]
) -> None:
    bare = FolderStage(tmp_path)
    bare.report = UNSANDBOXED
    asker = ScriptedAsker(Verdict(allowed=False))
    stage, _, _, _ = logged(bare, asker)
    grants = Grants(network=network, hosts=("pypi.org",) if network == "hosts" else ())

    with pytest.raises(ToolError, match="no sandbox is available"):
        await stage.run(Command(("bash", "-c", "make deps"), grants=grants))

    assert [ask.action for ask in asker.asked] == ["unsandboxed"]
    assert not bare.ran


@pytest.mark.parametrize("action", ["network", "hosts", "command"])
async def test_no_answer_about_a_command_in_a_sandbox_counts_without_one(
    tmp_path: Path, action: str
) -> None:
    bare = FolderStage(tmp_path)
    bare.report = UNSANDBOXED
    line = shlex.join(("bash", "-c", "make deps"))
    subjects = ("make deps", line, f"pypi.org\n{line}", "pypi.org\nmake deps")
    asks = Asks(
        lambda _event, _by: None,
        approve="none",
        answers=Kept(*((action, subject) for subject in subjects)),
        rules=by_rules((Rule("allow", "host", ("pypi.org",)),), "/ws"),
    )
    stage, _, _, _ = logged(bare, asks.ask)
    grants = Grants(network="hosts", hosts=("pypi.org",))

    with pytest.raises(ToolError, match="no person is there"):
        await stage.run(Command(("bash", "-c", "make deps"), grants=grants))

    assert not bare.ran


@pytest.mark.parametrize(
    ("rule", "runs"),
    [
        (Rule("allow", "command", ("make", "deps")), True),
        (Rule("allow", "command", ("make", "test")), False),
        (Rule("allow", "host", ("*",)), False),
        (Rule("allow", "path", ("*",)), False),
        (Rule("allow", "tool", ("*",)), False),
    ],
    ids=str,
)
async def test_without_a_sandbox_only_a_rule_about_the_command_itself_allows_it(
    tmp_path: Path, rule: Rule, *, runs: bool
) -> None:
    bare = FolderStage(tmp_path)
    bare.report = UNSANDBOXED
    asks = Asks(lambda _event, _by: None, approve="none", rules=by_rules((rule,), "/ws"))
    stage, _, _, _ = logged(bare, asks.ask)

    with nullcontext() if runs else pytest.raises(ToolError, match="no sandbox"):
        await stage.run(Command(("bash", "-c", "make deps"), grants=ANY_NETWORK))

    assert bool(bare.ran) is runs


async def test_without_a_sandbox_and_nobody_to_ask_nothing_runs(tmp_path: Path) -> None:
    bare = FolderStage(tmp_path)
    bare.report = UNSANDBOXED
    stage, log, _, _ = logged(bare)

    with pytest.raises(ToolError, match="did not allow"):
        await stage.run(Command(("true",)))

    assert not bare.ran
    assert not log


async def test_the_rest_is_the_wrapped_stages(tmp_path: Path) -> None:
    bare = FolderStage(tmp_path, "stage-7")
    stage, _, _, _ = logged(bare)

    assert stage.stage_id == "stage-7"
    assert stage.files is bare.files
    assert await stage.changes() == bare.reported
    await stage.close(keep=True)
    assert bare.closed
    assert bare.kept


class MeteredStage(FolderStage):
    """Says what its commands used."""

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        result = await super().run(command, on_output=on_output)
        return replace(result, usage=CommandUsage(0.5, 1000, 0, 2))


async def test_usage_rung_and_grants_are_on_the_record(tmp_path: Path) -> None:
    stage, log, _, _ = logged(MeteredStage(tmp_path))
    grants = Grants(network="hosts", hosts=("pypi.org",), ptrace=True)

    await stage.run(Command(("true",), grants=grants))

    requested, finished = log
    assert isinstance(requested, CommandRequested)
    assert isinstance(finished, CommandFinished)
    assert (requested.network, requested.grants) == ("hosts", ("network: pypi.org", "ptrace"))
    assert finished.usage == CommandUsage(0.5, 1000, 0, 2)
    assert finished.rung == stage.report.rung
